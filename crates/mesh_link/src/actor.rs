//! The one task that owns the sockets and the sessions: it waits for whatever comes first, lets the session it concerns have
//! it, and carries out what the session says. Nothing here waits for a peer.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use bytes::Bytes;
use mesh::{
    Link, NodeId, Seen, Sighting, Stream,
    relay::{Frame, RawNode, is_relay_address, relay_address},
};
use str0m::Candidate;
use tokio::sync::mpsc;

use crate::{
    discovery::Discovery,
    endpoint::{Command, Config, LinkEvent, Parts, Shared},
    gateways::SIGHTED_EVERY,
    history::History,
    identity::Identity,
    knock::Reply,
    limits::Limits,
    live::{Early, Live, MAX_EARLY},
    pairs::is_stun,
    reflexive::Reflexive,
    relay_client::{Needs, RelayClient},
    session::Happened,
    sockets::{Datagram, Sockets},
    turn::{Came, Turn, Wish},
};

/// The most sessions at once.
pub const MAX_SESSIONS: usize = 256;
/// The most of them that are not open yet.
pub const MAX_HALF_OPEN: usize = 64;
/// How long a session may take to open.
pub const ATTEMPT_TIME: Duration = Duration::from_secs(15);
/// How often the machine's addresses are looked at.
pub const ADDRESSES_EVERY: Duration = Duration::from_secs(1);

/// The most paths whose session is remembered.
const MAX_PATHS: usize = 4_096;
/// Datagrams or commands that are handled in one go.
const BATCH: usize = 64;

/// What a task of the actor's brings back.
#[derive(Debug)]
pub(crate) enum Brought {
    /// What came of an offer over HTTP.
    Reply(Link, Reply),
    /// Candidates whose names were looked up.
    Candidates(Link, Vec<Candidate>),
}

/// The task.
pub(crate) struct Actor {
    pub(crate) config: Config,
    pub(crate) identity: Arc<Identity>,
    pub(crate) shared: Arc<Shared>,
    events: mpsc::Sender<LinkEvent>,
    /// Nobody listens to events any more.
    pub(crate) forsaken: bool,
    /// This node's address among the candidates of its sessions when they go through a gateway.
    pub(crate) pseudo: SocketAddr,
    pub(crate) sockets: Sockets,
    pub(crate) reflexive: Reflexive,
    pub(crate) turn: Turn,
    pub(crate) live: BTreeMap<Link, Live>,
    next: u64,
    pub(crate) paths: HashMap<(SocketAddr, SocketAddr), Link>,
    pub(crate) relays: Vec<RelayClient>,
    /// The node of each gateway that is connected.
    pub(crate) hubs: BTreeMap<usize, NodeId>,
    /// The gateway that each peer was last heard through.
    pub(crate) routes: HashMap<RawNode, usize>,
    pub(crate) seen: Seen,
    pub(crate) limits: Limits,
    pub(crate) history: History,
    /// Who was found at a place, so that a place is not tried while its node is connected.
    pub(crate) places: HashMap<String, NodeId>,
    pub(crate) bring: mpsc::Sender<Brought>,
    brought: Option<mpsc::Receiver<Brought>>,
    datagrams: Option<mpsc::Receiver<Datagram>>,
    pub(crate) discovery: Option<Arc<Discovery>>,
}

impl Actor {
    pub(crate) fn new(
        config: Config,
        identity: Arc<Identity>,
        shared: Arc<Shared>,
        events: mpsc::Sender<LinkEvent>,
    ) -> Self {
        let (sockets, datagrams) = Sockets::new(config.bind, config.include_loopback, config.reach);
        let (bring, brought) = mpsc::channel(MAX_HALF_OPEN);
        let pseudo = relay_address(&identity.node()).into();
        Self {
            reflexive: Reflexive::new(&config.stun, config.reach),
            turn: Turn::new(&config.turn, config.reach),
            config,
            identity,
            shared,
            events,
            forsaken: false,
            pseudo,
            sockets,
            live: BTreeMap::new(),
            next: 1,
            paths: HashMap::new(),
            relays: Vec::new(),
            hubs: BTreeMap::new(),
            routes: HashMap::new(),
            seen: Seen::default(),
            limits: Limits::new(Instant::now()),
            history: History::default(),
            places: HashMap::new(),
            bring,
            brought: Some(brought),
            datagrams: Some(datagrams),
            discovery: None,
        }
    }

    pub(crate) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Command>, mut parts: Parts) {
        self.discovery = parts.discovery.take().map(Arc::new);
        self.sockets.refresh().await;
        let (to_us, mut from_gateways) = mpsc::channel(512);
        let needs = Needs {
            identity: self.identity.clone(),
            mint: self.config.mint.clone(),
            tls: self.config.tls.clone(),
            reach: self.config.reach,
            events: to_us,
        };
        let urls = self.config.gateways.clone();
        self.relays =
            urls.iter().enumerate().map(|(at, url)| RelayClient::start(at, url, needs.clone())).collect();
        let (Some(mut datagrams), Some(mut brought)) = (self.datagrams.take(), self.brought.take()) else {
            return;
        };
        let mut second = tokio::time::interval(Duration::from_secs(1));
        let mut addresses = tokio::time::interval(ADDRESSES_EVERY);
        let mut sightings = tokio::time::interval(SIGHTED_EVERY);
        let (mut batch, mut commands) = (Vec::with_capacity(BATCH), Vec::with_capacity(BATCH));
        while !self.forsaken {
            let deadline = self.deadline();
            tokio::select! {
                count = orders.recv_many(&mut commands, BATCH) => {
                    if count == 0 {
                        break;
                    }
                    self.commands(&mut commands).await;
                }
                _ = datagrams.recv_many(&mut batch, BATCH) => {
                    for Datagram { local, source, bytes } in batch.drain(..) {
                        self.udp(local, source, &bytes).await;
                    }
                }
                Some((gateway, what)) = from_gateways.recv() => self.gateway(gateway, what).await,
                Some(knock) = parts.knocks.recv() => self.knocked(knock).await,
                Some(sighting) = parts.sighted.recv() => self.tell(LinkEvent::Sighted(sighting)).await,
                Some(what) = brought.recv() => self.brought(what).await,
                () = tokio::time::sleep_until(deadline.into()) => self.ticks().await,
                _ = addresses.tick() => self.look_at_addresses().await,
                _ = second.tick() => self.second().await,
                _ = sightings.tick() => self.sight_hubs().await,
            }
        }
        self.shut().await;
        drop((parts.door, parts.listener));
    }

    pub(crate) async fn tell(&mut self, event: LinkEvent) {
        self.forsaken |= self.events.send(event).await.is_err();
    }

    fn deadline(&self) -> Instant {
        let soon = Instant::now() + Duration::from_secs(5);
        let sessions = self.live.values().map(|live| live.session.deadline()).min().unwrap_or(soon);
        sessions.min(self.turn.deadline().unwrap_or(soon)).min(soon)
    }

    async fn ticks(&mut self) {
        let now = Instant::now();
        let due: Vec<Link> = self
            .live
            .iter()
            .filter(|(_, live)| live.session.deadline() <= now)
            .map(|(link, _)| *link)
            .collect();
        for link in due {
            if let Some(live) = self.live.get_mut(&link) {
                live.session.tick(now);
            }
            self.drive(link).await;
        }
        if self.turn.deadline().is_some_and(|at| at <= now) {
            let wishes = self.turn.poll(now);
            self.grant(wishes).await;
        }
    }

    async fn commands(&mut self, commands: &mut Vec<Command>) {
        let mut written: Vec<Link> = Vec::new();
        for command in commands.drain(..) {
            match command {
                Command::Send { link, stream, binary, bytes } => {
                    if let Some(live) = self.live.get_mut(&link) {
                        live.session.write(stream, binary, bytes);
                        if !written.contains(&link) {
                            written.push(link);
                        }
                    }
                }
                Command::Connect(sighting) => {
                    self.shared.connects.fetch_sub(1, Ordering::AcqRel);
                    self.connect(sighting).await;
                }
                Command::Disconnect { link, reason } => {
                    self.drive(link).await;
                    self.close(link, &reason).await;
                }
                Command::LookAgain => {
                    let now = Instant::now();
                    self.live.values_mut().for_each(|live| live.session.look_again(now));
                }
            }
        }
        for link in written {
            self.drive(link).await;
        }
    }

    async fn udp(&mut self, local: SocketAddr, source: SocketAddr, bytes: &Bytes) {
        if self.shared.block_udp.load(Ordering::Acquire) || is_relay_address(&source) {
            return;
        }
        if let Some(candidate) = self.reflexive.answered(local, source, bytes) {
            return self.new_candidates(candidate.into_iter().collect()).await;
        }
        let now = Instant::now();
        match self.turn.received(now, local, source, bytes) {
            Came::Elsewhere => self.datagram(local, source, bytes).await,
            Came::Handled => {
                let wishes = self.turn.poll(now);
                self.grant(wishes).await;
            }
            Came::Peer { relayed, peer, bytes } => self.datagram(relayed, peer, &bytes).await,
        }
    }

    /// Carries out what the allocations on TURN servers want done.
    async fn grant(&mut self, wishes: Vec<Wish>) {
        for wish in wishes {
            match wish {
                Wish::Send { local, server, bytes } => {
                    if !self.shared.block_udp.load(Ordering::Acquire) {
                        self.sockets.send(local, server, &bytes).await;
                    }
                }
                Wish::Candidate(candidate) => self.new_candidates(vec![candidate]).await,
                Wish::Gone(address) => {
                    self.live.values_mut().for_each(|live| live.session.remove_local(address));
                }
            }
        }
    }

    pub(crate) async fn datagram(&mut self, local: SocketAddr, source: SocketAddr, bytes: &[u8]) {
        let now = Instant::now();
        let Some(link) = self.owner(now, local, source, bytes) else { return };
        if let Some(live) = self.live.get_mut(&link) {
            live.session.datagram(now, local, source, bytes);
            self.drive(link).await;
        }
    }

    /// The session that a datagram is for. Two sessions of one peer may share a path for a while, when one takes the place
    /// of the other: then it belongs to the one whose checks, which nobody else can sign, came in on it last.
    fn owner(&mut self, now: Instant, local: SocketAddr, source: SocketAddr, bytes: &[u8]) -> Option<Link> {
        let known = self.paths.get(&(local, source)).copied();
        // A session takes whatever comes from where it sends to, also the checks of one that a node which crashed makes
        // anew from the same address: those are the newest session's.
        if !is_stun(bytes) && known.is_some_and(|link| self.live.contains_key(&link)) {
            return known;
        }
        let found = self.live.iter().rev().find(|(_, live)| live.session.accepts(now, local, source, bytes));
        let link = *found?.0;
        if self.paths.len() < MAX_PATHS || known.is_some() {
            self.paths.insert((local, source), link);
        }
        Some(link)
    }

    /// Carries out what a session wants done, until it wants nothing more.
    pub(crate) async fn drive(&mut self, link: Link) {
        while let Some(live) = self.live.get_mut(&link) {
            let Some(happened) = live.session.poll(Instant::now()) else { return };
            match happened {
                Happened::Transmit { source, destination, bytes } => {
                    self.transmit(link, source, destination, &bytes, false).await;
                }
                Happened::Check { source, destination, bytes } => {
                    self.transmit(link, source, destination, &bytes, true).await;
                }
                Happened::Open => self.opened(link).await,
                Happened::Message { stream, binary, bytes } => {
                    self.message(link, stream, binary, bytes).await;
                }
                Happened::Measured(rtt) => {
                    let relayed = live.session.is_relayed();
                    if live.is_up() {
                        let rtt_micros = u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX);
                        self.tell(LinkEvent::Measured { link, rtt_micros, relayed }).await;
                    }
                }
                Happened::Closed(why) => self.ended(link, &why).await,
            }
        }
    }

    /// The same, where it is reached from itself.
    pub(crate) fn drive_boxed(&mut self, link: Link) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(self.drive(link))
    }

    /// Sends a datagram of a session's. `whole`: it must not be cut in pieces.
    async fn transmit(
        &mut self,
        link: Link,
        source: SocketAddr,
        destination: SocketAddr,
        bytes: &[u8],
        whole: bool,
    ) {
        match (is_relay_address(&source), is_relay_address(&destination)) {
            (true, true) => {
                let Some(live) = self.live.get(&link).filter(|live| live.is_relay_of_peer(destination))
                else {
                    return;
                };
                if let Some(node) = live.node().map(|node| node.bytes()) {
                    self.relay(node, &Frame::Datagram { node, payload: bytes });
                }
            }
            (false, false) if !self.shared.block_udp.load(Ordering::Acquire) => {
                match self.turn.send(Instant::now(), source, destination, bytes) {
                    None if whole => self.sockets.send_whole(source, destination, bytes),
                    None => self.sockets.send(source, destination, bytes).await,
                    Some(wishes) => {
                        for wish in wishes {
                            if let Wish::Send { local, server, bytes } = wish {
                                self.sockets.send(local, server, &bytes).await;
                            }
                        }
                    }
                }
            }
            _ => {}
        }
    }

    pub(crate) async fn message(&mut self, link: Link, stream: Stream, binary: bool, bytes: Vec<u8>) {
        let Some(live) = self.live.get_mut(&link) else { return };
        if !live.is_up() {
            if live.early.len() < MAX_EARLY {
                live.early.push(Early { stream, binary, bytes });
            } else {
                live.session.close("too much was sent before every stream was open");
            }
            return;
        }
        match bytes.split_first() {
            Some((&crate::trickle::MARK, lines)) if stream == Stream::Control && binary => {
                self.trickled(link, lines);
            }
            _ => self.tell(LinkEvent::Received { link, stream, binary, bytes }).await,
        }
    }

    /// Takes a session in.
    pub(crate) fn admit(&mut self, live: Live) -> Link {
        let link = Link(self.next);
        self.next += 1;
        self.live.insert(link, live);
        link
    }

    pub(crate) fn half_open(&self) -> usize {
        self.live.values().filter(|live| !live.is_up()).count()
    }

    /// Shuts a session in good order.
    pub(crate) async fn close(&mut self, link: Link, why: &str) {
        if let Some(live) = self.live.get_mut(&link) {
            live.session.close(why);
            self.drive_boxed(link).await;
            self.ended(link, why).await;
        }
    }

    /// A session is over.
    pub(crate) async fn ended(&mut self, link: Link, why: &str) {
        let Some(live) = self.forget(link) else { return };
        self.shared.flows.write().unwrap_or_else(PoisonError::into_inner).remove(&link);
        live.flow.shut();
        if let Some(node) =
            live.node().filter(|node| !self.live.values().any(|other| other.node() == Some(*node)))
        {
            self.routes.remove(&node.bytes());
        }
        // Of a node that another session reaches, that session tells.
        let reached =
            live.node().filter(|node| self.live.values().any(|l| l.is_up() && l.node() == Some(*node)));
        if reached.is_none() {
            self.remember(&live, Some(why));
        }
        if live.is_up() {
            tracing::info!(node = ?live.node(), why, "link down");
            self.tell(LinkEvent::Down { link, why: why.to_owned() }).await;
        } else if let Some(node) = reached.filter(|_| live.mine) {
            self.tell(LinkEvent::Found { node, place: live.place }).await;
        } else if live.mine {
            let (node, place) = (live.wanted, live.place);
            self.tell(LinkEvent::Failed { node, place, why: why.to_owned() }).await;
        }
    }

    async fn look_at_addresses(&mut self) {
        let change = self.sockets.refresh().await;
        if !change.is_empty() {
            tracing::info!(added = ?change.added, removed = ?change.removed, "addresses changed");
        }
        for gone in &change.removed {
            self.live.values_mut().for_each(|live| live.session.remove_local(*gone));
        }
        let gone: Vec<IpAddr> = change.removed.iter().map(|at| at.ip().to_canonical()).collect();
        self.relays.iter().for_each(|relay| relay.lost_addresses(&gone));
        let wishes = self.turn.refresh(Instant::now(), &self.sockets.addresses());
        self.grant(wishes).await;
        let candidates = change.added.iter().filter_map(|at| Candidate::host(*at, "udp").ok()).collect();
        self.new_candidates(candidates).await;
        for (source, destination, bytes) in
            self.reflexive.questions(Instant::now(), &self.config.mint, &self.sockets.addresses())
        {
            if !self.shared.block_udp.load(Ordering::Acquire) {
                self.sockets.send(source, destination, &bytes).await;
            }
        }
    }

    async fn second(&mut self) {
        let now = Instant::now();
        let late = |live: &Live| !live.is_up() && now.duration_since(live.began) > ATTEMPT_TIME;
        let late: Vec<Link> =
            self.live.iter().filter(|(_, live)| late(live)).map(|(link, _)| *link).collect();
        for link in late {
            let pairs = self.live.get(&link).map_or(0, |live| live.session.pairs().report(now).len());
            let why = format!("no path was found in {} s, {pairs} were tried", ATTEMPT_TIME.as_secs());
            self.close(link, &why).await;
        }
        self.go_on().await;
        self.publish();
    }

    async fn shut(&mut self) {
        let all: Vec<Link> = self.live.keys().copied().collect();
        for link in all {
            self.close(link, "this node shuts down").await;
        }
        let wishes = self.turn.free(Instant::now());
        self.grant(wishes).await;
    }

    async fn brought(&mut self, what: Brought) {
        match what {
            Brought::Reply(link, reply) => self.replied(link, reply).await,
            Brought::Candidates(link, candidates) => {
                if let Some(live) = self.live.get_mut(&link) {
                    for candidate in candidates {
                        live.session.add_remote(candidate);
                    }
                    self.drive(link).await;
                }
            }
        }
    }

    /// What somebody wants us to try.
    async fn connect(&mut self, sighting: Sighting) {
        if let Err(why) = self.begin(&sighting, None).await {
            self.history.of(sighting.node, &sighting.place).unanswered(&why);
            self.tell(LinkEvent::Failed { node: sighting.node, place: sighting.place, why }).await;
        }
    }
}
