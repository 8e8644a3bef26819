use echo_core::{SeededEntropy, clock::from_millis};
use rand::SeedableRng as _;
use trust::KeyPair;

use super::*;
use crate::test_house::customer;

fn node(seed: u64) -> NodeId {
    NodeId::of(&KeyPair::generate(&SeededEntropy::new(seed)).public())
}

fn places() -> Places {
    Places::new(node(0), SmallRng::seed_from_u64(1))
}

fn sighting(node: Option<NodeId>, place: &str) -> Sighting {
    Sighting { node, via: Via::Multicast, place: place.to_owned() }
}

/// What is tried within a minute when everything fails, or nothing is heard.
fn tried(places: &mut Places, linked: &BTreeSet<NodeId>, fails: bool) -> Vec<Sighting> {
    let mut all = Vec::new();
    for second in 0..60 {
        let now = from_millis(10_000 + second * 1_000);
        let realm = |_: &NodeId| Some(Realm::Customer(customer(1)));
        for sighting in places.due(now, &Known { linked, realm: &realm, operator: false }) {
            if fails {
                places.ended(now, &sighting.place, None);
            }
            all.push(sighting);
        }
    }
    all
}

#[test]
fn a_place_that_fails_is_tried_more_and_more_seldom() {
    let mut places = places();
    places.sighted(from_millis(0), sighting(None, "a"));
    let count = tried(&mut places, &BTreeSet::new(), true).len();
    assert!((4..=9).contains(&count), "{count} attempts in a minute");
}

#[test]
fn a_place_is_tried_by_one_attempt_at_a_time_which_ends_by_itself() {
    let mut places = places();
    places.sighted(from_millis(0), sighting(None, "a"));
    let count = tried(&mut places, &BTreeSet::new(), false).len();
    assert!((2..=3).contains(&count), "{count} attempts of 20 seconds in a minute");
}

#[test]
fn two_places_of_one_node_are_not_tried_at_once() {
    let mut places = places();
    for place in ["a", "b"] {
        places.sighted(from_millis(0), sighting(Some(node(1)), place));
    }
    let realm = |_: &NodeId| None;
    let known = Known { linked: &BTreeSet::new(), realm: &realm, operator: false };
    assert_eq!(places.due(from_millis(9_000), &known).len(), 1);
}

#[test]
fn who_is_linked_is_not_tried_and_who_was_lost_is() {
    let mut places = places();
    places.sighted(from_millis(0), sighting(Some(node(1)), "a"));
    let linked = BTreeSet::from([node(1)]);
    assert!(tried(&mut places, &linked, false).is_empty());
    places.lost(from_millis(0), &node(1));
    assert!(!tried(&mut places, &BTreeSet::new(), false).is_empty());
}

#[test]
fn this_node_itself_and_who_was_turned_away_are_left_alone() {
    let mut places = places();
    places.sighted(from_millis(0), sighting(Some(node(0)), "me"));
    places.sighted(from_millis(0), sighting(None, "also me"));
    places.ended(from_millis(0), "also me", Some(node(0)));
    assert_eq!(places.len(), 0);
    places.sighted(from_millis(0), sighting(None, "theirs"));
    places.turned_away(from_millis(10_000), "theirs");
    assert!(tried(&mut places, &BTreeSet::new(), true).is_empty());
    places.hope(from_millis(10_000));
    assert!(!tried(&mut places, &BTreeSet::new(), true).is_empty());
}

#[test]
fn in_a_large_realm_the_next_on_the_ring_are_among_those_tried() {
    let mut places = places();
    let mut ids: Vec<NodeId> = (1..100).map(node).collect();
    for (nth, id) in ids.iter().enumerate() {
        places.sighted(from_millis(0), sighting(Some(*id), &format!("p{nth}")));
    }
    let found: BTreeSet<NodeId> =
        tried(&mut places, &BTreeSet::new(), false).into_iter().filter_map(|s| s.node).collect();
    ids.sort();
    let next = ids.iter().filter(|id| **id > node(0)).chain(ids.iter()).take(RING);
    for id in next {
        assert!(found.contains(id));
    }
    assert!(found.len() <= RING + OWN_LINKS, "{} are tried", found.len());
}

#[test]
fn places_are_bounded_and_the_oldest_goes_first() {
    let mut places = places();
    for nth in 0..=MAX_PLACES {
        places.sighted(from_millis(i64::try_from(nth).unwrap()), sighting(None, &format!("p{nth}")));
    }
    assert_eq!(places.len(), MAX_PLACES);
    assert!(!places.by_name.contains_key("p0"));
}
