use proptest::prelude::*;

use super::*;
use crate::test_echo::{Echo, at};

fn echo(attestations: usize) -> Echo {
    let mut echo = Echo::new(2);
    (0..attestations).for_each(|n| echo.attest(&format!("proof_{n}")));
    echo
}

/// Walks through all of `echo`'s ledger for the part `offered`.
fn walk(echo: &Echo, offered: &Origin, known: Option<&Origin>) -> Result<(), MergeError> {
    let mut walk = LogWalk::begin(offered, known, &echo.head())?;
    echo.entries.iter().for_each(|entry| walk.take(entry));
    walk.finish()
}

#[test]
fn a_part_that_its_ledger_holds_is_taken_also_when_the_ledger_grew_on() {
    for attestations in 0..9 {
        let early = echo(attestations);
        walk(&early, &early.origin(), None).unwrap();
        let later = echo(attestations + 3);
        walk(&later, &early.origin(), None).unwrap();
        walk(&later, &later.origin(), Some(&early.origin())).unwrap();
        walk(&later, &early.origin(), Some(&early.origin())).unwrap();
    }
}

#[test]
fn a_file_is_received_from_the_pinned_root_alone() {
    let (echo, other) = (echo(2), Echo::new(3));
    let now = at("2027-03-01");
    let received = Origin::receive(&echo.file(), &echo.chain, &echo.root(), now).unwrap();
    assert_eq!(received, echo.origin());
    for (chain, root, day) in [
        (&echo.chain, other.root(), "2027-03-01"),
        (&other.chain, other.root(), "2027-03-01"),
        (&echo.chain, echo.root(), "2029-01-01"),
    ] {
        assert!(Origin::receive(&echo.file(), chain, &root, at(day)).is_err());
    }
    let swapped = Index { own: Origin { root: other.root(), ..echo.origin() }, ..echo.index() };
    let swapped = swapped.to_file(&echo.attestor()).unwrap();
    let refused = Origin::receive(&swapped, &echo.chain, &echo.root(), now);
    assert!(matches!(refused, Err(MergeError::OtherRoot { .. })));
    let ahead = Index { own: Origin { registry: 2, ..echo.origin() }, ..echo.index() };
    let ahead = ahead.to_file(&echo.attestor()).unwrap();
    let refused = Origin::receive(&ahead, &echo.chain, &echo.root(), now);
    assert!(matches!(refused, Err(MergeError::OldTrust { made: 2, held: 1 })));
}

#[test]
fn a_rollback_is_refused_by_name() {
    let (early, later) = (echo(2), echo(4));
    let refused = walk(&later, &early.origin(), Some(&later.origin())).unwrap_err();
    assert!(matches!(refused, MergeError::RolledBack { .. }), "{refused}");
    assert!(refused.to_string().contains("echo.local/genesis/2"), "{refused}");
    let fewer = Origin { count: 1, entries: Vec::new(), ..later.origin() };
    assert!(matches!(walk(&later, &fewer, Some(&later.origin())), Err(MergeError::RolledBack { .. })));
    let newer_trust = Origin { registry: 5, ..early.origin() };
    assert!(matches!(walk(&later, &later.origin(), Some(&newer_trust)), Err(MergeError::RolledBack { .. })));
}

#[test]
fn a_fork_is_refused_by_name() {
    let known = echo(2).origin();
    let mut forked = Echo::new(2);
    for id in ["proof_0", "another", "proof_2"] {
        forked.attest(id);
    }
    let refused = walk(&forked, &forked.origin(), Some(&known)).unwrap_err();
    assert!(matches!(refused, MergeError::Forked { size: 4, .. }), "{refused}");
    assert!(refused.to_string().contains("echo.local/genesis/2 was forked"), "{refused}");
    let unlisted = Origin { entries: Vec::new(), ..known.clone() };
    let refused = walk(&forked, &forked.origin(), Some(&unlisted)).unwrap_err();
    assert!(matches!(refused, MergeError::Forked { size: 4, .. }), "{refused}");
    let mut same_size = Echo::new(2);
    for id in ["proof_0", "another"] {
        same_size.attest(id);
    }
    let refused = walk(&same_size, &same_size.origin(), Some(&unlisted)).unwrap_err();
    assert!(matches!(refused, MergeError::Forked { .. }), "{refused}");
    // The index is of one history, the ledger at hand of another, both signed.
    let refused = walk(&forked, &known, None).unwrap_err();
    assert!(matches!(refused, MergeError::NotInLog { .. }), "{refused}");
}

#[test]
fn a_damaged_or_wrong_ledger_is_told_from_a_fork() {
    let echo = echo(3);
    let (origin, known) = (echo.origin(), self::echo(2).origin());
    for index in 0..echo.entries.len() {
        let mut damaged = echo.clone();
        damaged.entries[index][20] ^= 1;
        let mut walk = LogWalk::begin(&origin, Some(&known), &echo.head()).unwrap();
        damaged.entries.iter().for_each(|entry| walk.take(entry));
        assert!(matches!(walk.finish(), Err(MergeError::Log { .. })), "entry {index}");
    }
    let mut short = LogWalk::begin(&origin, None, &echo.head()).unwrap();
    short.take(&echo.entries[0]);
    assert!(matches!(short.finish(), Err(MergeError::Log { .. })));
    let behind = LogWalk::begin(&origin, None, &echo.head_at(3)).unwrap_err();
    assert!(matches!(behind, MergeError::Log { .. }));
    assert!(LogWalk::begin(&origin, None, &Echo::new(3).head()).is_err());
}

#[test]
fn what_is_left_out_added_or_changed_is_found() {
    let echo = echo(4);
    let refused = |change: &dyn Fn(&mut Origin)| {
        let mut offered = echo.origin();
        change(&mut offered);
        let refused = walk(&echo, &offered, None).unwrap_err();
        assert!(matches!(refused, MergeError::NotInLog { .. }), "{refused}");
    };
    for place in 0..4 {
        refused(&|o| drop(o.entries.remove(place)));
        refused(&|o| {
            o.entries.remove(place);
            o.count -= 1;
        });
        refused(&|o| o.entries[place].leaf = Digest::of(b"x"));
        refused(&|o| o.entries[place].document = Digest::of(b"x"));
        refused(&|o| o.entries[place].id = "proof_x".to_owned());
        refused(&|o| o.entries[place].at = at("2027-02-03"));
        refused(&|o| o.entries[place].index += 1);
    }
    refused(&|o| o.count += 1);
    refused(&|o| o.entries.clear());
}

#[test]
fn a_statement_that_was_listed_in_another_way_before_is_refused() {
    let echo = echo(3);
    let known = self::echo(2).origin();
    let mut offered = echo.origin();
    offered.entries[2].statement = Digest::of(b"another");
    let refused = walk(&echo, &offered, Some(&known)).unwrap_err();
    assert!(matches!(refused, MergeError::NotInLog { .. }), "{refused}");
}

#[test]
fn another_ledger_for_the_same_root_is_refused() {
    let (echo, other) = (echo(2), Echo::new(5));
    let known = Origin { root: echo.root(), ..other.origin() };
    assert!(matches!(walk(&echo, &echo.origin(), Some(&known)), Err(MergeError::NotInLog { .. })));
}

proptest! {
    #[test]
    fn no_entry_and_no_head_make_a_walk_panic(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20), head in "\\PC{0,100}"
    ) {
        let echo = echo(2);
        let origin = echo.origin();
        prop_assert!(LogWalk::begin(&origin, None, &head).is_err());
        let mut walk = LogWalk::begin(&origin, Some(&origin), &echo.head()).unwrap();
        for entry in &entries {
            walk.take(entry);
        }
        prop_assert!(walk.finish().is_err());
    }
}
