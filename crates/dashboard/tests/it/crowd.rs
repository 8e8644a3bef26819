//! A mesh as the platform's node would see it: nodes by every kind of way, and the doctor's words on them.

use desk::{MeshNode, MeshPath, MeshPathKind, MeshState};
use echo_core::{CustomerId, DeviceId, Mint, Timestamp};
use mesh::{
    NodeId,
    doctor::{
        CandidateKind, Gateway, GatewayState, Interface, Multicast, Observations, Pair, PairState, Path,
        Peer, diagnose,
    },
    view::{RefusalView, TrustView, View},
};
use serde_json::{Value, json};
use trust::KeyPair;

pub const KINDS: [MeshPathKind; 4] =
    [MeshPathKind::Direct, MeshPathKind::Relayed, MeshPathKind::Routed, MeshPathKind::None];

pub fn key(seed: u16) -> NodeId {
    let mut secret = [7; 32];
    secret[..2].copy_from_slice(&seed.to_be_bytes());
    NodeId::of(&KeyPair::from_secret(&secret).public())
}

/// A node that is reached by such a way; a routed one over the node before it.
pub fn node(seed: u16, name: &str, customer: Option<&CustomerId>, kind: MeshPathKind) -> MeshNode {
    let now = Mint::system().now();
    let linked = matches!(kind, MeshPathKind::Direct | MeshPathKind::Relayed);
    let why = match kind {
        MeshPathKind::Direct => None,
        MeshPathKind::Relayed => Some("no UDP answer came on 2 straight paths, the relay works"),
        MeshPathKind::Routed => Some("no path of our own works; others carry what is said"),
        MeshPathKind::None => Some("9 others are reached, it is not (2 paths tried)"),
    };
    MeshNode {
        node: key(seed),
        device: Mint::system().id::<DeviceId>(),
        customer: customer.cloned(),
        name: name.to_owned(),
        capabilities: vec![if customer.is_some() { "diagnose" } else { "gateway" }.to_owned()],
        skills: vec!["diagnostics.probe".to_owned(), "mesh.test".to_owned()],
        reachable: kind != MeshPathKind::None,
        path: MeshPath {
            kind,
            hops: u32::from(kind == MeshPathKind::Routed),
            next_hop: (kind == MeshPathKind::Routed).then(|| key(seed.saturating_sub(1))),
            rtt_micros: linked.then_some(1_250 + u64::from(seed) * 310),
            clock_skew_ms: (kind == MeshPathKind::Relayed).then_some(-7_200_000),
            why: why.map(str::to_owned),
        },
        since: now,
        last_seen: Some(now),
    }
}

/// So many nodes of a customer, every tenth relayed, routed and unreached.
pub fn many(count: u16, customer: &CustomerId) -> Vec<MeshNode> {
    let kind = |seed: u16| KINDS[usize::from((seed % 10).saturating_sub(6).min(3))];
    (0..count).map(|seed| node(seed, &format!("till-{seed:02}"), Some(customer), kind(seed))).collect()
}

pub fn picture(nodes: Vec<MeshNode>) -> MeshState {
    let (me, at) = (key(60_000), Mint::system().now());
    let doctor = report(me, at, &nodes);
    MeshState { me, at, nodes, doctor }
}

/// What the daemon would report of these nodes.
fn report(me: NodeId, at: Timestamp, nodes: &[MeshNode]) -> Value {
    let lan = Interface {
        name: "eth0".to_owned(),
        up: true,
        addresses: vec!["192.168.1.2".parse().unwrap()],
        mtu: Some(1_500),
    };
    let away = GatewayState::Unreachable { why: "the connection was refused".to_owned() };
    let observations = Observations {
        me,
        interfaces: vec![lan],
        multicast: Multicast::Heard,
        gateways: vec![Gateway { url: "wss://help.example.org/v1/mesh/relay".to_owned(), state: away }],
        peers: nodes.iter().map(peer).collect(),
    };
    let refusal = |who: &str, code: &str, reason: &str| RefusalView {
        at,
        who: who.to_owned(),
        code: code.to_owned(),
        reason: reason.to_owned(),
    };
    let view = View {
        at,
        me,
        name: "platform".to_owned(),
        links: Vec::new(),
        members: Vec::new(),
        refusals: vec![
            refusal("192.168.1.77:40112", "unsigned", "its manifest is signed by nobody known here"),
            refusal(&key(777).to_string(), "revoked", "it was taken out of care <b>"),
        ],
        trust: TrustView { registry: 3, revocations: 1, notices: 1 },
        unsettled: 0,
        calling: 0,
        pulses_waiting: false,
        places: 2,
        witnessing: mesh::witnessing::WitnessingView::default(),
    };
    json!({"at": at, "view": view, "findings": diagnose(&observations), "observations": observations})
}

fn peer(node: &MeshNode) -> Peer {
    let (path, state) = match node.path.kind {
        MeshPathKind::Direct => (Path::Direct, PairState::Works),
        MeshPathKind::Relayed => (Path::Relayed, PairState::NoAnswer),
        MeshPathKind::Routed | MeshPathKind::None => (Path::None, PairState::NoAnswer),
    };
    let pair = |local_kind, remote_kind, state, chosen| Pair {
        local: "192.168.1.2:45000".parse().unwrap(),
        local_kind,
        remote: "[fd00:1234:5678:9abc:def0:1234:5678:9abc]:51000".parse().unwrap(),
        remote_kind,
        state,
        chosen,
    };
    let straight = pair(CandidateKind::Host, CandidateKind::Host, state, path == Path::Direct);
    let mut pairs = vec![straight.clone(), Pair { remote_kind: CandidateKind::ServerReflexive, ..straight }];
    if path == Path::Relayed {
        pairs.push(pair(CandidateKind::Gateway, CandidateKind::Gateway, PairState::Works, true));
    }
    Peer {
        name: None,
        node: Some(node.node),
        place: "192.168.1.9:7000".to_owned(),
        path,
        since: None,
        pairs,
        rtt_micros: node.path.rtt_micros,
        clock_ahead_seconds: node.path.clock_skew_ms.map(|millis| millis / 1_000),
        answered: false,
        last_error: None,
        refused: None,
        reached_over: node.path.next_hop.map(|next| vec![next]),
        path_mtu: None,
        whereabouts: mesh::doctor::Whereabouts::default(),
    }
}
