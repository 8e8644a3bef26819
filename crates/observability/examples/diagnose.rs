//! Prints the diagnosis of this machine as JSON: `cargo run -p observability --example diagnose`.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::{thread, time::Duration};

use echo_core::{Clock as _, SystemClock};
use observability::{Collector, diagnose};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut collector = Collector::new();
    // CPU utilization is a difference: without a wait it would be the average since the machine started.
    collector.sample()?;
    thread::sleep(Duration::from_millis(500));
    let diagnosis = diagnose(&mut collector, SystemClock.now())?;
    diagnosis.validate()?;
    println!("{}", serde_json::to_string_pretty(&diagnosis)?);
    Ok(())
}
