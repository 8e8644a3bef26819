//! `GET /v1/health`: how the platform is, in words, for the operator's people.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{body::json, caller::Caller, problem::Problem, schema::Time, state::Shared};

/// How the platform is.
#[derive(ToSchema)]
pub struct Health {
    /// Whether it can do its work.
    pub ready: bool,
    /// Since when it runs.
    pub started: Time,
    /// What keeps it from its work.
    pub problems: Vec<String>,
    /// What has to be looked into while it works on.
    pub alarms: Vec<String>,
    /// Why the mesh has stopped by itself.
    pub mesh: Option<String>,
    /// How many passages are kept out of the memory because they speak to a model.
    pub quarantined: u64,
    /// The network as the platform finds it and may use it.
    pub network: Network,
    /// The network, in words.
    pub network_words: String,
    /// When the clock was set, newest first, at most twenty.
    pub clock_set: Vec<ClockSet>,
    /// The time by the platform's clock.
    pub now: Time,
}

/// The network as the platform finds it and may use it.
#[derive(ToSchema)]
pub struct Network {
    /// How far it goes.
    pub connection: Connection,
    /// Whether the platform was told to reach out to nothing but this machine and the mesh on the local network.
    pub offline: bool,
}

/// How far the machine's network goes.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Connection {
    /// Nobody has looked.
    Unknown,
    /// No interface but loopback is up.
    Alone,
    /// An interface is up, and no way leads beyond it.
    Local,
    /// A way leads beyond the local network.
    Routed,
}

/// That the clock was set.
#[derive(ToSchema)]
pub struct ClockSet {
    /// Its number: `clock-00000001`. It is the document `clock_set/clock-00000001` of the genesis ledger.
    pub id: String,
    /// The time that the clock should have shown, as far as it was known.
    pub from: Time,
    /// The time that it showed.
    pub to: Time,
    /// How it was found out.
    pub noticed: Noticed,
    /// Whether a person gave their word that the new time is right.
    pub accepted: bool,
}

/// How it was found out that the clock was set.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum Noticed {
    /// The platform started before a time that it has seen, or long after it.
    AtStart,
    /// The clock jumped beside one that nobody can set.
    Running,
    /// An entry was to be made before the one that its ledger ends with.
    Entering,
}

/// Read how the platform is.
#[utoipa::path(
    get, path = "/v1/health", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "How it is.", body = Health))
)]
pub(crate) async fn read_health(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.health_view(&caller.principal).await?))
}
