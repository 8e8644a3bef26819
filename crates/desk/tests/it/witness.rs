//! Witnesses: Echo asks some, is one itself, and commits each ledger's head to the other ledger.

use std::{cell::RefCell, collections::BTreeMap};

use desk::{Ask, Desk, Options, Refusal, WitnessAnswer, WitnessEdit, WitnessedEdit};
use dossier::LogName;
use echo_core::{ManualClock, Mint, SeededEntropy};
use ed25519_dalek::SigningKey;
use witness::{Cosigner, Kept, Policy, Submission};

use crate::{
    device::{House, open},
    flow::worry,
};

/// What opens the keystore of the first format in the tests of `trust`.
const KEY_V1: &str = "2c1b906867d313e9ee07fe22afc47439ef2a276c007fd555da428d975b6247fc";

/// A witness in memory.
struct Peer {
    name: &'static str,
    key: Cosigner,
    logs: Policy,
    kept: RefCell<BTreeMap<String, Kept>>,
}

impl Peer {
    /// A witness of both of the house's ledgers.
    fn of(house: &House, name: &'static str, number: u8) -> Self {
        let key = Cosigner::new(&format!("{name}.example"), SigningKey::from_bytes(&[number; 32])).unwrap();
        let logs = LogName::ALL.into_iter().fold(Policy::default(), |policy, log| {
            policy.with_log(house.desk.log(log).vkey().trim(), None).unwrap()
        });
        Self { name, key, logs, kept: RefCell::default() }
    }

    fn answer(&self, ask: &Ask, now: u64) -> WitnessAnswer {
        let status = |status, body: &str| WitnessAnswer::Status { status, body: body.as_bytes().to_vec() };
        let judged = Submission::admit(ask.body.as_bytes(), &self.logs).and_then(|asked| {
            let mut all = self.kept.borrow_mut();
            let next = asked.judge(all.get(&asked.checkpoint.origin), now)?;
            let line = asked.cosign(&self.key, next.at);
            all.insert(asked.checkpoint.origin.clone(), next);
            Ok(line)
        });
        match judged {
            Ok(line) => status(200, &line),
            Err(Refusal::Stale { size }) => status(409, &format!("{size}\n")),
            Err(refusal) => status(refusal.status(), "no"),
        }
    }
}

fn now(house: &House) -> u64 {
    u64::try_from(house.desk.now().as_second()).unwrap()
}

async fn edit(house: &House, edit: WitnessEdit) {
    house.desk.edit_witnesses(&house.call(), edit).await.unwrap();
}

async fn add(house: &House, peer: &Peer) {
    let name = peer.name.to_owned();
    let (vkey, url) = (peer.key.key().to_string(), format!("https://{name}.example"));
    edit(house, WitnessEdit::Add { name, vkey, url }).await;
}

async fn quorum(house: &House, name: &str) {
    edit(house, WitnessEdit::Quorum { name: name.to_owned() }).await;
}

async fn grow(house: &House) {
    let customer = house.customer("Anna").await;
    house.desk.open_case(&house.call(), worry(&customer, None)).await.unwrap();
}

/// Asks everybody whose turn it is, and answers how many requests that took.
async fn round(house: &House, peers: &[&Peer]) -> usize {
    let mut asked = 0;
    for ask in house.desk.witness_asks().await.unwrap() {
        let peer = peers.iter().find(|p| p.name == ask.witness()).unwrap();
        let mut next = Some(ask);
        while let Some(ask) = next {
            asked += 1;
            next = house.desk.witness_answered(&ask, peer.answer(&ask, now(house))).await.unwrap();
        }
    }
    asked
}

async fn standings(house: &House) -> Vec<(LogName, u64, Option<String>)> {
    let all = house.desk.witnesses(&house.operator).await.unwrap().witnesses;
    all.into_iter().flat_map(|w| w.ledgers).map(|s| (s.log, s.size, s.contradiction)).collect()
}

#[tokio::test]
async fn a_head_counts_once_its_quorum_cosigned_it() {
    let house = House::found().await;
    grow(&house).await;
    let (one, two, three) =
        (Peer::of(&house, "one", 1), Peer::of(&house, "two", 2), Peer::of(&house, "three", 3));
    for peer in [&one, &two, &three] {
        add(&house, peer).await;
    }
    let members = ["one", "two", "three"].map(str::to_owned).to_vec();
    edit(&house, WitnessEdit::Group { name: "two-of-three".to_owned(), threshold: 2, members }).await;
    quorum(&house, "two-of-three").await;
    let asks = house.desk.witness_asks().await.unwrap();
    assert_eq!(asks.len(), 6);
    assert_eq!(asks[0].url, "https://one.example/add-checkpoint");
    for (ask, peer) in asks.iter().zip([&one, &two]) {
        assert!(house.desk.cosigned_checkpoint(LogName::Genesis).await.is_err(), "one is not enough");
        house.desk.witness_answered(ask, peer.answer(ask, now(&house))).await.unwrap();
    }
    let note = house.desk.cosigned_checkpoint(LogName::Genesis).await.unwrap();
    let policy = house.desk.ledger_policy(LogName::Genesis).await.unwrap();
    assert!(!policy.to_string().contains("https://"), "addresses are nobody's business");
    let accepted = policy.evaluate(&note).unwrap();
    assert_eq!(accepted.cosigned.len(), 2);
    assert_eq!(accepted.checkpoint.size, house.desk.log(LogName::Genesis).size());
    let file = std::fs::read_to_string(house.desk.home().join("treasury/genesis.cosigned")).unwrap();
    assert_eq!(file, note);
    quorum(&house, "three").await;
    assert!(house.desk.cosigned_checkpoint(LogName::Genesis).await.is_err(), "the quorum of now counts");
    let path = house.desk.home().join("treasury/genesis.cosigned");
    assert!(!path.exists(), "nor is there a file of a head that does not count");
    quorum(&house, "two-of-three").await;
    assert_eq!(house.desk.cosigned_checkpoint(LogName::Genesis).await.unwrap(), note);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), note);
    assert_eq!(round(&house, &[&one, &two, &three]).await, 4, "who cosigned is not asked again");
    let complete = house.desk.cosigned_checkpoint(LogName::Genesis).await.unwrap();
    assert_eq!(policy.evaluate(&complete).unwrap().cosigned.len(), 3);
    assert_eq!(round(&house, &[&one, &two, &three]).await, 0, "a head that did not change asks nobody");
    grow(&house).await;
    assert_eq!(round(&house, &[&one, &two, &three]).await, 6);
}

#[tokio::test]
async fn a_witness_that_knows_another_size_is_asked_once_more_from_there() {
    let house = House::found().await;
    let peer = Peer::of(&house, "one", 1);
    add(&house, &peer).await;
    round(&house, &[&peer]).await;
    // It lost its memory; the house remembers what it cosigned.
    let first = peer.kept.take();
    grow(&house).await;
    assert_eq!(round(&house, &[&peer]).await, 3, "genesis twice, aeterna once");
    let events = house.desk.events_after(&house.operator, 0).await.unwrap();
    assert!(events.iter().any(|(_, e)| e.topic == "witness" && e.what.contains("lost its memory")));
    // The house lost its memory of the witness.
    edit(&house, WitnessEdit::Remove { name: "one".to_owned() }).await;
    let key = Cosigner::new("uno.example", SigningKey::from_bytes(&[1; 32])).unwrap();
    let renamed = Peer { key, name: "uno", kept: RefCell::new(first), ..peer };
    add(&house, &renamed).await;
    round(&house, &[&renamed]).await;
    let sizes: Vec<_> = standings(&house).await.into_iter().map(|(log, size, _)| (log, size)).collect();
    assert_eq!(sizes, LogName::ALL.map(|log| (log, house.desk.log(log).size())));
}

#[tokio::test]
async fn a_witness_that_contradicts_a_ledger_is_an_alarm_until_it_cosigns_again() {
    let house = House::found().await;
    let peer = Peer::of(&house, "one", 1);
    add(&house, &peer).await;
    round(&house, &[&peer]).await;
    grow(&house).await;
    let refuse = |status, body: &str| WitnessAnswer::Status { status, body: body.as_bytes().to_vec() };
    let size = house.desk.log(LogName::Genesis).size();
    let kept = standings(&house).await[0].1;
    for (answer, words) in [
        (refuse(422, ""), "does not begin with"),
        (refuse(409, &format!("{}\n", size + 5)), "set back"),
        (refuse(409, &format!("{kept}\n")), "another history"),
    ] {
        house.desk.ask_witnesses_now(&house.call()).await.unwrap();
        let ask = house.desk.witness_asks().await.unwrap().remove(0);
        assert!(house.desk.witness_answered(&ask, answer).await.unwrap().is_none());
        let contradiction = standings(&house).await[0].2.clone().unwrap();
        assert!(contradiction.contains(words), "{contradiction}");
        let health = house.desk.health().await;
        assert!(health.alarms.iter().any(|a| a.contains(words)), "{words}: {health:?}");
        assert!(health.ready, "a witness does not stop the platform: {health:?}");
        let events = house.desk.events_after(&house.operator, 0).await.unwrap();
        assert!(events.iter().any(|(_, e)| e.topic == "witness" && e.what.contains(words)), "{words}");
    }
    house.desk.ask_witnesses_now(&house.call()).await.unwrap();
    round(&house, &[&peer]).await;
    assert!(house.desk.health().await.alarms.is_empty());
    assert!(standings(&house).await.iter().all(|(_, _, contradiction)| contradiction.is_none()));
}

#[tokio::test]
async fn a_witness_that_fails_is_left_in_peace_for_a_while() {
    let house = House::found().await;
    let peer = Peer::of(&house, "one", 1);
    add(&house, &peer).await;
    let other = Peer::of(&house, "one", 2);
    for answer in [
        WitnessAnswer::Nothing("cannot be asked".to_owned()),
        WitnessAnswer::Status { status: 500, body: vec![b'x'; 5_000] },
        WitnessAnswer::Status { status: 200, body: b"\xff".to_vec() },
        WitnessAnswer::Status { status: 409, body: b"05\n".to_vec() },
        other.answer(&house.desk.witness_asks().await.unwrap()[0], now(&house)),
    ] {
        house.desk.ask_witnesses_now(&house.call()).await.unwrap();
        let ask = house.desk.witness_asks().await.unwrap().remove(0);
        assert!(house.desk.witness_answered(&ask, answer.clone()).await.unwrap().is_none());
        let standing = house.desk.witnesses(&house.operator).await.unwrap().witnesses[0].ledgers[0].clone();
        assert!(standing.error.unwrap().chars().count() < 400 && standing.size == 0, "{answer:?}");
        assert!(standing.next.unwrap() > house.desk.now() && standing.contradiction.is_none());
        assert!(house.desk.witness_asks().await.unwrap().is_empty(), "{answer:?}");
    }
    assert!(house.desk.cosigned_checkpoint(LogName::Genesis).await.is_err());
}

#[tokio::test]
async fn each_ledger_is_committed_to_once_and_an_idle_platform_enters_nothing() {
    let house = House::found().await;
    grow(&house).await;
    let sizes = || LogName::ALL.map(|log| house.desk.log(log).size());
    let before = sizes();
    let made = house.desk.commit_heads().await.unwrap();
    assert_eq!(made.iter().map(|c| c.size).collect::<Vec<_>>(), before);
    assert_eq!(sizes(), before.map(|size| size + 1));
    assert!(house.desk.commit_heads().await.unwrap().is_empty());
    assert_eq!(sizes(), before.map(|size| size + 1), "commitments alone are nothing new");
    for one in &made {
        let path = house.desk.home().join(format!("treasury/{}-{}.checkpoint", one.log, one.size));
        assert_eq!(std::fs::read_to_string(path).unwrap(), one.checkpoint);
        let id = format!("{}-{}", one.log, one.size);
        let kind = dossier::Kind::commitment_of(one.log);
        let view = house.desk.document(&house.operator, kind, &id).await.unwrap();
        assert_ne!(view.log, one.log, "it lies in the other ledger");
        let payload = view.document.envelope.payload_unchecked().unwrap();
        let commitment: dossier::Commitment = serde_json::from_slice(&payload).unwrap();
        assert_eq!((commitment.size, commitment.root), (one.size, one.root));
    }
    grow(&house).await;
    let again = house.desk.commit_heads().await.unwrap();
    assert_eq!(again.len(), 2);
    let text = house.desk.export_treasury(&house.operator).await.unwrap();
    assert_eq!(text.matches("\n=== ").count(), 4);
    assert!(text.starts_with("echo treasury v1\n=== "));
}

/// A log of others, with as many heads as are wanted.
fn head(size: u8, key: &SigningKey) -> (String, String) {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ed25519_dalek::Signer as _;
    let vkey = ledger::vkey_of("log.example/a", &key.verifying_key());
    let id: ledger::note::Vkey = vkey.parse().unwrap();
    let mut history = ledger::History::default();
    (0..size).for_each(|entry| history.push(ledger::leaf_hash(&[entry])));
    let text = format!("log.example/a\n{size}\n{}\n", STANDARD.encode(history.root()));
    let line = STANDARD.encode([id.id().as_slice(), &key.sign(text.as_bytes()).to_bytes()].concat());
    (vkey, format!("old 0\n\n{text}\n\u{2014} log.example/a {line}\n"))
}

#[tokio::test]
async fn what_was_cosigned_for_others_is_remembered_over_a_restart() {
    let house = House::found().await;
    let key = SigningKey::from_bytes(&[9; 32]);
    let (vkey, three) = head(3, &key);
    let (_, four) = head(4, &key);
    let asked = house.desk.add_checkpoint(three.as_bytes()).await.unwrap();
    assert_eq!(asked, Err(Refusal::UnknownLog));
    house.desk.edit_witnessed(&house.call(), WitnessedEdit::Add { vkey }).await.unwrap();
    assert!(house.desk.add_checkpoint(three.as_bytes()).await.unwrap().is_ok());
    let hash = echo_core::Digest::of(b"log.example/a").hex();
    let shown = house.desk.witnessed_checkpoint(&hash).await.unwrap();
    let own = house.desk.witness_vkey();
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    let desk = open(folder.path()).await.desk;
    assert_eq!((desk.witness_vkey(), desk.witnessed_checkpoint(&hash).await.unwrap()), (own, shown));
    assert_eq!(desk.add_checkpoint(four.as_bytes()).await.unwrap(), Err(Refusal::Stale { size: 3 }));
    // Taking a log away and bringing it back forgets nothing.
    let call = desk::Call::by(operator);
    let origin = "log.example/a".to_owned();
    desk.edit_witnessed(&call, WitnessedEdit::Remove { origin }).await.unwrap();
    let (vkey, _) = head(3, &key);
    let logs = desk.edit_witnessed(&call, WitnessedEdit::Add { vkey }).await.unwrap();
    assert_eq!(
        (logs[0].size, desk.add_checkpoint(four.as_bytes()).await.unwrap()),
        (Some(3), Err(Refusal::Stale { size: 3 }))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_heads_at_once_one_is_cosigned() {
    let house = House::found().await;
    let key = SigningKey::from_bytes(&[9; 32]);
    let (vkey, _) = head(1, &key);
    house.desk.edit_witnessed(&house.call(), WitnessedEdit::Add { vkey }).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for size in 1..=8 {
        let (desk, body) = (house.desk.clone(), head(size, &key).1);
        tasks.spawn(async move { desk.add_checkpoint(body.as_bytes()).await.unwrap() });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|a| a.is_ok()).count(), 1, "{answers:?}");
}

#[tokio::test]
async fn a_home_from_before_there_were_witnesses_gets_a_key_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name, text: &str| {
        durable::write(&folder.path().join(name), text.as_bytes(), durable::Mode::Private).unwrap();
    };
    write("echo.keystore.json", include_str!("../../../trust/tests/data/keystore_v1.json"));
    write("keystore.key", KEY_V1);
    let desk = open(folder.path()).await.desk;
    let vkey = desk.witness_vkey();
    desk.close().await.unwrap();
    drop(desk);
    assert_eq!(open(folder.path()).await.desk.witness_vkey(), vkey);
}

#[tokio::test]
async fn a_ledger_s_own_key_is_no_witness_and_the_home_opens_again() {
    let house = House::found().await;
    for log in LogName::ALL {
        let own: ledger::note::Vkey = house.desk.log(log).vkey().parse().unwrap();
        let key = ed25519_dalek::VerifyingKey::from_bytes(&own.bytes()).unwrap();
        let theirs = witness::WitnessKey::new("w.example", key).unwrap();
        let edit = WitnessEdit::Add {
            name: "w".to_owned(),
            vkey: theirs.to_string(),
            url: "https://w.example".to_owned(),
        };
        let refused = house.desk.edit_witnesses(&house.call(), edit).await.unwrap_err();
        assert!(matches!(refused, desk::DeskError::Invalid { .. }), "{refused}");
    }
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    drop(desk);
    open(folder.path()).await;
}

#[tokio::test]
async fn a_home_put_back_from_a_backup_hears_of_it_at_its_first_round() {
    let house = House::found().await;
    let peer = Peer::of(&house, "one", 1);
    add(&house, &peer).await;
    round(&house, &[&peer]).await;
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    let backup = tempfile::tempdir().unwrap();
    let from = folder.path().join(".");
    let copied = std::process::Command::new("cp").arg("-a").arg(from).arg(backup.path()).status().unwrap();
    assert!(copied.success());
    let house = House { desk: open(folder.path()).await.desk, folder, operator: operator.clone() };
    grow(&house).await;
    round(&house, &[&peer]).await;
    house.desk.close().await.unwrap();
    drop(house);
    // Nothing in the backup has changed since its witness was asked, and nothing is entered now.
    let house = House { desk: open(backup.path()).await.desk, folder: backup, operator };
    assert!(round(&house, &[&peer]).await > 0, "each witness is asked once since the start");
    let alarms = house.desk.health().await.alarms;
    assert!(alarms.iter().any(|alarm| alarm.contains("set back")), "{alarms:?}");
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_repeat_commitments() {
    let folder = tempfile::tempdir().unwrap();
    let clock = std::sync::Arc::new(ManualClock::at("2026-11-01T10:00:00Z".parse().unwrap()));
    let mint = Mint::new(clock.clone(), std::sync::Arc::new(SeededEntropy::new(1)));
    let opened = Desk::open(Options::new(folder.path().to_owned(), mint)).await.unwrap();
    let tokens = opened.desk.sign_in(&opened.sign_in.secret).await.unwrap();
    let operator = opened.desk.authenticate(&tokens.access_token).await.unwrap();
    let house = House { folder, desk: opened.desk, operator };
    assert_eq!(
        house.desk.commit_heads().await.unwrap().len(),
        1,
        "aeterna is empty, and then holds a commitment alone"
    );
    clock.advance_millis(-60_000);
    grow(&house).await;
    assert_eq!(house.desk.commit_heads().await.unwrap().len(), 2);
    assert!(house.desk.commit_heads().await.unwrap().is_empty(), "an idle platform enters nothing");
}
