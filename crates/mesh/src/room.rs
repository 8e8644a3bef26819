//! One realm as one node sees it: its members, their records, the ways to them. A node of a customer has one; a node of
//! the operator has one for each customer whose nodes it met, and the operator's own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use echo_core::Timestamp;
use rand::{rngs::SmallRng, seq::SliceRandom as _};
use trust::Envelope;

use crate::{
    Message, NodeId, Realm, RealmTag,
    membership::Members,
    presence::{Sealed, Table, renewal},
    route::{self, Way},
    wire::{Head, MAX_HEADS, MAX_RECORDS},
};

/// The most realms that a node of the operator takes part in.
pub const MAX_ROOMS: usize = 4_096;
/// To how many neighbours a record is passed on; the others have it from somebody else, or ask.
const FANOUT: usize = 6;
/// How long records gather before they are passed on together.
const GATHER: Duration = Duration::from_millis(200);
/// How often a neighbour is asked whether it knows the same.
const SYNC: Duration = Duration::from_secs(20);
/// How often records that have ended are put away.
const SWEEP: Duration = Duration::from_secs(10);
/// The shortest time between two records of one node.
const GAP: Duration = Duration::from_secs(1);
/// The most bytes of records in one message, so that it fits the control stream.
const MAX_BATCH: usize = 60 * 1024;

/// One realm.
pub(crate) struct Room {
    pub(crate) realm: Realm,
    pub(crate) tag: RealmTag,
    pub(crate) members: Members,
    pub(crate) table: Table,
    /// The neighbours that were asked for the members that they know, since their links came up.
    pub(crate) greeted: BTreeSet<NodeId>,
    seq: u64,
    publish: Timestamp,
    published: Option<Timestamp>,
    fresh: BTreeMap<NodeId, BTreeSet<NodeId>>,
    flush: Option<Timestamp>,
    sync: Timestamp,
    /// The neighbour that came last, to be asked next. Of many that come at once one is asked: they know the same.
    ask: Option<NodeId>,
    sweep: Timestamp,
    ways: Option<BTreeMap<NodeId, Way>>,
}

/// Something that a room wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Put away what has ended.
    Sweep,
    /// Sign and tell the own record.
    Publish,
    /// Pass gathered records on.
    Flush,
    /// Ask a neighbour whether it knows the same.
    Sync,
}

impl Room {
    pub(crate) fn new(realm: Realm, me: NodeId, seed: u64, now: Timestamp) -> Self {
        let life = u64::try_from(now.as_millisecond()).unwrap_or(0);
        Self {
            tag: realm.tag(),
            realm,
            members: Members::new(me, life, seed),
            table: Table::default(),
            greeted: BTreeSet::new(),
            seq: life,
            publish: now,
            published: None,
            fresh: BTreeMap::new(),
            flush: None,
            sync: after(now, SYNC),
            ask: None,
            sweep: after(now, SWEEP),
            ways: None,
        }
    }

    /// When [`Room::tick`] wants to be called.
    pub(crate) fn deadline(&self) -> Timestamp {
        let own = self.publish.min(self.sync).min(self.sweep);
        [self.flush, self.members.deadline()].into_iter().flatten().fold(own, Timestamp::min)
    }

    /// What is due. The times of what is due are moved on.
    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<Chore> {
        self.members.tick(now);
        if self.members.reborn() {
            self.republish(now);
        }
        let mut due = Vec::new();
        if self.sweep <= now {
            self.sweep = after(now, SWEEP);
            due.push(Chore::Sweep);
        }
        if self.publish <= now {
            due.push(Chore::Publish);
        }
        if self.flush.is_some_and(|at| at <= now) {
            due.push(Chore::Flush);
        }
        if self.sync <= now {
            self.sync = after(now, SYNC);
            due.push(Chore::Sync);
        }
        due
    }

    /// The links of this node, or its life, have changed: its record is made anew, but not too often.
    pub(crate) fn republish(&mut self, now: Timestamp) {
        self.ways = None;
        let members = u32::try_from(self.table.len()).unwrap_or(u32::MAX);
        let gap = GAP + GAP.saturating_mul(members) / 50;
        let earliest = self.published.map_or(now, |published| after(published, gap));
        self.publish = self.publish.min(earliest.max(after(now, GATHER)));
    }

    /// A neighbour came: it is asked soon whether it knows the same.
    pub(crate) fn came(&mut self, now: Timestamp, node: NodeId) {
        self.greeted.remove(&node);
        self.ask = Some(node);
        self.sync = self.sync.min(after(now, GATHER));
        self.republish(now);
    }

    /// The neighbour to ask before all others.
    pub(crate) fn take_newcomer(&mut self) -> Option<NodeId> {
        self.ask.take()
    }

    /// The number of the next own record, which is made now. Numbers grow with the clock, so that a node that starts
    /// again goes on where it was.
    pub(crate) fn next_seq(&mut self, now: Timestamp) -> u64 {
        let clock = u64::try_from(now.as_millisecond()).unwrap_or(0);
        self.seq = clock.max(self.seq.saturating_add(1));
        self.published = Some(now);
        self.publish = after(now, renewal(self.table.len()));
        self.seq
    }

    /// A record of this node that it does not remember goes round: the next one must be newer.
    pub(crate) fn outdo(&mut self, now: Timestamp, seq: u64) {
        if seq > self.seq {
            self.seq = seq;
            self.publish = now;
        }
    }

    /// A record is new here; `from` has it already.
    pub(crate) fn pass_on(&mut self, now: Timestamp, node: NodeId, from: Option<NodeId>) {
        self.fresh.insert(node, from.into_iter().collect());
        self.flush.get_or_insert(after(now, GATHER));
    }

    /// `from` has the record of `node` as well.
    pub(crate) fn has(&mut self, node: &NodeId, from: NodeId) {
        if let Some(seen) = self.fresh.get_mut(node) {
            seen.insert(from);
        }
    }

    /// What is to be passed on to whom.
    pub(crate) fn flush(
        &mut self,
        me: NodeId,
        neighbours: &[NodeId],
        rng: &mut SmallRng,
    ) -> Vec<(NodeId, Message)> {
        self.flush = None;
        let mut parcels: BTreeMap<NodeId, Vec<Arc<Sealed>>> = BTreeMap::new();
        for (node, seen) in std::mem::take(&mut self.fresh) {
            let Some(present) = self.table.get(&node) else { continue };
            // Those beside a node have its record from itself: without it they would find no ways. Further off some are
            // enough, who pass it on.
            let beside = |n: &NodeId| node != me && present.neighbours().contains(n);
            let mut open: Vec<NodeId> = neighbours
                .iter()
                .filter(|n| **n != node && !seen.contains(n) && !beside(n))
                .copied()
                .collect();
            if node != me {
                open.shuffle(rng);
                open.truncate(FANOUT);
            }
            for to in open {
                parcels.entry(to).or_default().push(Arc::clone(&present.sealed));
            }
        }
        parcels
            .into_iter()
            .flat_map(|(to, records)| batches(&records).into_iter().map(move |message| (to, message)))
            .collect()
    }

    /// The own heads after `after` and up to `upto`, in messages that each tell one part of them.
    pub(crate) fn heads(&self, after: Option<NodeId>, upto: Option<NodeId>, ask: bool) -> Vec<Message> {
        let heads = self.table.heads(after, upto);
        let mut parts: Vec<&[Head]> = heads.chunks(MAX_HEADS).collect();
        let last = parts.pop().unwrap_or_default();
        let (realm, mut begin) = (self.tag, after);
        let mut messages = Vec::with_capacity(parts.len() + 1);
        for part in parts {
            let end = part.last().map(|head| head.node);
            messages.push(Message::Heads { realm, after: begin, upto: end, heads: part.to_vec(), ask });
            begin = end;
        }
        messages.push(Message::Heads { realm, after: begin, upto, heads: last.to_vec(), ask });
        messages
    }

    /// The way to each node.
    pub(crate) fn ways(&mut self, me: NodeId, neighbours: &[NodeId]) -> &BTreeMap<NodeId, Way> {
        let table = &self.table;
        self.ways.get_or_insert_with(|| ways(table, me, neighbours, &[]))
    }

    /// The way to a node, as it was last worked out by [`Room::ways`].
    pub(crate) fn known_way(&self, to: &NodeId) -> Option<Way> {
        self.ways.as_ref()?.get(to).copied()
    }

    /// The way to `to` that leads through nobody in `without`.
    pub(crate) fn way(
        &mut self,
        me: NodeId,
        neighbours: &[NodeId],
        to: &NodeId,
        without: &[NodeId],
    ) -> Option<Way> {
        let way = self.ways(me, neighbours).get(to).copied()?;
        if !without.contains(&way.next) {
            return Some(way);
        }
        ways(&self.table, me, neighbours, without).get(to).copied()
    }

    /// Ways have changed.
    pub(crate) fn lose_way(&mut self) {
        self.ways = None;
    }
}

fn ways(table: &Table, me: NodeId, neighbours: &[NodeId], without: &[NodeId]) -> BTreeMap<NodeId, Way> {
    let lists = table.iter().map(|(node, present)| (*node, present.neighbours())).collect();
    route::ways(me, neighbours, &lists, without)
}

/// Records in as few messages as their bounds allow.
pub(crate) fn batches(records: &[Arc<Sealed>]) -> Vec<Message> {
    let mut messages = Vec::new();
    let mut batch: Vec<Envelope> = Vec::new();
    let mut bytes = 0;
    for sealed in records {
        // A signature and the words around it take some 300 bytes.
        let size = sealed.envelope.payload.len() + 400;
        if batch.len() >= MAX_RECORDS || (bytes + size > MAX_BATCH && !batch.is_empty()) {
            messages.push(Message::Presence { records: std::mem::take(&mut batch) });
            bytes = 0;
        }
        bytes += size;
        batch.push(sealed.envelope.clone());
    }
    if !batch.is_empty() {
        messages.push(Message::Presence { records: batch });
    }
    messages
}

pub(crate) fn after(now: Timestamp, pause: Duration) -> Timestamp {
    now.checked_add(pause).unwrap_or(Timestamp::MAX)
}
