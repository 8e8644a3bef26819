//! `schedule`: what the platform does by itself, and when.

use std::{
    io::{self, BufRead as _},
    path::{Path, PathBuf},
};

use clap::Subcommand;
use echo_core::{Mint, Timestamp};
use scheduler::{Cron, MAX_SCHEDULE_BYTES, Schedule as Jobs, Zone};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Failure, answer, api::Api, out::Out};

/// The most times of one expression that are printed.
const MAX_TIMES: usize = 1000;
/// The most bytes of one line of questions.
const MAX_LINE: usize = 4096;

/// What to do with the schedule.
#[derive(Debug, Subcommand)]
pub enum Schedule {
    /// List the jobs: how each stands, its next run, what happened last
    List,
    /// Show one job with the rules that it goes by
    Show {
        /// Its name
        job: String,
    },
    /// Run a job as soon as may be, whatever it waits for
    Run {
        /// Its name
        job: String,
    },
    /// Say what happened to a job, newest first
    History {
        /// Its name
        job: String,
    },
    /// Let a job rest: what comes due is left out
    Pause {
        /// Its name
        job: String,
    },
    /// End a job's rest
    Resume {
        /// Its name
        job: String,
    },
    /// Explain a cron expression and print its next times, or check a schedule's file; without any platform
    Check {
        /// The expression: minute, hour, day, month, weekday, with seconds first if wanted; `-` reads questions from standard
        /// input, a line of JSON each: {"cron", "zone", "after", "count"}
        #[arg(required_unless_present = "file", conflicts_with = "file")]
        expression: Option<String>,
        /// The time zone, by its name in the IANA database
        #[arg(long, default_value = "UTC")]
        zone: String,
        /// After which time; now when not said
        #[arg(long, value_name = "TIME")]
        after: Option<Timestamp>,
        /// How many times, 1 to 1000
        #[arg(long, default_value_t = 10)]
        count: usize,
        /// A schedule's file, such as `manifest/schedule.yaml`, in place of an expression
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// What is shown of a job in a list.
const LISTED: [(&str, &str); 5] = [
    ("job", "/name"),
    ("stands", "/condition"),
    ("next run", "/next"),
    ("last", "/last/outcome"),
    ("what it said", "/last/message"),
];

/// What is shown of one job.
const SHOWN: [(&str, &str); 9] = [
    ("job", "/name"),
    ("does", "/about"),
    ("stands", "/condition"),
    ("runs", "/when"),
    ("rules", "/rules"),
    ("next run", "/next"),
    ("last run", "/last/started"),
    ("came to", "/last/outcome"),
    ("what it said", "/last/message"),
];

/// What is shown of a run.
const RUN: [(&str, &str); 7] = [
    ("scheduled", "/scheduled"),
    ("why", "/cause"),
    ("try", "/attempt"),
    ("took ms", "/millis"),
    ("came to", "/outcome"),
    ("times", "/times"),
    ("what it said", "/message"),
];

impl Schedule {
    /// Does it; `online` opens the session, which `check` does not need.
    pub fn run(&self, online: impl Fn() -> Result<Api, Failure>, out: Out) -> Result<(), Failure> {
        let one = |job: Value| out.one(&in_words(job, out), &SHOWN);
        match self {
            Self::List => list(&online()?, out),
            Self::Show { job } => {
                let schedule = online()?.get("/v1/schedule")?;
                let found = answer::list(&schedule, "/jobs")?.iter().find(|one| one["name"] == job.as_str());
                let missing =
                    || Failure::failed(format!("there is no job {job}")).hint("see `echo_cli schedule list`");
                one(found.cloned().ok_or_else(missing)?)
            }
            Self::Run { job } => one(online()?.post(&path(job, "run")?, &json!({}))?),
            Self::Pause { job } => one(online()?.post(&path(job, "pause")?, &json!({}))?),
            Self::Resume { job } => one(online()?.post(&path(job, "resume")?, &json!({}))?),
            Self::History { job } => {
                let runs = online()?.list(&path(job, "runs")?)?;
                if runs.is_empty() && !out.is_json() {
                    return out.line("Nothing has happened to this job yet.");
                }
                out.list(&runs, &RUN)
            }
            Self::Check { file: Some(file), .. } => check_file(file, out),
            Self::Check { expression, zone, after, count, file: None } => {
                let expression = expression.as_deref().unwrap_or_default();
                if expression == "-" {
                    return check_lines(out);
                }
                check(expression, zone, after.unwrap_or_else(|| Mint::system().now()), *count, out)
            }
        }
    }
}

/// A job's name goes into a path, so it must look like one.
fn path(job: &str, what: &str) -> Result<String, Failure> {
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if job.is_empty() || !job.bytes().all(good) {
        return Err(
            Failure::usage(format!("`{job}` is no name of a job")).hint("see `echo_cli schedule list`")
        );
    }
    Ok(format!("/v1/schedule/{job}/{what}"))
}

fn list(api: &Api, out: Out) -> Result<(), Failure> {
    let schedule = api.get("/v1/schedule")?;
    if out.is_json() {
        return out.json(&schedule);
    }
    if let Some(trouble) = schedule["trouble"].as_str() {
        out.line(&format!("The home's own schedule is not used: {trouble}"))?;
    }
    let jobs = answer::list(&schedule, "/jobs")?;
    if jobs.is_empty() {
        return out.line("The schedule has no jobs.");
    }
    out.list(jobs, &LISTED)
}

/// A job with its lists in words; programs get the platform's own.
fn in_words(mut job: Value, out: Out) -> Value {
    if !out.is_json() {
        for field in ["when", "rules"] {
            let words: Vec<&str> =
                job[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            job[field] = words.join("; ").into();
        }
    }
    job
}

/// An expression with its next times.
#[derive(Debug, Serialize)]
struct Checked {
    cron: String,
    zone: String,
    words: String,
    every_hour: bool,
    times: Vec<Timestamp>,
}

fn checked(expression: &str, zone: &str, after: Timestamp, count: usize) -> Result<Checked, Failure> {
    if count == 0 || count > MAX_TIMES {
        return Err(Failure::usage(format!("ask for 1 to {MAX_TIMES} times")));
    }
    let cron = Cron::parse(expression).map_err(Failure::usage)?;
    let zone = Zone::named(zone).map_err(Failure::usage)?;
    let mut times = Vec::with_capacity(count);
    let mut at = after;
    while times.len() < count {
        let Some(next) = cron.next(&zone, at) else { break };
        times.push(next);
        at = next;
    }
    let (words, every_hour) = (cron.words(), cron.runs_every_hour());
    Ok(Checked { cron: cron.as_str().to_owned(), zone: zone.name().to_owned(), words, every_hour, times })
}

fn check(expression: &str, zone: &str, after: Timestamp, count: usize, out: Out) -> Result<(), Failure> {
    let checked = checked(expression, zone, after, count)?;
    if checked.times.is_empty() {
        return Err(Failure::failed(format!("`{expression}` never comes"))
            .hint("no day of the calendar fits it: look at its day, month and weekday"));
    }
    if out.is_json() {
        return out.json(&checked);
    }
    out.line(&format!("{} ({})", checked.words, checked.zone))?;
    out.line(if checked.every_hour {
        "It runs in every hour: where clocks are changed, by the time that passes."
    } else {
        "It names hours: a time that the clock skips is run at the end of the gap, one that it shows twice the first time."
    })?;
    let zone = Zone::named(zone).map_err(Failure::usage)?;
    for at in &checked.times {
        out.line(&format!("{at}  {}", zone.rules().to_datetime(*at)))?;
    }
    Ok(())
}

/// A question of one line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    cron: String,
    zone: String,
    after: Timestamp,
    count: usize,
}

/// Answers questions until standard input ends, a line each.
fn check_lines(out: Out) -> Result<(), Failure> {
    for line in io::stdin().lock().lines() {
        let line = line?;
        if line.len() > MAX_LINE {
            return Err(Failure::usage(format!("a question has at most {MAX_LINE} bytes")));
        }
        let asked: Question = serde_json::from_str(&line).map_err(|error| {
            Failure::usage(format!("a line is no question: {error}"))
                .hint("write {\"cron\": \"0 9 * * *\", \"zone\": \"UTC\", \"after\": \"2027-01-01T00:00:00Z\", \"count\": 3}")
        })?;
        match checked(&asked.cron, &asked.zone, asked.after, asked.count) {
            Ok(checked) => out.json_line(&checked)?,
            Err(refused) => out.json_line(&json!({"refused": refused.message}))?,
        }
    }
    Ok(())
}

fn check_file(file: &Path, out: Out) -> Result<(), Failure> {
    let bytes = durable::read(file, MAX_SCHEDULE_BYTES as u64)?
        .ok_or_else(|| Failure::usage(format!("{} does not exist", file.display())))?;
    let text = String::from_utf8(bytes).map_err(|_| Failure::failed("the file is not UTF-8 text"))?;
    let now = Mint::system().now();
    let schedule =
        Jobs::parse(&text, now).map_err(|e| Failure::failed(format!("{}: {e}", file.display())))?;
    let jobs: Vec<Value> = schedule
        .jobs()
        .iter()
        .map(|job| {
            let when: Vec<String> = job.when.iter().map(ToString::to_string).collect();
            json!({"name": job.name, "when": when.join("; "), "next": job.next(now)})
        })
        .collect();
    out.list(&jobs, &[("job", "/name"), ("runs", "/when"), ("next", "/next")])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_no_name_never_becomes_a_path() {
        assert_eq!(path("smart", "run").unwrap(), "/v1/schedule/smart/run");
        for bad in ["", "../users", "a/b", "A", "a b", "a?x"] {
            assert!(path(bad, "run").is_err(), "{bad}");
        }
    }

    #[test]
    fn an_expression_is_checked_without_a_platform() {
        let after = "2027-03-27T12:00:00Z".parse().unwrap();
        let checked = checked("30 2 * * *", "Europe/Berlin", after, 2).unwrap();
        assert_eq!(checked.times[0].to_string(), "2027-03-28T01:00:00Z");
        assert!(!checked.every_hour && !checked.words.is_empty());
        assert!(super::checked("30 2 * *", "UTC", after, 2).is_err());
        assert!(super::checked("30 2 * * *", "UTC", after, 0).is_err());
        assert!(super::checked("0 0 30 2 *", "UTC", after, 1).unwrap().times.is_empty());
    }
}
