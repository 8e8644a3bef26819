//! Agent keys: what a program may call, and what it may spend.

use std::{fs, path::Path, sync::Arc, time::Duration};

use access::{Principal, Role};
use agents::Skill;
use desk::{
    AgentKeyState, AgentKeyView, Call, DeskError, Idempotency, MadeAgentKey, NewAgentKey, NewCustomer,
    SkillCallState,
};
use device_link::{Command, CommandResult, Outcome};
use dossier::Kind;
use echo_core::{
    CaseId, Clock as _, Currency, CustomerId, Id as _, ManualClock, Mint, Money, OsEntropy, PageRequest,
    SystemClock,
};
use rust_decimal::Decimal;
use trust::Envelope;

use crate::{
    device::{Device, House},
    flow::{ask, worry},
};

fn new_key(customer: &CustomerId, skills: &[Skill], cap: Option<i64>) -> NewAgentKey {
    NewAgentKey {
        customer: Some(customer.clone()),
        name: "night shift".to_owned(),
        skills: skills.to_vec(),
        cap: cap.map(|minor| Money::new(minor, Currency::EUR)),
        days: None,
    }
}

/// A key, and a call of whoever holds it.
async fn agent(
    house: &House,
    customer: &CustomerId,
    skills: &[Skill],
    cap: Option<i64>,
) -> (MadeAgentKey, Call) {
    let made = house.desk.make_agent_key(&house.call(), new_key(customer, skills, cap)).await.unwrap();
    let principal = house.desk.authenticate(&made.secret).await.unwrap();
    (made, Call::by(principal))
}

async fn case_of(house: &House, customer: &CustomerId, device: Option<&Device>) -> CaseId {
    house.desk.open_case(&house.call(), worry(customer, device)).await.unwrap().case.id
}

async fn own(house: &House, agent: &Call) -> AgentKeyView {
    house.desk.own_agent_key(&agent.principal).await.unwrap().unwrap()
}

fn over_cap<T: std::fmt::Debug>(asked: Result<T, DeskError>) -> String {
    let Err(DeskError::SpendCap(words)) = asked else { panic!("{asked:?}") };
    words
}

fn cents(minor: i64) -> Decimal {
    Decimal::new(minor, 2)
}

#[tokio::test]
async fn a_key_is_its_holder_and_its_secret_is_kept_nowhere() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let idempotency = Some(Idempotency::new("once", "POST", "/v1/agent-keys", b"").unwrap());
    let call = Call { idempotency, ..house.call() };
    let new = new_key(&customer, &[Skill::TriageClassify], Some(500));
    let made = house.desk.make_agent_key(&call, new.clone()).await.unwrap();
    assert!(made.secret.starts_with("echo_key_") && !format!("{made:?}").contains(&made.secret));
    let holder = house.desk.authenticate(&made.secret).await.unwrap();
    let id = made.key.key.id.clone();
    let expected = Principal {
        subject: id.to_string(),
        name: "night shift".to_owned(),
        role: Role::Agent,
        customer: Some(customer.clone()),
        device: None,
        token: id.clone(),
        family: None,
    };
    assert_eq!(holder, expected);
    let seen = own(&house, &Call::by(holder.clone())).await;
    assert_eq!(
        seen.key.last_used.map(|day| day.to_string()),
        Some(house.desk.now().strftime("%F").to_string())
    );
    assert_eq!((seen.spent, seen.held, seen.state), (Decimal::ZERO, Decimal::ZERO, AgentKeyState::Active));

    assert!(house.desk.replay(&call).await.unwrap().is_none(), "the answer is not kept");
    let again = house.desk.make_agent_key(&call, new).await;
    assert!(matches!(again, Err(DeskError::Conflict(words)) if words.contains(id.as_str())));
    let end = &made.secret[made.secret.len() - 64..];
    for wrong in
        [made.secret.replace(end, &"0".repeat(64)), format!("{}0", made.secret), "echo_key_".to_owned()]
    {
        let refused = house.desk.authenticate(&wrong).await;
        assert!(matches!(refused, Err(DeskError::Unauthenticated(words)) if words.contains("not known")));
    }
    case_of(&house, &customer, None).await;
    assert_eq!(holding(house.folder.path(), end), Vec::<String>::new());
    let events = house.desk.events_after(&house.operator, 0).await.unwrap();
    assert!(
        events
            .iter()
            .any(|(_, e)| e.topic == "agent_key" && e.what == "agent key night shift made by Operator")
    );
}

/// The files below `folder` that hold `text`.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(holding(&path, text));
        } else if fs::read(&path).unwrap().windows(text.len()).any(|window| window == text.as_bytes()) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[tokio::test]
async fn what_a_key_may_do_and_its_end_stand_in_the_genesis_ledger() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let (made, agent) = agent(&house, &customer, &[Skill::AdvisoryAnswer], Some(500)).await;
    let id = &made.key.key.id;
    let revoked = house.desk.revoke_agent_key(&Call::by(house.person_of(&customer)), id).await.unwrap();
    assert_eq!(revoked.state, AgentKeyState::Revoked);
    for (subject, ended) in [(id.to_string(), false), (format!("{id}-revoked"), true)] {
        let view = house.desk.document(&house.operator, Kind::AgentKey, &subject).await.unwrap();
        let payload = view.document.envelope.payload_unchecked().unwrap();
        let payload = String::from_utf8(payload).unwrap();
        assert!(payload.contains("advisory.answer") && payload.contains("\"minor\":500"), "{payload}");
        assert_eq!(!payload.contains("\"revoked\":null"), ended, "{payload}");
        assert!(!payload.contains("digest"), "{payload}");
    }
    let twice = house.desk.revoke_agent_key(&house.call(), id).await;
    assert!(matches!(twice, Err(DeskError::Conflict(_))));
    assert!(matches!(house.desk.authenticate(&made.secret).await, Err(DeskError::Unauthenticated(_))));
    // One who was let in a moment before the end.
    let case = case_of(&house, &customer, None).await;
    let late = house.desk.ask(&agent, &case, ask(Skill::AdvisoryAnswer)).await;
    assert!(late.is_err());
    let new = new_key(&customer, &[Skill::AdvisoryAnswer], None);
    house.desk.make_agent_key(&house.call(), new).await.expect("the name is free again");
}

#[tokio::test]
async fn a_key_revoked_on_the_way_in_calls_nothing() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let (made, agent) = agent(&house, &customer, &[Skill::TriageClassify], None).await;
    let case = case_of(&house, &customer, None).await;
    house.desk.ask(&agent, &case, ask(Skill::TriageClassify)).await.unwrap();
    house.desk.revoke_agent_key(&house.call(), &made.key.key.id).await.unwrap();
    let late = house.desk.ask(&agent, &case, ask(Skill::TriageClassify)).await;
    assert!(matches!(late, Err(DeskError::Unauthenticated(words)) if words.contains("revoked")));
}

#[tokio::test]
async fn a_key_calls_what_it_lists_and_nothing_else() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let (_, agent) = agent(&house, &customer, &[Skill::AdvisoryAnswer], None).await;
    let case = case_of(&house, &customer, None).await;
    let desk = &house.desk;
    let refused = desk.ask(&agent, &case, ask(Skill::TriageClassify)).await.unwrap_err();
    assert!(matches!(refused, DeskError::NotListed { .. }));
    assert!(
        refused.to_string().contains("night shift may not call triage.classify: it is for advisory.answer")
    );
    let open = desk.open_case(&agent, worry(&customer, None)).await;
    assert!(matches!(open, Err(DeskError::NotListed { .. })), "opening a case calls triage");
    assert_eq!(desk.cases(&house.operator, None, &PageRequest::default()).await.unwrap().items.len(), 1);
    for denied in [
        desk.close_case(&agent, &case).await.err(),
        desk.export_case(&agent.principal, &case).await.err(),
        desk.users(&agent.principal, &PageRequest::default()).await.err(),
        desk.agent_keys(&agent.principal, &PageRequest::default()).await.err(),
        desk.make_agent_key(&agent, new_key(&customer, &[Skill::AdvisoryAnswer], None)).await.err(),
    ] {
        assert!(matches!(denied, Some(DeskError::Denied(_))), "{denied:?}");
    }
    let stranger = house.customer("Ben").await;
    let foreign = case_of(&house, &stranger, None).await;
    let asked = desk.ask(&agent, &foreign, ask(Skill::AdvisoryAnswer)).await;
    assert!(matches!(asked, Err(DeskError::NotFound { .. })));
}

#[tokio::test]
async fn the_cap_is_reached_to_the_cent_and_begins_afresh_with_the_month() {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let house = House::found_by(Mint::new(clock.clone(), Arc::new(OsEntropy))).await;
    let customer = house.customer("Anna").await;
    let (made, agent) = agent(&house, &customer, &[Skill::TriageClassify], Some(25)).await;
    let desk = &house.desk;
    let case = desk.open_case(&agent, worry(&customer, None)).await.unwrap().case.id;
    let call = desk.ask(&agent, &case, ask(Skill::TriageClassify)).await.unwrap();
    assert_eq!(call.key.as_ref(), Some(&made.key.key.id));
    let words = over_cap(desk.ask(&agent, &case, ask(Skill::TriageClassify)).await);
    assert!(words.contains("night shift has spent 0.20 EUR of its 0.25 EUR this month"), "{words}");
    assert!(words.contains("would cost 0.10 EUR"), "{words}");
    let receipts = desk.receipts(&house.operator, &PageRequest::default()).await.unwrap().items;
    assert_eq!(receipts.iter().map(|r| r.receipt.amount).sum::<Decimal>(), cents(20));
    assert_eq!(own(&house, &agent).await.spent, cents(20));
    // A person's calls are no business of the key's cap.
    desk.ask(&house.call(), &case, ask(Skill::TriageClassify)).await.unwrap();
    assert_eq!(own(&house, &agent).await.spent, cents(20));

    clock.advance_millis(32 * 24 * 3600 * 1000);
    assert_eq!(own(&house, &agent).await.spent, Decimal::ZERO);
    desk.ask(&agent, &case, ask(Skill::TriageClassify)).await.unwrap();
    clock.advance_millis(60 * 24 * 3600 * 1000);
    let expired = desk.authenticate(&made.secret).await;
    assert!(matches!(expired, Err(DeskError::Unauthenticated(words)) if words.contains("expired")));
}

#[tokio::test]
async fn a_running_call_holds_its_price_and_a_failed_one_gives_it_back() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let skills = [Skill::TriageClassify, Skill::DiagnosticsProbe];
    let (_, agent) = agent(&house, &customer, &skills, Some(55)).await;
    let case = case_of(&house, &customer, Some(&device)).await;
    let desk = &house.desk;
    let probe = desk.ask(&agent, &case, ask(Skill::DiagnosticsProbe)).await.unwrap();
    assert_eq!(probe.held, Some(cents(50)));
    let words = over_cap(desk.ask(&agent, &case, ask(Skill::TriageClassify)).await);
    assert!(
        words.contains("spent 0.00 EUR and holds 0.50 EUR for running calls, of its 0.55 EUR"),
        "{words}"
    );
    answer_all(&house, &device, &Outcome::Failed { reason: "no disk".to_owned() }).await;
    let failed = desk.skill_call(&house.operator, &probe.id).await.unwrap();
    assert_eq!((failed.state, failed.receipt), (SkillCallState::Failed, None));
    let seen = own(&house, &agent).await;
    assert_eq!((seen.spent, seen.held), (Decimal::ZERO, Decimal::ZERO));

    desk.ask(&agent, &case, ask(Skill::DiagnosticsProbe)).await.unwrap();
    device.work(desk).await;
    let seen = own(&house, &agent).await;
    assert_eq!((seen.spent, seen.held), (cents(50), Decimal::ZERO));
    over_cap(desk.ask(&agent, &case, ask(Skill::TriageClassify)).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_at_once_do_not_pass_the_last_cent() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let (_, agent) = agent(&house, &customer, &[Skill::TriageClassify], Some(30)).await;
    let case = case_of(&house, &customer, None).await;
    let asks: Vec<_> = (0..12)
        .map(|_| {
            let (desk, agent, case) = (house.desk.clone(), agent.clone(), case.clone());
            tokio::spawn(async move { desk.ask(&agent, &case, ask(Skill::TriageClassify)).await })
        })
        .collect();
    let mut done = 0;
    for asked in asks {
        match asked.await.unwrap() {
            Ok(_) => done += 1,
            refused => drop(over_cap(refused)),
        }
    }
    assert_eq!(done, 3);
    assert_eq!(own(&house, &agent).await.spent, cents(30));
}

/// Answers every command that waits for the device, the newest first.
async fn answer_all(house: &House, device: &Device, outcome: &Outcome) {
    loop {
        let waiting = house.desk.next_commands(&device.principal, Duration::ZERO).await.unwrap();
        if waiting.is_empty() {
            return;
        }
        for envelope in waiting.iter().rev() {
            let command = command_in(envelope);
            let result = CommandResult {
                command: command.id.clone(),
                device: device.id.clone(),
                started: house.desk.now(),
                finished: house.desk.now(),
                outcome: outcome.clone(),
            };
            let call = Call::by(device.principal.clone());
            house.desk.take_result(&call, &command.id, device.sign(&result)).await.unwrap();
        }
    }
}

fn command_in(envelope: &Envelope) -> Command {
    serde_json::from_slice(&envelope.payload_unchecked().unwrap()).unwrap()
}

#[tokio::test]
async fn what_the_plan_includes_costs_nothing_and_is_promised_once() {
    let house = House::found().await;
    let desk = &house.desk;
    let new = NewCustomer { name: "Anna".to_owned(), plan: "care".parse().unwrap() };
    let customer = desk.add_customer(&house.call(), new).await.unwrap().customer.id;
    let device = Device::enrol(&house, &customer).await;
    let case = case_of(&house, &customer, Some(&device)).await;
    let (_, agent) = agent(&house, &customer, &[Skill::DiagnosticsProbe], Some(0)).await;
    let probe = || ask(Skill::DiagnosticsProbe);
    desk.ask(&house.call(), &case, probe()).await.unwrap();
    let waiting = desk.next_commands(&device.principal, Duration::ZERO).await.unwrap();
    let (_, result) = device.carry_out(desk, &waiting[0]);
    // The plan includes 30 probes a month: 29 are used by people.
    for _ in 1..29 {
        desk.ask(&house.call(), &case, probe()).await.unwrap();
    }
    answer_all(&house, &device, &result.outcome).await;
    let last = desk.ask(&agent, &case, probe()).await.unwrap();
    assert_eq!(last.held, Some(Decimal::ZERO));
    over_cap(desk.ask(&agent, &case, probe()).await);
    // A person's call begins later and ends sooner, and so takes the last one that is included.
    let persons = desk.ask(&house.call(), &case, probe()).await.unwrap();
    answer_all(&house, &device, &result.outcome).await;
    let view = desk.case(&house.operator, &case).await.unwrap();
    let receipt_of = |id: &echo_core::CallId| {
        view.receipts.iter().find(|r| r.receipt.call == *id).unwrap().receipt.clone()
    };
    assert_eq!(receipt_of(&persons.id).included, Decimal::ONE);
    let promised = receipt_of(&last.id);
    assert_eq!((promised.included, promised.amount), (Decimal::ZERO, Decimal::ZERO), "{promised:?}");
    assert_eq!(own(&house, &agent).await.spent, Decimal::ZERO);
}

/// Makes a good wish a bad one.
type Edit = fn(&mut NewAgentKey);

#[tokio::test]
async fn rights_that_no_key_can_have_are_refused() {
    let house = House::found().await;
    let (anna, ben) = (house.customer("Anna").await, house.customer("Ben").await);
    let good = new_key(&anna, &[Skill::AdvisoryAnswer], Some(100));
    let edits: [(&str, Edit); 8] = [
        ("customer", |new| new.customer = None),
        ("name", |new| new.name = "\n".to_owned()),
        ("skills", |new| new.skills = Vec::new()),
        ("skills", |new| new.skills = vec![Skill::AdvisoryAnswer; 2]),
        ("skills", |new| new.skills = vec![Skill::RemediationApply]),
        ("cap", |new| new.cap = Some(Money::new(1, "USD".parse().unwrap()))),
        ("cap", |new| new.cap = Some(Money::new(-1, Currency::EUR))),
        ("days", |new| new.days = Some(367)),
    ];
    for (wanted, edit) in edits {
        let mut bad = good.clone();
        edit(&mut bad);
        let refused = house.desk.make_agent_key(&house.call(), bad).await;
        assert!(matches!(&refused, Err(DeskError::Invalid { field, .. }) if field == wanted), "{refused:?}");
    }
    let person = Call::by(house.person_of(&ben));
    let foreign = house.desk.make_agent_key(&person, good.clone()).await;
    assert!(matches!(foreign, Err(DeskError::NotFound { .. })));
    let made = house.desk.make_agent_key(&house.call(), good).await.unwrap();
    let foreign = house.desk.revoke_agent_key(&person, &made.key.key.id).await;
    assert!(matches!(foreign, Err(DeskError::NotFound { .. })));
    let own = NewAgentKey { customer: None, ..new_key(&ben, &[Skill::AdvisoryAnswer], None) };
    assert_eq!(house.desk.make_agent_key(&person, own).await.unwrap().key.key.customer, ben);
    let page = PageRequest::default();
    assert_eq!(house.desk.agent_keys(&person.principal, &page).await.unwrap().items.len(), 1);
    assert_eq!(house.desk.agent_keys(&house.operator, &page).await.unwrap().items.len(), 2);
}
