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

fn exceptions() -> Exceptions {
    let exception = Exception {
        kind: ExceptedKind::Playbook,
        name: NAME.to_owned(),
        sha256: Digest::of(BYTES),
        reason: "urgent".to_owned(),
        approved_by: "Marta".to_owned(),
        from: at("2027-02-01"),
        until: at("2027-03-01"),
    };
    Exceptions::with(None, exception, at("2027-02-01")).unwrap()
}

fn excepted(house: &House, bytes: &[u8], sig: &[u8], day: &str) -> Result<Admission, ContentError> {
    let offered = Offered { kind: Some(ExceptedKind::Playbook), name: NAME, bytes, signature: sig };
    admit(offered, &house.registry, Some(&exceptions()), at(day))
}

#[test]
fn an_exception_admits_its_bytes_while_it_is_in_force() {
    let house = House::new();
    let admitted = excepted(&house, BYTES, b"", "2027-02-02").unwrap();
    assert!(matches!(admitted, Admission::Excepted(e) if e.name == NAME));
    for day in ["2027-02-01", "2027-02-28"] {
        assert!(matches!(excepted(&house, BYTES, b"", day), Ok(Admission::Excepted(_))), "{day}");
    }
    assert!(matches!(excepted(&house, BYTES, &sig(&stranger()), "2027-02-02"), Ok(Admission::Excepted(_))));
    for (bytes, day, words) in [
        (BYTES, "2027-03-01", "it ended on 2027-03-01"),
        (BYTES, "2027-01-31", "it begins on 2027-02-01"),
        (&b"id: other\n"[..], "2027-02-02", "digest"),
    ] {
        let refused = excepted(&house, bytes, b"", day).unwrap_err().to_string();
        assert!(refused.contains("unsigned") && refused.contains(words), "{refused}");
    }
}

#[test]
fn a_signed_file_needs_no_exception_and_other_kinds_have_none() {
    let house = House::new();
    let good = sig(house.key(ROLE));
    assert_eq!(excepted(&house, BYTES, &good, "2027-12-01").unwrap(), Admission::Signed);
    let offered = Offered { kind: None, name: NAME, bytes: BYTES, signature: b"" };
    assert!(matches!(
        admit(offered, &house.registry, None, at("2027-02-02")),
        Err(ContentError::Unsigned(_))
    ));
}

#[test]
fn an_exception_is_for_one_file_of_one_kind() {
    let house = House::new();
    let admitted = |kind, name| {
        let offered = Offered { kind, name, bytes: BYTES, signature: b"" };
        admit(offered, &house.registry, Some(&exceptions()), at("2027-02-02"))
    };
    admitted(Some(ExceptedKind::Playbook), NAME).unwrap();
    for (kind, name) in [
        (Some(ExceptedKind::Playbook), "other.yaml"),
        (Some(ExceptedKind::Intake), NAME),
        (Some(ExceptedKind::Policy), NAME),
        (None, NAME),
    ] {
        assert!(matches!(admitted(kind, name), Err(ContentError::Unsigned(_))), "{kind:?} {name}");
    }
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
