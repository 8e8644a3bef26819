//! Which path is used, when it is given up, and when the others are tried again.
//!
//! A path in use that says nothing for [`QUIET_AFTER`] is asked four times a second; when it still says nothing after
//! [`SILENT_AFTER`], or hears nothing of what is sent, everything there is is checked anew, and what answers first is used.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use mesh::relay::is_relay_address;
use str0m::{Candidate, CandidateKind};

use super::{
    Happened, MAX_LOCAL, MAX_REMOTE_EVER, Session, TELL_EVERY, UPGRADE_EVERY,
    probe::{Answer, Path, Probes},
};
use crate::pairs::base_of;

/// A path that said nothing for this long is asked whether it works.
pub const QUIET_AFTER: Duration = Duration::from_secs(2);
/// A path on which no check was answered for this long is asked, whatever comes in on it: it may work one way only.
pub const UNPROVEN_AFTER: Duration = Duration::from_secs(5);
/// A path that said nothing for this long is given up; later where the round trip is long.
pub const SILENT_AFTER: Duration = Duration::from_secs(3);
/// The answerer of a session asks so much later: mostly it hears the offerer's question, and need not ask. It follows the
/// offerer's choice of a path, too, and so needs less proof.
const ANSWERER_WAITS: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(3));
/// A path in question is asked this often.
const ASK_EVERY: Duration = Duration::from_millis(250);
/// A path is given up after this many questions: whoever wakes from sleep asks before it judges.
const ASKED_ENOUGH: u32 = 4;
/// The same when it is heard, and only its answers are missing: half of them may be lost one by one.
const UNPROVEN_ENOUGH: u32 = 12;
/// The most other paths that are asked when the one in use says nothing.
const MAX_OTHERS: usize = 4;
/// The most straight paths that are asked from an address that a relay is used from.
const MAX_STRAIGHT: usize = 8;
/// The longest time between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is known of the path in use.
#[derive(Debug)]
pub(super) struct Watch {
    asked: u32,
    ask_next: Instant,
    /// When [`Session::look`] is wanted next.
    pub(super) next: Instant,
}

impl Watch {
    pub(super) fn new(now: Instant) -> Self {
        Self { asked: 0, ask_next: now, next: now }
    }
}

impl Session {
    /// Looks after the path in use.
    pub(super) fn look(&mut self, now: Instant) {
        self.watch.next = now + LOOK_EVERY;
        if self.pairs.is_relayed() && now >= self.upgrade.0 {
            self.try_straight(now);
        }
        self.question(now);
        let straight = self.pairs.selected().filter(|path| self.pairs.is_straight(*path));
        self.mtu.follow(now, straight);
        if let Some((path, size)) = self.mtu.ask(now) {
            self.ask(now, path, size);
        }
        self.watch.next = self.watch.next.min(self.mtu.next().unwrap_or(self.watch.next));
    }

    /// Asks a path that is quiet, and gives it up when it stays so.
    fn question(&mut self, now: Instant) {
        let (Some(path), Some(quiet)) = (self.pairs.selected(), self.pairs.quiet(now)) else { return };
        let offers = self.probes.as_ref().is_some_and(Probes::offers);
        let waits = if offers { Default::default() } else { ANSWERER_WAITS };
        let (quiet_after, unproven_after) = (QUIET_AFTER + waits.0, UNPROVEN_AFTER + waits.1);
        let calm = quiet_after.saturating_sub(quiet.heard).min(unproven_after.saturating_sub(quiet.proven));
        if !calm.is_zero() {
            self.watch.asked = 0;
            self.watch.next = self.watch.next.min(now + calm);
            return;
        }
        if now < self.watch.ask_next {
            self.watch.next = self.watch.next.min(self.watch.ask_next);
            return;
        }
        let patience = SILENT_AFTER.max(QUIET_AFTER + 3 * self.rtt.unwrap_or_default());
        let silent = self.watch.asked >= ASKED_ENOUGH && quiet.heard >= patience;
        if silent || self.watch.asked >= UNPROVEN_ENOUGH && quiet.proven >= unproven_after {
            return self.give_up(path);
        }
        self.watch.asked += 1;
        self.watch.ask_next = now + ASK_EVERY;
        self.watch.next = self.watch.next.min(self.watch.ask_next);
        self.ask(now, path, 0);
        // What else may work is known by the time that this one is given up.
        if self.watch.asked == ASKED_ENOUGH / 2 {
            for other in self.pairs.others(now).into_iter().take(MAX_OTHERS) {
                self.ask(now, other, 0);
            }
        }
    }

    /// Asks the path in use whether it works, now.
    pub fn ask_now(&mut self, now: Instant) {
        if let Some(path) = self.pairs.selected() {
            self.ask(now, path, 0);
        }
    }

    /// Whether a check on the path in use was answered since then.
    pub fn proven_since(&self, since: Instant) -> bool {
        self.pairs.answered_since(since)
    }

    /// Sends a check of our own on a path.
    pub(super) fn ask(&mut self, now: Instant, path: Path, size: usize) {
        let Some(bytes) = self.probes.as_mut().and_then(|probes| probes.ask(now, path, size)) else { return };
        // That a large one is lost says nothing about the path.
        if size == 0 {
            self.pairs.sent(now, path.0, path.1, &bytes);
        }
        self.outbox.push_back(Happened::Check { source: path.0, destination: path.1, bytes });
    }

    /// A check of our own was answered.
    pub(super) fn proven(&mut self, now: Instant, path: Path, answer: Answer) {
        self.mtu.answered(path, answer.size);
        let Some(in_use) = self.pairs.selected() else { return };
        if in_use == path {
            (self.rtt, self.told) = (Some(answer.rtt), (Some(path), now));
            if self.open {
                self.outbox.push_back(Happened::Measured(answer.rtt));
            }
        } else if self.pairs.is_relayed() && self.pairs.is_straight(path) {
            // It was only asked because a relay is used from the same address: now it is worth that relay's place.
            self.check_anew(|candidate| base_of(candidate) == path.0);
            self.upgrade = (now + UPGRADE_EVERY.0, UPGRADE_EVERY.0);
        }
    }

    /// The transport says what its last check of the path in use took. What is to be told of it, if anything.
    pub(super) fn measured(&mut self, now: Instant, rtt: Option<Duration>) -> Option<Happened> {
        let path = self.pairs.selected()?;
        if self.told.0 != Some(path) {
            // Another path: its own round trip is asked for, and until then the transport's word holds.
            (self.rtt, self.told) = (rtt, (Some(path), now));
            self.ask(now, path, 0);
        } else if now.saturating_duration_since(self.told.1) >= TELL_EVERY {
            (self.rtt, self.told.1) = (self.rtt.or(rtt), now);
        } else {
            return None;
        }
        self.rtt.filter(|_| self.open).map(Happened::Measured)
    }

    /// Gives up the path in use. The offerer has everything checked anew, not only that path: the transport tells the peer at
    /// once only of a path whose check has just been answered. The answerer keeps what the offerer chose before.
    fn give_up(&mut self, path: Path) {
        tracing::debug!(local = %path.0, remote = %path.1, "a path went silent, another is looked for");
        self.watch.asked = 0;
        let offers = self.probes.as_ref().is_some_and(Probes::offers);
        self.check_anew(|candidate| offers || base_of(candidate) == path.0);
        self.pairs.forget_selected();
    }

    /// Has the transport check the paths of some of our candidates, as if nothing were known of them.
    fn check_anew(&mut self, which: impl Fn(&Candidate) -> bool) {
        for candidate in self.locals.iter().filter(|candidate| which(candidate)) {
            self.rtc.direct_api().invalidate_candidate(candidate);
            self.rtc.add_local_candidate(candidate.clone());
        }
    }

    /// Tries all straight paths anew, the sooner the shorter the session has been on a relay.
    fn try_straight(&mut self, now: Instant) {
        let next = (self.upgrade.1 * 2).min(UPGRADE_EVERY.1);
        self.upgrade = (now + self.upgrade.1, next);
        let Some(in_use) = self.pairs.selected() else { return };
        // The relay in use stays: a TURN server's address of ours, or ours on the way to one of theirs.
        self.check_anew(|candidate| {
            candidate.kind() != CandidateKind::Relayed && base_of(candidate) != in_use.0
        });
        if !is_relay_address(&in_use.0) {
            for path in self.pairs.straight_from(in_use.0).into_iter().take(MAX_STRAIGHT) {
                self.ask(now, path, 0);
            }
        }
    }

    /// Tries all straight paths at the next occasion: something changed that may have mended them.
    pub fn look_again(&mut self, now: Instant) {
        self.upgrade = (now, UPGRADE_EVERY.0);
        self.watch.next = now;
        self.deadline = now;
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
        if let Some(path) = self.pairs.selected().filter(|(local, _)| *local == address) {
            self.give_up(path);
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
}
