//! What an operator sees and asks of the schedule.

use serde_json::json;

use crate::{ask::ask, house::House};

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_reads_the_schedule_and_asks_for_a_run_once() {
    let house = House::open().await;
    let schedule = house.get("/v1/schedule", &house.admin).await.expect(200);
    let jobs = schedule["jobs"].as_array().unwrap();
    assert_eq!(jobs.len(), desk::KNOWN_JOBS.len());
    assert!(jobs.iter().all(|job| job["condition"] == "good" && job["when"][0].is_string()));
    let run = || ask("POST", "/v1/schedule/smart/run").bearer(&house.admin).key("k-1").json(&json!({}));
    let first = run().send(&house).await;
    assert_eq!(first.expect(200)["condition"], "waiting");
    let second = run().send(&house).await;
    assert_eq!((second.status, second.header("idempotency-replayed")), (first.status, "true"));
    let again = house.post("/v1/schedule/smart/run", &house.admin, &json!({})).await;
    assert_eq!(again.problem(409), "conflict");
    assert_eq!(house.get("/v1/schedule/smart/runs", &house.admin).await.expect(200), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_rests_until_it_is_resumed() {
    let house = House::open().await;
    let paused = house.post("/v1/schedule/vacuum/pause", &house.admin, &json!({})).await.expect(200);
    assert_eq!((&paused["condition"], &paused["next"]), (&json!("paused"), &json!(null)));
    let resumed = house.post("/v1/schedule/vacuum/resume", &house.admin, &json!({})).await.expect(200);
    assert!(resumed["condition"] == "good" && resumed["next"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_there_is_not_is_not_found() {
    let house = House::open().await;
    for path in ["/v1/schedule/teapot/run", "/v1/schedule/teapot/pause", "/v1/schedule/%20/resume"] {
        assert_eq!(house.post(path, &house.admin, &json!({})).await.problem(404), "not-found");
    }
    assert_eq!(house.get("/v1/schedule/teapot/runs", &house.admin).await.problem(404), "not-found");
}
