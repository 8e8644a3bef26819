//! Which instants a job is due at, worked out by looking at every minute of the year: no cron library, no search.

use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{Offset, TimeZone},
};
use scheduler::Zone;

/// Which minutes of the wall clock match, and whether they are of every hour.
pub struct Wanted {
    pub zone: &'static str,
    pub every_hour: bool,
    pub matches: fn(DateTime) -> bool,
}

/// Every due instant in `[from, to)`, oldest first.
pub fn instants(wanted: &Wanted, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let zone = Zone::named(wanted.zone).unwrap();
    let rules = zone.rules();
    let mut found = Vec::new();
    let mut last_named: Option<DateTime> = None;
    let mut second = from.as_second();
    while second < to.as_second() {
        let at = Timestamp::from_second(second).unwrap();
        let shown = rules.to_datetime(at);
        if wanted.every_hour {
            if (wanted.matches)(shown) {
                found.push(at);
            }
        } else if last_named.is_none_or(|last| shown > last) {
            // Everything that the clock went past since the last minute it showed for the first time: one minute, or a gap.
            let mut named = last_named.map_or(shown, |last| last.checked_add(minute()).unwrap());
            let mut due = false;
            while named <= shown {
                due |= (wanted.matches)(named);
                named = named.checked_add(minute()).unwrap();
            }
            if due {
                found.push(at);
            }
            last_named = Some(shown);
        }
        second += 60;
    }
    found
}

fn minute() -> jiff::SignedDuration {
    jiff::SignedDuration::from_mins(1)
}

/// How many times in `[from, to)` the zone changes its clocks: so that a test that is about that cannot miss it.
pub fn changes(zone: &str, from: Timestamp, to: Timestamp) -> usize {
    let zone = Zone::named(zone).unwrap();
    let rules: &TimeZone = zone.rules();
    let offset = |at: Timestamp| -> Offset { rules.to_offset(at) };
    (from.as_second()..to.as_second())
        .step_by(3600)
        .map(|second| Timestamp::from_second(second).unwrap())
        .filter(|at| offset(*at) != offset(*at + jiff::SignedDuration::from_hours(1)))
        .count()
}
