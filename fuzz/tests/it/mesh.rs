//! The targets of the mesh are not blind: what is good gets through, so that what breaks a promise could.

use fuzz::{
    house::{House, house, now},
    mesh_papers,
    presence::{Kind, Played, play, step},
    relay, signal,
};
use mesh::{
    Seen, admit,
    relay::Login,
    signal::{check_answer, check_candidates, check_offer},
    verify_settlement,
};

use super::seed;

#[test]
fn what_the_peer_signed_is_taken() {
    let House { me, peer, trust, .. } = house();
    let [offer, answer, candidates] = &signal::genuine().signed;
    let mine = me.me();
    check_offer(&offer.to_json(), trust, &mine, now(), &mut Seen::default()).unwrap();
    check_answer(&answer.to_json(), trust, &mine, now(), &signal::expected()).unwrap();
    check_candidates(&candidates.to_json(), &me.id(), &peer.id(), signal::SESSION, 0).unwrap();
    let refused = admit(&house().stranger.certificate, trust, &me.manifest, now()).unwrap_err();
    assert_eq!(refused.code(), "other_realm");
}

#[test]
fn the_one_login_is_good() {
    let login = Login::read(&relay::login()).unwrap();
    login.verify(house().me.id(), house().platform.id(), &relay::CHALLENGE).unwrap();
}

#[test]
fn papers_that_hold_together_are_settled() {
    let (grant, call, answer) = mesh_papers::signed(mesh_papers::papers()).unwrap();
    let settlement = verify_settlement(&answer, &call, &grant, &house().registry, now()).unwrap();
    assert_eq!(settlement.receipt.unwrap().amount.minor, 250);
}

/// The customer's node and what it was told.
fn told(steps: &[u8]) -> Played {
    play(&house().me, [&house().peer, &house().platform], steps)
}

#[test]
fn a_node_learns_of_others_and_does_what_is_paid_for_once() {
    let heard = told(&seed("presence", "heard_by_a_customer"));
    assert_eq!((heard.reachable, heard.links), (2, 2), "{heard:?}");
    let called = told(&seed("presence", "body_call"));
    assert_eq!(called.executed, 1, "the same call came twice: {called:?}");
    let records = told(&seed("presence", "record"));
    assert_eq!((records.members, records.reachable), (2, 2), "its neighbour, and a third: {records:?}");
    let down = told(&seed("presence", "packet_down"));
    assert_eq!((down.members, down.reachable), (2, 1), "the third is said to be down: {down:?}");
    let revoked = told(&seed("presence", "revocations"));
    assert_eq!(revoked.members, 1, "the third was revoked: {revoked:?}");
    let noise = step(Kind::Control, 0, b"{}").repeat(40);
    assert_eq!(told(&noise).links, 1, "who says nothing but noise is disconnected");
}
