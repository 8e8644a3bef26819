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

/// One place and what came of it.
#[derive(Debug, Clone)]
struct Place {
    sighting: Sighting,
    heard: Timestamp,
    /// When it may be tried again.
    next: Timestamp,
    failures: u32,
    /// Until when an attempt is under way.
    trying: Option<Timestamp>,
    turned_away: bool,
    /// Orders the places differently for every node, and for one always the same.
    spread: [u8; 8],
}

/// Where others may be.
pub(crate) struct Places {
    me: NodeId,
    by_name: BTreeMap<String, Place>,
    rng: SmallRng,
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
        Self { me, by_name: BTreeMap::new(), rng }
    }

    /// How many places are remembered.
    pub(crate) fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Somebody may be there.
    pub(crate) fn sighted(&mut self, now: Timestamp, sighting: Sighting) {
        if sighting.node == Some(self.me) {
            return;
        }
        if let Some(place) = self.by_name.get_mut(&sighting.place) {
            place.heard = now;
            if sighting.node.is_some() && sighting.node != place.sighting.node {
                place.sighting.node = sighting.node;
                place.next = now;
                place.failures = 0;
            }
            return;
        }
        if self.by_name.len() >= MAX_PLACES {
            let oldest = self.by_name.iter().filter(|(_, p)| p.trying.is_none()).min_by_key(|(_, p)| p.heard);
            let Some(oldest) = oldest.map(|(name, _)| name.clone()) else { return };
            self.by_name.remove(&oldest);
        }
        // Of two that see one another the one with the lower key goes first, so that they seldom meet halfway.
        let first = sighting.node.is_none_or(|node| self.me < node);
        let wait = if first { 200 } else { 2_000 };
        let next = after(now, Duration::from_millis(self.rng.random_range(0..wait)));
        let name = sighting.place.clone();
        let spread = spread(&self.me, &name);
        let place =
            Place { sighting, heard: now, next, failures: 0, trying: None, turned_away: false, spread };
        self.by_name.insert(name, place);
    }

    /// An attempt has ended: with whom there, or not.
    pub(crate) fn ended(&mut self, now: Timestamp, name: &str, found: Option<NodeId>) {
        let me = self.me;
        if found == Some(me) {
            // It was this node's own announcement.
            self.by_name.remove(name);
            return;
        }
        let Some(place) = self.by_name.get_mut(name) else { return };
        place.trying = None;
        if let Some(node) = found {
            place.sighting.node = Some(node);
            place.failures = 0;
            place.next = after(now, FIRST_PAUSE);
        } else {
            let refused_until = place.turned_away.then_some(place.next);
            fail(place, now, &mut self.rng);
            place.next = place.next.max(refused_until.unwrap_or(now));
        }
    }

    /// A link to `node` is up: an attempt to reach it has done its work.
    pub(crate) fn linked(&mut self, now: Timestamp, node: &NodeId) {
        for place in self.by_name.values_mut().filter(|p| p.sighting.node == Some(*node)) {
            place.trying = None;
            place.failures = 0;
            place.next = after(now, FIRST_PAUSE);
        }
    }

    /// A link to `node` is gone: it may be tried again soon, after a pause of chance, for the others lost it too.
    pub(crate) fn lost(&mut self, now: Timestamp, node: &NodeId) {
        let pause = Duration::from_millis(self.rng.random_range(0..2_000));
        for place in self.by_name.values_mut().filter(|p| p.sighting.node == Some(*node)) {
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
    pub(crate) fn turned_away(&mut self, now: Timestamp, name: &str) {
        let pause = LAST_PAUSE.mul_f64(self.rng.random_range(0.8..1.2));
        if let Some(place) = self.by_name.get_mut(name) {
            place.turned_away = true;
            place.next = after(now, pause);
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
    pub(crate) fn deadline(&self, known: &Known<'_>) -> Option<Timestamp> {
        self.wanted(known).into_iter().map(|place| place.trying.unwrap_or(place.next)).min()
    }

    /// What to try now.
    pub(crate) fn due(&mut self, now: Timestamp, known: &Known<'_>) -> Vec<Sighting> {
        for place in self.by_name.values_mut() {
            if place.trying.is_some_and(|until| until <= now) {
                place.trying = None;
                fail(place, now, &mut self.rng);
            }
        }
        self.by_name.retain(|_, p| p.trying.is_some() || after(p.heard, FORGET_AFTER) > now);
        let under_way = self.by_name.values().filter(|p| p.trying.is_some()).count();
        let trying: BTreeSet<NodeId> =
            self.by_name.values().filter(|p| p.trying.is_some()).filter_map(|p| p.sighting.node).collect();
        let mut names: Vec<String> = self
            .wanted(known)
            .into_iter()
            .filter(|p| p.trying.is_none() && p.next <= now)
            .filter(|p| p.sighting.node.is_none_or(|node| !trying.contains(&node)))
            .map(|p| p.sighting.place.clone())
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

    /// The places where somebody is, or may be, with whom this node wants a link and has none.
    fn wanted(&self, known: &Known<'_>) -> Vec<&Place> {
        let open = |place: &&Place| place.sighting.node.is_none_or(|node| !known.linked.contains(&node));
        let realm = |place: &Place| place.sighting.node.as_ref().and_then(known.realm);
        // A gateway is the operator's, and where a person gave an address, a link is wanted; of others only a certificate
        // tells.
        let always = |place: &Place| match (place.sighting.via, realm(place)) {
            (Via::Address, _) => true,
            (via, None) => via == Via::Gateway && place.sighting.node.is_none(),
            (_, Some(realm)) => realm == Realm::Operator,
        };
        let (first, others): (Vec<&Place>, Vec<&Place>) =
            self.by_name.values().partition(|place| always(place));
        let mut wanted: Vec<&Place> = first.into_iter().filter(open).collect();
        let linked = known
            .linked
            .iter()
            .filter(|node| (known.realm)(node).is_some_and(|realm| realm != Realm::Operator))
            .count();
        if known.operator || others.len() <= WANTED_LINKS {
            wanted.extend(others.into_iter().filter(open));
            return wanted;
        }
        let ring = self.ring(&others);
        wanted
            .extend(others.iter().copied().filter(open).filter(|place| ring.contains(&place.sighting.place)));
        if linked < OWN_LINKS {
            let mut rest: Vec<&Place> = others
                .into_iter()
                .filter(open)
                .filter(|place| !ring.contains(&place.sighting.place))
                .collect();
            rest.sort_by_key(|place| place.spread);
            wanted.extend(rest.into_iter().take(OWN_LINKS - linked));
        }
        wanted
    }

    /// The places of the next nodes on the ring of keys.
    fn ring(&self, others: &[&Place]) -> BTreeSet<String> {
        let mut by_key: BTreeMap<NodeId, &str> = BTreeMap::new();
        for place in others {
            if let Some(node) = place.sighting.node {
                by_key.entry(node).or_insert(&place.sighting.place);
            }
        }
        let next = by_key.range(self.me..).chain(by_key.range(..self.me));
        next.take(RING).map(|(_, place)| (*place).to_owned()).collect()
    }
}

fn fail(place: &mut Place, now: Timestamp, rng: &mut SmallRng) {
    let pause = FIRST_PAUSE.saturating_mul(1 << place.failures.min(16)).min(LAST_PAUSE);
    place.failures = place.failures.saturating_add(1);
    place.next = after(now, pause.mul_f64(rng.random_range(0.5..1.5)));
}

fn spread(me: &NodeId, place: &str) -> [u8; 8] {
    let mut bytes = me.bytes().to_vec();
    bytes.extend(place.as_bytes());
    *echo_core::Digest::of(&bytes).0.first_chunk().expect("a digest has 32 bytes")
}

fn after(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
