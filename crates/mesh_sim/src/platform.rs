//! The operator's database: one for all of its nodes, and never lost.

use std::collections::BTreeMap;

use echo_core::Digest;
use mesh::{NodeId, Trust, telemetry::check_batch, verify_settlement};
use trust::Envelope;

use crate::house::at;

#[derive(Default)]
pub(crate) struct Platform {
    /// The numbers of each node's pulses, in the order in which they were written.
    pub(crate) pulses: BTreeMap<NodeId, Vec<u64>>,
    /// Each settled call with the digest of its answer.
    pub(crate) settled: BTreeMap<Digest, Digest>,
    /// Receipts among them.
    pub(crate) receipts: usize,
    pub(crate) faults: Vec<String>,
}

impl Platform {
    /// Writes the pulses that are new; up to which number it now has them.
    pub(crate) fn keep(&mut self, from: NodeId, batch: &Envelope) -> u64 {
        let kept = self.pulses.entry(from).or_default();
        let last = kept.last().copied().unwrap_or(0);
        match check_batch(batch, &from) {
            Ok(batch) => {
                let new: Vec<u64> = batch.pulses.iter().map(|p| p.seq).filter(|seq| *seq > last).collect();
                kept.extend(new);
            }
            Err(error) => {
                self.faults.push(format!("a node gave the platform a bad batch of {from:?}: {error}"));
            }
        }
        kept.last().copied().unwrap_or(0)
    }

    /// Settles what is rightly signed, each call once; what is done with.
    pub(crate) fn settle(
        &mut self,
        trust: &Trust,
        now: i64,
        documents: impl Iterator<Item = (Envelope, Envelope, Envelope)>,
    ) -> Vec<Digest> {
        let mut done = Vec::new();
        for (answer, call, grant) in documents {
            let Ok(registry) = trust.registry(at(now)) else { continue };
            match verify_settlement(&answer, &call, &grant, &registry, at(now)) {
                Ok(settlement) => {
                    let name = mesh::digest_of(&answer);
                    match self.settled.insert(settlement.call, name) {
                        None => self.receipts += usize::from(settlement.receipt.is_some()),
                        Some(before) if before == name => {}
                        Some(_) => self.faults.push(format!("two answers to one call: {}", settlement.call)),
                    }
                    done.push(settlement.call);
                }
                Err(error) => self.faults.push(format!("a receipt that does not hold: {error}")),
            }
        }
        done
    }
}
