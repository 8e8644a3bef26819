//! What every handler has at hand.

use std::sync::Arc;

use desk::Desk;
use tokio::sync::watch;

use crate::{Options, limits::Limits, metrics::Metrics, places::Places};

/// The most event streams that are open at once; each holds a connection and reads the database on every change.
const MAX_STREAMS: usize = 512;
/// The most event streams of one caller: one a browser tab.
const MAX_STREAMS_EACH: usize = 16;
/// The most devices that wait for work at once.
const MAX_WAITING: usize = 4096;
/// The most waiting requests of one device: a second one replaces a connection that died unseen.
const MAX_WAITING_EACH: usize = 4;

/// What every handler has at hand. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) desk: Desk,
    pub(crate) limits: Limits,
    pub(crate) metrics: Metrics,
    pub(crate) shutdown: watch::Receiver<bool>,
    pub(crate) streams: Places,
    pub(crate) waiting: Places,
}

impl Shared {
    pub(crate) fn new(desk: Desk, options: Options) -> Self {
        Self(Arc::new(Inner {
            desk,
            limits: Limits::new(options.limits),
            metrics: Metrics::new(&options.metrics),
            shutdown: options.shutdown,
            streams: Places::new(MAX_STREAMS, MAX_STREAMS_EACH),
            waiting: Places::new(MAX_WAITING, MAX_WAITING_EACH),
        }))
    }

    /// Returns once the program stops.
    pub(crate) async fn stopping(&self) {
        let mut shutdown = self.0.shutdown.clone();
        // A dropped sender means that nobody is left to say more.
        let _ = shutdown.wait_for(|stop| *stop).await;
    }
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
