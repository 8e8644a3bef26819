//! Compares a machine, or a tree of files, with a policy and prints a table.
//!
//! `cargo run -p security --example scan -- [--root DIR] [--any-machine] [POLICY]`
#![allow(clippy::print_stdout)]

use std::{error::Error, path::PathBuf};

use echo_core::{Clock as _, SystemClock};
use security::{LiveSystem, MAX_POLICY, MountedSystem, Policy, System, evaluate};

const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/echo_linux_baseline.yml");

fn main() -> Result<(), Box<dyn Error>> {
    let mut system: Box<dyn System> = Box::new(LiveSystem);
    let (mut path, mut any_machine) = (PathBuf::from(BASELINE), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--root" => {
                let root = arguments.next().ok_or("--root wants a directory")?;
                system = Box::new(MountedSystem::new(root.into()));
            }
            // Asks a policy that says it is for another machine.
            "--any-machine" => any_machine = true,
            _ => path = argument.into(),
        }
    }
    let bytes = durable::read(&path, MAX_POLICY as u64)?.ok_or("there is no such policy")?;
    let mut policy = Policy::parse(std::str::from_utf8(&bytes)?)?;
    if any_machine {
        policy.requirements = None;
    }
    let report = evaluate(&policy, system.as_ref(), SystemClock.now());
    report.validate()?;
    for check in &report.checks {
        let outcome = format!("{:?}", check.outcome);
        println!("{:>6} {outcome:<13} {:<8} {}", check.check, format!("{:?}", check.severity), check.title);
        println!("{:>30}{}", "", check.reason);
    }
    println!(
        "{}: score {}; {} passed, {} failed, {} not applicable, {} invalid",
        report.policy, report.score, report.passed, report.failed, report.not_applicable, report.invalid
    );
    Ok(())
}
