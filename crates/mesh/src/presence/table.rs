//! The records of one realm, and what has ended.

use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Included, Unbounded},
    sync::Arc,
};

use echo_core::{Digest, Timestamp};
use trust::NodeManifest;

use super::{MAX_LIFETIME, MAX_RECORDS_KEPT, Offering, Sealed};
use crate::{NodeId, Realm, wire::Head};

/// A node that says it is there.
#[derive(Debug, Clone)]
pub(crate) struct Present {
    pub(crate) sealed: Arc<Sealed>,
    pub(crate) manifest: Arc<NodeManifest>,
    pub(crate) realm: Realm,
    /// When its record ends, by this node's clock.
    pub(crate) until: Timestamp,
}

impl Present {
    /// What it offers and may offer.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &Offering> {
        let allowed = &self.manifest.capabilities;
        self.sealed.record.capabilities.iter().filter(move |offering| allowed.contains(&offering.skill))
    }

    /// Whether it offers `capability`.
    pub(crate) fn can(&self, capability: &str) -> bool {
        self.offers().any(|offering| offering.skill == capability)
    }

    /// Its record's neighbours.
    pub(crate) fn neighbours(&self) -> &[NodeId] {
        &self.sealed.record.neighbours
    }
}

/// What became of a record that was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// It is newer than what was known. Whether its neighbours are others than before.
    News {
        /// Whether routes may have changed.
        neighbours: bool,
    },
    /// It was known, or is older, or has ended.
    Known,
    /// There is no room.
    Full,
}

/// The records of one realm.
#[derive(Debug, Default)]
pub(crate) struct Table {
    nodes: BTreeMap<NodeId, Present>,
    /// Records that have ended, with the time until which they may not come back.
    ended: BTreeMap<NodeId, (u64, Timestamp)>,
    digest: Option<Digest>,
}

impl Table {
    /// Whether a record with this number would be news.
    pub(crate) fn would_be_news(&self, node: &NodeId, seq: u64) -> bool {
        self.nodes.get(node).is_none_or(|present| present.sealed.record.seq < seq)
            && self.ended.get(node).is_none_or(|(ended, _)| *ended < seq)
    }

    /// Takes a record whose node was admitted.
    pub(crate) fn hear(
        &mut self,
        now: Timestamp,
        sealed: Arc<Sealed>,
        manifest: Arc<NodeManifest>,
        realm: Realm,
    ) -> Heard {
        let record = &sealed.record;
        if !self.would_be_news(&record.node, record.seq) {
            return Heard::Known;
        }
        let before = self.nodes.get(&record.node);
        if before.is_none() && self.nodes.len() >= MAX_RECORDS_KEPT {
            return Heard::Full;
        }
        let neighbours = before.is_none_or(|before| before.neighbours() != record.neighbours);
        let until = now.checked_add(record.lifetime()).unwrap_or(Timestamp::MAX);
        let node = record.node;
        self.ended.remove(&node);
        self.nodes.insert(node, Present { sealed, manifest, realm, until });
        self.digest = None;
        Heard::News { neighbours }
    }

    /// The record of `node`.
    pub(crate) fn get(&self, node: &NodeId) -> Option<&Present> {
        self.nodes.get(node)
    }

    /// Every node with its record, in order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&NodeId, &Present)> {
        self.nodes.iter()
    }

    /// How many records there are.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Ends the records whose time has come, and those that `wrong` picks; who they were of.
    pub(crate) fn sweep(&mut self, now: Timestamp, mut wrong: impl FnMut(&Present) -> bool) -> Vec<NodeId> {
        let gone: Vec<NodeId> = self
            .nodes
            .iter()
            .filter(|(_, present)| present.until <= now || wrong(present))
            .map(|(node, _)| *node)
            .collect();
        let until = now.checked_add(MAX_LIFETIME).unwrap_or(Timestamp::MAX);
        for node in &gone {
            if let Some(present) = self.nodes.remove(node)
                && self.ended.len() < MAX_RECORDS_KEPT
            {
                self.ended.insert(*node, (present.sealed.record.seq, until));
            }
            self.digest = None;
        }
        self.ended.retain(|_, (_, until)| *until > now);
        gone
    }

    /// The digest of all nodes and numbers: two tables that know the same have the same.
    pub(crate) fn digest(&mut self) -> Digest {
        *self.digest.get_or_insert_with(|| {
            let mut bytes = Vec::with_capacity(self.nodes.len() * 40);
            for (node, present) in &self.nodes {
                bytes.extend(node.bytes());
                bytes.extend(present.sealed.record.seq.to_be_bytes());
            }
            Digest::of(&bytes)
        })
    }

    /// The number of every node after `after` and up to `upto`, in order.
    pub(crate) fn heads(&self, after: Option<NodeId>, upto: Option<NodeId>) -> Vec<Head> {
        let part = self.part(after, upto);
        part.map(|(node, p)| Head { node: *node, seq: p.sealed.record.seq }).collect()
    }

    /// What the neighbour lacks that has `heads` after `after` and up to `upto`.
    pub(crate) fn newer_than(
        &self,
        after: Option<NodeId>,
        upto: Option<NodeId>,
        heads: &[Head],
    ) -> Vec<Arc<Sealed>> {
        let theirs: BTreeMap<NodeId, u64> = heads.iter().map(|head| (head.node, head.seq)).collect();
        self.part(after, upto)
            .filter(|(node, present)| {
                theirs.get(node).is_none_or(|theirs| *theirs < present.sealed.record.seq)
            })
            .map(|(_, present)| Arc::clone(&present.sealed))
            .collect()
    }

    /// The nodes after `after` and up to `upto`; none where these are the wrong way round.
    fn part(&self, after: Option<NodeId>, upto: Option<NodeId>) -> impl Iterator<Item = (&NodeId, &Present)> {
        let empty = matches!((after, upto), (Some(after), Some(upto)) if after >= upto);
        let range = (after.map_or(Unbounded, Excluded), upto.map_or(Unbounded, Included));
        (!empty).then(|| self.nodes.range(range)).into_iter().flatten()
    }

    /// Whether a neighbour with these `heads` knows something newer.
    pub(crate) fn lacks(&self, heads: &[Head]) -> bool {
        heads.iter().any(|head| self.would_be_news(&head.node, head.seq))
    }
}
