//! The loop: what happened goes into the node with the time, what the node wants is carried out in order.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use echo_core::{Digest, Mint, Timestamp};
use mesh::{
    CallFailure, Input, Link, Node, NodeId, Outcome, Output, Sighting, Target, Ticket, Via,
    bulk::{FileDone, FileInput, TransferView},
    doctor::{Gateway, GatewayState},
    event::{Event, Level},
    news::News,
    presence::Offering,
};
use mesh_link::{Endpoint, LinkEvent, place::Place};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};
use trust::{Envelope, NodeManifest};

use crate::{
    Ask, DaemonError,
    book_folder::BookFolder,
    files::{FileOptions, Files},
    pending::Pending,
    report::{Report, report},
    shelf::Shelf,
    witnessed_folder::WitnessedFolder,
};

/// Requests of the program that wait for the node.
const MAX_COMMANDS: usize = 256;
/// What the program has been handed and has not looked at.
const MAX_HANDED: usize = 256;
/// How often the report is made anew.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// The longest pause between two looks at the node, whatever it says.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often the program is told, at most, that newer papers are wanted.
const PAPERS_EVERY: Duration = Duration::from_secs(30);
/// How long what was not written down yet may take to be when the node stops.
const LAST_WRITES: Duration = Duration::from_millis(500);

/// What a daemon needs.
#[derive(Debug)]
pub struct Options {
    /// Where the node's book is kept.
    pub book: PathBuf,
    /// Where it is kept what the node cosigned of ledgers.
    pub witnessed: PathBuf,
    /// Where files to send and files that came are kept.
    pub files: FileOptions,
    /// What the node offers; empty: what its manifest names.
    pub offers: Vec<Offering>,
    /// Places to try beside what is found, `host:port` each. Gateways go into [`mesh_link::Config::gateways`].
    pub peers: Vec<String>,
    /// The transport, with key, certificate, trust and clock.
    pub link: mesh_link::Config,
}

/// What the program says.
#[derive(Debug)]
pub(crate) enum Command {
    Transfers(oneshot::Sender<Vec<TransferView>>),
    Input(Box<Input>),
    Call { call: Box<mesh::Call>, done: oneshot::Sender<CallResult> },
    Certificate { manifest: Box<NodeManifest>, certificate: Box<Envelope> },
}

type CallResult = Result<(Value, Box<Envelope>), CallFailure>;

/// A running node. Cheap to clone; the node ends with the task of [`Daemon::start`].
#[derive(Debug, Clone)]
pub struct Daemon {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) files: Files,
    reports: watch::Receiver<Arc<Report>>,
    listens: Option<SocketAddr>,
}

impl Daemon {
    /// Starts the node. The third part is its task: it ends when `stopping` says so, after a good-bye to its neighbours.
    pub async fn start(
        options: Options,
        stopping: watch::Receiver<bool>,
    ) -> Result<(Self, mpsc::Receiver<Ask>, impl Future<Output = ()> + Send), DaemonError> {
        options.peers.iter().try_for_each(|place| check_peer(place))?;
        let mint = options.link.mint.clone();
        let (book, kept) = BookFolder::open(&options.book)?;
        let trust = options.link.trust.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let (witnessed, memory) = WitnessedFolder::open(&options.witnessed)?;
        let forks: Vec<_> = memory.logs.iter().filter_map(|log| log.fork.clone()).collect();
        let config = mesh::Config { offers: options.offers, memory, ..mesh::Config::default() };
        let key = (*options.link.key).clone();
        let certificate = options.link.certificate.clone();
        let seed = u64::from_be_bytes(mint.bytes());
        let mut node = Node::new(config, key, certificate, trust, kept, seed, mint.now())?;
        let (files, to_send, work) = Files::open(&options.files, &mint)?;
        for sending in to_send {
            node.handle(mint.now(), Input::File(FileInput::Send(sending)));
        }
        let shared = options.link.trust.clone();
        let gateways = options.link.gateways.clone();
        let (endpoint, links) = Endpoint::start(options.link).await?;
        for place in options.peers {
            node.handle(mint.now(), Input::Sighted(Sighting { node: None, via: Via::Address, place }));
        }
        for place in gateways {
            tracing::info!(gateway = %place, "the mesh uses this gateway");
        }
        let (commands, orders) = mpsc::channel(MAX_COMMANDS);
        let (asks, asked) = mpsc::channel(MAX_HANDED);
        let first = Arc::new(report(&node.view(mint.now()), endpoint.report(), mint.now()));
        let (told, reports) = watch::channel(first);
        let listens = endpoint.listens_at();
        let running = Running {
            node,
            endpoint,
            files: files.clone(),
            shelf: Shelf::new(book),
            witnessed,
            mint,
            pending: Pending::with_forks(forks),
            told,
            waiting: BTreeMap::new(),
            tickets: 0,
            shared,
            papers_due: Instant::now(),
        };
        Ok((
            Self { commands, files, reports, listens },
            asked,
            running.run(links, orders, work, asks, stopping),
        ))
    }

    /// Has a skill called, and waits for its answer until `deadline`.
    pub async fn call(
        &self,
        target: Target,
        skill: String,
        input: Value,
        grant: Envelope,
        key: String,
        deadline: Timestamp,
    ) -> CallResult {
        let (done, answer) = oneshot::channel();
        // The loop gives the ticket.
        let call = Box::new(mesh::Call { ticket: Ticket(0), target, skill, input, grant, key, deadline });
        let gone = || CallFailure::Invalid("the mesh has stopped".to_owned());
        self.commands.send(Command::Call { call, done }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// What came of [`Ask::Execute`].
    pub async fn executed(&self, call: Digest, outcome: Outcome) {
        self.input(Input::Executed { call, outcome }).await;
    }

    /// The oldest pulses of this device, signed, up to this number.
    pub async fn pulses(&self, batch: Envelope, up_to: u64) {
        self.input(Input::Pulses { batch, up_to }).await;
    }

    /// The same from outside of the event loop. Where there is no room it is left out: the pulses stay where they are.
    pub fn offer_pulses(&self, batch: Envelope, up_to: u64) {
        let _ = self.commands.try_send(Command::Input(Box::new(Input::Pulses { batch, up_to })));
    }

    /// [`Daemon::trust`] from outside of the event loop. Where there is no room it is left out: neighbours tell it too.
    pub fn offer_trust(&self, news: News) {
        let _ = self.commands.try_send(Command::Input(Box::new(Input::Trust(news))));
    }

    /// The pulses of [`Ask::Pulses`] are durable.
    pub async fn pulses_kept(&self, from: NodeId, up_to: u64) {
        self.input(Input::PulsesKept { from, up_to }).await;
    }

    /// The acknowledgements of [`Ask::Acks`] are durable.
    pub async fn acks_kept(&self, from: NodeId, notices: Vec<Digest>) {
        self.input(Input::AcksKept { from, notices }).await;
    }

    /// The calls of [`Ask::Settle`] are settled, or refused for good.
    pub async fn settled(&self, from: NodeId, calls: Vec<Digest>) {
        self.input(Input::Settled { from, calls }).await;
    }

    /// The newest signed head of a ledger on this machine: neighbours are asked to cosign it.
    pub async fn own_head(&self, note: String) {
        self.input(Input::OwnHead(note)).await;
    }

    /// What came of [`Ask::Prove`]: the proof, or none when the ledger has none.
    pub async fn proven(&self, origin: String, from: u64, to: u64, proof: Option<Vec<[u8; 32]>>) {
        self.input(Input::Proven { origin, from, to, proof }).await;
    }

    /// The program learned of trust by another way.
    pub async fn trust(&self, news: News) {
        self.input(Input::Trust(news)).await;
    }

    /// This node was certified anew: neighbours are told, and whoever connects from now on sees it.
    pub async fn certificate(&self, manifest: NodeManifest, certificate: Envelope) {
        let (manifest, certificate) = (Box::new(manifest), Box::new(certificate));
        let _ = self.commands.send(Command::Certificate { manifest, certificate }).await;
    }

    /// The same from outside of the event loop. Where there is no room it is left out: the next start reads it.
    pub fn offer_certificate(&self, manifest: NodeManifest, certificate: Envelope) {
        let (manifest, certificate) = (Box::new(manifest), Box::new(certificate));
        let _ = self.commands.try_send(Command::Certificate { manifest, certificate });
    }

    /// The newest report, at most a second or two old.
    pub fn report(&self) -> Arc<Report> {
        self.reports.borrow().clone()
    }

    /// Changes with every report.
    pub fn reports(&self) -> watch::Receiver<Arc<Report>> {
        self.reports.clone()
    }

    /// Where it takes offers itself.
    pub fn listens_at(&self) -> Option<SocketAddr> {
        self.listens
    }

    async fn input(&self, input: Input) {
        // A node that has stopped needs to hear nothing.
        let _ = self.commands.send(Command::Input(Box::new(input))).await;
    }
}

/// What the loop wakes up for.
enum Turn<'a> {
    Link(LinkEvent),
    Order(Command),
    File(FileDone),
    /// An entry of the book was written, or could not be.
    Disk(Input),
    /// The program can take what waits for it.
    Room(mpsc::Permit<'a, Ask>),
    Tick,
    End,
}

fn check_peer(place: &str) -> Result<(), DaemonError> {
    match place.parse()? {
        Place::Http { .. } => Ok(()),
        Place::Gateway(url) => Err(DaemonError::PeerIsGateway(url)),
    }
}

/// Everything the loop holds.
struct Running {
    node: Node,
    endpoint: Endpoint,
    files: Files,
    shelf: Shelf,
    witnessed: WitnessedFolder,
    mint: Mint,
    pending: Pending,
    told: watch::Sender<Arc<Report>>,
    waiting: BTreeMap<Ticket, oneshot::Sender<CallResult>>,
    tickets: u64,
    shared: Arc<std::sync::RwLock<mesh::Trust>>,
    papers_due: Instant,
}

impl Running {
    async fn run(
        mut self,
        mut links: mpsc::Receiver<LinkEvent>,
        mut orders: mpsc::Receiver<Command>,
        mut work: mpsc::Receiver<FileDone>,
        asks: mpsc::Sender<Ask>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let mut report_at = Instant::now();
        loop {
            self.carry_out();
            if Instant::now() >= report_at {
                report_at = Instant::now() + REPORT_EVERY;
                self.tell();
            }
            let due = self.pause().min(report_at);
            let waits = !self.pending.is_empty();
            let turn = tokio::select! {
                event = links.recv() => event.map_or(Turn::End, Turn::Link),
                order = orders.recv() => order.map_or(Turn::End, Turn::Order),
                Some(done) = work.recv() => Turn::File(done),
                room = asks.reserve(), if waits => room.map_or(Turn::End, Turn::Room),
                said = self.shelf.next() => Turn::Disk(said),
                said = self.witnessed.next() => Turn::Disk(said),
                () = sleep_until(due) => Turn::Tick,
                _ = stopping.wait_for(|stop| *stop) => Turn::End,
            };
            match turn {
                Turn::Link(event) => self.happened(event),
                Turn::Order(order) => self.ordered(order),
                Turn::File(done) => {
                    self.node.handle(self.mint.now(), Input::File(FileInput::Done(done)));
                }
                Turn::Disk(said) => self.node.handle(self.mint.now(), said),
                Turn::Room(room) => {
                    if let Some(ask) = self.pending.take() {
                        room.send(ask);
                    }
                }
                Turn::Tick => self.node.handle(self.mint.now(), Input::Tick),
                Turn::End => break,
            }
        }
        self.node.handle(self.mint.now(), Input::Leave);
        self.carry_out();
        // Of what is not written here, no cosignature has left.
        let _ = timeout(LAST_WRITES, self.witnessed.finish()).await;
        if timeout(LAST_WRITES, self.shelf.finish()).await.is_err() {
            tracing::warn!(
                "not everything of the mesh's book could be written down: what is missing failed, and is not charged"
            );
        }
        // The good-byes leave with the next turn of the transport.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    /// When the node wants to be looked at again.
    fn pause(&self) -> Instant {
        let wait = self.mint.now().duration_until(self.node.deadline());
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        Instant::now() + wait.min(LONGEST_PAUSE)
    }

    fn happened(&mut self, event: LinkEvent) {
        let now = self.mint.now();
        let input = match event {
            LinkEvent::Up { link, admitted, tried } => {
                let mesh::Admitted { node, manifest, certificate, .. } = *admitted;
                if let Some(place) = tried {
                    self.node.handle(now, Input::Attempted { place, found: Some(node) });
                }
                Input::Up { link, manifest: Box::new(manifest), certificate: Box::new(certificate) }
            }
            LinkEvent::Down { link, why } => Input::Down { link, why },
            LinkEvent::Received { link, stream, binary, bytes } => {
                Input::Received { link, stream, binary, bytes }
            }
            LinkEvent::Measured { link, rtt_micros, relayed } => {
                Input::Measured { link, rtt_micros, relayed }
            }
            LinkEvent::Sighted(sighting) => Input::Sighted(sighting),
            // Nobody signs a refusal of us: whoever sits at that address may have said it.
            LinkEvent::Refused { node, place, code, reason, by_us } => {
                if wants_papers(&code, by_us) {
                    self.want_papers();
                }
                Input::Refused { who: node.filter(|_| by_us), place, code, reason }
            }
            LinkEvent::Found { node, place } => Input::Attempted { place, found: Some(node) },
            LinkEvent::Failed { node, place, why } => {
                tracing::debug!(%place, %why, "an attempt to connect came to nothing");
                Input::Missed { place, node }
            }
            LinkEvent::News(news) => Input::Trust(*news),
        };
        self.node.handle(now, input);
    }

    fn ordered(&mut self, order: Command) {
        let now = self.mint.now();
        match order {
            Command::Input(input) => self.node.handle(now, *input),
            // Whoever asked may have given up.
            Command::Transfers(told) => drop(told.send(self.node.transfers(now))),
            Command::Call { mut call, done } => {
                self.tickets += 1;
                call.ticket = Ticket(self.tickets);
                self.waiting.insert(call.ticket, done);
                self.node.handle(now, Input::Call(*call));
            }
            Command::Certificate { manifest, certificate } => {
                self.endpoint.renew(*manifest, (*certificate).clone());
                self.node.handle(now, Input::Certificate(certificate));
            }
        }
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Keep(entry) => self.shelf.keep(*entry),
                Output::Forget(call) => self.shelf.forget(&call),
                Output::Send { link, stream, binary, bytes } => {
                    if let Err(full) = self.endpoint.send(link, stream, binary, bytes) {
                        self.shut(link, &full.to_string());
                    }
                }
                Output::Disconnect { link, reason } => self.endpoint.disconnect(link, &reason),
                Output::Connect(sighting) => self.connect(sighting),
                Output::Ended { ticket, result } => {
                    if let Some(done) = self.waiting.remove(&ticket) {
                        // Whoever asked may have given up.
                        let _ = done.send(result);
                    }
                }
                Output::Event(event) => log(&event),
                Output::File(job) => self.files.begin(job),
                Output::KeepWitnessed(remembered) => {
                    if let Some(fork) = &remembered.fork {
                        self.pending.put(Ask::Forked(Box::new(fork.clone())));
                    }
                    self.witnessed.keep(*remembered);
                }
                Output::Prove { origin, from, to } => self.pending.put(Ask::Prove { origin, from, to }),
                Output::Cosigned { from, note, line } => self.pending.put(Ask::Cosigned { from, note, line }),
                Output::Trust(news) => {
                    let mut shared = self.shared.write().unwrap_or_else(std::sync::PoisonError::into_inner);
                    *shared = self.node.trust().clone();
                    drop(shared);
                    self.pending.put(Ask::Trust(news));
                }
                Output::Execute { call, skill, input, caller } => {
                    self.pending.put(Ask::Execute { call, skill, input, caller });
                }
                Output::Pulses { from, batch } => self.pending.put(Ask::Pulses { from, batch: *batch }),
                Output::PulsesKept { up_to } => self.pending.put(Ask::PulsesKept(up_to)),
                Output::Acks { from, acks } => self.pending.put(Ask::Acks { from, acks }),
                Output::Settle { from, answers, calls, grants } => {
                    self.pending.put(Ask::Settle { from, answers, calls, grants });
                }
            }
        }
    }

    fn connect(&mut self, sighting: Sighting) {
        let (node, place) = (sighting.node, sighting.place.clone());
        if !self.endpoint.connect(sighting) {
            self.node.handle(self.mint.now(), Input::Missed { place, node });
        }
    }

    /// A stream that is full belongs to a neighbour that reads too slowly: it comes back, and gets what it missed.
    fn shut(&mut self, link: Link, why: &str) {
        tracing::debug!(?link, %why, "a link is shut");
        self.endpoint.disconnect(link, why);
    }

    fn tell(&mut self) {
        let now = self.mint.now();
        let seen = self.endpoint.report();
        let turned_away = |gateway: &Gateway| matches!(&gateway.state, GatewayState::Refused { code, .. } if wants_papers(code, false));
        if seen.gateways.iter().any(turned_away) {
            self.want_papers();
        }
        self.told.send_replace(Arc::new(report(&self.node.view(now), seen, now)));
    }

    fn want_papers(&mut self) {
        if Instant::now() >= self.papers_due {
            self.papers_due = Instant::now() + PAPERS_EVERY;
            self.pending.put(Ask::Papers);
        }
    }
}

/// Whether such a refusal, by this node or of it, may go away with newer papers of its own.
fn wants_papers(code: &str, by_us: bool) -> bool {
    if by_us { code == "own_trust" } else { matches!(code, "unknown_issuer" | "expired") }
}

fn log(event: &Event) {
    match event.level() {
        Level::Info => tracing::info!("{event}"),
        Level::Warn => tracing::warn!("{event}"),
        Level::Error => tracing::error!("{event}"),
    }
}
