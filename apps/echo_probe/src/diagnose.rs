//! `echo_probe diagnose`: what a technician would look at first, on the screen.

use std::fmt::Write as _;

use echo_core::Mint;
use observability::{Collector, Diagnosis};

use crate::{cli, failure::Failure, show};

/// Diagnoses this machine and prints what was seen.
pub(crate) fn run(options: &cli::Diagnose) -> Result<(), Failure> {
    let diagnosis =
        observability::diagnose(&mut Collector::new(), Mint::system().now()).map_err(Failure::of)?;
    if options.json {
        return show::json(&diagnosis);
    }
    let text = describe(&diagnosis).map_err(Failure::of)?;
    show::data(&text)
}

fn describe(diagnosis: &Diagnosis) -> Result<String, std::fmt::Error> {
    let (facts, metrics) = (&diagnosis.facts, &diagnosis.metrics);
    let mut text = String::new();
    let mut line = |name: &str, value: String| writeln!(text, "{name:<12} {}", show::plain(&value));
    line("host", facts.hostname.clone())?;
    line(
        "system",
        format!("{} {}, kernel {}, {}", facts.os_name, facts.os_version, facts.kernel, facts.arch),
    )?;
    line("processor", format!("{} x {}", facts.cpu_count, facts.cpu_model))?;
    line("load", format!("{} {} {}", metrics.load_1, metrics.load_5, metrics.load_15))?;
    line("memory", format!("{} of {} MiB used", mib(metrics.memory_used), mib(metrics.memory_total)))?;
    for disk in &metrics.disks {
        line("disk", format!("{}: {} of {} MiB used", disk.mount, mib(disk.used), mib(disk.total)))?;
    }
    line("ports", format!("{} listen", diagnosis.listening.len()))?;
    if !diagnosis.failed_services.is_empty() {
        line("failed", diagnosis.failed_services.join(", "))?;
    }
    for note in &diagnosis.notes {
        line("note", note.text.clone())?;
    }
    Ok(text)
}

fn mib(bytes: u64) -> u64 {
    bytes / (1024 * 1024)
}
