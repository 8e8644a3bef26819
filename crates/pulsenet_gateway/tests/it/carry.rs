//! What is carried, to whom, and how much.

use std::time::Duration;

use mesh::{
    NodeId,
    relay::{Frame, MAX_DATAGRAM, MAX_SIGNAL},
};
use pulsenet_gateway::Limits;

use crate::house::{Client, House, customer, key, quick};

fn node(seed: u8) -> [u8; 32] {
    NodeId::of(&key(seed).public()).bytes()
}

/// The next frame, which must be of a datagram or a signal: from whom, and what.
async fn carried(client: &mut Client) -> (bool, [u8; 32], Vec<u8>) {
    let bytes = client.next().await.unwrap();
    match Frame::decode(&bytes).unwrap() {
        Frame::Datagram { node, payload } => (false, node, payload.to_vec()),
        Frame::Signal { node, payload } => (true, node, payload.to_vec()),
        other => panic!("carried {other:?}"),
    }
}

#[tokio::test]
async fn datagrams_and_signals_arrive_with_the_senders_name_and_in_order() {
    let house = House::open(quick()).await;
    let (mut a, mut b) = (house.client(1, customer(1)).await, house.client(2, customer(1)).await);
    let big = vec![7; MAX_SIGNAL];
    a.send(&Frame::Signal { node: node(2), payload: &big }).await;
    for n in 0..100_u8 {
        a.send(&Frame::Datagram { node: node(2), payload: &[n; MAX_DATAGRAM] }).await;
    }
    assert_eq!(carried(&mut b).await, (true, node(1), big));
    for n in 0..100_u8 {
        assert_eq!(carried(&mut b).await, (false, node(1), vec![n; MAX_DATAGRAM]));
    }
    b.send(&Frame::Datagram { node: node(1), payload: b"back" }).await;
    assert_eq!(carried(&mut a).await, (false, node(2), b"back".to_vec()));
}

#[tokio::test]
async fn whoever_is_not_there_or_not_to_be_met_is_away() {
    let house = House::open(quick()).await;
    let (mut a, mut other) = (house.client(1, customer(1)).await, house.client(2, customer(2)).await);
    for to in [node(2), node(9)] {
        for frame in [Frame::Datagram { node: to, payload: b"x" }, Frame::Signal { node: to, payload: b"x" }]
        {
            a.send(&frame).await;
            let bytes = a.next().await.unwrap();
            assert_eq!(Frame::decode(&bytes), Ok(Frame::Away { node: to }));
        }
    }
    assert!(other.is_quiet().await, "another customer's node hears nothing of it");
}

#[tokio::test]
async fn a_ping_is_answered_and_a_quiet_client_is_asked_and_then_ended() {
    let limits = Limits { quiet: Duration::from_millis(200), idle: Duration::from_millis(500), ..quick() };
    let house = House::open(limits).await;
    let mut client = house.client(1, customer(1)).await;
    client.send(&Frame::Ping(*b"12345678")).await;
    let bytes = client.next().await.unwrap();
    assert_eq!(Frame::decode(&bytes), Ok(Frame::Pong(*b"12345678")));
    let bytes = client.next().await.unwrap();
    assert!(matches!(Frame::decode(&bytes), Ok(Frame::Ping(_))));
    assert_eq!(client.refused().await, "idle");
}

#[tokio::test]
async fn too_many_signals_end_the_sender_and_too_many_bytes_are_dropped() {
    let limits = Limits { signals_a_second: 5, bytes_a_second: 20_000, ..quick() };
    let house = House::open(limits).await;
    let (mut a, mut b) = (house.client(1, customer(1)).await, house.client(2, customer(1)).await);
    for _ in 0..100 {
        a.send(&Frame::Datagram { node: node(2), payload: &[0; MAX_DATAGRAM] }).await;
    }
    for _ in 0..11 {
        a.send(&Frame::Signal { node: node(2), payload: b"x" }).await;
    }
    assert_eq!(a.refused().await, "too_fast");
    let mut datagrams = 0;
    while !b.is_quiet().await {
        datagrams += 1;
    }
    assert!((20..50).contains(&datagrams), "{datagrams} of 100 were carried");
}

#[tokio::test]
async fn a_reader_that_stops_costs_nobody_else_anything() {
    let limits = Limits { patience: Duration::from_millis(500), ..quick() };
    let house = House::open(limits).await;
    let stuck = house.client(2, customer(1)).await;
    let (mut a, mut b) = (house.client(1, customer(1)).await, house.client(3, customer(1)).await);
    // More than the sockets' buffers and the queue hold.
    for _ in 0..8_000 {
        a.send(&Frame::Datagram { node: node(2), payload: &[0; MAX_DATAGRAM] }).await;
    }
    a.send(&Frame::Datagram { node: node(3), payload: b"on" }).await;
    assert_eq!(carried(&mut b).await, (false, node(1), b"on".to_vec()));
    drop(stuck);
}

#[tokio::test]
async fn frames_that_only_a_gateway_sends_end_the_connection() {
    let house = House::open(quick()).await;
    for frame in [Frame::Away { node: node(2) }, Frame::Login { node: node(1), login: b"x" }] {
        let mut client = house.client(1, customer(1)).await;
        client.send(&frame).await;
        assert_eq!(client.refused().await, "malformed");
    }
    let mut client = house.client(1, customer(1)).await;
    client.raw(vec![5; 20]).await;
    assert_eq!(client.refused().await, "malformed");
}
