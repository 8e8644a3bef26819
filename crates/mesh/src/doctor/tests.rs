use trust::KeyPair;

use super::*;

fn node(seed: u8) -> NodeId {
    NodeId::of(&KeyPair::from_secret(&[seed; 32]).public())
}

fn peer(path: Path) -> Peer {
    Peer {
        node: Some(node(2)),
        name: None,
        place: "10.0.0.2:7000".to_owned(),
        path,
        since: None,
        pairs: Vec::new(),
        rtt_micros: Some(1_250),
        clock_ahead_seconds: Some(0),
        answered: false,
        last_error: None,
        refused: None,
        reached_over: None,
        path_mtu: None,
        whereabouts: Whereabouts::default(),
    }
}

fn pair(local_kind: CandidateKind, remote_kind: CandidateKind, state: PairState) -> Pair {
    let (local, remote) = ("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap());
    Pair { local, local_kind, remote, remote_kind, state, chosen: state == PairState::Works }
}

fn seen(peers: Vec<Peer>) -> Observations {
    let lan = Interface {
        name: "eth0".to_owned(),
        up: true,
        addresses: vec!["10.0.0.1".parse().unwrap()],
        mtu: Some(1_500),
    };
    Observations {
        me: node(1),
        interfaces: vec![lan],
        multicast: Multicast::Heard,
        gateways: Vec::new(),
        peers,
    }
}

fn connected() -> Gateway {
    Gateway { url: "ws://gate".to_owned(), state: GatewayState::Connected { observed: None } }
}

fn causes(seen: &Observations) -> Vec<Cause> {
    diagnose(seen).into_iter().map(|finding| finding.cause).collect()
}

#[test]
fn a_straight_path_is_fine() {
    let findings = diagnose(&seen(vec![peer(Path::Direct)]));
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].level, findings[0].cause), (Level::Fine, Cause::Direct));
    assert!(findings[0].because.contains("1.2 ms"), "{}", findings[0].because);
}

#[test]
fn a_cut_cable_is_named_here_and_for_each_peer() {
    let mut seen = seen(vec![peer(Path::None)]);
    seen.interfaces[0].up = false;
    seen.multicast = Multicast::Silent("no interface".to_owned());
    assert_eq!(causes(&seen), [Cause::NoNetwork, Cause::NoNetwork]);
}

#[test]
fn blocked_udp_is_told_from_a_nat() {
    let relay = pair(CandidateKind::Gateway, CandidateKind::Gateway, PairState::Works);
    let mut blocked = peer(Path::Relayed);
    blocked.pairs = vec![relay.clone(), pair(CandidateKind::Host, CandidateKind::Host, PairState::NoAnswer)];
    let mut nat = blocked.clone();
    nat.pairs.push(pair(CandidateKind::Host, CandidateKind::ServerReflexive, PairState::NoAnswer));
    let mut trying = blocked.clone();
    trying.pairs[1].state = PairState::Trying;
    assert_eq!(causes(&seen(vec![blocked])), [Cause::UdpBlocked]);
    assert_eq!(causes(&seen(vec![nat])), [Cause::Nat]);
    assert_eq!(causes(&seen(vec![trying])), [Cause::Trying]);
}

#[test]
fn a_silent_peer_is_told_from_a_silent_network() {
    let lone = seen(vec![peer(Path::None)]);
    assert!(diagnose(&lone)[0].because.contains("own cable"), "{:?}", diagnose(&lone));
    let company = seen(vec![peer(Path::None), peer(Path::Direct)]);
    let worst = &diagnose(&company)[0];
    assert_eq!(worst.cause, Cause::Silent);
    assert!(worst.because.starts_with("1 others"), "{}", worst.because);
}

#[test]
fn a_peer_that_answers_over_tcp_alone_needs_udp_or_a_gateway() {
    let mut half = peer(Path::None);
    half.answered = true;
    let mut seen = seen(vec![half]);
    assert_eq!(causes(&seen), [Cause::UdpBlocked]);
    seen.gateways.push(connected());
    assert_eq!(causes(&seen), [Cause::Silent]);
}

#[test]
fn a_refusal_comes_with_what_to_do() {
    let mut refused = peer(Path::None);
    refused.refused = Some(("expired".to_owned(), "its manifest expired".to_owned()));
    let finding = diagnose(&seen(vec![refused])).remove(0);
    assert_eq!(finding.cause, Cause::Refused);
    assert!(finding.advice.contains("enrol"), "{}", finding.advice);
}

#[test]
fn clocks_and_small_packets_are_noted_beside_the_path() {
    let mut odd = peer(Path::Direct);
    odd.clock_ahead_seconds = Some(-7_200);
    odd.path_mtu = Some(600);
    assert_eq!(causes(&seen(vec![odd])), [Cause::ClockSkew, Cause::SmallMtu, Cause::Direct]);
}

#[test]
fn a_machine_with_another_address_is_told_while_it_is_reached() {
    let mut moved = peer(Path::Direct);
    moved.whereabouts = Whereabouts {
        at: Some("10.0.1.2".parse().unwrap()),
        before: Some(("10.0.0.2".parse().unwrap(), "2027-01-01T00:00:00.5Z".parse().unwrap())),
    };
    let findings = diagnose(&seen(vec![moved.clone()]));
    assert_eq!(findings.iter().map(|f| f.cause).collect::<Vec<_>>(), [Cause::Direct, Cause::Moved]);
    assert_eq!(findings[1].because, "it was at 10.0.0.2, and is at 10.0.1.2 since 2027-01-01T00:00:00Z");
    moved.path = Path::None;
    assert_eq!(causes(&seen(vec![moved])), [Cause::Silent]);
}

#[test]
fn others_on_the_way_are_named() {
    let mut over = peer(Path::None);
    over.reached_over = Some(vec![node(3)]);
    let finding = diagnose(&seen(vec![over])).remove(0);
    assert_eq!(finding.cause, Cause::OverOthers);
    assert!(finding.because.contains(&node(3).short()), "{}", finding.because);
}

#[test]
fn a_gateway_that_is_away_is_named_with_the_reason() {
    let mut seen = seen(Vec::new());
    seen.gateways.push(Gateway {
        url: "wss://gate".to_owned(),
        state: GatewayState::Refused { code: "revoked".to_owned(), reason: "taken out of care".to_owned() },
    });
    seen.multicast = Multicast::Silent("nothing was heard in 3 s".to_owned());
    assert_eq!(causes(&seen), [Cause::NoMulticast, Cause::GatewayAway]);
}

#[test]
fn a_node_that_left_and_a_program_that_does_not_run_are_told_from_a_dead_cable() {
    let with = |error: &str| {
        let mut gone = peer(Path::None);
        gone.last_error = Some(error.to_owned());
        causes(&seen(vec![gone]))
    };
    assert_eq!(with("it said goodbye: it is shutting down"), [Cause::Gone]);
    assert_eq!(with("10.0.0.2:7000: Connection refused (os error 111)"), [Cause::NotRunning]);
    assert_eq!(with("nothing was heard on any path for 15 s"), [Cause::Silent]);
    let mut gone = peer(Path::None);
    gone.last_error = Some("it said goodbye: it is shutting down".to_owned());
    gone.unanswered("the node is not connected to this gateway now");
    assert_eq!(causes(&seen(vec![gone])), [Cause::Gone], "silence follows from that");
}
