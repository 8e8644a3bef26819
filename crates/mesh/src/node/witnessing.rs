//! Ledgers' heads and forks: what [`crate::witnessing`] wants done is done.

use echo_core::Timestamp;

use super::Node;
use crate::{
    Message, NodeId, Output,
    witnessing::{Deed, Word},
};

impl Node {
    /// A neighbour says something about a ledger.
    pub(super) fn witness_word(&mut self, now: Timestamp, from: NodeId, word: Word) {
        self.witnessing.heard(now, from, word);
        self.carry_out_deeds(now);
    }

    /// What is remembered of a ledger is durable.
    pub(super) fn witnessed_kept(&mut self, now: Timestamp, origin: &str, size: u64) {
        self.witnessing.kept(now, origin, size);
        self.carry_out_deeds(now);
    }

    /// Does what is due about ledgers.
    pub(super) fn witness(&mut self, now: Timestamp) {
        self.witnessing.tick(now, &self.trust);
        self.carry_out_deeds(now);
    }

    fn carry_out_deeds(&mut self, now: Timestamp) {
        while let Some(deed) = self.witnessing.deed() {
            match deed {
                Deed::Keep(remembered) => self.out(Output::KeepWitnessed(remembered)),
                Deed::Say(node, word) => {
                    if let Some(link) = self.neighbours.best(&node) {
                        self.say(link, &Message::Witness(Box::new(word)));
                    }
                }
                Deed::Event(event) => self.event(event),
                Deed::Prove(origin, from, to) => self.out(Output::Prove { origin, from, to }),
                Deed::Cosigned(from, note, line) => self.out(Output::Cosigned { from, note, line }),
                Deed::Fault(node, why) => {
                    if let Some(link) = self.neighbours.best(&node) {
                        self.fault(now, link, &why);
                    }
                }
            }
        }
    }
}
