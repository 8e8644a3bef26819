//! Clocks that jump, both ways.

use scheduler::Told;

use crate::world::World;

const HOURLY: &str = "- {name: j, when: [{cron: '0 * * * *'}]}";

#[test]
fn a_clock_that_is_set_ahead_misses_what_it_jumps_over() {
    let mut world = World::new(HOURLY, "2028-01-01T00:30:00Z");
    world.step();
    world.pass(10);
    world.set(5 * 3600);
    world.step();
    assert_eq!(world.told, [Told::ClockSet(5 * 3_600_000)]);
    assert_eq!(world.runs(), ["j@2028-01-01T05:00:00Z"], "one run for five");
    assert_eq!(world.outcomes("j"), ["Missed", "Done"]);
}

#[test]
fn a_clock_that_is_set_back_a_little_runs_nothing_twice() {
    let mut world = World::new(HOURLY, "2028-01-01T00:59:00Z");
    world.step();
    world.pass(60);
    world.step();
    world.set(-1800);
    for _ in 0..120 {
        world.pass(60);
        world.step();
    }
    let runs = ["j@2028-01-01T01:00:00Z", "j@2028-01-01T02:00:00Z"];
    assert_eq!(world.runs(), runs, "01:00 came twice");
    assert_eq!(world.told, [Told::ClockSet(-1_800_000)]);
}

#[test]
fn a_clock_that_was_in_2099_does_not_hold_up_the_schedule() {
    let mut world = World::new(HOURLY, "2099-06-01T00:30:00Z");
    world.step();
    world.pass(1800);
    world.step();
    world.now.wall = "2028-01-01T00:30:00Z".parse().unwrap();
    world.step();
    world.pass(1800);
    world.step();
    assert_eq!(world.runs(), ["j@2099-06-01T01:00:00Z", "j@2028-01-01T01:00:00Z#1"]);
}

#[test]
fn a_clock_of_1970_goes_on_in_2028_with_one_run() {
    let mut world = World::new(HOURLY, "1970-01-01T00:00:10Z");
    world.step();
    world.pass(5);
    world.now.wall = "2028-01-01T00:10:00Z".parse().unwrap();
    world.step();
    assert_eq!(world.runs(), ["j@2028-01-01T00:00:00Z"]);
}

#[test]
fn a_run_set_back_far_has_other_keys_than_before() {
    let mut world = World::new(HOURLY, "2028-01-01T00:59:00Z");
    world.step();
    for _ in 0..300 {
        world.pass(60);
        world.step();
    }
    let before = world.effects.len();
    world.set(-4 * 3600);
    for _ in 0..300 {
        world.pass(60);
        world.step();
    }
    assert_eq!((world.effects.len() - before, world.again), (5, 0), "{:?}", world.runs());
}

#[test]
fn timeouts_go_by_the_clock_that_nobody_sets() {
    let mut world = World::new(
        "- {name: j, when: [{cron: '0 * * * *'}], timeout: 10 min, retries: {max: 0, backoff: 0s}}",
        "2028-01-01T00:59:00Z",
    );
    world.slow.insert("j".to_owned());
    world.step();
    world.pass(60);
    world.step();
    world.set(1200);
    world.step();
    assert_eq!(world.outcomes("j"), Vec::<String>::new(), "no ten minutes have passed");
    world.pass(601);
    world.step();
    assert_eq!(world.outcomes("j"), ["TimedOut"]);
}

#[test]
fn sleep_is_time_that_passed() {
    let mut world = World::new(HOURLY, "2028-01-01T00:30:00Z");
    world.step();
    world.pass(3 * 3600);
    world.step();
    assert_eq!(world.told, [], "the machine slept, and both clocks went on");
    assert_eq!(world.runs(), ["j@2028-01-01T03:00:00Z"]);
}
