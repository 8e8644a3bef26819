//! Cron expressions in a time zone.
//!
//! An expression names times of the wall clock: five fields (minute, hour, day of the month, month, day of the week), or
//! six with seconds first. A day matches when both day fields do; when both are restricted, when either does (POSIX
//! `crontab`), or both with a `+` before the day of the week.
//!
//! Where a zone changes its clocks there are two kinds of expressions:
//!
//! - One that **names hours** runs once for each time it names. A time that the clock skips is run at the first moment after
//!   the gap; a time that the clock shows twice is run the first time.
//! - One that runs in **every hour** (its hour field holds all of them) runs whenever the wall clock shows a matching time:
//!   in the repeated hour twice, in the skipped hour not at all, so that the runs stay evenly apart.

use std::fmt;

use croner::parser::{CronParser, Year};
use echo_core::Timestamp;
use jiff::{
    SignedDuration,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{ScheduleError, Zone};

/// The most bytes of an expression.
pub const MAX_EXPRESSION: usize = 200;
/// How far ahead an occurrence is looked for, in years. The calendar repeats its weekdays and leap days within 40.
pub const HORIZON_YEARS: i64 = 50;

/// The longest change of clocks that is reckoned with: zones moved across the date line by a whole day.
const LONGEST_CHANGE: SignedDuration = SignedDuration::from_hours(36);
/// The most stretches between changes of clocks that are looked at: two a year, and room.
const MAX_STRETCHES: usize = 500;
/// The most repeated times that are passed by: a day of seconds.
const MAX_REPEATED: usize = 86_400;

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cron {
    text: String,
    fields: croner::Cron,
    every_hour: bool,
}

impl Cron {
    /// Reads an expression of five fields, or of six with seconds first.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let refused = |reason: String| ScheduleError::Cron {
            text: text.chars().take(MAX_EXPRESSION).collect(),
            reason,
        };
        if text.len() > MAX_EXPRESSION || !text.is_ascii() {
            return Err(refused(format!("write at most {MAX_EXPRESSION} ASCII characters")));
        }
        let parser = CronParser::builder().year(Year::Disallowed).build();
        let fields = parser.parse(text).map_err(|e| {
            refused(format!("{e}; write `minute hour day month weekday`, with seconds first if wanted"))
        })?;
        let every_hour = (0..24).all(|hour| fields.pattern.hour_match(hour).unwrap_or(false));
        Ok(Self { text: text.trim().to_owned(), fields, every_hour })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it runs in every hour, and so by the time that passes where clocks are changed.
    pub fn runs_every_hour(&self) -> bool {
        self.every_hour
    }

    /// In words.
    pub fn words(&self) -> String {
        self.fields.describe()
    }

    /// The first time after `after` at which it runs; nothing when there is none within [`HORIZON_YEARS`].
    pub fn next(&self, zone: &Zone, after: Timestamp) -> Option<Timestamp> {
        let rules = zone.rules();
        let found =
            if self.every_hour { self.next_shown(rules, after) } else { self.next_named(rules, after) };
        let seconds = HORIZON_YEARS * 366 * 24 * 3600;
        found.filter(|at| at.as_second().saturating_sub(after.as_second()) <= seconds)
    }

    /// The next one of an expression that names hours. Named times in their order have instants in the same order.
    fn next_named(&self, rules: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let mut time = whole_second(rules.to_datetime(after));
        for _ in 0..MAX_REPEATED {
            time = self.fields.find_next_occurrence(&time, false).ok()?;
            let at = first_moment(rules, time)?;
            if at > after {
                return Some(at);
            }
        }
        None
    }

    /// The next one of an expression that runs in every hour: in each stretch between two changes of clocks, the wall clock
    /// is the time plus an offset.
    fn next_shown(&self, rules: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (after, false);
        for _ in 0..MAX_STRETCHES {
            let offset = rules.to_offset(from);
            let change = rules.following(from).next().map(|change| change.timestamp());
            let time = whole_second(offset.to_datetime(from));
            let found = self.fields.find_next_occurrence(&time, inclusive).ok()?;
            let at = offset.to_timestamp(found).ok()?;
            let Some(change) = change.filter(|change| *change <= at) else { return Some(at) };
            // What lies far behind this change cannot be reached by putting clocks back; what lies near can.
            let near = change.duration_since(from) <= LONGEST_CHANGE;
            let ahead = at.checked_sub(LONGEST_CHANGE).ok()?;
            from = if near { change } else { change.max(ahead) };
            inclusive = true;
        }
        None
    }
}

/// The instant of a time of the wall clock: the first of two, or the end of the gap that it lies in.
pub(crate) fn first_moment(rules: &TimeZone, time: DateTime) -> Option<Timestamp> {
    match rules.to_ambiguous_timestamp(time).offset() {
        AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
            offset.to_timestamp(time).ok()
        }
        AmbiguousOffset::Gap { before, .. } => {
            let behind = before.to_timestamp(time).ok()?.checked_add(SignedDuration::from_secs(1)).ok()?;
            Some(rules.preceding(behind).next()?.timestamp())
        }
    }
}

fn whole_second(time: DateTime) -> DateTime {
    time.with().subsec_nanosecond(0).build().unwrap_or(time)
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Cron {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Cron {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nexts(text: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let (cron, zone) = (Cron::parse(text).unwrap(), Zone::named(zone).unwrap());
        let mut at: Timestamp = after.parse().unwrap();
        (0..count)
            .map(|_| {
                at = cron.next(&zone, at).unwrap();
                at.to_string()
            })
            .collect()
    }

    #[test]
    fn a_time_that_the_clock_skips_is_run_once_at_the_end_of_the_gap() {
        let times = nexts("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 2);
        assert_eq!(times, ["2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z"]);
        let many = nexts("*/10 2,3 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 3);
        assert_eq!(many, ["2027-03-28T01:00:00Z", "2027-03-28T01:10:00Z", "2027-03-28T01:20:00Z"]);
    }

    #[test]
    fn a_time_that_the_clock_shows_twice_is_run_the_first_time() {
        let times = nexts("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", 2);
        assert_eq!(times, ["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]);
        let within = nexts("30 2 * * *", "Europe/Berlin", "2027-10-31T01:10:00Z", 1);
        assert_eq!(within, ["2027-11-01T01:30:00Z"], "asked while the hour is repeated");
    }

    #[test]
    fn what_runs_in_every_hour_stays_evenly_apart() {
        let autumn = nexts("30 * * * *", "Europe/Berlin", "2027-10-30T23:45:00Z", 3);
        assert_eq!(autumn, ["2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "2027-10-31T02:30:00Z"]);
        let spring = nexts("30 * * * *", "Europe/Berlin", "2027-03-27T23:45:00Z", 3);
        assert_eq!(spring, ["2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z", "2027-03-28T02:30:00Z"]);
    }

    #[test]
    fn half_an_hour_of_lord_howe_and_a_leap_day() {
        let times = nexts("15 2 * * *", "Australia/Lord_Howe", "2027-10-02T00:00:00Z", 1);
        assert_eq!(times, ["2027-10-02T15:30:00Z"], "02:15 is skipped: the clock goes from 02:00 to 02:30");
        assert_eq!(nexts("0 12 29 2 *", "UTC", "2027-01-01T00:00:00Z", 2)[1], "2032-02-29T12:00:00Z");
    }

    #[test]
    fn seconds_are_a_field_and_the_last_friday_is_a_day() {
        assert_eq!(nexts("*/20 * * * * *", "UTC", "2027-01-01T00:00:00Z", 1), ["2027-01-01T00:00:20Z"]);
        assert_eq!(nexts("0 9 * * FRI#L", "UTC", "2027-01-01T10:00:00Z", 1), ["2027-01-29T09:00:00Z"]);
    }

    #[test]
    fn an_expression_that_never_fires_has_no_next() {
        let utc = Zone::utc();
        for text in ["0 0 30 2 *", "0 0 31 4,6,9,11 *"] {
            assert_eq!(Cron::parse(text).unwrap().next(&utc, Timestamp::UNIX_EPOCH), None, "{text}");
        }
    }

    #[test]
    fn a_wrong_expression_says_what_to_write() {
        let long = "1,".repeat(200);
        for text in ["", "* * *", "61 * * * *", "* * * * * * 2027", "a b c d e", "* * 1 1 \u{e4}", &long] {
            let error = Cron::parse(text).unwrap_err().to_string();
            assert!(error.contains("write"), "{error}");
        }
    }
}
