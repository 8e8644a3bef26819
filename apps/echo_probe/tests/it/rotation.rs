//! The operator's key is replaced while a device is away: warned, then on its guard, by what the platform told it.

use std::path::Path;

use echo_core::{Clock as _, Mint, SystemClock, Timestamp};
use governance::{House, Plan, Progress, RotationKind, Wish};
use serde_json::json;
use trust::{KeyRole, Keystore, Unlock};

use crate::{
    platform::{Platform, eventually},
    probe::Device,
};

/// How long the old key counts on, in seconds: long enough to start two probes on a busy machine.
const GRACE: i64 = 20;

fn rotate_operator(home: &Path) -> Timestamp {
    let mint = Mint::system();
    let mut keystore = Keystore::open(home, &Unlock::KeyFile).unwrap();
    let mut house = House::open(home, &mut keystore, &mint).unwrap();
    let plan = Plan {
        kind: RotationKind::Scheduled,
        wishes: vec![Wish::simple(KeyRole::Operator)],
        reason: "yearly".to_owned(),
        grace_seconds: GRACE,
    };
    let mut rotation = house.begin(plan).unwrap();
    match house.run(&mut rotation).unwrap() {
        Progress::Waits { until } => until,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_warns_and_then_refuses_what_the_old_key_signed() {
    let home = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(home.path());
    let (away, watching) = (Device::enrol(&mut platform), Device::enrol(&mut platform));
    // Signed by the old key, for a device that is away.
    let (case, other) = (platform.open_case(&away.id), platform.open_case(&watching.id));
    let ask = json!({"skill": "diagnostics.probe"});
    let early = platform.post(&format!("/v1/cases/{other}/calls"), &ask);
    let late = platform.post(&format!("/v1/cases/{case}/calls"), &ask);
    let address = platform.stop();
    let until = rotate_operator(home.path());

    let platform = Platform::start_at(home.path(), address);
    let probe = watching.run(None);
    // Until the day, what the old key signed is taken.
    let taken = platform.finished(early["id"].as_str().unwrap());
    assert_eq!(taken["state"], "done", "{taken}\n{}", watching.log());
    // What the new key signs is done at once: the device fetched the next version of the registry.
    let done = platform.ask(&other, "diagnostics.probe");
    assert_eq!(done["state"], "done", "{done}\n{}", watching.log());
    let status = watching.status();
    assert_eq!(status["registry"]["version"], 2, "{status}");
    let notice = &status["notices"][0];
    assert!(notice["text"].as_str().unwrap().contains("yearly"), "{status}\n{}", watching.log());
    let words = watching.words_of_status();
    assert!(words.contains("notice    warning: "), "{words}");
    assert!(watching.log().contains("a signing key of the platform goes out of use"), "{}", watching.log());
    probe.terminate();

    eventually("the end of the grace period", || (SystemClock.now() > until).then_some(()));
    let _probe = away.run(None);
    let refused = platform.finished(late["id"].as_str().unwrap());
    assert_eq!(refused["state"], "failed", "{refused}\n{}", away.log());
    let why = refused["error"].as_str().unwrap();
    assert!(why.contains("revoked") && why.contains(notice["id"].as_str().unwrap()), "{why}");
    let done = platform.ask(&case, "diagnostics.probe");
    assert_eq!(done["state"], "done", "{done}\n{}", away.log());
    assert_eq!(away.status()["trust_error"], serde_json::Value::Null);
}
