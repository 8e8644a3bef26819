//! Every transfer of a node: what is sent and what is received share their links and their bounds here.

mod receive;
mod send;

use std::collections::{BTreeMap, VecDeque};

use echo_core::Timestamp;
use trust::KeyPair;

use super::{
    DRAINED, FileDone, FileJob, PartKey, Say, TransferId, TransferView, incoming::Incoming,
    outgoing::Outgoing,
};
use crate::{Link, NodeId, room::after};

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Act {
    /// Say this on the bulk stream.
    Say(Link, Say),
    /// Send this piece.
    Piece(Link, Vec<u8>),
    /// Have the shell do this.
    Job(FileJob),
    /// A neighbour broke a rule that no good neighbour breaks.
    Shut(Link, String),
}

/// Whether a piece was waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Took {
    /// It was; credit bounds how many come.
    Waited,
    /// Nobody waits for it: it was on its way when the transfer ended, or is noise.
    Unasked,
}

/// Every transfer.
pub(crate) struct Transfers {
    me: NodeId,
    key: KeyPair,
    out: BTreeMap<TransferId, Outgoing>,
    into: BTreeMap<PartKey, Incoming>,
    /// What is still on its way to whom, of transfers that broke off, and until when that counts.
    drains: Vec<(NodeId, u64, Timestamp)>,
    /// Whose turn it was to read.
    turn: TransferId,
    numbers: u64,
    due: Timestamp,
    acts: VecDeque<Act>,
}

impl Transfers {
    pub(crate) fn new(me: NodeId, key: KeyPair) -> Self {
        Self {
            me,
            key,
            out: BTreeMap::new(),
            into: BTreeMap::new(),
            drains: Vec::new(),
            turn: TransferId([0; 16]),
            numbers: 0,
            due: Timestamp::MAX,
            acts: VecDeque::new(),
        }
    }

    /// What to do next.
    pub(crate) fn act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }

    /// When [`Transfers::pump`] is wanted, if nothing happens.
    pub(crate) fn deadline(&self) -> Timestamp {
        self.due
    }

    /// The nodes that something waits for.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.out.values().map(|transfer| transfer.to)
    }

    /// A neighbour said something.
    pub(crate) fn said(&mut self, now: Timestamp, link: Link, from: NodeId, say: Say) {
        match say {
            Say::Offer { id, name, size, digest } => {
                self.offered(now, link, PartKey { from, id }, &name, (size, digest));
            }
            Say::Cancel { id } => self.withdrawn(now, link, PartKey { from, id }),
            answer => self.answered(now, link, from, answer),
        }
    }

    /// A link is up: who waited for it goes on.
    pub(crate) fn linked(&mut self, now: Timestamp) {
        if !self.out.is_empty() {
            self.due = now;
        }
    }

    /// A link is gone.
    pub(crate) fn unlinked(&mut self, now: Timestamp, link: Link) {
        for transfer in self.out.values_mut().filter(|transfer| transfer.known_on == Some(link)) {
            transfer.known_on = None;
            if transfer.link() == Some(link) {
                transfer.wait(now, "the link is down");
                self.due = now;
            }
        }
        let cut: Vec<PartKey> =
            self.into.iter().filter(|(_, part)| part.link == Some(link)).map(|(key, _)| *key).collect();
        for key in cut {
            self.cut(key);
        }
    }

    /// The shell has done something.
    pub(crate) fn done(&mut self, now: Timestamp, done: FileDone) {
        match done {
            FileDone::Read { number, id, result } => self.read(now, number, id, result),
            FileDone::Opened { number, part, result } => self.opened(now, number, part, result),
            FileDone::Done { number, part, result } => self.worked(now, number, part, result),
        }
    }

    /// Somebody here wants it no more.
    pub(crate) fn cancel(&mut self, now: Timestamp, id: TransferId) {
        self.cancel_sending(now, id);
        let parts: Vec<PartKey> = self.into.keys().filter(|key| key.id == id).copied().collect();
        for key in parts {
            self.cancel_receiving(key);
        }
    }

    /// How each stands.
    pub(crate) fn views(&self, now: Timestamp) -> Vec<TransferView> {
        let out = self.out.values().map(|transfer| transfer.view(now));
        out.chain(self.into.iter().map(|(key, part)| part.view(now, key))).collect()
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn say(&mut self, link: Link, say: Say) {
        self.acts.push_back(Act::Say(link, say));
    }

    /// What a transfer that breaks off has on its way counts for a while.
    fn drain(&mut self, now: Timestamp, to: NodeId, bytes: u64) {
        self.drains.retain(|(_, _, until)| now < *until);
        if bytes > 0 {
            let until = after(now, DRAINED);
            self.drains.push((to, bytes, until));
            self.due = self.due.min(until);
        }
    }
}
