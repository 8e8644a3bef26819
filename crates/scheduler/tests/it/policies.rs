//! What holds when runs meet, fail, wait for one another or are asked for.

use scheduler::{Event, Finish, Told, pause, resume, run_now};

use crate::world::{World, done};

const FROM: &str = "2028-01-01T00:59:30Z";

fn slow(more: &str) -> World {
    let mut world = World::new(&format!("- {{name: j, when: [{{every: 1h}}]{more}}}"), FROM);
    world.slow.insert("j".to_owned());
    world.step();
    world.pass(30);
    world.step();
    world
}

fn on(world: &mut World, seconds: i64) {
    // As often as a scheduler looks, so that leases are renewed.
    for _ in 0..seconds / 20 {
        world.pass(20);
        world.step();
    }
}

#[test]
fn a_run_that_meets_the_one_before_is_left_out() {
    let mut world = slow(", timeout: 5h");
    on(&mut world, 2 * 3600);
    assert_eq!((world.runs().len(), world.outcomes("j")), (1, vec!["Overlapped".to_owned()]));
    assert_eq!(world.kept.jobs["j"].history[0].times, 2, "two of them are one line");
}

#[test]
fn one_run_waits_for_the_one_before() {
    let mut world = slow(", timeout: 5h, overlap: queue");
    on(&mut world, 2 * 3600);
    world.end("j@2028-01-01T01:00:00Z", done());
    world.step();
    assert_eq!(world.runs(), ["j@2028-01-01T01:00:00Z", "j@2028-01-01T02:00:00Z"]);
    assert_eq!(world.outcomes("j"), ["Overlapped", "Done"]);
}

#[test]
fn a_run_stops_the_one_before() {
    let mut world = slow(", timeout: 5h, overlap: replace");
    on(&mut world, 3600);
    assert_eq!(world.runs(), ["j@2028-01-01T01:00:00Z", "j@2028-01-01T02:00:00Z"]);
    assert_eq!(world.outcomes("j"), ["Replaced"]);
}

#[test]
fn a_failed_run_is_tried_again_later_and_later_and_then_told() {
    let mut world = World::new("- {name: j, when: [{every: 24h}], retries: {max: 2, backoff: 1 min}}", FROM);
    world.broken.insert("j".to_owned());
    world.step();
    on(&mut world, 24 * 3600);
    let began: Vec<i64> =
        world.started.iter().map(|(_, at)| at.as_second() - world.started[0].1.as_second()).collect();
    assert_eq!(began, [0, 60, 180]);
    assert_eq!(world.told, [Told::Failed { job: "j".to_owned(), message: "broken".to_owned() }]);
    world.broken.clear();
    on(&mut world, 24 * 3600);
    assert_eq!(world.told[1], Told::Recovered { job: "j".to_owned() });
}

#[test]
fn a_job_waits_for_another_and_does_not_run_when_that_one_failed() {
    let jobs = "- {name: late, when: [{every: 1h}], after: [early]}\n\
                - {name: early, when: [{every: 1h}], retries: {max: 0, backoff: 0s}}";
    let mut world = World::new(jobs, FROM);
    world.step();
    on(&mut world, 40);
    assert_eq!(world.runs(), ["early@2028-01-01T01:00:00Z", "late@2028-01-01T01:00:00Z"]);
    world.broken.insert("early".to_owned());
    on(&mut world, 3600);
    assert_eq!(world.outcomes("late"), ["Done", "Blocked"]);
    world.broken.clear();
    on(&mut world, 3600);
    assert_eq!(world.outcomes("late"), ["Done", "Blocked", "Done"]);
}

#[test]
fn a_budget_is_of_one_day() {
    let mut world = World::new("- {name: j, when: [{every: 6h}], budget: {runs: 3}}", "2028-01-01T00:00:00Z");
    world.step();
    on(&mut world, 48 * 3600);
    let days: Vec<String> = world.started.iter().map(|(_, at)| at.to_string()[..10].to_owned()).collect();
    assert_eq!(days.iter().filter(|day| *day == "2028-01-02").count(), 3, "four were due");
    assert!(world.outcomes("j").contains(&"OverBudget".to_owned()));
}

#[test]
fn a_paused_job_rests_and_what_was_due_meanwhile_was_not_missed() {
    let mut world = World::new("- {name: j, when: [{every: 1h}, {on: finding}]}", FROM);
    world.step();
    pause(world.kept.jobs.get_mut("j").unwrap());
    on(&mut world, 7200);
    world.step_with(&[Event::Finding]);
    assert!(world.started.is_empty());
    let now = world.now.wall;
    let asked = run_now(world.kept.jobs.get_mut("j").unwrap(), now).unwrap();
    world.step();
    assert_eq!(world.runs(), [asked.as_str()], "whoever asks gets a run");
    resume(world.kept.jobs.get_mut("j").unwrap(), now);
    world.step();
    assert_eq!(world.started.len(), 1);
    on(&mut world, 3600);
    assert_eq!(world.started.len(), 2);
}

#[test]
fn a_run_is_asked_for_once() {
    let mut world = slow(", timeout: 5h");
    let now = world.now.wall;
    assert_eq!(run_now(world.kept.jobs.get_mut("j").unwrap(), now), None, "it runs");
}

#[test]
fn events_make_runs_and_boot_makes_one_for_each_start() {
    let mut world = World::new("- {name: j, when: [{on: boot}, {on: key_expiry}]}", FROM);
    world.step();
    world.step();
    assert_eq!(world.started.len(), 1);
    world.pass(20);
    world.step_with(&[Event::KeyExpiry, Event::KeyExpiry, Event::Power]);
    assert_eq!(world.started.len(), 2);
    world.reboot(60);
    world.step();
    assert_eq!(world.runs()[2], "j@boot/boot 1");
}

#[test]
fn two_schedulers_on_one_home_do_not_run_a_job_twice() {
    let mut world = slow(", timeout: 5h");
    let mine = std::mem::replace(&mut world.holder, "another".to_owned());
    let alive = std::mem::take(&mut world.alive);
    world.pass(50);
    world.step();
    assert_eq!(world.started.len(), 1, "the lease of the first holds");
    // The first is heard from, and its lease is renewed.
    (world.holder, world.alive) = (mine.clone(), alive);
    world.step();
    (world.holder, world.alive) = ("another".to_owned(), std::collections::BTreeSet::new());
    world.pass(50);
    world.step();
    assert_eq!(world.started.len(), 1);
    // Then it is heard from no more.
    world.pass(61);
    world.step();
    assert_eq!(world.started.len(), 2);
    world.holder = mine;
    assert!(
        !world.end("j@2028-01-01T01:00:00Z", Finish::Done("late".to_owned())),
        "it is not its run any more"
    );
}

#[test]
fn no_more_than_two_jobs_run_together() {
    let jobs: String = ["j0", "j1", "j2", "j3", "j4"]
        .map(|name| format!("- {{name: {name}, when: [{{every: 1h}}]}}\n"))
        .concat();
    let mut world = World::new(&jobs, FROM);
    world.slow.extend((0..5).map(|n| format!("j{n}")));
    world.step();
    on(&mut world, 40);
    assert_eq!(world.started.len(), scheduler::TOGETHER);
    world.end("j0@2028-01-01T01:00:00Z", done());
    world.step();
    assert_eq!(world.started.len(), 3);
}

#[test]
fn jitter_puts_a_run_off_and_is_the_same_after_a_start() {
    let jobs = "- {name: j, when: [{every: 1h}], jitter: 30 min}";
    let began = |reboot: bool| {
        let mut world = World::new(jobs, FROM);
        world.step();
        if reboot {
            world.reboot(10);
        }
        on(&mut world, 3600);
        world.started[0].1.as_second()
            - "2028-01-01T01:00:00Z".parse::<echo_core::Timestamp>().unwrap().as_second()
    };
    let put_off = began(false);
    assert!((20..1800).contains(&put_off), "{put_off}");
    assert!((put_off - began(true)).abs() <= 20, "as far as the looks are apart");
}

#[test]
fn a_job_every_second_runs_every_second() {
    let mut world = World::new("- {name: j, when: [{every: 1s}], history: 200}", FROM);
    world.step();
    for _ in 0..100 {
        let sleep = world.step();
        assert!(sleep <= 1000);
        world.pass(1);
    }
    world.step();
    assert_eq!((world.started.len(), world.effects.len()), (100, 100));
}
