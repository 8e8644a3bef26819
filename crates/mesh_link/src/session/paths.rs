//! Which path is left, and when the others are tried again.

use std::{net::SocketAddr, time::Instant};

use mesh::relay::is_relay_address;

use super::{Session, UPGRADE_EVERY};
use crate::pairs::base_of;

impl Session {
    /// Gives up the path in use, from this local address. Its paths are checked anew, as if nothing were known of them.
    pub(super) fn give_up(&mut self, local: SocketAddr) {
        tracing::debug!(%local, "a path went silent, another is used");
        for candidate in self.locals.iter().filter(|candidate| base_of(candidate) == local) {
            self.rtc.direct_api().invalidate_candidate(candidate);
            self.rtc.add_local_candidate(candidate.clone());
        }
        self.pairs.forget_selected();
    }

    /// Tries all straight paths anew, the sooner the shorter the session has been on a relay.
    pub(super) fn try_straight(&mut self, now: Instant) {
        let next = (self.upgrade.1 * 2).min(UPGRADE_EVERY.1);
        self.upgrade = (now + self.upgrade.1, next);
        for candidate in self.locals.iter().filter(|candidate| !is_relay_address(&candidate.addr())) {
            self.rtc.direct_api().invalidate_candidate(candidate);
            self.rtc.add_local_candidate(candidate.clone());
        }
    }

    /// Tries all straight paths at the next occasion: something changed that may have mended them.
    pub fn look_again(&mut self, now: Instant) {
        self.upgrade = (now, UPGRADE_EVERY.0);
        self.deadline = now;
    }
}
