//! Where a node looks for others.

use super::*;
use crate::{Sighting, Via};

const URL: &str = "wss://gateway.example/v1/mesh/relay";

fn gateway(node: NodeId) -> Sighting {
    Sighting { node: Some(node), via: Via::Gateway, place: URL.to_owned() }
}

/// Whom a node tries within so many seconds, when nobody answers.
fn tries(node: &mut Node, mut now: Timestamp, seconds: u64) -> Vec<Sighting> {
    let until = after(now, Duration::from_secs(seconds));
    let mut tried = Vec::new();
    while now < until {
        now = after(now, Duration::from_millis(100));
        node.handle(now, Input::Tick);
        while let Some(output) = node.poll() {
            if let Output::Connect(sighting) = output {
                tried.push(sighting);
            }
        }
    }
    tried
}

#[test]
fn a_member_without_a_link_is_looked_for_behind_the_gateway() {
    let mut row = Row::of(&[Some(1), None, Some(1)]);
    row.pass(15);
    let (now, operator, far) = (row.now, row.nodes[1].id(), row.nodes[2].id());
    assert!(tries(&mut row.nodes[0], now, 40).is_empty(), "no gateway is up");
    let later = after(now, Duration::from_secs(40));
    row.nodes[0].handle(later, Input::Sighted(gateway(operator)));
    let tried = tries(&mut row.nodes[0], later, 40);
    assert!(!tried.is_empty() && tried.iter().all(|sighting| *sighting == gateway(far)), "{tried:?}");
    row.nodes[1].handle(now, Input::Sighted(gateway(row.house.node(50, None).id())));
    let tried = tries(&mut row.nodes[1], now, 40);
    assert!(tried.iter().all(|s| s.node != Some(far)), "customers come to the operator");
}

#[test]
fn a_member_that_is_heard_of_later_is_looked_for_behind_the_gateway_at_once() {
    let mut row = Row::of(&[Some(1), None]);
    row.pass(15);
    let late = start(&row.house, 45, Some(1));
    let far = late.id();
    row.nodes.push(late);
    let operator = row.nodes[1].id();
    row.tell(0, Input::Sighted(gateway(operator)));
    row.join(1, 2);
    row.tried.clear();
    row.pass(8);
    assert!(row.tried.contains(&(0, gateway(far))), "{:?}", row.tried);
}

#[test]
fn only_what_a_refusal_says_for_good_keeps_a_place_from_being_tried() {
    for (code, again) in [("wrong_token", true), ("not_for_me", true), ("replayed", true), ("revoked", false)]
    {
        let house = House::new();
        let mut node = start(&house, 40, Some(1));
        let (now, who) = (at("2027-05-10"), house.node(41, Some(1)).id());
        let place = Sighting { node: Some(who), via: Via::Multicast, place: "here:1#token".to_owned() };
        node.handle(now, Input::Sighted(place.clone()));
        assert_eq!(tries(&mut node, now, 10), std::slice::from_ref(&place));
        let now = after(now, Duration::from_secs(10));
        let (at, code, reason) = (place.place.clone(), code.to_owned(), String::new());
        node.handle(now, Input::Refused { who: Some(who), place: at.clone(), code, reason });
        node.handle(now, Input::Attempted { place: at, found: None });
        let tried = tries(&mut node, now, 20);
        assert_eq!(tried.iter().any(|sighting| sighting.node.is_none()), again, "{tried:?}");
        assert_eq!(tried.is_empty(), !again);
    }
}
