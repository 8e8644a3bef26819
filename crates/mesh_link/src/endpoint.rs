//! The shell as its owner sees it: settings in, [`LinkEvent`]s out, and a handle to connect, send and look.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use echo_core::{Mint, Reach};
use mesh::{
    Admitted, Link, News, NodeId, Sighting, Stream, Trust,
    doctor::{Gateway, Interface, Multicast, Peer},
};
use tokio::sync::mpsc;
use trust::{Envelope, KeyPair, NodeManifest};

use crate::{
    actor::Actor,
    discovery::Discovery,
    flow::{Flow, Full},
    identity::Identity,
    listener::{Door, Knock, Listener},
    relay_client::{MAX_GATEWAYS, web_tls},
    session::warm_up,
    sockets::anywhere,
    turn::TurnServer,
};

/// Events that wait for the owner. While it is full nothing more is taken from the network.
pub const MAX_EVENTS: usize = 1_024;
/// Sightings that wait to be connected to; more are refused, and seen again later.
pub const MAX_CONNECTS: u64 = 256;

/// What an endpoint needs.
#[derive(Debug, Clone)]
pub struct Config {
    /// The node's key.
    pub key: Arc<KeyPair>,
    /// Its manifest.
    pub manifest: NodeManifest,
    /// The same, certified.
    pub certificate: Envelope,
    /// Who is believed. What an offer or a refusal teaches goes in here, and out as [`LinkEvent::News`].
    pub trust: Arc<RwLock<Trust>>,
    /// Time and randomness.
    pub mint: Mint,
    /// Where datagrams are sent from: one address, or the unspecified one for all of the machine's. Port 0: a free one.
    pub bind: SocketAddr,
    /// Where offers are listened for; none: only gateways bring some (or the owner's own server, by [`Endpoint::door`]).
    pub http_listen: Option<SocketAddr>,
    /// Whether to announce this node by multicast and to listen for others. Needs `http_listen`.
    pub multicast: bool,
    /// STUN servers, `host:port` each, at most [`crate::reflexive::MAX_SERVERS`].
    pub stun: Vec<String>,
    /// TURN servers, at most [`crate::turn::MAX_SERVERS`].
    pub turn: Vec<TurnServer>,
    /// Gateways, `wss://` URLs, at most [`MAX_GATEWAYS`].
    pub gateways: Vec<String>,
    /// Whether loopback addresses are candidates, too: for nodes of one machine, and for tests.
    pub include_loopback: bool,
    /// How to speak TLS with gateways.
    pub tls: Arc<rustls::ClientConfig>,
    /// How far it may reach out. Beyond, nothing is sent, dialled or looked up.
    pub reach: Reach,
}

impl Config {
    /// Every address of the machine, a listener on a free port, multicast on, no servers.
    pub fn new(
        key: KeyPair,
        manifest: NodeManifest,
        certificate: Envelope,
        trust: Arc<RwLock<Trust>>,
        mint: Mint,
    ) -> Self {
        Self {
            key: Arc::new(key),
            manifest,
            certificate,
            trust,
            mint,
            bind: anywhere(),
            http_listen: Some(anywhere()),
            multicast: true,
            stun: Vec::new(),
            turn: Vec::new(),
            gateways: Vec::new(),
            include_loopback: false,
            tls: web_tls(),
            reach: Reach::Anywhere,
        }
    }
}

/// What happened, for the owner.
#[derive(Debug)]
pub enum LinkEvent {
    /// A link is up: all streams are open, and the node at the other end was admitted.
    Up {
        /// Its name, never used twice.
        link: Link,
        /// Who is there.
        admitted: Box<Admitted>,
        /// The place that was tried; none when the other one came.
        tried: Option<String>,
    },
    /// A link is gone.
    Down {
        /// Which.
        link: Link,
        /// Why, for people.
        why: String,
    },
    /// A message came.
    Received {
        /// On which link.
        link: Link,
        /// On which stream.
        stream: Stream,
        /// Whether it is binary.
        binary: bool,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// How good a link is now; every few seconds.
    Measured {
        /// Which.
        link: Link,
        /// The round trip, in microseconds.
        rtt_micros: u64,
        /// Whether it goes through a gateway or a TURN server.
        relayed: bool,
    },
    /// Somebody may be there.
    Sighted(Sighting),
    /// Somebody was refused, or refused us.
    Refused {
        /// Who, when it is known.
        node: Option<NodeId>,
        /// Where: the place that was tried, or the address an offer came from.
        place: String,
        /// [`mesh::Refusal::code`].
        code: String,
        /// In words.
        reason: String,
        /// Whether this node refused; otherwise the other one did.
        by_us: bool,
    },
    /// An attempt has ended because the node there is connected, or about to be, in another way.
    Found {
        /// Who.
        node: NodeId,
        /// What was tried.
        place: String,
    },
    /// An attempt came to nothing.
    Failed {
        /// Who was looked for there, when it was said.
        node: Option<NodeId>,
        /// What was tried.
        place: String,
        /// Why, for people.
        why: String,
    },
    /// An offer, an answer or a refusal taught something: already in [`Config::trust`], to be saved.
    News(Box<News>),
}

/// What was seen of the network, for the doctor.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The interfaces, loopback left out.
    pub interfaces: Vec<Interface>,
    /// Whether multicast comes back.
    pub multicast: Multicast,
    /// The gateways.
    pub gateways: Vec<Gateway>,
    /// The peers and the places that were tried.
    pub peers: Vec<Peer>,
}

/// What the owner asks of the actor.
#[derive(Debug)]
pub(crate) enum Command {
    Connect(Sighting),
    Send { link: Link, stream: Stream, binary: bool, bytes: Vec<u8> },
    Disconnect { link: Link, reason: String },
    LookAgain,
}

/// What the handle and the actor both know.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) flows: RwLock<HashMap<Link, Arc<Flow>>>,
    pub(crate) report: RwLock<Report>,
    pub(crate) block_udp: AtomicBool,
    pub(crate) connects: AtomicU64,
}

/// Why an endpoint did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The listener's address cannot be used.
    #[error("offers cannot be listened for at {0}: {1}; choose another address in the settings")]
    Listen(SocketAddr, std::io::Error),
    /// Too many gateways.
    #[error("{0} gateways are named, at most {MAX_GATEWAYS} are used: name fewer")]
    Gateways(usize),
}

/// The handle. Dropping it ends every link.
#[derive(Debug)]
pub struct Endpoint {
    commands: mpsc::UnboundedSender<Command>,
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    door: Door,
    listen: Option<SocketAddr>,
}

impl Endpoint {
    /// Starts listening, announcing, and connecting to gateways.
    pub async fn start(config: Config) -> Result<(Self, mpsc::Receiver<LinkEvent>), StartError> {
        if config.gateways.len() > MAX_GATEWAYS {
            return Err(StartError::Gateways(config.gateways.len()));
        }
        let _ = tokio::task::spawn_blocking(warm_up).await;
        let (door, knocks) = Door::new();
        let listener = match config.http_listen {
            Some(at) => Some(listen(at, &door).await.map_err(|e| StartError::Listen(at, e))?),
            None => None,
        };
        let listen = listener.as_ref().map(Listener::address);
        let (sightings, sighted) = mpsc::channel(64);
        let token = hex::encode(config.mint.bytes::<16>());
        let announced = listen.filter(|_| config.multicast);
        let discovery = announced.and_then(|at| {
            let host = hex::encode(config.mint.bytes::<16>());
            Discovery::start(&token, &host, at.port(), config.include_loopback, sightings)
                .inspect_err(|error| tracing::warn!(%error, "no multicast discovery"))
                .ok()
        });
        let identity = Arc::new(Identity::new(
            config.key.clone(),
            config.manifest.clone(),
            config.certificate.clone(),
            discovery.is_some().then_some(token),
        ));
        Ok(Self::run(config, identity, Parts { door, knocks, listener, discovery, sighted, listen }))
    }

    fn run(config: Config, identity: Arc<Identity>, parts: Parts) -> (Self, mpsc::Receiver<LinkEvent>) {
        let shared = Arc::new(Shared {
            flows: RwLock::default(),
            report: RwLock::new(Report {
                interfaces: Vec::new(),
                multicast: Multicast::Off,
                gateways: Vec::new(),
                peers: Vec::new(),
            }),
            block_udp: AtomicBool::new(false),
            connects: AtomicU64::new(0),
        });
        let (commands, orders) = mpsc::unbounded_channel();
        let (events, received) = mpsc::channel(MAX_EVENTS);
        let endpoint = Self {
            commands,
            shared: shared.clone(),
            identity: identity.clone(),
            door: parts.door.clone(),
            listen: parts.listen,
        };
        tokio::spawn(Actor::new(config, identity, shared, events).run(orders, parts));
        (endpoint, received)
    }

    /// Tries to connect to who was sighted. What comes of it is told as an event. Whether there was room to try.
    pub fn connect(&self, sighting: Sighting) -> bool {
        if self.shared.connects.fetch_add(1, Ordering::AcqRel) >= MAX_CONNECTS {
            self.shared.connects.fetch_sub(1, Ordering::AcqRel);
            return false;
        }
        self.commands.send(Command::Connect(sighting)).is_ok()
    }

    /// Sends a message. It goes out in order, once, or the link goes down.
    pub fn send(&self, link: Link, stream: Stream, binary: bool, bytes: Vec<u8>) -> Result<(), Full> {
        let flow = self.flow(link).ok_or(Full::Gone)?;
        flow.take(stream, bytes.len())?;
        self.commands.send(Command::Send { link, stream, binary, bytes }).map_err(|_| Full::Gone)
    }

    /// Waits until a stream has room for its largest message, or the link is gone.
    pub async fn room(&self, link: Link, stream: Stream) {
        if let Some(flow) = self.flow(link) {
            flow.room(stream).await;
        }
    }

    fn flow(&self, link: Link) -> Option<Arc<Flow>> {
        self.shared.flows.read().unwrap_or_else(PoisonError::into_inner).get(&link).cloned()
    }

    /// Shuts a link.
    pub fn disconnect(&self, link: Link, reason: &str) {
        let _ = self.commands.send(Command::Disconnect { link, reason: reason.to_owned() });
    }

    /// What was seen of the network, a second ago at most.
    pub fn report(&self) -> Report {
        self.shared.report.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether links go through gateways alone: then no datagram leaves or enters by UDP. Off at the start.
    pub fn relay_only(&self, on: bool) {
        self.shared.block_udp.store(on, Ordering::Release);
        let _ = self.commands.send(Command::LookAgain);
    }

    /// Shows a newer manifest from now on.
    pub fn renew(&self, manifest: NodeManifest, certificate: Envelope) {
        self.identity.renew(manifest, certificate);
    }

    /// Where offers are handed in, for [`crate::listener::router`] in a server of the owner's.
    pub fn door(&self) -> Door {
        self.door.clone()
    }

    /// Where its own listener listens.
    pub fn listens_at(&self) -> Option<SocketAddr> {
        self.listen
    }

    /// The token that is announced by multicast.
    pub fn token(&self) -> Option<String> {
        self.identity.me().token
    }
}

/// Listens; where the machine has no IPv6, every address is every IPv4 one.
async fn listen(at: SocketAddr, door: &Door) -> std::io::Result<Listener> {
    match Listener::start(at, door.clone()).await {
        Err(_) if at.ip() == Ipv6Addr::UNSPECIFIED => {
            Listener::start((Ipv4Addr::UNSPECIFIED, at.port()).into(), door.clone()).await
        }
        done => done,
    }
}

/// What the actor holds for as long as it runs.
pub(crate) struct Parts {
    pub(crate) door: Door,
    pub(crate) knocks: mpsc::Receiver<Knock>,
    pub(crate) listener: Option<Listener>,
    pub(crate) discovery: Option<Discovery>,
    pub(crate) sighted: mpsc::Receiver<Sighting>,
    listen: Option<SocketAddr>,
}
