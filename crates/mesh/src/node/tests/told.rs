//! What neighbours tell and bring.

use super::*;
use crate::{Body, Routed, presence::PRESENCE_TYPE};

/// What a node sends now.
fn sent(node: &mut Node) -> Vec<Message> {
    let outputs = std::iter::from_fn(|| node.poll());
    outputs
        .filter_map(|output| match output {
            Output::Send { stream, binary, bytes, .. } => Wire::decode(stream, binary, &bytes).ok(),
            _ => None,
        })
        .filter_map(|wire| if let Wire::Message(message) = wire { Some(message) } else { None })
        .collect()
}

/// Gives a node a message on its link with another.
fn give(row: &mut Row, (to, from): (usize, usize), message: Message) {
    let stream = message.stream();
    let (binary, bytes) = Wire::Message(message).encode();
    let now = row.now;
    row.nodes[to].handle(now, Input::Received { link: link(to, from), stream, binary, bytes });
}

/// Six hundred records of others for the room of `node`.
fn fill(node: &mut Node, now: Timestamp) {
    let tag = node.realm.tag();
    for nth in 0..600_u16 {
        let mut secret = [7; 32];
        secret[..2].copy_from_slice(&nth.to_be_bytes());
        let key = KeyPair::from_secret(&secret);
        let manifest = test_house::manifest(&key, Some(test_house::customer(1)));
        let record = PresenceRecord {
            node: NodeId::of(&key.public()),
            realm: tag,
            seq: 1,
            life: 1,
            at: now,
            until: after(now, Duration::from_hours(1)),
            capabilities: Vec::new(),
            neighbours: Vec::new(),
            certificate: node.me.certificate.clone(),
        };
        let sealed = node.config.memo.open(&record.sign(&key).unwrap()).unwrap();
        let (room, realm) = (node.rooms.get_mut(&tag).unwrap(), node.realm.clone());
        room.table.hear(now, sealed, manifest.into(), realm);
    }
}

#[test]
fn of_six_hundred_records_that_one_side_lacks_each_is_sent_once() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    row.pass(5);
    let now = row.now;
    fill(&mut row.nodes[0], now);
    // Something that the first one lacks, so that it is asked for as well.
    let house = House::new();
    let key = test_house::key(90);
    let certificate = house.node(90, Some(1)).certificate;
    let other = PresenceRecord {
        node: NodeId::of(&key.public()),
        certificate,
        ..row.nodes[1].rooms.values().next().unwrap().table.iter().next().unwrap().1.sealed.record.clone()
    };
    let records = vec![Envelope::sign(PRESENCE_TYPE, &other, &[&key]).unwrap()];
    give(&mut row, (1, 0), Message::Presence { records });
    sent(&mut row.nodes[1]);
    let digest = echo_core::Digest::of(b"other");
    let realm = row.nodes[0].realm.tag();
    give(&mut row, (0, 1), Message::Summary { realm, digest });
    let mut count = 0;
    let mut waiting: Vec<(usize, Message)> = sent(&mut row.nodes[0]).into_iter().map(|m| (1, m)).collect();
    while let Some((to, message)) = waiting.pop() {
        if let Message::Presence { records } = &message {
            count += if to == 1 { records.len() } else { 0 };
            continue;
        }
        give(&mut row, (to, 1 - to), message);
        waiting.extend(sent(&mut row.nodes[to]).into_iter().map(|m| (1 - to, m)));
    }
    assert_eq!(count, 600);
}

#[test]
fn a_neighbour_is_judged_by_its_newest_certificate() {
    let mut row = Row::of(&[Some(1), Some(1)]);
    row.pass(5);
    let key = test_house::key(41);
    let mut manifest = test_house::manifest(&key, Some(test_house::customer(1)));
    (manifest.issued, manifest.expires) = (at("2027-05-09"), at("2029-01-01"));
    let newer = row.house.certified(&manifest, &key).certificate;
    row.tell(1, Input::Certificate(Box::new(newer.clone())));
    row.pass(5);
    let neighbour = row.nodes[0].neighbours.of(&row.nodes[1].id()).unwrap();
    assert_eq!((&neighbour.certificate, neighbour.manifest.expires), (&newer, at("2029-01-01")));
}

#[test]
fn of_what_is_to_be_kept_one_of_each_kind_is_under_way_for_each_node() {
    let mut row = Row::of(&[Some(1), None]);
    row.pass(5);
    let (from, to, paper) = (row.nodes[0].id(), row.nodes[1].id(), row.nodes[0].me.certificate.clone());
    let bring = |row: &mut Row, body: Body| {
        let routed = Routed { from, to, path: Vec::new(), body };
        give(row, (1, 0), Message::Routed(Box::new(routed)));
        let outputs = std::iter::from_fn(|| row.nodes[1].poll());
        outputs.filter(|o| matches!(o, Output::Settle { .. } | Output::Acks { .. })).count()
    };
    let settle = |count| {
        let papers = vec![paper.clone(); count];
        Body::Settle { answers: papers.clone(), calls: papers.clone(), grants: papers }
    };
    let acks = || Body::Acks { acks: vec![paper.clone()] };
    assert_eq!(bring(&mut row, settle(0)), 0, "nothing is no settlement");
    assert_eq!((bring(&mut row, settle(1)), bring(&mut row, settle(2))), (1, 0));
    assert_eq!((bring(&mut row, acks()), bring(&mut row, acks())), (1, 0), "another kind has its own turn");
    let now = row.now;
    row.nodes[1].handle(now, Input::Settled { from, calls: Vec::new() });
    assert_eq!((bring(&mut row, settle(1)), bring(&mut row, acks())), (1, 0));
    row.now = after(now, Duration::from_secs(15));
    assert_eq!((bring(&mut row, settle(1)), bring(&mut row, acks())), (1, 1), "the shell said nothing");
}

#[test]
fn what_is_under_way_for_all_nodes_is_bounded() {
    let mut given = services::Given::default();
    let now = at("2027-05-10");
    let node = |nth: u16| {
        let mut secret = [9; 32];
        secret[..2].copy_from_slice(&nth.to_be_bytes());
        NodeId::of(&KeyPair::from_secret(&secret).public())
    };
    let taken = (0..1_100).filter(|nth| given.begin(now, node(*nth), services::Gift::Acks)).count();
    assert_eq!(taken, 1_024);
    assert!(given.begin(after(now, Duration::from_secs(15)), node(2_000), services::Gift::Acks));
}

#[test]
fn of_many_neighbours_some_are_told_at_once_and_those_whom_nobody_told_later() {
    let house = House::new();
    let news = crate::News::Revocations(house.revocations(1, &[&house.node(90, Some(1))]));
    let mut row = Row::of(&[None]);
    for seed in 41..61 {
        row.nodes.push(start(&house, seed, Some(1)));
        let nth = row.nodes.len() - 1;
        row.join(0, nth);
    }
    row.pass(1);
    let version = |row: &Row| -> usize {
        row.nodes[1..].iter().filter(|node| node.trust().revocations().is_some()).count()
    };
    // The others are not linked with one another: only the node of the operator can tell them.
    row.tell(0, Input::Trust(news));
    assert_eq!(version(&row), 8);
    row.pass(31);
    assert_eq!(version(&row), 20);
}
