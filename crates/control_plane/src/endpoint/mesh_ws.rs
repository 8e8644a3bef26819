//! `GET /v1/mesh/ws`: presence and events as they happen, for clients that speak WebSocket (RFC 6455).

use std::{sync::Arc, time::Duration};

use access::Action;
use axum::{
    extract::{
        State, WebSocketUpgrade,
        ws::{Message, WebSocket, rejection::WebSocketUpgradeRejection},
    },
    http::{HeaderMap, StatusCode},
    response::Response,
};
use desk::{DeskError, MeshNode, MeshState};
use echo_core::Timestamp;
use mesh::NodeId;
use serde::Serialize;
use tokio::{
    sync::watch,
    time::{Instant, interval_at, timeout},
};

use crate::{
    caller::{Caller, may_listen},
    places::Place,
    problem::Problem,
    state::Shared,
};

/// How often a quiet connection says that it is alive, and asks whether the caller's token still is.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long to wait after a change before looking, so that what is looked up once serves all changes of that moment.
const SETTLE: Duration = Duration::from_millis(250);
/// How long the nodes stay as they were said, at least.
const NODES_EVERY: Duration = Duration::from_secs(1);
/// How long a reader may take nothing.
const PATIENCE: Duration = Duration::from_secs(10);
/// Clients say nothing here: the most bytes of a message that is read and forgotten.
const MAX_HEARD: usize = 1024;

/// A message to the client, as JSON text.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Said<'a> {
    /// The nodes that the caller may see, all of them; null while the mesh is off.
    Nodes { at: Option<Timestamp>, me: Option<NodeId>, nodes: Option<&'a [MeshNode]> },
    /// Something happened.
    Event { id: i64, event: &'a desk::Event },
}

/// Follow the mesh over a WebSocket: presence and events as they happen.
///
/// Each message is a JSON text: `{"kind": "nodes", "at", "me", "nodes"}` at first and when something about them changed, and
/// `{"kind": "event", "id", "event"}`. The nodes are those of `GET /v1/mesh/nodes` without prices. The connection ends when
/// the access token does, or when the platform stops.
#[utoipa::path(
    get, path = "/v1/mesh/ws", tag = "mesh", security(("bearer" = [])),
    responses(
        (status = 101, description = "The connection is a WebSocket from now on."),
        (status = 426, description = "Not a WebSocket handshake.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn follow_mesh(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    caller.principal.require(Action::ReadEvents).map_err(DeskError::from)?;
    caller.principal.require(Action::ReadDevice).map_err(DeskError::from)?;
    let upgrade = upgrade.map_err(|_| {
        let detail = "this is a WebSocket: connect with `Upgrade: websocket`, or follow GET /v1/events";
        Problem::new(StatusCode::UPGRADE_REQUIRED, "upgrade", "Upgrade required", detail)
    })?;
    // A WebSocket is not held back by the same-origin policy: another site's page could listen with the cookie.
    if !may_listen(&headers) {
        return Err(Problem::unauthenticated(
            "the cookie is taken from the dashboard's own pages alone: send `Authorization: Bearer TOKEN`",
        ));
    }
    let place = shared.streams.take(&caller.principal.subject).ok_or_else(|| {
        Problem::busy("too many event streams are open: close some, or try again in a moment")
    })?;
    let seen = shared.desk.last_event().await?;
    let follower = Follower {
        events: shared.desk.changes(),
        mesh: shared.desk.mesh_changes(),
        shared,
        caller,
        seen,
        said: None,
        greeted: false,
        _place: place,
    };
    Ok(upgrade
        .max_message_size(MAX_HEARD)
        .max_frame_size(MAX_HEARD)
        .on_upgrade(move |socket| follower.run(socket)))
}

/// One who follows.
struct Follower {
    shared: Shared,
    caller: Caller,
    events: watch::Receiver<u64>,
    mesh: watch::Receiver<Option<Arc<MeshState>>>,
    seen: i64,
    /// The nodes as they were said last.
    said: Option<Vec<MeshNode>>,
    /// Whether they were said at all.
    greeted: bool,
    _place: Place,
}

impl Follower {
    async fn run(mut self, mut socket: WebSocket) {
        // Either side may end it at any time; there is nobody left to tell.
        let _ = self.follow(&mut socket).await;
        let _ = timeout(PATIENCE, socket.send(Message::Close(None))).await;
    }

    /// Sends until nothing more is to be sent.
    async fn follow(&mut self, socket: &mut WebSocket) -> Option<()> {
        let mut alive = interval_at(Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
        self.say_nodes(socket).await?;
        loop {
            tokio::select! {
                changed = self.mesh.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(NODES_EVERY).await;
                    self.still_good().await?;
                    self.say_nodes(socket).await?;
                }
                changed = self.events.changed() => {
                    changed.ok()?;
                    tokio::time::sleep(SETTLE).await;
                    self.say_events(socket).await?;
                }
                heard = socket.recv() => match heard? {
                    Ok(Message::Close(_)) | Err(_) => return None,
                    Ok(_) => {}
                },
                _ = alive.tick() => {
                    self.still_good().await?;
                    say(socket, Message::Ping(Vec::new().into())).await?;
                }
                () = self.shared.stopping() => return None,
            }
        }
    }

    async fn say_nodes(&mut self, socket: &mut WebSocket) -> Option<()> {
        let state = self.mesh.borrow_and_update().clone();
        let nodes = |state: &Option<Arc<MeshState>>| -> Option<Vec<MeshNode>> {
            let visible = desk::visible(&self.caller.principal, state.as_deref()?);
            Some(visible.into_iter().cloned().collect())
        };
        let now = nodes(&state);
        if self.greeted && self.said == now {
            return Some(());
        }
        let said = Said::Nodes {
            at: state.as_ref().map(|state| state.at),
            me: state.as_ref().map(|state| state.me),
            nodes: now.as_deref(),
        };
        let text = serde_json::to_string(&said).ok()?;
        (self.said, self.greeted) = (now, true);
        say(socket, Message::Text(text.into())).await
    }

    async fn say_events(&mut self, socket: &mut WebSocket) -> Option<()> {
        self.events.borrow_and_update();
        let batch = self.shared.desk.events_after(&self.caller.principal, self.seen).await.ok()?;
        if !batch.is_empty() {
            self.still_good().await?;
        }
        for (id, event) in batch {
            self.seen = id;
            let text = serde_json::to_string(&Said::Event { id, event: &event }).ok()?;
            say(socket, Message::Text(text.into())).await?;
        }
        Some(())
    }

    /// A session that has ended must not go on listening.
    async fn still_good(&self) -> Option<()> {
        let now = self.shared.desk.authenticate(&self.caller.token).await.ok()?;
        (now == self.caller.principal).then_some(())
    }
}

async fn say(socket: &mut WebSocket, message: Message) -> Option<()> {
    timeout(PATIENCE, socket.send(message)).await.ok()?.ok()
}
