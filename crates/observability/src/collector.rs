//! Takes samples of the machine's load.

use procfs::{
    Current as _, CurrentSI as _, KernelStats, LoadAverage, Meminfo, Uptime, net::InterfaceDeviceStatus,
};

use crate::{
    bounds::clean,
    disks,
    error::{ObserveError, unreadable},
    metrics::{MAX_NIC_NAME, MAX_NICS, Metrics, Nic},
};

/// A CPU counts a hundred ticks a second: over fewer than this a share says nothing.
const MIN_TICKS_EACH_CPU: u64 = 5;

/// Takes samples; CPU time is told as the difference to the sample before.
#[derive(Debug, Clone, Default)]
pub struct Collector {
    before: Ticks,
    utilization: f64,
}

/// CPU time since the machine started, over all CPUs, in clock ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    idle: u64,
}

impl Collector {
    /// A collector whose first sample tells the CPU's utilization since the machine started.
    pub fn new() -> Self {
        Self::default()
    }

    /// One sample. Two samples within a twentieth of a second tell the same CPU utilization.
    pub fn sample(&mut self) -> Result<Metrics, ObserveError> {
        let stat = KernelStats::current().map_err(unreadable("/proc/stat"))?;
        self.advance(Ticks::of(&stat), stat.cpu_time.len() as u64);
        let memory = Meminfo::current().map_err(unreadable("/proc/meminfo"))?;
        let load = LoadAverage::current().map_err(unreadable("/proc/loadavg"))?;
        let uptime = Uptime::current().map_err(unreadable("/proc/uptime"))?;
        // Kernels before 3.14 do not estimate what is available.
        let available = memory.mem_available.unwrap_or(memory.mem_free).min(memory.mem_total);
        Ok(Metrics {
            cpu_utilization: self.utilization,
            load_1: hundredths(load.one),
            load_5: hundredths(load.five),
            load_15: hundredths(load.fifteen),
            memory_total: memory.mem_total,
            memory_used: memory.mem_total - available,
            memory_available: available,
            swap_total: memory.swap_total,
            swap_used: memory.swap_total.saturating_sub(memory.swap_free),
            disks: disks::read()?,
            network: network()?,
            uptime_seconds: uptime.uptime_duration().as_secs(),
            processes: count_processes()?,
        })
    }

    fn advance(&mut self, now: Ticks, cpus: u64) {
        let busy = now.busy.saturating_sub(self.before.busy);
        let idle = now.idle.saturating_sub(self.before.idle);
        let all = busy.saturating_add(idle);
        if all < MIN_TICKS_EACH_CPU * cpus.max(1) {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share of CPU time needs four digits")]
        let share = busy as f64 / all as f64;
        self.utilization = (share * 10_000.0).round() / 10_000.0;
        self.before = now;
    }
}

impl Ticks {
    fn of(stat: &KernelStats) -> Self {
        let total = &stat.total;
        let some = |ticks: Option<u64>| ticks.unwrap_or(0);
        // Guest time is already in `user` and `nice`. Stolen time counts as busy: it was not to be had.
        Self {
            busy: [total.nice, total.system, some(total.irq), some(total.softirq), some(total.steal)]
                .iter()
                .fold(total.user, |sum, ticks| sum.saturating_add(*ticks)),
            idle: total.idle.saturating_add(some(total.iowait)),
        }
    }
}

/// The kernel tells loads with two digits; as a wider float they would show digits that nobody measured.
fn hundredths(load: f32) -> f64 {
    (f64::from(load) * 100.0).round() / 100.0
}

fn network() -> Result<Vec<Nic>, ObserveError> {
    let status = InterfaceDeviceStatus::current().map_err(unreadable("/proc/net/dev"))?;
    let mut nics: Vec<Nic> = status
        .0
        .into_values()
        .filter(|nic| nic.name != "lo")
        .map(|nic| Nic {
            name: clean(&nic.name, MAX_NIC_NAME),
            rx_bytes: nic.recv_bytes,
            tx_bytes: nic.sent_bytes,
        })
        .collect();
    // A host of many containers has an interface for each: the busiest ones are kept.
    nics.sort_by_key(|nic| std::cmp::Reverse(nic.rx_bytes.saturating_add(nic.tx_bytes)));
    nics.truncate(MAX_NICS);
    nics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nics)
}

fn count_processes() -> Result<u32, ObserveError> {
    let entries = std::fs::read_dir("/proc").map_err(unreadable("/proc"))?;
    let processes = entries
        .flatten()
        .filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit))
        .count();
    Ok(u32::try_from(processes).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_gives_samples_within_bounds() {
        let mut collector = Collector::new();
        for _ in 0..2 {
            let metrics = collector.sample().unwrap();
            metrics.validate().unwrap();
            assert!(metrics.processes >= 1 && metrics.uptime_seconds > 0, "{metrics:?}");
        }
    }

    #[test]
    fn utilization_is_the_difference_between_two_samples() {
        let mut collector = Collector::new();
        collector.advance(Ticks { busy: 100, idle: 300 }, 1);
        assert!((collector.utilization - 0.25).abs() < 1e-9);
        collector.advance(Ticks { busy: 190, idle: 310 }, 1);
        assert!((collector.utilization - 0.9).abs() < 1e-9);
    }

    #[test]
    fn too_short_a_time_keeps_the_last_answer_and_its_start() {
        let mut collector = Collector::new();
        collector.advance(Ticks { busy: 100, idle: 300 }, 2);
        collector.advance(Ticks { busy: 105, idle: 300 }, 2);
        assert!((collector.utilization - 0.25).abs() < 1e-9);
        collector.advance(Ticks { busy: 110, idle: 300 }, 2);
        assert!((collector.utilization - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_counter_that_runs_backwards_is_no_panic() {
        let mut collector = Collector::new();
        collector.advance(Ticks { busy: 100, idle: 300 }, 1);
        collector.advance(Ticks { busy: 120, idle: 299 }, 1);
        assert!((collector.utilization - 1.0).abs() < 1e-9);
    }
}
