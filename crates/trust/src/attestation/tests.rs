use echo_core::Digest;

use super::*;
use crate::{
    key::KeyPair,
    registry::{Retirement, Revocation, RoleKeys},
    statement::{Statement, Subject},
    test_house::{House, at, stranger},
};

/// A house whose attestations need two of three keys.
fn two_of_three() -> (Registry, [KeyPair; 3]) {
    let keys = [61, 62, 63].map(|seed| KeyPair::from_secret(&[seed; 32]));
    let mut registry = House::new().registry;
    let role = RoleKeys { keys: keys.iter().map(KeyPair::public).collect(), threshold: 2 };
    registry.roles.insert(KeyRole::Attestor, role);
    registry.check().unwrap();
    (registry, keys)
}

fn attestation(keys: &[&KeyPair]) -> Envelope {
    let subject = vec![Subject::new("report/1", Digest::of(b"report"))];
    Statement::new("urn:test", subject, 1).sign(keys).unwrap()
}

/// The tally, which must agree with the registry's own word.
fn tally(envelope: &Envelope, registry: &Registry) -> Tally {
    let tally = Tally::of_attestation(envelope, registry, 0).unwrap();
    let verified = registry.verify_bytes(KeyRole::Attestor, STATEMENT_TYPE, envelope);
    assert_eq!(tally.holds(), verified.is_ok(), "{tally:?} {verified:?}");
    tally
}

#[test]
fn two_of_three_hold_and_one_says_what_is_missing() {
    let (registry, [a, b, c]) = two_of_three();
    let mut envelope = attestation(&[&a]);
    let one = tally(&envelope, &registry);
    assert_eq!((one.needed, one.counted, one.missing(), one.holds()), (2, 1, 1, false));
    assert_eq!(one.could, [b.id(), c.id()]);
    envelope.add_signature(&c).unwrap();
    let two = tally(&envelope, &registry);
    assert_eq!((two.counted, two.missing(), two.holds()), (2, 0, true));
    assert!(!Tally::of_attestation(&envelope, &registry, 3).unwrap().holds(), "more may be asked for");
    assert!(Tally::of_attestation(&envelope, &registry, 1).unwrap().needed == 2, "fewer may not");
}

#[test]
fn the_same_key_twice_counts_once() {
    let (registry, [a, ..]) = two_of_three();
    let twice = tally(&attestation(&[&a, &a]), &registry);
    assert_eq!((twice.signers.len(), twice.counted, twice.holds()), (1, 1, false));
}

#[test]
fn a_revoked_key_a_stranger_and_a_wrong_signature_do_not_count() {
    let (mut registry, [a, b, c]) = two_of_three();
    let nobody = stranger();
    let strange = tally(&attestation(&[&a, &nobody]), &registry);
    assert_eq!(strange.signers[1].standing, Standing::Stranger);
    let mut wrong = attestation(&[&a, &b, &c]);
    wrong.signatures[1].sig = wrong.signatures[0].sig.clone();
    let wrong = tally(&wrong, &registry);
    assert!(wrong.has_wrong() && wrong.missing() == 0 && !wrong.holds());
    registry.revoked.push(Revocation { key: b.id(), at: at("2027-03-01"), reason: "lost".to_owned() });
    let revoked = tally(&attestation(&[&a, &b]), &registry);
    assert!(matches!(revoked.signers[1].standing, Standing::Revoked { .. }));
    assert_eq!((revoked.counted, revoked.holds()), (1, false));
    assert_eq!(revoked.could, [c.id()], "a revoked key cannot help");
}

#[test]
fn a_retired_key_is_called_that_and_does_not_count_for_something_new() {
    let (mut registry, [a, b, c]) = two_of_three();
    let held = registry.role_mut(KeyRole::Attestor).unwrap();
    held.keys.retain(|key| *key != c.public());
    registry.retired.push(Retirement {
        role: KeyRole::Attestor,
        key: c.public(),
        threshold: 2,
        until: at("2027-03-01"),
        reason: "its time was over".to_owned(),
    });
    registry.check().unwrap();
    let retired = tally(&attestation(&[&a, &c]), &registry);
    assert_eq!(retired.signers[1].standing, Standing::Retired { until: at("2027-03-01") });
    assert_eq!((retired.counted, retired.could), (1, vec![b.id()]));
}

#[test]
fn a_wrong_signature_is_not_hidden_behind_a_good_one_of_the_same_key() {
    let (registry, [a, b, _]) = two_of_three();
    for order in [[0, 1], [1, 0]] {
        let mut envelope = attestation(&[&a, &b]);
        let mut bad = envelope.signatures[0].clone();
        bad.sig = envelope.signatures[1].sig.clone();
        envelope.signatures.insert(order[0], bad);
        assert!(tally(&envelope, &registry).has_wrong());
    }
}

#[test]
fn another_kind_of_document_is_refused() {
    let (registry, [a, ..]) = two_of_three();
    let other = Envelope::sign_bytes("text/plain", b"x", &[&a]);
    assert!(matches!(Tally::of_attestation(&other, &registry, 0), Err(DsseError::WrongType { .. })));
}
