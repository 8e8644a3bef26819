//! The main flow on a copy of a system: diagnosis, scan, plan, approval, change, proof.

use std::{fs, time::Duration};

use crate::{
    platform::{Platform, eventually},
    probe::Device,
};

#[test]
fn a_case_goes_from_diagnosis_to_a_proof() {
    let home = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(home.path());
    let device = Device::enrol(&mut platform);
    let root = device.fresh_root("root");
    let probe = device.run(Some(&root));
    let case = platform.open_case(&device.id);

    let diagnosis = platform.ask(&case, "diagnostics.probe");
    assert_eq!(diagnosis["state"], "done", "{diagnosis}");
    assert!(diagnosis["output"]["facts"]["kernel"].as_str().is_some_and(|k| !k.is_empty()), "{diagnosis}");
    let scan = platform.ask(&case, "scanner.posture");
    assert_eq!(scan["state"], "done", "{scan}\n{}", device.log());
    let plan = platform.ask(&case, "remediation.plan");
    assert_eq!(plan["state"], "done", "{plan}\n{}", device.log());
    let change = plan["change_set"].as_str().unwrap().to_owned();

    let before = fs::read_to_string(root.join("etc/ssh/sshd_config")).unwrap();
    assert!(before.contains("PermitRootLogin yes"), "a plan changes nothing");
    let approved = platform.post(&format!("/v1/change-sets/{change}/approve"), &serde_json::json!({}));
    let apply = platform.finished(approved["apply_call"].as_str().unwrap());
    assert_eq!(apply["state"], "done", "{apply}\n{}", device.log());
    assert_eq!(platform.get(&format!("/v1/change-sets/{change}"))["state"], "applied");
    assert!(!fs::read_to_string(root.join("etc/ssh/sshd_config")).unwrap().contains("PermitRootLogin yes"));
    let proofs = platform.get("/v1/proofs");
    assert_eq!(proofs["items"].as_array().unwrap().len(), 1, "{proofs}");

    eventually("that all answers count as told", || {
        let journal = device.journal();
        (journal.len() == 4 && journal.iter().all(|entry| entry["state"] == "done")).then_some(())
    });
    assert_eq!(device.status()["running"], true);
    let (took, code) = probe.terminate();
    assert!(took < Duration::from_secs(2) && code == Some(0), "{took:?} {code:?}");
}

#[test]
fn the_running_system_is_not_changed_without_leave() {
    let home = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(home.path());
    let device = Device::enrol(&mut platform);
    let root = device.fresh_root("root");
    let probe = device.run(Some(&root));
    let case = platform.open_case(&device.id);
    platform.ask(&case, "scanner.posture");
    let plan = platform.ask(&case, "remediation.plan");
    probe.terminate();
    // The same device again, this time on the running system.
    let _probe = device.run(None);
    let change = plan["change_set"].as_str().unwrap();
    let approved = platform.post(&format!("/v1/change-sets/{change}/approve"), &serde_json::json!({}));
    let apply = platform.finished(approved["apply_call"].as_str().unwrap());
    assert_eq!(apply["state"], "failed", "{apply}");
    assert!(apply["error"].as_str().unwrap().contains("--allow-live-changes"), "{apply}");
}
