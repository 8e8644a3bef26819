//! What becomes of a run that is over, and what people ask of a job.

use echo_core::Timestamp;

use crate::{
    Cause, Happened, Instants, JobSpec, JobState, Outcome, Schedule, States, Told, Waiting, step::millis,
};

/// The most characters of a run's message.
const MAX_MESSAGE: usize = 500;
/// The longest backoff, in milliseconds: a day.
const MAX_BACKOFF: i64 = 24 * 3600 * 1000;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finish {
    /// It did its work; what it did, in words.
    Done(String),
    /// It failed; why, in words.
    Failed(String),
    /// It was stopped: by an order, or because the platform stops.
    Stopped,
}

pub(crate) struct Ended {
    pub(crate) outcome: Outcome,
    pub(crate) message: String,
}

/// Takes in what a run came to. A run that its holder lost meanwhile is nobody's any more: `false`, and nothing changes.
pub fn finish(
    schedule: &Schedule,
    states: &mut States,
    now: &Instants,
    (holder, run): (&str, &str),
    finish: Finish,
) -> (bool, Option<Told>) {
    let held = |state: &JobState| {
        state.running.as_ref().is_some_and(|running| running.run == run && running.holder == holder)
    };
    let Some(state) = states.jobs.values_mut().find(|state| held(state)) else { return (false, None) };
    let Some(spec) = schedule.job(&state.name) else { return (false, None) };
    let stopped = state.running.as_ref().and_then(|running| running.stopping);
    let ending = match finish {
        Finish::Done(message) => Ended { outcome: Outcome::Done, message },
        Finish::Failed(message) => Ended { outcome: Outcome::Failed, message },
        Finish::Stopped => {
            let outcome = stopped.unwrap_or(Outcome::Interrupted);
            let message = match outcome {
                Outcome::TimedOut => format!("it took longer than {:#}", spec.timeout),
                Outcome::Replaced => "it was stopped for the next run".to_owned(),
                _ => "the platform stopped while it ran".to_owned(),
            };
            Ended { outcome, message }
        }
    };
    (true, ended(spec, state, now, ending))
}

/// Writes the line, and lets a failed run wait for its next try.
pub(crate) fn ended(spec: &JobSpec, state: &mut JobState, now: &Instants, ended: Ended) -> Option<Told> {
    let Ended { outcome, message } = ended;
    let running = state.running.take()?;
    let message: String = message.chars().take(MAX_MESSAGE).collect();
    let took = now.since(&running.began).and_then(|took| u64::try_from(took).ok());
    state.spent.millis = state.spent.millis.saturating_add(took.unwrap_or(0));
    let line = Happened {
        run: running.run.clone(),
        scheduled: running.scheduled,
        cause: running.cause,
        attempt: running.attempt,
        started: Some(running.started),
        millis: took,
        outcome,
        message: message.clone(),
        times: 1,
    };
    state.note(spec, line);
    if outcome.is_failure() && running.attempt <= spec.retries.max {
        let doubled = 1_i64 << (running.attempt - 1).min(20);
        let backoff = millis(spec.retries.backoff).saturating_mul(doubled).min(MAX_BACKOFF);
        // Nothing speaks against trying again at once what was only cut off.
        let wait = if outcome == Outcome::Interrupted { 0 } else { backoff };
        state.waiting.push_front(Waiting {
            run: running.run,
            scheduled: running.scheduled,
            cause: running.cause,
            tried: running.attempt,
            not_before: (wait > 0).then(|| now.in_millis(wait)),
        });
        return None;
    }
    state.last = Some(outcome);
    match outcome {
        Outcome::Done => {
            let failed_before = std::mem::take(&mut state.failing) > 0;
            failed_before.then(|| Told::Recovered { job: spec.name.clone() })
        }
        _ if outcome.is_failure() => {
            state.failing = state.failing.saturating_add(1);
            Some(Told::Failed { job: spec.name.clone(), message })
        }
        _ => None,
    }
}

/// Lets a job rest: what is due is left out until [`resume`]. A run under way goes on; whoever asks gets one.
pub fn pause(state: &mut JobState) {
    state.paused = true;
    state.waiting.clear();
}

/// Ends a job's rest. What was due meanwhile was not missed.
pub fn resume(state: &mut JobState, now: Timestamp) {
    if state.paused {
        state.paused = false;
        state.since = state.since.max(now);
    }
}

/// Asks for a run as soon as may be, whatever the job waits for and has spent; its key. Nothing when one is under way or
/// waits already.
pub fn run_now(state: &mut JobState, now: Timestamp) -> Option<String> {
    if state.running.is_some() || state.waiting.iter().any(|waiting| waiting.cause == Cause::Asked) {
        return None;
    }
    let run = format!("{}#asked", state.key(now));
    let asked = Waiting { run: run.clone(), scheduled: now, cause: Cause::Asked, tried: 0, not_before: None };
    state.waiting.push_front(asked);
    Some(run)
}
