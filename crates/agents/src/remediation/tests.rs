use echo_core::{Entropy as _, SeededEntropy};
use proptest::prelude::*;

use super::*;

fn finding(at: usize, check: u32) -> FindingBrief {
    FindingBrief {
        id: format!("find_{at:032x}").parse().unwrap(),
        check,
        severity: Severity::Medium,
        title: "Something".to_owned(),
    }
}

fn playbook(id: &str, risk: Risk, fixes: &[u32]) -> PlaybookBrief {
    PlaybookBrief { id: id.to_owned(), name: id.to_owned(), version: 1, fixes: fixes.to_vec(), risk }
}

fn propose(checks: &[u32], playbooks: &[PlaybookBrief]) -> Proposal {
    let findings = checks.iter().enumerate().map(|(at, check)| finding(at, *check)).collect();
    Remediator.run(&RemediationInput { findings, playbooks: playbooks.to_vec() }).unwrap()
}

#[test]
fn the_playbook_that_fixes_most_is_chosen_and_the_rest_is_left_to_a_person() {
    let all = [
        playbook("one", Risk::Low, &[1]),
        playbook("ssh-hardening", Risk::Medium, &[1, 2, 3]),
        playbook("other", Risk::High, &[9]),
    ];
    let proposal = propose(&[1, 2, 3, 7], &all);
    assert_eq!(proposal.playbooks, ["ssh-hardening"]);
    assert_eq!(proposal.covers.len(), 3);
    assert_eq!(proposal.uncovered, [finding(3, 7).id]);
    assert_eq!((proposal.risk, proposal.approval), (Risk::Medium, Approval::Customer));
    assert!(proposal.because.contains("Of 4 findings 3 can be fixed"), "{}", proposal.because);
}

#[test]
fn among_equals_the_milder_wins_and_then_the_first_by_id() {
    let risky = playbook("a", Risk::High, &[1, 2]);
    assert_eq!(propose(&[1, 2], &[risky.clone(), playbook("z", Risk::Low, &[1, 2])]).playbooks, ["z"]);
    assert_eq!(propose(&[1, 2], &[playbook("b", Risk::High, &[1, 2]), risky]).playbooks, ["a"]);
}

#[test]
fn what_greed_chose_in_vain_is_dropped() {
    let all = [
        playbook("wide", Risk::Low, &[1, 2, 3, 4]),
        playbook("left", Risk::Low, &[1, 2, 5]),
        playbook("right", Risk::Low, &[3, 4, 6]),
    ];
    assert_eq!(propose(&[1, 2, 3, 4, 5, 6], &all).playbooks, ["left", "right"]);
}

#[test]
fn nothing_to_do_needs_no_approval_and_anything_else_does() {
    assert_eq!(propose(&[], &[playbook("a", Risk::Low, &[1])]).approval, Approval::None);
    assert_eq!(propose(&[1], &[]).approval, Approval::None);
    assert_eq!(propose(&[1], &[playbook("a", Risk::Low, &[1])]).approval, Approval::Technician);
    assert_eq!(propose(&[1], &[playbook("a", Risk::High, &[1])]).approval, Approval::Customer);
}

#[test]
fn the_same_id_twice_is_refused() {
    let twice = RemediationInput { findings: vec![finding(0, 1), finding(0, 2)], playbooks: Vec::new() };
    assert!(matches!(Remediator.run(&twice), Err(EngineError::Duplicate { what: "finding", .. })));
    let a = playbook("a", Risk::Low, &[1]);
    let twice = RemediationInput { findings: Vec::new(), playbooks: vec![a.clone(), a] };
    assert!(matches!(Remediator.run(&twice), Err(EngineError::Duplicate { what: "playbook", .. })));
}

#[test]
fn more_than_a_bound_is_refused() {
    let many = playbook("a", Risk::Low, &vec![1; MAX_FIXES + 1]);
    let input = RemediationInput { findings: Vec::new(), playbooks: vec![many] };
    assert!(matches!(Remediator.run(&input), Err(EngineError::TooLarge { limit: MAX_FIXES, .. })));
}

#[test]
fn the_largest_input_is_answered() {
    let noise = SeededEntropy::new(1);
    let number = || u32::from_be_bytes(noise.bytes::<4>()) % 20_000;
    let findings = (0..MAX_FINDINGS).map(|at| finding(at, number())).collect();
    let playbooks = (0..MAX_PLAYBOOKS)
        .map(|at| {
            playbook(&format!("p{at}"), Risk::Low, &(0..MAX_FIXES).map(|_| number()).collect::<Vec<_>>())
        })
        .collect();
    let proposal = Remediator.run(&RemediationInput { findings, playbooks }).unwrap();
    assert_eq!(proposal.covers.len() + proposal.uncovered.len(), MAX_FINDINGS);
}

proptest! {
    #[test]
    fn every_covered_finding_is_fixed_by_its_playbook_and_no_playbook_is_useless(
        checks in prop::collection::vec(0_u32..12, 0..20),
        books in prop::collection::vec((prop::sample::select(Risk::ALL), prop::collection::vec(0_u32..12, 0..6)), 0..8),
    ) {
        let books: Vec<PlaybookBrief> =
            books.iter().enumerate().map(|(at, (risk, fixes))| playbook(&format!("p{at}"), *risk, fixes)).collect();
        let proposal = propose(&checks, &books);
        let by_id = |id: &str| books.iter().find(|book| book.id == id).unwrap();
        for cover in &proposal.covers {
            prop_assert!(proposal.playbooks.contains(&cover.playbook));
            prop_assert!(by_id(&cover.playbook).fixes.contains(&cover.check));
        }
        prop_assert_eq!(proposal.covers.len() + proposal.uncovered.len(), checks.len());
        let fixable = checks.iter().filter(|check| books.iter().any(|book| book.fixes.contains(check))).count();
        prop_assert_eq!(proposal.covers.len(), fixable);
        for id in &proposal.playbooks {
            let alone = checks.iter().any(|check| {
                by_id(id).fixes.contains(check)
                    && !proposal.playbooks.iter().any(|other| other != id && by_id(other).fixes.contains(check))
            });
            prop_assert!(alone, "{} is useless", id);
            prop_assert!(proposal.covers.iter().any(|cover| cover.playbook == *id));
        }
        let worst = proposal.playbooks.iter().map(|id| by_id(id).risk).max();
        prop_assert_eq!(proposal.approval, worst.map_or(Approval::None, approval_for));
        prop_assert_eq!(proposal.risk, worst.unwrap_or(Risk::Low));
    }
}
