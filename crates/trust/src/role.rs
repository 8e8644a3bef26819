//! What a key is for. One key has one role, and a signature counts only in its role.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a key may sign. Written in `snake_case`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyRole {
    /// The trust registry itself.
    Root,
    /// The operator's decisions: policies, exports, operator documents.
    Operator,
    /// Playbooks, intakes and scan policies.
    PlaybookAuthor,
    /// Device manifests.
    DeviceIssuer,
    /// Checkpoints of the provenance log.
    GenesisLedger,
    /// Checkpoints of the revenue log.
    AeternaLedger,
    /// Receipts, invoices and settlements.
    Receipts,
    /// Attestations: fulfilment proofs and incidents.
    Attestor,
    /// Access tokens.
    Session,
    /// Cosignatures on the checkpoints of others' logs.
    Witness,
    /// What the platform's own node says in the mesh. Its manifest certifies it, as any node's does: it stands in the
    /// keystore, and in no registry.
    Node,
}

impl KeyRole {
    /// Every role that the trust registry gives keys: all but [`Self::Node`].
    pub const ALL: [Self; 10] = [
        Self::Root,
        Self::Operator,
        Self::PlaybookAuthor,
        Self::DeviceIssuer,
        Self::GenesisLedger,
        Self::AeternaLedger,
        Self::Receipts,
        Self::Attestor,
        Self::Session,
        Self::Witness,
    ];

    /// The role's name, as files carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Operator => "operator",
            Self::PlaybookAuthor => "playbook_author",
            Self::DeviceIssuer => "device_issuer",
            Self::GenesisLedger => "genesis_ledger",
            Self::AeternaLedger => "aeterna_ledger",
            Self::Receipts => "receipts",
            Self::Attestor => "attestor",
            Self::Session => "session",
            Self::Witness => "witness",
            Self::Node => "node",
        }
    }
}

impl fmt::Display for KeyRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_messages_use_one_name() {
        for role in KeyRole::ALL.into_iter().chain([KeyRole::Node]) {
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
    }
}
