//! `POST /v1/schedule/{job}/run`, `/pause` and `/resume`: what an operator may ask of a job.

use axum::{extract::State, http::StatusCode, response::Response};

use crate::{
    body::Nothing,
    endpoint::schedule::Job,
    idempotency::{self, Command},
    path::Part,
    problem::Problem,
    state::Shared,
};

/// Run a job as soon as may be, whatever it waits for and has spent.
#[utoipa::path(
    post, path = "/v1/schedule/{job}/run", tag = "operation", security(("bearer" = [])),
    params(("job" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "It waits for its turn, which comes at once where nothing else runs.", body = Job),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It runs already.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn run_job(
    State(shared): State<Shared>,
    Part(job): Part,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.run_job(&command.call, &job).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}

/// Let a job rest: what comes due is left out until it is resumed. A run under way goes on.
#[utoipa::path(
    post, path = "/v1/schedule/{job}/pause", tag = "operation", security(("bearer" = [])),
    params(("job" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "It rests.", body = Job),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn pause_job(
    State(shared): State<Shared>,
    Part(job): Part,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.pause_job(&command.call, &job).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}

/// End a job's rest. What was due meanwhile was not missed.
#[utoipa::path(
    post, path = "/v1/schedule/{job}/resume", tag = "operation", security(("bearer" = [])),
    params(("job" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "It runs again at its times.", body = Job),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn resume_job(
    State(shared): State<Shared>,
    Part(job): Part,
    command: Command<Nothing>,
) -> Response {
    let done = shared.desk.resume_job(&command.call, &job).await;
    idempotency::answer(&shared.desk, &command.call, StatusCode::OK, done).await
}
