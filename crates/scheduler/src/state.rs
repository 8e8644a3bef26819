//! What is kept of each job.

use std::collections::{BTreeMap, VecDeque};

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Event, JobSpec,
    clock::{Deadline, Seen},
};

/// Why a run is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its time had come.
    Due,
    /// Its time had come while nobody could start it.
    MadeUp,
    /// Something happened.
    Event(Event),
    /// Somebody asked for it.
    Asked,
}

/// What came of a run, or why there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
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

impl Outcome {
    /// Whether the job has something to be looked into.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Interrupted)
    }

    /// Whether there was a run at all.
    pub fn ran(self) -> bool {
        self.is_failure() || matches!(self, Self::Done | Self::Replaced)
    }
}

/// One line of a job's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happened {
    /// The run's key: the job and the instant for which it was scheduled. Retries have the same one.
    pub run: String,
    /// For when it was scheduled.
    pub scheduled: Timestamp,
    /// Why.
    pub cause: Cause,
    /// Which try it was, from 1; 0 when there was none.
    pub attempt: u32,
    /// When it began; nothing when it did not.
    pub started: Option<Timestamp>,
    /// How long it took, in milliseconds; nothing when nobody knows.
    pub millis: Option<u64>,
    /// What came of it.
    pub outcome: Outcome,
    /// In words.
    pub message: String,
    /// How many scheduled runs this line stands for: more than one when several in a row were left out.
    pub times: u32,
}

/// A run that is due and has not begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiting {
    /// Its key.
    pub run: String,
    /// For when it was scheduled.
    pub scheduled: Timestamp,
    /// Why.
    pub cause: Cause,
    /// How often it was tried already.
    pub tried: u32,
    /// Not before that.
    pub not_before: Option<Deadline>,
}

/// A run that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    /// Its key.
    pub run: String,
    /// For when it was scheduled.
    pub scheduled: Timestamp,
    /// Why.
    pub cause: Cause,
    /// Which try it is, from 1.
    pub attempt: u32,
    /// Who runs it.
    pub holder: String,
    /// When it began.
    pub started: Timestamp,
    /// The same by the clock that only goes forward.
    pub began: Deadline,
    /// Until when its holder has to be heard from, or it counts as gone.
    pub lease: Deadline,
    /// When it has to be over.
    pub ends: Deadline,
    /// Why it was told to stop, when it was.
    pub stopping: Option<Outcome>,
}

/// What a job took today.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spent {
    pub(crate) day: i64,
    pub(crate) runs: u32,
    pub(crate) millis: u64,
}

/// What is kept of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobState {
    /// Its name.
    pub name: String,
    /// Up to which scheduled time it was dealt with.
    pub since: Timestamp,
    /// How often the clock was set back so far that its times begin anew.
    pub turn: u32,
    /// Whether it was told to rest.
    pub paused: bool,
    /// For which start of the machine it ran.
    pub boot: String,
    /// Due, oldest first.
    pub waiting: VecDeque<Waiting>,
    /// Under way.
    pub running: Option<Running>,
    /// What the last run that was not tried again came to; nothing before the first.
    pub last: Option<Outcome>,
    /// How many runs in a row failed, with all their retries.
    pub failing: u32,
    /// What it took today.
    pub(crate) spent: Spent,
    /// What happened, oldest first.
    pub history: VecDeque<Happened>,
}

impl JobState {
    /// A job that is seen for the first time: what was due before does not concern it.
    pub fn new(name: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            since: now,
            turn: 0,
            paused: false,
            boot: String::new(),
            waiting: VecDeque::new(),
            running: None,
            last: None,
            failing: 0,
            spent: Spent::default(),
            history: VecDeque::new(),
        }
    }

    /// Adds a line; runs that were left out for the same reason one after the other are one line.
    pub(crate) fn note(&mut self, spec: &JobSpec, line: Happened) {
        if let Some(last) = self.history.back_mut()
            && !line.outcome.ran()
            && last.outcome == line.outcome
            && last.message == line.message
        {
            let times = last.times.saturating_add(line.times);
            *last = Happened { times, ..line };
            return;
        }
        self.history.push_back(line);
        while self.history.len() > spec.history {
            self.history.pop_front();
        }
    }

    /// Notes that runs were left out.
    pub(crate) fn leave_out(
        &mut self,
        spec: &JobSpec,
        (run, scheduled, cause): (String, Timestamp, Cause),
        times: u32,
        (outcome, message): (Outcome, &str),
    ) {
        let line = Happened {
            run,
            scheduled,
            cause,
            attempt: 0,
            started: None,
            millis: None,
            outcome,
            message: message.to_owned(),
            times,
        };
        self.note(spec, line);
    }

    /// The key of the run that is scheduled for `at`.
    pub(crate) fn key(&self, at: Timestamp) -> String {
        // After the clock was set far back, the same instants come again, and are others.
        if self.turn == 0 {
            format!("{}@{at}", self.name)
        } else {
            format!("{}@{at}#{}", self.name, self.turn)
        }
    }
}

/// What is kept of all jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// By name. Jobs that are in the schedule no more stay, with their history.
    pub jobs: BTreeMap<String, JobState>,
    /// What the clocks showed at the last step.
    pub seen: Option<Seen>,
}
