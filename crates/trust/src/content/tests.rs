use proptest::prelude::*;

use super::*;
use crate::{
    registry::Revocation,
    test_house::{House, at, stranger},
};

const NAME: &str = "ssh-hardening.yaml";
const BYTES: &[u8] = b"id: ssh-hardening\n";
const ROLE: KeyRole = KeyRole::PlaybookAuthor;

fn sig(key: &KeyPair) -> Vec<u8> {
    serde_json::to_vec(&sign(NAME, BYTES, key)).unwrap()
}

fn refused(house: &House, name: &str, bytes: &[u8], sig: &[u8]) -> ContentError {
    verify(name, bytes, sig, &house.registry, ROLE).unwrap_err()
}

#[test]
fn signed_content_is_taken() {
    let house = House::new();
    verify(NAME, BYTES, &sig(house.key(ROLE)), &house.registry, ROLE).unwrap();
}

#[test]
fn unsigned_altered_and_strange_content_are_told_apart() {
    let house = House::new();
    let good = sig(house.key(ROLE));
    let errors = [
        refused(&house, NAME, BYTES, b""),
        refused(&house, NAME, b"id: something-else\n", &good),
        refused(&house, NAME, BYTES, &sig(&stranger())),
        refused(&house, NAME, BYTES, &sig(house.key(KeyRole::Attestor))),
        refused(&house, "other.yaml", BYTES, &good),
        refused(&house, NAME, BYTES, b"{"),
        refused(&house, NAME, BYTES, " ".repeat(65_537).as_bytes()),
    ];
    assert!(matches!(errors[0], ContentError::Unsigned(_)));
    assert!(matches!(errors[1], ContentError::Altered(_)));
    assert!(matches!(errors[2], ContentError::Stranger { .. }));
    assert!(matches!(errors[3], ContentError::Stranger { .. }));
    assert!(matches!(errors[4], ContentError::OtherFile { .. }));
    assert!(matches!(errors[5], ContentError::Damaged { .. }));
    assert!(matches!(errors[6], ContentError::Damaged { .. }));
    for error in errors {
        let text = error.to_string();
        assert!(text.contains(".yaml") && text.contains(": "), "{text}");
    }
}

#[test]
fn a_signature_file_without_signatures_is_no_signature() {
    let house = House::new();
    let mut envelope = sign(NAME, BYTES, house.key(ROLE));
    envelope.signatures.clear();
    let error = refused(&house, NAME, BYTES, &serde_json::to_vec(&envelope).unwrap());
    assert!(matches!(error, ContentError::Unsigned(_)));
}

#[test]
fn a_revoked_author_is_refused() {
    let mut house = House::new();
    let good = sig(house.key(ROLE));
    house.registry.revoked.push(Revocation {
        key: house.key(ROLE).id(),
        at: at("2027-02-01"),
        reason: "left the company".to_owned(),
    });
    let error = refused(&house, NAME, BYTES, &good);
    assert!(matches!(error, ContentError::Revoked { .. }));
    assert!(error.to_string().contains("left the company"));
}

#[test]
fn files_are_signed_and_read_beside_their_signature() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(NAME);
    let house = House::new();
    let read = || read_verified(&path, &house.registry, ROLE);
    assert!(matches!(read(), Err(ContentError::Missing(_))));
    durable::write(&path, BYTES, Mode::Public).unwrap();
    assert!(matches!(read(), Err(ContentError::Unsigned(_))));
    sign_file(&path, house.key(ROLE)).unwrap();
    assert!(folder.path().join("ssh-hardening.yaml.sig").exists());
    assert_eq!(read().unwrap(), BYTES);
    durable::write(&path, b"id: ssh-softening\n", Mode::Public).unwrap();
    assert!(matches!(read(), Err(ContentError::Altered(_))));
}

proptest! {
    #[test]
    fn any_changed_byte_is_refused(at_byte: prop::sample::Index, with in 1_u8..=255, in_sig: bool) {
        let house = House::new();
        let (mut bytes, mut sig) = (BYTES.to_vec(), sig(house.key(ROLE)));
        let target = if in_sig { &mut sig } else { &mut bytes };
        let index = at_byte.index(target.len());
        target[index] ^= with;
        prop_assert!(verify(NAME, &bytes, &sig, &house.registry, ROLE).is_err());
    }

    #[test]
    fn no_signature_file_makes_it_panic(sig: Vec<u8>) {
        prop_assert!(verify(NAME, BYTES, &sig, &House::new().registry, ROLE).is_err());
    }
}
