//! A full disk: a clear answer, nothing acknowledged is lost, and the work goes on when there is room again.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use serde_json::json;

use crate::{http::Client, program::Platform};

/// How large the disk is, and how much of it the ballast takes, in megabytes.
const DISK: u32 = 16;
const BALLAST: u32 = 8;
/// What is free once the platform runs, in bytes.
const LEFT: u64 = 300_000;
/// More requests than fit what the ballast leaves.
const MANY: u32 = 4_000;

/// Fills the disk with a file, all but [`LEFT`].
fn fill(path: &Path) {
    let mut file = File::create(path).unwrap();
    while file.write_all(&[0; 8 << 10]).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length - LEFT).unwrap();
}

#[test]
fn a_full_disk_refuses_clearly_and_loses_nothing() {
    let disk = tempfile::tempdir().unwrap();
    let mut platform = Platform::start_on_small_disk(disk.path(), DISK, BALLAST);
    let client = Client::sign_in(&platform.url, &platform.secret);
    let more = platform.inside(&disk.path().join("more"));
    fill(&more);
    let add = |number: u32| {
        let name = format!("{number} {}", "x".repeat(110));
        client
            .post("/v1/customers", &format!("key-{number}"), &json!({ "name": name, "plan": "care" }))
            .unwrap()
    };
    let refused = (0..MANY).find_map(|number| match add(number) {
        (201, _) => None,
        (status, problem) => Some((number, status, problem)),
    });
    let (number, status, problem) = refused.expect("the disk fills up");
    assert_eq!(status, 507, "{problem}");
    assert!(problem["detail"].as_str().unwrap().contains("free some space"), "{problem}");
    assert_eq!(client.get("/v1/customers").unwrap().0, 200, "reading still works");

    fs::remove_file(more).unwrap();
    fs::remove_file(platform.inside(&disk.path().join("ballast"))).unwrap();
    let (status, kept) = add(number);
    assert_eq!(status, 201, "the same request with the same key goes through: {kept}");
    let (again, same) = add(number);
    assert_eq!((again, &same), (201, &kept), "and was done once");
    let first = add(0).1;
    assert!(first["name"].as_str().unwrap().starts_with("0 "), "what was acknowledged before is still there");
    let _ = platform.stop();
}
