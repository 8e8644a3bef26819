//! What is left of a device that was taken out of care.

use crate::{device::House, seed, visit::Browser};

#[tokio::test]
async fn a_device_can_be_retired_after_a_question() {
    let house = House::found().await;
    let seeded = seed::fill(&house).await;
    let (device, retire) =
        (format!("/devices/{}", seeded.device), format!("/v1/devices/{}/retire", seeded.device));
    for browser in [
        Browser::operator(&house).await,
        Browser::technician(&house).await,
        Browser::customer(&house, &seeded.customer).await,
    ] {
        let page = browser.page(&device).await;
        let form = page.split("<form ").find(|f| f.contains(&retire)).expect("a way to retire it");
        assert!(form.contains("data-confirm=\"Take workshop out of care for good?"), "{form}");
        assert!(form.contains("Its proofs and receipts stay."), "{form}");
    }
}

#[tokio::test]
async fn a_retired_device_is_shown_as_such_and_asked_nothing() {
    let house = House::found().await;
    let seeded = seed::fill(&house).await;
    let desk = &house.desk;
    let waiting = desk.case(&house.operator, &seeded.waiting).await.unwrap().case.device.unwrap();
    for device in [&seeded.device, &waiting] {
        desk.retire_device(&house.call(), device).await.unwrap();
    }
    let browser = Browser::operator(&house).await;
    let list = browser.page("/devices").await;
    assert_eq!(list.matches("<span class=\"chip quiet\">retired</span>").count(), 2);
    assert!(!list.contains("online"));
    let page = browser.page(&format!("/devices/{}", seeded.device)).await;
    assert!(page.contains("retired</span>") && page.contains("Its proofs and receipts stay"));
    assert!(!page.contains("/retire") && !page.contains("<form class=\"action\""), "no buttons");
    assert!(page.contains("data-verify"), "what was signed can still be checked");
    let cases = browser.page("/cases").await;
    assert!(!cases.contains("data-of="), "no new case can name it");
    let case = browser.page(&format!("/cases/{}", seeded.waiting)).await;
    assert!(case.contains("The device is retired"));
    assert!(!case.contains("/approve\"") && case.contains("/reject\""), "its change can only be turned down");
}
