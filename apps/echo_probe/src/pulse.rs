//! Samples the machine, and keeps the pulses on disk until somebody has them.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc::SyncSender},
    time::{Duration, Instant},
};

use echo_core::{DeviceId, Mint};
use observability::{Buffer, BufferError, Collector, HostFacts, ObserveError, Pulse};

use crate::{mesh::Mesh, stop::Stop};

/// What the machine is goes with the first pulse and with each of so many.
const FACTS_EVERY: u64 = 20;

/// The pulses that wait, for whoever takes them and whoever sends them.
#[derive(Debug, Clone)]
pub(crate) struct Waiting(Arc<Mutex<Buffer>>);

impl Waiting {
    /// The pulses of `buffer`.
    pub(crate) fn new(buffer: Buffer) -> Self {
        Self(Arc::new(Mutex::new(buffer)))
    }

    /// The buffer, for a moment: nobody waits for a network while holding it.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thread that takes pulses. It waits for nobody, so that a platform that does not answer leaves no gap.
#[derive(Debug)]
pub(crate) struct Pulser {
    pub(crate) device: DeviceId,
    pub(crate) waiting: Waiting,
    pub(crate) collector: Collector,
    pub(crate) mint: Mint,
    pub(crate) every: Duration,
    /// The mesh, where the device is a node of one: in a large one, everybody pulses more slowly.
    pub(crate) mesh: Option<Arc<Mesh>>,
    /// Tells the sender that there is another; it ends when this is gone.
    pub(crate) taken: SyncSender<()>,
}

#[derive(Debug, thiserror::Error)]
enum SampleError {
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error(transparent)]
    Buffer(#[from] BufferError),
}

impl Pulser {
    /// Pulses until told to stop.
    pub(crate) fn run(mut self, stop: &Stop) {
        let mut count: u64 = 0;
        let mut next = Instant::now();
        loop {
            let busy = stop.busy();
            match self.sample(count.is_multiple_of(FACTS_EVERY)) {
                Ok(()) => count += 1,
                Err(why) => tracing::warn!(%why, "no pulse was taken"),
            }
            drop(busy);
            // One word is enough, however many pulses wait.
            let _ = self.taken.try_send(());
            // A machine that slept takes one pulse when it wakes up, not all that it missed.
            next = (next + self.pause()).max(Instant::now());
            if stop.wait(next.saturating_duration_since(Instant::now())) {
                return;
            }
        }
    }

    fn pause(&self) -> Duration {
        let slowest = self.mesh.as_ref().and_then(|mesh| mesh.slowest_pulse());
        slowest.map_or(self.every, |slowest| self.every.max(slowest))
    }

    fn sample(&mut self, with_facts: bool) -> Result<(), SampleError> {
        let metrics = self.collector.sample()?;
        let facts = if with_facts { Some(HostFacts::collect()?) } else { None };
        let mut buffer = self.waiting.lock();
        let (seq, at) = (buffer.next_seq(), self.mint.now());
        Ok(buffer.push(&Pulse { device: self.device.clone(), seq, at, metrics, facts })?)
    }
}
