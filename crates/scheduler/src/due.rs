//! Which scheduled times have come since a job was looked at last.

use std::collections::VecDeque;

use echo_core::Timestamp;

use crate::JobSpec;

/// How many occurrences are counted one by one before only the latest are looked for.
const COUNTED: usize = 500;
/// How far back the latest are looked for, in seconds: further only where nearer there were too few.
const BACK_SECONDS: [i64; 5] = [3_600, 24 * 3_600, 32 * 24 * 3_600, 366 * 24 * 3_600, 10 * 366 * 24 * 3_600];
/// The most occurrences of one look. What lies beyond is for the next one.
const MOST: usize = 200_000;

/// The scheduled times of a stretch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// The latest, oldest first.
    pub(crate) times: VecDeque<Timestamp>,
    /// How many were before them, as far as they were counted.
    pub(crate) before: u32,
}

/// The latest `want` scheduled times after `after` and not after `until`.
pub(crate) fn due(spec: &JobSpec, after: Timestamp, until: Timestamp, want: usize) -> Due {
    if let Some(all) = walk(spec, after, until, (want, COUNTED)) {
        return all;
    }
    for seconds in BACK_SECONDS {
        let back = until.as_second().saturating_sub(seconds);
        let Some(from) = Timestamp::from_second(back).ok().filter(|from| *from > after) else { break };
        if let Some(found) = walk(spec, from, until, (want, MOST))
            && found.times.len() >= want
        {
            return Due { before: found.before.saturating_add(1), ..found };
        }
    }
    let mut latest = Due { times: VecDeque::new(), before: 0 };
    let _ = collect(spec, after, until, (want, MOST), &mut latest);
    latest
}

/// Nothing when there are more than so many.
fn walk(spec: &JobSpec, after: Timestamp, until: Timestamp, bounds: (usize, usize)) -> Option<Due> {
    let mut due = Due { times: VecDeque::new(), before: 0 };
    collect(spec, after, until, bounds, &mut due).then_some(due)
}

/// Whether the end was reached.
fn collect(
    spec: &JobSpec,
    after: Timestamp,
    until: Timestamp,
    (want, most): (usize, usize),
    due: &mut Due,
) -> bool {
    let mut at = after;
    for _ in 0..most {
        let Some(next) = spec.next(at).filter(|next| *next <= until) else { return true };
        due.times.push_back(next);
        if due.times.len() > want {
            due.times.pop_front();
            due.before = due.before.saturating_add(1);
        }
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Schedule;

    fn job(when: &str) -> JobSpec {
        let yaml = format!("version: 1\njobs: [{{name: j, when: [{when}]}}]");
        Schedule::parse(&yaml, Timestamp::UNIX_EPOCH).unwrap().jobs()[0].clone()
    }

    fn look(when: &str, after: &str, until: &str) -> (Vec<String>, u32) {
        let due = due(&job(when), after.parse().unwrap(), until.parse().unwrap(), 2);
        (due.times.iter().map(ToString::to_string).collect(), due.before)
    }

    #[test]
    fn the_latest_of_a_few_are_found_and_the_rest_counted() {
        let (times, before) = look("{every: 1h}", "2027-01-01T00:00:00Z", "2027-01-01T05:30:00Z");
        assert_eq!((times[1].as_str(), before), ("2027-01-01T05:00:00Z", 3));
        assert_eq!(look("{every: 1h}", "2027-01-01T00:00:00Z", "2027-01-01T00:59:59Z").0.len(), 0);
    }

    #[test]
    fn the_latest_of_a_century_of_seconds_are_found_at_once() {
        let (times, before) = look("{every: 1s}", "1970-01-01T00:00:00Z", "2070-01-01T00:00:00Z");
        assert_eq!(times, ["2069-12-31T23:59:59Z", "2070-01-01T00:00:00Z"]);
        assert!(before > 1);
    }

    #[test]
    fn what_is_dense_and_rare_is_found_too() {
        let (times, _) = look("{cron: '* * 0 1 1 *'}", "2020-01-01T00:00:00Z", "2026-12-31T00:00:00Z");
        assert_eq!(times[1], "2026-01-01T00:59:59Z");
    }
}
