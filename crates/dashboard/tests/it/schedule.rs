//! The schedule's page, and who may have it.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use desk::ScheduleStep;
use scheduler::{Finish, Instants, Order};

use crate::{device::House, visit::Browser};

#[tokio::test]
async fn an_admin_sees_the_jobs_worst_first_with_what_to_ask() {
    let house = House::found().await;
    fail(&house, "smart").await;
    house.desk.pause_job(&house.call(), "vacuum").await.unwrap();
    let page = Browser::operator(&house).await.page("/schedule").await;
    for words in [
        "data-post=\"/v1/schedule/smart/run\"",
        "data-post=\"/v1/schedule/smart/pause\"",
        "data-post=\"/v1/schedule/vacuum/resume\"",
        "Run now<span class=\"unseen\">: integrity</span>",
        "the disk &#60;b&#62; is tired",
        "<span class=\"chip bad\">failing</span>",
        "<strong>1 failing:</strong>",
        "href=\"/schedule\"",
    ] {
        assert!(page.contains(words), "the page does not show {words}");
    }
    let place = |job: &str| page.find(&format!("id=\"job-{job}\"")).unwrap();
    assert!(place("smart") < place("vacuum") && place("vacuum") < place("integrity"));
}

/// Has a job fail with all its retries.
async fn fail(house: &House, job: &str) {
    house.desk.run_job(&house.call(), job).await.unwrap();
    let mut now = Instants { wall: house.desk.now(), monotonic: 0, boot: "b".to_owned() };
    let mut failed = 0;
    for _ in 0..100 {
        let alive = BTreeSet::new();
        let step = ScheduleStep { now: &now, holder: "h", alive: &alive, events: &[] };
        let turn = house.desk.schedule_step(step).await.unwrap();
        for order in turn.orders {
            let Order::Start { job: started, run, .. } = order else { continue };
            let finish = if started == job {
                failed += 1;
                Finish::Failed("the disk <b> is tired".to_owned())
            } else {
                Finish::Done("fine".to_owned())
            };
            house.desk.schedule_finish(&now, ("h", &run), finish).await.unwrap();
        }
        now.monotonic += 20_000;
    }
    assert_eq!(failed, 3);
}

#[tokio::test]
async fn for_others_there_is_no_such_page() {
    let house = House::found().await;
    let customer = house.customer("Miller's bakery").await;
    for browser in [Browser::technician(&house).await, Browser::customer(&house, &customer).await] {
        assert_eq!(browser.get("/schedule").await.status, StatusCode::NOT_FOUND);
        assert!(!browser.page("/cases").await.contains("href=\"/schedule\""));
    }
}
