//! An operator: keys, a trust registry, and what it signs.

use std::collections::BTreeMap;

use echo_core::{Currency, CustomerId, Money, SeededEntropy, Timestamp};
use mesh::{Grant, GrantedSkill, NodeId, Trust};
use trust::{
    Envelope, KeyPair, KeyRecord, KeyRole, KeyState, LogKey, NodeManifest, NodeRevocations, Registry,
    RevokedNode, TrustChain, did::did_key, keystore::KeyAlgorithm,
};

use crate::ledgers::{Ledger, ORIGIN};

/// What every customer's node can do.
pub(crate) const SKILL: &str = "diagnostics.probe";
/// When simulated time begins, in microseconds since 1970: 1 January 2027.
pub(crate) const START: i64 = 1_798_761_600_000_000;
const YEAR: i64 = 365 * 24 * 3_600 * 1_000_000;

pub(crate) struct House {
    keys: BTreeMap<KeyRole, KeyPair>,
    registry: Registry,
    chain: TrustChain,
    revoked: Vec<RevokedNode>,
    list: u64,
    grants: u64,
}

impl House {
    pub(crate) fn new(seed: u64, ledger: &Ledger) -> Self {
        let source = SeededEntropy::new(seed ^ 0x0115_e000);
        let keys: BTreeMap<KeyRole, KeyPair> =
            KeyRole::ALL.into_iter().map(|role| (role, KeyPair::generate(&source))).collect();
        let records: Vec<KeyRecord> = keys.iter().map(|(role, key)| record(*role, key)).collect();
        let mut registry = Registry::founding(&records, at(START - YEAR), at(START + 5 * YEAR));
        let log = LogKey { origin: ORIGIN.to_owned(), vkey: ledger.vkey() };
        registry.logs.insert("genesis".to_owned(), log);
        let chain =
            TrustChain::create(&registry, &keys[&KeyRole::Root]).expect("a founding registry is sound");
        Self { keys, registry, chain, revoked: Vec::new(), list: 0, grants: 0 }
    }

    /// What a machine is given when it is enrolled.
    pub(crate) fn trust(&self) -> Trust {
        Trust::new(self.chain.clone(), self.chain.fingerprint(), None, &[]).expect("it is its own root")
    }

    /// The registry in force.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The manifest of a node, certified.
    pub(crate) fn enrol(&self, key: &KeyPair, name: &str, customer: Option<u8>, expires: i64) -> Envelope {
        let manifest = manifest(key, name, customer, expires);
        manifest.certify(&self.keys[&KeyRole::DeviceIssuer]).expect("the manifest is sound")
    }

    /// A grant of the operator for calls of `holder`.
    pub(crate) fn grant(&mut self, holder: NodeId, customer: u8, most_calls: u32) -> Envelope {
        self.grants += 1;
        let grant = Grant {
            id: format!("grant_{:032x}", self.grants).parse().expect("32 digits"),
            holder,
            case: format!("case_{:032x}", 1).parse().expect("32 digits"),
            customer: self::customer(customer),
            skills: vec![GrantedSkill {
                skill: SKILL.to_owned(),
                sku: "probe".to_owned(),
                unit_price: Money::new(250, Currency::EUR),
            }],
            most_calls,
            from: at(START - YEAR / 12),
            until: at(START + YEAR / 12),
        };
        grant.sign(&self.keys[&KeyRole::Operator]).expect("the grant is sound")
    }

    /// The next list of revoked nodes, with one more.
    pub(crate) fn revoke(&mut self, node: NodeId, now: i64) -> Envelope {
        self.list += 1;
        let reason = "stolen".to_owned();
        self.revoked.push(RevokedNode { did: node.to_string(), since: at(now), reason });
        let list = NodeRevocations { version: self.list, at: at(now), nodes: self.revoked.clone() };
        list.sign(&self.keys[&KeyRole::DeviceIssuer]).expect("the list is sound")
    }

    /// The next version of the registry.
    pub(crate) fn next_version(&mut self) -> Envelope {
        self.registry.version += 1;
        self.chain.extend(&self.registry, &[&self.keys[&KeyRole::Root]]).expect("the root signs it");
        self.chain.versions().last().expect("a chain is never empty").clone()
    }
}

/// What the operator says of a node.
pub(crate) fn manifest(key: &KeyPair, name: &str, customer: Option<u8>, expires: i64) -> NodeManifest {
    let capabilities = match customer {
        Some(_) => vec![SKILL.to_owned()],
        None => ["gateway", mesh::PULSES, mesh::SETTLE].map(str::to_owned).to_vec(),
    };
    NodeManifest {
        device: format!("dev_{}", hex32(&key.public().bytes())).parse().expect("32 digits"),
        customer: customer.map(self::customer),
        name: name.to_owned(),
        public_key: key.public(),
        did: did_key(&key.public()),
        capabilities,
        agents: Vec::new(),
        skus: Vec::new(),
        endpoints: Vec::new(),
        issued: at(START - YEAR),
        expires: at(expires),
    }
}

pub(crate) fn customer(nth: u8) -> CustomerId {
    format!("cus_{:032x}", u32::from(nth) + 1).parse().expect("32 digits")
}

/// The time of some microseconds since 1970.
pub(crate) fn at(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).expect("simulated time stays in this century")
}

/// A certificate that lasts longer than any simulation.
pub(crate) fn lasting() -> i64 {
    START + YEAR
}

fn hex32(bytes: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    bytes.iter().take(16).fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn record(role: KeyRole, key: &KeyPair) -> KeyRecord {
    KeyRecord {
        id: key.id(),
        algorithm: KeyAlgorithm::Ed25519,
        public: key.public(),
        role,
        state: KeyState::Active,
        created: at(START - YEAR),
        expires: None,
        since: None,
    }
}
