//! What the doctor says of ledgers.

use super::{Cause, Finding, Level};
use crate::witnessing::WitnessingView;

/// What is the matter with ledgers, the worst first.
pub fn ledgers(known: &WitnessingView) -> Vec<Finding> {
    let finding = |cause, what, because, advice: &str| Finding {
        level: Level::Problem,
        cause,
        about: None,
        what,
        because,
        advice: advice.to_owned(),
    };
    let forks = known.forks.iter().map(|fork| {
        let [one, other] = fork.roots;
        finding(
            Cause::ForkedLedger,
            format!("the ledger {} has two histories", fork.origin),
            format!("its key signed two roots of {} entries: {one} and {other}", fork.size),
            "keep both heads (`echo_cli witness status --json` on the platform); rely on nothing that is proven by this \
             ledger alone; the operator finds out whether it was set back, or whether somebody else holds its key",
        )
    });
    let suspicions = known.suspicions.iter().map(|suspicion| {
        let ((smaller, _), (larger, _)) = (suspicion.smaller, suspicion.larger);
        finding(
            Cause::SuspectedLedger,
            format!("the ledger {} may have two histories", suspicion.origin),
            format!("heads of {smaller} and of {larger} entries: {}", suspicion.why),
            "ask the operator to compare the ledger with its commitments in treasury/; an old backup that was brought back \
             does this, too",
        )
    });
    let damaged = known.damaged.iter().map(|name| {
        finding(
            Cause::DamagedMemory,
            "a ledger is not cosigned here".to_owned(),
            format!("mesh/witnessed/{}.json cannot be read", name.hex()),
            "bring the file back from this machine's newest backup, or remove it if no other history can have been cosigned \
             since; then start the node again",
        )
    });
    forks.chain(suspicions).chain(damaged).collect()
}

#[cfg(test)]
mod tests {
    use echo_core::Digest;

    use super::*;
    use crate::witnessing::{Forked, SuspicionView};

    #[test]
    fn each_trouble_with_a_ledger_is_a_finding_with_its_sizes() {
        let root = Digest::of(b"root");
        let origin = "echo.test/genesis".to_owned();
        let known = WitnessingView {
            forks: vec![Forked { origin: origin.clone(), size: 7, roots: [root; 2] }],
            suspicions: vec![SuspicionView {
                origin,
                smaller: (4, root),
                larger: (9, root),
                why: String::new(),
            }],
            damaged: vec![root],
            ..WitnessingView::default()
        };
        let findings = ledgers(&known);
        let causes: Vec<Cause> = findings.iter().map(|finding| finding.cause).collect();
        assert_eq!(causes, [Cause::ForkedLedger, Cause::SuspectedLedger, Cause::DamagedMemory]);
        assert!(findings[0].because.contains("7 entries"));
        assert!(findings[1].because.contains("4 and of 9"));
        assert!(ledgers(&WitnessingView::default()).is_empty());
    }
}
