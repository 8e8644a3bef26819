//! `index.json`: every version there is and was, with the digest of its file, under a code of the vault's identity.
//!
//! Names, versions and times stand in clear: the folders show them too. Whoever lacks the identity cannot make the
//! code, and the audit holds the digest of the index after each change: neither a file nor the index can be taken
//! out, exchanged or put back alone.

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    Name, SecretRef, VaultError,
    disk::{Disk, INDEX},
    envelope::MAX_VERSIONS,
    keys::{Keys, tag},
};

const FORMAT: &str = "echo-vault-index-v1";
/// The most bytes of the index.
pub const MAX_INDEX_BYTES: u64 = 8 * 1024 * 1024;
/// The most versions of all secrets together, those removed included.
pub const MAX_ENTRIES: usize = 10_000;
/// The most namespaces.
pub const MAX_NAMESPACES: usize = 1000;

/// Whether a version is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionState {
    /// It can be read.
    Live,
    /// It was removed; its number is not used again.
    Removed,
}

/// One version of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// In which namespace.
    pub namespace: Name,
    /// The secret's name.
    pub name: Name,
    /// Which version, from 1.
    pub version: u32,
    /// Whether it is there.
    pub state: VersionState,
    /// When the value was sealed.
    pub created: Timestamp,
    /// When it came into the vault.
    pub added: Timestamp,
    /// The digest of its file.
    pub digest: Digest,
    /// The digest of the sealed file that was brought, when it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Digest>,
}

impl Entry {
    /// Where its file lies.
    pub(crate) fn path(&self) -> String {
        path(&self.namespace, &self.name, self.version)
    }

    pub(crate) fn secret(&self) -> SecretRef {
        SecretRef { namespace: self.namespace.clone(), name: self.name.clone(), version: Some(self.version) }
    }

    fn is_of(&self, namespace: &Name, name: &Name) -> bool {
        self.namespace == *namespace && self.name == *name
    }
}

/// Where the file of a version lies, relative to the vault.
pub(crate) fn path(namespace: &Name, name: &Name, version: u32) -> String {
    format!("secrets/{namespace}/{name}/{version}.age")
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    format: String,
    /// How many times it was written.
    pub seq: u64,
    /// The digest of `vault.json`.
    pub description: Digest,
    /// The digest of `identity.age`.
    pub identity: Digest,
    /// Sorted by namespace, name and version.
    pub entries: Vec<Entry>,
    /// Which identity's code it carries.
    pub key: String,
    /// The code (HMAC-SHA256) of the index with an empty `check`.
    check: String,
}

impl Index {
    pub fn new(description: Digest, identity: Digest) -> Self {
        let (key, check) = (String::new(), String::new());
        Self { format: FORMAT.to_owned(), seq: 0, description, identity, entries: Vec::new(), key, check }
    }

    /// Reads the index as it stands, without checking its code.
    pub fn parse(bytes: &[u8]) -> Result<Self, VaultError> {
        let read: Self = serde_json::from_slice(bytes).map_err(|e| VaultError::damaged(INDEX, &e))?;
        if read.format != FORMAT {
            return Err(VaultError::damaged(INDEX, &format!("its format is not `{FORMAT}`")));
        }
        let sorted = read
            .entries
            .is_sorted_by(|a, b| (&a.namespace, &a.name, a.version) < (&b.namespace, &b.name, b.version));
        if !sorted || read.entries.len() > MAX_ENTRIES {
            return Err(VaultError::damaged(INDEX, &"its entries are too many or out of order"));
        }
        Ok(read)
    }

    /// The index in force and its digest.
    pub fn read(disk: &Disk) -> Result<Option<(Self, Digest)>, VaultError> {
        disk.read(INDEX, MAX_INDEX_BYTES)?
            .map(|bytes| Ok((Self::parse(&bytes)?, Digest::of(&bytes))))
            .transpose()
    }

    /// Checks the code.
    pub fn verify(&self, keys: &Keys) -> Result<(), VaultError> {
        let body = self.body();
        if self.key == keys.audit.tag && keys.index.holds(&body, &self.check) {
            Ok(())
        } else {
            Err(VaultError::tampered(INDEX, "it does not carry the code of the vault's identity"))
        }
    }

    /// The bytes of its next state, with its code.
    pub fn sealed(&mut self, keys: &Keys) -> Vec<u8> {
        self.seq += 1;
        self.key = tag(&keys.recipient);
        self.check = keys.index.code(&self.body());
        self.to_bytes()
    }

    fn body(&self) -> Vec<u8> {
        Self { check: String::new(), ..self.clone() }.to_bytes()
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self).expect("an index of strings and numbers is always JSON");
        bytes.push(b'\n');
        bytes
    }

    /// The entry of a version, or of the newest that is there.
    pub fn find(&self, secret: &SecretRef) -> Result<&Entry, VaultError> {
        let wanted = |e: &&Entry| {
            e.is_of(&secret.namespace, &secret.name)
                && e.state == VersionState::Live
                && secret.version.is_none_or(|version| e.version == version)
        };
        self.entries.iter().rfind(wanted).ok_or_else(|| VaultError::NotFound(secret.to_string()))
    }

    /// The version that a new value gets.
    pub fn next_version(&self, namespace: &Name, name: &Name) -> Result<u32, VaultError> {
        let last = self.entries.iter().rev().find(|e| e.is_of(namespace, name)).map_or(0, |e| e.version);
        let known = self.entries.iter().any(|e| e.namespace == *namespace);
        if !known && self.namespaces() >= MAX_NAMESPACES {
            return Err(VaultError::Full("it has all its namespaces".to_owned()));
        }
        if self.entries.len() >= MAX_ENTRIES || last >= MAX_VERSIONS {
            return Err(VaultError::Full(format!("{namespace}/{name} has {last} versions")));
        }
        Ok(last + 1)
    }

    fn namespaces(&self) -> usize {
        self.entries.chunk_by(|a, b| a.namespace == b.namespace).count()
    }

    /// Adds an entry at its place.
    pub fn add(&mut self, entry: Entry) {
        let key = |e: &Entry| (e.namespace.clone(), e.name.clone(), e.version);
        let place = self.entries.partition_point(|e| key(e) < key(&entry));
        self.entries.insert(place, entry);
    }

    /// Whether a sealed file was brought before.
    pub fn knows(&self, brought: &Digest) -> bool {
        self.entries.iter().any(|e| e.from == Some(*brought) || e.digest == *brought)
    }
}
