//! The mesh as people see it: nodes, paths, telemetry again, grants, revoked nodes.

use desk::MeshPathKind;
use futures::StreamExt as _;
use serde_json::json;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _},
};
use trust::{Envelope, NodeManifest, NodeRevocations};

use crate::{
    ask::ask,
    house::House,
    world::{World, mesh_node, picture},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_mesh_that_is_off_says_so() {
    let house = House::open().await;
    let nodes = house.get("/v1/mesh/nodes", &house.admin).await.expect(200);
    assert_eq!(nodes, json!({"on": false, "me": null, "at": null, "items": [], "next": null}));
    let doctor = house.get("/v1/mesh/doctor", &house.admin).await.expect(200);
    assert_eq!(doctor, json!({"on": false, "at": null, "report": null}));
    assert_eq!(house.get("/v1/mesh/revocations", "").await.expect(200)["list"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_their_own_nodes_with_prices_and_the_operators_gateways() {
    let World { house, technician, a, b } = World::build().await;
    let mut gateway = mesh_node(&house, &a);
    gateway.node = mesh::NodeId::of(&trust::KeyPair::from_secret(&[3; 32]).public());
    (gateway.customer, gateway.capabilities) = (None, vec!["gateway".to_owned()]);
    let mut laptop = gateway.clone();
    laptop.node = mesh::NodeId::of(&trust::KeyPair::from_secret(&[4; 32]).public());
    laptop.capabilities = Vec::new();
    let nodes = vec![mesh_node(&house, &a), mesh_node(&house, &b), gateway.clone(), laptop];
    house.desk.publish_mesh(picture(&house, nodes)).await.unwrap();
    let seen = house.get("/v1/mesh/nodes", &a.person).await.expect(200);
    let items = seen["items"].as_array().unwrap();
    assert_eq!(items.len(), 2, "its own node and the gateway, not the technician's laptop");
    assert!(items.iter().any(|item| item["node"] == json!(gateway.node)));
    let own = items.iter().find(|item| item["node"] == json!(a.device.node())).unwrap();
    assert_eq!(own["offers"][0]["skill"], "diagnostics.probe");
    assert!(own["offers"][0]["unit_price"].as_str().unwrap().parse::<f64>().unwrap() >= 0.0);

    let first = house.get("/v1/mesh/nodes?limit=3", &technician).await.expect(200);
    assert_eq!(first["items"].as_array().unwrap().len(), 3);
    let next = first["next"].as_str().unwrap();
    let rest = house.get(&format!("/v1/mesh/nodes?limit=3&cursor={next}"), &technician).await.expect(200);
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert!(rest["next"].is_null());
    assert_eq!(house.get("/v1/mesh/nodes?cursor=x", &technician).await.problem(422), "invalid");
    let doctor = house.get("/v1/mesh/doctor", &technician).await.expect(200);
    assert_eq!(doctor["report"], json!({"links": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_and_goes_is_told_to_those_whose_it_is() {
    let World { house, a, b, .. } = World::build().await;
    let operator = house.desk.authenticate(&house.admin).await.unwrap();
    let person = house.desk.authenticate(&a.person).await.unwrap();
    let before = house.desk.last_event().await.unwrap();
    let (mut gone, mut moved) = (mesh_node(&house, &a), mesh_node(&house, &b));
    gone.reachable = false;
    gone.path.why = Some("no candidate pair worked".to_owned());
    moved.path.kind = MeshPathKind::Relayed;
    house.desk.publish_mesh(picture(&house, vec![gone, moved])).await.unwrap();
    let words = |events: Vec<(i64, desk::Event)>| -> Vec<String> {
        events.into_iter().map(|(_, e)| e.what).collect()
    };
    let all = words(house.desk.events_after(&operator, before).await.unwrap());
    assert_eq!(all.len(), 2, "{all:?}");
    let own = words(house.desk.events_after(&person, before).await.unwrap());
    assert_eq!(own, ["till-1 is away: no candidate pair worked"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn telemetry_comes_again_by_time_and_node() {
    let World { house, a, b, .. } = World::build().await;
    for (side, count) in [(&a, 3), (&b, 2)] {
        for seq in 1..=count {
            house.clock.advance_millis(1_000);
            let batch = json!({"pulses": [side.device.pulse(&house, seq)]});
            house.post("/v1/device/pulses", &side.device.token, &batch).await.expect(200);
        }
    }
    let all = house.get("/v1/mesh/pulses", &house.admin).await.expect(200);
    let times: Vec<&str> =
        all["items"].as_array().unwrap().iter().map(|i| i["at"].as_str().unwrap()).collect();
    assert!(times.len() == 5 && times.is_sorted(), "{times:?}");
    let own = house.get("/v1/mesh/pulses", &a.person).await.expect(200);
    assert_eq!(own["items"].as_array().unwrap().len(), 3);
    let path = format!("/v1/mesh/pulses?node={}&from={}", a.device.node(), times[1]);
    assert_eq!(house.get(&path, &a.person).await.expect(200)["items"].as_array().unwrap().len(), 2);
    let path = format!("/v1/mesh/pulses?to={}", times[1]);
    assert_eq!(house.get(&path, &house.admin).await.expect(200)["items"].as_array().unwrap().len(), 1);
    let others = format!("/v1/mesh/pulses?node={}", b.device.node());
    assert_eq!(house.get(&others, &a.person).await.problem(404), "not-found");
    let proofs = house.get("/v1/proofs", &house.admin).await.expect(200);
    let proof =
        proofs["items"].as_array().unwrap().iter().find(|p| p["device"] == json!(b.device.id)).unwrap();
    let path = format!("/v1/mesh/pulses?proof={}", proof["id"].as_str().unwrap());
    assert_eq!(house.get(&path, &house.admin).await.expect(200)["items"].as_array().unwrap().len(), 2);
    assert_eq!(house.get(&path, &a.person).await.problem(404), "not-found");
    let first = house.get("/v1/mesh/pulses?limit=4", &house.admin).await.expect(200);
    let rest = format!("/v1/mesh/pulses?limit=4&cursor={}", first["next"].as_str().unwrap());
    assert_eq!(house.get(&rest, &house.admin).await.expect(200)["items"].as_array().unwrap().len(), 1);
    for (query, status) in [("from=x", 400), ("node=did:key:z", 400), ("cursor=x", 422)] {
        house.get(&format!("/v1/mesh/pulses?{query}"), &house.admin).await.problem(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_priced_signed_listed_and_held() {
    let World { house, a, b, .. } = World::build().await;
    let open = json!({"form": "general-help", "answers": {"what_happened": "look at it while we are out"}});
    let case = house.post("/v1/cases", &a.person, &open).await.expect(201)["case"]["id"].clone();
    let path = format!("/v1/cases/{}/grants", case.as_str().unwrap());
    let new = json!({"holder": a.device.node(), "skills": ["diagnostics.probe"], "calls": 5, "hours": 24});
    let made = house.post(&path, &a.person, &new).await.expect(201);
    assert_eq!(made["grant"]["most_calls"], 5);
    assert_eq!(made["state"], "open");
    let listed = house.get(&path, &a.person).await.expect(200);
    assert_eq!(listed["items"][0]["digest"], made["digest"]);
    let held = house.get("/v1/device/grants", &a.device.token).await.expect(200);
    assert_eq!(held["items"], json!([made["envelope"]]));
    assert_eq!(house.get("/v1/device/grants", &b.device.token).await.expect(200)["items"], json!([]));
    for (field, wrong) in [
        ("holder", json!(b.device.node())),
        ("skills", json!([])),
        ("skills", json!(["remediation.apply"])),
        ("calls", json!(0)),
        ("calls", json!(201)),
        ("hours", json!(745)),
    ] {
        let mut bad = new.clone();
        bad[field] = wrong;
        let status = if field == "holder" { 404 } else { 422 };
        house.post(&path, &a.person, &bad).await.problem(status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_reads_its_certificate_and_gets_the_next_one_in_time() {
    let World { house, a, b, .. } = World::build().await;
    let read = async |token: &str| {
        let answer = house.get("/v1/device/manifest", token).await.expect(200);
        let certificate: Envelope = serde_json::from_value(answer.clone()).unwrap();
        (NodeManifest::verify(&certificate, house.desk.registry(), house.mint.now()).unwrap(), certificate)
    };
    let (first, certificate) = read(&a.device.token).await;
    assert_eq!(first.device.to_string(), a.device.id);
    assert_eq!(read(&a.device.token).await.1, certificate, "it lasts");
    assert_eq!(read(&b.device.token).await.0.device.to_string(), b.device.id, "each its own");
    house.clock.advance_millis(340 * 24 * 3_600_000);
    let tokens = a.device.assert(&house, &a.device.assertion(&house)).await.expect(200);
    let (next, _) = read(tokens["access_token"].as_str().unwrap()).await;
    assert!(next.expires > first.expires);
    assert_eq!(NodeManifest { issued: first.issued, expires: first.expires, ..next }, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_device_stands_in_the_signed_list_that_everybody_reads() {
    let World { house, a, b, .. } = World::build().await;
    let watch = house.desk.node_revocations_watch();
    for (version, side) in [(1, &a), (2, &b)] {
        let path = format!("/v1/devices/{}/retire", side.device.id);
        house.post(&path, &house.admin, &json!({})).await.expect(200);
        let list = house.get("/v1/mesh/revocations", "").await.expect(200)["list"].clone();
        let list: Envelope = serde_json::from_value(list).unwrap();
        assert_eq!(watch.borrow().as_ref(), Some(&list));
        let list = NodeRevocations::verify(&list, house.desk.registry()).unwrap();
        assert_eq!((list.version, list.nodes.len() as u64), (version, version));
        assert_eq!(list.of(&side.device.node()).unwrap().reason, "retired");
        let path = format!("/v1/documents/node_revocations/version-{version}");
        house.get(&path, &house.admin).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_without_a_handshake_is_told_what_it_lacks() {
    let World { house, a, .. } = World::build().await;
    assert_eq!(house.get("/v1/mesh/ws", &a.person).await.problem(426), "upgrade");
    assert_eq!(house.get("/v1/mesh/ws", &a.device.token).await.problem(403), "forbidden");
    assert_eq!(ask("GET", "/v1/mesh/ws").send(&house).await.problem(401), "unauthenticated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_says_who_is_there_and_what_happens() {
    let World { house, a, b, .. } = World::build().await;
    let address = house.serve().await;
    let handshake = |token: &str| {
        let mut request = format!("ws://{address}/v1/mesh/ws").into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request
    };
    let (mut socket, _) = connect_async(handshake(&a.person)).await.unwrap();
    let first = said(&mut socket).await.unwrap();
    assert_eq!((&first["kind"], first["nodes"].as_array().unwrap().len()), (&json!("nodes"), 1));
    assert_eq!(first["nodes"][0]["node"], json!(a.device.node()));

    let mut gone = mesh_node(&house, &a);
    gone.reachable = false;
    house.desk.publish_mesh(picture(&house, vec![gone, mesh_node(&house, &b)])).await.unwrap();
    let (mut event, mut nodes) = (false, false);
    while !(event && nodes) {
        let said = said(&mut socket).await.unwrap();
        assert!(!said.to_string().contains(&b.device.node()), "{said}");
        event |= said["kind"] == "event" && said["event"]["what"] == "till-1 is away";
        nodes |= said["kind"] == "nodes" && said["nodes"][0]["reachable"] == json!(false);
    }
    let cookie = format!("echo_access={}", a.person);
    let mut foreign = format!("ws://{address}/v1/mesh/ws").into_client_request().unwrap();
    foreign.headers_mut().insert("cookie", cookie.parse().unwrap());
    foreign.headers_mut().insert("origin", "http://evil.example".parse().unwrap());
    assert!(connect_async(foreign).await.is_err(), "another site's page cannot listen");
    house.stop.send_replace(true);
    while let Some(said) = said(&mut socket).await {
        assert!(said["kind"].is_string());
    }
}

/// The next JSON text; nothing when the connection is over.
async fn said(socket: &mut WebSocketStream<MaybeTlsStream<TcpStream>>) -> Option<serde_json::Value> {
    loop {
        match tokio::time::timeout(std::time::Duration::from_secs(10), socket.next()).await.unwrap() {
            Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            _ => return None,
        }
    }
}
