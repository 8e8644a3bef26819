//! Live events and waiting devices, over real sockets.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    ask::ask,
    house::House,
    world::{Device, World},
};

/// Reads from a socket until `wanted` is there, the peer closes, or the patience ends.
fn read_until(mut socket: &TcpStream, wanted: &str, patience: Duration) -> String {
    let (began, mut seen) = (Instant::now(), Vec::new());
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = [0; 4096];
    while began.elapsed() < patience && !String::from_utf8_lossy(&seen).contains(wanted) {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => seen.extend_from_slice(&buffer[..n]),
            Err(e) => assert!(
                matches!(e.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
                "{e}"
            ),
        }
    }
    String::from_utf8_lossy(&seen).into_owned()
}

fn follow(address: SocketAddr, token: &str, query: &str, headers: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    let request = format!(
        "GET /v1/events{query} HTTP/1.1\r\nHost: echo\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

async fn reading(socket: TcpStream, wanted: &'static str, seconds: u64) -> (TcpStream, String) {
    tokio::task::spawn_blocking(move || {
        let seen = read_until(&socket, wanted, Duration::from_secs(seconds));
        (socket, seen)
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_hears_of_its_own_things_alone() {
    let World { house, a, b, .. } = World::build().await;
    let address = house.serve().await;
    let (socket, head) = reading(follow(address, &a.person, "", ""), "\r\n\r\n", 5).await;
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
    let open = |words: &str| json!({"form": "general-help", "answers": {"what_happened": words}});
    let other = house.post("/v1/cases", &b.person, &open("b's secret")).await.expect(201);
    let own = house.post("/v1/cases", &a.person, &open("a's own")).await.expect(201);
    let id = |view: &serde_json::Value| view["case"]["id"].as_str().unwrap().to_owned();
    let (_, seen) = reading(socket, "Triage", 5).await;
    assert!(seen.contains(&id(&own)), "{seen}");
    assert!(!seen.contains(&id(&other)), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_after_the_last_event_that_was_seen() {
    let World { house, a, .. } = World::build().await;
    let address = house.serve().await;
    let (_, all) = reading(follow(address, &a.person, "?after=0", ""), "Case closed", 5).await;
    let ids: Vec<i64> = all.lines().filter_map(|l| l.strip_prefix("id: ")?.trim().parse().ok()).collect();
    assert!(ids.len() > 5 && ids.is_sorted(), "{all}");
    let header = format!("Last-Event-ID: {}\r\n", ids[ids.len() - 2]);
    let (_, rest) = reading(follow(address, &a.person, "?after=0", &header), "data:", 5).await;
    assert_eq!(rest.matches("id: ").count(), 1, "{rest}");
    assert!(rest.contains(&format!("id: {}", ids[ids.len() - 1])), "{rest}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_session_or_the_platform_does() {
    let World { house, a, .. } = World::build().await;
    let address = house.serve().await;
    let (one, _) = reading(follow(address, &a.person, "", ""), "\r\n\r\n", 5).await;
    let (two, _) = reading(follow(address, &house.admin, "", ""), "\r\n\r\n", 5).await;
    let out = ask("POST", "/v1/sign-out").bearer(&a.person).send(&house).await;
    assert_eq!(out.status, 204);
    // Something to hear: the session's end is seen before it is told.
    let open = json!({"form": "general-help", "customer": a.customer, "answers": {"what_happened": "x"}});
    house.post("/v1/cases", &house.admin, &open).await.expect(201);
    let (_, seen) = reading(one, "0\r\n\r\n", 5).await;
    assert!(!seen.contains("data:") && seen.ends_with("0\r\n\r\n"), "{seen}");
    house.stop.send_replace(true);
    let (_, seen) = reading(two, "\r\n0\r\n\r\n", 5).await;
    assert!(seen.contains("data:") && seen.ends_with("0\r\n\r\n"), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_id_that_is_none_is_refused() {
    let house = House::open().await;
    let answer =
        ask("GET", "/v1/events").bearer(&house.admin).header("last-event-id", "x").send(&house).await;
    assert_eq!(answer.problem(400), "query");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_waits_gets_work_as_soon_as_there_is_some() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let device = Device::enrol(&house, &customer, "till-1").await;
    let open = json!({
        "form": "general-help", "customer": customer, "device": device.id, "answers": {"what_happened": "look"},
    });
    let view = house.post("/v1/cases", &house.admin, &open).await.expect(201);
    let (began, path) = (Instant::now(), format!("/v1/cases/{}/calls", view["case"]["id"].as_str().unwrap()));
    let body = json!({"skill": "diagnostics.probe"});
    let (waited, asked) = tokio::join!(house.get("/v1/device/commands?wait=20", &device.token), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        house.post(&path, &house.admin, &body).await
    });
    asked.expect(201);
    assert_eq!(waited.expect(200)["items"].as_array().unwrap().len(), 1);
    assert!((300..10_000).contains(&began.elapsed().as_millis()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_device_is_let_go_when_the_platform_stops() {
    let house = House::open().await;
    let customer = house.customer("Bakery Weber").await;
    let device = Device::enrol(&house, &customer, "till-1").await;
    let began = Instant::now();
    let (waited, ()) = tokio::join!(house.get("/v1/device/commands?wait=20", &device.token), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        house.stop.send_replace(true);
    });
    assert_eq!(waited.expect(200)["items"], json!([]));
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_caller_cannot_take_everybodys_streams() {
    let World { house, a, b, .. } = World::build().await;
    let address = house.serve().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let (socket, head) = reading(follow(address, &a.person, "", ""), "\r\n\r\n", 5).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        open.push(socket);
    }
    let (_, head) = reading(follow(address, &a.person, "", ""), "\r\n\r\n", 5).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
    let (_, head) = reading(follow(address, &b.person, "", ""), "\r\n\r\n", 5).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    drop(open);
}
