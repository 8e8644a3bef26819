//! One step of the scheduler: from the state, the time and what happened, to orders.

use std::collections::BTreeSet;

use echo_core::Timestamp;

use crate::{
    Cause, Deadline, Event, Instants, JobSpec, JobState, Missed, Outcome, Overlap, Running, Schedule, States,
    Waiting,
    clock::Seen,
    due::due,
    finish::{Ended, ended},
};

/// How many jobs run at a time.
pub const TOGETHER: usize = 2;
/// How long a run counts as under way without a word of its holder, in seconds.
pub const LEASE_SECONDS: i64 = 60;
/// The longest time between two steps, in seconds. Nobody announces that a clock was set.
pub const AWAKE_SECONDS: i64 = 20;
/// How far the clock may be set back while times that were dealt with still count, in milliseconds: an hour. Set back
/// further, it was wrong, and the schedule begins anew from where it is.
const SET_BACK_MILLIS: i64 = 3_600_000;

/// Who makes a step, and what it knows.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// Its name, another one for each start of the scheduler.
    pub holder: &'a str,
    /// The keys of the runs that it has under way.
    pub alive: &'a BTreeSet<String>,
    /// What happened since the last step.
    pub events: &'a [Event],
    /// What the jitter is drawn from; the same for a home's whole life.
    pub seed: u64,
}

/// What is to be done, once the new state is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// Start this run, and say by [`crate::finish()`] what came of it.
    Start {
        /// Which job.
        job: String,
        /// The key by which its effects are made at most once.
        run: String,
        /// Which try it is, from 1.
        attempt: u32,
        /// For when it was scheduled.
        scheduled: Timestamp,
    },
    /// Stop this run, and say that it was stopped.
    Stop {
        /// Which job.
        job: String,
        /// Its key.
        run: String,
    },
}

/// What people should hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The wall clock was set by so many milliseconds.
    ClockSet(i64),
    /// A job failed, with all its retries.
    Failed {
        /// Which job.
        job: String,
        /// Why.
        message: String,
    },
    /// A job that had failed did its work again.
    Recovered {
        /// Which job.
        job: String,
    },
}

/// What comes of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// What is to be done, in this order.
    pub orders: Vec<Order>,
    /// What people should hear of.
    pub told: Vec<Told>,
    /// After how many milliseconds the next step is due; earlier when a run ends or something happens.
    pub sleep_millis: i64,
}

/// Makes one step. The new state has to be kept before the orders are carried out.
pub fn step(schedule: &Schedule, states: &mut States, now: &Instants, claim: Claim<'_>) -> Turn {
    let mut turn = Turn { orders: Vec::new(), told: Vec::new(), sleep_millis: 0 };
    let mut events = claim.events.to_vec();
    if let Some(jump) = states.seen.as_ref().and_then(|seen| seen.jump(now)) {
        turn.told.push(Told::ClockSet(jump));
        events.push(Event::ClockSet);
    }
    states.seen = Some(Seen::of(now));
    for (name, state) in &mut states.jobs {
        if schedule.job(name).is_none() {
            state.running = None;
            state.waiting.clear();
        }
    }
    for spec in schedule.jobs() {
        let state =
            states.jobs.entry(spec.name.clone()).or_insert_with(|| JobState::new(&spec.name, now.wall));
        look_at_running(spec, state, now, claim, &mut turn);
        take_due(spec, state, now, claim.seed, &mut turn);
        take_events(spec, state, now, &events, &mut turn);
    }
    start(schedule, states, now, claim.holder, &mut turn);
    turn.sleep_millis = sleep(schedule, states, now, claim.seed);
    turn
}

/// Renews the lease of a run that is alive, ends one whose holder is gone, stops one that takes too long.
fn look_at_running(spec: &JobSpec, state: &mut JobState, now: &Instants, claim: Claim<'_>, turn: &mut Turn) {
    let Some(running) = &mut state.running else { return };
    if running.holder != claim.holder || !claim.alive.contains(&running.run) {
        if running.lease.is_past(now) {
            let message = "whoever ran it is gone: the platform or the machine stopped".to_owned();
            turn.told.extend(ended(spec, state, now, Ended { outcome: Outcome::Interrupted, message }));
        }
        return;
    }
    if running.lease.left(now) < LEASE_SECONDS * 500 {
        running.lease = now.in_millis(LEASE_SECONDS * 1000);
    }
    if running.ends.is_past(now) && running.stopping.is_none() {
        running.stopping = Some(Outcome::TimedOut);
        turn.orders.push(Order::Stop { job: spec.name.clone(), run: running.run.clone() });
    }
}

/// Takes in what has come due by the clock.
fn take_due(spec: &JobSpec, state: &mut JobState, now: &Instants, seed: u64, turn: &mut Turn) {
    if state.since.as_millisecond().saturating_sub(now.wall.as_millisecond()) > SET_BACK_MILLIS {
        // A time that is just now is one of the new ones.
        state.since = echo_core::clock::from_millis(now.wall.as_millisecond().saturating_sub(1));
        state.turn = state.turn.saturating_add(1);
    }
    if state.paused {
        state.since = state.since.max(now.wall);
        return;
    }
    let want = if let Missed::All(most) = spec.missed { most as usize } else { 1 };
    let mut found = due(spec, state.since, now.wall, want + 1);
    // Times lie further apart than the jitter, so only the last can still be put off.
    if found.times.back().is_some_and(|last| late_millis(spec, state, *last, now, seed) < 0) {
        found.times.pop_back();
    }
    while found.times.len() > want {
        found.times.pop_front();
        found.before = found.before.saturating_add(1);
    }
    let Some(last) = found.times.back().copied() else { return };
    state.since = last;
    let late = late_millis(spec, state, last, now, seed) > millis(spec.grace);
    let mut left_out = found.before;
    if late && spec.missed == Missed::Skip {
        left_out = left_out.saturating_add(1);
        found.times.clear();
    }
    if left_out > 0 {
        let what = match spec.missed {
            Missed::Once => "one run stands for all that were missed",
            Missed::Skip | Missed::All(_) => "its time had passed: nobody could start it",
        };
        let missed = (state.key(last), last, Cause::Due);
        state.leave_out(spec, missed, left_out, (Outcome::Missed, what));
    }
    let runs = found.times.iter().map(|at| {
        let cause = if late || *at != last { Cause::MadeUp } else { Cause::Due };
        (state.key(*at), *at, cause)
    });
    enqueue(spec, state, runs.collect(), turn);
}

fn take_events(spec: &JobSpec, state: &mut JobState, now: &Instants, events: &[Event], turn: &mut Turn) {
    if state.paused {
        return;
    }
    let mut heard: BTreeSet<Event> = events.iter().copied().filter(|e| spec.listens_to(*e)).collect();
    heard.remove(&Event::Boot);
    for event in heard {
        let run = format!("{}#{event}", state.key(now.wall));
        enqueue(spec, state, vec![(run, now.wall, Cause::Event(event))], turn);
    }
    if spec.listens_to(Event::Boot) && state.boot != now.boot {
        state.boot.clone_from(&now.boot);
        let run = format!("{}@boot/{}", spec.name, now.boot);
        enqueue(spec, state, vec![(run, now.wall, Cause::Event(Event::Boot))], turn);
    }
}

/// Lets runs wait, as far as those before them let them.
fn enqueue(spec: &JobSpec, state: &mut JobState, runs: Vec<(String, Timestamp, Cause)>, turn: &mut Turn) {
    if runs.is_empty() {
        return;
    }
    let full = match spec.overlap {
        Overlap::Skip => state.running.is_some() || !state.waiting.is_empty(),
        Overlap::Queue => state.waiting.iter().any(|waiting| waiting.tried == 0),
        Overlap::Replace => false,
    };
    if full {
        for run in runs {
            state.leave_out(spec, run, 1, (Outcome::Overlapped, "the run before it is not over"));
        }
        return;
    }
    if spec.overlap == Overlap::Replace {
        state.waiting.clear();
        if let Some(running) = state.running.as_mut().filter(|running| running.stopping.is_none()) {
            running.stopping = Some(Outcome::Replaced);
            turn.orders.push(Order::Stop { job: spec.name.clone(), run: running.run.clone() });
        }
    }
    state.waiting.extend(runs.into_iter().map(|(run, scheduled, cause)| Waiting {
        run,
        scheduled,
        cause,
        tried: 0,
        not_before: None,
    }));
}

/// Starts what may start, those first that were due first.
fn start(schedule: &Schedule, states: &mut States, now: &Instants, holder: &str, turn: &mut Turn) {
    loop {
        let under_way = states.jobs.values().filter(|state| state.running.is_some()).count();
        let ready = schedule.jobs().iter().filter_map(|spec| {
            let state = states.jobs.get(&spec.name)?;
            let waiting = state.waiting.front()?;
            let free = state.running.is_none() && waiting.not_before.as_ref().is_none_or(|d| d.is_past(now));
            (free && !waits(spec, waiting.cause, states)).then_some((waiting.scheduled, spec))
        });
        let Some((_, spec)) = ready.min_by_key(|(scheduled, _)| *scheduled) else { return };
        let failed = spec
            .after
            .iter()
            .find(|name| states.jobs.get(*name).and_then(|s| s.last).is_some_and(Outcome::is_failure))
            .cloned();
        if under_way >= TOGETHER {
            return;
        }
        let Some(state) = states.jobs.get_mut(&spec.name) else { return };
        let Some(waiting) = state.waiting.pop_front() else { return };
        turn.orders.extend(begin(spec, state, (waiting, failed), now, holder));
    }
}

/// Whether a job that this one waits for is due or under way. Whoever asks for a run does not wait.
fn waits(spec: &JobSpec, cause: Cause, states: &States) -> bool {
    cause != Cause::Asked
        && spec.after.iter().any(|name| {
            states.jobs.get(name).is_some_and(|state| state.running.is_some() || !state.waiting.is_empty())
        })
}

fn begin(
    spec: &JobSpec,
    state: &mut JobState,
    (waiting, failed): (Waiting, Option<String>),
    now: &Instants,
    holder: &str,
) -> Option<Order> {
    let Waiting { run, scheduled, cause, tried, .. } = waiting;
    let day = now.wall.as_second().div_euclid(24 * 3600);
    if state.spent.day != day {
        state.spent = crate::state::Spent { day, runs: 0, millis: 0 };
    }
    if cause != Cause::Asked {
        if let Some(failed) = failed {
            let why = format!("it waits for `{failed}`, which failed");
            state.leave_out(spec, (run, scheduled, cause), 1, (Outcome::Blocked, &why));
            return None;
        }
        let spent = &state.spent;
        let over = spec.budget.runs.is_some_and(|most| spent.runs >= most)
            || spec.budget.seconds.is_some_and(|most| spent.millis >= u64::from(most) * 1000);
        if over {
            let why = "it took what it may take on a day";
            state.leave_out(spec, (run, scheduled, cause), 1, (Outcome::OverBudget, why));
            return None;
        }
    }
    state.spent.runs = state.spent.runs.saturating_add(1);
    let attempt = tried.saturating_add(1);
    state.running = Some(Running {
        run: run.clone(),
        scheduled,
        cause,
        attempt,
        holder: holder.to_owned(),
        started: now.wall,
        began: now.in_millis(0),
        lease: now.in_millis(LEASE_SECONDS * 1000),
        ends: now.in_millis(millis(spec.timeout)),
        stopping: None,
    });
    Some(Order::Start { job: spec.name.clone(), run, attempt, scheduled })
}

/// How long nothing has to be done.
fn sleep(schedule: &Schedule, states: &States, now: &Instants, seed: u64) -> i64 {
    let mut least = AWAKE_SECONDS * 1000;
    for spec in schedule.jobs() {
        let Some(state) = states.jobs.get(&spec.name) else { continue };
        if let Some(next) = next_start(spec, state, seed) {
            least = least.min(next.as_millisecond().saturating_sub(now.wall.as_millisecond()));
        }
        let waits = state.waiting.front().and_then(|waiting| waiting.not_before.as_ref());
        let ends = state.running.as_ref().map(|running| &running.ends);
        let deadlines = [waits, ends].into_iter().flatten().filter(|deadline| !deadline.is_past(now));
        least = deadlines.map(|deadline: &Deadline| deadline.left(now)).min().map_or(least, |d| d.min(least));
    }
    least.max(1)
}

/// When the job's next run by the clock starts, its jitter counted; nothing when it rests or has no more times.
pub fn next_start(spec: &JobSpec, state: &JobState, seed: u64) -> Option<Timestamp> {
    let next = spec.next(state.since).filter(|_| !state.paused)?;
    let jitter = jitter_millis(spec, &state.key(next), seed);
    Some(echo_core::clock::from_millis(next.as_millisecond().saturating_add(jitter)))
}

/// How late a scheduled run is; negative while its jitter puts it off.
fn late_millis(spec: &JobSpec, state: &JobState, at: Timestamp, now: &Instants, seed: u64) -> i64 {
    let start = at.as_millisecond().saturating_add(jitter_millis(spec, &state.key(at), seed));
    now.wall.as_millisecond().saturating_sub(start)
}

/// By how much a run is put off: drawn from its key, so that it is the same after a start.
fn jitter_millis(spec: &JobSpec, run: &str, seed: u64) -> i64 {
    let span = u64::try_from(millis(spec.jitter)).unwrap_or(0);
    if span == 0 {
        return 0;
    }
    // FNV-1a over the key, then the finaliser of SplitMix64: even enough to spread homes, and no secret.
    let hash = run.bytes().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    i64::try_from((mixed ^ (mixed >> 31)) % span).unwrap_or(0)
}

pub(crate) fn millis(span: jiff::SignedDuration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}
