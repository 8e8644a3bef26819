//! How states, times, sizes and numbers read.

use echo_core::Timestamp;
use serde::Serialize;

/// A state's name as the wire formats write it, in words: `awaiting_approval` reads "awaiting approval".
pub(crate) fn word<T: Serialize>(state: &T) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(name)) => name.replace('_', " "),
        _ => "unknown".to_owned(),
    }
}

/// How far `at` is from `now`, in words.
pub(crate) fn relative(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second());
    let (count, unit) = match seconds.unsigned_abs() {
        0..45 => return if seconds < -5 { "in a moment".to_owned() } else { "just now".to_owned() },
        s @ 45..5_400 => ((s + 30) / 60, "minute"),
        s @ 5_400..129_600 => ((s + 1_800) / 3_600, "hour"),
        s => ((s + 43_200) / 86_400, "day"),
    };
    let plural = if count == 1 { "" } else { "s" };
    if seconds < 0 { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") }
}

/// A time in full, such as `2026-11-22 10:00:00 UTC`.
pub(crate) fn absolute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Bytes in binary units with one decimal place.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // Tenths of the unit, so that no floating point is needed.
    let mut tenths = u128::from(count) * 10 / 1024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A share of 0 to 1 in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.0} %", share.clamp(0.0, 1.0) * 100.0)
}

/// A duration in its two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours) {
        (0, 0) => format!("{minutes} min"),
        (0, _) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// A round trip, with one decimal place where it is short.
pub(crate) fn round_trip(micros: u64) -> String {
    match micros {
        0..100 => "under 0.1 ms".to_owned(),
        100..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{} ms", micros / 1_000),
    }
}

/// An exact decimal without trailing zeros, but with two places at least: prices read `0.15` and `12.00`.
pub(crate) fn price(amount: rust_decimal::Decimal) -> String {
    let mut amount = amount.normalize();
    if amount.scale() < 2 {
        amount.rescale(2);
    }
    amount.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn times_read_as_people_say_them() {
        let now = at(1_000_000);
        let ago = |seconds: i64| relative(at(1_000_000 - seconds), now);
        assert_eq!(ago(3), "just now");
        assert_eq!(ago(60), "1 minute ago");
        assert_eq!(ago(3_600), "60 minutes ago");
        assert_eq!(ago(7_200), "2 hours ago");
        assert_eq!(ago(3 * 86_400), "3 days ago");
        assert_eq!(ago(-14 * 86_400), "in 14 days");
        assert_eq!(ago(-20), "in a moment");
    }

    #[test]
    fn sizes_read_in_binary_units() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(16 * 1024 * 1024 * 1024), "16.0 GiB");
        assert_eq!(bytes(u64::MAX), "16383.9 PiB");
    }

    #[test]
    fn round_trips_are_as_exact_as_they_are_short() {
        assert_eq!((round_trip(87), round_trip(1_250)), ("under 0.1 ms".into(), "1.2 ms".into()));
        assert_eq!((round_trip(9_999), round_trip(123_456)), ("9.9 ms".into(), "123 ms".into()));
    }

    #[test]
    fn prices_keep_every_place_that_counts() {
        let price = |text: &str| price(text.parse().unwrap());
        assert_eq!(
            (price("12"), price("0.1500"), price("0.0015")),
            ("12.00".into(), "0.15".into(), "0.0015".into())
        );
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!(
            (duration(59), duration(3_700), duration(90_000)),
            ("0 min".into(), "1 h 1 min".into(), "1 d 1 h".into())
        );
    }
}
