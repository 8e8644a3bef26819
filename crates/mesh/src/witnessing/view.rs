//! What a node shows of ledgers.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Forked, state::Witnessing};
use crate::NodeId;

/// What a node knows of ledgers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WitnessingView {
    /// The newest head of each ledger that this node cosigned.
    pub heads: Vec<HeadView>,
    /// Who cosigned what of the ledgers that are kept on this machine.
    pub cosigners: Vec<CosignerView>,
    /// Ledgers that are proven to have two histories.
    pub forks: Vec<Forked>,
    /// Ledgers that may have.
    pub suspicions: Vec<SuspicionView>,
    /// Ledgers that are not cosigned because the memory of them is damaged: the SHA-256 of the origin, which is the name of
    /// the file.
    pub damaged: Vec<Digest>,
}

/// A head that this node cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadView {
    /// Of which ledger: its origin line.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The root over them.
    pub root: Digest,
    /// When it was cosigned.
    pub at: Timestamp,
}

/// A neighbour that cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CosignerView {
    /// Of which ledger: its origin line.
    pub origin: String,
    /// Who.
    pub node: NodeId,
    /// How many entries the newest head has that it cosigned.
    pub size: u64,
}

/// What may be a fork.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspicionView {
    /// Of which ledger: its origin line.
    pub origin: String,
    /// The smaller head: entries and root.
    pub smaller: (u64, Digest),
    /// The larger one.
    pub larger: (u64, Digest),
    /// What was answered.
    pub why: String,
}

impl Witnessing {
    /// What it shows.
    pub(crate) fn view(&self) -> WitnessingView {
        let mut view =
            WitnessingView { damaged: self.damaged.iter().copied().collect(), ..Default::default() };
        for (origin, log) in &self.known {
            view.heads.extend(log.remembered.head.iter().map(|head| {
                HeadView {
                    origin: origin.clone(),
                    size: head.size,
                    root: head.root,
                    at: Timestamp::from_second(i64::try_from(head.at).unwrap_or(i64::MAX))
                        .unwrap_or(Timestamp::MAX),
                }
            }));
            let fork = log.remembered.fork.as_ref().and_then(|fork| fork.judge(&self.logs).ok());
            view.forks.extend(fork);
            view.suspicions.extend(log.remembered.suspicion.as_ref().and_then(|suspicion| {
                let read = |note: &str| self.logs.read(note).ok().map(|seen| (seen.head.size, seen.root()));
                Some(SuspicionView {
                    origin: origin.clone(),
                    smaller: read(&suspicion.smaller)?,
                    larger: read(&suspicion.larger)?,
                    why: suspicion.why.clone(),
                })
            }));
        }
        for (node, beside) in &self.beside {
            let cosigned = beside.turns.iter().filter_map(|(origin, turn)| {
                let size = turn.cosigned.as_ref()?.0;
                Some(CosignerView { origin: origin.clone(), node: *node, size })
            });
            view.cosigners.extend(cosigned);
        }
        view
    }
}
