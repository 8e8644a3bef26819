//! Any expression, any zone, any time.

use proptest::prelude::*;
use scheduler::{Cron, Zone};

use crate::oracle;

fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    let number = low..=high;
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => number.clone().prop_map(|n| n.to_string()),
        1 => (2_u32..=30).prop_map(|n| format!("*/{n}")),
        1 => (number.clone(), number).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    (field(0, 59), field(0, 23), field(1, 31), field(1, 12), field(0, 6))
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Santiago"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_next_time_is_after_and_nothing_lies_between(
        text in expression(), zone in 0..ZONES.len(), start in 1_700_000_000_i64..2_500_000_000,
    ) {
        let (cron, zone) = (Cron::parse(&text).unwrap(), Zone::named(ZONES[zone]).unwrap());
        let from = jiff::Timestamp::from_second(start).unwrap();
        let Some(next) = cron.next(&zone, from) else { return Ok(()) };
        prop_assert!(next > from);
        // Whoever starts anywhere in between finds the same.
        for part in 1..8 {
            let between = from.as_second() + (next.as_second() - from.as_second()) * part / 8;
            let between = jiff::Timestamp::from_second(between).unwrap();
            if between < next {
                prop_assert_eq!(cron.next(&zone, between), Some(next));
            }
        }
    }

    #[test]
    fn a_parser_of_anything_does_not_panic(text in "[ -~]{0,40}") {
        if let Ok(cron) = Cron::parse(&text) {
            let _ = cron.next(&Zone::utc(), jiff::Timestamp::UNIX_EPOCH);
            let _ = cron.words();
        }
    }

    #[test]
    fn a_parser_of_what_looks_like_cron_does_not_panic(text in "[0-9*/,LW#?+ A-Z-]{5,30}") {
        if let Ok(cron) = Cron::parse(&text) {
            let _ = cron.next(&Zone::utc(), jiff::Timestamp::UNIX_EPOCH);
        }
    }
}

/// The days on which zones change their clocks, minute by minute.
#[test]
fn on_the_days_of_change_every_minute_is_right() {
    let spans = [
        ("Europe/Berlin", "2027-03-27T00:00:00Z", "2027-03-30T00:00:00Z"),
        ("Europe/Berlin", "2027-10-30T00:00:00Z", "2027-11-02T00:00:00Z"),
        ("Australia/Lord_Howe", "2027-10-01T00:00:00Z", "2027-10-04T00:00:00Z"),
        ("Australia/Lord_Howe", "2027-04-02T00:00:00Z", "2027-04-05T00:00:00Z"),
        ("America/Santiago", "2027-09-03T00:00:00Z", "2027-09-07T00:00:00Z"),
    ];
    for (zone, from, to) in spans {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let wanted: [(&str, oracle::Wanted); 4] = [
            ("*/7 * * * *", oracle::Wanted { zone, every_hour: true, matches: |t| t.minute() % 7 == 0 }),
            (
                "0 0 * * *",
                oracle::Wanted { zone, every_hour: false, matches: |t| (t.hour(), t.minute()) == (0, 0) },
            ),
            (
                "*/10 0-3 * * *",
                oracle::Wanted {
                    zone,
                    every_hour: false,
                    matches: |t| t.hour() <= 3 && t.minute() % 10 == 0,
                },
            ),
            (
                "59 1,2 * * *",
                oracle::Wanted {
                    zone,
                    every_hour: false,
                    matches: |t| [1, 2].contains(&t.hour()) && t.minute() == 59,
                },
            ),
        ];
        for (text, wanted) in wanted {
            let (cron, named) = (Cron::parse(text).unwrap(), Zone::named(zone).unwrap());
            let mut found = Vec::new();
            let mut at = from;
            while let Some(next) = cron.next(&named, at).filter(|next| *next < to) {
                found.push(next);
                at = next;
            }
            let due: Vec<_> = oracle::instants(&wanted, from, to).into_iter().filter(|t| *t > from).collect();
            assert_eq!(found, due, "{text} in {zone} from {from}");
        }
    }
}
