//! What a node tells people.

use std::fmt;

use crate::{NodeId, Realm};

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Good to know.
    Info,
    /// Somebody else is at fault, or something is lost that comes again.
    Warn,
    /// A person must look.
    Error,
}

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A link to a node is up.
    Linked {
        /// Whom.
        node: NodeId,
        /// What people call it.
        name: String,
    },
    /// The last link to a node is gone.
    Unlinked {
        /// Whom.
        node: NodeId,
        /// Why.
        why: String,
    },
    /// Somebody is not let in, or no longer.
    Refused {
        /// Who, as far as it is known; else the place.
        who: String,
        /// Why, in one word: [`crate::Refusal::code`].
        code: String,
        /// Why, for people.
        reason: String,
    },
    /// A neighbour sent more than it may and was disconnected.
    Flooded {
        /// Who.
        node: NodeId,
    },
    /// A neighbour sent things that cannot be read or are not signed, and was disconnected.
    Faulty {
        /// Who.
        node: NodeId,
        /// The last of them.
        why: String,
    },
    /// A neighbour broke a rule of sending files that none breaks by chance, and was disconnected.
    OutOfTurn {
        /// Who.
        node: NodeId,
        /// Which.
        why: String,
    },
    /// News of trust that is not believed.
    NotBelieved {
        /// Who brought it.
        from: NodeId,
        /// Why.
        why: String,
    },
    /// Somebody who holds the operator's keys tells two histories.
    Forked {
        /// What was found.
        what: String,
    },
    /// A ledger may have two histories.
    Suspected {
        /// What was found.
        what: String,
    },
    /// A ledger that was suspected has shown that it has one history.
    Cleared {
        /// What it showed.
        what: String,
    },
    /// The memory of what was cosigned of a ledger is damaged, so it is not cosigned.
    Forgotten {
        /// The ledger's origin line.
        origin: String,
    },
    /// There is no room for more nodes of a realm, or for more realms.
    Full {
        /// Which.
        realm: Realm,
    },
    /// Something that came for this node is not taken.
    NotTaken {
        /// Who sent it.
        from: NodeId,
        /// Why.
        why: String,
    },
}

impl Event {
    /// How much it matters.
    pub fn level(&self) -> Level {
        match self {
            Self::Linked { .. } | Self::Unlinked { .. } | Self::Cleared { .. } => Level::Info,
            Self::Forked { .. } | Self::Forgotten { .. } => Level::Error,
            _ => Level::Warn,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Linked { node, name } => write!(f, "linked with {name} ({node})"),
            Self::Unlinked { node, why } => write!(f, "no longer linked with {node}: {why}"),
            Self::Refused { who, code, reason } => write!(f, "refused {who} ({code}): {reason}"),
            Self::Flooded { node } => write!(f, "disconnected {node}: it sends more than it may"),
            Self::Faulty { node, why } => write!(f, "disconnected {node} after many faults, the last: {why}"),
            Self::OutOfTurn { node, why } => write!(f, "disconnected {node}: {why}"),
            Self::NotBelieved { from, why } => write!(f, "news of trust from {from} is not believed: {why}"),
            Self::Forked { what } => write!(f, "two histories: {what}"),
            Self::Suspected { what } | Self::Cleared { what } => f.write_str(what),
            Self::Forgotten { origin } => write!(
                f,
                "what this node cosigned of the ledger {origin} cannot be read: it cosigns nothing of it until a person has \
                 looked; see docs/witness.md"
            ),
            Self::Full { realm } => write!(f, "no room for more nodes of {realm:?}"),
            Self::NotTaken { from, why } => write!(f, "not taken from {from}: {why}"),
        }
    }
}
