//! How the machine does: one sample of its load.

use serde::{Deserialize, Serialize};

use crate::bounds::{self, BoundsError, MAX_NAME, MAX_TEXT};

/// The most file systems in one sample.
pub const MAX_DISKS: usize = 32;
/// The most network interfaces in one sample.
pub const MAX_NICS: usize = 64;
/// The most bytes of an interface's name: Linux allows 15.
pub(crate) const MAX_NIC_NAME: usize = 32;
/// The highest load average that is believed.
const MAX_LOAD: f64 = 1_000_000.0;

/// One sample of a machine's load. Sizes are bytes; [`Metrics::series`] gives the OpenTelemetry names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// The part of all CPUs' time that was spent working since the sample before, 0 to 1.
    pub cpu_utilization: f64,
    /// Runnable threads, averaged over one minute.
    pub load_1: f64,
    /// Runnable threads, averaged over five minutes.
    pub load_5: f64,
    /// Runnable threads, averaged over fifteen minutes.
    pub load_15: f64,
    /// Physical memory.
    pub memory_total: u64,
    /// Memory that a new program could not have: total less available.
    pub memory_used: u64,
    /// Memory that a new program could have without swapping (`MemAvailable`).
    pub memory_available: u64,
    /// Swap space.
    pub swap_total: u64,
    /// Swap space in use.
    pub swap_used: u64,
    /// File systems on this machine's own disks, by mount point.
    pub disks: Vec<Disk>,
    /// Network interfaces except the loopback, by name.
    pub network: Vec<Nic>,
    /// Seconds since the machine started.
    pub uptime_seconds: u64,
    /// How many processes there are.
    pub processes: u32,
}

/// One file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: String,
    /// The device it is on.
    pub device: String,
    /// Its type, such as `ext4`.
    pub fs: String,
    /// Bytes in use.
    pub used: u64,
    /// Bytes in all.
    pub total: u64,
    /// Bytes that an ordinary user may still write: less than `total - used` by what is kept for root.
    pub available: u64,
}

impl Disk {
    /// How full it is for an ordinary user, in percent, rounded up as `df` does.
    pub fn percent_full(&self) -> u8 {
        let (used, whole) = (u128::from(self.used), u128::from(self.used) + u128::from(self.available));
        if whole == 0 {
            return 0;
        }
        u8::try_from((used * 100).div_ceil(whole)).unwrap_or(100)
    }
}

/// One network interface; both counters run since the machine started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nic {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
}

impl Metrics {
    /// Checks that each number can be true and each list and text is within its bound.
    pub fn validate(&self) -> Result<(), BoundsError> {
        bounds::holds("cpu_utilization", "0 to 1", (0.0..=1.0).contains(&self.cpu_utilization))?;
        for (field, load) in [("load_1", self.load_1), ("load_5", self.load_5), ("load_15", self.load_15)] {
            bounds::holds(field, "a finite number from 0", (0.0..=MAX_LOAD).contains(&load))?;
        }
        let memory = self.memory_used.max(self.memory_available);
        bounds::holds("memory_used", "at most memory_total", memory <= self.memory_total)?;
        bounds::holds("swap_used", "at most swap_total", self.swap_used <= self.swap_total)?;
        bounds::count("disks", self.disks.len(), MAX_DISKS)?;
        for disk in &self.disks {
            bounds::text("disks.mount", &disk.mount, MAX_TEXT)?;
            bounds::text("disks.device", &disk.device, MAX_TEXT)?;
            bounds::text("disks.fs", &disk.fs, MAX_NAME)?;
            let most = disk.used.max(disk.available);
            bounds::holds("disks.used", "at most disks.total", most <= disk.total)?;
        }
        bounds::count("network", self.network.len(), MAX_NICS)?;
        self.network.iter().try_for_each(|nic| bounds::text("network.name", &nic.name, MAX_NIC_NAME))
    }

    /// Bytes received and sent over all interfaces since the machine started.
    pub fn network_bytes(&self) -> (u64, u64) {
        self.network
            .iter()
            .fold((0, 0), |(rx, tx), nic| (rx.saturating_add(nic.rx_bytes), tx.saturating_add(nic.tx_bytes)))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A quiet small server.
    pub(crate) fn quiet() -> Metrics {
        Metrics {
            cpu_utilization: 0.05,
            load_1: 0.1,
            load_5: 0.2,
            load_15: 0.3,
            memory_total: 4 << 30,
            memory_used: 1 << 30,
            memory_available: 3 << 30,
            swap_total: 1 << 30,
            swap_used: 0,
            disks: vec![Disk {
                mount: "/".into(),
                device: "/dev/vda1".into(),
                fs: "ext4".into(),
                used: 10 << 30,
                total: 40 << 30,
                available: 28 << 30,
            }],
            network: vec![Nic { name: "eth0".into(), rx_bytes: 1_000, tx_bytes: 500 }],
            uptime_seconds: 3_600,
            processes: 80,
        }
    }

    #[test]
    fn numbers_that_cannot_be_true_are_refused() {
        quiet().validate().unwrap();
        let changes: [fn(&mut Metrics); 7] = [
            |m| m.cpu_utilization = f64::NAN,
            |m| m.cpu_utilization = 1.01,
            |m| m.load_5 = f64::INFINITY,
            |m| m.load_1 = -0.1,
            |m| m.memory_used = m.memory_total + 1,
            |m| m.swap_used = u64::MAX,
            |m| m.disks[0].used = u64::MAX,
        ];
        for (i, change) in changes.iter().enumerate() {
            let mut metrics = quiet();
            change(&mut metrics);
            assert!(matches!(metrics.validate(), Err(BoundsError::OutOfRange { .. })), "change {i}");
        }
    }

    #[test]
    fn lists_are_bounded() {
        let mut metrics = quiet();
        metrics.disks = vec![metrics.disks[0].clone(); MAX_DISKS + 1];
        assert!(matches!(metrics.validate(), Err(BoundsError::TooMany { field: "disks", .. })));
        let mut metrics = quiet();
        metrics.network = vec![metrics.network[0].clone(); MAX_NICS + 1];
        assert!(matches!(metrics.validate(), Err(BoundsError::TooMany { field: "network", .. })));
    }

    #[test]
    fn fullness_counts_what_a_user_may_write_and_rounds_up() {
        let mut disk = quiet().disks.remove(0);
        (disk.used, disk.total, disk.available) = (901, 1_100, 99);
        assert_eq!(disk.percent_full(), 91);
        (disk.used, disk.total, disk.available) = (0, 0, 0);
        assert_eq!(disk.percent_full(), 0);
        (disk.used, disk.total, disk.available) = (u64::MAX, u64::MAX, 0);
        assert_eq!(disk.percent_full(), 100);
    }

    #[test]
    fn network_totals_do_not_overflow() {
        let mut metrics = quiet();
        metrics.network.push(Nic { name: "eth1".into(), rx_bytes: u64::MAX, tx_bytes: 1 });
        assert_eq!(metrics.network_bytes(), (u64::MAX, 501));
    }
}
