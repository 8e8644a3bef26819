//! The platform as a node of the mesh: it keeps pulses, settles receipts, and is the gateway where others meet.

mod lanes;

use std::{
    net::SocketAddr,
    path::Path,
    sync::{Arc, RwLock},
    time::Duration,
};

use control_plane::MoreMetrics;
use desk::{Desk, DeskError, MANY_REVOKED_PERCENT, MeshNode, MeshPath, MeshPathKind, MeshState, OwnNode};
use echo_core::{Mint, Reach, Timestamp};
use mesh::{
    News, NodeId, Outcome, Trust,
    doctor::{Cause, Finding, Level},
    relay::RELAY_PATH,
    view::MemberView,
};
use mesh_daemon::{Ask, Daemon, Report};
use mesh_link::TurnServer;
use pulsenet_gateway::{Gateway, Limits};
use tokio::{
    sync::{mpsc, watch},
    task::JoinHandle,
};
use trust::{Envelope, NodeManifest, TrustChain};
use zeroize::Zeroizing;

use self::lanes::Lanes;
use crate::{mesh_ledgers, settings::MeshSettings};

/// The most bytes of a file with TURN servers.
const MAX_TURN: u64 = 16 * 1024;

/// How often the certificate of the platform's own node is looked at. It is made anew weeks before it ends.
const CERTIFY_EVERY: Duration = Duration::from_hours(24);

/// The running node.
pub struct Mesh {
    /// The gateway's route, for the platform's server.
    pub router: axum::Router,
    /// The gateway's counters.
    pub metrics: MoreMetrics,
    /// Ends when the platform stops, or when the node has ended by itself and that was said.
    pub node: JoinHandle<()>,
}

/// Starts the node and its gateway. `address` is where the platform serves.
pub async fn start(
    desk: &Desk,
    settings: &MeshSettings,
    reach: Reach,
    address: SocketAddr,
    stopping: watch::Receiver<bool>,
) -> Result<Mesh, String> {
    let own = desk.own_node(&settings.urls).await.map_err(|e| e.to_string())?;
    let me = own.node();
    let chain = TrustChain::from_json(&desk.trust_chain()).map_err(|e| e.to_string())?;
    let trust = Trust::new(chain, *desk.root(), desk.node_revocations(), desk.notices())
        .map_err(|e| e.to_string())?;
    let (told, known) = watch::channel(Arc::new(trust.clone()));
    let (shown, manifest) = watch::channel(own.manifest.clone());
    let own_gateway = own_gateway(address);
    let gateway = Gateway::new(pulsenet_gateway::Config {
        manifest,
        urls: names(settings, &own_gateway),
        trust: known,
        shutdown: stopping.clone(),
        mint: Mint::system(),
        limits: Limits::default(),
    });
    let shared = Arc::new(RwLock::new(trust.clone()));
    let certificate = own.certificate.clone();
    let mut link = mesh_link::Config::new(own.key, own.manifest, own.certificate, shared, Mint::system());
    link.bind = settings.udp;
    link.http_listen = Some(settings.listen);
    link.multicast = settings.multicast;
    link.stun.clone_from(&settings.stun);
    if let Some(path) = &settings.turn_file {
        link.turn = turn_servers(path)?;
    }
    link.include_loopback = settings.loopback;
    link.reach = reach;
    link.gateways = std::iter::once(own_gateway).chain(settings.gateways.iter().cloned()).collect();
    let options = mesh_daemon::Options {
        book: desk.home().join("mesh").join("book"),
        witnessed: desk.home().join("mesh").join("witnessed"),
        files: mesh_daemon::FileOptions {
            folder: desk.home().join("mesh"),
            inbox: settings.inbox.unwrap_or_default(),
        },
        offers: Vec::new(),
        peers: settings.peers.clone(),
        link,
    };
    let (daemon, asks, node) = Daemon::start(options, stopping.clone()).await.map_err(|e| e.to_string())?;
    tracing::info!(node = %me, "the platform is a node of the mesh");
    tokio::spawn(answer(desk.clone(), daemon.clone(), asks, stopping.clone()));
    tokio::spawn(publish(desk.clone(), daemon.clone()));
    tokio::spawn(mesh_ledgers::tell_heads(desk.clone(), daemon.clone(), stopping.clone()));
    tokio::spawn(certify(desk.clone(), daemon.clone(), settings.urls.clone(), certificate, shown));
    tokio::spawn(revoke(desk.node_revocations_watch(), daemon, trust, told));
    let metrics = {
        let gateway = gateway.clone();
        MoreMetrics::of(move |registry| gateway.register(registry))
    };
    let node = tokio::spawn(watch_over(desk.clone(), tokio::spawn(node), stopping));
    Ok(Mesh { router: pulsenet_gateway::router(gateway), metrics, node })
}

/// Waits for the node to end. When nobody told it to, that is said wherever people look; the platform serves on.
async fn watch_over(desk: Desk, node: JoinHandle<()>, stopping: watch::Receiver<bool>) {
    let ended = node.await;
    if *stopping.borrow() {
        return;
    }
    let why = match ended {
        Ok(()) => "its sockets broke down".to_owned(),
        Err(error) => format!("it broke down: {error}"),
    };
    tracing::error!(
        why,
        "the mesh has stopped, the platform serves on without it: look into the log for what went before, and start the \
         platform again"
    );
    desk.mesh_stopped(&why);
}

fn turn_servers(path: &Path) -> Result<Vec<TurnServer>, String> {
    let bytes = durable::read(path, MAX_TURN).map_err(|e| e.to_string())?;
    let bytes =
        Zeroizing::new(bytes.ok_or_else(|| format!("{} does not exist: check the path", path.display()))?);
    TurnServer::list(&bytes).map_err(|why| format!("{}: {why}", path.display()))
}

/// Where the platform's own node finds its gateway.
fn own_gateway(address: SocketAddr) -> String {
    let mut near = address;
    if near.ip().is_unspecified() {
        near.set_ip(if near.is_ipv4() {
            std::net::Ipv4Addr::LOCALHOST.into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    format!("ws://{near}{RELAY_PATH}")
}

/// The names that a login may give; none when the operator named none: then any is taken.
fn names(settings: &MeshSettings, own: &str) -> Vec<String> {
    if settings.urls.is_empty() {
        return Vec::new();
    }
    settings.urls.iter().cloned().chain([own.to_owned()]).collect()
}

/// Does what the node asks of the platform. What cannot be done now is not acknowledged, so that it is sent again.
async fn answer(desk: Desk, daemon: Daemon, mut asks: mpsc::Receiver<Ask>, stopping: watch::Receiver<bool>) {
    let mut lanes = Lanes::default();
    let ledgers = mesh_ledgers::answering(desk.clone(), daemon.clone());
    loop {
        let ask = tokio::select! {
            ask = asks.recv() => ask,
            () = lanes.turn() => continue,
        };
        let Some(ask) = ask else { return };
        let (desk, daemon) = (desk.clone(), daemon.clone());
        match ask {
            // Each has to wait for the disk, and they can wait together. The node bounds how many it lets come.
            Ask::Pulses { from, batch } => {
                tokio::spawn(async move {
                    if let Some(up_to) = told(&from, "pulses", desk.keep_pulses(&from, &batch).await) {
                        daemon.pulses_kept(from, up_to).await;
                    }
                });
            }
            Ask::Settle { from, answers, calls, grants } => lanes.put(from, async move {
                let settled = desk.settle_mesh(&from, &answers, &calls, &grants).await;
                if let Some(settled) = told(&from, "receipts", settled) {
                    daemon.settled(from, settled).await;
                }
            }),
            Ask::Acks { from, acks } => lanes.put(from, async move {
                if let Some(kept) = told(&from, "acknowledgements", desk.keep_acks(&acks).await) {
                    daemon.acks_kept(from, kept).await;
                }
            }),
            Ask::Execute { call, skill, .. } => {
                let why = format!("the platform does not do {skill} for other nodes");
                daemon.executed(call, Outcome::Failed(why)).await;
            }
            // Its own pulses go to its own board, not over the mesh; its papers it makes, and looks after them by itself.
            Ask::PulsesKept(_) | Ask::Papers => {}
            ask @ (Ask::Prove { .. } | Ask::Cosigned { .. }) => {
                // What has no room is asked again.
                let _ = ledgers.try_send(ask);
            }
            Ask::Forked(proof) => {
                tokio::spawn(mesh_ledgers::raise(desk, *proof, stopping.clone()));
            }
            // All of its trust comes from its own home: newer news from outside is news to its operator.
            Ask::Trust(News::Registry(_)) => {
                tracing::error!(
                    "the mesh knows a newer trust registry than this platform: was its home set back, or does \
                     somebody else hold the root key?"
                );
            }
            Ask::Trust(_) => tracing::warn!("the mesh told news of trust that this platform did not make"),
        }
    }
}

fn told<T>(from: &NodeId, what: &str, done: Result<T, DeskError>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!(%from, %error, "{what} from the mesh are not taken")).ok()
}

/// Tells node and gateway of every newer list of revoked nodes.
async fn revoke(
    mut lists: watch::Receiver<Option<Envelope>>,
    daemon: Daemon,
    mut trust: Trust,
    told: watch::Sender<Arc<Trust>>,
) {
    let mint = Mint::system();
    while lists.changed().await.is_ok() {
        let Some(list) = lists.borrow_and_update().clone() else { continue };
        let news = News::Revocations(list);
        if let Err(error) = trust.apply(&news, mint.now()) {
            tracing::error!(%error, "the platform's own list of revoked nodes is not believed");
            continue;
        }
        told.send_replace(Arc::new(trust.clone()));
        daemon.trust(news).await;
    }
}

/// Has node and gateway show each newer certificate of the platform's own, for as long as the platform runs.
async fn certify(
    desk: Desk,
    daemon: Daemon,
    urls: Vec<String>,
    mut shown: Envelope,
    gateway: watch::Sender<NodeManifest>,
) {
    loop {
        tokio::time::sleep(CERTIFY_EVERY).await;
        match newer(&desk, &urls, &shown).await {
            Ok(Some(own)) => {
                tracing::info!(until = %own.manifest.expires, "the platform's own node was certified anew");
                shown = own.certificate.clone();
                gateway.send_replace(own.manifest.clone());
                daemon.certificate(own.manifest, own.certificate).await;
            }
            Ok(None) => {}
            Err(error) => {
                tracing::error!(%error, "the platform's own node is not certified anew: tried again tomorrow");
            }
        }
    }
}

/// The platform's own node, when its certificate is another than the one that is shown.
async fn newer(desk: &Desk, urls: &[String], shown: &Envelope) -> Result<Option<OwnNode>, DeskError> {
    Ok(Some(desk.own_node(urls).await?).filter(|own| own.certificate != *shown))
}

/// Hangs up each newer picture of the mesh.
async fn publish(desk: Desk, daemon: Daemon) {
    let mut reports = daemon.reports();
    let mut seen = Seen::default();
    while reports.changed().await.is_ok() {
        let mut report = Report::clone(&reports.borrow_and_update());
        report.findings.splice(0..0, many_revoked(desk.node_revocations_percent()));
        if let Err(error) = desk.publish_mesh(seen.state(&report)).await {
            tracing::warn!(%error, "the picture of the mesh could not be told");
        }
    }
    desk.mesh_is_off();
}

/// What the doctor says when the list of revoked nodes is nearly full.
fn many_revoked(percent: usize) -> Option<Finding> {
    (percent >= MANY_REVOKED_PERCENT).then(|| Finding {
        level: Level::Problem,
        cause: Cause::ManyRevoked,
        about: None,
        what: "the list of revoked nodes is nearly full".to_owned(),
        because: format!("{percent} % of its room is taken; beyond it, the node whose certificate ends soonest is let in again"),
        advice: "replace the device issuer's key (`echo_cli trust rotate device_issuer`): then no old certificate counts any more, listed or not"
            .to_owned(),
    })
}

/// Since when each node is as it is.
#[derive(Default)]
struct Seen(std::collections::BTreeMap<NodeId, Standing>);

struct Standing {
    reachable: bool,
    since: Timestamp,
    last: Option<Timestamp>,
}

impl Seen {
    fn state(&mut self, report: &Report) -> MeshState {
        self.0.retain(|node, _| report.view.members.iter().any(|member| member.node == *node));
        let nodes = report.view.members.iter().map(|member| self.node(member, report)).collect();
        let doctor = serde_json::to_value(report).unwrap_or_default();
        MeshState { me: report.view.me, at: report.at, nodes, doctor }
    }

    fn node(&mut self, member: &MemberView, report: &Report) -> MeshNode {
        let new = Standing { reachable: member.reachable, since: report.at, last: None };
        let standing = self.0.entry(member.node).or_insert(new);
        if standing.reachable != member.reachable {
            (standing.reachable, standing.since) = (member.reachable, report.at);
        }
        if member.reachable {
            standing.last = Some(report.at);
        }
        MeshNode {
            node: member.node,
            device: member.device.clone(),
            customer: member.customer.clone(),
            name: member.name.clone(),
            capabilities: member.capabilities.clone(),
            skills: member.offers.iter().map(|offer| offer.skill.clone()).collect(),
            reachable: member.reachable,
            path: path(member, report),
            since: standing.since,
            last_seen: standing.last,
        }
    }
}

fn path(member: &MemberView, report: &Report) -> MeshPath {
    let link = report.view.links.iter().find(|link| link.node == member.node);
    let kind = match (link, member.reachable) {
        (Some(link), _) if link.relayed => MeshPathKind::Relayed,
        (Some(_), _) => MeshPathKind::Direct,
        (None, true) => MeshPathKind::Routed,
        (None, false) => MeshPathKind::None,
    };
    let why = report
        .about(&member.node)
        .find(|finding| finding.level != Level::Fine)
        .map(|finding| finding.because.clone());
    MeshPath {
        kind,
        hops: member.hops.and_then(|hops| u32::try_from(hops).ok()).unwrap_or_default(),
        next_hop: member.next,
        rtt_micros: link.and_then(|link| link.rtt_micros),
        clock_skew_ms: link.and_then(|link| link.skew_millis),
        why,
    }
}

#[cfg(test)]
mod tests {
    use desk::Options;
    use echo_core::{ManualClock, OsEntropy};

    use super::*;

    #[tokio::test]
    async fn a_platform_that_runs_for_months_shows_a_newer_certificate_in_time() {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at("2026-01-01T00:00:00Z".parse().unwrap()));
        let mint = Mint::new(clock.clone(), Arc::new(OsEntropy));
        let desk = Desk::open(Options::new(home.path().to_owned(), mint)).await.unwrap().desk;
        let first = desk.own_node(&[]).await.unwrap();
        assert!(newer(&desk, &[], &first.certificate).await.unwrap().is_none(), "it is new");
        clock.advance_millis(61 * 24 * 3_600 * 1_000);
        let next = newer(&desk, &[], &first.certificate).await.unwrap().expect("it ends in 29 days");
        assert!(next.manifest.expires > first.manifest.expires);
        assert_eq!(next.node(), first.node());
        assert!(newer(&desk, &[], &next.certificate).await.unwrap().is_none(), "it is shown already");
    }
    #[test]
    fn the_doctor_says_when_the_list_of_revoked_nodes_is_nearly_full() {
        assert_eq!(many_revoked(89), None);
        assert!(many_revoked(90).is_some_and(|finding| finding.because.contains("90 %")));
    }

    #[tokio::test]
    async fn a_mesh_that_ends_by_itself_is_said_and_one_that_is_told_to_is_not() {
        let home = tempfile::tempdir().unwrap();
        let desk = Desk::open(Options::new(home.path().to_owned(), Mint::system())).await.unwrap().desk;
        let (stop, stopping) = watch::channel(false);
        stop.send_replace(true);
        watch_over(desk.clone(), tokio::spawn(async {}), stopping.clone()).await;
        assert_eq!(desk.health().await.mesh, None);
        stop.send_replace(false);
        watch_over(desk.clone(), tokio::spawn(async { panic!("a test") }), stopping).await;
        let health = desk.health().await;
        assert!(health.ready && health.mesh.is_some_and(|why| why.contains("panicked")));
    }
}
