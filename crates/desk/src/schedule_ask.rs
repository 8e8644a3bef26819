//! The schedule as its operator sees it, and what they may ask of a job.

use access::{Action, Principal};
use echo_core::Timestamp;
use scheduler::{Cause, Happened, JobSpec, JobState, Missed, Outcome, Overlap};
use serde::Serialize;

use crate::{
    Call, Desk, DeskError, known_job,
    schedule::{Found, read_jobs},
};

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
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

/// A job with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// How it stands.
    pub condition: JobCondition,
    /// When it runs, in words.
    pub when: Vec<String>,
    /// When its next run by the clock begins; nothing while it rests, and for one that only listens.
    pub next: Option<Timestamp>,
    /// Since when it runs; nothing when it does not.
    pub running_since: Option<Timestamp>,
    /// What happened last.
    pub last: Option<RunView>,
    /// How many runs in a row failed.
    pub failing: u32,
    /// What holds when a run is missed, meets another one or fails, in words.
    pub rules: Vec<String>,
}

/// One line of a job's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunView {
    /// The run's key: the job and the instant for which it was scheduled. Retries have the same one.
    pub run: String,
    /// For when it was scheduled.
    pub scheduled: Timestamp,
    /// Why, in words.
    pub cause: String,
    /// Which try it was, from 1; 0 when it was left out.
    pub attempt: u32,
    /// When it began; nothing when it did not.
    pub started: Option<Timestamp>,
    /// How long it took, in milliseconds; nothing when nobody knows.
    pub millis: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
    /// In words.
    pub message: String,
    /// For how many scheduled runs in a row this line stands.
    pub times: u32,
}

impl RunView {
    fn of(line: Happened) -> Self {
        let Happened { run, scheduled, cause, attempt, started, millis, outcome, message, times } = line;
        let cause = match cause {
            Cause::Due => "due".to_owned(),
            Cause::MadeUp => "made up for".to_owned(),
            Cause::Asked => "asked for".to_owned(),
            Cause::Event(event) => format!("on {event}"),
        };
        Self { run, scheduled, cause, attempt, started, millis, outcome, message, times }
    }
}

/// The schedule with its jobs, in the schedule's order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleView {
    /// The time by which it is told.
    pub now: Timestamp,
    /// Why the home's own schedule is not used, and the built-in one is.
    pub trouble: Option<String>,
    /// The jobs.
    pub jobs: Vec<JobView>,
}

impl Desk {
    /// The schedule with what is known of its jobs.
    pub async fn schedule_view(&self, principal: &Principal) -> Result<ScheduleView, DeskError> {
        principal.require(Action::ManageSchedule)?;
        let mut tx = self.store().read().await?;
        let states = read_jobs(&mut tx).await?;
        let now = self.now();
        let trouble = self
            .content()
            .refused
            .iter()
            .find(|refused| refused.file.ends_with("manifest/schedule.yaml"))
            .map(|refused| refused.reason.clone());
        let jobs = self.schedule().jobs().iter().map(|spec| {
            let fresh = || JobState::new(&spec.name, now);
            self.job_view(spec, &states.get(&spec.name).cloned().unwrap_or_else(fresh))
        });
        Ok(ScheduleView { now, trouble, jobs: jobs.collect() })
    }

    /// What happened to a job, newest first.
    pub async fn job_runs(&self, principal: &Principal, job: &str) -> Result<Vec<RunView>, DeskError> {
        principal.require(Action::ManageSchedule)?;
        self.spec(job)?;
        let mut tx = self.store().read().await?;
        let state = read_jobs(&mut tx).await?.remove(job);
        Ok(state.map_or_else(Vec::new, |state| state.history.into_iter().rev().map(RunView::of).collect()))
    }

    /// Has a job run as soon as may be, whatever it waits for and has spent.
    ///
    /// # Errors
    /// [`DeskError::Conflict`] when it runs, or was asked for already.
    pub async fn run_job(&self, call: &Call, job: &str) -> Result<JobView, DeskError> {
        self.ask_of_job(call, job, |state, now| {
            let conflict =
                || DeskError::Conflict(format!("the job {job} runs already: wait until it is over"));
            scheduler::run_now(state, now).ok_or_else(conflict)?;
            Ok("asked for a run")
        })
        .await
    }

    /// Lets a job rest until [`Desk::resume_job`]. A run under way goes on.
    pub async fn pause_job(&self, call: &Call, job: &str) -> Result<JobView, DeskError> {
        self.ask_of_job(call, job, |state, _| {
            scheduler::pause(state);
            Ok("lets it rest")
        })
        .await
    }

    /// Ends a job's rest.
    pub async fn resume_job(&self, call: &Call, job: &str) -> Result<JobView, DeskError> {
        self.ask_of_job(call, job, |state, now| {
            scheduler::resume(state, now);
            Ok("ended its rest")
        })
        .await
    }

    async fn ask_of_job(
        &self,
        call: &Call,
        job: &str,
        ask: impl FnOnce(&mut JobState, Timestamp) -> Result<&'static str, DeskError>,
    ) -> Result<JobView, DeskError> {
        call.principal.require(Action::ManageSchedule)?;
        let spec = self.spec(job)?;
        let mut work = self.work(&call.principal.name).await?;
        let Found { mut states, kept, fresh } = work.jobs().await?;
        let before = states.clone();
        let now = work.now;
        let state = states.jobs.entry(job.to_owned()).or_insert_with(|| JobState::new(job, now));
        let did = ask(state, now)?;
        let view = self.job_view(spec, state);
        work.keep_jobs(&before, &Found { states, kept, fresh }).await?;
        work.tell_of_job(job, format!("{} {did}", call.principal.name)).await?;
        let done = work.finish(call, 200, view).await?;
        self.wake_schedule();
        Ok(done)
    }

    fn spec(&self, job: &str) -> Result<&JobSpec, DeskError> {
        self.schedule().job(job).ok_or_else(|| DeskError::not_found("job", job))
    }

    fn job_view(&self, spec: &JobSpec, state: &JobState) -> JobView {
        JobView {
            name: spec.name.clone(),
            about: known_job(&spec.name).map(|known| known.about.to_owned()).unwrap_or_default(),
            condition: condition(state),
            when: spec.when.iter().map(ToString::to_string).collect(),
            next: scheduler::next_start(spec, state, self.schedule_seed()),
            running_since: state.running.as_ref().map(|running| running.started),
            last: state.history.back().cloned().map(RunView::of),
            failing: state.failing,
            rules: rules(spec),
        }
    }
}

fn condition(state: &JobState) -> JobCondition {
    match state.waiting.front() {
        _ if state.running.is_some() => JobCondition::Running,
        Some(waiting) if waiting.tried > 0 => JobCondition::Retrying,
        _ if state.failing > 0 => JobCondition::Failing,
        Some(_) => JobCondition::Waiting,
        None if state.paused => JobCondition::Paused,
        None => JobCondition::Good,
    }
}

fn rules(spec: &JobSpec) -> Vec<String> {
    let mut rules = vec![
        match spec.missed {
            Missed::Skip => "missed runs are left out".to_owned(),
            Missed::Once => "one run stands for all that were missed".to_owned(),
            Missed::All(most) => format!("up to {most} missed runs are made up for"),
        },
        match spec.overlap {
            Overlap::Skip => "a run that meets the one before is left out".to_owned(),
            Overlap::Queue => "a run that meets the one before waits for it".to_owned(),
            Overlap::Replace => "a run that meets the one before stops it".to_owned(),
        },
        format!("it may take {:#}", spec.timeout),
    ];
    if spec.retries.max > 0 {
        let (max, backoff) = (spec.retries.max, spec.retries.backoff);
        rules.push(format!("a failed run is tried again {max} times, first after {backoff:#}"));
    }
    if !spec.jitter.is_zero() {
        rules.push(format!("it is put off by up to {:#}", spec.jitter));
    }
    if !spec.after.is_empty() {
        rules.push(format!("it waits for {}", spec.after.join(", ")));
    }
    rules.extend(spec.budget.runs.map(|runs| format!("at most {runs} runs a day")));
    rules.extend(spec.budget.seconds.map(|seconds| format!("at most {seconds} s a day")));
    rules
}
