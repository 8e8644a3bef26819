//! `/schedule`: what the platform does by itself, worst first. For operator admins.

use access::Action;
use askama::Template;
use axum::{extract::State, response::Html};
use desk::{Desk, JobCondition, JobView, RunView, ScheduleView};

use super::html;
use crate::{caller::Visitor, failure::Failure, frame::Frame, piece};

/// How many lines of a job's history the page shows.
const LINES: usize = 10;

/// A job with the newest lines of its history.
struct Row {
    job: JobView,
    runs: Vec<RunView>,
}

#[derive(Template)]
#[template(path = "schedule.html")]
struct SchedulePage {
    frame: Frame,
    rows: Vec<Row>,
    trouble: Option<String>,
    /// How many jobs failed.
    failing: usize,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
) -> Result<Html<String>, Failure> {
    // Others are told no more than that there is nothing for them.
    if principal.require(Action::ManageSchedule).is_err() {
        return Err(Failure::nowhere());
    }
    let ScheduleView { jobs, trouble, .. } = desk.schedule_view(&principal).await?;
    let mut rows = Vec::with_capacity(jobs.len());
    for job in jobs {
        let mut runs = desk.job_runs(&principal, &job.name).await?;
        runs.truncate(LINES);
        rows.push(Row { job, runs });
    }
    // Worst first; among equals, what comes next.
    rows.sort_by_key(|row| (row.job.condition, row.job.next.is_none(), row.job.next));
    let failing = rows.iter().filter(|row| row.job.condition == JobCondition::Failing).count();
    html(&SchedulePage {
        frame: Frame::new("Schedule", "/schedule", principal, desk.now()),
        rows,
        trouble,
        failing,
    })
}

impl Row {
    fn rests(&self) -> bool {
        self.job.condition == JobCondition::Paused
    }
}
