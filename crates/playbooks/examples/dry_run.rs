//! Shows what playbooks would change below a root, and changes nothing.
//!
//! `cargo run -p playbooks --example dry_run -- --root DIR playbooks/*.yaml`

use std::{path::PathBuf, process::ExitCode};

use playbooks::{Plan, Target, Template};

fn main() -> ExitCode {
    match run() {
        Ok(plan) => {
            show(&plan);
            ExitCode::SUCCESS
        }
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Plan, String> {
    let mut target = None;
    let mut templates = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--root" {
            let root = arguments.next().ok_or("--root needs a folder")?;
            target = Some(Target::new(PathBuf::from(root)));
        } else if argument == "--live" {
            target = Some(Target::live());
        } else {
            let yaml = std::fs::read_to_string(&argument).map_err(|e| format!("{argument}: {e}"))?;
            templates.push(Template::parse(&yaml).map_err(|e| format!("{argument}: {e}"))?);
        }
    }
    let target = target.ok_or("usage: dry_run (--root DIR | --live) PLAYBOOK.yaml...")?;
    playbooks::plan(&templates, &target).map_err(|e| e.to_string())
}

#[expect(clippy::print_stdout, reason = "an example prints its answer")]
fn show(plan: &Plan) {
    print!("{}", plan.diff);
    for skipped in &plan.skipped {
        println!("# left out: {}: {}", skipped.step, skipped.reason);
    }
    println!("# {} changes, risk {:?}, plan {}", plan.changes.len(), plan.risk, plan.digest());
}

#[expect(clippy::print_stderr, reason = "an example says what went wrong")]
fn complain(why: &str) {
    eprintln!("{why}");
}
