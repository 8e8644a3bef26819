use echo_core::{Currency, SeededEntropy, clock::from_millis};
use proptest::prelude::*;

use super::*;
use crate::Realm;

fn key(seed: u64) -> KeyPair {
    KeyPair::generate(&SeededEntropy::new(seed))
}

fn record(seed: u64, seq: u64) -> PresenceRecord {
    let at = from_millis(1_000_000);
    PresenceRecord {
        node: NodeId::of(&key(seed).public()),
        realm: Realm::Operator.tag(),
        seq,
        life: 1,
        at,
        until: at.checked_add(Duration::from_mins(1)).unwrap(),
        capabilities: vec![Offering {
            skill: "diagnostics.probe".to_owned(),
            sku: Some("probe".to_owned()),
            price: Some(Money::new(5, Currency::EUR)),
        }],
        neighbours: vec![NodeId::of(&key(99).public())],
        certificate: Envelope::sign_bytes("test", b"{}", &[&key(50)]),
    }
}

fn present(table: &mut Table, seed: u64, seq: u64, now: i64) -> Heard {
    let sealed = Memo::default().open(&record(seed, seq).sign(&key(seed)).unwrap()).unwrap();
    let manifest = crate::test_house::manifest(&key(seed), None);
    table.hear(from_millis(now), sealed, manifest.into(), Realm::Operator)
}

#[test]
fn a_record_counts_for_its_span_from_when_it_is_heard_whatever_the_clocks_say() {
    let mut table = Table::default();
    // The signer's clock and the receiver's are far apart.
    let now = 9_000_000_000;
    assert_eq!(present(&mut table, 1, 1, now), Heard::News { neighbours: true });
    assert!(table.sweep(from_millis(now + 59_000), |_| false).is_empty());
    assert_eq!(table.sweep(from_millis(now + 60_000), |_| false).len(), 1);
    assert_eq!(present(&mut table, 1, 1, now + 61_000), Heard::Known, "what has ended does not come back");
    assert_eq!(present(&mut table, 1, 2, now + 61_000), Heard::News { neighbours: true });
}

#[test]
fn the_newer_record_wins_and_the_older_changes_nothing() {
    let mut table = Table::default();
    assert_eq!(present(&mut table, 1, 5, 0), Heard::News { neighbours: true });
    assert_eq!(present(&mut table, 1, 4, 0), Heard::Known);
    assert_eq!(present(&mut table, 1, 6, 0), Heard::News { neighbours: false });
    assert_eq!(table.len(), 1);
}

#[test]
fn two_tables_find_their_difference_by_heads() {
    let (mut ours, mut theirs) = (Table::default(), Table::default());
    for seed in 1..6 {
        present(&mut ours, seed, 1, 0);
        present(&mut theirs, seed, 1, 0);
    }
    assert_eq!(ours.digest(), theirs.digest());
    present(&mut ours, 2, 2, 0);
    present(&mut theirs, 7, 1, 0);
    assert_ne!(ours.digest(), theirs.digest());
    let missing = ours.newer_than(None, None, &theirs.heads(None, None));
    assert_eq!(missing.iter().map(|s| s.record.seq).collect::<Vec<_>>(), [2]);
    assert!(ours.lacks(&theirs.heads(None, None)));
    assert!(!theirs.lacks(&[]));
    let first = ours.heads(None, None)[0].node;
    assert!(ours.newer_than(Some(first), Some(first), &[]).is_empty());
}

#[test]
fn what_the_manifest_does_not_name_is_not_offered() {
    let mut table = Table::default();
    let mut lying = record(1, 1);
    lying.capabilities.push(Offering { skill: "settle".to_owned(), sku: None, price: None });
    let sealed = Memo::default().open(&lying.sign(&key(1)).unwrap()).unwrap();
    let manifest = crate::test_house::manifest(&key(1), None);
    table.hear(from_millis(0), sealed, manifest.into(), Realm::Customer(crate::test_house::customer(1)));
    let present = table.get(&lying.node).unwrap();
    assert!(present.can("diagnostics.probe") && !present.can("settle"));
}

#[test]
fn a_record_signed_by_another_is_refused() {
    let envelope = Envelope::sign(PRESENCE_TYPE, &record(1, 1), &[&key(2)]).unwrap();
    assert!(matches!(Memo::default().open(&envelope), Err(PresenceError::Unsigned { .. })));
}

#[test]
fn a_mesh_of_many_renews_more_seldom() {
    assert_eq!(renewal(2), Duration::from_mins(5));
    assert_eq!(renewal(100), Duration::from_mins(100));
    assert_eq!(renewal(1_000_000), MAX_LIFETIME / 3);
}

proptest! {
    #[test]
    fn a_changed_byte_is_never_believed(at in any::<prop::sample::Index>(), change in 1_u8..) {
        let envelope = record(1, 1).sign(&key(1)).unwrap();
        let mut bytes = serde_json::to_vec(&envelope).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        if let Ok(changed) = serde_json::from_slice::<Envelope>(&bytes)
            && changed != envelope
        {
            prop_assert!(PresenceRecord::verify(&changed).is_err());
        }
    }

    #[test]
    fn any_payload_is_read_or_refused(payload in proptest::collection::vec(any::<u8>(), 0..300)) {
        let envelope = Envelope::sign_bytes(PRESENCE_TYPE, &payload, &[&key(1)]);
        prop_assert!(PresenceRecord::verify(&envelope).is_err());
    }
}
