//! The jobs of a home.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{JobSpec, ScheduleError};

/// The most jobs of a schedule.
pub const MAX_JOBS: usize = 64;
/// The most bytes of a schedule.
pub const MAX_SCHEDULE_BYTES: usize = 256 * 1024;
/// The version of the format that is read.
const VERSION: u32 = 1;

/// The jobs of a home, in the order in which they were written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    jobs: Vec<JobSpec>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    jobs: Vec<JobSpec>,
}

impl Schedule {
    /// Reads a schedule (YAML). `from` is the time from which its occurrences are looked at: one that never comes is
    /// refused.
    pub fn parse(yaml: &str, from: Timestamp) -> Result<Self, ScheduleError> {
        if yaml.len() > MAX_SCHEDULE_BYTES {
            return Err(ScheduleError::Unreadable(format!("it has more than {MAX_SCHEDULE_BYTES} bytes")));
        }
        let file: File =
            serde_saphyr::from_str(yaml).map_err(|e| ScheduleError::Unreadable(e.to_string()))?;
        if file.version != VERSION {
            let version = file.version;
            return Err(ScheduleError::Whole(format!(
                "this is a schedule of version {version}, and this build reads version {VERSION}"
            )));
        }
        Self::new(file.jobs, from)
    }

    /// Checks jobs that were written elsewhere.
    pub fn new(jobs: Vec<JobSpec>, from: Timestamp) -> Result<Self, ScheduleError> {
        if jobs.len() > MAX_JOBS {
            return Err(ScheduleError::Whole(format!("a schedule has at most {MAX_JOBS} jobs")));
        }
        let mut names = BTreeSet::new();
        for job in &jobs {
            job.check(from)?;
            if !names.insert(job.name.as_str()) {
                return Err(ScheduleError::job(&job.name, "there is another job of that name"));
            }
        }
        for job in &jobs {
            if let Some(unknown) = job.after.iter().find(|name| !names.contains(name.as_str())) {
                return Err(ScheduleError::job(
                    &job.name,
                    format!("it waits for `{unknown}`, which is no job here"),
                ));
            }
        }
        refuse_rings(&jobs)?;
        Ok(Self { jobs })
    }

    /// Its jobs.
    pub fn jobs(&self) -> &[JobSpec] {
        &self.jobs
    }

    /// The job of that name.
    pub fn job(&self, name: &str) -> Option<&JobSpec> {
        self.jobs.iter().find(|job| job.name == name)
    }
}

/// Refuses jobs that wait for one another.
fn refuse_rings(jobs: &[JobSpec]) -> Result<(), ScheduleError> {
    let mut waits: BTreeMap<&str, BTreeSet<&str>> =
        jobs.iter().map(|job| (job.name.as_str(), job.after.iter().map(String::as_str).collect())).collect();
    while let Some(free) = waits.iter().find(|(_, after)| after.is_empty()).map(|(name, _)| *name) {
        waits.remove(free);
        for after in waits.values_mut() {
            after.remove(free);
        }
    }
    match waits.keys().next() {
        Some(name) => Err(ScheduleError::job(name, "it waits, over `after`, for itself")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(jobs: &str) -> Result<Schedule, String> {
        Schedule::parse(&format!("version: 1\njobs:\n{jobs}"), "2027-01-01T00:00:00Z".parse().unwrap())
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_job_needs_a_name_and_a_time_and_has_defaults_for_the_rest() {
        let schedule = read("- {name: tidy, when: [{every: 1h}]}").unwrap();
        let job = schedule.job("tidy").unwrap();
        assert_eq!((job.history, job.retries.max, job.timeout.as_secs()), (20, 2, 3600));
    }

    #[test]
    fn a_schedule_that_never_fires_is_refused_with_the_reason() {
        let error = read("- {name: tidy, when: [{cron: '0 0 30 2 *'}]}").unwrap_err();
        assert!(error.contains("`tidy`") && error.contains("never comes"), "{error}");
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (jobs, word) in [
            ("- {name: a, when: []}", "triggers"),
            ("- {name: A, when: [{every: 1h}]}", "small letters"),
            ("- {name: a, when: [{every: 1h}]}\n- {name: a, when: [{every: 1h}]}", "another job"),
            ("- {name: a, when: [{every: 1h}], after: [b]}", "no job here"),
            (
                "- {name: a, when: [{every: 1h}], after: [b]}\n- {name: b, when: [{every: 1h}], after: [a]}",
                "itself",
            ),
            ("- {name: a, when: [{every: 1h}], jitter: 1h}", "jitter"),
            ("- {name: a, when: [{every: 1h}], timeout: 0s}", "timeout"),
            ("- {name: a, when: [{every: 1h}], missed: {all: 25}}", "24"),
            ("- {name: a, when: [{every: 1h}], history: 0}", "history"),
            ("- {name: a, when: [{every: 1h}], retries: {max: 11, backoff: 1s}}", "at most 10"),
            ("- {name: a, when: [{every: 1h}], colour: red}", "colour"),
        ] {
            let error = read(jobs).unwrap_err();
            assert!(error.contains(word), "{jobs}: {error}");
        }
    }
}
