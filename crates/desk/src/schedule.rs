//! The home's jobs: what is kept of them, and the steps of the scheduler as units of work.
//!
//! A step reads the state of all jobs, decides and writes in one transaction: of two schedulers on one database only one
//! gives the order for a run, and an order is given only when the state that says so is durable. What a job does is known
//! by whoever carries the orders out.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
};

use echo_core::{CustomerId, Timestamp};
use scheduler::{Finish, Instants, JobState, Order, Schedule, ScheduleError, Seen, States, Told};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Tx};
use tokio::sync::Notify;

use crate::{Desk, DeskError, Event, schedule_jobs, work::Work};

/// The jobs that a home without a schedule of its own goes by.
pub const BUILTIN_SCHEDULE: &str = include_str!("../../../manifest/schedule.yaml");

/// Reads a schedule as a home may have it: its jobs are known here, and come no more often than each may.
pub fn parse_schedule(yaml: &str, now: Timestamp) -> Result<Schedule, ScheduleError> {
    let schedule = Schedule::parse(yaml, now)?;
    for spec in schedule.jobs() {
        schedule_jobs::check(spec, now)?;
    }
    Ok(schedule)
}

/// The schedule that a home without its own goes by.
pub(crate) fn builtin(now: Timestamp) -> Schedule {
    parse_schedule(BUILTIN_SCHEDULE, now).expect("a test reads the built-in schedule")
}

/// What the desk holds of the schedule in memory.
#[derive(Debug, Default)]
pub(crate) struct ScheduleRoom {
    /// What the clocks showed at the last step: newer than what is kept, which is written only with a change.
    seen: Mutex<Option<Seen>>,
    /// Up to which event was looked at, likewise.
    heard: Mutex<Option<i64>>,
    /// Somebody wants a step now.
    wanted: Notify,
}

/// A job as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct JobRecord(pub(crate) JobState);

impl Record for JobRecord {
    const KIND: &'static str = "job";

    fn id(&self) -> &str {
        &self.0.name
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

/// What is kept of the schedule beside its jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Kept {
    id: String,
    seen: Option<Seen>,
    heard: i64,
}

impl Record for Kept {
    const KIND: &'static str = "schedule";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

const KEPT: &str = "schedule";

/// Who makes a step, and what it knows.
#[derive(Debug, Clone, Copy)]
pub struct ScheduleStep<'a> {
    /// Both clocks.
    pub now: &'a Instants,
    /// The scheduler's name, another one for each start.
    pub holder: &'a str,
    /// The keys of the runs that it has under way.
    pub alive: &'a BTreeSet<String>,
    /// What happened on the machine since the last step. What happened on the platform is known here.
    pub events: &'a [scheduler::Event],
}

/// What is to be done after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleTurn {
    /// What to start and stop.
    pub orders: Vec<Order>,
    /// After how many milliseconds the next step is due.
    pub sleep_millis: i64,
}

impl Desk {
    /// The schedule in force.
    pub fn schedule(&self) -> &Schedule {
        &self.content().schedule
    }

    /// Returns once somebody wants a step to be made now.
    pub async fn schedule_wanted(&self) {
        self.schedule_room().wanted.notified().await;
    }

    pub(crate) fn wake_schedule(&self) {
        self.schedule_room().wanted.notify_one();
    }

    /// From what the jitter of this home is drawn.
    pub(crate) fn schedule_seed(&self) -> u64 {
        u64::from_str_radix(&self.root().hex()[..16], 16).unwrap_or(0)
    }

    /// Makes one step of the scheduler; what it orders is durable as ordered when this returns.
    pub async fn schedule_step(&self, step: ScheduleStep<'_>) -> Result<ScheduleTurn, DeskError> {
        let mut work = self.work("Echo").await?;
        let mut found = work.jobs().await?;
        let (heard, mut events) = work.happened(found.kept.heard).await?;
        events.extend_from_slice(step.events);
        let claim = scheduler::Claim {
            holder: step.holder,
            alive: step.alive,
            events: &events,
            seed: self.schedule_seed(),
        };
        let before = found.states.clone();
        let turn = scheduler::step(self.schedule(), &mut found.states, step.now, claim);
        found.kept.heard = heard;
        found.kept.seen.clone_from(&found.states.seen);
        let changed = work.keep_jobs(&before, &found).await?;
        let told = work.tell_of(&turn.told).await?;
        if changed || told {
            work.tx.commit().await?;
        }
        self.schedule_room().remember(&found.kept);
        if told {
            self.changed();
        }
        Ok(ScheduleTurn { orders: turn.orders, sleep_millis: turn.sleep_millis })
    }

    /// Takes in what a run came to. Whether it still was the caller's; a run that was taken for lost is not.
    pub async fn schedule_finish(
        &self,
        now: &Instants,
        (holder, run): (&str, &str),
        finish: Finish,
    ) -> Result<bool, DeskError> {
        let mut work = self.work("Echo").await?;
        let mut found = work.jobs().await?;
        let before = found.states.clone();
        let (held, told) = scheduler::finish(self.schedule(), &mut found.states, now, (holder, run), finish);
        work.keep_jobs(&before, &found).await?;
        let mut telling = work.tell_of(told.as_slice()).await?;
        // Whoever asked for a run waits to hear of it.
        let asked = before.jobs.values().find(|job| {
            job.running.as_ref().is_some_and(|r| r.run == run && r.cause == scheduler::Cause::Asked)
        });
        if let (Some(job), false) = (asked, telling) {
            work.tell_of_job(&job.name, "the run that was asked for is over".to_owned()).await?;
            telling = true;
        }
        work.tx.commit().await?;
        if telling {
            self.changed();
        }
        Ok(held)
    }

    /// What is said of jobs that failed with all their retries.
    pub(crate) async fn failing_jobs(&self) -> Result<Vec<String>, DeskError> {
        let mut tx = self.store().read().await?;
        let jobs = read_jobs(&mut tx).await?;
        let failing = jobs.values().filter(|job| job.failing > 0 && self.schedule().job(&job.name).is_some());
        Ok(failing
            .map(|job| {
                let why = job.history.iter().rev().find(|line| line.outcome.is_failure());
                format!(
                    "the job {} failed: {}; see `echo_cli schedule history {}`",
                    job.name,
                    why.map_or("nobody knows why", |line| line.message.as_str()),
                    job.name
                )
            })
            .collect())
    }
}

impl ScheduleRoom {
    fn remember(&self, kept: &Kept) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&kept.seen);
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept.heard);
    }

    fn update(&self, kept: &mut Kept) {
        if let Some(seen) = &*self.seen.lock().unwrap_or_else(PoisonError::into_inner) {
            kept.seen = Some(seen.clone());
        }
        if let Some(heard) = *self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            kept.heard = kept.heard.max(heard);
        }
    }
}

/// The states of all jobs, and what is kept beside them.
pub(crate) struct Found {
    pub(crate) states: States,
    pub(crate) kept: Kept,
    pub(crate) fresh: bool,
}

pub(crate) async fn read_jobs(
    tx: &mut Tx,
) -> Result<std::collections::BTreeMap<String, JobState>, DeskError> {
    let jobs = tx.all::<JobRecord>(&Scope::All, &Filter::default()).await?;
    Ok(jobs.into_iter().map(|job| (job.0.name.clone(), job.0)).collect())
}

impl Work<'_> {
    pub(crate) async fn jobs(&mut self) -> Result<Found, DeskError> {
        let kept = self.tx.get::<Kept>(&Scope::All, KEPT).await?;
        let fresh = kept.is_none();
        let mut kept = match kept {
            Some(kept) => kept,
            // What happened before there was a schedule makes nothing run.
            None => Kept { id: KEPT.to_owned(), seen: None, heard: self.tx.last_event().await? },
        };
        self.desk.schedule_room().update(&mut kept);
        let jobs = read_jobs(&mut self.tx).await?;
        Ok(Found { states: States { jobs, seen: kept.seen.clone() }, kept, fresh })
    }

    /// What happened on the platform that jobs may listen to (that the clock was set, the scheduler sees by itself), and up to where that was looked at.
    async fn happened(&mut self, after: i64) -> Result<(i64, Vec<scheduler::Event>), DeskError> {
        let stored = self.tx.events_after(&Scope::All, after).await?;
        let heard = stored.last().map_or(after, |event| event.seq);
        let mut happened = Vec::new();
        for event in stored {
            let Ok(event) = serde_json::from_str::<Event>(&event.body) else { continue };
            happened.extend(match event.topic.as_str() {
                "expiry" => Some(scheduler::Event::KeyExpiry),
                "finding" => Some(scheduler::Event::Finding),
                _ => None,
            });
        }
        Ok((heard, happened))
    }

    /// Writes the jobs that changed. Whether any did.
    pub(crate) async fn keep_jobs(&mut self, before: &States, found: &Found) -> Result<bool, DeskError> {
        let mut changed = false;
        for (name, job) in &found.states.jobs {
            match before.jobs.get(name) {
                Some(old) if old == job => continue,
                Some(_) => self.tx.update(&JobRecord(job.clone())).await?,
                None => self.tx.insert(&JobRecord(job.clone())).await?,
            }
            changed = true;
        }
        if found.fresh {
            self.tx.insert(&found.kept).await?;
        } else if changed {
            self.tx.update(&found.kept).await?;
        }
        Ok(changed || found.fresh)
    }

    pub(crate) async fn tell_of_job(&mut self, job: &str, what: String) -> Result<(), DeskError> {
        let event = Event { topic: "schedule".to_owned(), id: job.to_owned(), what, at: self.now };
        self.tell(None, &event).await
    }

    /// Tells the operator. Whether there was anything to tell.
    async fn tell_of<'t>(&mut self, told: impl IntoIterator<Item = &'t Told>) -> Result<bool, DeskError> {
        let mut any = false;
        for one in told {
            let (id, what) = match one {
                // Signed, told and entered by `clock`.
                Told::ClockSet(_) => continue,
                Told::Failed { job, message } => (job, format!("the job failed: {message}")),
                Told::Recovered { job } => (job, "the job does its work again".to_owned()),
            };
            self.tell_of_job(id, what).await?;
            any = true;
        }
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_schedule_holds_and_every_known_job_is_in_it() {
        let schedule = builtin("2026-11-01T00:00:00Z".parse().unwrap());
        let scheduled: BTreeSet<&str> = schedule.jobs().iter().map(|job| job.name.as_str()).collect();
        let known: BTreeSet<&str> = schedule_jobs::KNOWN_JOBS.iter().map(|job| job.name).collect();
        assert_eq!(scheduled, known);
    }

    #[test]
    fn a_heavy_job_may_not_run_every_second_and_a_cheap_one_may() {
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let read = |job: &str| {
            parse_schedule(&format!("version: 1\njobs: [{{name: {job}, when: [{{every: 1s}}]}}]"), now)
                .map_err(|e| e.to_string())
        };
        assert!(read("housekeeping").is_ok());
        assert!(read("integrity").unwrap_err().contains("at least"));
        assert!(read("teapot").unwrap_err().contains("integrity"), "it lists the jobs there are");
    }
}
