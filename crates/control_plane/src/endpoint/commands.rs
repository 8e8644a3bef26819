//! `GET /v1/device/commands`: work for the calling device.

use std::time::Duration;

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::Page as DeskPage;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    query::Asked,
    schema::{Envelope, Page},
    state::Shared,
};

/// How long to wait for work.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WaitQuery {
    /// How many seconds to wait when there is none; the answer comes as soon as there is some.
    #[param(minimum = 0, maximum = 30)]
    #[serde(default)]
    pub wait: u32,
}

/// Take the signed commands that wait for the calling device, oldest first.
///
/// Each envelope's payload is `application/vnd.echo.command.v1+json`, signed by the operator. A command is handed out
/// until its result is taken or its time is over.
#[utoipa::path(
    get, path = "/v1/device/commands", tag = "device", security(("bearer" = [])), params(WaitQuery),
    responses((status = 200, description = "At most 8 commands, on one page; perhaps none.", body = Page<Envelope>))
)]
pub(crate) async fn next_commands(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<WaitQuery>,
) -> Result<Response, Problem> {
    let _place = shared
        .waiting
        .take(&caller.principal.subject)
        .ok_or_else(|| Problem::busy("too many requests wait at once: end some, or try again in a moment"))?;
    let wait = Duration::from_secs(u64::from(query.wait));
    let items = tokio::select! {
        items = shared.desk.next_commands(&caller.principal, wait) => items?,
        () = shared.stopping() => Vec::new(),
    };
    Ok(json(StatusCode::OK, &DeskPage { items, next: None }))
}
