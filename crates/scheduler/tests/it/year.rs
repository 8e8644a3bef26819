//! The year 2028, which has a leap day, in two zones that change their clocks on different days.

use std::collections::BTreeSet;

use jiff::civil::Weekday;

use crate::{
    oracle::{Wanted, changes, instants},
    world::{World, at},
};

pub const FROM: &str = "2028-01-01T00:00:00Z";
pub const TO: &str = "2029-01-01T00:00:00Z";

/// Expressions, and the same said to the oracle.
pub const JOBS: [(&str, &str, Wanted); 7] = [
    (
        "in_the_gap",
        "{cron: '30 2 * * *', zone: Europe/Berlin}",
        Wanted { zone: "Europe/Berlin", every_hour: false, matches: |t| (t.hour(), t.minute()) == (2, 30) },
    ),
    (
        "in_the_other_gap",
        "{cron: '15,45 1-3 * * *', zone: America/New_York}",
        Wanted {
            zone: "America/New_York",
            every_hour: false,
            matches: |t| (1..=3).contains(&t.hour()) && [15, 45].contains(&t.minute()),
        },
    ),
    (
        "hourly",
        "{cron: '20 * * * *', zone: America/New_York}",
        Wanted { zone: "America/New_York", every_hour: true, matches: |t| t.minute() == 20 },
    ),
    (
        "half_hours",
        "{cron: '*/30 * * * MON-FRI', zone: Europe/Berlin}",
        Wanted {
            zone: "Europe/Berlin",
            every_hour: true,
            matches: |t| t.minute() % 30 == 0 && ![Weekday::Saturday, Weekday::Sunday].contains(&t.weekday()),
        },
    ),
    (
        "leap_day",
        "{cron: '0 12 29 2 *', zone: Europe/Berlin}",
        Wanted {
            zone: "Europe/Berlin",
            every_hour: false,
            matches: |t| (t.month(), t.day(), t.hour(), t.minute()) == (2, 29, 12, 0),
        },
    ),
    (
        "last_day_or_sunday",
        "{cron: '5 0 L * SUN', zone: Europe/Berlin}",
        Wanted {
            zone: "Europe/Berlin",
            every_hour: false,
            matches: |t| {
                let day = t.day() == t.date().last_of_month().day() || t.weekday() == Weekday::Sunday;
                day && (t.hour(), t.minute()) == (0, 5)
            },
        },
    ),
    (
        "every_seven_hours",
        "{every: 7h, anchor: 2028-01-01T03:00:00Z}",
        Wanted {
            zone: "UTC",
            every_hour: true,
            matches: |t| hours_since_three(t) % 7 == 0 && t.minute() == 0,
        },
    ),
];

fn hours_since_three(time: jiff::civil::DateTime) -> i64 {
    let start = jiff::civil::date(2028, 1, 1).at(3, 0, 0, 0);
    time.duration_since(start).as_hours()
}

pub fn yaml(jobs: &[(&str, &str, Wanted)], more: &str) -> String {
    let lines: Vec<String> =
        jobs.iter().map(|(name, when, _)| format!("- {{name: {name}, when: [{when}]{more}}}\n")).collect();
    lines.concat()
}

#[test]
fn both_zones_change_their_clocks_twice_in_the_year() {
    for zone in ["Europe/Berlin", "America/New_York"] {
        assert_eq!(changes(zone, at(FROM), at(TO)), 2, "{zone}");
    }
}

#[test]
fn a_year_runs_exactly_as_every_minute_of_it_says() {
    let mut world = World::new(&yaml(&JOBS, ""), FROM);
    world.step();
    while world.now.wall < at(TO) {
        // As far as the scheduler itself says that nothing is to be done.
        let sleep = world.step();
        let next = world.schedule.jobs().iter().filter_map(|job| job.next(world.now.wall)).min().unwrap();
        let until = (next.as_second() - world.now.wall.as_second()).max(1);
        assert!(sleep <= 20_000);
        world.pass(until);
    }
    for (name, _, wanted) in &JOBS {
        let due: Vec<_> = instants(wanted, at(FROM), at(TO)).into_iter().filter(|t| *t > at(FROM)).collect();
        let prefix = format!("{name}@");
        let ran: Vec<_> =
            world.started.iter().filter(|(run, at)| run.starts_with(&prefix) && *at < self::at(TO)).collect();
        let ran_at: Vec<_> = ran.iter().map(|(_, at)| *at).collect();
        assert_eq!(ran_at, due, "{name}");
        assert!(!due.is_empty(), "{name}");
        let keys: BTreeSet<&str> = ran.iter().map(|(run, _)| run.as_str()).collect();
        assert_eq!(keys.len(), due.len(), "{name}: a key for each");
    }
}
