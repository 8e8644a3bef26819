//! Plays meshes: `--seeds N` many, `--seed N` one again, `--nodes N --scale` measures how a mesh grows;
//! `--from M` begins with seed M, or with meshes of M nodes.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::{process::ExitCode, time::Instant};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(failed) = command(&arguments) else {
        eprintln!("usage: mesh_sim --seeds N [--from M] | --seed N | --nodes N --scale [--from M]");
        return ExitCode::from(2);
    };
    ExitCode::from(u8::from(failed))
}

/// Whether something was found wrong; none when the arguments cannot be understood.
fn command(arguments: &[String]) -> Option<bool> {
    let number = |name: &str| -> Option<u64> {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse().ok()
    };
    if let Some(seed) = number("--seed") {
        println!("{:#?}", mesh_sim::run(seed));
        return Some(false);
    }
    if let Some(nodes) = number("--nodes") {
        scale(usize::try_from(number("--from").unwrap_or(10)).ok()?, usize::try_from(nodes).ok()?);
        return Some(false);
    }
    let seeds = number("--seeds")?;
    let first = number("--from").unwrap_or(0);
    let failed: Vec<u64> = (first..first.saturating_add(seeds)).filter(|seed| play(*seed)).collect();
    println!("{} of {seeds} seeds from {first} on failed: {failed:?}", failed.len());
    Some(!failed.is_empty())
}

/// Measures meshes from `least` nodes to `most`, ten times as many each time, one line of JSON each.
fn scale(least: usize, most: usize) {
    let sizes =
        std::iter::successors(Some(least.max(2)), |size| Some(size * 10)).take_while(|size| *size < most);
    for nodes in sizes.chain([most]) {
        let (before, began) = (resident(), Instant::now());
        let mut at_rest = None;
        let measured = mesh_sim::scale::measure(nodes, 1, || at_rest = resident());
        println!("{}", measured.line(before, at_rest, began.elapsed()));
    }
}

/// The bytes of memory that this process has (Linux, `proc_pid_statm(5)`).
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?;
    pages.split_whitespace().nth(1)?.parse::<u64>().ok().map(|pages| pages * 4096)
}

fn play(seed: u64) -> bool {
    let report = mesh_sim::run(seed);
    if !report.faults.is_empty() {
        println!("seed {seed}: {report:#?}");
    }
    !report.faults.is_empty()
}
