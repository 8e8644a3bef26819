//! From intake to a settled bill.

use std::{collections::BTreeMap, time::Duration};

use agents::Skill;
use desk::{
    AskSkill, Call, CaseState, ChangeSetState, DeskError, FindingState, Idempotency, NewPayment, OpenCase,
    SkillCallState,
};
use device_link::Outcome;
use echo_core::{CaseId, CustomerId, Money, PageRequest};
use revenue::InvoiceState;

use crate::device::{Device, House};

pub fn worry(customer: &CustomerId, device: Option<&Device>) -> OpenCase {
    let text = include_str!("../../../../intake/examples/ssh-worry.txt");
    OpenCase {
        customer: Some(customer.clone()),
        device: device.map(|d| d.id.clone()),
        form: "security-concern".to_owned(),
        answers: BTreeMap::from([
            ("what_happened".to_owned(), text.to_owned()),
            ("may_scan".to_owned(), "yes".to_owned()),
        ]),
    }
}

pub fn ask(skill: Skill) -> AskSkill {
    AskSkill { skill, question: None }
}

/// Runs a case from intake to settlement.
pub async fn settled_case(house: &House, device: &Device, customer: &CustomerId) -> CaseId {
    let desk = &house.desk;
    let call = house.call();
    let case = desk.open_case(&call, worry(customer, Some(device))).await.unwrap().case.id;
    for skill in [Skill::DiagnosticsProbe, Skill::ScannerPosture, Skill::RemediationPlan] {
        let made = desk.ask(&call, &case, ask(skill)).await.unwrap();
        assert_eq!(device.work(desk).await, 1, "{skill}");
        let done = desk.skill_call(&house.operator, &made.id).await.unwrap();
        assert_eq!(done.state, SkillCallState::Done, "{skill}: {:?}", done.error);
    }
    let view = desk.case(&house.operator, &case).await.unwrap();
    desk.approve(&call, &view.change_sets[0].id).await.unwrap();
    assert_eq!(device.work(desk).await, 1);
    let closed = desk.close_case(&call, &case).await.unwrap();
    let invoice = closed.invoice.unwrap().invoice;
    let payment = NewPayment { amount: invoice.total, reference: "bank statement 7".to_owned() };
    desk.pay(&call, &invoice.id, payment).await.unwrap();
    case
}

#[tokio::test]
async fn a_case_goes_from_intake_to_a_proven_paid_fix() {
    let house = House::found().await;
    let customer = house.customer("Miller's bakery").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let view = house.desk.case(&house.operator, &case).await.unwrap();

    assert_eq!(view.case.state, CaseState::Closed);
    assert!(view.case.triage.is_some());
    assert_eq!(view.change_sets[0].state, ChangeSetState::Applied);
    let proof = &view.proofs[0].fulfilment;
    assert!(proof.after.score > proof.before.score, "{} -> {}", proof.before.score, proof.after.score);
    assert!(!proof.fixed.is_empty() && proof.newly_failing.is_empty());
    let fixed = view.findings.iter().filter(|f| f.state == FindingState::Fixed).count();
    assert_eq!(fixed, proof.fixed.len());

    let skills: Vec<_> = view.receipts.iter().map(|r| r.receipt.skill.as_str()).collect();
    let expected =
        ["triage.classify", "diagnostics.probe", "scanner.posture", "remediation.plan", "remediation.apply"];
    assert_eq!(skills, expected);
    assert_eq!(view.receipts[4].receipt.proof.as_ref().unwrap().id, view.proofs[0].id);
    let invoice = view.invoice.unwrap();
    assert_eq!(invoice.state, InvoiceState::Paid);
    assert_eq!(invoice.invoice.lines.len(), 5);
    assert!(invoice.invoice.total.minor > 0);
}

#[tokio::test]
async fn advice_cites_the_case_and_nonsense_costs_nothing() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let call = house.call();
    let case = house.desk.open_case(&call, worry(&customer, Some(&device))).await.unwrap().case.id;
    house.desk.ask(&call, &case, ask(Skill::ScannerPosture)).await.unwrap();
    device.work(&house.desk).await;
    let question = Some("Can root sign in over SSH?".to_owned());
    let asked = AskSkill { skill: Skill::AdvisoryAnswer, question };
    let advice = house.desk.ask(&call, &case, asked).await.unwrap();
    assert_eq!(advice.state, SkillCallState::Done);
    let found: agents::Advice = serde_json::from_value(advice.output.unwrap()).unwrap();
    assert!(!found.abstained && !found.citations.is_empty(), "{found:?}");
    assert!(advice.receipt.is_some());
    let asked = AskSkill { skill: Skill::AdvisoryAnswer, question: Some("zzz qqq".to_owned()) };
    let nonsense = house.desk.ask(&call, &case, asked).await.unwrap();
    assert_eq!(nonsense.receipt, None, "an answer that abstains is not charged");
}

#[tokio::test]
async fn a_request_repeated_with_its_key_is_done_once() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let call = Call {
        idempotency: Some(Idempotency::new("key-1", "POST", "/v1/cases", b"{}").unwrap()),
        ..house.call()
    };
    assert!(house.desk.replay(&call).await.unwrap().is_none());
    let first = house.desk.open_case(&call, worry(&customer, None)).await.unwrap();
    let again = house.desk.open_case(&call, worry(&customer, None)).await;
    assert!(matches!(again, Err(DeskError::InFlight)), "{again:?}");
    let reply = house.desk.replay(&call).await.unwrap().unwrap();
    assert!(reply.status == 201 && reply.body.contains(first.case.id.to_string().as_str()));
    let other = Call {
        idempotency: Some(Idempotency::new("key-1", "POST", "/v1/cases", b"{\"x\":1}").unwrap()),
        ..house.call()
    };
    assert!(matches!(house.desk.replay(&other).await, Err(DeskError::KeyReused)));
    let page = house.desk.cases(&house.operator, None, &PageRequest::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn a_rejected_change_leaves_the_case_open_and_the_device_alone() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let call = house.call();
    let case = house.desk.open_case(&call, worry(&customer, Some(&device))).await.unwrap().case.id;
    for skill in [Skill::ScannerPosture, Skill::RemediationPlan] {
        house.desk.ask(&call, &case, ask(skill)).await.unwrap();
        device.work(&house.desk).await;
    }
    let early = house.desk.close_case(&call, &case).await;
    assert!(
        matches!(early, Err(DeskError::Conflict(_))),
        "a case that waits for a decision cannot be closed"
    );
    let change = house.desk.case(&house.operator, &case).await.unwrap().change_sets[0].id.clone();
    let rejected = house.desk.reject(&call, &change).await.unwrap();
    assert_eq!(rejected.state, ChangeSetState::Rejected);
    assert_eq!(device.work(&house.desk).await, 0);
    let again = house.desk.approve(&call, &change).await;
    assert!(matches!(again, Err(DeskError::Conflict(_))), "a decision is made once");
    assert_eq!(house.desk.case(&house.operator, &case).await.unwrap().case.state, CaseState::Open);
}

#[tokio::test]
async fn a_payment_must_be_what_is_due() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let call = house.call();
    let case = house.desk.open_case(&call, worry(&customer, None)).await.unwrap().case.id;
    let invoice = house.desk.close_case(&call, &case).await.unwrap().invoice.unwrap().invoice;
    let wrong = NewPayment {
        amount: Money::new(invoice.total.minor + 1, invoice.total.currency),
        reference: "x".to_owned(),
    };
    let refused = house.desk.pay(&call, &invoice.id, wrong).await;
    assert!(matches!(refused, Err(DeskError::Invalid { .. })), "{refused:?}");
    let closed_again = house.desk.close_case(&call, &case).await;
    assert!(matches!(closed_again, Err(DeskError::Conflict(_))), "a case is closed once");
}

#[tokio::test]
async fn a_device_cannot_answer_another_question_or_for_another_device() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let (device, other) = (Device::enrol(&house, &customer).await, Device::enrol(&house, &customer).await);
    let call = house.call();
    let case = house.desk.open_case(&call, worry(&customer, Some(&device))).await.unwrap().case.id;
    for skill in [Skill::DiagnosticsProbe, Skill::ScannerPosture] {
        house.desk.ask(&call, &case, ask(skill)).await.unwrap();
    }
    let waiting = house.desk.next_commands(&device.principal, Duration::ZERO).await.unwrap();
    let (command, result) = device.carry_out(&house.desk, &waiting[0]);
    let (_, scan) = device.carry_out(&house.desk, &waiting[1]);

    let by_other = Call::by(other.principal.clone());
    let stolen = house.desk.take_result(&by_other, &command.id, other.sign(&result)).await;
    assert!(matches!(stolen, Err(DeskError::NotFound { .. })), "{stolen:?}");
    let own = Call::by(device.principal.clone());
    let forged = house.desk.take_result(&own, &command.id, other.sign(&result)).await;
    assert!(matches!(forged, Err(DeskError::Invalid { .. })), "{forged:?}");
    let mut beside = result.clone();
    beside.outcome = scan.outcome;
    let wrong = house.desk.take_result(&own, &command.id, device.sign(&beside)).await;
    assert!(matches!(wrong, Err(DeskError::Invalid { .. })), "{wrong:?}");

    house.desk.take_result(&own, &command.id, device.sign(&result)).await.unwrap();
    let mut later = result;
    later.finished = house.desk.now();
    later.outcome = Outcome::Failed { reason: "changed my mind".to_owned() };
    let second = house.desk.take_result(&own, &command.id, device.sign(&later)).await;
    assert!(matches!(second, Err(DeskError::Conflict(_))), "a command is answered once: {second:?}");
}
