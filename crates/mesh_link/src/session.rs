//! One WebRTC session with one peer: four data channels over whatever path ICE finds, without a socket or a clock.
//!
//! Datagrams and the time go in, datagrams and messages come out. The path is the shell's business in two places only: a
//! path that went silent is given up as soon as another is there (ICE alone would wait for 15 s), and paths that failed are
//! tried again for as long as the session goes through a relay.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use mesh::Stream;
use str0m::{
    Candidate, Event, IceConnectionState, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    channel::{ChannelConfig, ChannelId, Reliability},
    net::{Protocol, Receive},
};

use crate::{
    flow::{Flow, PER_MESSAGE},
    pairs::{Pairs, base_of},
    sdp::{Named, Split, split},
};

mod paths;

/// How much is given to the transport before it is acknowledged, on a near path. More only adds delay.
pub const SEND_BUFFER_NEAR: usize = 64 * 1024;
/// The same on a path with a round trip of more than [`NEAR`]: what is under way must fill it.
pub const SEND_BUFFER_FAR: usize = 1024 * 1024;
/// The round trip up to which a path is near.
pub const NEAR: Duration = Duration::from_millis(5);
/// The largest message that goes either way: the largest of [`Stream::max_message`].
pub const MAX_MESSAGE: usize = 192 * 1024;
/// A path that said nothing for this long is given up when another works.
pub const SILENT_AFTER: Duration = Duration::from_secs(4);
/// A session that heard nothing on any path for this long has ended.
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// The most bytes that may come before all streams are open.
pub const MAX_EARLY: usize = 256 * 1024;
/// The most local candidates of a session.
pub const MAX_LOCAL: usize = 24;
/// The most candidates that a peer may name at once.
pub const MAX_REMOTE: usize = 32;
/// The most that it may name while the session lasts.
pub const MAX_REMOTE_EVER: usize = 512;

/// The first and the longest wait between two attempts to get from a relay to a straight path.
const UPGRADE_EVERY: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(1));
/// How often a working path is asked whether it still works.
const CONSENT_EVERY: Duration = Duration::from_millis(1_500);
const STATS_EVERY: Duration = Duration::from_secs(2);

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
    named: Vec<Named>,
    pairs: Pairs,
    rtt: Option<Duration>,
    deadline: Instant,
    heard: Instant,
    upgrade: (Instant, Duration),
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
    config.set_max_stun_rto(CONSENT_EVERY);
    config.set_max_stun_retransmits(7);
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
        session.meet(taken);
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
            named: Vec::new(),
            pairs: Pairs::default(),
            rtt: None,
            deadline: now,
            heard: now,
            upgrade: (now + UPGRADE_EVERY.0, UPGRADE_EVERY.0),
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
        self.meet(taken);
        Ok(())
    }

    fn meet(&mut self, taken: Split) {
        for candidate in taken.candidates {
            self.add_remote(candidate);
        }
        self.named = taken.named;
    }

    /// The peer's candidates that are names to be looked up, once.
    pub fn take_named(&mut self) -> Vec<Named> {
        std::mem::take(&mut self.named)
    }

    /// The candidates of this machine, each as a line of SDP without `a=`.
    pub fn local_lines(&self) -> Vec<String> {
        self.locals.iter().map(Candidate::to_sdp_string).collect()
    }

    /// A new address of this machine. Whether it is one more; the peer is to be told then.
    pub fn add_local(&mut self, candidate: Candidate) -> bool {
        if self.locals.len() >= MAX_LOCAL {
            return false;
        }
        self.pairs.know_local(&candidate);
        let added = self.rtc.add_local_candidate(candidate.clone()).is_some();
        if added {
            self.locals.push(candidate);
        }
        added
    }

    /// An address of this machine is gone.
    pub fn remove_local(&mut self, address: SocketAddr) {
        let rtc = &mut self.rtc;
        self.locals.retain(|candidate| {
            let gone = base_of(candidate) == address || candidate.addr() == address;
            if gone {
                rtc.direct_api().invalidate_candidate(candidate);
            }
            !gone
        });
        if self.pairs.selected().is_some_and(|(local, _)| local == address) {
            self.pairs.forget_selected();
        }
    }

    /// An address of the peer.
    pub fn add_remote(&mut self, candidate: Candidate) {
        if self.remotes < MAX_REMOTE_EVER {
            self.remotes += 1;
            self.pairs.know_remote(&candidate);
            self.rtc.add_remote_candidate(candidate);
        }
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
        Receive::new(Protocol::Udp, source, local, bytes)
            .is_ok_and(|r| self.rtc.accepts(&Input::Receive(now, r)))
    }

    /// A datagram came in on a local address.
    pub fn datagram(&mut self, now: Instant, local: SocketAddr, source: SocketAddr, bytes: &[u8]) {
        let Ok(receive) = Receive::new(Protocol::Udp, source, local, bytes) else { return };
        self.heard = now;
        self.pairs.received(now, local, source, bytes);
        if let Err(error) = self.rtc.handle_input(Input::Receive(now, receive)) {
            self.end(format!("the transport failed: {error}"));
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Instant) {
        if let Err(error) = self.rtc.handle_input(Input::Timeout(now)) {
            self.end(format!("the transport failed: {error}"));
        }
        if !self.open {
            return;
        }
        if now.duration_since(self.heard) > DEAD_AFTER {
            self.end(format!("nothing was heard on any path for {} s", DEAD_AFTER.as_secs()));
        } else if let Some(local) = self.pairs.silent(now, SILENT_AFTER) {
            self.give_up(local);
        } else if self.pairs.is_relayed() && now >= self.upgrade.0 {
            self.try_straight(now);
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
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(transmit)) => {
                    let (source, destination) = (transmit.source, transmit.destination);
                    self.pairs.sent(now, source, destination, &transmit.contents);
                    return Some(Happened::Transmit { source, destination, bytes: transmit.contents.into() });
                }
                Ok(Output::Event(event)) => {
                    if let Some(happened) = self.event(event) {
                        return Some(happened);
                    }
                }
                Ok(Output::Timeout(at)) => {
                    if self.closed.is_none() && self.pump() {
                        continue;
                    }
                    self.deadline = if self.open { at.min(now + Duration::from_secs(1)) } else { at };
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

    fn event(&mut self, event: Event) -> Option<Happened> {
        match event {
            Event::ChannelOpen(id, label) => self.opened(id, &label),
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
                self.pairs.select(pair.local.addr, pair.remote.addr);
                self.rtt = pair.current_round_trip_time.or(self.rtt);
                self.rtt.filter(|_| self.open).map(Happened::Measured)
            }
            Event::IceConnectionStateChange(IceConnectionState::Disconnected) => {
                tracing::debug!("no path works at the moment");
                None
            }
            _ => None,
        }
    }

    /// A channel is open. One that is none of ours, or is not reliable and ordered, stays unused.
    fn opened(&mut self, id: ChannelId, label: &str) -> Option<Happened> {
        let stream = Stream::of_label(label)?;
        let channel = self.rtc.channel(id)?;
        let sound = channel.config().is_none_or(|c| c.ordered && c.reliability == Reliability::Reliable);
        let slot = &mut self.channels[stream as usize];
        if !sound || slot.is_some_and(|known| known != id) {
            self.end(format!(
                "the peer opened a {label} stream that is not reliable, not in order, or there already"
            ));
            return None;
        }
        *slot = Some(id);
        let all = self.channels;
        let ready = all.iter().all(|id| id.is_some_and(|id| self.rtc.channel(id).is_some()));
        if ready && !self.open {
            self.open = true;
            return Some(Happened::Open);
        }
        None
    }

    /// Gives the transport the next message, the streams in turn. Whether it took one.
    fn pump(&mut self) -> bool {
        if !self.open || self.queues.iter().all(VecDeque::is_empty) {
            return false;
        }
        let limit = if self.rtt.is_some_and(|rtt| rtt > NEAR) { SEND_BUFFER_FAR } else { SEND_BUFFER_NEAR };
        let ids = self.channels;
        let under_way: usize =
            ids.iter().flatten().filter_map(|id| Some(self.rtc.channel(*id)?.buffered_amount())).sum();
        if under_way >= limit {
            return false;
        }
        for step in 1..=4 {
            let at = (self.turn + step) % 4;
            let Some((binary, bytes)) = self.queues[at].pop_front() else { continue };
            let written =
                self.channels[at].and_then(|id| self.rtc.channel(id)).map(|mut c| c.write(binary, &bytes));
            match written {
                Some(Ok(true)) => {
                    self.turn = at;
                    self.flow.release(Stream::ALL[at], bytes.len());
                    return true;
                }
                Some(Ok(false)) => self.queues[at].push_front((binary, bytes)),
                Some(Err(error)) => self.end(format!("the transport failed: {error}")),
                None => self.end("a stream is closed".to_owned()),
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
