//! An operator with keys, a registry and nodes, for the targets of the mesh: always the same ones, so that what they
//! signed once is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use echo_core::{CustomerId, Timestamp};
use mesh::{Me, NodeId, Trust};
use trust::{
    Envelope, KeyPair, KeyRecord, KeyRole, KeyState, NodeManifest, Registry, TrustChain, did::did_key,
    keystore::KeyAlgorithm,
};

/// The skill that every node here has.
pub const SKILL: &str = "diagnostics.probe";

/// A node with its key.
pub struct Member {
    /// Its key.
    pub key: KeyPair,
    /// Its manifest.
    pub manifest: NodeManifest,
    /// The same, certified.
    pub certificate: Envelope,
}

/// The operator and the nodes.
pub struct House {
    /// The operator's keys.
    pub keys: BTreeMap<KeyRole, KeyPair>,
    /// The first registry.
    pub registry: Registry,
    /// What every node here knows of trust.
    pub trust: Trust,
    /// The node that reads what comes in; customer 1's.
    pub me: Member,
    /// Its neighbour, of the same customer.
    pub peer: Member,
    /// A third node of this customer, further away.
    pub third: Member,
    /// A node of the operator's, which keeps pulses and settles.
    pub platform: Member,
    /// Another customer's node.
    pub stranger: Member,
}

/// The house.
pub fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(House::new)
}

/// The time at which everything here happens: everybody's papers count.
pub fn now() -> Timestamp {
    at("2027-05-10")
}

/// The beginning of `day` in UTC.
pub fn at(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().expect("a day makes a time")
}

/// The customer of this number.
pub fn customer(nth: u8) -> CustomerId {
    format!("cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e{nth:02x}").parse().expect("an id of our own form")
}

impl Member {
    /// Its name.
    pub fn id(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }

    /// What it needs of itself to judge others.
    pub fn me(&self) -> Me {
        let (manifest, certificate) = (self.manifest.clone(), self.certificate.clone());
        Me { manifest, certificate, token: Some("token".to_owned()) }
    }
}

impl House {
    fn new() -> Self {
        let keys: BTreeMap<KeyRole, KeyPair> = (1_u8..)
            .zip(KeyRole::ALL)
            .map(|(seed, role)| (role, KeyPair::from_secret(&[seed; 32])))
            .collect();
        let records: Vec<KeyRecord> = keys.iter().map(|(role, key)| record(*role, key)).collect();
        let registry = Registry::founding(&records, at("2027-01-01"), at("2028-01-01"));
        let chain = TrustChain::create(&registry, &keys[&KeyRole::Root]).expect("the registry is sound");
        let node = |seed, customer: Option<u8>| member(&keys[&KeyRole::DeviceIssuer], seed, customer);
        Self {
            me: node(40, Some(1)),
            peer: node(41, Some(1)),
            third: node(42, Some(1)),
            platform: node(43, None),
            stranger: node(44, Some(2)),
            trust: Trust::new(chain.clone(), chain.fingerprint(), None, &[])
                .expect("the chain stands on its root"),
            registry,
            keys,
        }
    }

    /// The nodes: me, peer, third, platform, stranger.
    pub fn members(&self) -> [&Member; 5] {
        [&self.me, &self.peer, &self.third, &self.platform, &self.stranger]
    }

    /// The key of a node that is one of the house's.
    pub fn key_of(&self, node: &NodeId) -> Option<&KeyPair> {
        self.members().into_iter().find(|member| member.id() == *node).map(|member| &member.key)
    }
}

fn member(issuer: &KeyPair, seed: u8, of: Option<u8>) -> Member {
    let key = KeyPair::from_secret(&[seed; 32]);
    let services: BTreeSet<&str> = match of {
        Some(_) => BTreeSet::from([SKILL]),
        None => BTreeSet::from([SKILL, mesh::PULSES, mesh::SETTLE]),
    };
    let manifest = NodeManifest {
        device: format!("dev_0197c3f0a1b27c3d8e4f5a6b7c8d9e{seed:02x}")
            .parse()
            .expect("an id of our own form"),
        customer: of.map(customer),
        name: "front desk".to_owned(),
        public_key: key.public(),
        did: did_key(&key.public()),
        capabilities: services.into_iter().map(str::to_owned).collect(),
        agents: Vec::new(),
        skus: Vec::new(),
        endpoints: Vec::new(),
        issued: at("2027-01-01"),
        expires: at("2028-01-01"),
    };
    let certificate = manifest.certify(issuer).expect("the manifest is sound");
    Member { key, manifest, certificate }
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
