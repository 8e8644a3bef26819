//! Learned triage: from what technicians decided to a version that speaks, and back.

use std::{collections::BTreeMap, fs};

use desk::{Call, DeskError, OpenCase, SortCase, UseTriage};
use dossier::LogName;
use durable::Mode;
use echo_core::{CaseId, CustomerId, Digest, Id as _};

use crate::device::{House, open};

/// Two topics whose words the lexicon does not know.
const TOPICS: [(&str, &str); 2] = [
    ("network", "the zorbel to the branch wobbles whenever the flimmer runs"),
    ("access", "my quandle opens no gate since the wextor came"),
];

fn filed(customer: &CustomerId, text: String) -> OpenCase {
    OpenCase {
        customer: Some(customer.clone()),
        device: None,
        form: "general-help".to_owned(),
        answers: BTreeMap::from([("what_happened".to_owned(), text)]),
    }
}

fn sort(label: &str) -> SortCase {
    SortCase { category: label.to_owned() }
}

async fn case(house: &House, customer: &CustomerId, text: String) -> desk::CaseView {
    house.desk.open_case(&house.call(), filed(customer, text)).await.unwrap()
}

/// Files `count` cases, and sorts them by topic.
async fn decided(house: &House, customer: &CustomerId, count: usize) -> Vec<CaseId> {
    let mut out = Vec::new();
    for n in 0..count {
        let (label, words) = TOPICS[n % 2];
        let id = case(house, customer, format!("{words}, ticket {n}")).await.case.id;
        house.desk.sort_case(&house.call(), &id, sort(label)).await.unwrap();
        out.push(id);
    }
    out
}

#[tokio::test]
async fn what_technicians_decide_is_learned_and_then_sorts_new_cases() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let before = case(&house, &customer, TOPICS[0].1.to_owned()).await;
    assert!(before.case.triage.unwrap().abstained, "the lexicon does not know these words");
    let early = house.desk.learn_triage(&house.call()).await.unwrap_err().to_string();
    assert!(early.contains("0 of 40"), "{early}");
    decided(&house, &customer, 60).await;
    let entries = house.desk.log(LogName::Genesis).size();

    let learned = house.desk.learn_triage(&house.call()).await.unwrap();
    assert_eq!(
        (learned.in_force, learned.examples, learned.trouble.as_deref()),
        (Some(1), 60, None),
        "{learned:?}"
    );
    assert!(learned.said.contains("learned from"), "{}", learned.said);
    let card = &learned.versions[0];
    assert_eq!(card.learned_from + card.held_back.as_ref().unwrap().cases, 60);
    assert_eq!(house.desk.log(LogName::Genesis).size(), entries + 1, "the ledger has the version");
    let document = house.desk.document(&house.operator, dossier::Kind::TriageModel, "1").await.unwrap();
    assert!(
        String::from_utf8(document.document.envelope.payload_unchecked().unwrap())
            .unwrap()
            .contains(&card.model.hex())
    );

    let new = case(&house, &customer, "the zorbel wobbles again, is it the flimmer?".to_owned()).await;
    let triage = new.case.triage.as_ref().unwrap();
    assert_eq!(
        (triage.engine.as_str(), triage.label.as_deref(), triage.abstained),
        ("learned-1", Some("network"), false)
    );
    assert!(triage.because.iter().any(|because| because.word == "zorbel"), "{triage:?}");
    assert!(!new.related.is_empty() && new.related[0].score >= 0.3, "{:?}", new.related);
    let trace = new.calls[0].trace.as_ref().unwrap();
    assert_eq!(trace.engine, "learned-1");
    assert_eq!(trace.model.as_ref().unwrap().file, Some(card.model));

    let back = house.desk.use_triage(&house.call(), UseTriage { version: 0 }).await.unwrap();
    assert_eq!(back.in_force, None);
    assert!(case(&house, &customer, TOPICS[1].1.to_owned()).await.case.triage.unwrap().abstained);
    let missing = house.desk.use_triage(&house.call(), UseTriage { version: 9 }).await;
    assert!(matches!(missing, Err(DeskError::NotFound { .. })), "{missing:?}");
}

#[tokio::test]
async fn an_altered_model_is_refused_at_the_start_and_the_lexicon_goes_on() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    decided(&house, &customer, 60).await;
    house.desk.learn_triage(&house.call()).await.unwrap();
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    let file = folder.path().join("memory/triage/1/model.bin");
    let whole = fs::read(&file).unwrap();
    let mut bytes = whole.clone();
    bytes[200] ^= 1;
    durable::write(&file, &bytes, Mode::Private).unwrap();
    let desk = open(folder.path()).await.desk;
    let health = desk.health().await;
    assert!(
        health.ready && health.alarms.iter().any(|a| a.contains("version 1") && a.contains("altered")),
        "{health:?}"
    );
    let call = Call::by(operator);
    let opened = desk.open_case(&call, filed(&customer, TOPICS[0].1.to_owned())).await.unwrap();
    assert_eq!(opened.case.triage.unwrap().engine, "lexicon");

    durable::write(&file, &whole, Mode::Private).unwrap();
    desk.use_triage(&call, UseTriage { version: 1 }).await.unwrap();
    assert!(desk.health().await.alarms.is_empty());
    let opened = desk.open_case(&call, filed(&customer, TOPICS[0].1.to_owned())).await.unwrap();
    assert_eq!(opened.case.triage.unwrap().engine, "learned-1");
}

#[tokio::test]
async fn what_is_worse_on_the_held_back_cases_does_not_take_over() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let ids = decided(&house, &customer, 60).await;
    house.desk.learn_triage(&house.call()).await.unwrap();
    // Somebody sorts everything the wrong way round, but for the cases that are held back.
    for (n, id) in ids.iter().enumerate() {
        if !Digest::of(id.as_str().as_bytes()).0[0].is_multiple_of(5) {
            house.desk.sort_case(&house.call(), id, sort(TOPICS[(n + 1) % 2].0)).await.unwrap();
        }
    }
    let after = house.desk.learn_triage(&house.call()).await.unwrap();
    assert_eq!((after.in_force, after.versions.len()), (Some(1), 1), "{}", after.said);
    assert!(after.said.contains("no better"), "{}", after.said);
}

#[tokio::test]
async fn only_technicians_sort_and_only_into_the_set() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let first = case(&house, &customer, "The printer has a paper jam as ever".to_owned()).await;
    let theirs = Call::by(house.person_of(&customer));
    assert!(matches!(
        house.desk.sort_case(&theirs, &first.case.id, sort("network")).await,
        Err(DeskError::Denied(_))
    ));
    let outside =
        house.desk.sort_case(&house.call(), &first.case.id, sort("teapots")).await.unwrap_err().to_string();
    assert!(outside.contains("access") && outside.contains("category"), "{outside}");
    let sorted = house.desk.sort_case(&house.call(), &first.case.id, sort("software")).await.unwrap();
    assert_eq!(sorted.case.label(), Some("software"));
    assert!(sorted.timeline.last().unwrap().title.contains("was hardware"), "{:?}", sorted.timeline);

    let by_customer = case(&house, &customer, "Again a paper jam in the printer".to_owned()).await.case.id;
    assert!(house.desk.close_case(&theirs, &by_customer).await.unwrap().case.sorted.is_none());
    let by_us = case(&house, &customer, "The printer has a paper jam".to_owned()).await.case.id;
    let closed = house.desk.close_case(&house.call(), &by_us).await.unwrap().case.sorted.unwrap();
    assert_eq!((closed.label.as_str(), closed.by_hand), ("hardware", false));
}

#[tokio::test]
async fn a_model_with_other_labels_is_not_installed() {
    let house = House::found().await;
    let texts = [
        "red wine",
        "red rose",
        "red car",
        "red flag",
        "red hat",
        "blue sky",
        "blue sea",
        "blue car",
        "blue flag",
        "blue hat",
    ];
    let truths: Vec<usize> = (0..10).map(|n| n / 5).collect();
    let bytes = |labels: [&str; 2]| {
        let labels = triage_model::LabelSet::new(labels).unwrap();
        let options = triage_model::Options { pair_cases: 2, ..triage_model::Options::default() };
        let mut bytes = Vec::new();
        triage_model::Model::train(&texts, &truths, labels, &options, 1, |_| {})
            .unwrap()
            .model
            .write(&mut bytes)
            .unwrap();
        bytes
    };
    let foreign =
        house.desk.install_triage(&house.call(), bytes(["red", "blue"])).await.unwrap_err().to_string();
    assert!(foreign.contains("`red`"), "{foreign}");
    let junk = house.desk.install_triage(&house.call(), b"junk".to_vec()).await;
    assert!(matches!(junk, Err(DeskError::Invalid { .. })), "{junk:?}");
    let installed = house.desk.install_triage(&house.call(), bytes(["email", "storage"])).await.unwrap();
    assert_eq!(installed.in_force, Some(1));
    assert_eq!(installed.versions[0].held_back, None, "no decided case to compare on");
}

#[tokio::test]
async fn an_operator_edits_the_labels() {
    let house = House::found().await;
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    let author = trust::Keystore::open_or_create(folder.path(), &echo_core::Mint::system()).unwrap();
    drop(desk);
    let path = folder.path().join("manifest/triage_labels.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let edited = text
        + "  - id: teapots\n    name: Teapots\n    category: hardware\n    queue: hardware\n    severity: low\n";
    durable::write(&path, edited.as_bytes(), Mode::Public).unwrap();
    let unsigned = open(folder.path()).await.desk;
    assert!(
        unsigned.content().refused.iter().any(|r| r.reason.contains("altered")),
        "{:?}",
        unsigned.content().refused
    );
    assert!(unsigned.triage_labels().get("teapots").is_none(), "the shipped set is used");
    unsigned.close().await.unwrap();
    drop(unsigned);
    trust::content::sign_file(&path, author.signer(trust::KeyRole::PlaybookAuthor).unwrap()).unwrap();
    let desk = open(folder.path()).await.desk;
    let call = Call::by(operator);
    let customer = desk
        .add_customer(
            &call,
            desk::NewCustomer { name: "Bo".to_owned(), plan: "pay-as-you-go".parse().unwrap() },
        )
        .await
        .unwrap()
        .customer
        .id;
    let opened = desk.open_case(&call, filed(&customer, "The pot drips".to_owned())).await.unwrap();
    let sorted = desk.sort_case(&call, &opened.case.id, sort("teapots")).await.unwrap();
    assert_eq!(sorted.case.label(), Some("teapots"));
}
