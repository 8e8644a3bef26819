//! A clock that people set: the genesis ledger says so, and times go back nowhere else.

use std::{sync::Arc, time::Duration};

use desk::{ClockSet, Connection, Desk, Network, Noticed, Opened, Options};
use dossier::LogName;
use echo_core::{ManualClock, Mint, SeededEntropy, Timestamp};
use ledger::Entry;

use crate::{device::House, flow::worry};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at("2026-11-01T10:00:00Z".parse().unwrap()))
}

fn options(home: &std::path::Path, clock: &Arc<ManualClock>, seed: u64) -> Options {
    let mint = Mint::new(clock.clone(), Arc::new(SeededEntropy::new(seed)));
    Options::new(home.to_owned(), mint)
}

async fn house(clock: &Arc<ManualClock>) -> House {
    let folder = tempfile::tempdir().unwrap();
    let opened = Desk::open(options(folder.path(), clock, 1)).await.unwrap();
    signed_in(folder, opened).await
}

async fn signed_in(folder: tempfile::TempDir, opened: Opened) -> House {
    let tokens = opened.desk.sign_in(&opened.sign_in.secret).await.unwrap();
    let operator = opened.desk.authenticate(&tokens.access_token).await.unwrap();
    House { folder, desk: opened.desk, operator }
}

async fn grow(house: &House, name: &str) {
    let customer = house.customer(name).await;
    house.desk.open_case(&house.call(), worry(&customer, None)).await.unwrap();
}

async fn settings(house: &House) -> Vec<ClockSet> {
    house.desk.clock_settings(&house.operator).await.unwrap()
}

/// The entries of a log with their kinds and times.
fn entries(house: &House, log: LogName) -> Vec<(String, Timestamp)> {
    let log = house.desk.log(log);
    let all = log.entries(0, usize::try_from(log.size()).unwrap()).unwrap();
    all.iter().map(|bytes| Entry::from_bytes(bytes).unwrap()).map(|entry| (entry.kind, entry.at)).collect()
}

/// Times go back at entries that say so, and nowhere else.
fn assert_in_order(house: &House) {
    let all = entries(house, LogName::Genesis);
    assert!(all.len() > 5);
    for pair in all.windows(2) {
        assert!(pair[0].1 <= pair[1].1 || pair[1].0 == "clock_set", "{pair:?}");
    }
}

#[tokio::test]
async fn a_clock_that_drifts_back_enters_nothing_before_what_is_there() {
    let clock = clock();
    let house = house(&clock).await;
    grow(&house, "Anna").await;
    clock.advance_millis(-30_000);
    grow(&house, "Berta").await;
    assert!(settings(&house).await.is_empty());
    let newest = entries(&house, LogName::Genesis).pop().unwrap().1;
    assert_eq!(newest, "2026-11-01T10:00:00Z".parse().unwrap(), "held at the newest entry's time");
    assert_in_order(&house);
}

#[tokio::test]
async fn an_entry_before_the_newest_one_comes_after_the_word_that_the_clock_was_set() {
    let clock = clock();
    let house = house(&clock).await;
    grow(&house, "Anna").await;
    clock.advance_millis(-2 * HOUR);
    assert!(house.desk.health().await.problems[0].contains("set back"));
    grow(&house, "Berta").await;
    let [set] = &settings(&house).await[..] else { panic!("it was set once") };
    assert_eq!((set.noticed, set.accepted), (Noticed::Entering, false));
    assert_eq!(set.to, "2026-11-01T08:00:00Z".parse().unwrap());
    assert_in_order(&house);
    assert!(house.desk.health().await.ready, "what comes now carries the right time");
    // The aeterna ledger goes on from there as well, without a second word.
    clock.advance_millis(1_000);
    house.desk.commit_heads().await.unwrap();
    assert_eq!(settings(&house).await.len(), 1);
    let document = house.desk.document(&house.operator, dossier::Kind::ClockSet, &set.id).await.unwrap();
    let payload: ClockSet =
        serde_json::from_slice(&document.document.envelope.payload_unchecked().unwrap()).unwrap();
    assert_eq!(&payload, set);
}

#[tokio::test]
async fn a_jump_beside_the_clock_that_nobody_can_set_is_entered_once() {
    let clock = clock();
    let house = house(&clock).await;
    let look = async |seconds| house.desk.look_at_clock(Duration::from_secs(seconds)).await.unwrap();
    look(100).await;
    clock.advance_millis(5_000);
    look(105).await;
    // A night asleep: both clocks went on.
    clock.advance_millis(8 * HOUR);
    look(105 + 8 * 3600).await;
    assert!(settings(&house).await.is_empty());
    clock.advance_millis(3 * DAY);
    look(110 + 8 * 3600).await;
    look(115 + 8 * 3600).await;
    let [set] = &settings(&house).await[..] else { panic!("it was set once") };
    assert_eq!(set.noticed, Noticed::Running);
    assert_eq!(set.to.as_second() - set.from.as_second(), 3 * 24 * 3600 - 5);
    clock.advance_millis(-3 * DAY);
    look(120 + 8 * 3600).await;
    let [back, _] = &settings(&house).await[..] else { panic!("newest first") };
    assert!(back.to < back.from && back.noticed == Noticed::Running);
    grow(&house, "Anna").await;
    look(125 + 8 * 3600).await;
    assert_eq!(settings(&house).await.len(), 2, "each setting is entered once");
    assert_in_order(&house);
}

#[tokio::test]
async fn a_start_by_a_wrong_clock_is_refused_and_leaves_everything_as_it_was() {
    let clock = clock();
    let founded = house(&clock).await;
    grow(&founded, "Anna").await;
    let size = founded.desk.log(LogName::Genesis).size();
    let chain = founded.desk.trust_chain();
    founded.desk.close().await.unwrap();
    let House { folder, .. } = founded;
    for wrong in ["1970-01-01T00:00:10Z", "2026-10-30T00:00:00Z", "2099-01-01T00:00:00Z"] {
        let wrong = Arc::new(ManualClock::at(wrong.parse().unwrap()));
        let refused = Desk::open(options(folder.path(), &wrong, 2)).await.unwrap_err().to_string();
        assert!(refused.contains("--accept-clock") && refused.contains("nothing was touched"), "{refused}");
    }
    clock.advance_millis(HOUR);
    let opened = Desk::open(options(folder.path(), &clock, 3)).await.unwrap();
    let house = signed_in(folder, opened).await;
    assert_eq!((house.desk.log(LogName::Genesis).size(), house.desk.trust_chain()), (size, chain));
    assert!(settings(&house).await.is_empty() && house.desk.health().await.ready);
}

#[tokio::test]
async fn a_start_years_later_is_taken_on_a_persons_word_and_entered() {
    let clock = clock();
    let founded = house(&clock).await;
    grow(&founded, "Anna").await;
    founded.desk.close().await.unwrap();
    let House { folder, .. } = founded;
    clock.advance_millis(3_650 * DAY);
    let accepted = Options { accept_clock: true, ..options(folder.path(), &clock, 2) };
    let house = signed_in(folder, Desk::open(accepted).await.unwrap()).await;
    let [set] = &settings(&house).await[..] else { panic!("it was set once") };
    assert_eq!((set.noticed, set.accepted), (Noticed::AtStart, true));
    assert!(set.to > set.from);
    grow(&house, "Berta").await;
    assert_in_order(&house);
    assert!(house.desk.health().await.ready, "the trust registry was renewed");
}

#[tokio::test]
async fn no_home_is_founded_by_a_clock_from_before_this_program() {
    let home = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(Timestamp::UNIX_EPOCH));
    let refused = Desk::open(options(home.path(), &clock, 1)).await.unwrap_err().to_string();
    assert!(refused.contains("1970"), "{refused}");
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_network_that_goes_and_comes_is_told() {
    let house = house(&clock()).await;
    let told = async || house.desk.events_after(&house.operator, 0).await.unwrap().len();
    let before = told().await;
    let network = |connection| Network { connection, offline: false };
    house.desk.network_is(network(Connection::Routed)).await.unwrap();
    assert_eq!(told().await, before, "a network like any other is no news");
    house.desk.network_is(network(Connection::Alone)).await.unwrap();
    house.desk.network_is(network(Connection::Alone)).await.unwrap();
    assert_eq!(told().await, before + 1);
    assert!(house.desk.network().words().contains("working alone"));
    let view = house.desk.health_view(&house.operator).await.unwrap();
    assert_eq!(view.network.connection, Connection::Alone);
    house.desk.network_is(network(Connection::Routed)).await.unwrap();
    assert_eq!(told().await, before + 2);
}
