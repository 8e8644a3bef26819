//! The thread: starts the node, does what it asks of the device, answers programs of the same user.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use ::mesh::{News, Outcome, presence::Offering, relay::RELAY_PATH};
use durable::Mode;
use echo_core::Mint;
use mesh_daemon::{Ask, Daemon};
use mesh_link::TurnServer;
use observability::Collector;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use trust::Envelope;
use zeroize::Zeroizing;

use super::{Mesh, Needs, SOCKET, line::Line};
use crate::failure::Failure;

/// News of trust that waits for the worker.
const MAX_NEWS: usize = 64;
/// The list of revoked nodes, in the device home.
const REVOCATIONS: &str = "mesh/revocations.json";
/// The most bytes of it.
const MAX_REVOCATIONS: u64 = 8 * 1024 * 1024;
/// The most bytes of a file with TURN servers.
const MAX_TURN: u64 = 16 * 1024;
/// The one skill that a device does for others without the platform.
const DIAGNOSE: &str = "diagnostics.probe";

/// The list of revoked nodes that was kept.
pub(crate) fn revocations(folder: &Path) -> Result<Option<Envelope>, Failure> {
    let path = folder.join(REVOCATIONS);
    let Some(bytes) = durable::read(&path, MAX_REVOCATIONS).map_err(Failure::of)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Failure::Failed(format!(
            "{} is damaged ({e}): remove it, the next node tells it again",
            path.display()
        ))
    })
}

/// Starts the node in a thread of its own.
pub(crate) fn start(needs: Needs) -> Result<(Arc<Mesh>, thread::JoinHandle<()>), Failure> {
    let (started, wait) = sync_channel(1);
    let thread = thread::Builder::new()
        .name("mesh".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            match runtime {
                Ok(runtime) => runtime.block_on(run(needs, &started)),
                Err(why) => drop(started.send(Err(Failure::Failed(format!("the mesh cannot start: {why}"))))),
            }
        })
        .map_err(|e| Failure::Failed(format!("no thread for the mesh: {e}")))?;
    let mesh = wait.recv().map_err(|_| Failure::Failed("the mesh ended before it began".to_owned()))??;
    Ok((mesh, thread))
}

async fn run(needs: Needs, started: &SyncSender<Result<Arc<Mesh>, Failure>>) {
    let (stopping, stop) = watch::channel(false);
    let (news, learned) = sync_channel(MAX_NEWS);
    let kept = Arc::new(AtomicU64::new(0));
    let (folder, mint) = (needs.folder.clone(), needs.mint.clone());
    let (daemon, asks, node) = match options(needs) {
        Ok(options) => match Daemon::start(options, stop.clone()).await {
            Ok(parts) => parts,
            Err(why) => return drop(started.send(Err(Failure::of(why)))),
        },
        Err(why) => return drop(started.send(Err(why))),
    };
    let mesh = Mesh { daemon: daemon.clone(), stopping, kept: kept.clone(), news: Mutex::new(learned) };
    if started.send(Ok(Arc::new(mesh))).is_err() {
        return;
    }
    let line = Line { daemon: daemon.clone(), mint: mint.clone() };
    let socket = folder.join(SOCKET);
    let served = async {
        if let Err(why) =
            mesh_daemon::serve(&socket, move |question: Value| line.clone().answer(question)).await
        {
            tracing::error!(%why, "`echo_probe mesh` cannot ask this node");
        }
        std::future::pending::<()>().await;
    };
    let hands = Hands { folder, daemon, kept, news, mint };
    tokio::select! {
        () = node => {}
        () = hands.work(asks) => {}
        () = served => {}
    }
    // A socket that nobody serves would be taken for a program that hangs.
    let _ = std::fs::remove_file(socket);
}

fn options(needs: Needs) -> Result<mesh_daemon::Options, Failure> {
    let Needs { folder, identity, key, trust, mint, options } = needs;
    let now = mint.now();
    let registry = trust.registry(now).map_err(Failure::of)?;
    let manifest = trust::NodeManifest::verify(&identity.manifest, &registry, now)
        .map_err(|e| Failure::Refused(e.to_string()))?;
    drop(registry);
    let mut link =
        mesh_link::Config::new(key, manifest, identity.manifest, Arc::new(RwLock::new(trust)), mint);
    if let Some(listen) = options.listen {
        link.http_listen = Some(listen);
        link.bind = std::net::SocketAddr::new(listen.ip(), 0);
    }
    link.include_loopback = options.loopback;
    link.multicast = !options.no_multicast;
    link.stun = options.stun;
    if let Some(path) = &options.turn_file {
        link.turn = turn_servers(path)?;
    }
    link.gateways = options.gateway;
    link.gateways.extend(gateway(&identity.platform));
    let offers = vec![Offering { skill: DIAGNOSE.to_owned(), sku: None, price: None }];
    Ok(mesh_daemon::Options { book: folder.join("mesh").join("book"), offers, peers: options.peer, link })
}

fn turn_servers(path: &Path) -> Result<Vec<TurnServer>, Failure> {
    let missing = || Failure::Usage(format!("{} does not exist: check the path", path.display()));
    let bytes = Zeroizing::new(durable::read(path, MAX_TURN).map_err(Failure::of)?.ok_or_else(missing)?);
    TurnServer::list(&bytes).map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))
}

/// The platform's own gateway.
fn gateway(platform: &str) -> Option<String> {
    let base = platform.trim_end_matches('/');
    let rest = base.strip_prefix("http");
    rest.map(|rest| format!("ws{rest}{RELAY_PATH}"))
}

/// What the device does for the mesh.
struct Hands {
    folder: PathBuf,
    daemon: Daemon,
    kept: Arc<AtomicU64>,
    news: SyncSender<News>,
    mint: Mint,
}

impl Hands {
    async fn work(self, mut asks: mpsc::Receiver<Ask>) {
        while let Some(ask) = asks.recv().await {
            match ask {
                Ask::Execute { call, skill, .. } => {
                    let (daemon, mint) = (self.daemon.clone(), self.mint.clone());
                    tokio::spawn(async move {
                        let outcome = execute(skill, mint).await;
                        daemon.executed(call, outcome).await;
                    });
                }
                Ask::PulsesKept(up_to) => self.kept.store(up_to, Ordering::Release),
                Ask::Trust(news) => self.learn(news),
                // Its manifest names neither `pulses` nor `settle`, so nobody sends it any.
                Ask::Pulses { from, .. } | Ask::Acks { from, .. } | Ask::Settle { from, .. } => {
                    tracing::warn!(%from, "a node takes this device for a platform");
                }
            }
        }
    }

    fn learn(&self, news: News) {
        if let News::Revocations(list) = &news {
            let path = self.folder.join(REVOCATIONS);
            let bytes = serde_json::to_vec(list).expect("an envelope always becomes JSON");
            if let Err(why) = durable::write(&path, &bytes, Mode::Private) {
                tracing::warn!(%why, "the list of revoked nodes is not kept");
            }
            return;
        }
        // What is lost here is told again by the next neighbour.
        if self.news.try_send(news).is_err() {
            tracing::warn!("news of trust is not saved yet");
        }
    }
}

async fn execute(skill: String, mint: Mint) -> Outcome {
    if skill != DIAGNOSE {
        return Outcome::Failed(format!("this device does {DIAGNOSE} for other nodes, and not {skill}"));
    }
    let looked =
        tokio::task::spawn_blocking(move || observability::diagnose(&mut Collector::new(), mint.now())).await;
    match looked {
        Ok(Ok(diagnosis)) => match serde_json::to_value(&diagnosis) {
            Ok(value) => Outcome::Done(value),
            Err(why) => Outcome::Failed(why.to_string()),
        },
        Ok(Err(why)) => Outcome::Failed(why.to_string()),
        Err(why) => Outcome::Failed(format!("the diagnosis broke off: {why}")),
    }
}
