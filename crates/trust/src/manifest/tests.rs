use echo_core::{Mint, OsEntropy, SystemClock};
use proptest::prelude::*;

use super::*;
use crate::test_house::{House, at, stranger};

fn manifest() -> NodeManifest {
    let mint = Mint::new(std::sync::Arc::new(SystemClock), std::sync::Arc::new(OsEntropy));
    let key = stranger().public();
    NodeManifest {
        device: mint.id(),
        customer: Some(mint.id()),
        name: "front desk".to_owned(),
        public_key: key,
        did: did_key(&key),
        capabilities: vec!["scan".to_owned()],
        agents: vec!["scanner".to_owned()],
        skus: Vec::new(),
        endpoints: Vec::new(),
        issued: at("2027-01-01"),
        expires: at("2028-01-01"),
    }
}

#[test]
fn a_certified_manifest_verifies_until_it_expires() {
    let house = House::new();
    let manifest = manifest();
    let envelope = manifest.certify(house.key(KeyRole::DeviceIssuer)).unwrap();
    let verify = |now| NodeManifest::verify(&envelope, &house.registry, now);
    assert_eq!(verify(at("2027-12-31")).unwrap(), manifest);
    let error = verify(at("2028-01-01")).unwrap_err().to_string();
    assert!(error.contains("expired") && error.contains("enrol"), "{error}");
}

#[test]
fn a_device_cannot_certify_itself() {
    let house = House::new();
    let envelope = manifest().certify(&stranger()).unwrap();
    assert!(matches!(
        NodeManifest::verify(&envelope, &house.registry, at("2027-06-01")),
        Err(TrustError::Signature { .. })
    ));
}

#[test]
fn a_manifest_that_contradicts_itself_is_not_certified() {
    let house = House::new();
    let edits: [fn(&mut NodeManifest); 10] = [
        |m| m.did.push('1'),
        |m| m.public_key = House::new().key(KeyRole::Root).public(),
        |m| m.expires = m.issued,
        |m| m.name = "  ".to_owned(),
        |m| m.name = "n".repeat(MAX_NAME + 1),
        |m| m.capabilities = vec![String::new(); MAX_CAPABILITIES + 1],
        |m| m.agents = vec!["a".repeat(MAX_OFFER + 1)],
        |m| m.skus = vec![String::new(); MAX_OFFERS + 1],
        |m| m.endpoints = vec![String::new(); MAX_ENDPOINTS + 1],
        |m| m.capabilities = vec!["\0".repeat(MAX_CAPABILITY); MAX_CAPABILITIES],
    ];
    for (nth, edit) in edits.iter().enumerate() {
        let mut bad = manifest();
        edit(&mut bad);
        assert!(bad.certify(house.key(KeyRole::DeviceIssuer)).is_err(), "edit {nth}");
        let issuer = house.key(KeyRole::DeviceIssuer);
        let signed = Envelope::sign(NODE_MANIFEST_TYPE, &bad, &[issuer]).unwrap();
        let verified = NodeManifest::verify(&signed, &house.registry, at("2027-06-01"));
        assert!(matches!(verified, Err(TrustError::Document(_))), "edit {nth}");
    }
}

#[test]
fn what_a_manifest_does_not_name_is_not_written() {
    let bare = NodeManifest { customer: None, agents: Vec::new(), capabilities: Vec::new(), ..manifest() };
    let json = serde_json::to_value(&bare).unwrap();
    let fields: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["capabilities", "device", "did", "expires", "issued", "name", "public_key"]);
    assert_eq!(serde_json::from_value::<NodeManifest>(json).unwrap(), bare);
}

proptest! {
    #[test]
    fn any_changed_byte_of_the_envelope_is_refused(at_byte: prop::sample::Index, with in 1_u8..=255) {
        let house = House::new();
        let envelope = manifest().certify(house.key(KeyRole::DeviceIssuer)).unwrap();
        let mut bytes = serde_json::to_vec(&envelope).unwrap();
        let index = at_byte.index(bytes.len());
        bytes[index] ^= with;
        if let Ok(changed) = serde_json::from_slice::<Envelope>(&bytes) {
            let verified = NodeManifest::verify(&changed, &house.registry, at("2027-06-01"));
            prop_assert!(verified.is_err());
        }
    }
}
