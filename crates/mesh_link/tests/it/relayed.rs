//! Links through a gateway, and from there to the straight path and back.

use std::time::Duration;

use mesh::{Sighting, Stream, Via, doctor::GatewayState};
use mesh_link::LinkEvent;
use tokio::time::{Instant, sleep};

use crate::{
    house::{House, PATIENCE, Up, send},
    relay::Relay,
};

async fn behind(house: &House, relay: &Relay, seed: u8) -> Up {
    let node = house.node(seed);
    let mut config = house.config(&node);
    config.gateways = vec![relay.url.clone()];
    let up = Up::start(config).await;
    up.endpoint.relay_only(true);
    let until = Instant::now() + PATIENCE;
    while !relay.has(node.id()) {
        assert!(Instant::now() < until, "{:?}", up.endpoint.report());
        sleep(Duration::from_millis(20)).await;
    }
    // The client hears of it a moment later.
    sleep(Duration::from_millis(100)).await;
    up
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_on_the_relay_moves_to_the_straight_path_and_back_without_loss_or_doubles() {
    let (house, relay) = (House::new(), Relay::start().await);
    let (mut a, mut b) = (behind(&house, &relay, 31).await, behind(&house, &relay, 32).await);
    let began = Instant::now();
    a.look_behind(&relay.url, house.node(32).id());
    let (link, other) = (a.link().await, b.link().await);
    assert!(began.elapsed() < Duration::from_secs(1), "bytes flow at once: {:?}", began.elapsed());
    b.endpoint.relay_only(false);
    let reader = tokio::spawn(async move {
        let mut next = 0u32;
        loop {
            let (_, bytes) = b.message().await;
            if bytes == b"end" {
                return (b, next);
            }
            assert_eq!(bytes, next.to_be_bytes());
            next += 1;
        }
    });
    let mut sent = 0u32;
    for straight in [false, true, false, true] {
        a.endpoint.relay_only(!straight);
        // From a dead path in seconds; to a straight one when it is found that there is one.
        let until = Instant::now() + if straight { PATIENCE } else { Duration::from_secs(6) };
        loop {
            assert!(Instant::now() < until, "{:#?}", a.endpoint.report());
            send(&a.endpoint, link, Stream::Rpc, &sent.to_be_bytes()).await;
            sent += 1;
            sleep(Duration::from_millis(2)).await;
            let mut there = false;
            while let Ok(event) = a.events.try_recv() {
                match event {
                    LinkEvent::Measured { relayed, .. } => there |= relayed != straight,
                    LinkEvent::Down { why, .. } => panic!("the link went down: {why}"),
                    _ => {}
                }
            }
            if there {
                break;
            }
        }
    }
    send(&a.endpoint, link, Stream::Rpc, b"end").await;
    let (b, received) = reader.await.unwrap();
    assert_eq!(received, sent);
    drop((b, other));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_link_outlives_its_gateway_for_as_long_as_there_is_another_path() {
    let (house, relay) = (House::new(), Relay::start().await);
    let (mut a, mut b) = (behind(&house, &relay, 31).await, behind(&house, &relay, 32).await);
    a.look_behind(&relay.url, house.node(32).id());
    let link = a.link().await;
    b.link().await;
    a.endpoint.relay_only(false);
    b.endpoint.relay_only(false);
    a.measured(false).await;
    let url = relay.url.clone();
    drop(relay);
    send(&a.endpoint, link, Stream::Telemetry, b"still here").await;
    assert_eq!(b.message().await.1, b"still here");
    let gateways = a.endpoint.report().gateways;
    assert_eq!(gateways[0].url, url);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_knows_a_gateway_alone_is_told_of_its_node_and_links_with_it() {
    let house = House::new();
    let hub = house.node(40);
    let relay = Relay::start_as(hub.key.clone()).await;
    let mut gateway = behind(&house, &relay, 40).await;
    let mut device = behind(&house, &relay, 41).await;
    let sighting = device
        .wait(
            "a sighting",
            |event| if let LinkEvent::Sighted(sighting) = event { Some(sighting) } else { None },
        )
        .await;
    let place = relay.url.clone();
    assert_eq!(sighting, Sighting { node: Some(hub.id()), via: Via::Gateway, place });
    assert!(device.endpoint.connect(sighting));
    device.link().await;
    gateway.link().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_behind_one_gateway_are_two_places() {
    let (house, relay) = (House::new(), Relay::start().await);
    let mut a = behind(&house, &relay, 31).await;
    let (mut b, mut c) = (behind(&house, &relay, 32).await, behind(&house, &relay, 33).await);
    a.look_behind(&relay.url, house.node(32).id());
    a.look_behind(&relay.url, house.node(33).id());
    a.link().await;
    a.link().await;
    b.link().await;
    c.link().await;
    a.look_behind(&relay.url, house.node(34).id());
    let failed =
        |event| if let LinkEvent::Failed { node, why, .. } = event { Some((node, why)) } else { None };
    let began = Instant::now();
    let (node, why) = a.wait("the end of the attempt", failed).await;
    assert_eq!(node, Some(house.node(34).id()));
    assert!(why.contains("not connected to this gateway"), "{why}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    a.look_for(&relay.url);
    let (node, why) = a.wait("a refusal to try", failed).await;
    assert!(node.is_none() && why.contains("name it among the gateways"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_is_not_there_is_named_in_the_report() {
    let house = House::new();
    let mut config = house.config(&house.node(31));
    config.gateways = vec!["ws://127.0.0.1:1".to_owned()];
    let mut a = Up::start(config).await;
    a.look_behind("ws://127.0.0.1:1", house.node(32).id());
    let why =
        a.wait("a failure", |e| if let LinkEvent::Failed { why, .. } = e { Some(why) } else { None }).await;
    assert!(why.contains("gateway"), "{why}");
    sleep(Duration::from_millis(1_200)).await;
    let state = a.endpoint.report().gateways.remove(0).state;
    assert!(
        matches!(&state, GatewayState::Unreachable { why } if why.contains("no connection")),
        "{state:?}"
    );
}
