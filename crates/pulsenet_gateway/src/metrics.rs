//! What the gateway counts. The program registers it beside the platform's other metrics.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

/// Why something was refused or ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    code: &'static str,
}

/// The gateway's counters.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    logins: Counter,
    endings: Family<Why, Counter>,
    frames: Counter,
    bytes: Counter<u64, AtomicU64>,
    dropped: Counter,
}

impl Metrics {
    /// A node logged in.
    pub(crate) fn logged_in(&self) {
        self.logins.inc();
    }

    /// A connection was refused or ended; `code` is one of a fixed few.
    pub(crate) fn ended(&self, code: &'static str) {
        self.endings.get_or_create(&Why { code }).inc();
    }

    /// A frame was carried.
    pub(crate) fn carried(&self, bytes: usize) {
        self.frames.inc();
        self.bytes.inc_by(bytes as u64);
    }

    /// A datagram was dropped.
    pub(crate) fn dropped(&self) {
        self.dropped.inc();
    }

    pub(crate) fn register(&self, registry: &mut Registry) {
        let of = registry.sub_registry_with_prefix("mesh_relay");
        of.register("logins", "Nodes that logged in to the relay", self.logins.clone());
        of.register("endings", "Connections that were refused or ended, by why", self.endings.clone());
        of.register("frames", "Datagrams and signals that were carried", self.frames.clone());
        of.register_with_unit("carried", "Bytes of them", Unit::Bytes, self.bytes.clone());
        of.register(
            "dropped",
            "Datagrams that were dropped: too fast, or for a slow reader",
            self.dropped.clone(),
        );
    }
}
