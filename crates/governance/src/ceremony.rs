//! A ceremony: N people on N machines sign one proposed version of the trust registry, by way of a file.
//!
//! The file carries the whole chain, so that a machine without a network can see what the proposal follows and what it
//! changes. What is signed is the proposal itself; the file around it is believed by nobody.

use std::collections::BTreeSet;

use echo_core::{Digest, RotationId};
use serde::{Deserialize, Serialize};
use trust::{
    Envelope, KeyId, KeyPair, KeyRole, PublicKey, Registry, RoleKeys, TrustChain,
    dsse::DsseError,
    registry::{MAX_TEXT, REGISTRY_TYPE},
};

use crate::{GovernanceError, changes};

/// The most bytes a ceremony's file may have: a chain and one more version.
pub const MAX_CEREMONY_BYTES: u64 = 24 * 1024 * 1024;
const FORMAT: &str = "echo-ceremony-v1";

/// A proposed version of the trust registry on its way between its signers.
#[derive(Debug, Clone, PartialEq)]
pub struct Ceremony {
    file: File,
    chain: TrustChain,
    newest: Registry,
    proposed: Registry,
}

/// The file's shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    /// The rotation that it serves, if it serves one.
    rotation: Option<RotationId>,
    /// Why, for people.
    why: String,
    /// The root that stands in the end, when the root changes.
    coming: Option<RoleKeys>,
    /// The trust chain that the proposal follows.
    chain: serde_json::Value,
    /// The proposal, with the signatures so far.
    proposed: Envelope,
}

/// Signatures that a proposal needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// Whose: `the root so far`, `the proposed root`, `the root in the end`.
    pub whose: &'static str,
    /// How many are needed.
    pub needed: usize,
    /// Who signed.
    pub signed: Vec<KeyId>,
    /// Who could sign as well.
    pub open: Vec<KeyId>,
}

impl Need {
    /// Whether enough have signed.
    pub fn is_met(&self) -> bool {
        self.signed.len() >= self.needed
    }
}

impl Ceremony {
    /// Proposes `next` as the version after the newest of `chain`.
    pub fn begin(
        chain: &TrustChain,
        next: &Registry,
        rotation: Option<RotationId>,
        coming: Option<RoleKeys>,
        why: &str,
    ) -> Result<Self, GovernanceError> {
        let refused = |e: serde_json::Error| GovernanceError::Ceremony(e.to_string());
        let file = File {
            format: FORMAT.to_owned(),
            rotation,
            why: why.to_owned(),
            coming,
            chain: serde_json::from_slice(&chain.to_json()).map_err(refused)?,
            proposed: Envelope::sign(REGISTRY_TYPE, next, &[]).map_err(refused)?,
        };
        Self::of(file)
    }

    /// Reads a ceremony's file, and checks all that can be checked without knowing whose house it is.
    pub fn from_json(bytes: &[u8]) -> Result<Self, GovernanceError> {
        if bytes.len() as u64 > MAX_CEREMONY_BYTES {
            return Err(refused(format!("it is larger than {MAX_CEREMONY_BYTES} bytes")));
        }
        Self::of(serde_json::from_slice(bytes).map_err(|e| refused(e.to_string()))?)
    }

    fn of(file: File) -> Result<Self, GovernanceError> {
        if file.format != FORMAT {
            return Err(refused(format!("its format is not `{FORMAT}`")));
        }
        if file.why.len() > MAX_TEXT || file.why.contains(char::is_control) {
            return Err(refused("its reason is not one line".to_owned()));
        }
        let json = serde_json::to_vec(&file.chain).map_err(|e| refused(e.to_string()))?;
        let chain = TrustChain::from_json(&json)?;
        let newest = chain.newest()?;
        let payload = file.proposed.payload_unchecked().map_err(|e| refused(e.to_string()))?;
        let proposed: Registry = serde_json::from_slice(&payload).map_err(|e| refused(e.to_string()))?;
        if Some(proposed.version) != newest.version.checked_add(1) {
            let (next, last) = (proposed.version, newest.version);
            return Err(refused(format!("it proposes version {next} after version {last}")));
        }
        proposed.check()?;
        if file.coming.as_ref().is_some_and(|c| c.keys.len() > trust::registry::MAX_ROLE_KEYS) {
            return Err(refused("the root in the end has too many keys".to_owned()));
        }
        let made = Self { file, chain, newest, proposed };
        made.check_signatures()?;
        Ok(made)
    }

    /// Every signature is by a key that may sign this, and is good.
    fn check_signatures(&self) -> Result<(), GovernanceError> {
        let signatures = &self.file.proposed.signatures;
        if signatures.is_empty() {
            return Ok(());
        }
        let keys = self.keys();
        let ids: BTreeSet<KeyId> = keys.iter().map(PublicKey::id).collect();
        if let Some(stranger) = signatures.iter().find(|s| !ids.contains(&s.keyid)) {
            return Err(refused(format!("it is signed by {}, who has no say in it", stranger.keyid)));
        }
        let different: BTreeSet<&KeyId> = signatures.iter().map(|s| &s.keyid).collect();
        if different.len() != signatures.len() {
            return Err(refused("somebody signed twice".to_owned()));
        }
        self.file
            .proposed
            .verify_bytes(REGISTRY_TYPE, &keys, signatures.len())
            .map(drop)
            .map_err(|e| refused(e.to_string()))
    }

    /// Everybody who may sign.
    fn keys(&self) -> Vec<PublicKey> {
        let mut keys = self.newest.keys(KeyRole::Root);
        let others = self.proposed.keys(KeyRole::Root).into_iter();
        for key in others.chain(self.file.coming.iter().flat_map(|c| c.keys.iter().copied())) {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// The file's bytes.
    pub fn to_json(&self) -> Vec<u8> {
        let mut bytes =
            serde_json::to_vec_pretty(&self.file).expect("strings and numbers always become JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The fingerprint of the house's root.
    pub fn root(&self) -> Digest {
        self.chain.fingerprint()
    }

    /// The fingerprint of what is proposed, to compare by voice: the SHA-256 of the bytes that are signed as payload.
    pub fn fingerprint(&self) -> Digest {
        let payload =
            self.file.proposed.payload_unchecked().expect("the payload was decoded when this was read");
        Digest::of(&payload)
    }

    /// The rotation that it serves, if it serves one.
    pub fn rotation(&self) -> Option<&RotationId> {
        self.file.rotation.as_ref()
    }

    /// Why, for people.
    pub fn why(&self) -> &str {
        &self.file.why
    }

    /// What is proposed.
    pub fn proposed(&self) -> &Registry {
        &self.proposed
    }

    /// What it changes, line by line.
    pub fn changes(&self) -> Vec<String> {
        changes(&self.newest, &self.proposed)
    }

    /// Signs the proposal; whether that added a signature. Refused when the key has no say in it.
    pub fn sign(&mut self, key: &KeyPair) -> Result<bool, GovernanceError> {
        let id = key.id();
        if !self.keys().iter().any(|k| k.id() == id) {
            return Err(refused(format!(
                "the key {id} is neither of the root so far nor of the proposed one"
            )));
        }
        self.change(|proposed| proposed.add_signature(key))
    }

    /// Takes the signatures of a copy; whether it had new ones. Refused when the copy proposes something else.
    pub fn merge(&mut self, other: &Self) -> Result<bool, GovernanceError> {
        if other.file.proposed.payload != self.file.proposed.payload || other.root() != self.root() {
            return Err(refused(format!(
                "one file proposes {} and another {}: they are not copies of one ceremony",
                self.fingerprint(),
                other.fingerprint()
            )));
        }
        self.change(|proposed| proposed.merge(&other.file.proposed).map(|added| added > 0))
    }

    /// Adds signatures; when one of them is not good, all is as before.
    fn change(
        &mut self,
        add: impl FnOnce(&mut Envelope) -> Result<bool, DsseError>,
    ) -> Result<bool, GovernanceError> {
        let before = self.file.proposed.clone();
        let added = add(&mut self.file.proposed).map_err(|e| refused(e.to_string()))?;
        self.check_signatures().inspect_err(|_| self.file.proposed = before)?;
        Ok(added)
    }

    /// Which signatures it needs, and has.
    pub fn needs(&self) -> Vec<Need> {
        let of = |whose, keys: &[PublicKey], needed: u32| {
            let has = |id: &KeyId| self.file.proposed.signatures.iter().any(|s| s.keyid == *id);
            let (signed, open) = keys.iter().map(PublicKey::id).partition(has);
            Need { whose, needed: needed as usize, signed, open }
        };
        let root = |registry: &Registry| registry.keys(KeyRole::Root);
        let mut needs = vec![
            of("the root so far", &root(&self.newest), self.newest.root.threshold),
            of("the proposed root", &root(&self.proposed), self.proposed.root.threshold),
        ];
        if let Some(coming) = self.file.coming.as_ref().filter(|coming| **coming != self.proposed.root) {
            needs.push(of("the root in the end", &coming.keys, coming.threshold));
        }
        needs
    }

    /// Whether enough have signed.
    pub fn is_complete(&self) -> bool {
        self.needs().iter().all(Need::is_met)
    }

    /// Whether it follows `chain` as it is now.
    pub fn follows(&self, chain: &TrustChain) -> bool {
        let payloads = |c: &TrustChain| c.versions().iter().map(|v| v.payload.clone()).collect::<Vec<_>>();
        payloads(chain) == payloads(&self.chain)
    }

    /// Adds the proposal to `chain`, once it is complete and the chain is the one that it follows.
    pub fn finish(&self, chain: &mut TrustChain) -> Result<Registry, GovernanceError> {
        if chain.fingerprint() != self.root() {
            return Err(refused("it is of another house".to_owned()));
        }
        if !self.follows(chain) {
            return Err(refused(
                "the trust registry has changed since the ceremony began: begin another one".to_owned(),
            ));
        }
        if let Some(need) = self.needs().iter().find(|need| !need.is_met()) {
            return Err(refused(format!(
                "{} of {} needed signatures of {} are there",
                need.signed.len(),
                need.needed,
                need.whose
            )));
        }
        Ok(chain.append(self.file.proposed.clone())?)
    }
}

fn refused(why: String) -> GovernanceError {
    GovernanceError::Ceremony(why)
}
