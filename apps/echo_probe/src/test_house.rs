//! A platform's keys, a device, and signed work for it, for this program's tests.

use std::collections::BTreeMap;

use device_link::{COMMAND_TYPE, Command, SignedContent, Work};
use echo_core::{CustomerId, DeviceId, Digest, Mint, Timestamp};
use governance::{Deprecated, DeprecationNotice, NoticeKind};
use trust::{
    KeyPair, KeyRecord, KeyRole, KeyState, NodeManifest, Registry, TrustChain, content, dsse::Envelope,
    keystore::KeyAlgorithm,
};

pub(crate) const PLAYBOOK: &str = "id: test-colour\nname: Colour\nversion: 1\ndescription: Paints it blue.\n\
    fixes: [1]\nrisk: low\nrollback: The old colour comes back.\n\
    steps:\n  - file_line: {path: /etc/test.conf, line: Colour blue, replaces: Colour}\n";

pub(crate) const POLICY: &str = "policy:\n  id: test\n  file: test.yml\n  name: Test\n  description: One check.\n\
    checks:\n  - id: 1\n    title: It is blue\n    condition: all\n    rules:\n      \
    - 'f:/etc/test.conf -> r:^Colour blue'\n";

pub(crate) struct House {
    keys: BTreeMap<KeyRole, KeyPair>,
    pub(crate) device: DeviceId,
    pub(crate) customer: CustomerId,
    pub(crate) device_key: KeyPair,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with_seed(1)
    }

    /// A house whose keys are not those of a house with another seed (they are at least 20 apart).
    pub(crate) fn with_seed(seed: u8) -> Self {
        let keys = (seed..)
            .zip(KeyRole::ALL)
            .map(|(seed, role)| (role, KeyPair::from_secret(&[seed; 32])))
            .collect();
        let mint = Mint::system();
        Self {
            keys,
            device: mint.id(),
            customer: mint.id(),
            device_key: KeyPair::from_secret(&[seed + 15; 32]),
        }
    }

    pub(crate) fn key(&self, role: KeyRole) -> KeyPair {
        self.keys[&role].clone()
    }

    pub(crate) fn registry(&self, version: u64) -> Registry {
        let record = |(role, key): (&KeyRole, &KeyPair)| KeyRecord {
            id: key.id(),
            algorithm: KeyAlgorithm::Ed25519,
            public: key.public(),
            role: *role,
            state: KeyState::Active,
            created: at("2027-01-01"),
            expires: None,
            since: None,
        };
        let records: Vec<_> = self.keys.iter().map(record).collect();
        Registry { version, ..Registry::founding(&records, at("2027-01-01"), at("2028-01-01")) }
    }

    pub(crate) fn chain(&self) -> TrustChain {
        TrustChain::create(&self.registry(1), &self.key(KeyRole::Root)).unwrap()
    }

    pub(crate) fn longer_chain(&self) -> TrustChain {
        let mut chain = self.chain();
        chain.extend(&self.registry(2), &[&self.key(KeyRole::Root)]).unwrap();
        chain
    }

    pub(crate) fn root(&self) -> Digest {
        self.chain().fingerprint()
    }

    pub(crate) fn manifest(&self, key: &KeyPair) -> NodeManifest {
        NodeManifest {
            device: self.device.clone(),
            customer: Some(self.customer.clone()),
            name: "test".to_owned(),
            public_key: key.public(),
            did: trust::did::did_key(&key.public()),
            capabilities: vec!["scan".to_owned()],
            agents: Vec::new(),
            skus: Vec::new(),
            endpoints: Vec::new(),
            issued: at("2027-01-01"),
            expires: at("2028-01-01"),
        }
    }

    pub(crate) fn command(&self, work: Work) -> Command {
        let mint = Mint::system();
        Command {
            id: mint.id(),
            device: self.device.clone(),
            case: mint.id(),
            call: mint.id(),
            issued: at("2027-01-31"),
            expires: at("2027-02-02"),
            work,
        }
    }

    /// A notice that the operator's key goes out of use, signed by that key.
    pub(crate) fn notice(&self, refuse_from: Timestamp) -> Envelope {
        let notice = DeprecationNotice {
            id: Mint::system().id(),
            kind: NoticeKind::Retirement,
            keys: vec![Deprecated { role: KeyRole::Operator, key: self.key(KeyRole::Operator).id() }],
            replaced_by: Vec::new(),
            issued: at("2027-01-15"),
            warn_from: at("2027-01-15"),
            refuse_from,
            actions: Vec::new(),
            text: "yearly".to_owned(),
            registry_version: 2,
        };
        notice.sign(&[&self.key(KeyRole::Operator)]).unwrap()
    }

    pub(crate) fn sign(&self, command: &Command, role: KeyRole) -> Envelope {
        Envelope::sign(COMMAND_TYPE, command, &[&self.key(role)]).unwrap()
    }

    fn signed(&self, name: &str, text: &str) -> SignedContent {
        let signature = content::sign(name, text.as_bytes(), &self.key(KeyRole::PlaybookAuthor));
        SignedContent { name: name.to_owned(), text: text.to_owned(), signature }
    }

    pub(crate) fn scan(&self) -> Work {
        Work::Scan { policy: self.signed("test.yml", POLICY) }
    }

    pub(crate) fn plan(&self) -> Work {
        Work::Plan { playbooks: vec![self.signed("test-colour.yaml", PLAYBOOK)] }
    }

    pub(crate) fn apply(&self, plan: Digest) -> Work {
        let mint = Mint::system();
        Work::Apply {
            run: mint.id(),
            change_set: mint.id(),
            plan,
            playbooks: vec![self.signed("test-colour.yaml", PLAYBOOK)],
            policy: self.signed("test.yml", POLICY),
        }
    }
}

/// The beginning of `day` in UTC.
pub(crate) fn at(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().unwrap()
}
