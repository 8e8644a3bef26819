//! Who is let in, and who is put out.

use std::time::Duration;

use mesh::relay::{Frame, MAX_FRAME};
use pulsenet_gateway::Limits;

use crate::house::{House, at, customer, gateway_node, key, manifest, quick};

/// The code that a login gets.
async fn refusal(house: &House, signer: u8, manifest: &trust::Envelope, url: &str) -> String {
    let mut client = house.connect().await;
    client.login(&key(signer), manifest, url).await;
    client.refused().await
}

#[tokio::test]
async fn a_certified_node_is_welcome_and_listed_until_it_leaves() {
    let house = House::open(quick()).await;
    let client = house.client(1, customer(1)).await;
    let connected = house.gateway.connected();
    assert_eq!(connected.len(), 1);
    assert_eq!(connected[0].node, mesh::NodeId::of(&key(1).public()));
    client.leave().await;
    for _ in 0..100 {
        if house.gateway.connected().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("a node that left is still listed");
}

#[tokio::test]
async fn unsigned_expired_stolen_and_foreign_ones_are_refused_with_the_reason() {
    let house = House::open(quick()).await;
    let (good, url) = (house.certified(1, customer(1)), house.url());
    let mut unsigned = good.clone();
    unsigned.signatures.clear();
    assert_eq!(refusal(&house, 1, &unsigned, &url).await, "unsigned");
    let expired = house.certified_until(1, at("2027-05-01"));
    assert_eq!(refusal(&house, 1, &expired, &url).await, "expired");
    assert_eq!(refusal(&house, 2, &good, &url).await, "not_for_me", "a stolen manifest");
    assert_eq!(refusal(&house, 1, &good, "wss://evil.example/v1/mesh/relay").await, "not_my_name");
    house.revoke(&[1]);
    assert_eq!(refusal(&house, 1, &good, &url).await, "revoked");
    assert!(house.gateway.connected().is_empty());
}

#[tokio::test]
async fn a_proof_for_another_challenge_or_by_another_key_is_refused() {
    let house = House::open(quick()).await;
    let (node, manifest) = (mesh::NodeId::of(&key(1).public()), house.certified(1, customer(1)));
    let sign = |challenge: [u8; 32], signer: u8| {
        mesh::relay::Login::sign(&manifest, &key(signer), gateway_node(), &challenge, &house.url()).unwrap()
    };
    for (login, code) in
        [(sign([7; 32], 1), "not_for_me"), (sign([7; 32], 2), "wrong_key"), (b"{}".to_vec(), "malformed")]
    {
        let mut client = house.connect().await;
        client.send(&Frame::Login { node: node.bytes(), login: &login }).await;
        assert_eq!(client.refused().await, code);
    }
}

#[tokio::test]
async fn who_says_nothing_or_nonsense_does_not_stay() {
    let house = House::open(quick()).await;
    let mut silent = house.connect().await;
    assert_eq!(silent.refused().await, "too_slow");
    let mut early = house.connect().await;
    early.send(&Frame::Datagram { node: [1; 32], payload: b"x" }).await;
    assert_eq!(early.refused().await, "malformed");
    let mut wordy = house.connect().await;
    wordy.text("hello").await;
    assert_eq!(wordy.refused().await, "malformed");
    let mut large = house.connect().await;
    large.raw(vec![2; MAX_FRAME + 1]).await;
    assert_eq!(large.next().await, None, "a frame beyond the bound ends the connection");
}

#[tokio::test]
async fn a_second_login_takes_the_place_of_the_first() {
    let house = House::open(quick()).await;
    let mut first = house.client(1, customer(1)).await;
    let mut second = house.client(1, customer(1)).await;
    assert_eq!(first.refused().await, "replaced");
    assert_eq!(house.gateway.connected().len(), 1);
    assert!(second.is_quiet().await);
}

#[tokio::test]
async fn a_revoked_node_is_put_out_when_the_news_comes_and_an_expired_one_in_time() {
    let limits = Limits { idle: Duration::from_millis(300), quiet: Duration::from_millis(200), ..quick() };
    let house = House::open(limits).await;
    let (mut revoked, mut other) = (house.client(1, customer(1)).await, house.client(2, customer(1)).await);
    house.revoke(&[1]);
    assert_eq!(revoked.refused().await, "revoked");
    assert_eq!(house.gateway.connected().len(), 1);
    house.clock.advance_millis(300 * 24 * 3600 * 1000);
    // The registry has expired by then, too: whichever is noticed, nobody stays.
    let code = other.refused().await;
    assert!(["own_trust", "expired", "idle"].contains(&code.as_str()), "{code}");
}

#[tokio::test]
async fn places_are_bounded_for_strangers_and_realms() {
    let limits = Limits { strangers: 2, realm: 1, login: Duration::from_secs(5), ..quick() };
    let house = House::open(limits).await;
    let _own = house.client(1, customer(1)).await;
    let mut beyond = house.connect().await;
    beyond.login(&key(2), &house.certified(2, customer(1)), &house.url()).await;
    assert_eq!(beyond.refused().await, "too_many");
    let _other = house.client(3, customer(2)).await;
    let (_a, _b) = (house.connect().await, house.connect().await);
    assert!(tokio_tungstenite::connect_async(house.url()).await.is_err(), "a third stranger of one address");
}

#[tokio::test]
async fn the_gateways_own_node_comes_in_by_the_same_door() {
    let house = House::open(quick()).await;
    let mut own = house.client(99, None).await;
    let mut customers = house.client(1, customer(1)).await;
    let node = mesh::NodeId::of(&key(99).public()).bytes();
    customers.send(&Frame::Datagram { node, payload: b"hello" }).await;
    let bytes = own.next().await.unwrap();
    assert!(matches!(Frame::decode(&bytes), Ok(Frame::Datagram { payload: b"hello", .. })));
}

#[tokio::test]
async fn everybody_is_told_when_the_gateway_stops() {
    let house = House::open(quick()).await;
    let mut client = house.client(1, customer(1)).await;
    house.stop.send_replace(true);
    assert_eq!(client.refused().await, "stopping");
}

#[tokio::test]
async fn whoever_comes_is_judged_by_the_manifest_that_the_gateway_has_today() {
    let house = House::open(quick()).await;
    house.client(1, customer(1)).await.leave().await;
    // It was certified anew, for a customer: it serves nobody else's nodes from now on.
    house.renew.send_replace(manifest(99, Some(customer(2)), at("2028-01-01")));
    let mut client = house.connect().await;
    client.login(&key(1), &house.certified(1, customer(1)), &house.url()).await;
    assert_eq!(client.refused().await, "other_realm");
    house.client(2, customer(2)).await.leave().await;
}
