//! `GET /v1/schedule`: what runs by itself, and when.

use axum::{extract::State, http::StatusCode, response::Response};
use utoipa::ToSchema;

use crate::{
    body::json, caller::Caller, endpoint::schedule_runs::JobRun, problem::Problem, schema::Time,
    state::Shared,
};

/// The schedule with its jobs, in the schedule's order.
#[derive(ToSchema)]
pub struct Schedule {
    /// The time by which it is told.
    pub now: Time,
    /// Why the home's own schedule is not used, and the built-in one is.
    pub trouble: Option<String>,
    /// The jobs.
    pub jobs: Vec<Job>,
}

/// A job with what is known of it.
#[derive(ToSchema)]
pub struct Job {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// How it stands.
    pub condition: JobCondition,
    /// When it runs, in words.
    pub when: Vec<String>,
    /// When its next run by the clock begins; null while it rests, and for one that only listens to events.
    pub next: Option<Time>,
    /// Since when it runs; null when it does not.
    pub running_since: Option<Time>,
    /// What happened last.
    pub last: Option<JobRun>,
    /// How many runs in a row failed.
    pub failing: u32,
    /// What holds when a run is missed, meets another one or fails, in words.
    pub rules: Vec<String>,
}

/// How a job stands.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum JobCondition {
    /// Its last run failed, with all retries.
    Failing,
    /// A run failed, and will be tried again.
    Retrying,
    /// It runs.
    Running,
    /// It is due, and waits for others.
    Waiting,
    /// It was told to rest.
    Paused,
    /// It did its work, or was never due yet.
    Good,
}

/// Read the schedule: each job with its next run and what happened last.
#[utoipa::path(
    get, path = "/v1/schedule", tag = "operation", security(("bearer" = [])),
    responses((status = 200, description = "The schedule.", body = Schedule))
)]
pub(crate) async fn read_schedule(State(shared): State<Shared>, caller: Caller) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.schedule_view(&caller.principal).await?))
}
