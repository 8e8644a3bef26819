//! Who sees what, and sessions.

use std::{fs, time::Duration};

use access::Role;
use agents::Skill;
use desk::{
    AskSkill, Call, CaseState, ChangeSetState, DeskError, DeviceState, Idempotency, NewUser, SkillCallState,
};
use echo_core::{Id as _, PageRequest};

use crate::{
    device::{Device, House},
    flow::{ask, settled_case, worry},
};

#[tokio::test]
async fn a_customer_sees_nothing_of_another() {
    let house = House::found().await;
    let (anna, ben) = (house.customer("Anna").await, house.customer("Ben").await);
    let device = Device::enrol(&house, &anna).await;
    let case = settled_case(&house, &device, &anna).await;
    let stranger = house.person_of(&ben);
    let desk = &house.desk;
    let page = PageRequest::default();
    let not_found = |e: &DeskError| matches!(e, DeskError::NotFound { .. });
    assert!(not_found(&desk.case(&stranger, &case).await.unwrap_err()));
    assert!(not_found(&desk.export_case(&stranger, &case).await.unwrap_err()));
    assert!(not_found(&desk.device(&stranger, &device.id).await.unwrap_err()));
    let call = Call::by(stranger.clone());
    let asked = AskSkill { skill: Skill::TriageClassify, question: None };
    assert!(not_found(&desk.ask(&call, &case, asked).await.unwrap_err()));
    let foreign = desk.open_case(&call, worry(&anna, Some(&device))).await;
    assert!(not_found(&foreign.unwrap_err()));
    assert_eq!(desk.cases(&stranger, None, &page).await.unwrap().items.len(), 0);
    assert_eq!(desk.findings(&stranger, None, &page).await.unwrap().items.len(), 0);
    assert_eq!(desk.receipts(&stranger, &page).await.unwrap().items.len(), 0);
    assert_eq!(desk.invoices(&stranger, &page).await.unwrap().items.len(), 0);
    assert_eq!(desk.proofs(&stranger, &page).await.unwrap().items.len(), 0);
    assert_eq!(desk.devices(&stranger, &page).await.unwrap().items.len(), 0);
    assert_eq!(desk.customers(&stranger, &page).await.unwrap().items.len(), 1);
    assert_eq!(desk.events_after(&stranger, 0).await.unwrap().len(), 0);
    let own = house.person_of(&anna);
    assert_eq!(desk.cases(&own, None, &page).await.unwrap().items.len(), 1);
    assert!(!desk.events_after(&own, 0).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_sign_in_link_works_once_and_an_old_refresh_token_ends_the_session() {
    let house = House::found().await;
    let new = NewUser { name: "Tina".to_owned(), role: Role::Technician, customer: None };
    let user = house.desk.add_user(&house.call(), new).await.unwrap();
    let link = house.desk.make_sign_in_link(&house.call(), &user.id).await.unwrap();
    let tokens = house.desk.sign_in(&link.secret).await.unwrap();
    assert!(house.desk.sign_in(&link.secret).await.is_err(), "a link works once");
    let first = tokens.refresh_token.unwrap();
    let second = house.desk.refresh(&first).await.unwrap();
    assert!(house.desk.authenticate(&second.access_token).await.is_ok());
    assert!(house.desk.refresh(&first).await.is_err(), "a refresh token works once");
    let after = house.desk.authenticate(&second.access_token).await;
    assert!(after.is_err(), "a stolen refresh token ends the session");
}

#[tokio::test]
async fn signing_out_ends_the_access_token_too() {
    let house = House::found().await;
    let link =
        house.desk.make_sign_in_link(&house.call(), &house.operator.subject.parse().unwrap()).await.unwrap();
    let tokens = house.desk.sign_in(&link.secret).await.unwrap();
    let principal = house.desk.authenticate(&tokens.access_token).await.unwrap();
    house.desk.sign_out(&principal).await.unwrap();
    assert!(house.desk.authenticate(&tokens.access_token).await.is_err());
}

#[tokio::test]
async fn a_customer_may_not_do_the_operator_s_work() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let call = Call::by(house.person_of(&customer));
    let new = NewUser { name: "Eve".to_owned(), role: Role::OperatorAdmin, customer: None };
    assert!(matches!(house.desk.add_user(&call, new).await, Err(DeskError::Denied(_))));
}

#[tokio::test]
async fn a_retired_device_is_told_of_and_its_history_stays() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let case = settled_case(&house, &device, &customer).await;
    let desk = &house.desk;
    let stranger = Call::by(house.person_of(&house.customer("Ben").await));
    let foreign = desk.retire_device(&stranger, &device.id).await;
    assert!(matches!(foreign, Err(DeskError::NotFound { .. })));
    let itself = desk.retire_device(&Call::by(device.principal.clone()), &device.id).await;
    assert!(matches!(itself, Err(DeskError::Denied(_))));
    assert!(desk.device(&house.operator, &device.id).await.unwrap().device.in_care().is_ok());

    let before = desk.last_event().await.unwrap();
    let key = Idempotency::new("once", "POST", "/v1/devices", b"").unwrap();
    let own = Call { principal: house.person_of(&customer), idempotency: Some(key) };
    let retired = desk.retire_device(&own, &device.id).await.unwrap();
    assert_eq!(retired.device.state, DeviceState::Revoked);
    assert!(retired.device.in_care().unwrap_err().to_string().contains("enrol"));
    assert_eq!(desk.device(&house.operator, &device.id).await.unwrap(), retired);
    let kept = desk.replay(&own).await.unwrap().unwrap();
    assert_eq!((kept.status, kept.body), (200, serde_json::to_string(&retired).unwrap()));
    let twice = desk.retire_device(&house.call(), &device.id).await;
    assert!(matches!(twice, Err(DeskError::Conflict(reason)) if reason.contains("retired already")));
    let told = desk.events_after(&own.principal, before).await.unwrap();
    let told: Vec<_> = told.iter().map(|(_, e)| (e.topic.as_str(), e.id.as_str(), e.what.as_str())).collect();
    assert_eq!(told, [("device", device.id.as_str(), "workshop retired")]);

    let file = |name: &str| fs::read_to_string(house.folder.path().join(name)).unwrap();
    let row = file("wallets_list_pilot.csv");
    let row = row.lines().find(|line| line.starts_with(device.id.as_str())).unwrap();
    assert!(row.contains(",revoked,"), "{row}");
    assert!(!file("registry.json").contains(&retired.device.manifest.payload), "the mesh knows it no more");
    let view = desk.case(&house.operator, &case).await.unwrap();
    assert!(!view.proofs.is_empty() && !view.receipts.is_empty());
    let export = desk.export_case(&house.operator, &case).await.unwrap();
    dossier::verify(&export, desk.root()).unwrap();
}

#[tokio::test]
async fn what_waits_for_a_retired_device_fails_and_is_not_charged() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let (desk, call) = (&house.desk, house.call());
    let case = desk.open_case(&call, worry(&customer, Some(&device))).await.unwrap().case.id;
    for skill in [Skill::ScannerPosture, Skill::RemediationPlan] {
        desk.ask(&call, &case, ask(skill)).await.unwrap();
        device.work(desk).await;
    }
    let change = desk.case(&house.operator, &case).await.unwrap().change_sets[0].id.clone();
    let apply = desk.approve(&call, &change).await.unwrap().apply_call.unwrap();
    let other = desk.open_case(&call, worry(&customer, Some(&device))).await.unwrap().case.id;
    let probe = desk.ask(&call, &other, ask(Skill::DiagnosticsProbe)).await.unwrap();
    let waiting = desk.next_commands(&device.principal, Duration::ZERO).await.unwrap();
    assert_eq!(waiting.len(), 2);
    let receipts = desk.receipts(&house.operator, &PageRequest::default()).await.unwrap().items.len();

    desk.retire_device(&call, &device.id).await.unwrap();
    for id in [&apply, &probe.id] {
        let failed = desk.skill_call(&house.operator, id).await.unwrap();
        assert_eq!((failed.state, failed.receipt), (SkillCallState::Failed, None));
        assert_eq!(failed.error.unwrap(), "the device workshop was retired before it answered");
    }
    let view = desk.case(&house.operator, &case).await.unwrap();
    assert_eq!((view.case.state, view.change_sets[0].state), (CaseState::Open, ChangeSetState::Failed));
    assert!(desk.next_commands(&device.principal, Duration::ZERO).await.unwrap().is_empty());
    let (command, result) = device.carry_out(desk, waiting.last().unwrap());
    let late = desk.take_result(&Call::by(device.principal.clone()), &command.id, device.sign(&result)).await;
    assert!(matches!(late, Err(DeskError::Conflict(_))), "a late answer is not taken");
    let after = desk.receipts(&house.operator, &PageRequest::default()).await.unwrap().items.len();
    assert_eq!(after, receipts);
    for refused in [
        desk.ask(&call, &case, ask(Skill::ScannerPosture)).await.err(),
        desk.open_case(&call, worry(&customer, Some(&device))).await.err(),
    ] {
        assert!(matches!(refused, Some(DeskError::Conflict(reason)) if reason.contains("is retired")));
    }
    assert_eq!(desk.close_case(&call, &case).await.unwrap().case.state, CaseState::Closed);
}

#[tokio::test]
async fn a_change_for_a_retired_device_can_be_rejected_but_not_approved() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    let (desk, call) = (&house.desk, house.call());
    let case = desk.open_case(&call, worry(&customer, Some(&device))).await.unwrap().case.id;
    for skill in [Skill::ScannerPosture, Skill::RemediationPlan] {
        desk.ask(&call, &case, ask(skill)).await.unwrap();
        device.work(desk).await;
    }
    let change = desk.case(&house.operator, &case).await.unwrap().change_sets[0].id.clone();
    desk.retire_device(&call, &device.id).await.unwrap();
    let approved = desk.approve(&call, &change).await;
    assert!(matches!(approved, Err(DeskError::Conflict(reason)) if reason.contains("is retired")));
    assert_eq!(desk.reject(&call, &change).await.unwrap().state, ChangeSetState::Rejected);
    assert_eq!(desk.close_case(&call, &case).await.unwrap().case.state, CaseState::Closed);
}
