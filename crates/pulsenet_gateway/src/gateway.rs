//! The gateway: its state, and its one route.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::{ConnectInfo, State, WebSocketUpgrade, ws::rejection::WebSocketUpgradeRejection},
    http::{StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use echo_core::{Mint, Timestamp};
use mesh::{
    NodeId, Realm, Trust,
    relay::{MAX_FRAME, RELAY_PATH},
};
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use trust::NodeManifest;

use crate::{Limits, connection, directory::Directory, login::authority, metrics::Metrics};

/// What a gateway needs to know.
#[derive(Debug, Clone)]
pub struct Config {
    /// The manifest of the node that the gateway belongs to, and every newer one. Its key never changes.
    pub manifest: watch::Receiver<NodeManifest>,
    /// The URLs that clients may know it by; a login for another name is refused. With none, any name is taken: only for
    /// a gateway that nobody else's server could stand in for.
    pub urls: Vec<String>,
    /// What is known of trust, and every change of it: who is revoked is thrown out at once.
    pub trust: watch::Receiver<Arc<Trust>>,
    /// Becomes `true` when the program stops. A sender that is dropped means the same.
    pub shutdown: watch::Receiver<bool>,
    /// Time and randomness.
    pub mint: Mint,
    /// How much of everything.
    pub limits: Limits,
}

/// A node that is connected to the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connected {
    /// Who.
    pub node: NodeId,
    /// Whose.
    pub realm: Realm,
    /// From where, as the gateway sees it.
    pub observed: SocketAddr,
    /// Since when.
    pub since: Timestamp,
}

/// The gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gateway(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Config,
    node: NodeId,
    names: Vec<String>,
    directory: Directory,
    metrics: Metrics,
}

impl Gateway {
    /// A gateway where nobody is connected yet.
    pub fn new(config: Config) -> Self {
        let node = NodeId::of(&config.manifest.borrow().public_key);
        let names = config.urls.iter().map(|url| authority(url)).collect();
        let (directory, metrics) = (Directory::default(), Metrics::default());
        Self(Arc::new(Inner { config, node, names, directory, metrics }))
    }

    /// Who is connected now, by name.
    pub fn connected(&self) -> Vec<Connected> {
        let of = |entry: crate::directory::Entry| Connected {
            node: entry.node,
            realm: entry.realm,
            observed: entry.observed,
            since: entry.since,
        };
        self.0.directory.all().into_iter().map(of).collect()
    }

    /// Puts the gateway's counters into `registry`.
    pub fn register(&self, registry: &mut Registry) {
        self.0.metrics.register(registry);
    }

    pub(crate) fn node(&self) -> NodeId {
        self.0.node
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0.names
    }

    /// The manifest of today.
    pub(crate) fn manifest(&self) -> NodeManifest {
        self.0.config.manifest.borrow().clone()
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        self.0.config.trust.borrow().clone()
    }

    pub(crate) fn trust_changes(&self) -> watch::Receiver<Arc<Trust>> {
        let mut changes = self.0.config.trust.clone();
        changes.mark_changed();
        changes
    }

    pub(crate) fn mint(&self) -> &Mint {
        &self.0.config.mint
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.config.limits
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.0.directory
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Returns once the program stops.
    pub(crate) async fn stopping(&self) {
        let mut shutdown = self.0.config.shutdown.clone();
        // A dropped sender means that nobody is left to say more.
        let _ = shutdown.wait_for(|stop| *stop).await;
    }
}

/// The gateway's route, [`RELAY_PATH`]. Serve it with `into_make_service_with_connect_info::<SocketAddr>()`: without the
/// peer's address every client is taken for one on this machine.
pub fn router(gateway: Gateway) -> Router {
    Router::new().route(RELAY_PATH, get(relay)).with_state(gateway)
}

async fn relay(
    State(gateway): State<Gateway>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let Ok(upgrade) = upgrade else {
        let detail = "this is a WebSocket: connect with a mesh client";
        return problem(StatusCode::UPGRADE_REQUIRED, "upgrade", detail);
    };
    let peer =
        peer.map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)), |Extension(ConnectInfo(peer))| peer);
    let Some(place) = gateway.directory().admit(peer.ip(), gateway.limits()) else {
        tracing::info!(%peer, code = "too_many", "a connection to the relay was refused");
        gateway.metrics().ended("too_many");
        let detail =
            "too many connections to this gateway are open: try again in a moment, or by another gateway";
        return problem(StatusCode::SERVICE_UNAVAILABLE, "busy", detail);
    };
    upgrade
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .max_write_buffer_size(2 * MAX_FRAME)
        .on_upgrade(move |socket| connection::serve(gateway, place, peer, socket))
}

/// A problem document (RFC 9457).
fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = format!(
        r#"{{"type":"urn:echo:problem:{code}","title":"{title}","status":{},"detail":"{detail}","instance":"{RELAY_PATH}"}}"#,
        status.as_u16()
    );
    (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response()
}
