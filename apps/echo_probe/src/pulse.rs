//! Samples the machine, keeps the pulses on disk, and sends them when the platform is there.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use device_link::{MAX_PULSES_PER_BATCH, PulseBatch};
use echo_core::{DeviceId, Mint};
use observability::{Buffer, BufferError, Collector, HostFacts, ObserveError, Pulse};
use serde::Deserialize;

use crate::{
    backoff::Backoff,
    home::{Contact, Home},
    platform::{Ask, Member, PlatformError},
    stop::Stop,
};

/// What the machine is goes with the first pulse and with each of so many.
const FACTS_EVERY: u64 = 20;
/// The pause between batches while older pulses wait, until the platform has the last ones on its disk.
const PAUSE: Duration = Duration::from_secs(3);
/// The pause when it has.
const SHORT_PAUSE: Duration = Duration::from_millis(250);

/// The thread that pulses.
#[derive(Debug)]
pub(crate) struct Pulser {
    pub(crate) member: Arc<Member>,
    pub(crate) device: DeviceId,
    pub(crate) home: Arc<Home>,
    pub(crate) buffer: Buffer,
    pub(crate) collector: Collector,
    pub(crate) mint: Mint,
    pub(crate) every: Duration,
    pub(crate) contact: Contact,
    /// How many pulses were taken since the start.
    pub(crate) taken: u64,
    /// Whether the buffer has just been made, and the platform is not asked yet what numbers it knows.
    pub(crate) is_new: bool,
    /// The most pulses of the next batch: one while the platform refuses one of them.
    pub(crate) most: usize,
}

#[derive(Debug, thiserror::Error)]
enum PulseFailure {
    #[error(transparent)]
    Observe(#[from] ObserveError),
    #[error(transparent)]
    Buffer(#[from] BufferError),
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

#[derive(Deserialize)]
struct Accepted {
    durable_seq: u64,
}

impl Pulser {
    /// Pulses until told to stop.
    pub(crate) fn run(&mut self, stop: &Stop) {
        let mut backoff = Backoff::default();
        let mut sample_at = Instant::now();
        let mut send_at = Some(sample_at);
        loop {
            if Instant::now() >= sample_at {
                let _busy = stop.busy();
                if let Err(why) = self.sample() {
                    tracing::warn!(%why, "no pulse was taken");
                }
                sample_at = Instant::now() + self.every;
                send_at = send_at.or(Some(Instant::now()));
            }
            if send_at.is_some_and(|at| Instant::now() >= at) {
                let pause = self.send_and_note(&mut backoff);
                send_at = pause.map(|pause| Instant::now() + pause);
            }
            let next = send_at.map_or(sample_at, |at| at.min(sample_at));
            if stop.wait(next.saturating_duration_since(Instant::now())) {
                return;
            }
        }
    }

    fn sample(&mut self) -> Result<(), PulseFailure> {
        let metrics = self.collector.sample()?;
        let facts = if self.taken.is_multiple_of(FACTS_EVERY) { Some(HostFacts::collect()?) } else { None };
        let (seq, at) = (self.buffer.next_seq(), self.mint.now());
        self.buffer.push(&Pulse { device: self.device.clone(), seq, at, metrics, facts })?;
        self.taken += 1;
        Ok(())
    }

    /// Sends, and notes how it went; when to send again without waiting for the next pulse.
    fn send_and_note(&mut self, backoff: &mut Backoff) -> Option<Duration> {
        let pause = match self.send() {
            Ok(pause) => {
                backoff.reset();
                self.contact.reached = Some(self.mint.now());
                self.contact.last_error = None;
                pause
            }
            Err(why) => {
                let asked = match &why {
                    PulseFailure::Platform(e) => e.retry_after(),
                    _ => None,
                };
                let wait = backoff.after_failure(asked, &self.mint);
                tracing::warn!(%why, waiting = self.buffer.len(), "the pulses wait");
                self.contact.last_error = Some(why.to_string());
                Some(wait)
            }
        };
        self.contact.waiting = self.buffer.len();
        self.contact.dropped = self.buffer.dropped();
        if let Err(why) = self.home.save_contact(&self.contact) {
            tracing::warn!(%why, "the last contact is not kept");
        }
        pause
    }

    /// Sends the oldest pulses. They stay in the buffer until the platform says that they are on its disk.
    fn send(&mut self) -> Result<Option<Duration>, PulseFailure> {
        // A device that lost its buffer would give old numbers to new pulses: the platform knows better.
        if self.is_new {
            let known = self.post(Vec::new())?;
            self.buffer.skip_to(known.saturating_add(1))?;
            self.is_new = false;
        }
        let batch = self.buffer.batch(self.most)?;
        let Some(last) = batch.last().map(|p| p.seq) else {
            return Ok(None);
        };
        match self.post(batch) {
            Ok(durable) => {
                self.most = MAX_PULSES_PER_BATCH;
                self.buffer.acknowledge(durable)?;
                let more = last.saturating_add(1) < self.buffer.next_seq();
                Ok(more.then_some(if durable >= last { SHORT_PAUSE } else { PAUSE }))
            }
            Err(PlatformError::Refused { status, why }) if self.most > 1 => {
                tracing::warn!(status, %why, "a batch of pulses was refused: one at a time now");
                self.most = 1;
                Ok(Some(PAUSE))
            }
            Err(PlatformError::Refused { status, why }) => {
                tracing::error!(status, %why, seq = last, "the platform does not take this pulse: it is dropped");
                self.buffer.acknowledge(last)?;
                self.most = MAX_PULSES_PER_BATCH;
                Ok(Some(PAUSE))
            }
            Err(why) => Err(why.into()),
        }
    }

    /// Up to which number the platform has this device's pulses on its disk.
    fn post(&self, pulses: Vec<Pulse>) -> Result<u64, PlatformError> {
        let body = serde_json::to_vec(&PulseBatch { pulses }).expect("valid pulses are always JSON");
        let answer = self.member.ask(&Ask::post("/v1/device/pulses", &body))?;
        let accepted: Accepted = serde_json::from_slice(&answer).map_err(|e| PlatformError::Away {
            url: self.member.url().to_owned(),
            why: format!("its answer to pulses cannot be read: {e}"),
            retry_after: None,
        })?;
        Ok(accepted.durable_seq)
    }
}
