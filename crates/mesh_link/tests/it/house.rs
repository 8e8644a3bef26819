//! An operator with keys, a registry and nodes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, RwLock},
    time::Duration,
};

use echo_core::{Mint, Timestamp};
use mesh::{Message, NodeId, Sighting, Stream, Trust, Via};
use mesh_link::{Config, Endpoint, Full, LinkEvent};
use tokio::{sync::mpsc, time::timeout};
use trust::{
    Envelope, KeyPair, KeyRecord, KeyRole, KeyState, NodeManifest, NodeRevocations, Registry, RevokedNode,
    TrustChain, did::did_key, keystore::KeyAlgorithm,
};

/// The longest that anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(40);

pub fn at(text: &str) -> Timestamp {
    format!("{text}T00:00:00Z").parse().unwrap()
}

pub fn loopback() -> SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

pub struct House {
    keys: BTreeMap<KeyRole, KeyPair>,
    registry: Registry,
    chain: TrustChain,
}

/// A node: its key, and who it says it is.
#[derive(Clone)]
pub struct Node {
    pub key: KeyPair,
    pub manifest: NodeManifest,
    pub certificate: Envelope,
}

impl Node {
    pub fn id(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }
}

/// An endpoint and what happens to it.
pub struct Up {
    pub endpoint: Endpoint,
    pub events: mpsc::Receiver<LinkEvent>,
}

impl House {
    pub fn new() -> Self {
        let keys: BTreeMap<KeyRole, KeyPair> = (1_u8..)
            .zip(KeyRole::ALL)
            .map(|(seed, role)| (role, KeyPair::from_secret(&[seed; 32])))
            .collect();
        let records: Vec<KeyRecord> = keys.iter().map(|(role, key)| record(*role, key)).collect();
        let registry = Registry::founding(&records, at("2026-01-01"), at("2066-01-01"));
        let chain = TrustChain::create(&registry, &keys[&KeyRole::Root]).unwrap();
        Self { keys, registry, chain }
    }

    pub fn trust(&self) -> Trust {
        Trust::new(self.chain.clone(), self.chain.fingerprint(), None, &[]).unwrap()
    }

    /// The next version of the registry with a new device issuer; certificates are signed by it from now on.
    pub fn rotate_issuer(&mut self) {
        let issuer = KeyPair::from_secret(&[99; 32]);
        let mut next = self.registry.clone();
        next.version += 1;
        next.roles.get_mut(&KeyRole::DeviceIssuer).unwrap().keys = vec![issuer.public()];
        self.chain.extend(&next, &[&self.keys[&KeyRole::Root]]).unwrap();
        self.registry = next;
        self.keys.insert(KeyRole::DeviceIssuer, issuer);
    }

    pub fn node(&self, seed: u8) -> Node {
        self.node_with(seed, |_| {})
    }

    pub fn node_with(&self, seed: u8, edit: impl FnOnce(&mut NodeManifest)) -> Node {
        let key = KeyPair::from_secret(&[seed; 32]);
        let mut manifest = manifest(&key, seed);
        edit(&mut manifest);
        let certificate = manifest.certify(&self.keys[&KeyRole::DeviceIssuer]).unwrap();
        Node { key, manifest, certificate }
    }

    pub fn revocation(&self, node: &Node) -> Message {
        let entry =
            RevokedNode { did: node.id().to_string(), since: at("2026-03-01"), reason: "stolen".to_owned() };
        let list = NodeRevocations { version: 1, at: at("2026-03-02"), nodes: vec![entry] };
        Message::Revocations { list: list.sign(&self.keys[&KeyRole::DeviceIssuer]).unwrap() }
    }

    pub fn config(&self, node: &Node) -> Config {
        let trust = Arc::new(RwLock::new(self.trust()));
        let mut config = Config::new(
            node.key.clone(),
            node.manifest.clone(),
            node.certificate.clone(),
            trust,
            Mint::system(),
        );
        (config.bind, config.http_listen) = (loopback(), Some(loopback()));
        (config.multicast, config.include_loopback) = (false, true);
        config
    }

    pub async fn up(&self, node: &Node) -> Up {
        Up::start(self.config(node)).await
    }
}

impl Up {
    pub async fn start(config: Config) -> Self {
        let (endpoint, events) = Endpoint::start(config).await.unwrap();
        Self { endpoint, events }
    }

    pub fn place(&self) -> String {
        self.endpoint.listens_at().unwrap().to_string()
    }

    pub fn look_for(&self, place: &str) {
        assert!(self.endpoint.connect(Sighting { node: None, via: Via::Address, place: place.to_owned() }));
    }

    pub fn look_behind(&self, gateway: &str, node: NodeId) {
        let place = gateway.to_owned();
        assert!(self.endpoint.connect(Sighting { node: Some(node), via: Via::Gateway, place }));
    }

    /// The next event that `wanted` makes something of; the others are passed over.
    pub async fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(LinkEvent) -> Option<T>) -> T {
        let search = async {
            loop {
                if let Some(found) = wanted(self.events.recv().await.expect("the endpoint runs")) {
                    return found;
                }
            }
        };
        let found = timeout(PATIENCE, search).await;
        found.unwrap_or_else(|_| panic!("{what} never came: {:#?}", self.endpoint.report()))
    }

    pub async fn link(&mut self) -> mesh::Link {
        self.wait("a link", |event| if let LinkEvent::Up { link, .. } = event { Some(link) } else { None })
            .await
    }

    /// The code of the next refusal, and whether we said it.
    pub async fn refusal(&mut self) -> (String, bool) {
        self.wait("a refusal", |event| match event {
            LinkEvent::Refused { code, by_us, .. } => Some((code, by_us)),
            LinkEvent::Up { .. } => panic!("it was let in"),
            _ => None,
        })
        .await
    }

    pub async fn message(&mut self) -> (Stream, Vec<u8>) {
        self.wait("a message", |event| match event {
            LinkEvent::Received { stream, bytes, .. } => Some((stream, bytes)),
            LinkEvent::Down { why, .. } => panic!("the link went down: {why}"),
            _ => None,
        })
        .await
    }

    pub async fn measured(&mut self, relayed: bool) {
        self.wait(if relayed { "a relayed path" } else { "a straight path" }, |event| match event {
            LinkEvent::Measured { relayed: found, .. } if found == relayed => Some(()),
            LinkEvent::Down { why, .. } => panic!("the link went down: {why}"),
            _ => None,
        })
        .await;
    }
}

/// Sends a message as soon as there is room for it.
pub async fn send(endpoint: &Endpoint, link: mesh::Link, stream: Stream, bytes: &[u8]) {
    while let Err(full) = endpoint.send(link, stream, true, bytes.to_vec()) {
        assert!(matches!(full, Full::Waiting(_)), "{full}");
        endpoint.room(link, stream).await;
    }
}

fn record(role: KeyRole, key: &KeyPair) -> KeyRecord {
    KeyRecord {
        id: key.id(),
        algorithm: KeyAlgorithm::Ed25519,
        public: key.public(),
        role,
        state: KeyState::Active,
        created: at("2026-01-01"),
        expires: None,
        since: None,
    }
}

fn manifest(key: &KeyPair, seed: u8) -> NodeManifest {
    NodeManifest {
        device: format!("dev_0197c3f0a1b27c3d8e4f5a6b7c8d9e{seed:02x}").parse().unwrap(),
        customer: Some("cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e01".parse().unwrap()),
        name: format!("node {seed}"),
        public_key: key.public(),
        did: did_key(&key.public()),
        capabilities: vec!["scan".to_owned()],
        issued: at("2026-01-01"),
        expires: at("2066-01-01"),
        agents: Vec::new(),
        skus: Vec::new(),
        endpoints: Vec::new(),
    }
}
