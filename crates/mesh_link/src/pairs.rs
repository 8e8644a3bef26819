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

use crate::session::probe::Path;

/// The most paths that are remembered for a session.
pub const MAX_PAIRS: usize = 64;
/// A path that was asked this often without an answer does not work.
const ASKED_ENOUGH: u32 = 7;
/// An answer older than this says nothing about now: two checks of the transport's were lost.
const FRESH: Duration = Duration::from_secs(22);
/// A path that answered this recently is asked whether it works, when the one in use says nothing.
const REMEMBERED: Duration = Duration::from_mins(2);

#[derive(Debug, Clone, Copy)]
struct Tried {
    asked: u32,
    answered: Option<Instant>,
    heard: Option<Instant>,
    began: Instant,
    touched: Instant,
}

/// The paths of one session.
#[derive(Debug, Default)]
pub struct Pairs {
    tried: HashMap<Path, Tried>,
    kinds: HashMap<(bool, SocketAddr), CandidateKind>,
    selected: Option<(Path, Instant)>,
}

/// How long the path in use has been quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Since something came in on it, or since it came into use.
    pub heard: Duration,
    /// Since a check was answered on it, which says that both directions work, or since it came into use.
    pub proven: Duration,
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

/// Whether a datagram is a successful answer to a check.
pub fn is_answer(bytes: &[u8]) -> bool {
    is_stun(bytes) && bytes[..2] == [0x01, 0x01]
}

impl Pairs {
    /// A candidate of ours.
    pub fn know_local(&mut self, candidate: &Candidate) {
        self.know((true, base_of(candidate)), candidate);
    }

    /// A candidate of the peer.
    pub fn know_remote(&mut self, candidate: &Candidate) {
        self.know((false, candidate.addr()), candidate);
    }

    fn know(&mut self, address: (bool, SocketAddr), candidate: &Candidate) {
        if self.kinds.len() >= MAX_PAIRS && !self.kinds.contains_key(&address) {
            let tried = &self.tried;
            self.kinds
                .retain(|(ours, at), _| tried.keys().any(|path| *at == if *ours { path.0 } else { path.1 }));
        }
        if self.kinds.len() < 2 * MAX_PAIRS {
            self.kinds.entry(address).or_insert_with(|| kind_of(candidate));
        }
    }

    fn at(&mut self, now: Instant, path: Path) -> Option<&mut Tried> {
        if self.tried.len() >= MAX_PAIRS && !self.tried.contains_key(&path) {
            // The one that has not worked for longest makes room.
            let in_use = self.selected.map(|(path, _)| path);
            let failed = |(path, tried): &(&Path, &Tried)| {
                Some(**path) != in_use && state(now, tried) != PairState::Works
            };
            let oldest = self.tried.iter().filter(failed).min_by_key(|(_, tried)| tried.touched);
            let oldest = *oldest?.0;
            self.tried.remove(&oldest);
        }
        let new = Tried { asked: 0, answered: None, heard: None, began: now, touched: now };
        let tried = self.tried.entry(path).or_insert(new);
        tried.touched = now;
        Some(tried)
    }

    /// A datagram goes out.
    pub fn sent(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr, bytes: &[u8]) {
        if !is_stun(bytes) {
            self.choose(now, (local, remote));
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
    pub fn selected(&self) -> Option<Path> {
        self.selected.map(|(path, _)| path)
    }

    fn choose(&mut self, now: Instant, path: Path) {
        if self.selected() != Some(path) {
            tracing::debug!(local = %path.0, remote = %path.1, "path in use");
            self.selected = Some((path, now));
        }
    }

    /// What the transport says is in use: while nothing goes out, that alone shows it.
    pub fn select(&mut self, now: Instant, local: SocketAddr, remote: SocketAddr) {
        // Behind a NAT it names the outside of our address, which is none that anything leaves from.
        if self.selected.is_none() || self.tried.contains_key(&(local, remote)) {
            self.choose(now, (local, remote));
        }
    }

    /// Another path will be found in use by what goes out.
    pub fn forget_selected(&mut self) {
        self.selected = None;
    }

    /// Whether the path in use goes through a gateway or a TURN server.
    pub fn is_relayed(&self) -> bool {
        self.selected().is_some_and(|path| !self.is_straight(path))
    }

    /// How long the path in use has been quiet.
    pub fn quiet(&self, now: Instant) -> Option<Quiet> {
        let (path, since) = self.selected?;
        let tried = self.tried.get(&path);
        let after =
            |last: Option<Instant>| now.saturating_duration_since(last.map_or(since, |at| at.max(since)));
        Some(Quiet {
            heard: after(tried.and_then(|tried| tried.heard)),
            proven: after(tried.and_then(|tried| tried.answered)),
        })
    }

    /// Whether a check on the path in use was answered since then.
    pub fn answered_since(&self, since: Instant) -> bool {
        let tried = self.selected().and_then(|path| self.tried.get(&path));
        tried.and_then(|tried| tried.answered).is_some_and(|at| at >= since)
    }

    /// Other paths that answered in the last minutes, the latest first.
    pub fn others(&self, now: Instant) -> Vec<Path> {
        let in_use = self.selected();
        let mut others: Vec<(Instant, Path)> = self
            .tried
            .iter()
            .filter(|(path, _)| Some(**path) != in_use)
            .filter_map(|(path, tried)| Some((tried.answered?, *path)))
            .filter(|(at, _)| now.saturating_duration_since(*at) <= REMEMBERED)
            .collect();
        others.sort_by_key(|(at, path)| (std::cmp::Reverse(*at), *path));
        others.into_iter().map(|(_, path)| path).collect()
    }

    /// The straight paths from one of our addresses.
    pub fn straight_from(&self, local: SocketAddr) -> Vec<Path> {
        let mut paths: Vec<Path> =
            self.tried.keys().filter(|path| path.0 == local && self.is_straight(**path)).copied().collect();
        paths.sort();
        paths
    }

    /// Whether a path goes through neither a gateway nor a TURN server.
    pub fn is_straight(&self, (local, remote): Path) -> bool {
        let kinds = [self.kind(true, local), self.kind(false, remote)];
        !kinds.iter().any(|kind| matches!(kind, CandidateKind::Gateway | CandidateKind::Turn))
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
                chosen: self.selected() == Some((local, remote)),
            })
            .collect();
        all.sort_by_key(|pair| (!pair.chosen, pair.local, pair.remote));
        all
    }
}

fn state(now: Instant, tried: &Tried) -> PairState {
    match tried {
        Tried { asked, .. } if *asked >= ASKED_ENOUGH => PairState::NoAnswer,
        Tried { answered: Some(at), .. } if now.saturating_duration_since(*at) < FRESH => PairState::Works,
        Tried { began, .. } if now.saturating_duration_since(*began) > FRESH => PairState::NoAnswer,
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
    fn quiet_is_counted_from_the_last_word_or_from_when_the_path_came_into_use() {
        let (mut pairs, now) = (Pairs::default(), Instant::now());
        let after = |seconds| now + Duration::from_secs(seconds);
        assert_eq!(pairs.quiet(now), None, "nothing is in use");
        pairs.received(now, at(1), at(2), &TELL);
        pairs.sent(after(10), at(1), at(2), &DATA);
        let second = Duration::from_secs(1);
        assert_eq!(pairs.quiet(after(11)), Some(Quiet { heard: second, proven: second }));
        pairs.received(after(12), at(1), at(2), &DATA);
        assert_eq!(pairs.quiet(after(13)), Some(Quiet { heard: second, proven: 3 * second }));
        pairs.received(after(13), at(1), at(2), &TELL);
        assert_eq!(pairs.quiet(after(14)), Some(Quiet { heard: second, proven: second }));
    }

    #[test]
    fn only_paths_that_answered_lately_are_others_to_turn_to() {
        let (mut pairs, now) = (Pairs::default(), Instant::now());
        pairs.sent(now, at(1), at(2), &DATA);
        pairs.received(now, at(1), at(2), &TELL);
        pairs.received(now, at(3), at(4), &TELL);
        pairs.received(now, at(5), at(6), &ASK);
        assert_eq!(pairs.others(now), [(at(3), at(4))]);
        assert!(pairs.others(now + REMEMBERED * 2).is_empty());
    }

    #[test]
    fn a_long_session_drops_what_failed_longest_ago_for_a_new_path_and_keeps_what_works() {
        let (mut pairs, now) = (Pairs::default(), Instant::now());
        pairs.sent(now, at(1), at(2), &DATA);
        pairs.received(now, at(1), at(2), &ASK);
        let late = now + Duration::from_hours(1);
        for port in 10..1_000 {
            pairs.sent(now + Duration::from_secs(port.into()), at(1), at(port), &ASK);
        }
        pairs.received(late, at(1), at(2_000), &TELL);
        let report = pairs.report(late);
        assert_eq!(report.len(), MAX_PAIRS);
        assert!(report.iter().any(|pair| pair.remote == at(2_000) && pair.state == PairState::Works));
        assert!(report.iter().any(|pair| pair.chosen && pair.remote == at(2)), "the path in use stays");
        assert!(!report.iter().any(|pair| pair.remote == at(10)), "the oldest went");
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
