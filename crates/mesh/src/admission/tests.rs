use trust::{Retirement, Revocation};

use super::*;
use crate::test_house::{House, Node, at, customer, handed_over, key, manifest};

fn refusal(house: &House, certificate: &Envelope, me: &Node) -> Refusal {
    admit(certificate, &house.trust(), &me.manifest, at("2027-06-01")).unwrap_err()
}

#[test]
fn nodes_of_one_customer_and_of_the_operator_are_let_in() {
    let house = House::new();
    let (mine, other, operator) = (house.node(31, Some(1)), house.node(32, Some(1)), house.node(33, None));
    for (who, me) in [(&other, &mine), (&operator, &mine), (&mine, &operator)] {
        let admitted = admit(&who.certificate, &house.trust(), &me.manifest, at("2027-06-01")).unwrap();
        assert_eq!((admitted.node, &admitted.manifest), (who.id(), &who.manifest));
    }
    let admitted = admit(&other.certificate, &house.trust(), &mine.manifest, at("2027-06-01")).unwrap();
    assert_eq!(admitted.realm, Realm::Customer(customer(1)));
}

#[test]
fn another_customer_s_node_is_not_met() {
    let house = House::new();
    let refused = refusal(&house, &house.node(32, Some(2)).certificate, &house.node(31, Some(1)));
    assert_eq!(refused, Refusal::OtherRealm);
}

#[test]
fn unsigned_unknown_and_changed_manifests_are_refused() {
    let house = House::new();
    let (me, other) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let mut unsigned = other.certificate.clone();
    unsigned.signatures.clear();
    assert_eq!(refusal(&house, &unsigned, &me), Refusal::Unsigned);
    let by_itself = other.manifest.certify(&other.key).unwrap();
    assert_eq!(refusal(&house, &by_itself, &me).code(), "unknown_issuer");
    let mut changed = other.certificate.clone();
    changed.payload = house.node(33, Some(1)).certificate.payload;
    assert_eq!(refusal(&house, &changed, &me).code(), "altered");
    let mut document = other.certificate.clone();
    document.payload_type = "text/plain".to_owned();
    assert_eq!(refusal(&house, &document, &me).code(), "malformed");
}

#[test]
fn a_manifest_counts_between_its_dates_and_a_wrong_clock_of_hours_does_no_harm() {
    let house = House::new();
    let (me, other) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let at_time = |now: &str| {
        admit(&other.certificate, &house.trust(), &me.manifest, now.parse().unwrap()).map(|a| a.node)
    };
    assert_eq!(at_time("2026-12-31T01:00:00Z"), Ok(other.id()));
    assert_eq!(at_time("2026-12-30T23:00:00Z"), Err(Refusal::NotYet(at("2027-01-01"))));
    let short = NodeManifest { expires: at("2027-02-01"), ..other.manifest.clone() };
    let short = house.certified(&short, &other.key);
    assert_eq!(refusal(&house, &short.certificate, &me), Refusal::Expired(at("2027-02-01")));
}

#[test]
fn a_node_with_an_expired_registry_judges_nobody() {
    let house = House::new();
    let (me, other) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let refused = admit(&other.certificate, &house.trust(), &me.manifest, at("2028-01-01")).unwrap_err();
    assert_eq!(refused.code(), "own_trust");
}

#[test]
fn a_revoked_node_is_refused_whoever_certified_it() {
    let house = House::new();
    let (me, other) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let mut trust = house.trust();
    let list = crate::Message::Revocations { list: house.revocations(1, &[&other]) };
    trust.merge(&list, at("2027-06-01")).unwrap();
    // The clock of who judges stands before the day of the revocation: it counts all the same.
    let refused = admit(&other.certificate, &trust, &me.manifest, at("2027-02-01")).unwrap_err();
    assert_eq!(refused, Refusal::Revoked { since: at("2027-03-01"), reason: "stolen".to_owned() });
}

#[test]
fn it_does_not_meet_itself() {
    let house = House::new();
    let me = house.node(31, Some(1));
    assert_eq!(refusal(&house, &me.certificate, &me), Refusal::Myself);
}

#[test]
fn too_large_a_manifest_is_refused_unread() {
    let house = House::new();
    let big = Envelope::sign_bytes("x", &vec![b'x'; MAX_CERTIFICATE_BYTES], &[&key(1)]);
    assert_eq!(refusal(&house, &big, &house.node(31, None)).code(), "oversize");
}

#[test]
fn the_largest_manifest_that_is_allowed_fits() {
    let house = House::new();
    let mut full = manifest(&key(32), Some(customer(1)));
    full.name = "n".repeat(200);
    full.capabilities = vec!["c".repeat(100); 64];
    full.agents = vec!["a".repeat(100); 32];
    full.skus = full.agents.clone();
    full.endpoints = vec!["e".repeat(200); 8];
    let node = house.certified(&full, &key(32));
    let me = house.node(31, Some(1));
    admit(&node.certificate, &house.trust(), &me.manifest, at("2027-06-01")).unwrap();
}

#[test]
fn a_key_of_the_issuer_that_was_retired_or_revoked_certifies_nobody() {
    let mut house = House::new();
    let (me, other) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let old = house.key(KeyRole::DeviceIssuer).clone();
    house.next(|next| {
        handed_over(next, KeyRole::DeviceIssuer, &key(90));
        next.retired.push(Retirement {
            role: KeyRole::DeviceIssuer,
            key: old.public(),
            threshold: 1,
            until: at("2027-04-01"),
            reason: "rotation".to_owned(),
        });
    });
    let refused = refusal(&house, &other.certificate, &me);
    assert_eq!(refused.code(), "unknown_issuer");
    assert!(refused.to_string().contains("retired on 2027-04-01"), "{refused}");
    house.next(|next| {
        next.revoked.push(Revocation { key: old.id(), at: at("2027-05-01"), reason: "stolen".to_owned() });
    });
    let refused = refusal(&house, &other.certificate, &me);
    assert!(refused.to_string().contains("revoked on 2027-05-01"), "{refused}");
}

#[test]
fn a_notice_takes_the_issuer_s_key_away_before_the_registry_says_so() {
    let house = House::new();
    let (me, other) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let mut trust = house.trust();
    let notices = vec![house.notice_of(1, KeyRole::DeviceIssuer)];
    trust.merge(&crate::Message::Notices { notices }, at("2027-06-01")).unwrap();
    let on = |day: &str| admit(&other.certificate, &trust, &me.manifest, at(day)).map(|a| a.node);
    assert_eq!(on("2027-06-30"), Ok(other.id()));
    assert_eq!(on("2027-07-01").unwrap_err().code(), "unknown_issuer");
}

#[test]
fn every_refusal_has_a_word_of_its_own_and_says_what_to_do() {
    let all = [
        Refusal::Unsigned,
        Refusal::UnknownIssuer("version 1".to_owned()),
        Refusal::Altered("the offer was changed".to_owned()),
        Refusal::Expired(at("2027-01-01")),
        Refusal::NotYet(at("2027-01-01")),
        Refusal::Revoked { since: at("2027-01-01"), reason: "stolen".to_owned() },
        Refusal::WrongKey,
        Refusal::NotForMe,
        Refusal::Replayed,
        Refusal::WrongToken,
        Refusal::OtherRealm,
        Refusal::Oversize { bytes: 2, most: 1 },
        Refusal::Malformed("nothing".to_owned()),
        Refusal::TooMany("offers".to_owned()),
        Refusal::NotPaid("no grant".to_owned()),
        Refusal::TooLate(at("2027-01-01")),
        Refusal::NotOffered("scan".to_owned()),
        Refusal::Myself,
        Refusal::OwnTrust("expired".to_owned()),
    ];
    let words: std::collections::BTreeSet<&str> = all.iter().map(Refusal::code).collect();
    assert_eq!(words.len(), all.len());
    for refusal in all {
        assert!(refusal.to_string().contains(':'), "{refusal}: what is to be done?");
    }
}
