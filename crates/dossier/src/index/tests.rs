use echo_core::{Digest, SeededEntropy, entropy};
use proptest::prelude::*;
use trust::{
    Statement, Subject,
    registry::{Retirement, Revocation},
};

use super::*;
use crate::test_echo::Echo;

fn echo(seed: u8, attestations: usize) -> Echo {
    let mut echo = Echo::new(seed);
    (0..attestations).for_each(|n| echo.attest(&format!("proof_{n}")));
    echo
}

#[test]
fn an_index_reads_back_for_those_who_know_the_attestor() {
    let echo = echo(1, 3);
    assert_eq!(Index::open(&echo.file(), &echo.registry).unwrap(), echo.index());
    let refused = Index::open(&echo.file(), &Echo::new(2).registry).unwrap_err();
    assert!(matches!(refused, IndexError::Signature(_)), "{refused}");
}

#[test]
fn any_changed_byte_of_an_index_is_noticed() {
    let echo = echo(1, 3);
    let good = echo.file();
    let source = SeededEntropy::new(7);
    for _ in 0..2_000 {
        let random = u64::from_be_bytes(entropy::bytes(&source));
        let place = usize::try_from(random % good.len() as u64).unwrap();
        let mut bad = good.clone();
        bad[place] ^= 1 << (random >> 61);
        assert!(Index::open(&bad, &echo.registry).is_err(), "byte {place} was changed unseen");
    }
    assert!(Index::open(&[good.as_slice(), b"\n"].concat(), &echo.registry).is_err());
    assert!(Index::open(&good[..good.len() - 1], &echo.registry).is_err());
}

#[test]
fn an_index_that_contradicts_itself_is_neither_written_nor_read() {
    let echo = echo(1, 3);
    let changed = |change: &dyn Fn(&mut Index)| {
        let mut index = echo.index();
        change(&mut index);
        assert!(index.to_file(&echo.attestor()).is_err(), "{index:?}");
        let payload = serde_json::to_vec(&index).unwrap();
        let file = spell(&Envelope::sign_bytes(INDEX_TYPE, &payload, &[&echo.attestor()])).unwrap();
        assert!(Index::open(&file, &echo.registry).is_err(), "{index:?}");
    };
    changed(&|i| i.own.count = 2);
    changed(&|i| i.own.entries.reverse());
    changed(&|i| i.own.entries[0].index = 6);
    changed(&|i| i.own.entries[0].id = "a\nb".to_owned());
    changed(&|i| i.own.entries[0].subjects = vec![Subject::new("x".repeat(MAX_TEXT + 1), Digest::of(b""))]);
    changed(&|i| i.own.checkpoint = i.own.checkpoint.replace('6', "7"));
    changed(&|i| i.merged = vec![i.own.clone()]);
}

#[test]
fn an_index_over_another_ledger_than_the_registry_s_is_refused() {
    let (echo, other) = (echo(1, 1), echo(2, 1));
    let swapped = Index { own: Origin { root: echo.root(), ..other.origin() }, ..echo.index() };
    let file = swapped.to_file(&echo.attestor()).unwrap();
    let refused = Index::open(&file, &echo.registry).unwrap_err().to_string();
    assert!(refused.contains("trust registry names"), "{refused}");
}

#[test]
fn a_part_takes_the_place_of_the_older_one_and_the_same_changes_nothing() {
    let mut index = echo(1, 1).index();
    assert!(index.put(echo(2, 1).origin()).unwrap());
    assert!(index.put(echo(3, 2).origin()).unwrap());
    assert!(!index.put(echo(2, 1).origin()).unwrap());
    assert!(index.put(echo(2, 4).origin()).unwrap());
    let counts: Vec<u64> = index.merged.iter().map(|o| o.count).collect();
    assert_eq!(counts.iter().sum::<u64>(), 6);
    let before = index.clone();
    assert!(index.put(echo(1, 1).origin()).is_err(), "one's own part comes from nobody else");
    assert_eq!(index, before);
}

#[test]
fn a_full_index_still_fits_its_file() {
    let full = |seed: u8, most: u64| {
        let mut origin = echo(seed, 1).origin();
        let mut one = origin.entries[0].clone();
        one.id = format!("proof_{}", "0".repeat(32));
        one.predicate_type = trust::fulfilment::FULFILMENT_PREDICATE.to_owned();
        one.subjects =
            vec![Subject::new(format!("report/scan_{}", "0".repeat(32)), one.leaf); MAX_LISTED_SUBJECTS];
        origin.entries = (0..most).rev().map(|index| Attested { index, ..one.clone() }).collect();
        (origin.count, origin.checkpoint) = (most, echo(seed, 1).long_head(most));
        origin
    };
    let (one, most) = (echo(1, 1), MAX_LISTED as u64);
    let mut index = Index { own: full(1, most), ..one.index() };
    index.put(full(2, most)).unwrap();
    index.put(full(3, most)).unwrap();
    assert_eq!(index.merged.iter().map(|o| o.entries.len()).sum::<usize>(), MAX_OTHERS_LISTED);
    let file = index.to_file(&one.attestor()).unwrap();
    assert_eq!(Index::open(&file, &one.registry).unwrap(), index);
    // However large somebody makes the entries, there is room for one's own.
    let mut fat = full(4, most);
    fat.entries.iter_mut().for_each(|e| e.signers = vec![KeyPair::from_secret(&[9; 32]).id(); 16]);
    index.put(fat).unwrap();
    assert!(index.merged.iter().all(|o| o.entries.len() > 100));
    index.to_file(&one.attestor()).unwrap();
}

#[test]
fn one_attestor_signs_the_index_where_two_must_sign_an_attestation() {
    let echo = echo(1, 2);
    let mut registry = echo.registry.clone();
    let held = registry.role_mut(KeyRole::Attestor).unwrap();
    held.keys.push(KeyPair::from_secret(&[99; 32]).public());
    held.threshold = 2;
    assert_eq!(Index::open(&echo.file(), &registry).unwrap(), echo.index());
}

#[test]
fn one_s_own_index_holds_by_a_retired_key_a_foreign_one_not_and_by_a_revoked_key_neither() {
    let echo = echo(1, 2);
    let (file, old) = (echo.file(), echo.attestor());
    let mut registry = echo.registry.clone();
    registry.role_mut(KeyRole::Attestor).unwrap().keys = vec![KeyPair::from_secret(&[99; 32]).public()];
    assert!(Index::open_own(&file, &registry).is_err(), "a stranger's key");
    let retired = |role| Retirement {
        role,
        key: old.public(),
        threshold: 1,
        until: echo.index().made,
        reason: "yearly".to_owned(),
    };
    registry.retired = vec![retired(KeyRole::Receipts)];
    assert!(Index::open_own(&file, &registry).is_err(), "retired from another role");
    registry.retired = vec![retired(KeyRole::Attestor)];
    assert_eq!(Index::open_own(&file, &registry).unwrap(), (echo.index(), vec![old.id()]));
    assert!(Index::open(&file, &registry).is_err());
    let revoked = Revocation { key: old.id(), at: echo.index().made, reason: "stolen".to_owned() };
    registry.revoked.push(revoked);
    let refused = Index::open_own(&file, &registry).unwrap_err().to_string();
    assert!(refused.contains("stolen"), "{refused}");
}

#[test]
fn no_damaged_file_is_written_over() {
    let mut kept = Vec::new();
    while let Some(name) = damaged_name(|name| kept.iter().any(|k| k == name)) {
        kept.push(name);
    }
    assert_eq!(kept.len(), MAX_DAMAGED as usize);
    assert_eq!(kept[0], "federated_attestation_index.json.damaged");
    assert_eq!(kept[8], "federated_attestation_index.json.damaged.9");
}

#[test]
fn the_table_shows_the_newest_first_and_no_markup_of_others() {
    let mut index = echo(1, 2).index();
    let mut other = echo(2, 1).origin();
    other.entries[0].id = "<script>|x".to_owned();
    index.put(other).unwrap();
    let table = index.table();
    assert!(!table.contains("<script>") && table.contains("?script??x"), "{table}");
    assert!(table.find("proof_1").unwrap() < table.find("proof_0").unwrap());
    assert!(table.contains("this one") && table.contains("other 1") && table.contains("attestation check"));
}

#[test]
fn an_attestation_without_its_own_entry_is_not_listed() {
    let echo = echo(1, 2);
    let envelope = Statement::new("urn:test", Vec::new(), 1).sign(&[&echo.attestor()]).unwrap();
    for entry in [&echo.entries[0], &echo.entries[1], &b"{}".to_vec()] {
        assert!(matches!(Attested::new(&envelope, entry, 0), Err(IndexError::Attestation { .. })));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Index::open(&bytes, &Echo::new(1).registry).is_err());
    }

    #[test]
    fn no_signed_payload_makes_it_panic(text in "\\PC{0,200}") {
        let echo = Echo::new(1);
        let file = spell(&Envelope::sign_bytes(INDEX_TYPE, text.as_bytes(), &[&echo.attestor()])).unwrap();
        prop_assert!(Index::open(&file, &echo.registry).is_err());
    }
}
