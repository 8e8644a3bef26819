//! A customer is forgotten, whatever comes in between, and nobody else notices.

use std::{fs, path::Path};

use desk::{Call, DeskError, EraseCustomer, ErasureReason, ErasureState, ErasureView, NewPayment};
use dossier::LogName;
use echo_core::{CustomerId, Id as _, PageRequest};

use crate::{
    device::{Device, House, open},
    flow::{settled_case, worry},
};

fn erase(name: &str) -> EraseCustomer {
    EraseCustomer { confirm: name.to_owned(), reason: ErasureReason::CustomerAsked, keep_invoices: false }
}

/// Whether any file below `folder` holds `word`, as it is.
fn holds(folder: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path).unwrap().windows(word.len()).any(|w| w == word.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

async fn state(house: &House, id: &CustomerId) -> ErasureState {
    house.desk.erasure(&house.operator, id, false).await.unwrap().state
}

/// A customer with a case that went all the way, and a device.
async fn settled(house: &House, name: &str) -> (CustomerId, Device) {
    let customer = house.customer(name).await;
    let device = Device::enrol(house, &customer).await;
    settled_case(house, &device, &customer).await;
    (customer, device)
}

#[tokio::test]
async fn the_plan_says_what_goes_and_changes_nothing() {
    let house = House::found().await;
    let (customer, _device) = settled(&house, "Anna").await;
    let plan = house.desk.erasure(&house.operator, &customer, false).await.unwrap();
    assert_eq!(plan.state, ErasureState::Planned);
    assert_eq!((plan.goes["case"], plan.goes["device"], plan.goes["invoice"]), (1, 1, 1), "{plan:?}");
    assert!(plan.goes["document"] > 5 && plan.obstacles.is_empty());
    assert!(plan.notes.iter().any(|note| note.contains("1 device is retired")), "{:?}", plan.notes);
    let kept = house.desk.erasure(&house.operator, &customer, true).await.unwrap();
    assert_eq!(kept.goes.get("invoice"), None);
    assert_eq!(kept.goes["document"] + 2, plan.goes["document"], "the invoice's and the payment's");
    assert_eq!(state(&house, &customer).await, ErasureState::Planned, "nothing was done");
}

#[tokio::test]
async fn only_an_admin_who_writes_the_name_erases() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let own = Call::by(house.person_of(&customer));
    let denied = house.desk.erase_customer(&own, &customer, &erase("Anna")).await;
    assert!(matches!(denied, Err(DeskError::Denied(_))), "{denied:?}");
    for wrong in ["", "anna", "Ann", "Anna Weber"] {
        let refused = house.desk.erase_customer(&house.call(), &customer, &erase(wrong)).await;
        assert!(matches!(refused, Err(DeskError::Invalid { .. })), "{wrong}: {refused:?}");
    }
    assert_eq!(state(&house, &customer).await, ErasureState::Planned);
    let nobody = format!("cus_{}", "0".repeat(32)).parse().unwrap();
    let missing = house.desk.erase_customer(&house.call(), &nobody, &erase("Anna")).await;
    assert!(matches!(missing, Err(DeskError::NotFound { .. })), "{missing:?}");
}

#[tokio::test]
async fn a_second_time_says_when_the_first_was() {
    let house = House::found().await;
    let (customer, _) = settled(&house, "Anna").await;
    let first = house.desk.erase_customer(&house.call(), &customer, &erase("Anna")).await.unwrap();
    assert_eq!(first.state, ErasureState::Erased);
    assert_eq!(first.erased.as_ref().unwrap().by, house.operator.subject);
    let size = house.desk.log(LogName::Genesis).size();
    let again = house.desk.erase_customer(&house.call(), &customer, &erase("whatever")).await.unwrap();
    assert_eq!(again, first);
    assert_eq!(house.desk.log(LogName::Genesis).size(), size, "nothing more is entered");
}

#[tokio::test]
async fn an_unpaid_invoice_stands_in_the_way_unless_invoices_stay() {
    let house = House::found().await;
    let customer = house.customer("Anna Maria Huber").await;
    let case = house.desk.open_case(&house.call(), worry(&customer, None)).await.unwrap().case.id;
    let invoice = house.desk.close_case(&house.call(), &case).await.unwrap().invoice.unwrap().invoice;
    let refused = house.desk.erase_customer(&house.call(), &customer, &erase("Anna Maria Huber")).await;
    let Err(DeskError::Conflict(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains(&invoice.number), "{why}");

    let keep = EraseCustomer { keep_invoices: true, ..erase("Anna Maria Huber") };
    let kept = house.desk.erase_customer(&house.call(), &customer, &keep).await.unwrap();
    assert_eq!((kept.state, kept.erased.unwrap().kept_invoices), (ErasureState::Erased, 1));
    assert!(house.desk.case(&house.operator, &case).await.is_err());
    let page = house.desk.customers(&house.operator, &PageRequest::default()).await.unwrap();
    assert!(page.items.is_empty());
    let html = house.desk.invoice_html(&house.operator, &invoice.id).await.unwrap();
    assert!(html.contains("Anna Maria Huber"), "a bill names who is billed");

    let payment = NewPayment { amount: invoice.total, reference: "bank statement 7".to_owned() };
    house.desk.pay(&house.call(), &invoice.id, payment).await.expect("it can still be paid");
    let over = EraseCustomer { reason: ErasureReason::RetentionOver, ..erase("Anna Maria Huber") };
    let gone = house.desk.erase_customer(&house.call(), &customer, &over).await.unwrap();
    assert!(gone.attestation.unwrap().ends_with("-2"));
    assert!(house.desk.invoice(&house.operator, &invoice.id).await.is_err());
    assert_eq!(holds(house.folder.path(), "Anna Maria Huber"), Vec::<String>::new());
    assert_eq!(holds(house.folder.path(), &customer.to_string()), Vec::<String>::new());
}

#[tokio::test]
async fn an_erasure_that_was_cut_off_is_finished_at_the_next_start() {
    let house = House::found().await;
    let (customer, _) = settled(&house, "Annabella").await;
    let (other, _) = settled(&house, "Benedikt").await;
    let own = house.person_of(&customer);
    let page = house.desk.receipts(&own, &PageRequest::largest()).await.unwrap();
    let receipts: Vec<String> = page.items.iter().map(|r| r.receipt.id.to_string()).collect();
    // A folder where a file should be cannot be removed as one.
    let blocked = house.folder.path().join(format!("ledger/{}.json", receipts[0]));
    fs::remove_file(&blocked).unwrap();
    fs::create_dir_all(blocked.join("x")).unwrap();
    let broken = house.desk.erase_customer(&house.call(), &customer, &erase("Annabella")).await;
    assert!(matches!(broken, Err(DeskError::Home(_))), "{broken:?}");
    assert_eq!(state(&house, &customer).await, ErasureState::Erasing);
    let health = house.desk.health().await;
    assert!(health.ready && health.alarms.iter().any(|alarm| alarm.contains("erasure")), "{health:?}");

    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    fs::remove_dir_all(&blocked).unwrap();
    let desk = open(folder.path()).await.desk;
    let view = desk.erasure(&operator, &customer, false).await.unwrap();
    assert_eq!(view.state, ErasureState::Erased);
    assert!(desk.health().await.alarms.is_empty());
    for word in ["Annabella", customer.as_str()] {
        assert_eq!(holds(folder.path(), word), Vec::<String>::new(), "{word}");
    }
    assert!(!holds(folder.path(), other.as_str()).is_empty());
    for receipt in &receipts {
        assert!(!folder.path().join(format!("ledger/{receipt}.entry")).exists());
    }
}

#[tokio::test]
async fn an_index_that_is_made_anew_still_lists_every_attestation() {
    let house = House::found().await;
    let (customer, _) = settled(&house, "Anna").await;
    settled(&house, "Ben").await;
    house.desk.close().await.unwrap();
    let House { folder, desk, operator } = house;
    drop(desk);
    let desk = open(folder.path()).await.desk;
    let before = listed(&desk).await;
    assert_eq!(before.len(), 2, "one proof of each");
    let call = Call::by(operator);
    desk.erase_customer(&call, &customer, &erase("Anna")).await.unwrap();
    desk.close().await.unwrap();
    drop(desk);
    fs::remove_file(folder.path().join(dossier::INDEX_FILE)).unwrap();
    let after = listed(&open(folder.path()).await.desk).await;
    assert_eq!(after.len(), 3, "and the erasure");
    assert_eq!(after[1..], before[..], "listed as before");
}

async fn listed(desk: &desk::Desk) -> Vec<dossier::index::Attested> {
    let bytes = desk.attestation_index().await.unwrap().expect("there is an index");
    dossier::Index::open(&bytes, desk.registry()).unwrap().own.entries
}

#[tokio::test]
async fn an_erased_device_and_its_node_are_refused() {
    let house = House::found().await;
    let customer = house.customer("Anna").await;
    let device = Device::enrol(&house, &customer).await;
    assert!(house.desk.node_revocations().is_none());
    let view: ErasureView =
        house.desk.erase_customer(&house.call(), &customer, &erase("Anna")).await.unwrap();
    assert_eq!(view.state, ErasureState::Erased);
    let list = house.desk.node_revocations().expect("the mesh is told");
    let list = trust::NodeRevocations::verify(&list, house.desk.registry()).unwrap();
    assert_eq!(list.nodes.len(), 1);
    let late = house.desk.accept_pulses(&device.principal, device_link::PulseBatch { pulses: Vec::new() });
    assert!(matches!(late, Err(DeskError::Unauthenticated(_))), "{late:?}");
}
