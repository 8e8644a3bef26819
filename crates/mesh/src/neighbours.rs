//! The links that are up, and how those at their other ends behave.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use echo_core::Timestamp;
use trust::{Envelope, NodeManifest};

use crate::{Hello, Link, NodeId, Realm, Stream, admission::Admitted, allowance::Allowance};

/// The most links of a node of a customer; who comes later is sent away.
pub const MAX_LINKS: usize = 64;
/// The most links of a node of the operator.
pub const MAX_LINKS_OPERATOR: usize = 16 * 1024;
/// The most messages that a neighbour may send at once, and each second.
pub const MESSAGES: (u64, u64) = (4_000, 500);
/// The most bytes that a neighbour may send at once, and each second.
pub const BYTES: (u64, u64) = (64 * 1024 * 1024, 32 * 1024 * 1024);
/// The most messages for others that a neighbour may hand over at once, and each second; more are dropped.
pub const FORWARDS: (u64, u64) = (1_000, 200);
/// How many faults (messages that cannot be read or are not signed) a neighbour may make; one is forgiven each second.
pub const FAULTS: (u64, u64) = (16, 1);

/// One link.
#[derive(Debug, Clone)]
pub(crate) struct Neighbour {
    pub(crate) node: NodeId,
    pub(crate) realm: Realm,
    pub(crate) manifest: Arc<NodeManifest>,
    pub(crate) certificate: Envelope,
    pub(crate) since: Timestamp,
    pub(crate) rtt_micros: Option<u64>,
    pub(crate) relayed: bool,
    pub(crate) hello: Option<Hello>,
    /// How far its clock is ahead of this one, in milliseconds, when it said hello.
    pub(crate) skew_millis: Option<i64>,
    messages: Allowance,
    bytes: Allowance,
    forwards: Allowance,
    faults: Allowance,
}

impl Neighbour {
    pub(crate) fn new(now: Timestamp, admitted: Admitted, manifest: Arc<NodeManifest>) -> Self {
        let allowance = |(most, a_second)| Allowance::new(now, most, a_second);
        Self {
            node: admitted.node,
            realm: admitted.realm,
            manifest,
            certificate: admitted.certificate,
            since: now,
            rtt_micros: None,
            relayed: false,
            hello: None,
            skew_millis: None,
            messages: allowance(MESSAGES),
            bytes: allowance(BYTES),
            forwards: allowance(FORWARDS),
            faults: allowance(FAULTS),
        }
    }

    /// Counts a message; false when it is one too many. Pieces of files are not counted: credit bounds them.
    pub(crate) fn may_send(&mut self, now: Timestamp, stream: Stream, binary: bool, bytes: usize) -> bool {
        (stream == Stream::Bulk && binary) || self.may_waste(now, bytes) && self.messages.take(now, 1)
    }

    /// Counts bytes that nobody gave credit for; false when they are too many.
    pub(crate) fn may_waste(&mut self, now: Timestamp, bytes: usize) -> bool {
        self.bytes.take(now, u64::try_from(bytes).unwrap_or(u64::MAX))
    }

    /// Counts a message for somebody else; false when it is one too many.
    pub(crate) fn may_forward(&mut self, now: Timestamp) -> bool {
        self.forwards.take(now, 1)
    }

    /// Counts a fault; false when it is one too many.
    pub(crate) fn may_err(&mut self, now: Timestamp) -> bool {
        self.faults.take(now, 1)
    }

    /// The better link has the lower: direct before relayed, then the shorter round trip, then the older.
    fn badness(&self) -> (bool, u64, Timestamp) {
        (self.relayed, self.rtt_micros.unwrap_or(u64::MAX / 2), self.since)
    }
}

/// Every link that is up.
#[derive(Debug, Default)]
pub(crate) struct Neighbours {
    links: BTreeMap<Link, Neighbour>,
    by_node: BTreeMap<NodeId, BTreeSet<Link>>,
    by_realm: BTreeMap<Realm, BTreeSet<NodeId>>,
    nodes: BTreeSet<NodeId>,
}

impl Neighbours {
    pub(crate) fn add(&mut self, link: Link, neighbour: Neighbour) {
        self.nodes.insert(neighbour.node);
        self.by_realm.entry(neighbour.realm.clone()).or_default().insert(neighbour.node);
        self.by_node.entry(neighbour.node).or_default().insert(link);
        self.links.insert(link, neighbour);
    }

    /// The link is gone; its neighbour, and whether that was the last link to it.
    pub(crate) fn remove(&mut self, link: Link) -> Option<(Neighbour, bool)> {
        let neighbour = self.links.remove(&link)?;
        let links = self.by_node.get_mut(&neighbour.node)?;
        links.remove(&link);
        let last = links.is_empty();
        if last {
            self.by_node.remove(&neighbour.node);
            self.nodes.remove(&neighbour.node);
        }
        // A node that was enrolled anew has links of two realms for a moment.
        let of_realm = |link: &Link| self.links[link].realm == neighbour.realm;
        if !self.by_node.get(&neighbour.node).is_some_and(|links| links.iter().any(of_realm))
            && let Some(nodes) = self.by_realm.get_mut(&neighbour.realm)
        {
            nodes.remove(&neighbour.node);
            if nodes.is_empty() {
                self.by_realm.remove(&neighbour.realm);
            }
        }
        Some((neighbour, last))
    }

    /// A node has shown a newer certificate than the one with which its links came up: from now on that one counts.
    pub(crate) fn certified_anew(
        &mut self,
        node: &NodeId,
        realm: &Realm,
        manifest: &Arc<NodeManifest>,
        certificate: &Envelope,
    ) {
        let age = |manifest: &NodeManifest| (manifest.issued, manifest.expires);
        for link in self.links_to(node) {
            if let Some(neighbour) = self.links.get_mut(&link)
                && neighbour.realm == *realm
                && age(&neighbour.manifest) < age(manifest)
            {
                neighbour.manifest = Arc::clone(manifest);
                neighbour.certificate = certificate.clone();
            }
        }
    }

    pub(crate) fn get(&self, link: Link) -> Option<&Neighbour> {
        self.links.get(&link)
    }

    pub(crate) fn get_mut(&mut self, link: Link) -> Option<&mut Neighbour> {
        self.links.get_mut(&link)
    }

    /// Every link.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Link, &Neighbour)> {
        self.links.iter().map(|(link, neighbour)| (*link, neighbour))
    }

    /// The nodes at their ends.
    pub(crate) fn nodes(&self) -> &BTreeSet<NodeId> {
        &self.nodes
    }

    /// The best link to `node`.
    pub(crate) fn best(&self, node: &NodeId) -> Option<Link> {
        self.by_node.get(node)?.iter().copied().min_by_key(|link| self.links[link].badness())
    }

    /// The neighbour at the best link to `node`.
    pub(crate) fn of(&self, node: &NodeId) -> Option<&Neighbour> {
        self.best(node).and_then(|link| self.links.get(&link))
    }

    /// The links to `node`, the oldest first.
    pub(crate) fn links_to(&self, node: &NodeId) -> Vec<Link> {
        self.by_node.get(node).into_iter().flatten().copied().collect()
    }

    /// The nodes that take part in `realm`, the best link first: its own and the operator's.
    pub(crate) fn of_realm(&self, realm: &Realm) -> Vec<NodeId> {
        let operators = if *realm == Realm::Operator { None } else { Some(&Realm::Operator) };
        let mut found: Vec<(_, NodeId)> = std::iter::once(realm)
            .chain(operators)
            .filter_map(|realm| self.by_realm.get(realm))
            .flatten()
            .filter_map(|node| self.of(node))
            .filter(|n| n.realm == *realm || n.realm == Realm::Operator)
            .map(|n| (n.badness(), n.node))
            .collect();
        found.sort();
        found.into_iter().map(|(_, node)| node).collect()
    }
}
