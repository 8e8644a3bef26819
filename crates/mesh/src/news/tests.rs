use proptest::prelude::*;
use trust::{KeyPair, RoleKeys};

use super::*;
use crate::test_house::{House, at, handed_over, key};

const NOW: &str = "2027-06-01";

fn registry(versions: &[Envelope]) -> Message {
    M::Registry { versions: versions.to_vec() }
}

#[test]
fn a_node_follows_the_registry_from_version_to_version() {
    let mut house = House::new();
    let mut trust = house.trust();
    let second = house.next(|next| handed_over(next, KeyRole::DeviceIssuer, &key(90)));
    let third = house.next(|next| handed_over(next, KeyRole::Operator, &key(91)));
    let news = trust.merge(&registry(&[second.clone(), third.clone()]), at(NOW)).unwrap();
    assert_eq!(news, Some(News::Registry(vec![second.clone(), third])));
    assert_eq!((trust.version(), trust.chain()), (3, &house.chain));
    assert_eq!(trust.registry(at(NOW)).unwrap().keys(KeyRole::Operator), [key(91).public()]);
    assert_eq!(trust.merge(&registry(&[second]), at(NOW)), Ok(None), "what is known is no news");
}

#[test]
fn a_version_that_does_not_follow_changes_nothing() {
    let mut house = House::new();
    let mut trust = house.trust();
    house.next(|_| {});
    let third = house.next(|_| {});
    assert!(matches!(trust.merge(&registry(&[third]), at(NOW)), Err(NewsError::NotBelieved(_))));
    let mut forged = house.registry.clone();
    forged.version = 2;
    let forged = Envelope::sign(REGISTRY_TYPE, &forged, &[&key(90)]).unwrap();
    assert!(matches!(trust.merge(&registry(&[forged]), at(NOW)), Err(NewsError::NotBelieved(_))));
    assert_eq!(trust.version(), 1);
}

#[test]
fn two_histories_of_one_root_are_an_alarm() {
    let (mut house, mut other) = (House::new(), House::new());
    let mut trust = house.trust();
    let second = house.next(|_| {});
    trust.merge(&registry(&[second]), at(NOW)).unwrap();
    let forked = other.next(|next| handed_over(next, KeyRole::Operator, &key(91)));
    assert_eq!(
        trust.merge(&registry(&[forked]), at(NOW)),
        Err(NewsError::Forked { what: "trust registry", version: 2 })
    );
    assert_eq!(trust.chain(), &house.chain);
}

#[test]
fn a_node_that_was_off_for_months_comes_back_by_the_chain() {
    let mut house = House::new();
    let mut trust = house.trust();
    let late = at("2029-06-01");
    assert!(matches!(trust.registry(late), Err(TrustError::Expired { .. })));
    let list = M::Revocations { list: house.revocations(1, &[]) };
    assert!(matches!(trust.merge(&list, late), Err(NewsError::OutOfDate(_))));
    for year in ["2028-12-01", "2029-12-01"] {
        house.next(|next| next.expires = at(year));
    }
    let versions = Trust::new(house.chain.clone(), house.chain.fingerprint(), None, &[])
        .unwrap()
        .versions_after(trust.version(), 16, 1 << 20);
    assert!(trust.catch_up(&versions).unwrap().is_some());
    assert_eq!(trust.registry(late).unwrap().version, 3);
}

#[test]
fn a_foreign_root_is_no_root() {
    let house = House::new();
    assert!(matches!(
        Trust::new(house.chain, Digest::of(b"another"), None, &[]),
        Err(TrustError::WrongRoot { .. })
    ));
}

#[test]
fn a_list_of_revoked_nodes_never_goes_back() {
    let house = House::new();
    let mut trust = house.trust();
    let (a, b) = (house.node(31, Some(1)), house.node(32, Some(1)));
    let list = |version, nodes: &[&crate::test_house::Node]| M::Revocations {
        list: house.revocations(version, nodes),
    };
    assert!(trust.merge(&list(2, &[&a]), at(NOW)).unwrap().is_some());
    assert_eq!(trust.merge(&list(2, &[&a]), at(NOW)), Ok(None));
    assert_eq!(trust.merge(&list(1, &[]), at(NOW)), Ok(None));
    assert!(trust.revoked(&a.id()).is_some() && trust.revoked(&b.id()).is_none());
    assert_eq!(
        trust.merge(&list(2, &[&b]), at(NOW)),
        Err(NewsError::Forked { what: "list of revoked nodes", version: 2 })
    );
    assert!(trust.merge(&list(3, &[&b]), at(NOW)).unwrap().is_some());
    assert!(trust.revoked(&a.id()).is_none() && trust.revoked(&b.id()).is_some());
}

#[test]
fn the_list_of_a_key_that_was_stolen_is_dropped_so_that_it_blocks_no_later_one() {
    let mut house = House::new();
    let mut trust = house.trust();
    let a = house.node(31, Some(1));
    trust.merge(&M::Revocations { list: house.revocations(u64::MAX, &[&a]) }, at(NOW)).unwrap();
    let stolen = house.key(KeyRole::DeviceIssuer).id();
    let second = house.next(|next| {
        handed_over(next, KeyRole::DeviceIssuer, &key(90));
        next.revoked.push(trust::Revocation { key: stolen, at: at(NOW), reason: "stolen".to_owned() });
    });
    trust.merge(&registry(&[second]), at(NOW)).unwrap();
    assert_eq!((trust.revocations(), trust.hello(at(NOW)).revocations), (None, 0));
}

#[test]
fn notices_are_believed_from_the_operator_alone_and_known_once() {
    let house = House::new();
    let mut trust = house.trust();
    let notices = M::Notices { notices: vec![house.notice(1), house.notice(2)] };
    assert!(matches!(trust.merge(&notices, at(NOW)), Ok(Some(News::Notices(taken))) if taken.len() == 2));
    assert_eq!(trust.merge(&notices, at(NOW)), Ok(None));
    let mut forged = house.notice(3);
    forged.signatures = house.revocations(1, &[]).signatures;
    let forged = M::Notices { notices: vec![forged] };
    assert!(matches!(trust.merge(&forged, at(NOW)), Err(NewsError::NotBelieved(_))));
    assert_eq!(trust.notices().count(), 2);
}

#[test]
fn one_bad_notice_does_not_hold_up_the_good_ones() {
    let house = House::new();
    let mut trust = house.trust();
    let mut bad = house.notice(1);
    bad.signatures.clear();
    let notices = M::Notices { notices: vec![bad, house.notice(2)] };
    assert!(matches!(trust.merge(&notices, at(NOW)), Ok(Some(News::Notices(taken))) if taken.len() == 1));
}

#[test]
fn known_notices_are_bounded_and_the_order_of_arrival_does_not_matter() {
    let house = House::new();
    let (mut one, mut other) = (house.trust(), house.trust());
    let all: Vec<Envelope> = (0..80).map(|nth| house.notice(nth)).collect();
    for notice in &all {
        one.merge(&M::Notices { notices: vec![notice.clone()] }, at(NOW)).unwrap();
    }
    for notice in all.iter().rev() {
        other.merge(&M::Notices { notices: vec![notice.clone()] }, at(NOW)).unwrap();
    }
    assert_eq!(one.notices().count(), MAX_KNOWN_NOTICES);
    assert_eq!(one.hello(at(NOW)), other.hello(at(NOW)));
    let known: Vec<&Envelope> = one.notices().map(|(_, notice)| notice).collect();
    assert!(all[16..].iter().all(|young| known.contains(&young)), "the oldest went");
}

#[test]
fn a_notice_counts_no_more_when_the_key_that_signed_it_is_gone() {
    let mut house = House::new();
    let mut trust = house.trust();
    trust.merge(&M::Notices { notices: vec![house.notice(1)] }, at(NOW)).unwrap();
    let stolen = house.key(KeyRole::Operator).id();
    let second = house.next(|next| {
        handed_over(next, KeyRole::Operator, &key(91));
        next.revoked.push(trust::Revocation { key: stolen, at: at(NOW), reason: "stolen".to_owned() });
    });
    trust.merge(&registry(&[second]), at(NOW)).unwrap();
    assert_eq!(trust.notices().count(), 0);
}

#[test]
fn who_lacks_many_versions_gets_them_before_anything_else() {
    let mut house = House::new();
    let behind = house.trust();
    for _ in 0..=MAX_NEWS {
        house.next(|_| {});
    }
    let mut ahead = house.trust();
    ahead.merge(&M::Notices { notices: vec![house.notice(1)] }, at(NOW)).unwrap();
    let messages = ahead.for_neighbour(&behind.hello(at(NOW)));
    assert!(
        matches!(&messages[..], [M::Registry { versions }] if versions.len() == MAX_NEWS),
        "{messages:?}"
    );
    let hello = Hello { registry: 2, ..behind.hello(at(NOW)) };
    let messages = ahead.for_neighbour(&hello);
    assert!(matches!(&messages[..], [M::Registry { .. }, M::Notices { .. }]), "{messages:?}");
}

#[test]
fn what_was_kept_is_known_after_a_start() {
    let house = House::new();
    let a = house.node(31, Some(1));
    let (list, notices) = (house.revocations(4, &[&a]), [house.notice(1)]);
    let trust = Trust::new(house.chain.clone(), house.chain.fingerprint(), Some(list), &notices).unwrap();
    assert_eq!(trust.revocations().unwrap().version, 4);
    assert_eq!(trust.notices().count(), 1);
    let damaged = Trust::new(house.chain.clone(), house.chain.fingerprint(), Some(house.notice(1)), &[]);
    assert!(damaged.is_err(), "a damaged list must not pass for none");
}

#[test]
fn good_versions_before_a_bad_one_are_kept() {
    let mut house = House::new();
    let mut trust = house.trust();
    let second = house.next(|_| {});
    let bad = Envelope::sign(REGISTRY_TYPE, &house.registry, &[&key(90)]).unwrap();
    let news = trust.merge(&registry(&[second.clone(), bad]), at(NOW)).unwrap();
    assert_eq!((news, trust.version()), (Some(News::Registry(vec![second])), 2));
}

#[test]
fn what_a_retired_key_signed_is_no_news_and_no_fault() {
    let mut house = House::new();
    let a = house.node(31, Some(1));
    let (list, notice) = (house.revocations(1, &[&a]), house.notice(1));
    let retired = [KeyRole::DeviceIssuer, KeyRole::Operator].map(|role| trust::Retirement {
        role,
        key: house.key(role).public(),
        threshold: 1,
        until: at("2027-04-01"),
        reason: "rotation".to_owned(),
    });
    let second = house.next(|next| {
        handed_over(next, KeyRole::DeviceIssuer, &key(90));
        handed_over(next, KeyRole::Operator, &key(91));
        next.retired.extend(retired);
    });
    let mut behind = House::new().trust();
    behind.merge(&M::Revocations { list: list.clone() }, at(NOW)).unwrap();
    behind.merge(&registry(&[second]), at(NOW)).unwrap();
    assert!(behind.revoked(&a.id()).is_some(), "who had the list before goes on with it");
    let mut trust = house.trust();
    assert_eq!(trust.merge(&M::Revocations { list }, at(NOW)), Ok(None));
    assert_eq!(trust.merge(&M::Notices { notices: vec![notice] }, at(NOW)), Ok(None));
    assert_eq!((trust.revocations(), trust.notices().count()), (None, 0));
}

#[test]
fn the_largest_list_of_revoked_nodes_fits_one_message() {
    let house = House::new();
    let node = |nth: usize| trust::RevokedNode {
        did: trust::did::did_key(&KeyPair::from_secret(&[u8::try_from(nth).unwrap(); 32]).public()),
        since: at(NOW),
        reason: "\u{1}".repeat(trust::revocation::MAX_REASON),
    };
    let list = |count| {
        let nodes = (0..count).map(node).collect();
        NodeRevocations { version: 1, at: at(NOW), nodes }.sign(house.key(KeyRole::DeviceIssuer))
    };
    let largest = (50..255).map_while(|count| list(count).ok()).last().unwrap();
    assert!(
        largest.payload.len() / 4 * 3 > trust::revocation::MAX_REVOCATIONS_BYTES - 2_000,
        "it is nearly full"
    );
    let mut trust = house.trust();
    trust.merge(&M::Revocations { list: largest }, at(NOW)).unwrap();
    let messages = trust.for_neighbour(&house.trust().hello(at(NOW)));
    let (_, bytes) = crate::Wire::Message(messages[0].clone()).encode();
    assert!(bytes.len() <= messages[0].stream().max_message(), "{}", bytes.len());
}

/// Lets two nodes talk until neither has anything to say; how many messages that took.
fn talk(one: &mut Trust, other: &mut Trust) -> usize {
    let mut said = 0;
    for _ in 0..20 {
        let (to_other, to_one) =
            (one.for_neighbour(&other.hello(at(NOW))), other.for_neighbour(&one.hello(at(NOW))));
        if to_other.is_empty() && to_one.is_empty() {
            return said;
        }
        said += to_other.len() + to_one.len();
        for message in &to_other {
            let bytes = crate::Wire::Message(message.clone()).encode().1.len();
            assert!(bytes <= message.stream().max_message(), "{bytes}");
            other.merge(message, at(NOW)).unwrap();
        }
        for message in &to_one {
            one.merge(message, at(NOW)).unwrap();
        }
    }
    panic!("they never come to an end");
}

#[test]
fn two_neighbours_end_up_knowing_the_same() {
    let mut house = House::new();
    let mut other = house.trust();
    let a = house.node(31, Some(1));
    for day in 1..=40 {
        house.next(|next| next.expires = next.expires.checked_add(jiff_seconds(day)).unwrap());
    }
    let mut one = house.trust();
    one.merge(&M::Notices { notices: (0..10).map(|nth| house.notice(nth)).collect() }, at(NOW)).unwrap();
    other.merge(&M::Notices { notices: (5..15).map(|nth| house.notice(nth)).collect() }, at(NOW)).unwrap();
    other.merge(&M::Revocations { list: house.revocations(7, &[&a]) }, at(NOW)).unwrap();
    assert!(talk(&mut one, &mut other) > 0);
    assert_eq!(one.hello(at(NOW)), other.hello(at(NOW)));
    assert_eq!((one.version(), one.notices().count()), (41, 15));
    assert!(one.revoked(&a.id()).is_some());
}

fn jiff_seconds(day: u64) -> std::time::Duration {
    std::time::Duration::from_secs(day)
}

#[test]
fn what_was_verified_elsewhere_is_verified_again() {
    let mut house = House::new();
    let (mut one, mut other) = (house.trust(), house.trust());
    let second = house.next(|_| {});
    let news = one.merge(&registry(&[second]), at(NOW)).unwrap().unwrap();
    assert_eq!(other.apply(&news, at(NOW)), Ok(true));
    assert_eq!(other.apply(&news, at(NOW)), Ok(false));
    let forged = News::Notices(vec![Envelope::sign_bytes("x", b"{}", &[&key(1)])]);
    assert!(other.apply(&forged, at(NOW)).is_err());
}

#[test]
fn a_root_that_was_replaced_signs_nothing_more() {
    let mut house = House::new();
    let mut trust = house.trust();
    let old: KeyPair = house.key(KeyRole::Root).clone();
    let new = key(95);
    let mut next = house.registry.clone();
    next.version = 2;
    next.root = RoleKeys::single(new.public());
    house.chain.extend(&next, &[&old, &new]).unwrap();
    trust.merge(&registry(&house.chain.versions()[1..]), at(NOW)).unwrap();
    next.version = 3;
    let by_old = Envelope::sign(REGISTRY_TYPE, &next, &[&old]).unwrap();
    assert!(matches!(trust.merge(&registry(&[by_old]), at(NOW)), Err(NewsError::NotBelieved(_))));
    assert_eq!(trust.version(), 2);
}

proptest! {
    #[test]
    fn no_envelope_changes_trust_unless_it_is_rightly_signed(
        kind in prop::sample::select(vec![
            REGISTRY_TYPE, trust::revocation::REVOCATIONS_TYPE, governance::NOTICE_TYPE,
        ]),
        payload: Vec<u8>,
    ) {
        let house = House::new();
        let mut trust = house.trust();
        let before = trust.hello(at(NOW));
        let keys = [house.key(KeyRole::Root), house.key(KeyRole::Operator), house.key(KeyRole::DeviceIssuer)];
        let envelope = Envelope::sign_bytes(kind, &payload, &keys);
        for message in [
            registry(std::slice::from_ref(&envelope)),
            M::Revocations { list: envelope.clone() },
            M::Notices { notices: vec![envelope.clone()] },
        ] {
            prop_assert!(trust.merge(&message, at(NOW)).is_err());
        }
        prop_assert_eq!(trust.hello(at(NOW)), before);
    }
}
