//! Where a peer was reached straight, and where it was before: a machine that was carried to another network, or got
//! another address where it stands.

use std::net::IpAddr;

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Pair, PairState, is_straight};

/// For how many seconds a move is told.
pub const MOVE_IS_TOLD_SECONDS: i64 = 600;

/// The addresses at which a peer was reached straight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// The last one.
    pub at: Option<IpAddr>,
    /// The one before, which does not answer any more, and when the last one was found.
    pub before: Option<(IpAddr, Timestamp)>,
}

impl Whereabouts {
    /// Looks at the paths of the peer's session.
    pub fn look(&mut self, pairs: &[Pair], now: Timestamp) {
        self.before =
            self.before.filter(|(_, since)| now.as_second() - since.as_second() <= MOVE_IS_TOLD_SECONDS);
        let Some(chosen) = pairs.iter().find(|pair| pair.chosen && is_straight(pair)) else { return };
        let here = chosen.remote.ip();
        let Some(old) = self.at.replace(here).filter(|old| *old != here) else { return };
        let to_old = |pair: &&Pair| pair.remote.ip() == old;
        let states: Vec<PairState> = pairs.iter().filter(to_old).map(|pair| pair.state).collect();
        if states.iter().any(|state| *state != PairState::NoAnswer) {
            // It answers, or did a moment ago, or it is not known yet.
            self.at = Some(old);
        } else if !states.is_empty() || old.is_ipv4() == here.is_ipv4() {
            self.before = Some((old, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::CandidateKind, *};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn pair(remote: &str, state: PairState, chosen: bool) -> Pair {
        Pair {
            local: "10.0.0.1:1".parse().unwrap(),
            local_kind: CandidateKind::Host,
            remote: remote.parse().unwrap(),
            remote_kind: CandidateKind::Host,
            state,
            chosen,
        }
    }

    fn before(looks: &[Vec<Pair>]) -> Option<IpAddr> {
        let mut whereabouts = Whereabouts::default();
        for pairs in looks {
            whereabouts.look(pairs, at("2027-01-01T00:00:00Z"));
        }
        whereabouts.before.map(|(address, _)| address)
    }

    const OLD: &str = "10.0.0.2:5";
    const NEW: &str = "10.0.1.2:5";

    #[test]
    fn an_address_that_answers_no_more_was_left() {
        let (old, new) = (vec![pair(OLD, PairState::Works, true)], pair(NEW, PairState::Works, true));
        let old_ip = Some("10.0.0.2".parse().unwrap());
        assert_eq!(before(&[old.clone(), vec![new.clone()]]), old_ip, "a new session knows it not");
        let dead = vec![new.clone(), pair(OLD, PairState::NoAnswer, false)];
        assert_eq!(before(&[old.clone(), dead.clone()]), old_ip);
        let unsure = vec![new, pair(OLD, PairState::Trying, false)];
        assert_eq!(before(&[old.clone(), unsure.clone()]), None, "not known yet");
        assert_eq!(before(&[old, unsure, dead]), old_ip);
    }

    #[test]
    fn a_machine_with_two_addresses_has_not_moved() {
        let old = vec![pair(OLD, PairState::Works, true)];
        let both = vec![pair(NEW, PairState::Works, true), pair(OLD, PairState::Works, false)];
        assert_eq!(before(&[old.clone(), both.clone(), both]), None);
        let other_family = vec![pair("[fd00::2]:5", PairState::Works, true)];
        assert_eq!(before(&[old.clone(), other_family]), None);
        let relay = vec![Pair { remote_kind: CandidateKind::Turn, ..pair(NEW, PairState::Works, true) }];
        assert_eq!(before(&[old, relay]), None, "an address of a TURN server is none of the machine's");
    }

    #[test]
    fn an_old_move_is_told_no_more() {
        let mut whereabouts =
            Whereabouts { at: None, before: Some(("10.0.0.2".parse().unwrap(), at("2027-01-01T00:00:00Z"))) };
        whereabouts.look(&[], at("2027-01-01T00:10:00Z"));
        assert!(whereabouts.before.is_some());
        whereabouts.look(&[], at("2027-01-01T00:10:01Z"));
        assert_eq!(whereabouts.before, None);
    }
}
