//! One normalised telemetry event.

use echo_core::DeviceId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    bounds::{self, BoundsError},
    facts::HostFacts,
    metrics::Metrics,
};

/// How often a device should send a pulse, in seconds.
pub const PULSE_EVERY_SECONDS: u64 = 30;
/// The most bytes of one pulse as JSON: every pulse within the other bounds fits.
pub const MAX_PULSE_BYTES: usize = 64 * 1024;
/// The highest sequence number: the largest integer that every JSON reader holds exactly (RFC 7493, section 2.2).
pub const MAX_SEQ: u64 = (1 << 53) - 1;

/// What a device says of itself at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// Who says it.
    pub device: DeviceId,
    /// Its number: grows with each pulse of the device, from 1 to [`MAX_SEQ`]; gaps are allowed.
    pub seq: u64,
    /// When it was taken, by the device's clock.
    pub at: Timestamp,
    /// How the machine does.
    pub metrics: Metrics,
    /// What the machine is; sent at the start and when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<HostFacts>,
}

/// Why a pulse is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PulseError {
    /// A value is out of bounds.
    #[error("the pulse is refused: {0}")]
    Bounds(#[from] BoundsError),
}

impl Pulse {
    /// Checks every list, text and number against its bound.
    pub fn validate(&self) -> Result<(), PulseError> {
        bounds::holds("seq", "1 to 2^53 - 1", (1..=MAX_SEQ).contains(&self.seq))?;
        self.metrics.validate()?;
        if let Some(facts) = &self.facts {
            facts.validate()?;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use echo_core::Mint;
    use proptest::prelude::*;

    use super::*;
    use crate::{
        bounds::{MAX_NAME, MAX_TEXT},
        diagnosis::tests::facts,
        metrics::{Disk, MAX_DISKS, MAX_NIC_NAME, MAX_NICS, Nic, tests::quiet},
    };

    /// A pulse of a quiet machine, taken `seq` seconds after the epoch.
    pub(crate) fn pulse(device: &DeviceId, seq: u64) -> Pulse {
        Pulse {
            device: device.clone(),
            seq,
            at: Timestamp::from_second(i64::try_from(seq).unwrap_or(0).min(1 << 32)).unwrap(),
            metrics: quiet(),
            facts: None,
        }
    }

    pub(crate) fn device() -> DeviceId {
        Mint::system().id()
    }

    #[test]
    fn the_largest_pulse_that_is_allowed_fits_its_bound() {
        // A quotation mark takes two bytes in JSON: the worst that a printable text can do.
        let (name, text) = ("\"".repeat(MAX_NAME), "\"".repeat(MAX_TEXT));
        let mut pulse = pulse(&device(), MAX_SEQ);
        pulse.metrics.disks = vec![
            Disk {
                mount: text.clone(),
                device: text.clone(),
                fs: name.clone(),
                used: u64::MAX,
                total: u64::MAX,
                available: u64::MAX,
            };
            MAX_DISKS
        ];
        pulse.metrics.network =
            vec![Nic { name: "\"".repeat(MAX_NIC_NAME), rx_bytes: u64::MAX, tx_bytes: u64::MAX }; MAX_NICS];
        pulse.facts = Some(HostFacts {
            hostname: name.clone(),
            cpu_model: text,
            kernel: name.clone(),
            os_name: name,
            ..facts()
        });
        pulse.validate().unwrap();
        let bytes = serde_json::to_vec(&pulse).unwrap().len();
        assert!(bytes < MAX_PULSE_BYTES, "{bytes}");
    }

    #[test]
    fn sequence_numbers_are_bounded() {
        for seq in [0, MAX_SEQ + 1, u64::MAX] {
            assert!(pulse(&device(), seq).validate().is_err(), "{seq}");
        }
        pulse(&device(), MAX_SEQ).validate().unwrap();
    }

    #[test]
    fn facts_are_checked_too() {
        let mut pulse = pulse(&device(), 1);
        pulse.facts = Some(HostFacts { cpu_count: 0, ..facts() });
        let error = pulse.validate().unwrap_err().to_string();
        assert!(error.contains("cpu_count"), "{error}");
    }

    proptest! {
        #[test]
        fn validation_never_panics_and_what_passes_is_json(
            seq: u64, cpu: f64, load: f64, used: u64, total: u64, name in any::<String>(), cpus: u32,
        ) {
            let mut pulse = pulse(&device(), 1);
            pulse.seq = seq;
            pulse.metrics.cpu_utilization = cpu;
            pulse.metrics.load_1 = load;
            (pulse.metrics.memory_used, pulse.metrics.memory_total) = (used, total);
            (pulse.metrics.disks[0].used, pulse.metrics.disks[0].total) = (used, total);
            pulse.metrics.network[0].name.clone_from(&name);
            pulse.facts = Some(HostFacts { hostname: name, cpu_count: cpus, ..facts() });
            if pulse.validate().is_ok() {
                let json = serde_json::to_vec(&pulse).unwrap();
                prop_assert!(serde_json::from_slice::<Pulse>(&json).is_ok());
            }
        }

        #[test]
        fn what_passes_is_within_bounds_and_reads_back(share in 0_u32..12_000, seq in 0_u64..3, name in "\\PC{0,40}") {
            // Four digits, as the collector gives: more would not survive JSON to the last bit.
            let cpu = f64::from(share) / 10_000.0;
            let mut pulse = pulse(&device(), 1);
            pulse.seq = seq;
            pulse.metrics.cpu_utilization = cpu;
            pulse.metrics.network[0].name.clone_from(&name);
            let good = cpu <= 1.0 && seq > 0 && name.len() <= MAX_NIC_NAME && !name.chars().any(char::is_control);
            prop_assert_eq!(pulse.validate().is_ok(), good);
            if good {
                let json = serde_json::to_vec(&pulse).unwrap();
                prop_assert_eq!(serde_json::from_slice::<Pulse>(&json).unwrap(), pulse);
            }
        }
    }
}
