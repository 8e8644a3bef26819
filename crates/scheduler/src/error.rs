//! Why a schedule is refused.

use thiserror::Error;

/// Why a schedule, a job of it or an expression is refused, with what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// The file cannot be read as a schedule.
    #[error("the schedule cannot be read: {0}")]
    Unreadable(String),
    /// The schedule as a whole does not hold.
    #[error("{0}")]
    Whole(String),
    /// A job of it does not hold.
    #[error("the job `{job}`: {reason}")]
    Job {
        /// Which one.
        job: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// A cron expression does not hold.
    #[error("the cron expression `{text}`: {reason}")]
    Cron {
        /// What was written, cut to what an expression may be.
        text: String,
        /// What is wrong, and what to write instead.
        reason: String,
    },
    /// There is no such time zone.
    #[error(
        "there is no time zone `{0}`: write a name of the IANA database, such as `Europe/Berlin`, or `UTC`"
    )]
    Zone(String),
}

impl ScheduleError {
    pub(crate) fn job(job: &str, reason: impl Into<String>) -> Self {
        Self::Job { job: job.to_owned(), reason: reason.into() }
    }
}
