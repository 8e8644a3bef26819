//! The registry's history: every version, each vouched for by the one before (TUF's root rules).
//!
//! The first version is signed by its own root and pinned by readers through its fingerprint. Version N+1
//! needs the threshold of version N's root and of its own (The Update Framework 1.0.34, section 5.3). So a
//! reader who once learned the fingerprint follows every later change of keys without asking anyone.

use std::{fmt::Write as _, path::Path};

use durable::Mode;
use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    dsse::Envelope,
    key::KeyPair,
    registry::{REGISTRY_TYPE, Registry, TrustError},
    role::KeyRole,
};

/// The chain's file in the home directory.
pub const REGISTRY_FILE: &str = "sovereign_trust_registry.json";
/// The root statement for people, beside it.
pub const ROOT_STATEMENT_FILE: &str = "Sovereign_Trust_Root.md";
/// The most bytes the chain's file may have.
pub const MAX_CHAIN_BYTES: u64 = 16 * 1024 * 1024;
/// The most versions a chain may have.
pub const MAX_VERSIONS: usize = 1024;

/// Every version of a trust registry, oldest first; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustChain {
    versions: Vec<Envelope>,
    fingerprint: Digest,
}

/// The file's shape.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainFile {
    versions: Vec<Envelope>,
}

impl TrustChain {
    /// A new chain: version 1, signed by `root` alone.
    pub fn create(registry: &Registry, root: &KeyPair) -> Result<Self, TrustError> {
        let chain = Self::from_versions(vec![signed(registry, &[root])?])?;
        chain.newest()?;
        Ok(chain)
    }

    /// Reads the chain in `home`.
    pub fn load(home: &Path) -> Result<Self, TrustError> {
        let path = home.join(REGISTRY_FILE);
        match durable::read(&path, MAX_CHAIN_BYTES)? {
            Some(bytes) => Self::from_json(&bytes),
            None => Err(TrustError::Missing(path)),
        }
    }

    /// Reads a chain's bytes. Nothing is believed yet: see [`TrustChain::verify`].
    pub fn from_json(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() as u64 > MAX_CHAIN_BYTES {
            return Err(TrustError::Malformed(format!("larger than {MAX_CHAIN_BYTES} bytes")));
        }
        let file: ChainFile =
            serde_json::from_slice(bytes).map_err(|e| TrustError::Malformed(e.to_string()))?;
        Self::from_versions(file.versions)
    }

    fn from_versions(versions: Vec<Envelope>) -> Result<Self, TrustError> {
        if versions.len() > MAX_VERSIONS {
            return Err(TrustError::Malformed(format!("more than {MAX_VERSIONS} versions")));
        }
        let first =
            versions.first().ok_or_else(|| TrustError::Malformed("it holds no version".to_owned()))?;
        let fingerprint = Digest::of(&unchecked(first)?);
        Ok(Self { versions, fingerprint })
    }

    /// The chain as bytes: one line of JSON, the same for the same chain.
    pub fn to_json(&self) -> Vec<u8> {
        let file = ChainFile { versions: self.versions.clone() };
        serde_json::to_vec(&file).expect("strings and lists of strings always become JSON")
    }

    /// Writes the chain and the root statement for people into `home`.
    pub fn save(&self, home: &Path) -> Result<(), TrustError> {
        let statement = self.root_statement(&self.newest()?);
        durable::write(&home.join(REGISTRY_FILE), &self.to_json(), Mode::Public)?;
        durable::write(&home.join(ROOT_STATEMENT_FILE), statement.as_bytes(), Mode::Public)?;
        Ok(())
    }

    /// Writes the root statement into `home` anew unless it stands there as it should. Nobody reads it back, so one that
    /// was changed would tell people a wrong fingerprint until the next version.
    pub fn restate(&self, home: &Path) -> Result<(), TrustError> {
        let statement = self.root_statement(&self.newest()?);
        let path = home.join(ROOT_STATEMENT_FILE);
        let there = durable::read(&path, MAX_CHAIN_BYTES).ok().flatten();
        if there.as_deref() != Some(statement.as_bytes()) {
            durable::write(&path, statement.as_bytes(), Mode::Public)?;
        }
        Ok(())
    }

    /// Every version's envelope, oldest first.
    pub fn versions(&self) -> &[Envelope] {
        &self.versions
    }

    /// The SHA-256 of version 1's payload: what readers pin.
    pub fn fingerprint(&self) -> Digest {
        self.fingerprint
    }

    /// The newest registry, once the whole chain stands on the pinned root and has not expired at `now`.
    pub fn verify(&self, pinned: &Digest, now: Timestamp) -> Result<Registry, TrustError> {
        in_force(self.rooted(pinned)?, now)
    }

    /// Takes `offered` in place of this chain, which a reader kept, once it stands on the pinned root, only adds
    /// to what is known, and has not expired at `now` (The Update Framework 1.0.34, sections 5.3.5 and 5.3.10:
    /// against rollback and freeze). Whether it added anything; on an error the chain is as it was.
    pub fn advance(&mut self, offered: Self, pinned: &Digest, now: Timestamp) -> Result<bool, TrustError> {
        let newest = offered.rooted(pinned)?;
        let (known, given) = (self.versions.len(), offered.versions.len());
        let both = self.versions.iter().zip(&offered.versions);
        for (version, (ours, theirs)) in (1..).zip(both) {
            if ours.payload != theirs.payload {
                return Err(TrustError::Forked { version });
            }
        }
        if given < known {
            return Err(TrustError::RolledBack { known, offered: given });
        }
        in_force(newest, now)?;
        if given > known {
            *self = offered;
        }
        Ok(given > known)
    }

    /// The newest registry, once the whole chain stands on the pinned root.
    fn rooted(&self, pinned: &Digest) -> Result<Registry, TrustError> {
        if self.fingerprint != *pinned {
            return Err(TrustError::WrongRoot { pinned: *pinned, found: self.fingerprint });
        }
        self.newest()
    }

    /// Adds `next`, signed by `signers`, who must meet the thresholds of the newest root and of `next`'s.
    /// An expired chain may be extended. On an error the chain is as it was.
    pub fn extend(&mut self, next: &Registry, signers: &[&KeyPair]) -> Result<(), TrustError> {
        self.append(signed(next, signers)?).map(drop)
    }

    /// Adds the version in `envelope`, whose signatures were gathered elsewhere; they must meet the same
    /// thresholds as those of [`TrustChain::extend`]. On an error the chain is as it was.
    pub fn append(&mut self, envelope: Envelope) -> Result<Registry, TrustError> {
        if self.versions.len() >= MAX_VERSIONS {
            return Err(TrustError::Malformed(format!("more than {MAX_VERSIONS} versions")));
        }
        let next = follow(&self.newest()?, &envelope)?;
        self.versions.push(envelope);
        Ok(next)
    }

    /// The newest registry by the chain's own signatures, whatever the time and whoever pinned it: for the
    /// owner of the chain, who renews it. Everybody else calls [`TrustChain::verify`].
    pub fn newest(&self) -> Result<Registry, TrustError> {
        let mut versions = self.versions.iter();
        let first = versions.next().expect("a chain is never empty");
        let mut newest = parse(&unchecked(first)?)?;
        accept(&newest, 1, first)?;
        for envelope in versions {
            newest = follow(&newest, envelope)?;
        }
        Ok(newest)
    }

    fn root_statement(&self, newest: &Registry) -> String {
        let mut text = format!(
            "# Sovereign trust root\n\n\
             Fingerprint: `{fingerprint}`\n\n\
             This is the root of trust of this Echo. Everything that it signs (playbooks, device manifests,\n\
             receipts, invoices, proofs, ledger checkpoints) can be traced to this one fingerprint. Publish it where\n\
             others can find it, and compare it by another way (on paper, by voice) before you rely on it.\n\n\
             The registry in force is version {version}, made on {created}. It must be renewed before {expires}.\n\n\
             ## How to check\n\n\
             The fingerprint is the SHA-256 of the first version of `{REGISTRY_FILE}`. With common tools:\n\n\
             ```sh\n\
             jq -r '.versions[0].payload' {REGISTRY_FILE} | base64 -d | sha256sum\n\
             ```\n\n\
             Each later version is signed by the root keys of the version before and by its own, so whoever pinned the\n\
             fingerprint can follow every change of keys. A registry with another fingerprint belongs to somebody else.\n\n\
             ## Who may sign what\n\n\
             | role | signatures needed | keys |\n| --- | --- | --- |\n",
            fingerprint = self.fingerprint,
            version = newest.version,
            created = newest.created,
            expires = newest.expires,
        );
        for role in KeyRole::ALL {
            let keys: Vec<String> = newest.keys(role).iter().map(|k| format!("`{k}`")).collect();
            if let Some(threshold) = newest.threshold(role) {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "| {role} | {threshold} | {} |", keys.join(" "));
            }
        }
        text
    }
}

fn signed(registry: &Registry, signers: &[&KeyPair]) -> Result<Envelope, TrustError> {
    Envelope::sign(REGISTRY_TYPE, registry, signers).map_err(|e| TrustError::Malformed(e.to_string()))
}

fn unchecked(envelope: &Envelope) -> Result<Vec<u8>, TrustError> {
    envelope.payload_unchecked().map_err(|e| TrustError::Malformed(e.to_string()))
}

fn parse(payload: &[u8]) -> Result<Registry, TrustError> {
    serde_json::from_slice(payload).map_err(|e| TrustError::Malformed(e.to_string()))
}

fn in_force(newest: Registry, now: Timestamp) -> Result<Registry, TrustError> {
    if newest.expires <= now {
        return Err(TrustError::Expired { version: newest.version, at: newest.expires });
    }
    Ok(newest)
}

/// The version in `envelope`, once it rightly follows `before`.
fn follow(before: &Registry, envelope: &Envelope) -> Result<Registry, TrustError> {
    let version = before.version.saturating_add(1);
    signed_by(before, version, "the previous", envelope)?;
    let next = parse(&unchecked(envelope)?)?;
    accept(&next, version, envelope)?;
    Ok(next)
}

/// Whether `registry` has the number that must stand here, keeps its rules, and is signed by its own root.
fn accept(registry: &Registry, version: u64, envelope: &Envelope) -> Result<(), TrustError> {
    if registry.version != version {
        return Err(TrustError::OutOfOrder { expected: version, found: registry.version });
    }
    registry.check()?;
    signed_by(registry, version, "its own", envelope)
}

fn signed_by(
    registry: &Registry,
    version: u64,
    whose: &'static str,
    envelope: &Envelope,
) -> Result<(), TrustError> {
    let threshold = registry.root.threshold as usize;
    envelope
        .verify_bytes(REGISTRY_TYPE, &registry.keys(KeyRole::Root), threshold)
        .map(drop)
        .map_err(|source| TrustError::RootSignature { version, whose, source })
}

#[cfg(test)]
mod tests;
