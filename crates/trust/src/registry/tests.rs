use super::*;
use crate::test_house::{House, at, stranger};

const KIND: &str = "application/vnd.echo.test+json";

fn why(registry: &Registry) -> String {
    match registry.check() {
        Err(TrustError::Unacceptable { why, .. }) => why,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_founding_registry_is_acceptable_and_lists_every_role() {
    let house = House::new();
    house.registry.check().unwrap();
    for role in KeyRole::ALL {
        assert_eq!(house.registry.keys(role), [house.key(role).public()], "{role}");
    }
}

#[test]
fn a_signature_counts_in_its_own_role_alone() {
    let house = House::new();
    for signer in KeyRole::ALL {
        let envelope = Envelope::sign_bytes(KIND, b"[1]", &[house.key(signer)]);
        for wanted in KeyRole::ALL {
            let verified = house.registry.verify::<Vec<u8>>(wanted, KIND, &envelope);
            assert_eq!(verified.is_ok(), signer == wanted, "{signer} as {wanted}");
        }
    }
}

#[test]
fn a_role_s_threshold_counts() {
    let mut house = House::new();
    let second = stranger();
    let role = RoleKeys { keys: vec![house.key(KeyRole::Attestor).public(), second.public()], threshold: 2 };
    house.registry.roles.insert(KeyRole::Attestor, role);
    house.registry.check().unwrap();
    let first = house.key(KeyRole::Attestor);
    let one = Envelope::sign_bytes(KIND, b"1", &[first, first]);
    let two = Envelope::sign_bytes(KIND, b"1", &[first, &second]);
    let verify = |e: &Envelope| house.registry.verify::<u8>(KeyRole::Attestor, KIND, e);
    assert!(matches!(verify(&one), Err(TrustError::Signature { .. })));
    assert_eq!(verify(&two).unwrap(), 1);
}

#[test]
fn a_revoked_key_counts_no_more_and_is_named() {
    let mut house = House::new();
    let key = house.key(KeyRole::Receipts).id();
    let envelope = Envelope::sign_bytes(KIND, b"1", &[house.key(KeyRole::Receipts)]);
    house.registry.revoked.push(Revocation {
        key: key.clone(),
        at: at("2027-02-01"),
        reason: "the laptop was stolen".to_owned(),
    });
    assert!(house.registry.keys(KeyRole::Receipts).is_empty());
    let error = house.registry.verify::<u8>(KeyRole::Receipts, KIND, &envelope).unwrap_err();
    assert!(matches!(&error, TrustError::Revoked { key: named, .. } if *named == key));
    assert!(error.to_string().contains("the laptop was stolen"));
}

#[test]
fn a_role_that_nobody_holds_refuses_all() {
    let mut house = House::new();
    house.registry.roles.clear();
    let envelope = Envelope::sign_bytes(KIND, b"1", &[house.key(KeyRole::Receipts)]);
    let verified = house.registry.verify::<u8>(KeyRole::Receipts, KIND, &envelope);
    assert!(matches!(verified, Err(TrustError::Signature { .. })));
}

#[test]
fn a_registry_that_breaks_its_rules_is_refused() {
    let good = House::new().registry;
    let broken = |edit: fn(&mut Registry)| {
        let mut registry = good.clone();
        edit(&mut registry);
        why(&registry)
    };
    assert!(broken(|r| r.version = 0).contains("count from 1"));
    assert!(broken(|r| r.expires = r.created).contains("expires before"));
    assert!(broken(|r| r.root.threshold = 0).contains("threshold of 0"));
    assert!(broken(|r| r.root.threshold = 2).contains("threshold of 2"));
    assert!(broken(|r| r.root.keys.push(r.root.keys[0])).contains("twice"));
    assert!(broken(|r| r.root.keys.clear()).contains("with 0 keys"));
    assert!(broken(|r| drop(r.roles.insert(KeyRole::Root, r.root.clone()))).contains("own place"));
    let sized = |bytes| LogKey { origin: "o".repeat(bytes), vkey: String::new() };
    let mut long = good.clone();
    long.logs.insert("genesis".to_owned(), sized(MAX_TEXT + 1));
    assert!(why(&long).contains("a log's key"));
    let mut unreachable = good.clone();
    unreachable.revoked.push(Revocation {
        key: good.root.keys[0].id(),
        at: at("2027-02-01"),
        reason: String::new(),
    });
    assert!(why(&unreachable).contains("no further version"));
}
