//! A node of the mesh: everything that it knows, and what it does about what happens.
//!
//! The shell gives each [`Input`] with the time, takes every [`Output`] with [`Node::poll`], and gives [`Input::Tick`] at
//! [`Node::deadline`]. Time never goes back: a shell takes it from a steady clock that it sets once.

mod files;
mod gateways;
mod gossip;
mod links;
mod routed;
mod services;
mod show;
mod trusting;
mod witnessing;

pub use self::services::{PULSES, SETTLE};

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use echo_core::Timestamp;
use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};
use trust::{Envelope, KeyPair, NodeManifest};

use crate::{
    Acks, Input, Link, Me, Message, NodeId, Output, Realm, RealmTag, Refusal, Trust, Wire,
    book::{Book, Entry},
    bulk::Transfers,
    calls::Calls,
    event::Event,
    neighbours::Neighbours,
    presence::{Memo, Offering},
    room::{Room, after},
    rooms::Rooms,
    telemetry,
    topology::{Known, Places},
    view::RefusalView,
    witnessing::{Memory, Witnessing},
};

/// The most outputs that wait for the shell; beyond it messages to others are lost, and nothing else.
pub const MAX_OUTPUTS: usize = 64 * 1024;
/// How often what has expired is looked for.
const CARE: Duration = Duration::from_secs(30);

/// What a node does for others, and what it shares with other nodes of this process.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// What it offers; what its manifest does not name is left out. Empty: everything that the manifest names, without
    /// prices.
    pub offers: Vec<Offering>,
    /// Signatures that were verified in this process.
    pub memo: Memo,
    /// What was kept of ledgers.
    pub memory: Memory,
}

/// A node of the mesh.
pub struct Node {
    config: Config,
    key: KeyPair,
    id: NodeId,
    realm: Realm,
    me: Me,
    manifest: Arc<NodeManifest>,
    trust: Trust,
    rng: SmallRng,
    now: Timestamp,
    neighbours: Neighbours,
    rooms: Rooms,
    places: Places,
    places_due: Timestamp,
    refusals: VecDeque<RefusalView>,
    /// Who behaved badly, and until when it is kept out.
    shunned: BTreeMap<NodeId, Timestamp>,
    care_due: Timestamp,
    services: services::Services,
    files: Transfers,
    witnessing: Witnessing,
    outputs: VecDeque<Output>,
}

impl Node {
    /// A node with its key and its certified manifest, what it knows of trust, and what it kept of calls. `seed` makes
    /// its choices; the shell takes it from the system's randomness.
    pub fn new(
        mut config: Config,
        key: KeyPair,
        certificate: Envelope,
        trust: Trust,
        kept: Vec<Entry>,
        seed: u64,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let manifest = own_manifest(&certificate, &key, &trust, now)?;
        let id = NodeId::of(&key.public());
        let realm = Realm::of(&manifest);
        let mut rng = SmallRng::seed_from_u64(seed);
        let places = Places::new(id, SmallRng::seed_from_u64(rng.random()));
        let skills: BTreeSet<String> = manifest.capabilities.iter().cloned().collect();
        let opened = Book::open(key.clone(), skills, kept, now);
        let mut acks = Acks::default();
        for (notice, _) in trust.notices() {
            acks.learned(notice, &key, now);
        }
        let services = services::Services {
            book: opened.book,
            resting: BTreeMap::new(),
            calls: Calls::new(key.clone(), certificate.clone()),
            acks,
            sender: telemetry::Sender::default(),
            receiver: telemetry::Receiver::default(),
            ways: BTreeMap::new(),
            given: services::Given::default(),
            due: now,
        };
        let files = Transfers::new(id, key.clone());
        let memory = std::mem::take(&mut config.memory);
        let witnessing = Witnessing::new(&key, &trust, memory, now);
        let mut node = Self {
            config,
            key,
            id,
            realm: realm.clone(),
            me: Me { manifest: manifest.clone(), certificate, token: None },
            manifest: Arc::new(manifest),
            trust,
            rng,
            now,
            neighbours: Neighbours::default(),
            rooms: Rooms::default(),
            places,
            places_due: now,
            refusals: VecDeque::new(),
            shunned: BTreeMap::new(),
            care_due: after(now, CARE),
            services,
            files,
            witnessing,
            outputs: VecDeque::new(),
        };
        node.fill_offers();
        let seed = node.seed();
        node.rooms.insert(realm.tag(), Room::new(realm, id, seed, now));
        for entry in opened.keep {
            node.out(Output::Keep(Box::new(entry)));
        }
        for call in opened.damaged {
            node.out(Output::Forget(call));
        }
        Ok(node)
    }

    /// Who it is.
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// What it knows of trust.
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// Takes what happened at `now`, and does what is due.
    pub fn handle(&mut self, now: Timestamp, input: Input) {
        self.now = self.now.max(now);
        let now = self.now;
        match input {
            Input::Tick => {}
            Input::Sighted(sighting) => self.sighted(now, sighting),
            Input::Attempted { place, found } => {
                self.places.ended(now, &place, found);
                self.places_due = now;
            }
            Input::Missed { place, node } => {
                self.places.missed(now, &place, node);
                self.places_due = now;
            }
            Input::Refused { who, place, code, reason } => {
                self.turned_away(now, &place, who, &code);
                let who = who.map_or(place, |node| node.to_string());
                self.refused(now, who, code, reason);
            }
            Input::Up { link, certificate, .. } => self.up(now, link, &certificate),
            Input::Down { link, why } => self.down(now, link, &why),
            Input::Measured { link, rtt_micros, relayed } => self.measured(link, rtt_micros, relayed),
            Input::Received { link, stream, binary, bytes } => {
                self.received(now, link, stream, binary, &bytes);
            }
            Input::Trust(news) => self.trust_from_here(now, &news),
            Input::Certificate(certificate) => self.renewed(now, *certificate),
            Input::Leave => self.leave(now),
            Input::Call(call) => self.call(now, call),
            Input::Executed { call, outcome } => self.executed(now, &call, outcome),
            Input::EntryKept(call) => self.entry_kept(now, &call),
            Input::EntryLost { call, why } => self.entry_lost(now, &call, &why),
            Input::Pulses { batch, up_to } => self.own_pulses(now, batch, up_to),
            Input::PulsesKept { from, up_to } => self.pulses_kept(now, from, up_to),
            Input::AcksKept { from, notices } => self.acks_kept(now, from, &notices),
            Input::File(input) => self.file(now, input),
            Input::WitnessedKept { origin, size } => self.witnessed_kept(now, &origin, size),
            Input::OwnHead(note) => self.witnessing.own_head(now, &note),
            Input::Proven { origin, from, to, proof } => {
                self.witnessing.proven(now, &origin, from, to, proof);
            }
            Input::Settled { from, calls } => self.settled(now, from, &calls),
        }
        self.tick(now);
    }

    /// What to do next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to give [`Input::Tick`] at the latest.
    pub fn deadline(&self) -> Timestamp {
        let own = self.places_due.min(self.care_due);
        let rooms = self.rooms.deadline().unwrap_or(Timestamp::MAX);
        own.min(rooms).min(self.services_deadline()).min(self.witnessing.deadline())
    }

    fn tick(&mut self, now: Timestamp) {
        if self.care_due <= now {
            self.care_due = after(now, CARE);
            self.drop_expired(now);
            self.prune(now);
            self.look_behind_gateways(now);
            self.tell_those_behind(now);
        }
        self.tick_rooms(now);
        if self.places_due <= now {
            self.connect(now);
        }
        self.serve(now);
        self.move_files(now);
        self.witness(now);
    }

    /// Tries the places that are due.
    fn connect(&mut self, now: Timestamp) {
        let rooms = &self.rooms;
        let neighbours = &self.neighbours;
        let realm = |node: &NodeId| {
            let neighbour = neighbours.of(node).map(|n| n.realm.clone());
            neighbour.or_else(|| rooms.values().find_map(|r| r.table.get(node)).map(|p| p.realm.clone()))
        };
        let known =
            Known { linked: neighbours.nodes(), realm: &realm, operator: self.realm == Realm::Operator };
        let due = self.places.due(now, &known);
        let next = self.places.deadline(now, &known).unwrap_or(Timestamp::MAX);
        // Whatever is over its time is held back by the bound on attempts: ask again soon.
        self.places_due = next.max(after(now, Duration::from_millis(200)));
        for sighting in due {
            self.out(Output::Connect(sighting));
        }
    }

    fn leave(&mut self, now: Timestamp) {
        for room in self.rooms.values_mut() {
            room.members.leave(now);
        }
        let tags: Vec<RealmTag> = self.rooms.keys().copied().collect();
        for tag in tags {
            self.post(now, tag);
        }
        let links: Vec<Link> = self.neighbours.iter().map(|(link, _)| link).collect();
        for link in links {
            self.say(link, &Message::Bye { reason: "it is shutting down".to_owned() });
        }
    }

    /// Ways may have changed: calls and pulses that waited for one may go.
    fn routes_changed(&mut self, now: Timestamp) {
        self.services.due = self.services.due.min(after(now, Duration::from_millis(50)));
    }

    fn fill_offers(&mut self) {
        let named = &self.manifest.capabilities;
        if self.config.offers.is_empty() {
            let offer = |skill: &String| Offering { skill: skill.clone(), sku: None, price: None };
            self.config.offers = named.iter().map(offer).collect();
        }
        self.config.offers.retain(|offer| named.contains(&offer.skill));
        self.config.offers.truncate(crate::presence::MAX_OFFERINGS);
    }

    fn seed(&mut self) -> u64 {
        self.rng.random()
    }

    fn say(&mut self, link: Link, message: &Message) {
        let stream = message.stream();
        let (binary, bytes) = Wire::Message(message.clone()).encode();
        if bytes.len() > stream.max_message() {
            let from = self.id;
            let why = format!("{} bytes for the {} stream", bytes.len(), stream.label());
            return self.event(Event::NotTaken { from, why });
        }
        self.out(Output::Send { link, stream, binary, bytes });
    }

    fn event(&mut self, event: Event) {
        self.out(Output::Event(event));
    }

    fn out(&mut self, output: Output) {
        let may_be_lost = matches!(output, Output::Send { .. } | Output::Event(_) | Output::Connect(_));
        if self.outputs.len() < MAX_OUTPUTS || !may_be_lost {
            self.outputs.push_back(output);
        }
    }
}

/// A node's own manifest, once it is certified, for this key, and counts. An expired registry is no hindrance: neighbours may
/// bring a newer one.
pub fn own_manifest(
    certificate: &Envelope,
    key: &KeyPair,
    trust: &Trust,
    now: Timestamp,
) -> Result<NodeManifest, Refusal> {
    // An expired registry lets nobody in, but a node that was off for months must start to learn of a newer one.
    let registry = match trust.registry(now) {
        Ok(registry) => registry.into_owned(),
        Err(_) => trust.chain().newest().map_err(|e| Refusal::OwnTrust(e.to_string()))?,
    };
    let manifest = NodeManifest::verify_signed(certificate, &registry)
        .map_err(|e| Refusal::UnknownIssuer(e.to_string()))?;
    if manifest.public_key != key.public() {
        return Err(Refusal::WrongKey);
    }
    if manifest.expires <= now {
        return Err(Refusal::Expired(manifest.expires));
    }
    Ok(manifest)
}

#[cfg(test)]
mod tests;
