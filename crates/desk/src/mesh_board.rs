//! What the mesh looks like from here, for people. The daemon that runs the platform's node publishes it; it is kept in
//! memory, for it is true only while it is fresh.

use std::{collections::BTreeMap, sync::Arc};

use echo_core::{CustomerId, DeviceId, Id as _, Timestamp};
use mesh::NodeId;
use serde::Serialize;
use serde_json::Value;
use store::Scope;
use tokio::sync::{Mutex as AsyncMutex, watch};
use trust::Envelope;

use crate::{Customer, Desk, DeskError, Event, Work};

/// The most nodes on the board. What is published beyond is left out, and said in the log.
pub const MAX_MESH_NODES: usize = 10_000;
/// The most events that one picture makes: a mesh that falls apart at once is one line, not ten thousand.
const MAX_CHANGES: usize = 64;

/// What the platform's node knew of the mesh at one moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeshState {
    /// The platform's own node.
    pub me: NodeId,
    /// When.
    pub at: Timestamp,
    /// The other nodes that it knows; at most [`MAX_MESH_NODES`] count.
    pub nodes: Vec<MeshNode>,
    /// All that the doctor may want to know: links, members, refusals, path reports, in the node's own words.
    pub doctor: Value,
}

/// A node of the mesh.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MeshNode {
    /// Its key, as a `did:key`.
    pub node: NodeId,
    /// The device that it is.
    pub device: DeviceId,
    /// Whose it is; nobody's when it is the operator's own.
    pub customer: Option<CustomerId>,
    /// What people call it.
    pub name: String,
    /// What its certified manifest says that it can do.
    pub capabilities: Vec<String>,
    /// The skills that it offers now.
    pub skills: Vec<String>,
    /// Whether a call would reach it now.
    pub reachable: bool,
    /// By which path.
    pub path: MeshPath,
    /// Since when it is so.
    pub since: Timestamp,
    /// When it was last heard from.
    pub last_seen: Option<Timestamp>,
}

/// How a node is reached, and how well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeshPath {
    /// By which kind of way.
    pub kind: MeshPathKind,
    /// How many other nodes lie between; none for a neighbour.
    pub hops: u32,
    /// The neighbour that it goes through first.
    pub next_hop: Option<NodeId>,
    /// The round trip, in microseconds, when it was measured.
    pub rtt_micros: Option<u64>,
    /// How far its clock is ahead of ours, in milliseconds, when that is known.
    pub clock_skew_ms: Option<i64>,
    /// Why it is relayed or not reached, in words for people.
    pub why: Option<String>,
}

/// Which kind of way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MeshPathKind {
    /// Straight from machine to machine.
    Direct,
    /// Through a gateway's relay.
    Relayed,
    /// Over other nodes.
    Routed,
    /// There is none.
    None,
}

/// The newest picture; nothing while the mesh is off.
pub(crate) type Newest = Option<Arc<MeshState>>;

/// Where the newest picture hangs.
#[derive(Debug, Default)]
pub(crate) struct MeshBoard(watch::Sender<Newest>);

/// What the desk needs at hand for the mesh.
#[derive(Debug, Default)]
pub(crate) struct MeshRoom {
    /// Who is there.
    pub(crate) board: MeshBoard,
    /// The newest list of revoked nodes.
    pub(crate) revocations: watch::Sender<Option<Envelope>>,
    /// Why the mesh has stopped by itself; nothing while it has not.
    pub(crate) stopped: watch::Sender<Option<String>>,
    /// Held by whoever writes the telemetry to disk for all that came over the mesh meanwhile.
    pub(crate) saving: AsyncMutex<()>,
}

impl MeshBoard {
    /// The newest picture.
    pub(crate) fn newest(&self) -> Newest {
        self.0.borrow().clone()
    }

    /// Takes a customer's nodes off the picture.
    pub(crate) fn forget(&self, customer: &CustomerId) {
        self.0.send_if_modified(|newest| {
            let theirs = |node: &MeshNode| node.customer.as_ref() == Some(customer);
            let Some(state) = newest.as_mut().filter(|state| state.nodes.iter().any(theirs)) else {
                return false;
            };
            Arc::make_mut(state).nodes.retain(|node| !theirs(node));
            true
        });
    }

    pub(crate) fn follow(&self) -> watch::Receiver<Newest> {
        self.0.subscribe()
    }
}

impl Desk {
    /// Hangs up a newer picture of the mesh, and tells those who watch which nodes came and went.
    ///
    /// # Errors
    /// When the events cannot be kept; the picture hangs all the same.
    pub async fn publish_mesh(&self, mut state: MeshState) -> Result<(), DeskError> {
        if state.nodes.len() > MAX_MESH_NODES {
            tracing::warn!(
                nodes = state.nodes.len(),
                most = MAX_MESH_NODES,
                "more nodes than the board shows"
            );
            state.nodes.truncate(MAX_MESH_NODES);
        }
        state.nodes.sort_by_key(|node| node.node);
        state.nodes.dedup_by_key(|node| node.node);
        let state = Arc::new(state);
        let before = self.mesh_board().0.send_replace(Some(state.clone()));
        let changes = changes(before.as_deref(), &state);
        if changes.is_empty() {
            return Ok(());
        }
        let mut work = self.work("mesh").await?;
        for (customer, event) in &changes {
            work.tell_if_known(customer.as_ref(), event).await?;
        }
        work.commit().await
    }

    /// Takes the picture down: the mesh is off.
    pub fn mesh_is_off(&self) {
        self.mesh_board().0.send_replace(None);
    }

    /// Takes the picture down, and says in [`crate::Health`] and to the doctor why: the mesh has ended though nobody told it to.
    pub fn mesh_stopped(&self, why: &str) {
        self.mesh_is_off();
        self.mesh_trouble().send_replace(Some(why.to_owned()));
    }

    /// Tells something about the mesh to those who may see what belongs to `customer`; to the operator's people alone
    /// when it is nobody's.
    pub async fn tell_mesh(
        &self,
        customer: Option<&CustomerId>,
        id: &str,
        what: &str,
    ) -> Result<(), DeskError> {
        let mut work = self.work("mesh").await?;
        let event = event(id, what.chars().take(500).collect(), work.now);
        work.tell_if_known(customer, &event).await?;
        work.commit().await
    }
}

impl Work<'_> {
    /// As [`Work::tell`], but for a customer that was erased: the mesh knows its nodes for a while longer.
    async fn tell_if_known(&mut self, customer: Option<&CustomerId>, event: &Event) -> Result<(), DeskError> {
        if let Some(id) = customer
            && self.tx.get::<Customer>(&Scope::All, id.as_str()).await?.is_none()
        {
            return Ok(());
        }
        self.tell(customer, event).await
    }
}

fn event(id: &str, what: String, at: Timestamp) -> Event {
    Event { topic: "mesh".to_owned(), id: id.to_owned(), what, at }
}

/// Who came and who went, with whose they are.
fn changes(before: Option<&MeshState>, now: &MeshState) -> Vec<(Option<CustomerId>, Event)> {
    let nodes = before.map(|state| state.nodes.as_slice()).unwrap_or_default();
    let old: BTreeMap<NodeId, &MeshNode> = nodes.iter().map(|node| (node.node, node)).collect();
    let mut told = Vec::new();
    for node in &now.nodes {
        let was = old.get(&node.node);
        let what = match (was.is_some_and(|old| old.reachable), node.reachable) {
            (false, true) => format!("{} is reachable", node.name),
            (true, false) => match &node.path.why {
                Some(why) => format!("{} is away: {why}", node.name),
                None => format!("{} is away", node.name),
            },
            (true, true) if was.is_some_and(|old| old.path.kind != node.path.kind) => {
                format!("{} is reached by another way", node.name)
            }
            _ => continue,
        };
        if told.len() == MAX_CHANGES {
            told.push((None, event("mesh", "many more nodes came or went".to_owned(), now.at)));
            break;
        }
        told.push((node.customer.clone(), event(&node.node.to_string(), what, now.at)));
    }
    told
}
