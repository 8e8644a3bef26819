//! The thread: starts the node, does what it asks of the device, answers programs of the same user.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::Ordering,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
    time::Instant,
};

use ::mesh::{News, Outcome, Trust, presence::Offering, relay::RELAY_PATH};
use durable::Mode;
use echo_core::Mint;
use mesh_daemon::{Ask, Daemon, FileOptions};
use mesh_link::{MAX_GATEWAYS, TurnServer};
use observability::Collector;
use serde_json::Value;
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use trust::{Envelope, KeyPair};
use zeroize::Zeroizing;

use super::{Mesh, Needs, SOCKET, Shared, Standing, line::Line};
use crate::{
    backoff::{self, Backoff},
    care::MAX_VERSIONS,
    failure::Failure,
    home::{self, Identity},
    notice::{Notices, TRUST},
    pin::{CHAIN, Pin},
};

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

/// Starts the node in a thread of its own, which ends when it is told to stop; `ends` is dropped then, however it comes.
pub(crate) fn start(
    needs: Needs,
    ends: impl Send + 'static,
) -> Result<(Arc<Mesh>, thread::JoinHandle<()>), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::of)?;
    let (stopping, stop) = watch::channel(false);
    let (news, learned) = sync_channel(MAX_NEWS);
    let shared = Shared::new();
    let mesh = Mesh { shared: Arc::clone(&shared), stopping, news: Mutex::new(learned) };
    let thread = thread::Builder::new()
        .name("mesh".to_owned())
        .spawn(move || {
            let _ends = ends;
            runtime.block_on(run(needs, &shared, &news, stop));
        })
        .map_err(|e| Failure::Failed(format!("no thread for the mesh: {e}")))?;
    Ok((Arc::new(mesh), thread))
}

async fn run(needs: Needs, shared: &Arc<Shared>, news: &SyncSender<News>, stop: watch::Receiver<bool>) {
    let line = Line { shared: Arc::clone(shared), mint: needs.mint.clone() };
    let socket = needs.folder.join(SOCKET);
    let served = async {
        if let Err(why) =
            mesh_daemon::serve(&socket, move |question: Value| line.clone().answer(question)).await
        {
            tracing::error!(%why, "`echo_probe mesh` cannot ask this node");
        }
        std::future::pending::<()>().await;
    };
    let lives = live_on(&needs.mint, shared, stop, |stop| {
        tokio::spawn(life(needs.clone(), Arc::clone(shared), news.clone(), stop))
    });
    tokio::select! {
        () = lives => {}
        () = served => {}
    }
    // A socket that nobody serves would be taken for a program that hangs.
    let _ = std::fs::remove_file(socket);
}

/// Begins a life after the other until `stop`: a node that cannot start, ends by itself or breaks down is started anew,
/// after a pause, or as soon as there are newer papers.
async fn live_on(
    mint: &Mint,
    shared: &Shared,
    mut stop: watch::Receiver<bool>,
    mut begin: impl FnMut(watch::Receiver<bool>) -> JoinHandle<Result<(), Failure>>,
) {
    let mut backoff = Backoff::default();
    let mut told = String::new();
    loop {
        let since = Instant::now();
        let ended = begin(stop.clone()).await;
        if *stop.borrow() {
            return;
        }
        let why = match ended {
            Ok(Ok(())) => "its sockets broke down, see the log".to_owned(),
            Ok(Err(why)) => why.to_string(),
            Err(why) => format!("it broke down ({why})"),
        };
        *shared.standing() = Standing::Off(why.clone());
        if since.elapsed() > backoff::LONGEST {
            backoff.reset();
            told.clear();
        }
        let pause = backoff.after_failure(None, mint);
        if why == told {
            tracing::debug!(why, ?pause, "the mesh does not run");
        } else {
            tracing::error!(why, "the mesh does not run: it is tried again by itself");
            told = why;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.newer.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// One life of the node.
async fn life(
    needs: Needs,
    shared: Arc<Shared>,
    news: SyncSender<News>,
    stop: watch::Receiver<bool>,
) -> Result<(), Failure> {
    let (folder, key, mint) = (needs.folder.clone(), needs.key.clone(), needs.mint.clone());
    let (daemon, asks, node) = Daemon::start(options(needs)?, stop).await.map_err(Failure::of)?;
    *shared.standing() = Standing::Runs(daemon.clone());
    catch_up(&daemon, &folder, &key, &mint).await?;
    let hands = Hands { folder, daemon, shared, news, mint };
    tokio::select! {
        () = node => {}
        () = hands.work(asks) => {}
    }
    Ok(())
}

/// Hands on what the worker fetched while the node started, which went to the home alone: first whom to believe, then the
/// certificate, which may be by a newer issuer.
async fn catch_up(daemon: &Daemon, folder: &Path, key: &KeyPair, mint: &Mint) -> Result<(), Failure> {
    let (identity, trust) = papers(folder)?;
    let versions = trust.chain().versions();
    let newest = versions[versions.len().saturating_sub(MAX_VERSIONS)..].to_vec();
    daemon.trust(News::Registry(newest)).await;
    daemon.trust(News::Notices(trust.notices().map(|(_, notice)| notice.clone()).collect())).await;
    if let Ok(manifest) = ::mesh::own_manifest(&identity.manifest, key, &trust, mint.now()) {
        daemon.certificate(manifest, identity.manifest).await;
    }
    Ok(())
}

/// What the device shows and believes, as it stands in its home now.
fn papers(folder: &Path) -> Result<(Identity, Trust), Failure> {
    let identity = home::identity(folder)?
        .ok_or_else(|| Failure::Failed(format!("{} holds no enrolled device", folder.display())))?;
    let pin = Pin::load(folder.join(CHAIN), identity.root)?;
    let notices = Notices::load(folder.join(TRUST))?;
    let trust = Trust::new(pin.chain().clone(), identity.root, revocations(folder)?, notices.envelopes())
        .map_err(Failure::of)?;
    Ok((identity, trust))
}

/// The list of revoked nodes that was kept.
fn revocations(folder: &Path) -> Result<Option<Envelope>, Failure> {
    let path = folder.join(REVOCATIONS);
    let Some(bytes) = durable::read(&path, MAX_REVOCATIONS).map_err(Failure::of)? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|e| {
        Failure::Failed(format!(
            "{} is damaged ({e}): remove it, the next node tells it again",
            path.display()
        ))
    })
}

fn options(needs: Needs) -> Result<mesh_daemon::Options, Failure> {
    let Needs { folder, key, mint, options } = needs;
    let (identity, trust) = papers(&folder)?;
    let now = mint.now();
    if let Err(why) = trust.registry(now) {
        tracing::warn!(%why, "the mesh starts all the same: neighbours may know a newer trust registry");
    }
    let manifest = ::mesh::own_manifest(&identity.manifest, &key, &trust, now).map_err(|why| {
        Failure::Refused(format!(
            "this device's own manifest does not count ({why}), and the platform has to give the next one"
        ))
    })?;
    let trust = Arc::new(RwLock::new(trust));
    let mut link = mesh_link::Config::new(key, manifest, identity.manifest, trust, mint);
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
    link.gateways = gateways(options.gateway, &identity.platform);
    let offers = vec![Offering { skill: DIAGNOSE.to_owned(), sku: None, price: None }];
    let mesh = folder.join("mesh");
    let (book, witnessed) = (mesh.join("book"), mesh.join("witnessed"));
    let files = FileOptions { folder: mesh, inbox: options.inbox.unwrap_or_default() };
    Ok(mesh_daemon::Options { book, witnessed, files, offers, peers: options.peer, link })
}

fn turn_servers(path: &Path) -> Result<Vec<TurnServer>, Failure> {
    let missing = || Failure::Usage(format!("{} does not exist: check the path", path.display()));
    let bytes = Zeroizing::new(durable::read(path, MAX_TURN).map_err(Failure::of)?.ok_or_else(missing)?);
    TurnServer::list(&bytes).map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))
}

/// Those that were named, then the platform's own while there is room.
fn gateways(mut named: Vec<String>, platform: &str) -> Vec<String> {
    let Some(rest) = platform.trim_end_matches('/').strip_prefix("http") else { return named };
    let own = format!("ws{rest}{RELAY_PATH}");
    if named.contains(&own) {
        return named;
    }
    if named.len() < MAX_GATEWAYS {
        named.push(own);
    } else {
        tracing::warn!(%own, "{MAX_GATEWAYS} gateways are named, so the platform's own is not used: name it instead of one");
    }
    named
}

/// What the device does for the mesh.
struct Hands {
    folder: PathBuf,
    daemon: Daemon,
    shared: Arc<Shared>,
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
                Ask::PulsesKept(up_to) => self.shared.kept.store(up_to, Ordering::Release),
                Ask::Papers => self.shared.papers.store(true, Ordering::Release),
                Ask::Trust(news) => self.learn(news),
                // It keeps no ledger; a fork stands in the log and in what the doctor says.
                Ask::Forked(_) | Ask::Prove { .. } | Ask::Cosigned { .. } => {}
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

#[cfg(test)]
mod tests;
