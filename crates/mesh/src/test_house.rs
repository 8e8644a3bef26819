//! An operator with keys, a registry and nodes, for this crate's tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use echo_core::{Currency, CustomerId, Money, Timestamp};
use serde_json::json;
use trust::{
    Envelope, KeyPair, KeyRecord, KeyRole, KeyState, LogKey, NodeManifest, NodeRevocations, Registry,
    RevokedNode, RoleKeys, TrustChain, did::did_key, keystore::KeyAlgorithm,
};

use crate::{CallDoc, Grant, GrantedSkill, Me, NodeId, Trust, document::digest_of};
use governance::{Deprecated, DeprecationNotice, NoticeKind};

/// The skill that everybody here has.
pub(crate) const SKILL: &str = "diagnostics.probe";
/// The origin of the operator's ledger.
pub(crate) const GENESIS: &str = "echo.test/genesis";
/// An idempotency key.
pub(crate) const KEY: &str = "0197c3f0-a1b2-7c3d-8e4f-5a6b7c8d9e0f";

pub(crate) struct House {
    pub(crate) keys: BTreeMap<KeyRole, KeyPair>,
    pub(crate) registry: Registry,
    pub(crate) chain: TrustChain,
}

/// A node with its key.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) key: KeyPair,
    pub(crate) manifest: NodeManifest,
    pub(crate) certificate: Envelope,
}

impl Node {
    pub(crate) fn id(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }

    pub(crate) fn me(&self) -> Me {
        Me {
            manifest: self.manifest.clone(),
            certificate: self.certificate.clone(),
            token: Some("token".into()),
        }
    }
}

impl House {
    pub(crate) fn new() -> Self {
        let keys: BTreeMap<KeyRole, KeyPair> =
            (1_u8..).zip(KeyRole::ALL).map(|(seed, role)| (role, key(seed))).collect();
        let records: Vec<KeyRecord> = keys.iter().map(|(role, key)| record(*role, key)).collect();
        let mut registry = Registry::founding(&records, at("2027-01-01"), at("2028-01-01"));
        let signs = ed25519_dalek::SigningKey::from_bytes(&keys[&KeyRole::GenesisLedger].secret());
        let vkey = ledger::vkey_of(GENESIS, &signs.verifying_key());
        registry.logs.insert("genesis".to_owned(), LogKey { origin: GENESIS.to_owned(), vkey });
        let chain = TrustChain::create(&registry, &keys[&KeyRole::Root]).unwrap();
        Self { keys, registry, chain }
    }

    pub(crate) fn key(&self, role: KeyRole) -> &KeyPair {
        &self.keys[&role]
    }

    pub(crate) fn trust(&self) -> Trust {
        Trust::new(self.chain.clone(), self.chain.fingerprint(), None, &[]).unwrap()
    }

    /// The next version of the registry, changed by `edit`. The root signs it.
    pub(crate) fn next(&mut self, edit: impl FnOnce(&mut Registry)) -> Envelope {
        let mut next = self.registry.clone();
        next.version += 1;
        edit(&mut next);
        self.chain.extend(&next, &[&self.keys[&KeyRole::Root]]).unwrap();
        self.registry = next;
        self.chain.versions().last().unwrap().clone()
    }

    /// The node number `seed` of the customer of this number, or of the operator; it counts in 2027.
    pub(crate) fn node(&self, seed: u8, customer: Option<u8>) -> Node {
        self.certified(&manifest(&key(seed), customer.map(self::customer)), &key(seed))
    }

    pub(crate) fn certified(&self, manifest: &NodeManifest, key: &KeyPair) -> Node {
        let certificate = manifest.certify(self.key(KeyRole::DeviceIssuer)).unwrap();
        Node { key: key.clone(), manifest: manifest.clone(), certificate }
    }

    pub(crate) fn revocations(&self, version: u64, nodes: &[&Node]) -> Envelope {
        let entry = |node: &&Node| RevokedNode {
            did: node.id().to_string(),
            since: at("2027-03-01"),
            reason: "stolen".to_owned(),
        };
        let list =
            NodeRevocations { version, at: at("2027-03-02"), nodes: nodes.iter().map(entry).collect() };
        list.sign(self.key(KeyRole::DeviceIssuer)).unwrap()
    }

    /// Notice number `nth`: the playbook author's key goes out of use on the first of July.
    pub(crate) fn notice(&self, nth: u8) -> Envelope {
        self.notice_of(nth, KeyRole::PlaybookAuthor)
    }

    pub(crate) fn notice_of(&self, nth: u8, role: KeyRole) -> Envelope {
        let notice = DeprecationNotice {
            id: format!("notice_0197c3f0a1b27c3d8e4f5a6b7c8d9e{nth:02x}").parse().unwrap(),
            kind: NoticeKind::Retirement,
            keys: vec![Deprecated { role, key: self.key(role).id() }],
            replaced_by: Vec::new(),
            issued: at("2027-02-01").checked_add(Duration::from_secs(nth.into())).unwrap(),
            warn_from: at("2027-02-01"),
            refuse_from: at("2027-07-01"),
            actions: Vec::new(),
            text: "yearly".to_owned(),
            registry_version: 2,
        };
        notice.sign(&[self.key(KeyRole::Operator)]).unwrap()
    }

    /// A grant for `holder`, charged to the customer of this number.
    pub(crate) fn grant(&self, holder: &Node, charged: u8, edit: impl FnOnce(&mut Grant)) -> Envelope {
        let mut grant = grant(holder.id(), charged);
        edit(&mut grant);
        grant.sign(self.key(KeyRole::Operator)).unwrap()
    }
}

/// A grant of three calls in May.
pub(crate) fn grant(holder: NodeId, charged: u8) -> Grant {
    Grant {
        id: "grant_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        holder,
        case: "case_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        customer: customer(charged),
        skills: vec![GrantedSkill {
            skill: SKILL.to_owned(),
            sku: "probe".to_owned(),
            unit_price: Money::new(250, Currency::EUR),
        }],
        most_calls: 3,
        from: at("2027-05-01"),
        until: at("2027-06-01"),
    }
}

/// A call of `from` to `to` that `grant` pays for.
pub(crate) fn call(from: &Node, to: &Node, grant: &Envelope) -> CallDoc {
    CallDoc {
        key: KEY.to_owned(),
        from: from.id(),
        to: to.id(),
        skill: SKILL.to_owned(),
        input: json!({"depth": 0.1, "what": "all"}),
        grant: digest_of(grant),
        made: at("2027-05-10"),
        deadline: at("2027-05-11"),
    }
}

pub(crate) fn manifest(key: &KeyPair, customer: Option<CustomerId>) -> NodeManifest {
    NodeManifest {
        device: "dev_0197c3f0a1b27c3d8e4f5a6b7c8d9e0f".parse().unwrap(),
        customer,
        name: "front desk".to_owned(),
        public_key: key.public(),
        did: did_key(&key.public()),
        capabilities: vec![SKILL.to_owned()],
        agents: Vec::new(),
        skus: Vec::new(),
        endpoints: Vec::new(),
        issued: at("2027-01-01"),
        expires: at("2028-01-01"),
    }
}

/// What an executor offers.
pub(crate) fn skills() -> BTreeSet<String> {
    BTreeSet::from([SKILL.to_owned()])
}

pub(crate) fn key(seed: u8) -> KeyPair {
    KeyPair::from_secret(&[seed; 32])
}

pub(crate) fn customer(nth: u8) -> CustomerId {
    format!("cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e{nth:02x}").parse().unwrap()
}

/// The beginning of `day` in UTC.
pub(crate) fn at(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().unwrap()
}

/// The registry's role in the hands of another key.
pub(crate) fn handed_over(registry: &mut Registry, role: KeyRole, to: &KeyPair) {
    registry.roles.insert(role, RoleKeys::single(to.public()));
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
