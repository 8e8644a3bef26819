//! `GET /v1/schedule/{job}/runs`: what happened to a job.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{body::json, caller::Caller, path::Part, problem::Problem, schema::Time, state::Shared};

/// One line of a job's history.
#[derive(ToSchema)]
pub struct JobRun {
    /// The run's key: the job and the instant for which it was scheduled. Retries have the same one.
    pub run: String,
    /// For when it was scheduled.
    pub scheduled: Time,
    /// Why, in words.
    pub cause: String,
    /// Which try it was, from 1; 0 when it was left out.
    pub attempt: u32,
    /// When it began; null when it did not.
    pub started: Option<Time>,
    /// How long it took, in milliseconds; null when nobody knows.
    pub millis: Option<u64>,
    /// What came of it.
    pub outcome: JobOutcome,
    /// In words.
    pub message: String,
    /// For how many scheduled runs in a row this line stands.
    pub times: u32,
}

/// What came of a run, or why there was none.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum JobOutcome {
    /// It did its work.
    Done,
    /// It failed.
    Failed,
    /// It was stopped because it took too long.
    TimedOut,
    /// Whoever ran it is gone: a loss of power, a crash, a stop.
    Interrupted,
    /// It was stopped for the next one.
    Replaced,
    /// Its time had passed, and it was left out.
    Missed,
    /// It was left out, because the one before was not over.
    Overlapped,
    /// It was left out, because a job that it waits for failed.
    Blocked,
    /// It was left out, because the job had taken what it may take on a day.
    OverBudget,
}

/// List what happened to a job, newest first, as far as its history goes.
#[utoipa::path(
    get, path = "/v1/schedule/{job}/runs", tag = "operation", security(("bearer" = [])),
    params(("job" = String, Path, description = "Its name.")),
    responses(
        (status = 200, description = "The history.", body = Vec<JobRun>),
        (status = 404, description = "There is no such job.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn list_job_runs(
    State(shared): State<Shared>,
    caller: Caller,
    Part(job): Part,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.job_runs(&caller.principal, &job).await?))
}
