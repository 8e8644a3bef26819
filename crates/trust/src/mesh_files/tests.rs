use echo_core::{Id as _, Mint};

use super::*;
use crate::{
    did::did_key,
    role::KeyRole,
    test_house::{House, at, stranger},
};

fn certified(house: &House) -> (NodeManifest, Envelope) {
    let key = stranger().public();
    let manifest = NodeManifest {
        device: "dev_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        customer: Some(Mint::system().id()),
        name: "front desk".to_owned(),
        public_key: key,
        did: did_key(&key),
        capabilities: Vec::new(),
        agents: Vec::new(),
        skus: Vec::new(),
        endpoints: Vec::new(),
        issued: at("2027-01-01"),
        expires: at("2028-01-01"),
    };
    let envelope = manifest.certify(house.key(KeyRole::DeviceIssuer)).unwrap();
    (manifest, envelope)
}

#[test]
fn the_nodes_read_back_and_verify() {
    let home = tempfile::tempdir().unwrap();
    assert_eq!(read_nodes(home.path()).unwrap(), []);
    let house = House::new();
    let (manifest, envelope) = certified(&house);
    write_nodes(home.path(), std::slice::from_ref(&envelope)).unwrap();
    let read = read_nodes(home.path()).unwrap();
    let verified = NodeManifest::verify(&read[0], &house.registry, at("2027-06-01")).unwrap();
    assert_eq!(verified, manifest);
}

#[test]
fn a_damaged_nodes_file_is_named() {
    let home = tempfile::tempdir().unwrap();
    durable::write(&home.path().join(NODES_FILE), b"[{}]", Mode::Public).unwrap();
    let error = read_nodes(home.path()).unwrap_err().to_string();
    assert!(error.contains(NODES_FILE), "{error}");
}

#[test]
fn the_devices_list_has_one_row_a_device() {
    let home = tempfile::tempdir().unwrap();
    let (manifest, envelope) = certified(&House::new());
    let row = WalletRow::of(&manifest, &envelope, "active");
    write_wallets(home.path(), &[row.clone(), row]).unwrap();
    let csv = std::fs::read_to_string(home.path().join(WALLETS_FILE)).unwrap();
    let lines: Vec<&str> = csv.split("\r\n").collect();
    assert_eq!(lines[0], "id,address,public_key,steward,state,enrolled,signature");
    let expected = format!(
        "{},{},{},{},active,2027-01-01T00:00:00Z,{}",
        manifest.device.as_str(),
        manifest.did,
        manifest.public_key,
        manifest.customer.as_ref().unwrap(),
        envelope.signatures[0].sig,
    );
    assert_eq!(lines[1..], [expected.as_str(), &expected, ""]);
}

#[test]
fn a_field_with_a_comma_or_a_quote_stays_one_field() {
    assert_eq!(field("plain"), "plain");
    assert_eq!(field("Smith, Jo"), "\"Smith, Jo\"");
    assert_eq!(field("the \"desk\"\n"), "\"the \"\"desk\"\"\n\"");
}
