//! An operator, its nodes, and daemons that run them.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, RwLock},
    time::Duration,
};

use echo_core::{CaseId, CustomerId, Mint, Money, Timestamp};
use ed25519_dalek::SigningKey;
use ledger::Log;
use mesh::{Grant, GrantedSkill, NodeId, Trust};
use mesh_daemon::{Ask, Daemon, DaemonError, FileOptions, Options, Size};
use tempfile::TempDir;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use trust::{
    Envelope, KeyPair, KeyRecord, KeyRole, KeyState, LogKey, NodeManifest, Registry, TrustChain,
    did::did_key, keystore::KeyAlgorithm,
};

/// The origin line of the operator's ledger.
const ORIGIN: &str = "echo.test/genesis";

pub fn now() -> Timestamp {
    Mint::system().now()
}

/// Looks until it holds, at most half a minute.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..600 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came: {what}");
}

pub struct House {
    keys: BTreeMap<KeyRole, KeyPair>,
    chain: TrustChain,
    customer: CustomerId,
    folder: TempDir,
}

/// A node that is not running.
pub struct Node {
    key: KeyPair,
    manifest: NodeManifest,
    certificate: Envelope,
}

impl Node {
    pub fn id(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }
}

/// A node that runs.
pub struct Running {
    pub daemon: Daemon,
    pub asks: mpsc::Receiver<Ask>,
    task: JoinHandle<()>,
    stopping: watch::Sender<bool>,
}

impl Running {
    /// Where it takes offers.
    pub fn place(&self) -> String {
        self.daemon.listens_at().expect("it listens").to_string()
    }

    pub async fn stop(self) {
        self.stopping.send_replace(true);
        self.task.await.unwrap();
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl House {
    pub fn new() -> Self {
        let mint = Mint::system();
        let keys: BTreeMap<KeyRole, KeyPair> =
            KeyRole::ALL.into_iter().map(|role| (role, KeyPair::generate(mint.entropy()))).collect();
        let records: Vec<KeyRecord> = keys.iter().map(|(role, key)| record(*role, key)).collect();
        let mut registry =
            Registry::founding(&records, time("2026-01-01T00:00:00Z"), time("2066-01-01T00:00:00Z"));
        let signs = SigningKey::from_bytes(&keys[&KeyRole::GenesisLedger].secret());
        let vkey = ledger::vkey_of(ORIGIN, &signs.verifying_key());
        registry.logs.insert("genesis".to_owned(), LogKey { origin: ORIGIN.to_owned(), vkey });
        let chain = TrustChain::create(&registry, &keys[&KeyRole::Root]).unwrap();
        Self { keys, chain, customer: mint.id(), folder: tempfile::tempdir().unwrap() }
    }

    pub fn device(&self, name: &str) -> Node {
        self.node(name, Some(self.customer.clone()), &["diagnostics.probe"])
    }

    pub fn platform(&self) -> Node {
        self.platform_named("Echo")
    }

    pub fn platform_named(&self, name: &str) -> Node {
        self.node(name, None, &["pulses", "settle"])
    }

    /// The operator's ledger, in a folder of this name: two folders make two histories.
    pub fn ledger(&self, folder: &str) -> Log {
        let key = SigningKey::from_bytes(&self.keys[&KeyRole::GenesisLedger].secret());
        Log::open(&self.folder.path().join("ledgers").join(folder), ORIGIN, key).unwrap()
    }

    fn node(&self, name: &str, customer: Option<CustomerId>, capabilities: &[&str]) -> Node {
        let mint = Mint::system();
        let key = KeyPair::generate(mint.entropy());
        let manifest = NodeManifest {
            device: mint.id(),
            customer,
            name: name.to_owned(),
            public_key: key.public(),
            did: did_key(&key.public()),
            capabilities: capabilities.iter().map(|&c| c.to_owned()).collect(),
            agents: Vec::new(),
            skus: Vec::new(),
            endpoints: Vec::new(),
            issued: time("2026-01-02T00:00:00Z"),
            expires: time("2065-01-01T00:00:00Z"),
        };
        let certificate = manifest.certify(&self.keys[&KeyRole::DeviceIssuer]).unwrap();
        Node { key, manifest, certificate }
    }

    /// The same node, certified anew under another name.
    pub fn renamed(&self, node: &Node, name: &str) -> (NodeManifest, Envelope) {
        let manifest = NodeManifest { name: name.to_owned(), ..node.manifest.clone() };
        let certificate = manifest.certify(&self.keys[&KeyRole::DeviceIssuer]).unwrap();
        (manifest, certificate)
    }

    pub fn grant(&self, holder: NodeId) -> Envelope {
        let mint = Mint::system();
        let price = Money::new(250, "EUR".parse().unwrap());
        let case: CaseId = mint.id();
        let grant = Grant {
            id: mint.id(),
            holder,
            case,
            customer: self.customer.clone(),
            skills: vec![GrantedSkill {
                skill: "diagnostics.probe".to_owned(),
                sku: "diagnostics".to_owned(),
                unit_price: price,
            }],
            most_calls: 5,
            from: time("2026-01-02T00:00:00Z"),
            until: time("2060-01-01T00:00:00Z"),
        };
        grant.sign(&self.keys[&KeyRole::Operator]).unwrap()
    }

    /// The folder of a node's book.
    pub fn book(&self, node: &Node) -> PathBuf {
        self.folder.path().join(&node.manifest.name)
    }

    /// Where its files are.
    pub fn box_of(&self, node: &Node) -> std::path::PathBuf {
        self.folder.path().join(format!("{}-files", node.manifest.name))
    }

    pub async fn start(&self, node: &Node, peers: &[String]) -> Running {
        self.try_start(node, peers).await.unwrap()
    }

    pub async fn try_start(&self, node: &Node, peers: &[String]) -> Result<Running, DaemonError> {
        let trust = Trust::new(self.chain.clone(), self.chain.fingerprint(), None, &[]).unwrap();
        let trust = Arc::new(RwLock::new(trust));
        let (key, manifest, certificate) =
            (node.key.clone(), node.manifest.clone(), node.certificate.clone());
        let mut link = mesh_link::Config::new(key, manifest, certificate, trust, Mint::system());
        let loopback = ([127, 0, 0, 1], 0).into();
        (link.bind, link.http_listen) = (loopback, Some(loopback));
        (link.multicast, link.include_loopback) = (false, true);
        let options = Options {
            book: self.book(node),
            witnessed: self.folder.path().join(format!("{}-witnessed", node.manifest.name)),
            files: FileOptions { folder: self.box_of(node), inbox: Size(1 << 30) },
            offers: Vec::new(),
            peers: peers.to_vec(),
            link,
        };
        let (stopping, stop) = watch::channel(false);
        let (daemon, asks, task) = Daemon::start(options, stop).await?;
        Ok(Running { daemon, asks, task: tokio::spawn(task), stopping })
    }
}

fn record(role: KeyRole, key: &KeyPair) -> KeyRecord {
    KeyRecord {
        id: key.id(),
        role,
        algorithm: KeyAlgorithm::Ed25519,
        public: key.public(),
        state: KeyState::Active,
        created: time("2026-01-01T00:00:00Z"),
        expires: None,
        since: None,
    }
}
