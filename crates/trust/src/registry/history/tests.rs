use super::*;
use crate::{
    registry::{Revocation, RoleKeys},
    test_house::{House, at, stranger},
};

const KIND: &str = "application/vnd.echo.test+json";

/// A change of a registry that may need the operator's key.
type Edit = fn(&mut Registry, PublicKey);

/// A house whose receipts key was retired on 1 June for two keys that sign together.
fn house() -> House {
    let mut house = House::new();
    let (old, second) = (house.key(KeyRole::Receipts).public(), stranger());
    let third = crate::key::KeyPair::from_secret(&[201; 32]);
    let keys = vec![second.public(), third.public()];
    house.registry.roles.insert(KeyRole::Receipts, RoleKeys { keys, threshold: 2 });
    house.registry.retired = vec![retired(KeyRole::Receipts, old)];
    house.registry.check().unwrap();
    house
}

fn retired(role: KeyRole, key: PublicKey) -> Retirement {
    Retirement { role, key, threshold: 1, until: at("2027-06-01"), reason: "yearly".to_owned() }
}

fn took(house: &House, envelope: &Envelope, day: &str) -> Result<Vec<u8>, TrustError> {
    house.registry.verify_at(KeyRole::Receipts, KIND, envelope, at(day))
}

#[test]
fn a_retired_key_counts_for_what_was_entered_by_its_day_and_for_nothing_new() {
    let mut house = house();
    let old = Envelope::sign_bytes(KIND, b"[1]", &[house.key(KeyRole::Receipts)]);
    assert_eq!(took(&house, &old, "2027-06-01").unwrap(), [1]);
    assert!(took(&house, &old, "2027-06-02").is_err());
    assert!(house.registry.verify::<Vec<u8>>(KeyRole::Receipts, KIND, &old).is_err());
    let key = house.key(KeyRole::Receipts).id();
    house.registry.revoked.push(Revocation { key, at: at("2027-07-01"), reason: "leaked".to_owned() });
    assert!(matches!(took(&house, &old, "2027-06-01"), Err(TrustError::Revoked { .. })));
}

#[test]
fn the_threshold_is_the_one_of_the_time() {
    let house = house();
    let (second, third) = (stranger(), crate::key::KeyPair::from_secret(&[201; 32]));
    let one = Envelope::sign_bytes(KIND, b"[1]", &[&second]);
    assert!(took(&house, &one, "2027-05-01").is_err(), "a key of today signs with another, at any time");
    let both = Envelope::sign_bytes(KIND, b"[1]", &[&second, &third]);
    took(&house, &both, "2027-05-01").unwrap();
    took(&house, &both, "2027-07-01").unwrap();
    let mixed = Envelope::sign_bytes(KIND, b"[1]", &[house.key(KeyRole::Receipts), &second]);
    took(&house, &mixed, "2027-05-01").unwrap();
    assert!(took(&house, &mixed, "2027-07-01").is_err());
}

#[test]
fn a_registry_whose_list_of_retired_keys_makes_no_sense_is_refused() {
    let house = house();
    let operator = house.key(KeyRole::Operator).public();
    let edits: [(Edit, &str); 5] = [
        (|r, key| r.retired.push(retired(KeyRole::Operator, key)), "retired and signs"),
        (|r, _| r.retired.push(r.retired[0].clone()), "twice"),
        (|r, _| r.retired[0].threshold = 0, "threshold of 0"),
        (|r, _| r.retired[0].reason = "x".repeat(MAX_TEXT + 1), "beyond"),
        (|r, _| r.retired = vec![r.retired[0].clone(); MAX_RETIRED + 1], "more than"),
    ];
    for (edit, words) in edits {
        let mut registry = house.registry.clone();
        edit(&mut registry, operator);
        let refused = registry.check().unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_registry_of_before_reads_and_has_retired_nobody() {
    let registry = House::new().registry;
    let json = serde_json::to_string(&registry).unwrap();
    assert!(!json.contains("\"retired\":"), "its bytes are those of before");
    assert_eq!(serde_json::from_str::<Registry>(&json).unwrap(), registry);
}
