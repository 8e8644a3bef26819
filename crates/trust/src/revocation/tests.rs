use proptest::prelude::*;

use super::*;
use crate::{
    did::did_key,
    registry::{Retirement, Revocation, RoleKeys},
    test_house::{House, at, stranger},
};

fn list(version: u64) -> NodeRevocations {
    let node =
        RevokedNode { did: did_key(&stranger().public()), since: at("2027-03-01"), reason: "stolen".into() };
    NodeRevocations { version, at: at("2027-03-02"), nodes: vec![node] }
}

#[test]
fn a_signed_list_names_who_is_out() {
    let house = House::new();
    let envelope = list(3).sign(house.key(KeyRole::DeviceIssuer)).unwrap();
    let read = NodeRevocations::verify(&envelope, &house.registry).unwrap();
    assert_eq!(read, list(3));
    assert_eq!(read.of(&did_key(&stranger().public())).unwrap().reason, "stolen");
    assert_eq!(read.of(&did_key(&house.key(KeyRole::Root).public())), None);
    assert!(read.replaces(2) && read.replaces(0));
    assert!(!read.replaces(3) && !read.replaces(4));
}

#[test]
fn only_the_device_issuer_signs_it() {
    let house = House::new();
    for key in [&stranger(), house.key(KeyRole::Operator), house.key(KeyRole::Root)] {
        let envelope = list(1).sign(key).unwrap();
        assert!(NodeRevocations::verify(&envelope, &house.registry).is_err());
        assert!(NodeRevocations::verify_kept(&envelope, &house.registry).is_err());
    }
}

#[test]
fn a_list_that_contradicts_itself_is_neither_signed_nor_believed() {
    let house = House::new();
    let edits: [fn(&mut NodeRevocations); 4] = [
        |l| l.version = 0,
        |l| l.nodes.push(l.nodes[0].clone()),
        |l| l.nodes[0].did.push('1'),
        |l| l.nodes[0].reason = "r".repeat(MAX_REASON + 1),
    ];
    let issuer = house.key(KeyRole::DeviceIssuer);
    for (nth, edit) in edits.iter().enumerate() {
        let mut bad = list(1);
        edit(&mut bad);
        assert!(bad.sign(issuer).is_err(), "edit {nth}");
        let signed = Envelope::sign(REVOCATIONS_TYPE, &bad, &[issuer]).unwrap();
        assert!(NodeRevocations::verify(&signed, &house.registry).is_err(), "edit {nth}");
    }
}

#[test]
fn a_list_has_room_for_hundreds_of_nodes_and_a_bound() {
    let house = House::new();
    let node = |nth: u16| {
        let mut secret = [1; 32];
        secret[..2].copy_from_slice(&nth.to_be_bytes());
        let did = did_key(&KeyPair::from_secret(&secret).public());
        RevokedNode { did, since: at("2027-03-01"), reason: "retired by its customer".into() }
    };
    let of = |count| NodeRevocations { nodes: (0..count).map(node).collect(), ..list(1) };
    let envelope = of(900).sign(house.key(KeyRole::DeviceIssuer)).unwrap();
    assert_eq!(NodeRevocations::verify(&envelope, &house.registry).unwrap().nodes.len(), 900);
    assert!(of(1_100).sign(house.key(KeyRole::DeviceIssuer)).is_err());
    let huge = Envelope::sign(REVOCATIONS_TYPE, &of(1_100), &[house.key(KeyRole::DeviceIssuer)]).unwrap();
    assert!(NodeRevocations::verify(&huge, &house.registry).is_err());
}

#[test]
fn a_kept_list_outlives_the_retirement_of_its_key_but_not_its_revocation() {
    let mut house = House::new();
    let old = house.key(KeyRole::DeviceIssuer).clone();
    let envelope = list(1).sign(&old).unwrap();
    house.registry.roles.insert(KeyRole::DeviceIssuer, RoleKeys::single(stranger().public()));
    house.registry.retired.push(Retirement {
        role: KeyRole::DeviceIssuer,
        key: old.public(),
        threshold: 1,
        until: at("2027-04-01"),
        reason: "rotation".to_owned(),
    });
    assert!(NodeRevocations::verify(&envelope, &house.registry).is_err());
    assert_eq!(NodeRevocations::verify_kept(&envelope, &house.registry).unwrap(), list(1));
    house.registry.revoked.push(Revocation {
        key: old.id(),
        at: at("2027-03-01"),
        reason: "stolen".to_owned(),
    });
    assert!(NodeRevocations::verify_kept(&envelope, &house.registry).is_err());
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at_byte: prop::sample::Index, with in 1_u8..=255) {
        let house = House::new();
        let envelope = list(1).sign(house.key(KeyRole::DeviceIssuer)).unwrap();
        let mut bytes = serde_json::to_vec(&envelope).unwrap();
        let index = at_byte.index(bytes.len());
        bytes[index] ^= with;
        if let Ok(changed) = serde_json::from_slice::<Envelope>(&bytes) {
            prop_assert!(NodeRevocations::verify(&changed, &house.registry).is_err());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let house = House::new();
        let envelope = Envelope::sign_bytes(REVOCATIONS_TYPE, &bytes, &[house.key(KeyRole::DeviceIssuer)]);
        prop_assert!(NodeRevocations::verify(&envelope, &house.registry).is_err());
    }
}
