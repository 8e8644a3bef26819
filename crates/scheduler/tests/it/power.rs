//! A hundred losses of power at random places of a run's life, with every policy for missed runs.

use std::collections::BTreeMap;

use echo_core::Timestamp;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proptest::{prelude::Rng as _, test_runner::RngSeed};
use scheduler::Order;

use crate::{
    oracle::{Wanted, instants},
    world::{World, at, done},
    year::{FROM, JOBS, TO, yaml},
};

const CUTS: usize = 100;

/// Where the power goes.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Before the step is on the disk.
    BeforeKeeping,
    /// The step is on the disk, its orders are not carried out.
    AfterKeeping,
    /// The run began and did nothing.
    BeforeEffect,
    /// The run did its work, which nobody kept.
    AfterEffect,
}

const PLACES: [Cut; 4] = [Cut::BeforeKeeping, Cut::AfterKeeping, Cut::BeforeEffect, Cut::AfterEffect];

/// What the policy says, from the times at which a step was kept alone.
fn expected(policy: &str, due: &[Timestamp], steps: &[Timestamp]) -> Vec<Timestamp> {
    let mut runs = Vec::new();
    for pair in steps.windows(2) {
        let came: Vec<Timestamp> = due.iter().copied().filter(|t| *t > pair[0] && *t <= pair[1]).collect();
        let Some(last) = came.last().copied() else { continue };
        let late = pair[1].as_second() - last.as_second() > 60;
        match policy {
            "skip" if late => {}
            "skip" | "once" => runs.push(last),
            _ => runs.extend(&came[came.len().saturating_sub(3)..]),
        }
    }
    runs
}

/// Plays the year; the times at which steps were kept, and the world in the end.
fn play(policy: &str, seed: u64) -> (World, Vec<Timestamp>, usize) {
    let jobs = yaml(&JOBS, &format!(", missed: {policy}, overlap: queue, retries: {{max: 5, backoff: 0s}}"));
    let mut world = World::new(&jobs, FROM);
    let mut random = random(seed);
    let mut moments: Vec<Timestamp> = JOBS
        .iter()
        .flat_map(|(_, _, wanted)| instants(wanted, at(FROM), at(TO)))
        .filter(|t| *t > at(FROM))
        .collect();
    moments.sort_unstable();
    moments.dedup();
    // A cut at every so manieth moment at which something is due, so that they are spread over the year.
    let mut next_cut = moments.len() / CUTS / 2;
    let (mut steps, mut cuts) = (vec![at(FROM)], 0);
    world.step();
    for (number, moment) in moments.iter().enumerate() {
        if *moment <= world.now.wall {
            continue;
        }
        let seconds = moment.as_second() - world.now.wall.as_second();
        world.pass(seconds);
        if number < next_cut || cuts == CUTS {
            world.step();
            steps.push(world.now.wall);
            continue;
        }
        let place = PLACES[random.next_u32() as usize % PLACES.len()];
        if !matches!(place, Cut::BeforeKeeping) {
            let turn = world.decide(&[]);
            steps.push(world.now.wall);
            if matches!(place, Cut::BeforeEffect | Cut::AfterEffect)
                && let Some(Order::Start { run, .. }) = turn.orders.first()
            {
                world.begin(run);
                if matches!(place, Cut::AfterEffect) {
                    world.effect(run);
                }
            }
        }
        cuts += 1;
        next_cut = number + moments.len() / CUTS;
        // Off for a minute to some days.
        let off = 60 + i64::from(random.next_u32()) % (if cuts % 10 == 0 { 300_000 } else { 20_000 });
        world.reboot(off);
        world.step();
        steps.push(world.now.wall);
    }
    (world, steps, cuts)
}

fn random(seed: u64) -> TestRng {
    let config =
        Config { rng_seed: RngSeed::Fixed(seed), rng_algorithm: RngAlgorithm::ChaCha, ..Config::default() };
    TestRunner::new(config).new_rng()
}

fn check(policy: &str, seed: u64) {
    let (world, steps, cuts) = play(policy, seed);
    assert!(cuts >= CUTS - 5, "{cuts} cuts of {CUTS}");
    let mut done_by_job: BTreeMap<&str, Vec<Timestamp>> = BTreeMap::new();
    for run in world.effects.keys() {
        let (job, at) = run.split_once('@').unwrap();
        done_by_job.entry(job).or_default().push(at.parse().unwrap());
    }
    for (name, _, wanted) in &JOBS {
        let wanted: &Wanted = wanted;
        let due = instants(wanted, at(FROM), at(TO));
        let mut did = done_by_job.remove(name).unwrap_or_default();
        did.sort_unstable();
        assert_eq!(did, expected(policy, &due, &steps), "{policy}, seed {seed}, {name}");
    }
    assert!(world.again > 5, "some runs were made again after their effect: {}", world.again);
}

#[test]
fn what_was_missed_is_left_out() {
    check("skip", 1);
}

#[test]
fn one_run_stands_for_what_was_missed() {
    check("once", 2);
}

#[test]
fn the_latest_three_missed_are_made_up_for() {
    check("{all: 3}", 3);
}

#[test]
fn a_run_that_was_cut_off_is_made_again_under_its_key() {
    let mut world = World::new("- {name: j, when: [{every: 1h}]}", FROM);
    world.slow.insert("j".to_owned());
    world.step();
    world.pass(3600);
    world.step();
    world.reboot(30);
    world.step();
    assert_eq!(world.runs(), ["j@2028-01-01T01:00:00Z", "j@2028-01-01T01:00:00Z"]);
    assert_eq!(world.outcomes("j"), ["Interrupted"]);
    assert!(world.end("j@2028-01-01T01:00:00Z", done()));
    assert_eq!(world.outcomes("j"), ["Interrupted", "Done"]);
}
