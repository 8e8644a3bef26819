//! One end of the discovery benchmark on Echo's own endpoint: `mesh_lan wait|come`. README.md beside this file says what is
//! on stdout.
//!
//! All of it is on the way: multicast, the signed offer and its checks, ICE, DTLS, the streams. Both ends are of one house,
//! whose keys are no secret.

use std::{
    collections::BTreeMap,
    error::Error,
    io::Write as _,
    sync::{Arc, RwLock},
};

use echo_core::{Mint, Timestamp};
use mesh::{Stream, Trust};
use mesh_link::{Config, Endpoint, LinkEvent};
use serde_json::json;
use trust::{
    KeyPair, KeyRecord, KeyRole, KeyState, NodeManifest, Registry, TrustChain, did::did_key,
    keystore::KeyAlgorithm,
};

type Failure = Box<dyn Error>;

fn say(what: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", json!({ what: true }))?;
    Ok(out.flush()?)
}

/// A node of the house.
fn config(seed: u8) -> Result<Config, Failure> {
    let (created, expires): (Timestamp, Timestamp) =
        ("2026-01-01T00:00:00Z".parse()?, "2066-01-01T00:00:00Z".parse()?);
    let keys: BTreeMap<KeyRole, KeyPair> =
        (1..).zip(KeyRole::ALL).map(|(seed, role)| (role, KeyPair::from_secret(&[seed; 32]))).collect();
    let record = |(role, key): (&KeyRole, &KeyPair)| KeyRecord {
        id: key.id(),
        algorithm: KeyAlgorithm::Ed25519,
        public: key.public(),
        role: *role,
        state: KeyState::Active,
        created,
        expires: None,
        since: None,
    };
    let records: Vec<KeyRecord> = keys.iter().map(record).collect();
    let registry = Registry::founding(&records, created, expires);
    let chain = TrustChain::create(&registry, &keys[&KeyRole::Root])?;
    let trust = Trust::new(chain.clone(), chain.fingerprint(), None, &[])?;
    let key = KeyPair::from_secret(&[seed; 32]);
    let manifest = NodeManifest {
        device: format!("dev_0197c3f0a1b27c3d8e4f5a6b7c8d9e{seed:02x}").parse()?,
        customer: Some("cus_0197c3f0a1b27c3d8e4f5a6b7c8d9e01".parse()?),
        name: format!("node {seed}"),
        public_key: key.public(),
        did: did_key(&key.public()),
        capabilities: Vec::new(),
        issued: created,
        expires,
        agents: Vec::new(),
        skus: Vec::new(),
        endpoints: Vec::new(),
    };
    let certificate = manifest.certify(&keys[&KeyRole::DeviceIssuer])?;
    Ok(Config::new(key, manifest, certificate, Arc::new(RwLock::new(trust)), Mint::system()))
}

async fn run(seed: u8, comes: bool) -> Result<(), Failure> {
    let (endpoint, mut events) = Endpoint::start(config(seed)?).await?;
    say("looks")?;
    while let Some(event) = events.recv().await {
        match event {
            LinkEvent::Sighted(sighting) => {
                endpoint.connect(sighting);
            }
            LinkEvent::Up { link, .. } if comes => {
                endpoint.send(link, Stream::Rpc, true, vec![1])?;
            }
            LinkEvent::Received { .. } if comes => return say("first_byte"),
            LinkEvent::Received { link, stream, binary, bytes } => {
                endpoint.send(link, stream, binary, bytes)?;
            }
            _ => {}
        }
    }
    Err("the endpoint ended".into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    match std::env::args().nth(1).as_deref() {
        Some("wait") => run(101, false).await,
        Some("come") => run(102, true).await,
        _ => Err("usage: mesh_lan wait|come".into()),
    }
}
