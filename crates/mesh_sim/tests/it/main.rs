//! A few dozen meshes, each with its own bad luck.

use std::thread;

use mesh_sim::Report;

const SEEDS: u64 = 40;

#[test]
fn forty_meshes_survive_their_bad_luck() {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let play = |first: usize| -> Vec<(u64, Report)> {
        (0..SEEDS).skip(first).step_by(threads).map(|seed| (seed, mesh_sim::run(seed))).collect()
    };
    let reports: Vec<(u64, Report)> = thread::scope(|scope| {
        let parts: Vec<_> = (0..threads).map(|first| scope.spawn(move || play(first))).collect();
        parts.into_iter().flat_map(|part| part.join().unwrap()).collect()
    });
    let bad: Vec<&(u64, Report)> = reports.iter().filter(|(_, report)| !report.faults.is_empty()).collect();
    for (seed, report) in &bad {
        eprintln!("seed {seed}:\n{}", report.faults.join("\n"));
    }
    assert!(bad.is_empty(), "replay with `cargo run --release -p mesh_sim -- --seed N`");
    let sum = |count: fn(&Report) -> usize| reports.iter().map(|(_, report)| count(report)).sum::<usize>();
    let (executed, settled) = (sum(|r| r.executed), sum(|r| r.settled));
    let (pulses, turned_away) = (sum(|r| r.pulses), sum(|r| r.turned_away));
    let (cosignatures, forked) = (sum(|r| r.cosignatures), sum(|r| usize::from(r.forked)));
    assert!(cosignatures > 300 && forked > 4, "{cosignatures} {forked}");
    // A story in which nothing happens would prove nothing.
    assert!(
        executed > 300 && settled > 200 && pulses > 2_000 && turned_away > 200,
        "{executed} {settled} {pulses} {turned_away}"
    );
}

#[test]
fn a_seed_always_tells_the_same_story() {
    let tell = || format!("{:?}", mesh_sim::run(3));
    assert_eq!(tell(), tell());
}
