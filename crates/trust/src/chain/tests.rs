use proptest::prelude::*;

use super::*;
use crate::{
    registry::{LogKey, RoleKeys},
    test_house::{House, at, stranger},
};

fn next(house: &House, version: u64) -> Registry {
    Registry { version, ..house.registry.clone() }
}

#[test]
fn a_chain_survives_the_disk_and_speaks_to_people() {
    let home = tempfile::tempdir().unwrap();
    let mut house = House::new();
    let log = LogKey {
        origin: "echo.example.org/genesis".to_owned(),
        vkey: "echo.example.org/genesis+00000000+AQ==".to_owned(),
    };
    house.registry.logs.insert("genesis".to_owned(), log);
    let chain = house.chain();
    chain.save(home.path()).unwrap();
    let loaded = TrustChain::load(home.path()).unwrap();
    assert_eq!(loaded, chain);
    let registry = loaded.verify(&chain.fingerprint(), at("2027-06-01")).unwrap();
    assert_eq!(registry, house.registry);
    let statement = std::fs::read_to_string(home.path().join(ROOT_STATEMENT_FILE)).unwrap();
    assert!(statement.contains(&chain.fingerprint().to_string()));
    assert!(statement.contains(&house.key(KeyRole::Receipts).public().to_string()));
}

#[test]
fn a_root_statement_that_was_changed_or_lost_is_written_anew() {
    let home = tempfile::tempdir().unwrap();
    let chain = House::new().chain();
    chain.save(home.path()).unwrap();
    let path = home.path().join(ROOT_STATEMENT_FILE);
    let good = std::fs::read(&path).unwrap();
    durable::write(&path, b"Fingerprint: another", Mode::Public).unwrap();
    chain.restate(home.path()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), good);
    std::fs::remove_file(&path).unwrap();
    chain.restate(home.path()).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), good);
}

#[test]
fn the_fingerprint_is_what_common_tools_compute() {
    let chain = House::new().chain();
    let payload = chain.versions()[0].payload_unchecked().unwrap();
    assert_eq!(chain.fingerprint(), Digest::of(&payload));
}

#[test]
fn another_root_and_an_expired_registry_are_refused() {
    let house = House::new();
    let chain = house.chain();
    let other = Digest::of(b"somebody else");
    assert!(matches!(chain.verify(&other, at("2027-06-01")), Err(TrustError::WrongRoot { .. })));
    assert!(matches!(
        chain.verify(&chain.fingerprint(), at("2028-01-01")),
        Err(TrustError::Expired { version: 1, .. })
    ));
}

#[test]
fn the_first_version_must_be_1_and_signed_by_its_own_root() {
    let house = House::new();
    assert!(matches!(
        TrustChain::create(&house.registry, &stranger()),
        Err(TrustError::RootSignature { whose: "its own", .. })
    ));
    assert!(matches!(
        TrustChain::create(&next(&house, 2), house.key(KeyRole::Root)),
        Err(TrustError::OutOfOrder { expected: 1, found: 2 })
    ));
}

#[test]
fn a_rotation_needs_the_old_and_the_new_root() {
    let house = House::new();
    let (old, new) = (house.key(KeyRole::Root), stranger());
    let mut rotated = next(&house, 2);
    rotated.root = RoleKeys::single(new.public());
    let mut chain = house.chain();
    let before = chain.clone();
    assert!(matches!(
        chain.extend(&rotated, &[&new]),
        Err(TrustError::RootSignature { whose: "the previous", version: 2, .. })
    ));
    assert!(matches!(
        chain.extend(&rotated, &[old]),
        Err(TrustError::RootSignature { whose: "its own", version: 2, .. })
    ));
    assert_eq!(chain, before, "a refused version leaves the chain as it was");
    chain.extend(&rotated, &[old, &new]).unwrap();
    assert_eq!(chain.fingerprint(), before.fingerprint());
    let newest = chain.verify(&before.fingerprint(), at("2027-06-01")).unwrap();
    assert_eq!(newest, rotated);
    let mut third = next(&house, 3);
    third.root = RoleKeys::single(new.public());
    assert!(chain.extend(&third, &[old]).is_err(), "the old root has no say any more");
    chain.extend(&third, &[&new]).unwrap();
}

#[test]
fn thresholds_of_both_roots_count_different_keys() {
    let mut house = House::new();
    let (first, second) = (house.key(KeyRole::Root).clone(), stranger());
    let chain = house.chain();
    house.registry.root = RoleKeys { keys: vec![first.public(), second.public()], threshold: 2 };
    let mut grown = chain.clone();
    assert!(grown.extend(&next(&house, 2), &[&first, &first]).is_err());
    grown.extend(&next(&house, 2), &[&first, &second]).unwrap();
    house.registry.root = RoleKeys::single(first.public());
    assert!(grown.extend(&next(&house, 3), &[&first]).is_err());
    grown.extend(&next(&house, 3), &[&first, &second]).unwrap();
}

#[test]
fn versions_follow_one_another() {
    let house = House::new();
    let root = house.key(KeyRole::Root);
    let mut chain = house.chain();
    for wrong in [0, 1, 3] {
        assert!(matches!(
            chain.extend(&next(&house, wrong), &[root]),
            Err(TrustError::OutOfOrder { expected: 2, .. })
        ));
    }
    for version in 2..5 {
        chain.extend(&next(&house, version), &[root]).unwrap();
    }
    let mut versions = chain.versions().to_vec();
    versions.remove(1);
    let gap = TrustChain::from_versions(versions).unwrap();
    assert!(matches!(
        gap.verify(&chain.fingerprint(), at("2027-06-01")),
        Err(TrustError::OutOfOrder { expected: 2, found: 3 })
    ));
}

#[test]
fn an_expired_chain_can_be_renewed() {
    let house = House::new();
    let mut chain = house.chain();
    let mut renewed = next(&house, 2);
    renewed.expires = at("2030-01-01");
    chain.extend(&renewed, &[house.key(KeyRole::Root)]).unwrap();
    assert!(chain.verify(&chain.fingerprint(), at("2029-01-01")).is_ok());
}

#[test]
fn files_that_are_no_chain_are_refused() {
    let home = tempfile::tempdir().unwrap();
    assert!(matches!(TrustChain::load(home.path()), Err(TrustError::Missing(_))));
    for bad in ["", "{}", "[]", r#"{"versions":[]}"#, r#"{"versions":[],"more":1}"#] {
        let read = TrustChain::from_json(bad.as_bytes());
        assert!(matches!(read, Err(TrustError::Malformed(_))), "{bad}");
    }
}

#[test]
fn the_same_chain_has_the_same_bytes() {
    let chain = House::new().chain();
    let again = TrustChain::from_json(&chain.to_json()).unwrap();
    assert_eq!(again.to_json(), chain.to_json());
}

/// Two versions, each with no signature to spare.
fn rotated_chain() -> TrustChain {
    let house = House::new();
    let new = stranger();
    let mut rotated = next(&house, 2);
    rotated.root = RoleKeys::single(new.public());
    let mut chain = house.chain();
    chain.extend(&rotated, &[house.key(KeyRole::Root), &new]).unwrap();
    chain
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at_byte: prop::sample::Index, with in 1_u8..=255) {
        let chain = rotated_chain();
        let mut bytes = chain.to_json();
        let index = at_byte.index(bytes.len());
        bytes[index] ^= with;
        let verified = TrustChain::from_json(&bytes)
            .and_then(|changed| changed.verify(&chain.fingerprint(), at("2027-06-01")));
        prop_assert!(verified.is_err());
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        prop_assert!(TrustChain::from_json(&bytes).is_err());
    }
}
