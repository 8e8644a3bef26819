//! A trust registry, a gateway that it certified, and clients made by hand.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use echo_core::{CustomerId, DeviceId, ManualClock, Mint, OsEntropy, Timestamp};
use futures::{SinkExt as _, StreamExt as _};
use mesh::{
    NodeId, Trust,
    relay::{Frame, Login, RELAY_PATH},
};
use pulsenet_gateway::{Config, Gateway, Limits, router};
use tokio::{net::TcpStream, sync::watch, time::timeout};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};
use trust::{
    Envelope, KeyPair, KeyRecord, KeyRole, KeyState, NodeManifest, NodeRevocations, Registry, RevokedNode,
    TrustChain, did::did_key, keystore::KeyAlgorithm,
};

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

pub struct House {
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub clock: Arc<ManualClock>,
    pub trust: watch::Sender<Arc<Trust>>,
    /// The manifest of the gateway's own node.
    pub renew: watch::Sender<NodeManifest>,
    pub stop: watch::Sender<bool>,
    issuer: KeyPair,
}

pub fn at(day: &str) -> Timestamp {
    format!("{day}T00:00:00Z").parse().unwrap()
}

pub fn key(seed: u8) -> KeyPair {
    KeyPair::from_secret(&[seed; 32])
}

pub fn customer(n: u8) -> CustomerId {
    format!("cus_{n:032x}").parse().unwrap()
}

/// The gateway's own node.
pub fn gateway_node() -> NodeId {
    NodeId::of(&key(99).public())
}

/// Small patience, so that the tests are quick.
pub fn quick() -> Limits {
    Limits { login: Duration::from_millis(600), ..Limits::default() }
}

impl House {
    pub async fn open(limits: Limits) -> Self {
        let clock = Arc::new(ManualClock::at(at("2027-06-01")));
        let mint = Mint::new(clock.clone(), Arc::new(OsEntropy));
        let issuer = key(100);
        let keys = [(KeyRole::Root, key(101)), (KeyRole::DeviceIssuer, issuer.clone())];
        let records: Vec<KeyRecord> = keys.iter().map(|(role, key)| record(*role, key)).collect();
        let registry = Registry::founding(&records, at("2027-01-01"), at("2028-01-01"));
        let chain = TrustChain::create(&registry, &keys[0].1).unwrap();
        let pinned = chain.fingerprint();
        let (trust, trusts) = watch::channel(Arc::new(Trust::new(chain, pinned, None, &[]).unwrap()));
        let (stop, shutdown) = watch::channel(false);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (renew, own) = watch::channel(manifest(99, None, at("2028-01-01")));
        let config = Config {
            manifest: own,
            urls: vec![format!("http://{address}/")],
            trust: trusts,
            shutdown,
            mint,
            limits,
        };
        let gateway = Gateway::new(config);
        let app = router(gateway.clone()).into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { gateway, address, clock, trust, renew, stop, issuer }
    }

    pub fn url(&self) -> String {
        format!("ws://{}{RELAY_PATH}", self.address)
    }

    pub fn certified(&self, seed: u8, customer: impl Into<Option<CustomerId>>) -> Envelope {
        manifest(seed, customer.into(), at("2028-01-01")).certify(&self.issuer).unwrap()
    }

    pub fn certified_until(&self, seed: u8, until: Timestamp) -> Envelope {
        manifest(seed, Some(customer(1)), until).certify(&self.issuer).unwrap()
    }

    /// A client that is logged in.
    pub async fn client(&self, seed: u8, customer: impl Into<Option<CustomerId>>) -> Client {
        let mut client = self.connect().await;
        let manifest = self.certified(seed, customer);
        client.login(&key(seed), &manifest, &self.url()).await;
        client.welcomed().await;
        client
    }

    /// A client that was challenged.
    pub async fn connect(&self) -> Client {
        let (socket, _) = connect_async(self.url()).await.unwrap();
        let mut client = Client { socket, gateway: gateway_node(), challenge: [0; 32] };
        let bytes = client.next().await.unwrap();
        let Frame::Challenge { gateway, challenge } = Frame::decode(&bytes).unwrap() else {
            panic!("no challenge")
        };
        assert_eq!(gateway, gateway_node().bytes());
        client.challenge = *challenge;
        client
    }

    /// The news that these nodes are revoked.
    pub fn revoke(&self, seeds: &[u8]) {
        let nodes = seeds.iter().map(|seed| RevokedNode {
            did: did_key(&key(*seed).public()),
            since: at("2027-06-01"),
            reason: "stolen".to_owned(),
        });
        let list = NodeRevocations { version: 1, at: at("2027-06-01"), nodes: nodes.collect() };
        let list = list.sign(&self.issuer).unwrap();
        let mut trust = Trust::clone(&self.trust.borrow());
        assert!(trust.apply(&mesh::News::Revocations(list), at("2027-06-01")).unwrap());
        self.trust.send_replace(Arc::new(trust));
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

pub fn manifest(seed: u8, customer: Option<CustomerId>, expires: Timestamp) -> NodeManifest {
    let public_key = key(seed).public();
    NodeManifest {
        device: format!("dev_{seed:032x}").parse::<DeviceId>().unwrap(),
        customer,
        name: format!("node {seed}"),
        did: did_key(&public_key),
        public_key,
        capabilities: Vec::new(),
        agents: Vec::new(),
        skus: Vec::new(),
        endpoints: Vec::new(),
        issued: at("2027-01-01"),
        expires,
    }
}

/// One end of a connection.
pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    gateway: NodeId,
    challenge: [u8; 32],
}

impl Client {
    /// The next binary message; nothing when the connection is over.
    pub async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            match timeout(PATIENCE, self.socket.next()).await.expect("nothing came in time") {
                Some(Ok(Message::Binary(bytes))) => return Some(bytes.to_vec()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                _ => return None,
            }
        }
    }

    /// Whether nothing comes for a while.
    pub async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(200), self.socket.next()).await.is_err()
    }

    pub async fn login(&mut self, key: &KeyPair, manifest: &Envelope, url: &str) {
        let login = Login::sign(manifest, key, self.gateway, &self.challenge, url).unwrap();
        let node = NodeId::of(&key.public()).bytes();
        self.send(&Frame::Login { node, login: &login }).await;
    }

    pub async fn welcomed(&mut self) {
        let bytes = self.next().await.unwrap();
        let frame = Frame::decode(&bytes).unwrap();
        let Frame::Welcome { observed, .. } = frame else { panic!("not welcome: {frame:?}") };
        assert!(observed.ip().is_loopback());
    }

    /// The code with which the connection was ended, whatever else came before.
    pub async fn refused(&mut self) -> String {
        while let Some(bytes) = self.next().await {
            if let Frame::Refused { code, reason } = Frame::decode(&bytes).unwrap() {
                let code = code.to_owned();
                assert!(!reason.is_empty());
                assert_eq!(self.next().await, None, "a refusal is the end");
                return code;
            }
        }
        panic!("the connection ended without a word");
    }

    pub async fn send(&mut self, frame: &Frame<'_>) {
        self.raw(frame.encode()).await;
    }

    pub async fn raw(&mut self, bytes: Vec<u8>) {
        // A connection that was ended meanwhile says why to whoever reads.
        let _ = self.socket.send(Message::Binary(bytes.into())).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.socket.send(Message::Text(text.to_owned().into())).await.unwrap();
    }

    pub async fn leave(mut self) {
        self.socket.close(None).await.unwrap();
    }
}
