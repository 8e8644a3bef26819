//! A sample as OpenTelemetry names it, for exporters.

use crate::metrics::Metrics;

/// What kind of number a series holds (OpenTelemetry metrics data model).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instrument {
    /// A value that cannot be summed over machines, such as a ratio.
    Gauge,
    /// A value that can be summed and may fall, such as bytes in use.
    UpDownCounter,
    /// A value that only grows until the machine restarts.
    Counter,
}

/// One value under its OpenTelemetry name.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric's name (semantic conventions for system metrics; load averages as the collector's
    /// host metrics receiver names them).
    pub name: &'static str,
    /// The unit (UCUM): `1`, `By`, `s`, `{thread}`, `{process}`.
    pub unit: &'static str,
    /// What kind of number it is.
    pub instrument: Instrument,
    /// What tells it apart from others of the same name.
    pub attributes: Vec<(&'static str, String)>,
    /// The value; sizes are exact up to 2^53.
    pub value: f64,
}

impl Series {
    fn new(name: &'static str, unit: &'static str, instrument: Instrument, value: f64) -> Self {
        Self { name, unit, instrument, attributes: Vec::new(), value }
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 9 PB; metrics stores hold floats")]
    fn bytes(name: &'static str, bytes: u64) -> Self {
        Self::new(name, "By", Instrument::UpDownCounter, bytes as f64)
    }

    fn of(mut self, attribute: &'static str, value: &str) -> Self {
        self.attributes.push((attribute, value.to_owned()));
        self
    }
}

impl Metrics {
    /// Every value of the sample under its OpenTelemetry name.
    pub fn series(&self) -> Vec<Series> {
        use Instrument::{Counter, Gauge, UpDownCounter};
        #[expect(clippy::cast_precision_loss, reason = "exact for 285 million years")]
        let uptime = self.uptime_seconds as f64;
        let state = "system.memory.state";
        let mut out = vec![
            Series::new("system.cpu.utilization", "1", Gauge, self.cpu_utilization),
            Series::new("system.cpu.load_average.1m", "{thread}", Gauge, self.load_1),
            Series::new("system.cpu.load_average.5m", "{thread}", Gauge, self.load_5),
            Series::new("system.cpu.load_average.15m", "{thread}", Gauge, self.load_15),
            Series::bytes("system.memory.limit", self.memory_total),
            Series::bytes("system.memory.usage", self.memory_used).of(state, "used"),
            Series::bytes("system.linux.memory.available", self.memory_available),
            Series::bytes("system.paging.usage", self.swap_used).of("system.paging.state", "used"),
            Series::bytes("system.paging.usage", self.swap_total.saturating_sub(self.swap_used))
                .of("system.paging.state", "free"),
            Series::new("system.uptime", "s", Gauge, uptime),
            Series::new("system.process.count", "{process}", UpDownCounter, f64::from(self.processes)),
        ];
        for disk in &self.disks {
            let kept = disk.total.saturating_sub(disk.used).saturating_sub(disk.available);
            for (state, bytes) in [("used", disk.used), ("free", disk.available), ("reserved", kept)] {
                out.push(
                    Series::bytes("system.filesystem.usage", bytes)
                        .of("system.device", &disk.device)
                        .of("system.filesystem.mountpoint", &disk.mount)
                        .of("system.filesystem.type", &disk.fs)
                        .of("system.filesystem.state", state),
                );
            }
        }
        for nic in &self.network {
            for (direction, bytes) in [("receive", nic.rx_bytes), ("transmit", nic.tx_bytes)] {
                let mut series = Series::bytes("system.network.io", bytes)
                    .of("network.interface.name", &nic.name)
                    .of("network.io.direction", direction);
                series.instrument = Counter;
                out.push(series);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::tests::quiet;

    #[test]
    fn a_file_system_s_states_add_up_to_its_size() {
        let metrics = quiet();
        let sum: f64 = metrics
            .series()
            .iter()
            .filter(|series| series.name == "system.filesystem.usage")
            .map(|series| series.value)
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "a small size")]
        let total = metrics.disks[0].total as f64;
        assert!((sum - total).abs() < 1.0);
    }

    #[test]
    fn no_two_series_have_the_same_name_and_attributes() {
        let mut metrics = quiet();
        let mut other = metrics.network[0].clone();
        other.name = "eth1".into();
        metrics.network.push(other);
        let mut keys: Vec<_> = metrics.series().into_iter().map(|s| (s.name, s.attributes)).collect();
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
    }
}
