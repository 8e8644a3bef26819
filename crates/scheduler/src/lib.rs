//! Domain: when which job runs.
//!
//! A [`Schedule`] says for each job by what it is triggered and what holds when a run was missed, is late, fails or meets
//! another one. [`step`] takes the state of all jobs, the time and what happened, and gives orders: start this run, stop
//! that one. Whoever carries them out keeps the new state first, so that after a loss of power the state says what was under
//! way; a run is known by its key (job and scheduled instant), by which its effects are made at most once.
//!
//! Wall clocks jump, zones put their clocks forward and back, machines sleep: the rules for all of that are here, and
//! nothing here reads a clock. Times and the seed of the jitter are parameters.
//!
//! What may not come in: I/O, async, what a job does.

mod clock;
mod cron;
mod due;
mod error;
mod finish;
mod schedule;
mod spec;
mod state;
mod step;
mod trigger;
mod zone;

pub use clock::{Deadline, Instants, Seen};
pub use cron::{Cron, HORIZON_YEARS, MAX_EXPRESSION};
pub use error::ScheduleError;
pub use finish::{Finish, finish, pause, resume, run_now};
pub use schedule::{MAX_JOBS, MAX_SCHEDULE_BYTES, Schedule};
pub use spec::{Budget, JobSpec, MAX_CATCH_UP, MAX_HISTORY, Missed, Overlap, Retries};
pub use state::{Cause, Happened, JobState, Outcome, Running, States, Waiting};
pub use step::{AWAKE_SECONDS, Claim, LEASE_SECONDS, Order, TOGETHER, Told, Turn, next_start, step};
pub use trigger::{Event, MAX_DATES, Trigger};
pub use zone::Zone;
