//! What the doctor is shown, once a second.

use std::sync::{Arc, PoisonError};

use mesh::doctor::{Gateway, Multicast};

use crate::{actor::Actor, endpoint::Report, sockets::interfaces};

impl Actor {
    /// Puts what was seen where the owner can read it.
    pub(crate) fn publish(&mut self) {
        let live = std::mem::take(&mut self.live);
        for session in live.values() {
            self.remember(session, None);
        }
        self.live = live;
        let report = Report {
            interfaces: interfaces(),
            multicast: self
                .discovery
                .as_ref()
                .map_or(Multicast::Off, |discovery| Arc::as_ref(discovery).multicast()),
            gateways: self
                .relays
                .iter()
                .map(|relay| Gateway { url: relay.url().to_owned(), state: relay.state() })
                .collect(),
            peers: self.history.all(),
        };
        *self.shared.report.write().unwrap_or_else(PoisonError::into_inner) = report;
    }
}
