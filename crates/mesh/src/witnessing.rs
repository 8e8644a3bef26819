//! Nodes remember one another's ledgers, so that nobody is shown another one than everybody else.
//!
//! Who keeps a ledger asks its neighbours to cosign each newer head (C2SP tlog-witness, carried in the mesh's messages);
//! a neighbour does so when the ledger grew from what it cosigned last, which is durable before the cosignature leaves.
//! Neighbours tell one another the newest heads that they cosigned. Two heads of one size with two roots, both signed by
//! the ledger's key, are a fork that anybody can check from the two notes alone ([`ForkProof`]): it travels to every node,
//! is kept for ever, and nobody cosigns that ledger any more. Heads of two sizes for which the ledger has no proof that
//! one begins with the other are a [`Suspicion`].
//!
//! A node cosigns the ledgers that the trust registry names, with its own key under its own `did:key`
//! ([`NodeId::witness_key`]). Heads tell sizes and roots, and nothing of any customer.

mod cosign;
mod doubts;
mod fork;
mod keeper;
mod logs;
mod memory;
mod state;
mod view;
mod word;

use std::time::Duration;

use ed25519_dalek::{SigningKey, VerifyingKey};
use trust::KeyPair;
use witness::{Cosigner, WitnessKey};

use crate::NodeId;

pub(crate) use self::state::{Deed, Witnessing};
pub use self::{
    fork::{ForkError, ForkProof, Forked, Suspicion},
    memory::{Cosigned, Memory, Remembered},
    view::{CosignerView, HeadView, SuspicionView, WitnessingView},
    word::{CosignAnswer, Word},
};

/// The most ledgers that are known: as many as a trust registry may name.
pub const MAX_LOGS: usize = trust::registry::MAX_LOGS;
/// The most ledgers that are remembered: those that the registry names now and named before. What was cosigned is never
/// forgotten, so no other is cosigned then.
pub const MAX_REMEMBERED: usize = 4 * MAX_LOGS;
/// The most bytes of a ledger's signed head between nodes: a checkpoint and its own signature.
pub const MAX_NOTE_BYTES: usize = 2 * 1024;
/// The most bytes of a request to cosign: 63 hashes and a head.
pub const MAX_COSIGN_BYTES: usize = 8 * 1024;
/// The most neighbours that are asked to cosign heads of a ledger at a time; the others have their turn later.
pub const MAX_ASKED: usize = 64;
/// How long a neighbour is left in peace between two heads of one ledger, and between two tellings.
pub const PAUSE: Duration = Duration::from_secs(10);
/// What a neighbour may say of ledgers at once, and each second; more is not looked at.
pub const WORDS: (u64, u64) = (32, 2);
/// The most proofs of growth that are kept at hand, and that are waited for.
const MAX_PROOFS: usize = 256;
/// How many heads of one ledger are remembered while the node runs, to hold others against.
const MAX_PAST: usize = 32;
/// How many heads that were checked are remembered, so that none is checked twice.
const MAX_CHECKED: usize = 64;

impl NodeId {
    /// The key under which the node cosigns heads (C2SP tlog-cosignature, Ed25519): its own, named by its `did:key`. What
    /// a node signs otherwise are DSSE envelopes, which no cosignature can be taken for.
    pub fn witness_key(&self) -> WitnessKey {
        let key = VerifyingKey::from_bytes(&self.bytes()).ok();
        key.and_then(|key| WitnessKey::new(&self.to_string(), key).ok())
            .expect("a node's key is a good key, and a did:key can name one")
    }
}

fn cosigner(key: &KeyPair) -> Cosigner {
    let name = NodeId::of(&key.public()).to_string();
    Cosigner::new(&name, SigningKey::from_bytes(&key.secret())).expect("a did:key can name a key")
}

#[cfg(test)]
mod test_log;
#[cfg(test)]
mod tests;
