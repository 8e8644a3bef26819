//! What a node asks of the program that it runs in.

use echo_core::Digest;
use mesh::{NodeId, news::News, witnessing::ForkProof};
use serde_json::Value;
use trust::{Envelope, NodeManifest};

/// What the program has to do.
#[derive(Debug)]
pub enum Ask {
    /// A skill, once; then [`crate::Daemon::executed`].
    Execute {
        /// The call.
        call: Digest,
        /// What to do.
        skill: String,
        /// What to do it on.
        input: Value,
        /// Who asks.
        caller: Box<NodeManifest>,
    },
    /// Keep another node's pulses; then [`crate::Daemon::pulses_kept`].
    Pulses {
        /// Whose.
        from: NodeId,
        /// Signed by it.
        batch: Envelope,
    },
    /// Keep acknowledgements of notices; then [`crate::Daemon::acks_kept`].
    Acks {
        /// Who brought them.
        from: NodeId,
        /// The acknowledgements.
        acks: Vec<Envelope>,
    },
    /// Settle receipts; then [`crate::Daemon::settled`].
    Settle {
        /// Whose.
        from: NodeId,
        /// Answers, calls and grants, in the same order.
        answers: Vec<Envelope>,
        /// The calls.
        calls: Vec<Envelope>,
        /// The grants.
        grants: Vec<Envelope>,
    },
    /// A ledger is proven to have two histories: raise an incident, once, however often this is said.
    Forked(Box<ForkProof>),
    /// Show that the ledger of `to` entries on this machine begins with the one of `from`; then [`crate::Daemon::proven`].
    Prove {
        /// Which ledger.
        origin: String,
        /// The smaller size.
        from: u64,
        /// The larger size.
        to: u64,
    },
    /// Another node cosigned a head of a ledger on this machine.
    Cosigned {
        /// Who.
        from: NodeId,
        /// The signed head.
        note: String,
        /// The cosignature, a signature line with its line feed.
        line: String,
    },
    /// This device's pulses are kept up to here: forget them.
    PulsesKept(u64),
    /// Save what was learned of trust.
    Trust(News),
    /// Somebody refuses this node for the papers that it shows, or its own trust registry has expired: look for newer ones.
    /// Said again now and then while it is so. A claim: nobody signs a refusal.
    Papers,
}
