//! `GET /v1/mesh/pulses`: telemetry again, by time, node and attestation.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::Replay;
use echo_core::{ProofId, Timestamp};
use mesh::NodeId;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    query::{Asked, page},
    schema::{Did, Id, Page, Time},
    state::Shared,
};

/// A point of a node's telemetry.
#[derive(ToSchema)]
pub struct ReplayedPulse {
    /// Which node.
    pub node: Did,
    /// Which device that is.
    pub device: Id,
    /// When, by the device's clock.
    pub at: Time,
    /// CPU utilization, 0 to 1.
    pub cpu: f64,
    /// Memory in use, in bytes.
    pub memory_used: u64,
    /// Runnable threads, averaged over one minute.
    pub load_1: f64,
    /// Bytes received since the machine started.
    pub rx_bytes: u64,
    /// Bytes sent since the machine started.
    pub tx_bytes: u64,
}

/// Which telemetry.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PulsesQuery {
    /// From when on, inclusive; from the oldest that is kept when not said.
    #[param(value_type = Option<Time>)]
    pub from: Option<Timestamp>,
    /// Until when, exclusive.
    #[param(value_type = Option<Time>)]
    pub to: Option<Timestamp>,
    /// Of which node; of all that you may see when not said.
    #[param(value_type = Option<Did>)]
    pub node: Option<NodeId>,
    /// Around what this fulfilment proof attests: its device alone, from a quarter of an hour before to one after.
    #[param(value_type = Option<Id>)]
    pub proof: Option<ProofId>,
    /// The `next` of the page before; nothing for the first page.
    #[param(max_length = 100)]
    pub cursor: Option<String>,
    /// How many at most; 50 when not said.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// Replay the telemetry that you may see, oldest first: at most the last 360 points of each node.
#[utoipa::path(
    get, path = "/v1/mesh/pulses", tag = "mesh", security(("bearer" = [])), params(PulsesQuery),
    responses(
        (status = 200, description = "A page of them.", body = Page<ReplayedPulse>),
        (status = 404, description = "There is no such node or proof in what you may see.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The cursor is none.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn replay_pulses(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<PulsesQuery>,
) -> Result<Response, Problem> {
    let page = page(query.cursor, query.limit)?;
    let replay = Replay { from: query.from, to: query.to, node: query.node, proof: query.proof };
    Ok(json(StatusCode::OK, &shared.desk.mesh_pulses(&caller.principal, &replay, &page).await?))
}
