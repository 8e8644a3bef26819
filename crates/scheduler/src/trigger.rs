//! What makes a job run: a time, or something that happens.

use std::fmt;

use echo_core::Timestamp;
use jiff::{SignedDuration, civil::DateTime};
use serde::{Deserialize, Serialize};

use crate::{Cron, Zone, cron::first_moment};

/// The most dates of one trigger.
pub const MAX_DATES: usize = 366;

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The machine was started. Comes once for each start, whenever the scheduler is first seen.
    Boot,
    /// Nobody asked the platform for anything for a while.
    Idle,
    /// The machine is on mains power again.
    Power,
    /// A scan found something.
    Finding,
    /// A key, a certificate or an exception is about to end.
    KeyExpiry,
    /// The wall clock was set.
    ClockSet,
}

impl Event {
    /// As it is written in a schedule.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Idle => "idle",
            Self::Power => "power",
            Self::Finding => "finding",
            Self::KeyExpiry => "key_expiry",
            Self::ClockSet => "clock_set",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What makes a job run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Trigger {
    /// Times of the wall clock in a zone.
    Cron(Box<Cron>, Zone),
    /// Again and again by UTC: at the anchor, and every so many seconds before and after it.
    Every {
        /// In whole seconds, at least one.
        seconds: i64,
        /// One of the instants.
        anchor: Timestamp,
    },
    /// Days and times of a calendar in a zone, in their order.
    Dates(Vec<DateTime>, Zone),
    /// Something that happens.
    On(Event),
}

impl Trigger {
    /// The first time after `after`; nothing for an event, or when there is none any more.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron, zone) => cron.next(zone, after),
            Self::Every { seconds, anchor } => every(*seconds, *anchor, after),
            Self::Dates(dates, zone) => dates
                .iter()
                .filter_map(|date| first_moment(zone.rules(), *date))
                .filter(|at| *at > after)
                .min(),
            Self::On(_) => None,
        }
    }
}

fn every(seconds: i64, anchor: Timestamp, after: Timestamp) -> Option<Timestamp> {
    let from = anchor.as_second();
    // The first number of periods that leads past `after`, whose part of a second is cut off.
    let periods = after.as_second().saturating_sub(from).div_euclid(seconds.max(1)).checked_add(1)?;
    let at = from.checked_add(periods.checked_mul(seconds.max(1))?)?;
    Timestamp::from_second(at).ok()
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cron(cron, zone) => write!(f, "{cron} in {zone}"),
            Self::Every { seconds, .. } => write!(f, "every {:#}", SignedDuration::from_secs(*seconds)),
            Self::Dates(dates, zone) => write!(f, "{} dates in {zone}", dates.len()),
            Self::On(event) => write!(f, "on {event}"),
        }
    }
}

/// A trigger as it stands in a schedule: `cron`, `every`, `dates` or `on`, with what belongs to it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<Cron>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<SignedDuration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dates: Option<Vec<DateTime>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<Event>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    zone: Option<Zone>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    anchor: Option<Timestamp>,
}

impl TryFrom<Written> for Trigger {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written { cron: Some(cron), every: None, dates: None, on: None, zone, anchor: None } => {
                Ok(Self::Cron(Box::new(cron), zone.unwrap_or_default()))
            }
            Written { cron: None, every: Some(every), dates: None, on: None, zone: None, anchor } => {
                let seconds = every.as_secs();
                if seconds < 1 || every.subsec_nanos() != 0 || seconds > 366 * 24 * 3600 {
                    return Err("`every` takes whole seconds, from 1 s to 366 days".to_owned());
                }
                let anchor = anchor.unwrap_or(Timestamp::UNIX_EPOCH);
                let anchor = Timestamp::from_second(anchor.as_second()).unwrap_or(anchor);
                Ok(Self::Every { seconds, anchor })
            }
            Written { cron: None, every: None, dates: Some(mut dates), on: None, zone, anchor: None } => {
                if dates.is_empty() || dates.len() > MAX_DATES {
                    return Err(format!("`dates` takes 1 to {MAX_DATES} of them"));
                }
                dates.sort_unstable();
                dates.dedup();
                Ok(Self::Dates(dates, zone.unwrap_or_default()))
            }
            Written { cron: None, every: None, dates: None, on: Some(event), zone: None, anchor: None } => {
                Ok(Self::On(event))
            }
            _ => Err("a trigger is one of `cron` (with `zone`), `every` (with `anchor`), `dates` (with `zone`) and `on`"
                .to_owned()),
        }
    }
}

impl From<Trigger> for Written {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Cron(cron, zone) => Self { cron: Some(*cron), zone: Some(zone), ..Self::default() },
            Trigger::Every { seconds, anchor } => Self {
                every: Some(SignedDuration::from_secs(seconds)),
                anchor: Some(anchor),
                ..Self::default()
            },
            Trigger::Dates(dates, zone) => Self { dates: Some(dates), zone: Some(zone), ..Self::default() },
            Trigger::On(event) => Self { on: Some(event), ..Self::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn read(yaml: &str) -> Result<Trigger, String> {
        serde_saphyr::from_str(yaml).map_err(|e| e.to_string())
    }

    #[test]
    fn an_interval_counts_from_its_anchor_both_ways() {
        let trigger = read("{every: 90 min, anchor: 2027-01-01T00:10:00Z}").unwrap();
        assert_eq!(trigger.next(at("2027-01-01T00:10:00Z")), Some(at("2027-01-01T01:40:00Z")));
        assert_eq!(trigger.next(at("2026-12-31T22:00:00Z")), Some(at("2026-12-31T22:40:00Z")));
        assert_eq!(trigger.next(at("2026-12-31T22:39:59.5Z")), Some(at("2026-12-31T22:40:00Z")));
    }

    #[test]
    fn dates_are_of_their_zone_and_end() {
        let trigger = read("{dates: ['2027-07-01T09:00', '2027-01-01T09:00'], zone: Europe/Berlin}").unwrap();
        assert_eq!(trigger.next(at("2026-01-01T00:00:00Z")), Some(at("2027-01-01T08:00:00Z")));
        assert_eq!(trigger.next(at("2027-01-01T08:00:00Z")), Some(at("2027-07-01T07:00:00Z")));
        assert_eq!(trigger.next(at("2027-07-01T07:00:00Z")), None);
    }

    #[test]
    fn a_trigger_is_one_thing() {
        for yaml in [
            "{}",
            "{every: 1h, on: boot}",
            "{on: boot, zone: UTC}",
            "{every: 500 ms}",
            "{every: -1h}",
            "{on: moonrise}",
            "{dates: []}",
            "{cron: '* * *'}",
            "{every: 1h, evry: 1h}",
        ] {
            assert!(read(yaml).is_err(), "{yaml}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for yaml in ["{every: 1h}", "{on: key_expiry}", "{cron: '5 4 * * *', zone: Europe/Berlin}"] {
            let trigger = read(yaml).unwrap();
            let json = serde_json::to_string(&trigger).unwrap();
            assert_eq!(serde_json::from_str::<Trigger>(&json).unwrap(), trigger, "{json}");
        }
    }
}
