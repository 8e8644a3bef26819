//! The home's jobs: steps as units of work, what people ask, what the jobs find.

use std::{collections::BTreeSet, fs};

use access::Role;
use desk::{Call, Desk, DeskError, JobCondition, NewUser, Options, ScheduleStep};
use durable::Mode;
use echo_core::{Mint, Timestamp};
use scheduler::{Event, Finish, Instants, Order};

use crate::device::House;

/// A scheduler by hand: time goes on as it is told.
struct Hand<'h> {
    desk: &'h Desk,
    now: Instants,
    holder: &'static str,
    alive: BTreeSet<String>,
}

impl<'h> Hand<'h> {
    fn of(desk: &'h Desk, holder: &'static str) -> Self {
        let now = Instants { wall: desk.now(), monotonic: 0, boot: "b".to_owned() };
        Self { desk, now, holder, alive: BTreeSet::new() }
    }

    fn pass(&mut self, seconds: i64) {
        self.now.monotonic += seconds * 1000;
        self.now.wall = Timestamp::from_second(self.now.wall.as_second() + seconds).unwrap();
    }

    async fn step(&mut self, events: &[Event]) -> Vec<(String, String)> {
        let step = ScheduleStep { now: &self.now, holder: self.holder, alive: &self.alive, events };
        let turn = self.desk.schedule_step(step).await.unwrap();
        let started: Vec<(String, String)> = turn
            .orders
            .into_iter()
            .filter_map(|order| match order {
                Order::Start { job, run, .. } => Some((job, run)),
                Order::Stop { .. } => None,
            })
            .collect();
        self.alive.extend(started.iter().map(|(_, run)| run.clone()));
        started
    }

    async fn finish(&mut self, run: &str, finish: Finish) -> bool {
        self.alive.remove(run);
        self.desk.schedule_finish(&self.now, (self.holder, run), finish).await.unwrap()
    }

    /// Until `job` starts; whatever else starts meanwhile does its work at once.
    async fn until(&mut self, job: &str) -> String {
        for _ in 0..200 {
            for (name, run) in self.step(&[]).await {
                if name == job {
                    return run;
                }
                self.finish(&run, Finish::Done("fine".to_owned())).await;
            }
            self.pass(20);
        }
        panic!("{job} does not start");
    }
}

async fn view(house: &House, job: &str) -> desk::JobView {
    let view = house.desk.schedule_view(&house.call().principal).await.unwrap();
    view.jobs.into_iter().find(|one| one.name == job).unwrap()
}

#[tokio::test]
async fn a_run_that_is_asked_for_runs_once_and_says_what_came_of_it() {
    let house = House::found().await;
    let mut hand = Hand::of(&house.desk, "first");
    let asked = house.desk.run_job(&house.call(), "smart").await.unwrap();
    assert_eq!(asked.condition, JobCondition::Waiting);
    let again = house.desk.run_job(&house.call(), "smart").await;
    assert!(matches!(again, Err(DeskError::Conflict(_))), "it waits already");
    let run = hand.until("smart").await;
    assert_eq!(view(&house, "smart").await.condition, JobCondition::Running);
    assert!(hand.finish(&run, Finish::Done("2 disks".to_owned())).await);
    assert!(!hand.finish(&run, Finish::Done("again".to_owned())).await, "it is over");
    let job = view(&house, "smart").await;
    let last = job.last.unwrap();
    assert_eq!(
        (job.condition, last.message.as_str(), last.cause.as_str()),
        (JobCondition::Good, "2 disks", "asked for")
    );
    assert_eq!(house.desk.job_runs(&house.call().principal, "smart").await.unwrap(), [last]);
}

#[tokio::test]
async fn two_schedulers_on_one_home_give_one_order() {
    let house = House::found().await;
    house.desk.run_job(&house.call(), "smart").await.unwrap();
    let (mut first, mut second) = (Hand::of(&house.desk, "first"), Hand::of(&house.desk, "second"));
    let mut started = Vec::new();
    for _ in 0..10 {
        let (one, other) = tokio::join!(first.step(&[]), second.step(&[]));
        for (hand, runs) in [(&mut first, one), (&mut second, other)] {
            for (job, run) in runs {
                // What else is due after a start makes place.
                if job != "smart" {
                    hand.finish(&run, Finish::Done("fine".to_owned())).await;
                }
                started.push(run);
            }
            hand.pass(5);
        }
    }
    assert_eq!(started.iter().filter(|run| run.starts_with("smart")).count(), 1, "{started:?}");
    assert_eq!(started.iter().collect::<BTreeSet<_>>().len(), started.len(), "{started:?}");
}

#[tokio::test]
async fn a_job_that_fails_is_an_alarm_until_it_works_again() {
    let house = House::found().await;
    let mut hand = Hand::of(&house.desk, "first");
    for attempt in 0..3 {
        if attempt == 0 {
            house.desk.run_job(&house.call(), "trust_watch").await.unwrap();
        }
        let run = hand.until("trust_watch").await;
        assert_eq!(house.desk.health().await.alarms, Vec::<String>::new());
        hand.finish(&run, Finish::Failed("the moon is full".to_owned())).await;
    }
    let alarms = house.desk.health().await.alarms;
    assert!(alarms[0].contains("trust_watch") && alarms[0].contains("the moon is full"), "{alarms:?}");
    assert_eq!(view(&house, "trust_watch").await.condition, JobCondition::Failing);
    house.desk.run_job(&house.call(), "trust_watch").await.unwrap();
    let run = hand.until("trust_watch").await;
    hand.finish(&run, Finish::Done("nothing ends soon".to_owned())).await;
    assert_eq!(house.desk.health().await.alarms, Vec::<String>::new());
}

#[tokio::test]
async fn what_is_under_way_survives_a_start() {
    let house = House::found().await;
    house.desk.run_job(&house.call(), "smart").await.unwrap();
    let run = Hand::of(&house.desk, "first").until("smart").await;
    let folder = house.folder;
    house.desk.close().await.unwrap();
    drop(house.desk);
    let opened = crate::device::open(folder.path()).await;
    let mut hand = Hand::of(&opened.desk, "second");
    hand.now.boot = "another".to_owned();
    let again = hand.until("smart").await;
    assert_eq!(again, run, "the same run, under its key");
}

#[tokio::test]
async fn the_shipped_jobs_do_their_work_on_a_fresh_home() {
    let house = House::found().await;
    let desk = &house.desk;
    assert!(desk.check_integrity().await.unwrap().contains("are whole"));
    desk.keep_house().await.unwrap();
    desk.forget_old().await.unwrap();
    desk.keep_prompts_clean().await.unwrap();
    assert!(desk.learn_anew().await.unwrap().contains("nothing to learn"));
    assert!(desk.keep_index().await.unwrap().contains("everything"));
    desk.vacuum().await.unwrap();
    assert!(desk.watch_trust().await.unwrap().contains("none ends"));
    assert!(desk.watch_certificates(Vec::new()).await.unwrap().contains("none ends"));
}

#[tokio::test]
async fn integrity_names_what_was_changed() {
    let house = House::found().await;
    let playbook = house.desk.home().join("playbooks/core-dumps.yaml");
    let mut text = fs::read_to_string(&playbook).unwrap();
    text.push_str("# changed\n");
    durable::write(&playbook, text.as_bytes(), Mode::Public).unwrap();
    let tile = house.desk.home().join("genesis_ledger/tile/entries/000.p");
    let bundle = fs::read_dir(&tile).unwrap().filter_map(Result::ok).map(|entry| entry.path()).max().unwrap();
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[40] ^= 1;
    durable::write(&bundle, &bytes, Mode::Public).unwrap();
    let error = house.desk.check_integrity().await.unwrap_err().to_string();
    assert!(error.contains("core-dumps.yaml") && error.contains("genesis ledger"), "{error}");
}

#[tokio::test]
async fn what_ends_soon_is_told_and_makes_listening_jobs_run() {
    let house = house_with("version: 1\njobs:\n- {name: trust_watch, when: [{on: key_expiry}]}\n").await;
    let mut hand = Hand::of(&house.desk, "first");
    assert_eq!(hand.step(&[]).await, []);
    let soon = Timestamp::from_second(house.desk.now().as_second() + 3600).unwrap();
    let said =
        house.desk.watch_certificates(vec![("the certificate of the proxy".to_owned(), soon)]).await.unwrap();
    assert!(said.contains("the proxy ends on"), "{said}");
    hand.pass(1);
    let started = hand.step(&[]).await;
    assert_eq!(started.len(), 1, "{started:?}");
    assert_eq!(hand.step(&[]).await, [], "told once");
}

/// A home with a schedule of its own, signed by its playbook author.
async fn house_with(yaml: &str) -> House {
    let house = House::found().await;
    let path = house.desk.home().join("manifest/schedule.yaml");
    durable::write(&path, yaml.as_bytes(), Mode::Public).unwrap();
    let folder = house.folder;
    house.desk.close().await.unwrap();
    drop(house.desk);
    let keys = trust::Keystore::open_or_create(folder.path(), &Mint::system()).unwrap();
    let author = keys.signer(trust::KeyRole::PlaybookAuthor).unwrap();
    trust::content::sign_file(&path, author).unwrap();
    let opened = Desk::open(Options::new(folder.path().to_owned(), Mint::system())).await.unwrap();
    House { desk: opened.desk, folder, ..house }
}

#[tokio::test]
async fn a_home_may_have_a_schedule_of_its_own_and_one_that_is_not_signed_is_not_used() {
    let house = house_with("version: 1\njobs:\n- {name: smart, when: [{every: 2h}]}\n").await;
    let view = house.desk.schedule_view(&house.call().principal).await.unwrap();
    assert_eq!((view.jobs.len(), view.trouble), (1, None));
    let path = house.desk.home().join("manifest/schedule.yaml");
    durable::write(&path, b"version: 1\njobs: []\n", Mode::Public).unwrap();
    let folder = house.folder;
    house.desk.close().await.unwrap();
    drop(house.desk);
    let opened = crate::device::open(folder.path()).await;
    let view = opened.desk.schedule_view(&house.operator).await.unwrap();
    assert!(view.trouble.is_some());
    assert_eq!(view.jobs.len(), desk::KNOWN_JOBS.len(), "the built-in one");
}

#[tokio::test]
async fn only_an_operator_admin_has_to_do_with_the_schedule() {
    let house = House::found().await;
    let technician = NewUser { name: "Tom".to_owned(), role: Role::Technician, customer: None };
    house.desk.add_user(&house.call(), technician).await.unwrap();
    let mut principal = house.call().principal;
    principal.role = Role::Technician;
    let call = Call::by(principal.clone());
    assert!(matches!(house.desk.run_job(&call, "smart").await, Err(DeskError::Denied(_))));
    assert!(matches!(house.desk.schedule_view(&principal).await, Err(DeskError::Denied(_))));
    assert!(matches!(house.desk.run_job(&house.call(), "teapot").await, Err(DeskError::NotFound { .. })));
}
