//! Which paths were tried and how each fared, as seen in the datagrams themselves. The doctor reads it.

use std::{
    collections::HashMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use mesh::{
    doctor::{CandidateKind, Pair, PairState},
    relay::is_relay_address,
};
use str0m::Candidate;

/// The most paths that are remembered for a session.
pub const MAX_PAIRS: usize = 64;
/// A path that was asked this often without an answer does not work.
const ASKED_ENOUGH: u32 = 7;
/// An answer older than this says nothing about now.
const FRESH: Duration = Duration::from_secs(8);

#[derive(Debug, Clone, Copy, Default)]
struct Tried {
    asked: u32,
    answered: Option<Instant>,
    heard: Option<Instant>,
    began: Option<Instant>,
}

/// The paths of one session.
#[derive(Debug, Default)]
pub struct Pairs {
    tried: HashMap<(SocketAddr, SocketAddr), Tried>,
    kinds: HashMap<(bool, SocketAddr), CandidateKind>,
    selected: Option<(SocketAddr, SocketAddr)>,
}

fn kind_of(candidate: &Candidate) -> CandidateKind {
    use str0m::CandidateKind as K;
    match candidate.kind() {
        _ if is_relay_address(&candidate.addr()) => CandidateKind::Gateway,
        K::Host => CandidateKind::Host,
        K::ServerReflexive => CandidateKind::ServerReflexive,
        K::PeerReflexive => CandidateKind::PeerReflexive,
        K::Relayed => CandidateKind::Turn,
    }
}

/// The address that datagrams of a candidate of ours leave from: an address on a relay is its own (RFC 8445, section 5.1.1.1).
pub fn base_of(candidate: &Candidate) -> SocketAddr {
    if candidate.kind() == str0m::CandidateKind::Relayed { candidate.addr() } else { candidate.local() }
}

/// Whether a datagram is STUN (RFC 7983, section 7).
pub fn is_stun(bytes: &[u8]) -> bool {
    bytes.len() >= 20 && bytes[0] < 4
}

fn is_answer(bytes: &[u8]) -> bool {
    is_stun(bytes) && bytes[..2] == [0x01, 0x01]
}

impl Pairs {
    /// A candidate of ours.
    pub fn know_local(&mut self, candidate: &Candidate) {
        if self.kinds.len() < MAX_PAIRS {
            self.kinds.entry((true, base_of(candidate))).or_insert_with(|| kind_of(candidate));
        }
    }

    /// A candidate of the peer.
    pub fn know_remote(&mut self, candidate: &Candidate) {
        if self.kinds.len() < MAX_PAIRS {
            self.kinds.entry((false, candidate.addr())).or_insert_with(|| kind_of(candidate));
        }
    }

    fn at(&mut self, now: Instant, pair: (SocketAddr, SocketAddr)) -> Option<&mut Tried> {
        if self.tried.len() >= MAX_PAIRS && !self.tried.contains_key(&pair) {
            return None;
        }
        let tried = self.tried.entry(pair).or_default();
        tried.began.get_or_insert(now);
        Some(tried)
    }

    /// A datagram goes out.
    pub fn sent(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        if !is_stun(bytes) {
            if self.selected != Some((local, remote)) {
                tracing::debug!(%local, %remote, "path in use");
                self.selected = Some((local, remote));
                if let Some(tried) = self.at(now, (local, remote)) {
                    tried.heard = Some(now);
                }
            }
        } else if bytes[..2] == [0x00, 0x01]
            && let Some(tried) = self.at(now, (local, remote))
        {
            tried.asked = tried.asked.saturating_add(1);
        }
    }

    /// A datagram came in.
    pub fn received(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        if let Some(tried) = self.at(now, (local, remote)) {
            tried.heard = Some(now);
            if is_answer(bytes) {
                tried.answered = Some(now);
                tried.asked = 0;
            }
        }
    }

    /// The path in use: ours and theirs.
    pub fn selected(&self) -> Option<(SocketAddr, SocketAddr)> {
        self.selected
    }

    /// What the transport says is in use: while nothing goes out, that alone shows it.
    pub fn select(&mut self, local: SocketAddr, remote: SocketAddr) {
        // Behind a NAT it names the outside of our address, which is none that anything leaves from.
        if self.selected.is_none() || self.tried.contains_key(&(local, remote)) {
            self.selected = Some((local, remote));
        }
    }

    /// Another path will be found in use by what goes out.
    pub fn forget_selected(&mut self) {
        self.selected = None;
    }

    /// Whether the path in use goes through a gateway or a TURN server.
    pub fn is_relayed(&self) -> bool {
        self.selected.is_some_and(|(local, remote)| {
            [self.kind(true, local), self.kind(false, remote)]
                .iter()
                .any(|kind| matches!(kind, CandidateKind::Gateway | CandidateKind::Turn))
        })
    }

    /// Our address of the path in use, when nothing came back on it for `after` while another path answered since.
    pub fn silent(&self, now: Instant, after: Duration) -> Option<SocketAddr> {
        let selected = self.selected?;
        let old = |tried: &Tried| tried.heard.is_none_or(|heard| now.duration_since(heard) > after);
        let alive = |tried: &Tried| tried.answered.is_some_and(|at| now.duration_since(at) <= after);
        let silent = self.tried.get(&selected).is_some_and(old);
        let other = self.tried.iter().any(|(pair, tried)| *pair != selected && alive(tried));
        (silent && other).then_some(selected.0)
    }

    fn kind(&self, local: bool, address: SocketAddr) -> CandidateKind {
        let unknown =
            if is_relay_address(&address) { CandidateKind::Gateway } else { CandidateKind::PeerReflexive };
        self.kinds.get(&(local, address)).copied().unwrap_or(unknown)
    }

    /// All of them, the one in use first.
    pub fn report(&self, now: Instant) -> Vec<Pair> {
        let mut all: Vec<Pair> = self
            .tried
            .iter()
            .filter(|((local, remote), _)| is_relay_address(local) == is_relay_address(remote))
            .map(|(&(local, remote), tried)| Pair {
                local,
                local_kind: self.kind(true, local),
                remote,
                remote_kind: self.kind(false, remote),
                state: state(now, tried),
                chosen: self.selected == Some((local, remote)),
            })
            .collect();
        all.sort_by_key(|pair| (!pair.chosen, pair.local, pair.remote));
        all
    }
}

fn state(now: Instant, tried: &Tried) -> PairState {
    match tried {
        Tried { answered: Some(at), .. } if now.duration_since(*at) < FRESH => PairState::Works,
        Tried { asked, .. } if *asked >= ASKED_ENOUGH => PairState::NoAnswer,
        Tried { began: Some(began), .. } if now.duration_since(*began) > FRESH => PairState::NoAnswer,
        Tried { asked: 0, .. } => PairState::Waiting,
        _ => PairState::Trying,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASK: [u8; 20] = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const TELL: [u8; 20] = [1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const DATA: [u8; 20] = [23; 20];

    fn at(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    #[test]
    fn a_path_that_never_answered_is_told_from_one_that_works() {
        let (mut pairs, now) = (Pairs::default(), Instant::now());
        for _ in 0..ASKED_ENOUGH {
            pairs.sent(now, at(1), at(2), &ASK);
        }
        pairs.sent(now, at(1), at(3), &ASK);
        pairs.received(now, at(1), at(3), &TELL);
        pairs.sent(now, at(1), at(4), &ASK);
        let states: Vec<PairState> = pairs.report(now).iter().map(|pair| pair.state).collect();
        assert_eq!(states, [PairState::NoAnswer, PairState::Works, PairState::Trying]);
    }

    #[test]
    fn a_silent_path_is_given_up_only_for_one_that_answers() {
        let (mut pairs, now) = (Pairs::default(), Instant::now());
        pairs.sent(now, at(1), at(2), &DATA);
        let later = now + Duration::from_secs(5);
        let limit = Duration::from_secs(4);
        assert_eq!(pairs.silent(later, limit), None, "there is no other");
        pairs.received(later, at(7), at(8), &TELL);
        assert_eq!(pairs.silent(later, limit), Some(at(1)));
        pairs.received(later, at(1), at(2), &DATA);
        assert_eq!(pairs.silent(later, limit), None);
    }

    #[test]
    fn a_flood_of_addresses_does_not_grow_the_list() {
        let (mut pairs, now) = (Pairs::default(), Instant::now());
        for port in 0..1_000 {
            pairs.received(now, at(1), at(port), &ASK);
        }
        assert_eq!(pairs.report(now).len(), MAX_PAIRS);
    }
}
