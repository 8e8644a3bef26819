//! The device as a node of the mesh: a third thread, with an event loop of its own.
//!
//! The platform is one way to be of use; the mesh is the other: what other nodes may ask is done, and pulses that the
//! platform cannot be reached with directly go over whoever reaches it.

mod command;
mod line;
mod node;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::Duration,
};

use ::mesh::{News, telemetry};
use mesh_daemon::Daemon;
use observability::Pulse;
use tokio::sync::watch;
use trust::{Envelope, KeyPair, NodeManifest};

pub(crate) use command::run;
pub(crate) use node::{revocations, start};

/// The socket in the device home, for programs of the same user.
pub(crate) const SOCKET: &str = "mesh.sock";

/// In a mesh of so many nodes everybody pulses as often as it was told to.
const SMALL_MESH: usize = 200;

/// What the mesh needs to start.
pub(crate) struct Needs {
    /// The device home.
    pub(crate) folder: PathBuf,
    /// Who the device is.
    pub(crate) identity: crate::home::Identity,
    /// Its key.
    pub(crate) key: KeyPair,
    /// What it believes.
    pub(crate) trust: ::mesh::Trust,
    /// Time and randomness.
    pub(crate) mint: echo_core::Mint,
    /// What was said on the command line.
    pub(crate) options: crate::cli::Mesh,
}

/// The running node, for the other threads.
#[derive(Debug)]
pub(crate) struct Mesh {
    daemon: Daemon,
    stopping: watch::Sender<bool>,
    /// Up to where somebody keeps this device's pulses.
    kept: Arc<AtomicU64>,
    /// What was learned of trust, for the worker to save.
    news: Mutex<Receiver<News>>,
}

impl Mesh {
    /// Gives the node the oldest pulses. They are this node's to send until [`Mesh::kept`] has passed them.
    pub(crate) fn offer(&self, pulses: &[Pulse], key: &KeyPair) {
        match telemetry::sign_batch(pulses, key) {
            Ok(Some((batch, up_to))) => self.daemon.offer_pulses(batch, up_to),
            Ok(None) => {}
            Err(why) => tracing::warn!(%why, "pulses cannot go over the mesh"),
        }
    }

    /// Up to which number somebody keeps this device's pulses.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    /// The least pause between two pulses, in a mesh that is large enough to need one.
    pub(crate) fn slowest_pulse(&self) -> Option<Duration> {
        let members = self.daemon.report().view.members.len();
        (members > SMALL_MESH).then(|| telemetry::interval(members))
    }

    /// Something that was learned of trust.
    pub(crate) fn news(&self) -> Option<News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()
    }

    /// Tells the node what the platform told of trust.
    pub(crate) fn tell(&self, news: News) {
        self.daemon.offer_trust(news);
    }

    /// Shows a newer manifest from now on.
    pub(crate) fn renew(&self, manifest: NodeManifest, certificate: Envelope) {
        self.daemon.offer_certificate(manifest, certificate);
    }

    /// Has the node say good-bye and end.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}
