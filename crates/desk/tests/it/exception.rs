//! Files that the operator lets in for a while, although their author has not signed them.

use std::{fs, path::Path, sync::Arc};

use access::Principal;
use agents::Skill;
use desk::{Call, Desk, DeskError, OpenCase, Opened, Options};
use dossier::{Kind, LogName};
use echo_core::{Clock as _, Digest, ManualClock, Mint, OsEntropy, SystemClock, clock::from_millis};
use trust::{
    KeyRole, Keystore, Unlock,
    exception::{EXCEPTIONS_FILE, ExceptedKind, Exception, Exceptions},
};

use crate::{
    device::{Device, House, open},
    flow::{ask, worry},
};

const DAY: i64 = 24 * 3600 * 1000;

/// A closed home whose file `name` of `kind` has lost its signature and has an exception for two days.
async fn excepted(kind: ExceptedKind, name: &str) -> tempfile::TempDir {
    let House { folder, desk, .. } = House::found().await;
    desk.close().await.unwrap();
    drop(desk);
    let file = folder.path().join(kind.folder()).join(name);
    fs::remove_file(file.with_added_extension("sig")).unwrap();
    except(folder.path(), kind, name, &file);
    folder
}

fn except(home: &Path, kind: ExceptedKind, name: &str, file: &Path) {
    let now = SystemClock.now();
    let exception = Exception {
        kind,
        name: name.to_owned(),
        sha256: Digest::of(&fs::read(file).unwrap()),
        reason: "its author is away".to_owned(),
        approved_by: "Marta".to_owned(),
        from: now,
        until: from_millis(now.as_millisecond() + 2 * DAY),
    };
    let keys = Keystore::open(home, &Unlock::KeyFile).unwrap();
    let document = Exceptions::with(None, exception, now).unwrap();
    document.save(home, keys.signer(KeyRole::Operator).unwrap()).unwrap();
}

/// The home opened at the time of `clock`, with its operator.
async fn open_at(home: &Path, clock: &Arc<ManualClock>) -> (Desk, Principal) {
    let mint = Mint::new(Arc::<ManualClock>::clone(clock), Arc::new(OsEntropy));
    let Opened { desk, sign_in } = Desk::open(Options::new(home.to_owned(), mint)).await.unwrap();
    let tokens = desk.sign_in(&sign_in.secret).await.unwrap();
    let operator = desk.authenticate(&tokens.access_token).await.unwrap();
    (desk, operator)
}

fn clock() -> Arc<ManualClock> {
    // The exception begins at the time of its making, a moment ago at most.
    Arc::new(ManualClock::at(from_millis(SystemClock.now().as_millisecond() + 60_000)))
}

#[tokio::test]
async fn an_excepted_form_opens_cases_until_its_end_and_not_a_moment_longer() {
    let folder = excepted(ExceptedKind::Intake, "general-help.yaml").await;
    let clock = clock();
    let (desk, operator) = open_at(folder.path(), &clock).await;
    assert_eq!(desk.content().excepted.len(), 1);
    assert!(!desk.content().forms.contains_key("general-help"), "the signed ones are kept apart");
    assert!(desk.content().refused.is_empty());
    let new = desk::NewCustomer { name: "Anna".to_owned(), plan: "pay-as-you-go".parse().unwrap() };
    let call = Call::by(operator.clone());
    let customer = desk.add_customer(&call, new).await.unwrap().customer.id;
    let case = || OpenCase {
        customer: Some(customer.clone()),
        device: None,
        form: "general-help".to_owned(),
        answers: [("what_happened".to_owned(), "It is slow".to_owned())].into(),
    };
    desk.open_case(&call, case()).await.unwrap();
    let offered = |desk: &Desk| desk.intakes(&operator).unwrap().iter().any(|f| f.id == "general-help");
    assert!(offered(&desk));
    clock.advance_millis(2 * DAY);
    assert!(!offered(&desk));
    let refused = desk.open_case(&call, case()).await.unwrap_err().to_string();
    assert!(refused.contains("ended on"), "{refused}");
    desk.close().await.unwrap();
    drop(desk);
    let (desk, _) = open_at(folder.path(), &clock).await;
    let reason = &desk.content().refused[0].reason;
    assert!(reason.contains("unsigned") && reason.contains("it ended on"), "{reason}");
}

#[tokio::test]
async fn an_exceptions_document_is_entered_into_the_ledger_once() {
    let folder = excepted(ExceptedKind::Intake, "general-help.yaml").await;
    let clock = clock();
    let (desk, operator) = open_at(folder.path(), &clock).await;
    let keys = Keystore::open(folder.path(), &Unlock::KeyFile).unwrap();
    let (document, envelope) = Exceptions::load(folder.path(), desk.registry()).unwrap().unwrap();
    let view = desk.document(&operator, Kind::Exceptions, &document.issued.to_string()).await.unwrap();
    assert_eq!(view.document.envelope, envelope);
    assert_eq!(view.signer, [keys.signer(KeyRole::Operator).unwrap().public().to_string()]);
    let size = desk.log(LogName::Genesis).size();
    desk.close().await.unwrap();
    drop(desk);
    let (desk, _) = open_at(folder.path(), &clock).await;
    assert_eq!(desk.log(LogName::Genesis).size(), size);
}

#[tokio::test]
async fn devices_get_neither_an_excepted_playbook_nor_an_excepted_policy() {
    let folder = excepted(ExceptedKind::Playbook, "ssh-hardening.yaml").await;
    let desk = open(folder.path()).await.desk;
    let content = desk.content();
    assert!(!content.playbooks.contains_key("ssh-hardening"), "what devices get is signed");
    assert!(content.playbooks_at(desk.now()).any(|template| template.id == "ssh-hardening"));

    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = house.desk.open_case(&house.call(), worry(&customer, Some(&device))).await.unwrap().case.id;
    house.desk.close().await.unwrap();
    let House { folder, desk, .. } = house;
    drop(desk);
    let policy = folder.path().join("policies/echo_linux_baseline.yml");
    fs::remove_file(policy.with_added_extension("sig")).unwrap();
    let refused = Desk::open(Options::new(folder.path().to_owned(), Mint::system())).await.unwrap_err();
    assert!(refused.to_string().contains("unsigned"), "{refused}");
    except(folder.path(), ExceptedKind::Policy, "echo_linux_baseline.yml", &policy);
    let (desk, operator) = open_at(folder.path(), &clock()).await;
    let refused = desk.ask(&Call::by(operator), &case, ask(Skill::ScannerPosture)).await.unwrap_err();
    assert!(matches!(&refused, DeskError::Conflict(why) if why.contains("devices")), "{refused}");
}

#[tokio::test]
async fn exceptions_that_are_not_the_operator_s_newest_let_nothing_in() {
    let folder = excepted(ExceptedKind::Intake, "general-help.yaml").await;
    let home = folder.path();
    let (file, clock) = (home.join(EXCEPTIONS_FILE), clock());
    let older = fs::read(&file).unwrap();
    let keys = Keystore::open(home, &Unlock::KeyFile).unwrap();
    let registry = open_at(home, &clock).await.0.registry().clone();
    let (document, _) = Exceptions::load(home, &registry).unwrap().unwrap();
    let removed = document.clone().without(ExceptedKind::Intake, "general-help.yaml", clock.now()).unwrap();
    removed.save(home, keys.signer(KeyRole::Operator).unwrap()).unwrap();
    drop(open_at(home, &clock).await);
    let reasons = async || {
        let (desk, _) = open_at(home, &clock).await;
        let content = desk.content();
        assert!(content.excepted.is_empty() && content.forms_at(desk.now()).all(|f| f.id != "general-help"));
        content.refused.iter().map(|r| r.reason.clone()).collect::<Vec<_>>().join("\n")
    };
    durable::write(&file, &older, durable::Mode::Private).unwrap();
    assert!(reasons().await.contains("set back"), "an exception that was taken back stays taken back");
    document.save(home, keys.signer(KeyRole::Receipts).unwrap()).unwrap();
    assert!(reasons().await.contains("not signed as operator"));
    durable::write(&file, &[&older[..], b" "].concat(), durable::Mode::Private).unwrap();
    assert!(reasons().await.contains("bytes were added or changed"));
}
