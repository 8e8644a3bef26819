//! A kill without a word, between taking a command and being rid of its result.

use std::{fs, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    platform::{PATIENCE, Platform, eventually},
    probe::Device,
};

/// When the probe is killed.
type Moment = fn(&Device, &Value) -> bool;

fn in_state(entry: &Value, state: &str) -> bool {
    entry["state"] == state
}

/// From the first sign of a command to the last moment before its answer is told.
const MOMENTS: [(&str, Moment); 4] = [
    ("begun", |_, entry| in_state(entry, "executing")),
    ("the posture before is kept", |_, entry| in_state(entry, "executing") && entry["before"].is_object()),
    ("the run is journalled", |device, entry| in_state(entry, "executing") && has_run(device, entry)),
    ("answered", |_, entry| in_state(entry, "answered")),
];

fn has_run(device: &Device, entry: &Value) -> bool {
    let roots = fs::read_dir(device.home().join("runs")).into_iter().flatten().flatten();
    let runs = roots.flat_map(|root| fs::read_dir(root.path()).into_iter().flatten().flatten());
    entry["before"].is_object()
        && runs.filter(|r| r.file_name().to_string_lossy().starts_with("run_")).count() > 0
}

#[test]
fn a_kill_at_any_moment_leads_to_one_result_of_the_approved_run() {
    let home = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(home.path());
    for (name, moment) in MOMENTS {
        let device = Device::enrol(&mut platform);
        let root = device.fresh_root("root");
        let original = fs::read_to_string(root.join("etc/ssh/sshd_config")).unwrap();
        let probe = device.run(Some(&root));
        let case = platform.open_case(&device.id);
        platform.ask(&case, "scanner.posture");
        let plan = platform.ask(&case, "remediation.plan");
        let change = plan["change_set"].as_str().unwrap_or_else(|| panic!("{name}: {plan}")).to_owned();
        eventually("that earlier answers are told", || {
            device.journal().iter().all(|e| in_state(e, "done")).then_some(())
        });

        let approved = platform.post(&format!("/v1/change-sets/{change}/approve"), &json!({}));
        watch_and_kill(&device, probe, moment, name);
        thread::sleep(Duration::from_millis(50));
        let _probe = device.run(Some(&root));
        let apply = platform.finished(approved["apply_call"].as_str().unwrap());
        let change = platform.get(&format!("/v1/change-sets/{change}"));
        let now = fs::read_to_string(root.join("etc/ssh/sshd_config")).unwrap();
        match change["state"].as_str().unwrap() {
            "applied" => assert!(!now.contains("PermitRootLogin yes"), "{name}: {apply}"),
            "rolled_back" => assert_eq!(now, original, "{name}"),
            other => panic!("{name}: {other} {apply}\n{}", device.log()),
        }
        assert_eq!(change["run"], approved["run"], "{name}");
        let view = platform.get(&format!("/v1/cases/{case}"));
        let applies = |c: &&Value| c["skill"] == "remediation.apply";
        assert_eq!(view["calls"].as_array().unwrap().iter().filter(applies).count(), 1, "{name}");
        assert!(view["proofs"].as_array().unwrap().len() <= 1, "{name}");
        eventually("that the answer counts as told", || {
            device.journal().iter().all(|e| in_state(e, "done")).then_some(())
        });
    }
}

/// Kills the probe as soon as the moment is seen, or the command is over (then the moment was too short to see).
fn watch_and_kill(device: &Device, probe: crate::probe::Running, moment: Moment, name: &str) {
    let started = std::time::Instant::now();
    loop {
        let journal = device.journal();
        if journal.iter().any(|entry| moment(device, entry)) {
            break;
        }
        if journal.len() == 3 && journal.iter().all(|e| in_state(e, "done")) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{name} was never seen");
    }
    probe.kill();
}
