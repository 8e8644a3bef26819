//! A house with keys, a trust chain and content, for this crate's tests.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, path::Path};

use echo_core::{Digest, Timestamp};
use semver::Version;
use trust::{KeyPair, KeyRecord, KeyRole, KeyState, LogKey, Registry, TrustChain, keystore::KeyAlgorithm};

use crate::{Bundle, Judge, Plan, build};

pub const ORIGIN: &str = "echo.local/genesis/1";

pub struct House {
    pub keys: BTreeMap<KeyRole, KeyPair>,
    pub registry: Registry,
    pub chain: TrustChain,
}

pub fn at(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().unwrap()
}

pub fn log_key() -> ed25519_dalek::SigningKey {
    ed25519_dalek::SigningKey::from_bytes(&[77; 32])
}

impl House {
    pub fn new() -> Self {
        Self::with_seed(1)
    }

    pub fn with_seed(seed: u8) -> Self {
        let keys: BTreeMap<KeyRole, KeyPair> = (seed..)
            .zip(KeyRole::ALL)
            .map(|(seed, role)| (role, KeyPair::from_secret(&[seed; 32])))
            .collect();
        let records: Vec<KeyRecord> = keys
            .iter()
            .map(|(role, key)| KeyRecord {
                id: key.id(),
                algorithm: KeyAlgorithm::Ed25519,
                public: key.public(),
                role: *role,
                state: KeyState::Active,
                created: at("2027-01-01"),
                expires: None,
                since: None,
            })
            .collect();
        let mut registry = Registry::founding(&records, at("2027-01-01"), at("2028-01-01"));
        let vkey = ledger::vkey_of(ORIGIN, &log_key().verifying_key());
        registry.logs.insert("genesis".to_owned(), LogKey { origin: ORIGIN.to_owned(), vkey });
        let chain = TrustChain::create(&registry, &keys[&KeyRole::Root]).unwrap();
        Self { keys, registry, chain }
    }

    pub fn root(&self) -> Digest {
        self.chain.fingerprint()
    }

    pub fn judge(&self) -> Judge {
        Judge { root: self.root(), known: None, now: at("2027-06-01"), policy: None }
    }

    pub fn build(&self, from: &Path, to: &Path, version: &str) -> Bundle {
        self.build_from(from, to, version, version)
    }

    pub fn build_from(&self, from: &Path, to: &Path, version: &str, floor: &str) -> Bundle {
        let plan = Plan {
            from,
            to,
            version: Version::parse(version).unwrap(),
            floor: Version::parse(floor).unwrap(),
            made: at("2027-02-01"),
            key: &self.keys[&KeyRole::Operator],
            chain: &self.chain,
        };
        build(&plan, &mut |_| {}).unwrap();
        Bundle::open(to).unwrap()
    }

    /// A next version of the registry in which the operator's key is another one.
    pub fn retire_operator(&mut self, until: Timestamp) -> KeyPair {
        let old = self.keys[&KeyRole::Operator].clone();
        let new = KeyPair::from_secret(&[99; 32]);
        let mut next = self.registry.clone();
        next.version += 1;
        next.role_mut(KeyRole::Operator).unwrap().keys = vec![new.public()];
        next.retired.push(trust::Retirement {
            role: KeyRole::Operator,
            key: old.public(),
            threshold: 1,
            until,
            reason: "yearly".to_owned(),
        });
        self.chain.extend(&next, &[&self.keys[&KeyRole::Root]]).unwrap();
        self.registry = next;
        self.keys.insert(KeyRole::Operator, new);
        old
    }
}

/// Bytes that hardly shrink, and are the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Text that shrinks, and is the same for the same seed.
pub fn text(seed: u64, lines: usize) -> Vec<u8> {
    (0..lines)
        .flat_map(|line| format!("line {line} of {seed}: {}\n", (line as u64 * 7919) ^ seed).into_bytes())
        .collect()
}

pub fn put(folder: &Path, path: &str, bytes: &[u8], mode: u32) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    if path.exists() {
        fs::remove_file(&path).unwrap();
    }
    durable::write(&path, bytes, durable::Mode::Public).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Content with a program of many chunks, one that shares chunks with it, documents, and an empty file.
pub fn content(folder: &Path) {
    let program = noise(1, 900_000);
    put(folder, "bin/echo_cli", &program, 0o755);
    put(folder, "bin/echo_os_prime", &[&program[..], &text(2, 20_000)].concat(), 0o755);
    put(folder, "documents/handbook.md", &text(3, 4_000), 0o644);
    put(folder, "documents/de/handbuch.md", &text(4, 40), 0o644);
    put(folder, "sbom/empty", b"", 0o644);
    put(folder, "ledger/genesis/checkpoint", b"a checkpoint\n", 0o600);
}
