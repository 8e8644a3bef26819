//! `GET` and `POST /v1/witnessed-logs`: the logs that Echo witnesses.

use axum::{extract::State, http::StatusCode, response::Response};
use desk::WitnessedEdit;
use utoipa::ToSchema;

use crate::{
    body::{JsonBody, json},
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
    schema::Time,
    state::Shared,
};

/// A log that Echo witnesses.
#[derive(ToSchema)]
pub struct WitnessedLog {
    /// Its origin line.
    pub origin: String,
    /// Its verifier key (C2SP signed-note).
    pub vkey: String,
    /// How many entries it had when it was last cosigned; null when it never was.
    pub size: Option<u64>,
    /// When it was last cosigned.
    pub cosigned: Option<Time>,
}

/// A change of the logs that Echo witnesses.
#[derive(ToSchema)]
#[schema(as = WitnessedEdit, example = json!({"edit": "remove", "origin": "log.example/a"}))]
#[serde(tag = "edit", rename_all = "snake_case")]
pub enum WitnessedEditBody {
    /// Witness one more log, or take one more key of a log.
    Add {
        /// The log's verifier key; its name is the log's origin.
        vkey: String,
    },
    /// Witness a log no more. What was cosigned of it stays known.
    Remove {
        /// The log's origin.
        origin: String,
    },
}

/// List the logs that Echo witnesses.
#[utoipa::path(
    get, path = "/v1/witnessed-logs", tag = "proof", security(("bearer" = [])),
    responses((status = 200, description = "The logs.", body = Vec<WitnessedLog>))
)]
pub(crate) async fn list_witnessed_logs(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.witnessed_logs(&caller.principal).await?))
}

/// Change the logs that Echo witnesses.
#[utoipa::path(
    post, path = "/v1/witnessed-logs", tag = "proof", security(("bearer" = [])), request_body = WitnessedEditBody,
    responses((status = 200, description = "The logs as they are now.", body = Vec<WitnessedLog>))
)]
pub(crate) async fn edit_witnessed_logs(
    State(shared): State<Shared>,
    Command { call, body: JsonBody(edit) }: Command<JsonBody<WitnessedEdit>>,
) -> Response {
    let done = shared.desk.edit_witnessed(&call, edit).await;
    idempotency::answer(&shared.desk, &call, StatusCode::OK, done).await
}
