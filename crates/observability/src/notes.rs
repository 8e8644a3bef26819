//! What a technician would remark on, looking at a sample.

use serde::{Deserialize, Serialize};

use crate::{
    bounds::{self, BoundsError, MAX_TEXT},
    facts::HostFacts,
    metrics::Metrics,
};

/// The most notes in one diagnosis.
pub const MAX_NOTES: usize = 64;
/// A disk this full, in percent, is a warning; and this full, critical.
const DISK_FULL: (u8, u8) = (85, 95);
/// Memory in use, in percent, that is a warning; and that is critical.
const MEMORY_USED: (u64, u64) = (90, 95);
/// Swap in use, in percent, that is a warning.
const SWAP_USED: u64 = 50;
/// Runnable threads for each CPU, over five minutes, that are a warning.
const LOAD_EACH_CPU: f64 = 2.0;
/// CPU utilization that is a warning.
const CPU_BUSY: f64 = 0.95;
/// Days without a restart after which the kernel is likely to miss updates.
const LONG_UPTIME_DAYS: u64 = 180;

/// How much a note matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Will become a fault if nothing is done.
    Warning,
    /// A fault now, or very soon.
    Critical,
}

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    /// How much it matters.
    pub severity: Severity,
    /// What was seen, such as `disk / is 93 % full`.
    pub text: String,
}

impl Note {
    pub(crate) fn new(severity: Severity, text: impl AsRef<str>) -> Self {
        Self { severity, text: bounds::clean(text.as_ref(), MAX_TEXT) }
    }

    pub(crate) fn validate(&self) -> Result<(), BoundsError> {
        bounds::text("notes.text", &self.text, MAX_TEXT)
    }
}

/// The notes on a sample, the gravest first.
pub(crate) fn on(facts: &HostFacts, metrics: &Metrics, failed_services: &[String]) -> Vec<Note> {
    let mut notes = Vec::new();
    disks(metrics, &mut notes);
    memory(metrics, &mut notes);
    cpu(facts, metrics, &mut notes);
    match failed_services {
        [] => {}
        [one] => notes.push(Note::new(Severity::Warning, format!("service {one} has failed"))),
        [first, rest @ ..] => notes.push(Note::new(
            Severity::Warning,
            format!("{} services have failed: {first} and {} more", rest.len() + 1, rest.len()),
        )),
    }
    let days = metrics.uptime_seconds / 86_400;
    if days >= LONG_UPTIME_DAYS {
        notes.push(Note::new(Severity::Info, format!("not restarted for {days} days")));
    }
    notes.sort_by_key(|note| std::cmp::Reverse(note.severity));
    notes
}

fn disks(metrics: &Metrics, notes: &mut Vec<Note>) {
    for disk in &metrics.disks {
        let percent = disk.percent_full();
        if let Some(severity) = grade(percent, DISK_FULL) {
            notes.push(Note::new(severity, format!("disk {} is {percent} % full", disk.mount)));
        }
    }
}

fn memory(metrics: &Metrics, notes: &mut Vec<Note>) {
    let used = percent(metrics.memory_used, metrics.memory_total);
    if let Some(severity) = grade(used, MEMORY_USED) {
        notes.push(Note::new(severity, format!("memory is {used} % used")));
    }
    let swapped = percent(metrics.swap_used, metrics.swap_total);
    if swapped >= SWAP_USED {
        notes.push(Note::new(Severity::Warning, format!("swap is {swapped} % used")));
    } else if metrics.swap_used > 0 {
        let text = format!("swap in use: {} MiB", metrics.swap_used.div_ceil(1 << 20));
        notes.push(Note::new(Severity::Info, text));
    }
}

fn cpu(facts: &HostFacts, metrics: &Metrics, notes: &mut Vec<Note>) {
    if metrics.load_5 > LOAD_EACH_CPU * f64::from(facts.cpu_count) {
        let cores = if facts.cpu_count == 1 { "core" } else { "cores" };
        let text = format!("load {:.1} on {} {cores}", metrics.load_5, facts.cpu_count);
        notes.push(Note::new(Severity::Warning, text));
    }
    if metrics.cpu_utilization >= CPU_BUSY {
        let text = format!("CPU is {:.0} % busy", metrics.cpu_utilization * 100.0);
        notes.push(Note::new(Severity::Warning, text));
    }
}

fn grade<T: PartialOrd + Copy>(given: T, (warning, critical): (T, T)) -> Option<Severity> {
    if given >= critical {
        Some(Severity::Critical)
    } else if given >= warning {
        Some(Severity::Warning)
    } else {
        None
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 100 / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{diagnosis::tests::facts, metrics::tests::quiet};

    fn texts(metrics: &Metrics, failed: &[&str]) -> Vec<String> {
        let failed: Vec<String> = failed.iter().map(ToString::to_string).collect();
        on(&facts(), metrics, &failed).into_iter().map(|note| note.text).collect()
    }

    #[test]
    fn a_quiet_machine_gets_no_note() {
        assert!(texts(&quiet(), &[]).is_empty());
    }

    #[test]
    fn each_fault_is_named_and_the_gravest_comes_first() {
        let mut metrics = quiet();
        metrics.swap_used = 10 << 20;
        metrics.load_5 = 9.1;
        metrics.cpu_utilization = 0.99;
        metrics.uptime_seconds = 200 * 86_400;
        let disk = &mut metrics.disks[0];
        (disk.used, disk.available) = (39 << 30, 1 << 30);
        assert_eq!(
            texts(&metrics, &["nginx.service", "cron.service"]),
            [
                "disk / is 98 % full",
                "load 9.1 on 2 cores",
                "CPU is 99 % busy",
                "2 services have failed: nginx.service and 1 more",
                "swap in use: 10 MiB",
                "not restarted for 200 days",
            ]
        );
    }

    #[test]
    fn a_border_value_is_already_a_warning() {
        let mut metrics = quiet();
        let disk = &mut metrics.disks[0];
        (disk.used, disk.available) = (85, 15);
        assert_eq!(texts(&metrics, &[]), ["disk / is 85 % full"]);
        metrics.disks[0].available = 16;
        metrics.memory_used = metrics.memory_total / 100 * 90 + 100;
        assert_eq!(texts(&metrics, &[]), ["disk / is 85 % full", "memory is 90 % used"]);
        metrics.disks[0].available = 20;
        assert_eq!(texts(&metrics, &[]), ["memory is 90 % used"]);
    }

    #[test]
    fn a_machine_without_swap_or_memory_figures_is_no_division_by_zero() {
        let mut metrics = quiet();
        (metrics.swap_total, metrics.memory_total, metrics.memory_used) = (0, 0, 0);
        assert!(texts(&metrics, &[]).is_empty());
    }
}
