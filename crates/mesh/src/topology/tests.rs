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
    places.turned_away(from_millis(10_000), "theirs", None);
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
    // An attempt takes 20 seconds; whoever did not answer waits while others are tried.
    assert!(found.len() <= RING + 3 * OWN_LINKS, "{} are tried", found.len());
}

#[test]
fn places_are_bounded_and_the_oldest_goes_first() {
    let mut places = places();
    for nth in 0..=MAX_PLACES {
        places.sighted(from_millis(i64::try_from(nth).unwrap()), sighting(None, &format!("p{nth}")));
    }
    assert_eq!(places.len(), MAX_PLACES);
    assert!(!places.by_name.contains_key(&("p0".to_owned(), None)));
}

fn of(node: Option<NodeId>, via: Via, place: &str) -> Sighting {
    Sighting { node, via, place: place.to_owned() }
}

fn hours(hours: i64) -> Timestamp {
    from_millis(hours * 3_600_000)
}

/// What is tried at `now` by a node without links, to which `realm` is known of everybody.
fn tried_at(places: &mut Places, now: Timestamp, realm: Option<u8>) -> Vec<Sighting> {
    let realm = |_: &NodeId| realm.map(|nth| Realm::Customer(customer(nth)));
    places.due(now, &Known { linked: &BTreeSet::new(), realm: &realm, operator: false })
}

#[test]
fn a_place_that_a_person_named_is_never_forgotten() {
    let mut places = places();
    places.sighted(hours(0), of(None, Via::Address, "named"));
    places.sighted(hours(0), of(None, Via::Multicast, "heard"));
    let tried: Vec<String> = tried_at(&mut places, hours(25), None).into_iter().map(|s| s.place).collect();
    assert_eq!(tried, ["named"]);
    for nth in 0..=MAX_PLACES {
        places.sighted(hours(26), sighting(None, &format!("p{nth}")));
    }
    assert_eq!(places.len(), MAX_PLACES);
    assert!(places.by_name.contains_key(&("named".to_owned(), None)), "others make room");
}

#[test]
fn a_place_is_remembered_while_there_is_a_link_and_for_a_day_after() {
    let mut places = places();
    places.sighted(hours(0), sighting(Some(node(1)), "a"));
    let (linked, realm) = (BTreeSet::from([node(1)]), |_: &NodeId| None);
    places.linked(hours(1), &node(1));
    places.due(hours(40), &Known { linked: &linked, realm: &realm, operator: false });
    places.lost(hours(40), &node(1));
    assert_eq!(tried_at(&mut places, hours(41), None).len(), 1);
}

#[test]
fn places_where_nobody_is_do_not_keep_from_trying_where_somebody_is() {
    let mut places = places();
    for nth in 0..100 {
        places.sighted(from_millis(0), of(Some(node(nth + 1)), Via::Gateway, &format!("p{nth}")));
        places.by_name.values_mut().for_each(|place| place.guessed = true);
    }
    let mut tried = BTreeSet::new();
    for second in 10..310 {
        let now = from_millis(second * 1_000);
        for sighting in tried_at(&mut places, now, Some(1)) {
            tried.insert(sighting.place.clone());
            places.missed(now, &sighting.place, sighting.node);
        }
        let realm = |_: &NodeId| Some(Realm::Customer(customer(1)));
        let known = Known { linked: &BTreeSet::new(), realm: &realm, operator: false };
        assert!(places.deadline(now, &known).is_some_and(|next| next <= after(now, LAST_PAUSE * 2)));
    }
    assert_eq!(tried.len(), 100);
}

#[test]
fn a_node_wakes_when_the_first_pause_is_over() {
    let mut places = places();
    for nth in 0..100 {
        places.sighted(from_millis(0), sighting(None, &format!("p{nth}")));
    }
    places.by_name.values_mut().for_each(|place| place.next = hours(2));
    places.by_name.values_mut().last().unwrap().next = hours(1);
    let realm = |_: &NodeId| None;
    let known = Known { linked: &BTreeSet::new(), realm: &realm, operator: false };
    assert_eq!(places.deadline(hours(0), &known), Some(hours(1)));
}

#[test]
fn a_place_heard_of_by_multicast_is_dropped_after_eight_failures_and_no_other_is() {
    let mut places = places();
    for (via, name) in [(Via::Multicast, "heard"), (Via::Address, "named")] {
        places.sighted(from_millis(0), of(None, via, name));
        for failure in 1..=MOST_FAILURES {
            assert!(places.known(name, None).is_some(), "{name} before failure {failure}");
            places.ended(from_millis(0), name, None);
        }
    }
    assert_eq!((places.known("heard", None), places.len()), (None, 1));
}

#[test]
fn behind_one_gateway_there_are_several_places() {
    let mut places = places();
    for nth in 1..=2 {
        places.sighted(from_millis(0), of(Some(node(nth)), Via::Gateway, "wss://gateway"));
    }
    let now = from_millis(9_000);
    let mut tried: Vec<_> = tried_at(&mut places, now, None).into_iter().filter_map(|s| s.node).collect();
    tried.sort();
    assert_eq!(tried, BTreeSet::from([node(1), node(2)]).into_iter().collect::<Vec<_>>());
    let trying = |places: &Places, nth| {
        places.by_name[&("wss://gateway".to_owned(), Some(node(nth)))].trying.is_some()
    };
    places.missed(now, "wss://gateway", Some(node(1)));
    assert!(!trying(&places, 1) && trying(&places, 2));
    places.ended(now, "wss://gateway", None);
    assert!(!trying(&places, 2), "the one that was under way");
}

#[test]
fn a_gateway_is_tried_before_it_is_known_whose_it_is_and_a_guess_is_not() {
    let mut places = places();
    places.sighted(from_millis(0), of(Some(node(300)), Via::Gateway, "wss://gateway"));
    for nth in 1..200 {
        places.member(from_millis(0), node(nth));
    }
    let realm = |_: &NodeId| None;
    let known = Known { linked: &BTreeSet::new(), realm: &realm, operator: false };
    let (wanted, _) = places.wanted(from_millis(9_000), &known);
    assert!(wanted.iter().any(|place| place.sighting.node == Some(node(300))));
    assert!(wanted.len() <= 1 + RING + OWN_LINKS, "{} are wanted", wanted.len());
}

#[test]
fn nobody_is_looked_for_behind_a_gateway_that_is_gone_and_at_once_when_it_is_back() {
    let mut places = places();
    let gateway = of(Some(node(1)), Via::Gateway, "wss://gateway");
    places.sighted(hours(0), gateway.clone());
    places.member(hours(0), node(2));
    places.member(hours(1), node(3));
    assert_eq!(places.len(), 2);
    for _ in 0..20 {
        places.missed(hours(1), "wss://gateway", Some(node(2)));
    }
    places.sighted(hours(1), gateway);
    let soon = after(hours(1), Duration::from_secs(2));
    assert_eq!(tried_at(&mut places, soon, None).len(), 2);
}

#[test]
fn who_is_another_than_was_meant_is_looked_for_anew() {
    let mut places = places();
    places.sighted(from_millis(0), of(Some(node(1)), Via::Address, "a"));
    places.look_again(from_millis(10_000), "a", Some(node(1)));
    assert!(tried_at(&mut places, from_millis(10_500), None).is_empty());
    assert_eq!(tried_at(&mut places, from_millis(11_000), None), [of(None, Via::Address, "a")]);
}
