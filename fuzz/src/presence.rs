//! What neighbours tell a node of who is there: presence records, membership, calls, news of trust.
//!
//! The input is a row of steps, each one byte for what happens, two (big-endian) for the length of what follows, and so
//! many bytes. [`step`] writes them.

use std::{collections::BTreeSet, time::Duration};

use echo_core::{Digest, Timestamp};
use mesh::{
    Body, Config, Input, Link, Membership, Message, Node, NodeId, Outcome, Output, Realm, Routed, Stream,
    Wire,
    presence::{PRESENCE_TYPE, PresenceRecord},
    view::MAX_REFUSALS,
};
use serde_json::json;
use trust::{Envelope, KeyPair, KeyRole, registry::REGISTRY_TYPE, revocation::REVOCATIONS_TYPE};

use crate::house::{Member, house, now};

/// The most steps of one input.
const MAX_STEPS: usize = 200;
/// How long the node is watched in the end.
const WATCHED: Duration = Duration::from_secs(10);
/// The most that a node does about one thing that happened.
const MAX_OUTPUTS: usize = 400;

/// What happens in a step. Of the byte, the lowest four bits count; the fifth says from which of the two neighbours it
/// comes, the sixth that a record is the third node's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// A text message on control, as it is.
    Control,
    /// A text message on rpc, as it is.
    Rpc,
    /// A text message on telemetry, as it is.
    Telemetry,
    /// A binary message on control, as it is.
    Binary,
    /// A presence record, which its node signs.
    Record,
    /// A membership packet of the neighbour.
    Packet,
    /// The body of a routed message of the neighbour.
    Body,
    /// Time passes: so many milliseconds as the first two bytes say, times ten.
    Pass,
    /// The link goes down, and comes up again.
    Again,
    /// A version of the trust registry, which the root signs.
    Registry,
    /// A list of revoked nodes, which the device issuer signs.
    Revocations,
}

impl Kind {
    /// Every kind, by number.
    pub const ALL: [Self; 11] = [
        Self::Control,
        Self::Rpc,
        Self::Telemetry,
        Self::Binary,
        Self::Record,
        Self::Packet,
        Self::Body,
        Self::Pass,
        Self::Again,
        Self::Registry,
        Self::Revocations,
    ];
}

/// One step of an input; `from` is 0 or 1, plus 2 for a record of the third node.
pub fn step(kind: Kind, from: u8, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).expect("a step holds less than 64 KiB");
    [&[kind as u8 | from << 4][..], &length.to_be_bytes(), data].concat()
}

/// Whatever its neighbours say: a node of a customer beside one of its own and the platform, and the platform beside two
/// customers' nodes.
pub fn check(bytes: &[u8]) {
    let house = house();
    play(&house.me, [&house.peer, &house.platform], bytes);
    play(&house.platform, [&house.peer, &house.stranger], bytes);
}

/// What came of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Played {
    /// How many calls were carried out.
    pub executed: usize,
    /// How many other nodes are known in the end.
    pub members: usize,
    /// How many of them can be reached.
    pub reachable: usize,
    /// How many links are up in the end.
    pub links: usize,
}

/// Plays the steps in `bytes` to the node `me` with these neighbours.
pub fn play(me: &Member, neighbours: [&'static Member; 2], bytes: &[u8]) -> Played {
    let mut scene = Scene::new(me, neighbours);
    let mut rest = bytes;
    for _ in 0..MAX_STEPS {
        let Some((&[what, high, low], after)) = rest.split_first_chunk::<3>() else { break };
        let length = usize::from(u16::from_be_bytes([high, low])).min(after.len());
        let (data, after) = after.split_at(length);
        rest = after;
        scene.happens(what, data);
    }
    scene.pass(WATCHED);
    let view = scene.node.view(scene.now);
    assert!(view.refusals.len() <= MAX_REFUSALS && view.links.len() <= 2);
    assert!(view.members.len() < house().members().len(), "nodes that nobody certified: {view:?}");
    Played {
        executed: scene.executed.len(),
        members: view.members.len(),
        reachable: view.members.iter().filter(|member| member.reachable).count(),
        links: view.links.len(),
    }
}

struct Scene {
    node: Node,
    neighbours: [&'static Member; 2],
    /// How often each neighbour's link came up.
    ups: [u64; 2],
    now: Timestamp,
    executed: BTreeSet<Digest>,
}

impl Scene {
    fn new(me: &Member, neighbours: [&'static Member; 2]) -> Self {
        let (key, certificate) = (me.key.clone(), me.certificate.clone());
        let node =
            Node::new(Config::default(), key, certificate, house().trust.clone(), Vec::new(), 1, now());
        let node = node.expect("the node's own papers are good");
        let mut scene = Self { node, neighbours, ups: [0, 0], now: now(), executed: BTreeSet::new() };
        scene.again(0);
        scene.again(1);
        scene
    }

    fn happens(&mut self, what: u8, data: &[u8]) {
        let from = usize::from(what >> 4 & 1);
        let neighbour = self.neighbours[from];
        let author = if what >> 5 & 1 == 1 { &house().third } else { neighbour };
        let Some(kind) = Kind::ALL.get(usize::from(what & 15)) else { return };
        match kind {
            Kind::Control => self.receive(from, Stream::Control, false, data),
            Kind::Rpc => self.receive(from, Stream::Rpc, false, data),
            Kind::Telemetry => self.receive(from, Stream::Telemetry, false, data),
            Kind::Binary => self.receive(from, Stream::Control, true, data),
            Kind::Record => {
                let records = record(author, data).into_iter().collect();
                self.say(from, &Wire::Message(Message::Presence { records }));
            }
            Kind::Packet => {
                let realm = self.realm(from);
                let (sender, to, data) = (neighbour.id(), self.node.id(), data.to_vec());
                self.say(
                    from,
                    &Wire::Membership(Membership {
                        from: sender,
                        to,
                        hops_left: 1,
                        realm: realm.tag().0,
                        data,
                    }),
                );
            }
            Kind::Body => {
                let Ok(body) = serde_json::from_slice::<Body>(data) else { return };
                let routed = Routed { from: neighbour.id(), to: self.node.id(), path: Vec::new(), body };
                self.say(from, &Wire::Message(Message::Routed(Box::new(routed))));
            }
            Kind::Pass => {
                let steps = data.first_chunk::<2>().map_or(1, |bytes| u16::from_be_bytes(*bytes));
                self.pass(Duration::from_millis(u64::from(steps) * 10));
            }
            Kind::Again => self.again(from),
            Kind::Registry => {
                let versions = vec![signed(REGISTRY_TYPE, data, KeyRole::Root)];
                self.say(from, &Wire::Message(Message::Registry { versions }));
            }
            Kind::Revocations => {
                let list = signed(REVOCATIONS_TYPE, data, KeyRole::DeviceIssuer);
                self.say(from, &Wire::Message(Message::Revocations { list }));
            }
        }
    }

    /// The realm that a neighbour and the node have in common.
    fn realm(&self, from: usize) -> Realm {
        let theirs = Realm::of(&self.neighbours[from].manifest);
        if theirs == Realm::Operator { Realm::of(&house().me.manifest) } else { theirs }
    }

    fn link(&self, from: usize) -> Link {
        Link(self.ups[from] * 2 + from as u64)
    }

    fn again(&mut self, from: usize) {
        self.tell(Input::Down { link: self.link(from), why: "it went".to_owned() });
        self.ups[from] += 1;
        let neighbour = self.neighbours[from];
        let (manifest, certificate) = (neighbour.manifest.clone(), neighbour.certificate.clone());
        let link = self.link(from);
        self.tell(Input::Up { link, manifest: Box::new(manifest), certificate: Box::new(certificate) });
    }

    fn say(&mut self, from: usize, wire: &Wire) {
        let stream = match wire {
            Wire::Message(message) => message.stream(),
            Wire::Membership(_) => Stream::Control,
            Wire::File(_) | Wire::Chunk(_) => Stream::Bulk,
        };
        let (binary, bytes) = wire.encode();
        self.receive(from, stream, binary, &bytes);
    }

    fn receive(&mut self, from: usize, stream: Stream, binary: bool, bytes: &[u8]) {
        self.tell(Input::Received { link: self.link(from), stream, binary, bytes: bytes.to_vec() });
    }

    /// Time passes, and the node does what is due.
    fn pass(&mut self, time: Duration) {
        let until = self.now.checked_add(time).unwrap_or(Timestamp::MAX);
        let mut at_once = 0;
        for _ in 0..10_000 {
            let due = self.node.deadline();
            if due > until {
                self.now = until;
                return;
            }
            at_once = if due > self.now { 0 } else { at_once + 1 };
            assert!(at_once < 3, "it is due at once, again and again: {due}");
            self.now = self.now.max(due);
            self.tell(Input::Tick);
        }
        panic!("it never comes to rest");
    }

    fn tell(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.node.handle(self.now, input);
            let mut count = 0;
            while let Some(output) = self.node.poll() {
                count += 1;
                inputs.extend(self.carry_out(output));
            }
            assert!(count <= MAX_OUTPUTS, "{count} outputs for one input");
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { link, stream, binary, bytes } => self.sent(link, stream, binary, &bytes),
            Output::Execute { call, .. } => {
                assert!(self.executed.insert(call), "work is done twice");
                return Some(Input::Executed { call, outcome: Outcome::Done(json!({"load": 0.1})) });
            }
            Output::Keep(entry) => return Some(Input::EntryKept(entry.call)),
            Output::KeepWitnessed(remembered) => {
                let size = remembered.head.as_ref().map_or(0, |head| head.size);
                return Some(Input::WitnessedKept { origin: remembered.origin, size });
            }
            Output::Disconnect { link, reason } => return Some(Input::Down { link, why: reason }),
            Output::Ended { .. } => panic!("a call ended that nobody made"),
            _ => {}
        }
        None
    }

    /// What a node sends, its neighbour can read; and it tells a customer's node nothing of another's.
    fn sent(&self, link: Link, stream: Stream, binary: bool, bytes: &[u8]) {
        let to = self.neighbours[usize::from(link.0 % 2 == 1)];
        let wire = Wire::decode(stream, binary, bytes).expect("what it sends, others can read");
        let house = house();
        if to.id() != house.stranger.id() {
            return;
        }
        let foreign = |node: &NodeId| [house.peer.id(), house.third.id()].contains(node);
        let theirs = Realm::of(&house.peer.manifest).tag();
        match wire {
            Wire::Message(Message::Presence { records }) => {
                for record in &records {
                    let record = PresenceRecord::verify(record).expect("it passes on what it believes");
                    assert!(!foreign(&record.node) && !record.neighbours.iter().any(foreign));
                    assert_ne!(record.realm, theirs);
                }
            }
            Wire::Message(Message::Summary { realm, .. }) => assert_ne!(realm, theirs),
            Wire::Message(Message::Heads { realm, heads, .. }) => {
                assert_ne!(realm, theirs);
                assert!(!heads.iter().any(|head| foreign(&head.node)));
            }
            Wire::Message(Message::Routed(routed)) => assert!(!foreign(&routed.from)),
            Wire::Membership(membership) => {
                assert!(membership.realm != theirs.0 && !foreign(&membership.from));
            }
            _ => {}
        }
    }
}

/// `data` as a record of `author`, signed by it, with its own name and certificate.
fn record(author: &Member, data: &[u8]) -> Option<Envelope> {
    let record: PresenceRecord = serde_json::from_slice(data).ok()?;
    let record = PresenceRecord { node: author.id(), certificate: author.certificate.clone(), ..record };
    Envelope::sign(PRESENCE_TYPE, &record, &[&author.key]).ok()
}

fn signed(kind: &str, data: &[u8], role: KeyRole) -> Envelope {
    let key: &KeyPair = &house().keys[&role];
    Envelope::sign_bytes(kind, data, &[key])
}
