//! `GET /v1/mesh/nodes`: which nodes of the mesh are reachable, what they can do, at what price, by which path.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    query::{Asked, PageQuery},
    schema::{Currency, Did, Exact, Id, Time},
    state::Shared,
};

/// A part of the list of nodes.
#[derive(ToSchema)]
pub struct MeshNodes {
    /// Whether this platform has a node in the mesh that runs. When not, the list is empty, and that says nothing about
    /// who is reachable.
    pub on: bool,
    /// The platform's own node.
    pub me: Option<Did>,
    /// When this was so.
    pub at: Option<Time>,
    /// The nodes, in the order of their keys.
    pub items: Vec<MeshNode>,
    /// The cursor of the next page; null on the last one.
    pub next: Option<String>,
}

/// A node of the mesh.
#[derive(ToSchema)]
pub struct MeshNode {
    /// Its key.
    pub node: Did,
    /// The device that it is.
    pub device: Id,
    /// Whose it is; null when it is the operator's own.
    pub customer: Option<Id>,
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
    pub since: Time,
    /// When it was last heard from.
    pub last_seen: Option<Time>,
    /// What its skills cost its customer; for the operator's nodes, you.
    pub offers: Vec<MeshOffer>,
}

/// How a node is reached, and how well.
#[derive(ToSchema)]
pub struct MeshPath {
    /// By which kind of way.
    pub kind: MeshPathKind,
    /// How many other nodes lie between.
    pub hops: u32,
    /// The neighbour that it goes through first.
    pub next_hop: Option<Did>,
    /// The round trip, in microseconds, when it was measured.
    pub rtt_micros: Option<u64>,
    /// How far its clock is ahead of the platform's, in milliseconds.
    pub clock_skew_ms: Option<i64>,
    /// Why it is relayed or not reached.
    pub why: Option<String>,
}

/// A kind of way.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
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

/// What one call of a skill costs.
#[derive(ToSchema)]
pub struct MeshOffer {
    /// The skill.
    pub skill: String,
    /// What is sold.
    pub sku: String,
    /// One unit, in major units; what the plan includes is not taken off.
    pub unit_price: Exact,
    /// Of which currency.
    pub currency: Currency,
}

/// List the nodes of the mesh that you may see: your own, and the operator's gateways.
#[utoipa::path(
    get, path = "/v1/mesh/nodes", tag = "mesh", security(("bearer" = [])), params(PageQuery),
    responses(
        (status = 200, description = "A page of them.", body = MeshNodes),
        (status = 422, description = "The cursor is none.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_mesh_nodes(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PageQuery>,
) -> Result<Response, Problem> {
    let nodes = shared.desk.mesh_nodes(&caller.principal, &query.page()?).await?;
    Ok(json(StatusCode::OK, &nodes))
}
