//! Pulses while the platform is away.

use std::{collections::BTreeSet, thread, time::Duration};

use crate::{
    platform::{Platform, eventually},
    probe::Device,
};

fn waiting(device: &Device) -> u64 {
    device.status()["waiting_pulses"].as_u64().unwrap()
}

#[test]
fn pulses_taken_while_the_platform_is_away_arrive_later_each_once() {
    let home = tempfile::tempdir().unwrap();
    let mut platform = Platform::start(home.path());
    let device = Device::enrol(&mut platform);
    let probe = device.run(None);
    eventually("a first pulse", || {
        let seen = platform.get(&format!("/v1/devices/{}", device.id));
        (seen["presence"] == "online" && seen["metrics"].is_object()).then_some(())
    });
    let address = platform.stop();
    eventually("pulses that wait", || (waiting(&device) >= 4).then_some(()));
    // The buffer outlives the program.
    probe.kill();
    let kept = waiting(&device);
    assert!(kept >= 4, "{kept}");
    let probe = device.run(None);
    thread::sleep(Duration::from_secs(2));
    let platform = Platform::start_at(home.path(), address);
    eventually("an empty buffer", || (waiting(&device) <= 2).then_some(()));
    probe.terminate();

    let history = platform.get(&format!("/v1/devices/{}/history", device.id));
    let points =
        history["points"].as_array().or_else(|| history["items"].as_array()).or_else(|| history.as_array());
    let points = points.unwrap_or_else(|| panic!("{history}"));
    let times: Vec<_> = points.iter().map(|p| p["at"].to_string()).collect();
    let different: BTreeSet<_> = times.iter().collect();
    assert_eq!(different.len(), times.len(), "no pulse is there twice");
    assert!(times.len() as u64 >= kept + 3, "{} of at least {} are there", times.len(), kept + 3);
    assert_eq!(device.status()["dropped_pulses"], 0);
}
