//! An Echo with keys, a trust chain and a ledger in memory, for this crate's tests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use echo_core::{Digest, Timestamp};
use ed25519_dalek::{Signer as _, SigningKey};
use ledger::{Entry, History};
use trust::{Envelope, KeyPair, KeyRole, LogKey, Registry, RoleKeys, Statement, Subject, TrustChain};

use crate::{
    Kind,
    document::envelope_digest,
    index::{Attested, Index, MAX_LISTED, Origin},
};

/// The beginning of `day` in UTC.
pub(crate) fn at(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().unwrap()
}

/// One Echo. `seed` tells it from others.
#[derive(Clone)]
pub(crate) struct Echo {
    seed: u8,
    pub(crate) chain: TrustChain,
    pub(crate) registry: Registry,
    pub(crate) entries: Vec<Vec<u8>>,
    attested: Vec<Attested>,
}

impl Echo {
    pub(crate) fn new(seed: u8) -> Self {
        let of = |role| RoleKeys::single(key(seed, role).public());
        let others = KeyRole::ALL.into_iter().filter(|role| *role != KeyRole::Root);
        let registry = Registry {
            root: of(KeyRole::Root),
            roles: others.map(|role| (role, of(role))).collect(),
            logs: [("genesis".to_owned(), log_key(seed))].into(),
            ..Registry::founding(&[], at("2027-01-01"), at("2028-01-01"))
        };
        let chain = TrustChain::create(&registry, &key(seed, KeyRole::Root)).unwrap();
        Self { seed, chain, registry, entries: Vec::new(), attested: Vec::new() }
    }

    pub(crate) fn root(&self) -> Digest {
        self.chain.fingerprint()
    }

    pub(crate) fn attestor(&self) -> KeyPair {
        key(self.seed, KeyRole::Attestor)
    }

    /// Enters an attestation, and something else after it.
    pub(crate) fn attest(&mut self, id: &str) {
        let subject = vec![Subject::new(format!("report/{id}"), Digest::of(id.as_bytes()))];
        let envelope = Statement::new("urn:test", subject, id).sign(&[&self.attestor()]).unwrap();
        let index = self.enter(Kind::Attestation, id, &envelope);
        self.attested.push(Attested::new(&envelope, self.entries.last().unwrap(), index).unwrap());
        self.enter(Kind::Intake, id, &envelope);
    }

    fn enter(&mut self, kind: Kind, id: &str, envelope: &Envelope) -> u64 {
        let digest = envelope_digest(envelope);
        let entry = Entry { kind: kind.to_string(), id: id.to_owned(), digest, at: at("2027-02-01") };
        self.entries.push(entry.to_bytes().unwrap());
        self.entries.len() as u64 - 1
    }

    /// The ledger's head as it was at `size` entries.
    pub(crate) fn head_at(&self, size: usize) -> String {
        let mut tree = History::default();
        self.entries[..size].iter().for_each(|e| tree.push(ledger::leaf_hash(e)));
        self.signed_head(size as u64, tree.root())
    }

    /// A head of any size over no entries, for what looks at the size alone.
    pub(crate) fn long_head(&self, size: u64) -> String {
        self.signed_head(size, [0; 32])
    }

    fn signed_head(&self, size: u64, root: [u8; 32]) -> String {
        let LogKey { origin, vkey } = log_key(self.seed);
        let text = format!("{origin}\n{size}\n{}\n", STANDARD.encode(root));
        let id = hex::decode(vkey.split('+').nth(1).unwrap()).unwrap();
        let signature = signing_key(self.seed).sign(text.as_bytes()).to_bytes();
        format!("{text}\n\u{2014} {origin} {}\n", STANDARD.encode([id.as_slice(), &signature].concat()))
    }

    pub(crate) fn head(&self) -> String {
        self.head_at(self.entries.len())
    }

    /// Its part of an index, as of now.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            root: self.root(),
            registry: 1,
            log: log_key(self.seed),
            checkpoint: self.head(),
            count: self.attested.len() as u64,
            entries: self.attested.iter().rev().take(MAX_LISTED).cloned().collect(),
        }
    }

    pub(crate) fn index(&self) -> Index {
        Index { made: at("2027-02-02"), own: self.origin(), merged: Vec::new() }
    }

    pub(crate) fn file(&self) -> Vec<u8> {
        self.index().to_file(&self.attestor()).unwrap()
    }
}

fn key(seed: u8, role: KeyRole) -> KeyPair {
    let mut secret = [seed; 32];
    secret[0] = role as u8;
    KeyPair::from_secret(&secret)
}

fn signing_key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&key(seed, KeyRole::GenesisLedger).secret())
}

fn log_key(seed: u8) -> LogKey {
    let origin = format!("echo.local/genesis/{seed}");
    LogKey { vkey: ledger::vkey_of(&origin, &signing_key(seed).verifying_key()), origin }
}
