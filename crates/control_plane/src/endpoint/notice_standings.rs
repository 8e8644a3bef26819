//! `GET /v1/trust/notices/standings`: which devices know of the deprecation notices.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json,
    caller::Caller,
    problem::Problem,
    schema::{Did, Digest, Id, Page, Time},
    state::Shared,
};

/// A notice and who knows of it.
#[derive(ToSchema)]
pub struct NoticeStanding {
    /// The digest of the notice's payload.
    pub notice: Digest,
    /// What it says.
    pub text: String,
    /// From when on the keys are refused.
    pub refuse_from: Time,
    /// How many of the devices in care that you may see have acknowledged it.
    pub acknowledged: u32,
    /// How many have not.
    pub waiting: u32,
    /// Those, by name.
    #[schema(max_items = 100)]
    pub waiting_for: Vec<WaitingDevice>,
}

/// A device that has not acknowledged a notice.
#[derive(ToSchema)]
pub struct WaitingDevice {
    /// The device.
    pub device: Id,
    /// What people call it.
    pub name: String,
    /// Its key.
    pub node: Did,
}

/// See which devices have acknowledged the deprecation notices, and which have not.
#[utoipa::path(
    get, path = "/v1/trust/notices/standings", tag = "mesh", security(("bearer" = [])),
    responses((status = 200, description = "The notices in force, on one page.", body = Page<NoticeStanding>))
)]
pub(crate) async fn list_notice_standings(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.notice_standings(&caller.principal).await?))
}
