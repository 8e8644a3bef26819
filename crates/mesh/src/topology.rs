//! Which of the nodes that may be there to link with: every node of the operator, and of the own realm all while they
//! are few, else the next ones on the ring of keys (which keeps the mesh in one piece) and some at random (which keeps
//! it small across).
//!
//! A place is tried by one attempt at a time, after a failure later and later.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use echo_core::Timestamp;
use rand::{RngExt as _, rngs::SmallRng, seq::SliceRandom as _};

use crate::{NodeId, Realm, Sighting, Via};

/// The most places that are remembered; the one that was heard of longest ago goes first.
pub const MAX_PLACES: usize = 4_096;
/// The most attempts under way at a time.
pub const MAX_ATTEMPTS: usize = 16;
/// How many links to nodes of its own realm a node makes of itself: all of them while they are no more.
pub const WANTED_LINKS: usize = 24;
/// In a larger realm: how many of those are the next ones on the ring of keys.
const RING: usize = 4;
/// In a larger realm: how many links a node makes; the others make as many to it.
const OWN_LINKS: usize = WANTED_LINKS / 2;
/// An attempt that the shell said nothing of for so long has failed.
const ATTEMPT: Duration = Duration::from_secs(20);
/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_mins(5);
/// A place that nobody spoke of for so long, and where nobody was found, is forgotten.
const FORGET_AFTER: Duration = Duration::from_hours(24);
/// After so many failures in a row a place that was heard of by multicast is forgotten: who is there is heard of again.
const MOST_FAILURES: u32 = 8;
/// The most gateways behind which nodes are looked for.
const MAX_GATEWAYS: usize = 8;
/// A gateway that the shell did not speak of for so long is not up.
const GATEWAY_UP: Duration = Duration::from_mins(2);

/// What tells places apart. Behind one gateway there are many nodes; anywhere else one is found.
type Name = (String, Option<NodeId>);

/// One place and what came of it.
#[derive(Debug, Clone)]
struct Place {
    name: Name,
    sighting: Sighting,
    heard: Timestamp,
    /// When it may be tried again.
    next: Timestamp,
    failures: u32,
    /// Until when an attempt is under way.
    trying: Option<Timestamp>,
    turned_away: bool,
    /// This node thought of it itself: a member that may be behind a gateway.
    guessed: bool,
    /// Orders the places differently for every node, and for one always the same.
    spread: [u8; 8],
}

/// Where others may be.
pub(crate) struct Places {
    me: NodeId,
    by_name: BTreeMap<Name, Place>,
    /// When the shell last spoke of each gateway.
    gateways: BTreeMap<String, Timestamp>,
    /// The nodes that something waits for which goes over a link alone.
    asked_for: BTreeSet<NodeId>,
    rng: SmallRng,
}

impl Place {
    /// Whether it is remembered for good: a person or a setting named it, or a gateway that is up.
    fn lasts(&self) -> bool {
        self.sighting.via != Via::Multicast && !self.guessed
    }

    /// Whether it was heard of by multicast, and failed too often.
    fn is_dead(&self) -> bool {
        self.sighting.via == Via::Multicast && self.failures >= MOST_FAILURES
    }
}

fn name_of(sighting: &Sighting) -> Name {
    (sighting.place.clone(), sighting.node.filter(|_| sighting.via == Via::Gateway))
}

/// What the choice depends on.
pub(crate) struct Known<'a> {
    /// The nodes that there are links to.
    pub(crate) linked: &'a BTreeSet<NodeId>,
    /// The realm of a node, where its certificate is known.
    pub(crate) realm: &'a dyn Fn(&NodeId) -> Option<Realm>,
    /// Whether this is a node of the operator: the others come to it.
    pub(crate) operator: bool,
}

impl Places {
    pub(crate) fn new(me: NodeId, rng: SmallRng) -> Self {
        Self { me, by_name: BTreeMap::new(), gateways: BTreeMap::new(), asked_for: BTreeSet::new(), rng }
    }

    /// How many places are remembered.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Somebody may be there, says the shell.
    pub(crate) fn sighted(&mut self, now: Timestamp, sighting: Sighting) {
        if sighting.via == Via::Gateway {
            self.gateway(now, &sighting.place);
        }
        self.add(now, sighting, false);
    }

    /// The gateways that are up.
    pub(crate) fn gateways(&self, now: Timestamp) -> Vec<String> {
        let up = self.gateways.iter().filter(|(_, heard)| after(**heard, GATEWAY_UP) > now);
        up.map(|(url, _)| url.clone()).collect()
    }

    /// A member of the mesh may be behind the gateways that are up.
    pub(crate) fn member(&mut self, now: Timestamp, node: NodeId) {
        for place in self.gateways(now) {
            self.add(now, Sighting { node: Some(node), via: Via::Gateway, place }, true);
        }
    }

    /// Links with these are wanted, however many others there are. Whether they are others than before.
    pub(crate) fn ask_for(&mut self, now: Timestamp, nodes: BTreeSet<NodeId>) -> bool {
        let new = self.asked_for != nodes;
        if new {
            self.asked_for = nodes;
            for node in self.asked_for.clone() {
                self.member(now, node);
            }
        }
        new
    }

    /// A gateway is up. Where it was not, whoever is behind it is tried soon.
    fn gateway(&mut self, now: Timestamp, url: &str) {
        if self.gateways.get(url).is_none_or(|heard| after(*heard, GATEWAY_UP) <= now) {
            let behind = |p: &&mut Place| p.sighting.via == Via::Gateway && p.sighting.place == url;
            for place in self.by_name.values_mut().filter(behind).filter(|p| !p.turned_away) {
                place.failures = 0;
                let pause = Duration::from_millis(self.rng.random_range(0..2_000));
                place.next = place.next.min(after(now, pause));
            }
        }
        self.gateways.insert(url.to_owned(), now);
        if self.gateways.len() > MAX_GATEWAYS {
            let oldest = self.gateways.iter().min_by_key(|(_, heard)| **heard).map(|(url, _)| url.clone());
            self.gateways.retain(|url, _| Some(url) != oldest.as_ref());
        }
    }

    fn add(&mut self, now: Timestamp, sighting: Sighting, guessed: bool) {
        if sighting.node == Some(self.me) {
            return;
        }
        let name = name_of(&sighting);
        if let Some(place) = self.by_name.get_mut(&name) {
            place.heard = now;
            place.guessed &= guessed;
            if sighting.node.is_some() && sighting.node != place.sighting.node {
                place.sighting.node = sighting.node;
                place.next = now;
                place.failures = 0;
            }
            return;
        }
        if self.by_name.len() >= MAX_PLACES {
            let may_go = self.by_name.iter().filter(|(_, p)| p.trying.is_none() && !p.lasts());
            let Some(oldest) = may_go.min_by_key(|(_, p)| p.heard).map(|(name, _)| name.clone()) else {
                return;
            };
            self.by_name.remove(&oldest);
        }
        // Of two that see one another the one with the lower key goes first, so that they seldom meet halfway.
        let first = sighting.node.is_none_or(|node| self.me < node);
        let wait = if first { 200 } else { 2_000 };
        let next = after(now, Duration::from_millis(self.rng.random_range(0..wait)));
        let spread = spread(&self.me, &name);
        let place = Place {
            name: name.clone(),
            sighting,
            heard: now,
            next,
            failures: 0,
            trying: None,
            turned_away: false,
            guessed,
            spread,
        };
        self.by_name.insert(name, place);
    }

    /// An attempt has ended: with whom there, or not. Of several behind one gateway, where nobody was found, it was the one
    /// that is under way longest.
    pub(crate) fn ended(&mut self, now: Timestamp, place: &str, found: Option<NodeId>) {
        if found == Some(self.me) {
            // It was this node's own announcement.
            self.by_name.remove(&(place.to_owned(), None));
            return;
        }
        let Some(node) = found else {
            if let Some(name) = self.known(place, None).or_else(|| self.longest(place)) {
                self.failed(now, &name);
            }
            return;
        };
        let Some(place) = self.known(place, found).and_then(|name| self.by_name.get_mut(&name)) else {
            return;
        };
        place.trying = None;
        place.sighting.node = Some(node);
        place.failures = 0;
        place.next = after(now, FIRST_PAUSE);
    }

    /// An attempt to reach `node` there has ended without it.
    pub(crate) fn missed(&mut self, now: Timestamp, place: &str, node: Option<NodeId>) {
        if let Some(name) = self.known(place, node) {
            self.failed(now, &name);
        }
    }

    fn failed(&mut self, now: Timestamp, name: &Name) {
        let Some(place) = self.by_name.get_mut(name) else { return };
        place.trying = None;
        let refused_until = place.turned_away.then_some(place.next);
        fail(place, now, &mut self.rng);
        place.next = place.next.max(refused_until.unwrap_or(now));
        if place.is_dead() {
            self.by_name.remove(name);
        }
    }

    /// The place where `node` was looked for, or whoever is there.
    fn known(&self, place: &str, node: Option<NodeId>) -> Option<Name> {
        let names = [(place.to_owned(), node), (place.to_owned(), None)];
        names.into_iter().find(|name| self.by_name.contains_key(name))
    }

    /// The attempt behind a gateway that is under way longest.
    fn longest(&self, place: &str) -> Option<Name> {
        let behind = self.by_name.range((place.to_owned(), None)..).take_while(|((at, _), _)| at == place);
        behind.filter(|(_, p)| p.trying.is_some()).min_by_key(|(_, p)| p.trying).map(|(name, _)| name.clone())
    }

    /// A link to `node` is up: an attempt to reach it has done its work.
    pub(crate) fn linked(&mut self, now: Timestamp, node: &NodeId) {
        for place in self.by_name.values_mut().filter(|p| p.sighting.node == Some(*node)) {
            place.trying = None;
            place.failures = 0;
            place.heard = now;
            place.next = after(now, FIRST_PAUSE);
        }
    }

    /// A link to `node` is gone: it may be tried again soon, after a pause of chance, for the others lost it too.
    pub(crate) fn lost(&mut self, now: Timestamp, node: &NodeId) {
        let pause = Duration::from_millis(self.rng.random_range(0..2_000));
        for place in self.by_name.values_mut().filter(|p| p.sighting.node == Some(*node)) {
            place.heard = now;
            place.next = place.next.max(after(now, pause));
        }
    }

    /// `node` was refused for good reasons: it is not tried again before the longest pause.
    pub(crate) fn refused(&mut self, now: Timestamp, node: &NodeId) {
        for place in self.by_name.values_mut().filter(|p| p.sighting.node == Some(*node)) {
            place.trying = None;
            place.next = after(now, LAST_PAUSE);
        }
    }

    /// Whoever is there was refused, or refused us, for a reason that does not go away by itself.
    pub(crate) fn turned_away(&mut self, now: Timestamp, place: &str, who: Option<NodeId>) {
        let pause = LAST_PAUSE.mul_f64(self.rng.random_range(0.8..1.2));
        if let Some(place) = self.known(place, who).and_then(|name| self.by_name.get_mut(&name)) {
            place.turned_away = true;
            place.next = after(now, pause);
        }
    }

    /// Somebody else is there now, or the same with other words at its door: whoever is there is looked for soon.
    pub(crate) fn look_again(&mut self, now: Timestamp, place: &str, who: Option<NodeId>) {
        if let Some(name) = self.known(place, who)
            && let Some(place) = self.by_name.get_mut(&name)
        {
            // Behind a gateway a node is found by its key alone.
            place.sighting.node = name.1;
            place.next = after(now, FIRST_PAUSE);
        }
    }

    /// Something is known that was not: who was turned away may be welcome now.
    pub(crate) fn hope(&mut self, now: Timestamp) {
        for place in self.by_name.values_mut().filter(|place| place.turned_away) {
            place.turned_away = false;
            place.next = place.next.min(after(now, FIRST_PAUSE.mul_f64(self.rng.random_range(0.5..3.0))));
        }
    }

    /// When [`Places::due`] may have something to say.
    pub(crate) fn deadline(&self, now: Timestamp, known: &Known<'_>) -> Option<Timestamp> {
        let (wanted, later) = self.wanted(now, known);
        wanted.into_iter().map(|place| place.trying.unwrap_or(place.next)).chain(later).min()
    }

    /// What to try now.
    pub(crate) fn due(&mut self, now: Timestamp, known: &Known<'_>) -> Vec<Sighting> {
        for place in self.by_name.values_mut() {
            if place.trying.is_some_and(|until| until <= now) {
                place.trying = None;
                fail(place, now, &mut self.rng);
            }
        }
        let linked = |p: &Place| p.sighting.node.is_some_and(|node| known.linked.contains(&node));
        let heard = |p: &Place| p.trying.is_some() || after(p.heard, FORGET_AFTER) > now;
        self.by_name.retain(|_, p| p.lasts() || linked(p) || heard(p) && !p.is_dead());
        let under_way = self.by_name.values().filter(|p| p.trying.is_some()).count();
        let trying: BTreeSet<NodeId> =
            self.by_name.values().filter(|p| p.trying.is_some()).filter_map(|p| p.sighting.node).collect();
        let (wanted, _) = self.wanted(now, known);
        let mut names: Vec<Name> = wanted
            .into_iter()
            .filter(|p| p.trying.is_none() && p.next <= now)
            .filter(|p| p.sighting.node.is_none_or(|node| !trying.contains(&node)))
            .map(|p| p.name.clone())
            .collect();
        names.shuffle(&mut self.rng);
        names.truncate(MAX_ATTEMPTS.saturating_sub(under_way));
        let mut chosen: Vec<Sighting> = Vec::new();
        for name in names {
            let place = self.by_name.get_mut(&name).expect("it was found in here");
            let again = |other: &Sighting| other.node.is_some() && other.node == place.sighting.node;
            if !chosen.iter().any(again) {
                place.trying = Some(after(now, ATTEMPT));
                chosen.push(place.sighting.clone());
            }
        }
        chosen
    }

    /// The places where somebody is, or may be, with whom this node wants a link and has none; and when one more may be
    /// among them that has to wait now.
    fn wanted(&self, now: Timestamp, known: &Known<'_>) -> (Vec<&Place>, Option<Timestamp>) {
        let open = |place: &&Place| place.sighting.node.is_none_or(|node| !known.linked.contains(&node));
        let (first, others): (Vec<&Place>, Vec<&Place>) =
            self.by_name.values().partition(|place| always(place, known) || self.is_asked_for(place));
        let mut wanted: Vec<&Place> = first.into_iter().filter(open).collect();
        if known.operator || count(&others) <= WANTED_LINKS {
            wanted.extend(others.into_iter().filter(open));
            return (wanted, None);
        }
        let linked = known
            .linked
            .iter()
            .filter(|node| (known.realm)(node).is_some_and(|realm| realm != Realm::Operator))
            .count();
        let ring = self.ring(&others);
        let (next, rest): (Vec<&Place>, Vec<&Place>) =
            others.into_iter().filter(open).partition(|p| p.sighting.node.is_some_and(|n| ring.contains(&n)));
        wanted.extend(next);
        let left = OWN_LINKS.saturating_sub(linked);
        // Who is in its pause takes nobody's turn.
        let (mut ready, waiting): (Vec<&Place>, Vec<&Place>) =
            rest.into_iter().partition(|place| place.trying.is_some() || place.next <= now);
        let later = if ready.len() < left { waiting.iter().map(|place| place.next).min() } else { None };
        ready.sort_by_key(|place| (place.trying.is_none(), place.failures, place.spread));
        wanted.extend(ready.into_iter().take(left));
        (wanted, later)
    }

    fn is_asked_for(&self, place: &Place) -> bool {
        place.sighting.node.is_some_and(|node| self.asked_for.contains(&node))
    }

    /// The next nodes on the ring of keys.
    fn ring(&self, others: &[&Place]) -> BTreeSet<NodeId> {
        let nodes: BTreeSet<NodeId> = others.iter().filter_map(|place| place.sighting.node).collect();
        nodes.range(self.me..).chain(nodes.range(..self.me)).take(RING).copied().collect()
    }
}

/// How many nodes these places are of, as far as it is known: one node may have several.
fn count(places: &[&Place]) -> usize {
    let nodes: BTreeSet<NodeId> = places.iter().filter_map(|place| place.sighting.node).collect();
    nodes.len() + places.iter().filter(|place| place.sighting.node.is_none()).count()
}

/// Whether a link is wanted with whoever is there, however many others there are. A gateway is the operator's, and where a
/// person gave an address, a link is wanted; of others only a certificate tells.
fn always(place: &Place, known: &Known<'_>) -> bool {
    match (place.sighting.via, place.sighting.node.as_ref().and_then(known.realm)) {
        (Via::Address, _) => true,
        (_, Some(realm)) => realm == Realm::Operator,
        (via, None) => via == Via::Gateway && !place.guessed,
    }
}

fn fail(place: &mut Place, now: Timestamp, rng: &mut SmallRng) {
    let pause = FIRST_PAUSE.saturating_mul(1 << place.failures.min(16)).min(LAST_PAUSE);
    place.failures = place.failures.saturating_add(1);
    place.next = after(now, pause.mul_f64(rng.random_range(0.5..1.5)));
}

fn spread(me: &NodeId, (place, node): &Name) -> [u8; 8] {
    let mut bytes = me.bytes().to_vec();
    bytes.extend(place.as_bytes());
    bytes.extend(node.iter().flat_map(NodeId::bytes));
    *echo_core::Digest::of(&bytes).0.first_chunk().expect("a digest has 32 bytes")
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
