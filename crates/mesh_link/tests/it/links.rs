//! Links between endpoints that reach one another.

use std::time::Duration;

use mesh::{Stream, doctor::Path};
use mesh_link::LinkEvent;

use crate::house::{House, PATIENCE, send};

#[tokio::test(flavor = "multi_thread")]
async fn ten_megabytes_on_every_stream_arrive_in_order() {
    const SIZE: usize = 64 * 1024;
    const COUNT: u32 = 160;
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    a.look_for(&b.place());
    let (link, other) = (a.link().await, b.link().await);
    let sender = tokio::spawn(async move {
        for number in 0..COUNT {
            for stream in Stream::ALL {
                // Its first byte is none that the shell knows as its own.
                let mut bytes = vec![9; SIZE];
                bytes[1..5].copy_from_slice(&number.to_be_bytes());
                send(&a.endpoint, link, stream, &bytes).await;
            }
        }
        a
    });
    let mut next = [0u32; 4];
    while next != [COUNT; 4] {
        let (stream, bytes) = b.message().await;
        assert_eq!(bytes.len(), SIZE);
        assert_eq!(bytes[1..5], next[stream as usize].to_be_bytes(), "{stream:?}");
        next[stream as usize] += 1;
    }
    let mut a = sender.await.unwrap();
    b.endpoint.disconnect(other, "enough");
    let why = a.wait("the end", |e| if let LinkEvent::Down { why, .. } = e { Some(why) } else { None }).await;
    assert!(why.contains("peer closed"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_offer_at_once_end_with_one_link() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    let (at_a, at_b) = (a.place(), b.place());
    a.look_for(&at_b);
    b.look_for(&at_a);
    let mut links = [None, None];
    let until = tokio::time::Instant::now() + Duration::from_secs(5);
    loop {
        let event = tokio::select! {
            event = a.events.recv() => (0, event),
            event = b.events.recv() => (1, event),
            () = tokio::time::sleep_until(until) => break,
        };
        match event {
            (at, Some(LinkEvent::Up { link, .. })) => {
                assert_eq!(links[at].replace(link), None, "one link a peer");
            }
            (at, Some(LinkEvent::Down { link, .. })) if links[at] == Some(link) => links[at] = None,
            _ => {}
        }
    }
    let [Some(of_a), Some(_)] = links else { panic!("{links:?}") };
    send(&a.endpoint, of_a, Stream::Rpc, b"hello").await;
    assert_eq!(b.message().await, (Stream::Rpc, b"hello".to_vec()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_anew_takes_the_place_of_its_old_self() {
    let house = House::new();
    let (node, mut b) = (house.node(31), house.up(&house.node(32)).await);
    let mut a = house.up(&node).await;
    a.look_for(&b.place());
    let old = b.link().await;
    a.link().await;
    // It crashes: nothing is said any more, and a new one comes up.
    a.endpoint.relay_only(true);
    let mut again = house.up(&node).await;
    again.look_for(&b.place());
    let down = b
        .wait("the old link's end", |e| if let LinkEvent::Down { link, .. } = e { Some(link) } else { None });
    assert_eq!(down.await, old);
    let new = b.link().await;
    again.link().await;
    send(&b.endpoint, new, Stream::Control, b"\x09hello").await;
    assert_eq!(again.message().await.1, b"\x09hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_tells_how_a_peer_is_reached_and_why_another_is_not() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    a.look_for(&b.place());
    a.link().await;
    b.link().await;
    a.look_for("127.0.0.1:1");
    let why =
        a.wait("a failure", |e| if let LinkEvent::Failed { why, .. } = e { Some(why) } else { None }).await;
    assert!(why.contains("127.0.0.1:1"), "{why}");
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let peers = a.endpoint.report().peers;
    let reached = peers.iter().find(|peer| peer.node == Some(house.node(32).id())).unwrap();
    assert_eq!((reached.path, reached.answered), (Path::Direct, true));
    assert!(reached.pairs.iter().any(|pair| pair.chosen) && reached.rtt_micros.is_some(), "{reached:?}");
    let other = peers.iter().find(|peer| peer.place == "127.0.0.1:1").unwrap();
    assert_eq!((other.path, other.last_error.as_ref()), (Path::None, Some(&why)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_find_one_another_by_multicast_and_echo_the_token() {
    let house = House::new();
    let mut ups = Vec::new();
    for seed in [31, 32] {
        let mut config = house.config(&house.node(seed));
        (config.multicast, config.bind) = (true, mesh_link::anywhere());
        config.http_listen = Some(mesh_link::anywhere());
        ups.push(crate::house::Up::start(config).await);
    }
    let token = ups[1].endpoint.token().unwrap();
    let sighting = ups[0].wait("a sighting", |event| match event {
        LinkEvent::Sighted(sighting) if sighting.place.ends_with(&token) => Some(sighting),
        _ => None,
    });
    let sighting = tokio::time::timeout(PATIENCE, sighting).await.unwrap();
    assert!(sighting.node.is_none());
    assert!(ups[0].endpoint.connect(sighting));
    ups[0].link().await;
    ups[1].link().await;
}
