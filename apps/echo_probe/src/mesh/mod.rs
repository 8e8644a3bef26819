//! The device as a node of the mesh: a third thread, with an event loop of its own.
//!
//! The platform is one way to be of use; the mesh is the other: what other nodes may ask is done, and pulses that the
//! platform cannot be reached with directly go over whoever reaches it.

mod command;
mod files;
mod line;
mod node;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::Receiver,
    },
    time::Duration,
};

use ::mesh::{News, telemetry};
use mesh_daemon::Daemon;
use observability::Pulse;
use tokio::sync::{Notify, watch};
use trust::{Envelope, KeyPair, NodeManifest};

pub(crate) use command::run;
pub(crate) use node::start;

/// The socket in the device home, for programs of the same user.
pub(crate) const SOCKET: &str = "mesh.sock";

/// In a mesh of so many nodes everybody pulses as often as it was told to.
const SMALL_MESH: usize = 200;

/// What the mesh needs to start. What the device believes and shows is read from its home at each start.
#[derive(Clone)]
pub(crate) struct Needs {
    /// The device home.
    pub(crate) folder: PathBuf,
    /// Its key.
    pub(crate) key: KeyPair,
    /// Time and randomness.
    pub(crate) mint: echo_core::Mint,
    /// What was said on the command line.
    pub(crate) options: crate::cli::Mesh,
}

/// How the node stands.
#[derive(Debug, Clone)]
enum Standing {
    Runs(Daemon),
    /// It does not run: why, for people. It is tried again.
    Off(String),
}

/// What the node's thread and the others share.
#[derive(Debug)]
struct Shared {
    standing: Mutex<Standing>,
    /// Up to where somebody keeps this device's pulses.
    kept: AtomicU64,
    /// Whether somebody refused this device for its papers.
    papers: AtomicBool,
    /// There are newer papers: a node that could not start is tried again at once.
    newer: Notify,
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            standing: Mutex::new(Standing::Off("it has not begun yet".to_owned())),
            kept: AtomicU64::new(0),
            papers: AtomicBool::new(false),
            newer: Notify::new(),
        })
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn daemon(&self) -> Option<Daemon> {
        match &*self.standing() {
            Standing::Runs(daemon) => Some(daemon.clone()),
            Standing::Off(_) => None,
        }
    }
}

/// The node, for the other threads. It may be off for a while; what it is told then is read from the home when it starts.
#[derive(Debug)]
pub(crate) struct Mesh {
    shared: Arc<Shared>,
    stopping: watch::Sender<bool>,
    /// What was learned of trust, for the worker to save.
    news: Mutex<Receiver<News>>,
}

impl Mesh {
    /// Gives the node the oldest pulses. They are this node's to send until [`Mesh::kept`] has passed them.
    pub(crate) fn offer(&self, pulses: &[Pulse], key: &KeyPair) {
        let Some(daemon) = self.shared.daemon() else { return };
        match telemetry::sign_batch(pulses, key) {
            Ok(Some((batch, up_to))) => daemon.offer_pulses(batch, up_to),
            Ok(None) => {}
            Err(why) => tracing::warn!(%why, "pulses cannot go over the mesh"),
        }
    }

    /// Up to which number somebody keeps this device's pulses.
    pub(crate) fn kept(&self) -> u64 {
        self.shared.kept.load(Ordering::Acquire)
    }

    /// The least pause between two pulses, in a mesh that is large enough to need one.
    pub(crate) fn slowest_pulse(&self) -> Option<Duration> {
        let members = self.shared.daemon()?.report().view.members.len();
        (members > SMALL_MESH).then(|| telemetry::interval(members))
    }

    /// Something that was learned of trust.
    pub(crate) fn news(&self) -> Option<News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok()
    }

    /// Whether somebody refused this device for its papers since this was last asked, or its own registry has expired.
    pub(crate) fn wants_papers(&self) -> bool {
        self.shared.papers.swap(false, Ordering::AcqRel)
    }

    /// Tells the node what the platform told of trust.
    pub(crate) fn tell(&self, news: News) {
        match self.shared.daemon() {
            Some(daemon) => daemon.offer_trust(news),
            None => self.shared.newer.notify_one(),
        }
    }

    /// Shows a newer manifest from now on.
    pub(crate) fn renew(&self, manifest: NodeManifest, certificate: Envelope) {
        match self.shared.daemon() {
            Some(daemon) => daemon.offer_certificate(manifest, certificate),
            None => self.shared.newer.notify_one(),
        }
    }

    /// Has the node say good-bye and end.
    pub(crate) fn stop(&self) {
        self.stopping.send_replace(true);
    }
}
