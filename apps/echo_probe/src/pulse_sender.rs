//! Sends the pulses that wait to the platform, or round over the mesh when the platform is out of reach.

use std::{
    sync::{Arc, mpsc::Receiver},
    time::Duration,
};

use device_link::{MAX_PULSES_PER_BATCH, PulseBatch};
use echo_core::Mint;
use observability::{BufferError, Pulse};
use serde::Deserialize;
use trust::KeyPair;

use crate::{
    backoff::Backoff,
    home::{Contact, Home},
    mesh::Mesh,
    platform::{Ask, Member, PlatformError},
    pulse::Waiting,
    stop::Stop,
};

/// The pause between batches while older pulses wait, until the platform has the last ones on its disk.
const PAUSE: Duration = Duration::from_secs(3);
/// The pause when it has.
const SHORT_PAUSE: Duration = Duration::from_millis(250);

/// The thread that sends pulses.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) member: Arc<Member>,
    pub(crate) home: Arc<Home>,
    pub(crate) waiting: Waiting,
    pub(crate) mint: Mint,
    pub(crate) contact: Contact,
    /// Whether the buffer has just been made, and the platform is not asked yet what numbers it knows.
    pub(crate) is_new: bool,
    /// The most pulses of the next batch: one while the platform refuses one of them.
    pub(crate) most: usize,
    /// The mesh, where the device is a node of one: the way round when the platform is out of reach.
    pub(crate) mesh: Option<Arc<Mesh>>,
    /// The device's key, which signs what goes over the mesh.
    pub(crate) key: KeyPair,
}

#[derive(Debug, thiserror::Error)]
enum SendError {
    #[error(transparent)]
    Buffer(#[from] BufferError),
    #[error(transparent)]
    Platform(#[from] PlatformError),
}

#[derive(Deserialize)]
struct Accepted {
    durable_seq: u64,
}

impl Sender {
    /// Sends until told to stop: whenever a pulse was taken, and while some wait.
    pub(crate) fn run(mut self, taken: &Receiver<()>, stop: &Stop) {
        let mut backoff = Backoff::default();
        while taken.recv().is_ok() {
            while let Some(pause) = self.send_and_note(&mut backoff) {
                if stop.wait(pause) {
                    return;
                }
            }
        }
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
                    SendError::Platform(e) => e.retry_after(),
                    SendError::Buffer(_) => None,
                };
                let wait = backoff.after_failure(asked, &self.mint);
                tracing::warn!(%why, waiting = self.waiting.lock().len(), "the pulses wait");
                self.contact.last_error = Some(why.to_string());
                Some(wait)
            }
        };
        {
            let buffer = self.waiting.lock();
            (self.contact.waiting, self.contact.dropped) = (buffer.len(), buffer.dropped());
        }
        if let Err(why) = self.home.save_contact(&self.contact) {
            tracing::warn!(%why, "the last contact is not kept");
        }
        pause
    }

    /// Sends the oldest pulses. They stay in the buffer until the platform says that they are on its disk.
    fn send(&mut self) -> Result<Option<Duration>, SendError> {
        let kept = self.mesh.as_ref().map_or(0, |mesh| mesh.kept());
        self.forget(kept)?;
        // A device that lost its buffer would give old numbers to new pulses: the platform knows better.
        if self.is_new {
            let known = self.post(Vec::new())?;
            self.waiting.lock().skip_to(known.saturating_add(1))?;
            self.is_new = false;
        }
        let batch = self.waiting.lock().batch(self.most)?;
        let Some(last) = batch.last().map(|p| p.seq) else {
            return Ok(None);
        };
        match self.post(batch) {
            Ok(durable) => {
                self.most = MAX_PULSES_PER_BATCH;
                self.forget(durable)?;
                let more = last.saturating_add(1) < self.waiting.lock().next_seq();
                Ok(more.then_some(if durable >= last { SHORT_PAUSE } else { PAUSE }))
            }
            Err(PlatformError::Refused { status, why }) if self.most > 1 => {
                tracing::warn!(status, %why, "a batch of pulses was refused: one at a time now");
                self.most = 1;
                Ok(Some(PAUSE))
            }
            Err(PlatformError::Refused { status, why }) => {
                tracing::error!(status, %why, seq = last, "the platform does not take this pulse: it is dropped");
                self.waiting.lock().acknowledge(last)?;
                self.most = MAX_PULSES_PER_BATCH;
                Ok(Some(PAUSE))
            }
            Err(why) => {
                self.go_round()?;
                Err(why.into())
            }
        }
    }

    /// Forgets the pulses that somebody keeps. Who keeps more than this device ever counted knew it before it lost its
    /// folder: it goes on counting from there, or its new pulses would be taken for old ones.
    fn forget(&self, kept: u64) -> Result<(), BufferError> {
        let mut buffer = self.waiting.lock();
        buffer.acknowledge(kept)?;
        buffer.skip_to(kept.saturating_add(1))
    }

    /// Gives the oldest pulses to the mesh: somebody there may reach who keeps them.
    fn go_round(&self) -> Result<(), SendError> {
        if let Some(mesh) = &self.mesh {
            let batch = self.waiting.lock().batch(MAX_PULSES_PER_BATCH)?;
            mesh.offer(&batch, &self.key);
        }
        Ok(())
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
