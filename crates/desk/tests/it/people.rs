//! Who sees what, and sessions.

use access::Role;
use agents::Skill;
use desk::{AskSkill, Call, DeskError, NewUser};
use echo_core::PageRequest;

use crate::{
    device::{Device, House},
    flow::{settled_case, worry},
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
