//! Links between endpoints that reach one another.

use std::time::{Duration, Instant};

use mesh::{Stream, doctor::Path};
use mesh_link::LinkEvent;

use crate::house::{House, PATIENCE, Up, send};

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
async fn a_node_that_crashed_is_linked_again_at_once_though_it_has_the_address_and_port_of_before() {
    let house = House::new();
    let (node, mut b) = (house.node(31), house.up(&house.node(32)).await);
    let mut config = house.config(&node);
    // Free a moment ago, and most likely still.
    config.bind = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for round in 0..3_u8 {
        let mut a = Up::start(config.clone()).await;
        let began = Instant::now();
        a.look_for(&b.place());
        let (of_a, of_b) = (a.link().await, b.link().await);
        assert!(began.elapsed() < Duration::from_secs(3), "round {round}: {:?}", began.elapsed());
        send(&a.endpoint, of_a, Stream::Rpc, &[round]).await;
        let got = b.wait("a message", |event| match event {
            LinkEvent::Received { link, bytes, .. } => Some((link, bytes)),
            _ => None,
        });
        assert_eq!(got.await, (of_b, vec![round]));
        send(&b.endpoint, of_b, Stream::Rpc, &[round + 10]).await;
        assert_eq!(a.message().await.1, [round + 10]);
        // It crashes: nothing is said, and its sockets close.
        a.endpoint.relay_only(true);
        drop(a);
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_found_again_right_after_a_crash_is_linked_with_though_the_old_link_looks_well() {
    let house = House::new();
    let (node, mut b) = (house.node(31), house.up(&house.node(32)).await);
    let mut a = house.up(&node).await;
    b.look_for(&a.place());
    let old = b.link().await;
    a.link().await;
    a.endpoint.relay_only(true);
    drop(a);
    let mut a = house.up(&node).await;
    let began = Instant::now();
    b.look_for(&a.place());
    let down = b
        .wait("the old link's end", |e| if let LinkEvent::Down { link, .. } = e { Some(link) } else { None });
    assert_eq!(down.await, old);
    b.link().await;
    a.link().await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_at_a_node_that_is_connected_ends_at_once_and_says_so() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    let found = |event| match event {
        LinkEvent::Found { node, place } => Some((node, place)),
        LinkEvent::Up { .. } => panic!("a second link"),
        _ => None,
    };
    a.look_for(&b.place());
    a.link().await;
    b.link().await;
    let began = Instant::now();
    a.look_for(&b.place());
    let known = a.wait("the end of the attempt", found).await;
    assert_eq!(known, (house.node(32).id(), b.place()));
    // Under another name it is not known before it has answered.
    let elsewhere = format!("localhost:{}", b.endpoint.listens_at().unwrap().port());
    a.look_for(&elsewhere);
    let known = a.wait("the end of the other attempt", found).await;
    assert_eq!(known, (house.node(32).id(), elsewhere));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_straight_path_carries_is_measured_and_its_round_trip_is_told_at_once() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    a.look_for(&b.place());
    a.link().await;
    let began = Instant::now();
    b.link().await;
    a.measured(false).await;
    b.measured(false).await;
    assert!(began.elapsed() < Duration::from_millis(700), "{:?}", began.elapsed());
    let until = Instant::now() + Duration::from_secs(10);
    let mtu = |up: &Up| up.endpoint.report().peers.first().and_then(|peer| peer.path_mtu);
    while [mtu(&a), mtu(&b)] != [Some(1_500); 2] {
        assert!(Instant::now() < until, "{:#?}", a.endpoint.report());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
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
async fn a_link_whose_every_path_is_dead_is_told_as_none_in_seconds_and_comes_back_with_the_path() {
    let house = House::new();
    let (mut a, mut b) = (house.up(&house.node(31)).await, house.up(&house.node(32)).await);
    a.look_for(&b.place());
    let link = a.link().await;
    b.link().await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    let peer = || a.endpoint.report().peers.remove(0);
    assert_eq!(peer().path, Path::Direct);
    b.endpoint.relay_only(true);
    let until = Instant::now() + Duration::from_secs(8);
    while peer().path != Path::None {
        assert!(Instant::now() < until, "{:?}", peer());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(peer().last_error.unwrap().contains("nothing was heard") && !peer().answered);
    b.endpoint.relay_only(false);
    let until = Instant::now() + Duration::from_secs(5);
    while peer().path != Path::Direct {
        assert!(Instant::now() < until, "{:?}", peer());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    send(&a.endpoint, link, Stream::Rpc, b"the same link").await;
    assert_eq!(b.message().await.1, b"the same link");
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_find_one_another_by_multicast_and_echo_the_token() {
    let house = House::new();
    let mut ups = Vec::new();
    for seed in [31, 32] {
        let mut config = house.config(&house.node(seed));
        (config.multicast, config.bind) = (true, mesh_link::anywhere());
        config.http_listen = Some(mesh_link::anywhere());
        ups.push(Up::start(config).await);
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

#[tokio::test(flavor = "multi_thread")]
async fn who_starts_anew_is_found_by_multicast_and_linked_with_at_once() {
    let house = House::new();
    let start = |seed| {
        let mut config = house.config(&house.node(seed));
        (config.multicast, config.bind) = (true, mesh_link::anywhere());
        config.http_listen = Some(mesh_link::anywhere());
        Up::start(config)
    };
    let mut b = start(32).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut fastest = PATIENCE;
    for _ in 0..6 {
        let began = Instant::now();
        let mut a = start(31).await;
        let tokens = [a.endpoint.token().unwrap(), b.endpoint.token().unwrap()];
        let mut up = [false; 2];
        // Each connects to whom it sees, as a node does.
        while up != [true; 2] {
            let (event, at) = tokio::select! {
                event = a.events.recv() => (event.unwrap(), 0),
                event = b.events.recv() => (event.unwrap(), 1),
                () = tokio::time::sleep(Duration::from_secs(3)) => panic!("{:#?}", a.endpoint.report()),
            };
            match event {
                LinkEvent::Sighted(sighting) if sighting.place.ends_with(tokens[1 - at].as_str()) => {
                    [&a, &b][at].endpoint.connect(sighting);
                }
                LinkEvent::Up { .. } => up[at] = true,
                LinkEvent::Down { .. } => up[at] = false,
                _ => {}
            }
        }
        fastest = fastest.min(began.elapsed());
    }
    // Now and then multicast keeps silent for a second, so as not to say the same twice (RFC 6762, section 6).
    assert!(fastest < Duration::from_millis(300), "{fastest:?}");
}
