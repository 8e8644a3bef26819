//! A house with keys and a registry, for this crate's tests.

use std::collections::BTreeMap;

use echo_core::Timestamp;

use crate::{
    chain::TrustChain,
    key::KeyPair,
    keystore::{KeyAlgorithm, KeyRecord, KeyState},
    registry::Registry,
    role::KeyRole,
};

pub(crate) struct House {
    pub(crate) keys: BTreeMap<KeyRole, KeyPair>,
    pub(crate) registry: Registry,
}

impl House {
    pub(crate) fn new() -> Self {
        let keys: BTreeMap<KeyRole, KeyPair> = (1_u8..)
            .zip(KeyRole::ALL)
            .map(|(seed, role)| (role, KeyPair::from_secret(&[seed; 32])))
            .collect();
        let records: Vec<KeyRecord> = keys.iter().map(|(role, key)| record(*role, key)).collect();
        let registry = Registry::founding(&records, at("2027-01-01"), at("2028-01-01"));
        Self { keys, registry }
    }

    pub(crate) fn key(&self, role: KeyRole) -> &KeyPair {
        &self.keys[&role]
    }

    pub(crate) fn chain(&self) -> TrustChain {
        TrustChain::create(&self.registry, self.key(KeyRole::Root)).unwrap()
    }
}

fn record(role: KeyRole, key: &KeyPair) -> KeyRecord {
    KeyRecord {
        id: key.id(),
        algorithm: KeyAlgorithm::Ed25519,
        public: key.public(),
        role,
        state: KeyState::Active,
        created: at("2027-01-01"),
        expires: None,
        since: None,
    }
}

/// The beginning of `day` in UTC.
pub(crate) fn at(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().unwrap()
}

/// A key of nobody.
pub(crate) fn stranger() -> KeyPair {
    KeyPair::from_secret(&[200; 32])
}
