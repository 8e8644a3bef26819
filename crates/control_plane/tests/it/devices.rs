//! Devices that lie.

use serde_json::{Value, json};

use crate::{ask::ask, world::World};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_speaks_for_itself_alone() {
    let World { house, a, b, .. } = World::build().await;
    let send = async |pulse: &Value| {
        house.post("/v1/device/pulses", &a.device.token, &json!({"pulses": [pulse]})).await
    };
    let accepted = send(&a.device.pulse(&house, 1)).await.expect(200);
    assert_eq!((&accepted["fresh"], &accepted["duplicates"]), (&json!(1), &json!(0)));
    assert_eq!(send(&a.device.pulse(&house, 1)).await.expect(200)["duplicates"], 1);
    assert_eq!(send(&b.device.pulse(&house, 1)).await.problem(422), "invalid");
    let mut absurd = a.device.pulse(&house, 2);
    absurd["metrics"]["cpu_utilization"] = json!(7.0);
    assert_eq!(send(&absurd).await.problem(422), "invalid");
    let history = house.get(&format!("/v1/devices/{}/history", a.device.id), &a.person).await.expect(200);
    assert_eq!(history["items"].as_array().unwrap().len(), 1);
    let device = house.get(&format!("/v1/devices/{}", a.device.id), &a.person).await.expect(200);
    assert_eq!(device["presence"], "online");
    let many: Vec<Value> = (10..211).map(|seq| a.device.pulse(&house, seq)).collect();
    let answer = house.post("/v1/device/pulses", &a.device.token, &json!({"pulses": many})).await;
    assert_eq!(answer.problem(422), "invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_for_another_devices_command_is_refused() {
    let World { house, a, b, .. } = World::build().await;
    let open =
        json!({"form": "general-help", "device": b.device.id, "answers": {"what_happened": "Please look"}});
    let view = house.post("/v1/cases", &b.person, &open).await.expect(201);
    let path = format!("/v1/cases/{}/calls", view["case"]["id"].as_str().unwrap());
    house.post(&path, &b.person, &json!({"skill": "diagnostics.probe"})).await.expect(201);
    let command = b.device.command(&house).await;
    let path = format!("/v1/device/commands/{}/result", command["id"].as_str().unwrap());
    let failed = json!({"outcome": "failed", "reason": "no"});

    // The wrong device, with either signature.
    let by_a = a.device.result(&house, &command, &failed);
    let by_b = b.device.result(&house, &command, &failed);
    assert_eq!(house.post(&path, &a.device.token, &by_a).await.problem(404), "not-found");
    assert_eq!(house.post(&path, &a.device.token, &by_b).await.problem(404), "not-found");
    // The right device with a result that another signed, or that answers another command or kind of work.
    assert_eq!(house.post(&path, &b.device.token, &by_a).await.problem(422), "invalid");
    let mut other = command.clone();
    other["id"] = json!(b.command);
    let wrong = b.device.result(&house, &other, &failed);
    assert_eq!(house.post(&path, &b.device.token, &wrong).await.problem(422), "invalid");
    let report = crate::world::report(&house, 1, true);
    let kind = b.device.result(&house, &command, &json!({"outcome": "scanned", "report": report}));
    assert_eq!(house.post(&path, &b.device.token, &kind).await.problem(422), "invalid");
    // The truth is taken, once and again; another truth is not.
    house.post(&path, &b.device.token, &by_b).await.expect(200);
    house.post(&path, &b.device.token, &by_b).await.expect(200);
    let later = b.device.result(&house, &command, &json!({"outcome": "failed", "reason": "other"}));
    assert_eq!(house.post(&path, &b.device.token, &later).await.problem(409), "conflict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_may_be_larger_than_other_bodies_but_not_endless() {
    let World { house, a, .. } = World::build().await;
    let path = format!("/v1/device/commands/{}/result", a.command);
    let send = async |bytes: usize| {
        let mut body = br#"{"payloadType":""#.to_vec();
        body.resize(body.len() + bytes, b'x');
        body.extend(br#"","payload":"","signatures":[]}"#);
        ask("POST", &path).bearer(&a.device.token).bytes(body).send(&house).await
    };
    assert_eq!(send(2 * 1024 * 1024).await.problem(409), "conflict");
    assert_eq!(send(12 * 1024 * 1024).await.problem(413), "too-large");
}
