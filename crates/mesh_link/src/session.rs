//! One WebRTC session with one peer: four data channels over whatever path ICE finds, without a socket or a clock.
//!
//! Datagrams and the time go in, datagrams and messages come out. The path is the shell's business in three places only: a
//! path that went silent is given up after three seconds (ICE alone would wait for 15 s), paths that failed are tried again for
//! as long as the session goes through a relay, and how much a straight path carries is measured.

use std::{
    collections::{HashSet, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mesh::Stream;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId},
    net::{Protocol, Receive},
};

use crate::{
    flow::{Flow, PER_MESSAGE},
    pairs::{Pairs, is_answer, is_stun},
    sdp::{Named, Split, split},
};

mod path_mtu;
mod paths;
pub mod probe;
mod streams;

pub use self::paths::{QUIET_AFTER, SILENT_AFTER, UNPROVEN_AFTER};
use self::{
    path_mtu::PathMtu,
    paths::Watch,
    probe::{Path, Probes, creds_in, mapped_in},
};

/// How much is given to the transport before it is acknowledged, on a near path. More only adds delay.
pub const SEND_BUFFER_NEAR: usize = 64 * 1024;
/// The same on a path with a round trip of more than [`NEAR`]: what is under way must fill it.
pub const SEND_BUFFER_FAR: usize = 1024 * 1024;
/// The round trip up to which a path is near.
pub const NEAR: Duration = Duration::from_millis(5);
/// The largest message that goes either way: the largest of [`Stream::max_message`].
pub const MAX_MESSAGE: usize = 192 * 1024;
/// A session that heard nothing on any path that the peer signed for this long has ended (RFC 7675 waits twice as long).
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// The most bytes that may come before all streams are open.
pub const MAX_EARLY: usize = 256 * 1024;
/// The most local candidates of a session.
pub const MAX_LOCAL: usize = 24;
/// The most candidates that a peer may name at once.
pub const MAX_REMOTE: usize = 32;
/// The most that it may name while the session lasts.
pub const MAX_REMOTE_EVER: usize = 512;
/// The most addresses that the transport may learn from the peer's checks and answers: it never forgets one.
pub const MAX_LEARNED: usize = 512;
/// The most names of the peer's that are looked up while the session lasts.
pub const MAX_NAMES: usize = 64;

/// The first and the longest wait between two attempts to get from a relay to a straight path.
const UPGRADE_EVERY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(30));
/// How often the transport asks every path whether it still works, also those that are not in use.
pub const CHECK_EVERY: Duration = Duration::from_secs(10);
const STATS_EVERY: Duration = Duration::from_secs(1);
/// How often the round trip is told while the path stays the same.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// What comes out of a session.
#[derive(Debug)]
pub enum Happened {
    /// Send this datagram.
    Transmit {
        /// From this local address: a socket's, a TURN server's, or the node's pseudo address.
        source: SocketAddr,
        /// To there.
        destination: SocketAddr,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// Send this datagram, which must not be cut in pieces on the way.
    Check {
        /// From this local address.
        source: SocketAddr,
        /// To there.
        destination: SocketAddr,
        /// The datagram.
        bytes: Vec<u8>,
    },
    /// All four streams are open: DTLS is up, with the fingerprint that the peer signed.
    Open,
    /// A message came.
    Message {
        /// On which stream.
        stream: Stream,
        /// Whether it is binary.
        binary: bool,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// The round trip of the path in use.
    Measured(Duration),
    /// It is over. Why, for people.
    Closed(String),
}

/// One session.
pub struct Session {
    rtc: Box<Rtc>,
    pending: Option<SdpPendingOffer>,
    channels: [Option<ChannelId>; 4],
    queues: [VecDeque<(bool, Vec<u8>)>; 4],
    /// What came before all streams were open here: the peer may have been ready first.
    early: VecDeque<(Stream, bool, Vec<u8>)>,
    flow: Arc<Flow>,
    turn: usize,
    open: bool,
    closed: Option<String>,
    locals: Vec<Candidate>,
    remotes: usize,
    learned: HashSet<SocketAddr>,
    named: Vec<Named>,
    looked_up: usize,
    pairs: Pairs,
    rtt: Option<Duration>,
    deadline: Instant,
    heard: Instant,
    /// The same, of what the peer signed: anybody may send the rest in its name.
    heard_signed: Instant,
    upgrade: (Instant, Duration),
    watch: Watch,
    /// None until the peer's description is known.
    probes: Option<Probes>,
    mtu: PathMtu,
    /// Which path the round trip was measured on, and when that was told last.
    told: (Option<Path>, Instant),
    outbox: VecDeque<Happened>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("open", &self.open)
            .field("path", &self.pairs.selected())
            .finish_non_exhaustive()
    }
}

/// Makes the first session of a process ahead of time: setting the cryptography up costs a third of a second, once.
pub fn warm_up() {
    drop(config().build(Instant::now()));
}

fn config() -> RtcConfig {
    let mut config = RtcConfig::new()
        .clear_codecs()
        .set_stats_interval(Some(STATS_EVERY))
        .set_sctp_max_buffered_amount(SEND_BUFFER_FAR + MAX_MESSAGE)
        .set_sctp_max_message_size(u32::try_from(MAX_MESSAGE).expect("192 KiB fit"));
    config.set_initial_stun_rto(Duration::from_millis(100));
    config.set_max_stun_rto(CHECK_EVERY);
    // Enough for the wait between two checks, which doubles each time, to grow to the longest.
    config.set_max_stun_retransmits(8);
    config
}

impl Session {
    /// Begins one as the offerer, with these candidates. The offer's SDP.
    pub fn offer(
        now: Instant,
        candidates: Vec<Candidate>,
        flow: Arc<Flow>,
    ) -> Result<(Self, String), String> {
        let mut session = Self::new(now, candidates, flow);
        let mut api = session.rtc.sdp_api();
        let mut channels = [None; 4];
        for (stream, slot) in Stream::ALL.into_iter().zip(&mut channels) {
            *slot = Some(api.add_channel_with_config(ChannelConfig {
                label: stream.label().to_owned(),
                ..ChannelConfig::default()
            }));
        }
        let (offer, pending) = api.apply().ok_or("the transport made no offer")?;
        session.pending = Some(pending);
        session.channels = channels;
        Ok((session, offer.to_sdp_string()))
    }

    /// Begins one as the answerer of this SDP. The answer's SDP.
    pub fn answer(
        now: Instant,
        candidates: Vec<Candidate>,
        flow: Arc<Flow>,
        offer: &str,
    ) -> Result<(Self, String), String> {
        let mut session = Self::new(now, candidates, flow);
        let taken = split(offer);
        let offer = SdpOffer::from_sdp_string(&taken.sdp).map_err(|e| format!("the offer's SDP: {e}"))?;
        let answer =
            session.rtc.sdp_api().accept_offer(offer).map_err(|e| format!("the offer's SDP: {e}"))?;
        session.meet(taken, false);
        Ok((session, answer.to_sdp_string()))
    }

    fn new(now: Instant, candidates: Vec<Candidate>, flow: Arc<Flow>) -> Self {
        let mut session = Self {
            rtc: Box::new(config().build(now)),
            pending: None,
            channels: [None; 4],
            queues: Default::default(),
            early: VecDeque::new(),
            flow,
            turn: 0,
            open: false,
            closed: None,
            locals: Vec::new(),
            remotes: 0,
            learned: HashSet::new(),
            named: Vec::new(),
            looked_up: 0,
            pairs: Pairs::default(),
            rtt: None,
            deadline: now,
            heard: now,
            heard_signed: now,
            upgrade: (now + UPGRADE_EVERY.0, UPGRADE_EVERY.0),
            watch: Watch::new(now),
            probes: None,
            mtu: PathMtu::default(),
            told: (None, now),
            outbox: VecDeque::new(),
        };
        for candidate in candidates {
            session.add_local(candidate);
        }
        session
    }

    /// Takes the answer to the offer.
    pub fn accept(&mut self, answer: &str) -> Result<(), String> {
        let taken = split(answer);
        let answer = SdpAnswer::from_sdp_string(&taken.sdp).map_err(|e| format!("the answer's SDP: {e}"))?;
        let pending = self.pending.take().ok_or("no offer is waiting for an answer")?;
        self.rtc.sdp_api().accept_answer(pending, answer).map_err(|e| format!("the answer's SDP: {e}"))?;
        self.meet(taken, true);
        Ok(())
    }

    fn meet(&mut self, taken: Split, offerer: bool) {
        let ours = self.rtc.direct_api().local_ice_credentials();
        self.probes = creds_in(&taken.sdp).map(|theirs| Probes::new(&ours, &theirs, offerer));
        for candidate in taken.candidates {
            self.add_remote(candidate);
        }
        self.named = taken.named;
    }

    /// The peer's candidates that are names to be looked up, once.
    pub fn take_named(&mut self) -> Vec<Named> {
        std::mem::take(&mut self.named)
    }

    /// How many of the peer's names are to be looked up still, of so many: [`MAX_NAMES`] in all.
    pub fn may_look_up(&mut self, names: usize) -> usize {
        let most = names.min(MAX_NAMES - self.looked_up);
        self.looked_up += most;
        most
    }

    /// The candidates of this machine, each as a line of SDP without `a=`.
    pub fn local_lines(&self) -> Vec<String> {
        self.locals.iter().map(Candidate::to_sdp_string).collect()
    }

    /// Whether all four streams are open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Whether the path in use goes through a relay; false while there is none.
    pub fn is_relayed(&self) -> bool {
        self.pairs.is_relayed()
    }

    /// Whether anything came from the peer lately.
    pub fn heard_within(&self, now: Instant, time: Duration) -> bool {
        now.duration_since(self.heard) <= time
    }

    /// The paths that were tried.
    pub fn pairs(&self) -> &Pairs {
        &self.pairs
    }

    /// The round trip, when it was measured.
    pub fn rtt(&self) -> Option<Duration> {
        self.rtt
    }

    /// The largest datagram that came through on the path in use, with its headers of IP and UDP, when it was measured.
    pub fn path_mtu(&self) -> Option<u32> {
        self.mtu.found()
    }

    /// When [`Session::tick`] is wanted next.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Queues a message. Its bytes are already counted in the session's [`Flow`].
    pub fn write(&mut self, stream: Stream, binary: bool, bytes: Vec<u8>) {
        self.queues[stream as usize].push_back((binary, bytes));
    }

    /// Whether a datagram is for this session. It costs a signature's check only when the peer's name for the session is right.
    pub fn accepts(&self, now: Instant, local: SocketAddr, source: SocketAddr, bytes: &[u8]) -> bool {
        let probes = self.probes.as_ref();
        let ours = probes.is_some_and(|probes| probes.expects((local, source), bytes))
            || Receive::new(Protocol::Udp, source, local, bytes)
                .is_ok_and(|r| self.rtc.accepts(&Input::Receive(now, r)));
        // The transport takes all that comes from where it sends to, which anybody can name as the source of a datagram.
        ours && (!is_stun(bytes) || probes.is_none_or(|probes| probes.signed(bytes)))
    }

    /// A datagram, which [`Session::accepts`] took, came in on a local address.
    pub fn datagram(&mut self, now: Instant, local: SocketAddr, source: SocketAddr, bytes: &[u8]) {
        let Ok(receive) = Receive::new(Protocol::Udp, source, local, bytes) else { return };
        if is_stun(bytes) {
            if !self.may_learn(source, bytes) {
                return;
            }
            self.heard_signed = now;
        }
        self.heard = now;
        self.pairs.received(now, local, source, bytes);
        let path = (local, source);
        if let Some(answer) = self.probes.as_mut().and_then(|probes| probes.answered(now, path, bytes)) {
            return self.proven(now, path, answer);
        }
        if let Err(error) = self.rtc.handle_input(Input::Receive(now, receive)) {
            self.end(format!("the transport failed: {error}"));
        }
    }

    /// Whether what a check or an answer teaches the transport is known, or there is room for it.
    fn may_learn(&mut self, source: SocketAddr, bytes: &[u8]) -> bool {
        let taught = if is_answer(bytes) { mapped_in(bytes).unwrap_or(source) } else { source };
        if self.learned.len() < MAX_LEARNED {
            self.learned.insert(taught);
        }
        self.learned.contains(&taught)
    }

    /// Time passes.
    pub fn tick(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            self.end(format!("the transport failed: {error}"));
        }
        if !self.open {
            return;
        }
        if now.duration_since(self.heard_signed) > DEAD_AFTER {
            self.end(format!("nothing was heard on any path for {} s", DEAD_AFTER.as_secs()));
        } else {
            self.look(now);
        }
    }

    /// Ends the session in good order; what [`Session::poll`] still gives is to be sent.
    pub fn close(&mut self, why: &str) {
        let _ = self.rtc.close();
        self.end(why.to_owned());
    }

    fn end(&mut self, why: String) {
        if self.closed.is_none() {
            self.closed = Some(why);
        }
    }

    /// What there is to do; call it until nothing comes, after whatever changed the session.
    pub fn poll(&mut self, now: Instant) -> Option<Happened> {
        if self.open
            && let Some((stream, binary, bytes)) = self.early.pop_front()
        {
            return Some(Happened::Message { stream, binary, bytes });
        }
        if let Some(happened) = self.outbox.pop_front() {
            return Some(happened);
        }
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    let (source, destination) = (transmit.source, transmit.destination);
                    self.pairs.sent(now, source, destination, &transmit.contents);
                    if let Some(probes) = self.probes.as_mut().filter(|_| is_stun(&transmit.contents)) {
                        probes.sends(&transmit.contents);
                    }
                    return Some(Happened::Transmit { source, destination, bytes: transmit.contents.into() });
                }
                Ok(Output::Event(event)) => {
                    if let Some(happened) = self.event(now, event) {
                        return Some(happened);
                    }
                }
                Ok(Output::Timeout(at)) => {
                    if self.closed.is_none() && self.pump() {
                        continue;
                    }
                    self.deadline = if self.open { at.min(self.watch.next) } else { at };
                    return self
                        .closed
                        .as_mut()
                        .and_then(|why| (!why.is_empty()).then(|| Happened::Closed(std::mem::take(why))));
                }
                Err(error) => {
                    self.end(format!("the transport failed: {error}"));
                    return self
                        .closed
                        .as_mut()
                        .and_then(|why| (!why.is_empty()).then(|| Happened::Closed(std::mem::take(why))));
                }
            }
        }
    }

    fn event(&mut self, now: Instant, event: Event) -> Option<Happened> {
        match event {
            Event::ChannelOpen(id, label) => {
                let opened = self.opened(id, &label);
                // The round trip is known a round trip later.
                if let (Some(_), Some(path)) = (&opened, self.pairs.selected()) {
                    self.ask(now, path, 0);
                    self.watch.next = now;
                }
                opened
            }
            Event::ChannelData(data) => {
                let at = self.channels.iter().position(|id| *id == Some(data.id))?;
                let stream = Stream::ALL[at];
                if data.data.len() > stream.max_message() {
                    let (bytes, most) = (data.data.len(), stream.max_message());
                    let label = stream.label();
                    self.end(format!(
                        "the peer sent {bytes} bytes on the {label} stream, which takes {most}"
                    ));
                    return None;
                }
                if !self.open {
                    self.early.push_back((stream, data.binary, data.data));
                    if self.early.iter().map(|(_, _, bytes)| bytes.len() + PER_MESSAGE).sum::<usize>()
                        > MAX_EARLY
                    {
                        self.end("the peer sent too much before all streams were open".to_owned());
                    }
                    return None;
                }
                Some(Happened::Message { stream, binary: data.binary, bytes: data.data })
            }
            Event::ChannelClose(id) if self.channels.contains(&Some(id)) => {
                self.end("the peer closed a stream".to_owned());
                None
            }
            Event::Closed => {
                self.end("the peer closed the session".to_owned());
                None
            }
            Event::PeerStats(stats) => {
                let pair = stats.selected_candidate_pair?;
                self.pairs.select(now, pair.local.addr, pair.remote.addr);
                self.measured(now, pair.current_round_trip_time)
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                tracing::debug!("no path works at the moment");
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
