//! Installing, updating, health and going back, on a real folder.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use echo_core::Timestamp;

use super::{Happened, Install, Prefix, SlotName, Standing, state::TRIES};
use crate::{
    Bundle, BundleError, Refusal, StateError,
    test_house::{House, at, content, put, text},
};

fn now() -> Timestamp {
    at("2027-06-01")
}

pub fn install(
    prefix: &Prefix,
    house: &House,
    bundle: &mut Bundle,
    downgrade: Option<&str>,
) -> Result<Happened, BundleError> {
    let judge = prefix.judge(Some(house.root()), None, now())?;
    let asked =
        Install { source: bundle, evidence: None, judge: &judge, allow_downgrade: downgrade, now: now() };
    prefix.install(asked, &mut |_, _| {})
}

pub struct Scene {
    pub house: House,
    pub folder: tempfile::TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let (house, folder) = (House::new(), tempfile::tempdir().unwrap());
        content(&folder.path().join("stage"));
        Self { house, folder }
    }

    pub fn bundle(&self, version: &str, floor: &str) -> Bundle {
        let stage = self.folder.path().join("stage");
        put(&stage, "documents/version.md", version.as_bytes(), 0o644);
        self.house.build_from(&stage, &self.folder.path().join(format!("{version}.atlas")), version, floor)
    }

    pub fn prefix(&self) -> Prefix {
        Prefix::open(&self.folder.path().join("prefix")).unwrap()
    }
}

fn works(prefix: &Prefix) {
    prefix.health(&mut |_, _| Ok(()), now()).unwrap();
}

fn current(prefix: &Prefix) -> String {
    fs::read_to_string(prefix.root().join("current/documents/version.md")).unwrap()
}

#[test]
fn a_bundle_is_installed_updated_and_rolled_back() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    let (mut one, mut two) = (scene.bundle("1.0.0", "1.0.0"), scene.bundle("1.1.0", "1.0.0"));
    let done = install(&prefix, &scene.house, &mut one, None).unwrap();
    assert_eq!((done.slot, done.changed, done.before), (SlotName::A, true, None));
    assert_eq!(current(&prefix), "1.0.0");
    let mode = |path: &str| fs::metadata(prefix.root().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("current/bin/echo_cli"), mode("current/ledger/genesis/checkpoint")), (0o755, 0o644));
    assert_eq!((mode("bin/echo_os_prime"), mode("bin/echo_cli")), (0o755, 0o755));
    assert!(!install(&prefix, &scene.house, &mut one, None).unwrap().changed);
    works(&prefix);

    let done = install(&prefix, &scene.house, &mut two, None).unwrap();
    assert_eq!((done.slot, done.before.unwrap().to_string()), (SlotName::B, "1.0.0".to_owned()));
    assert_eq!(current(&prefix), "1.1.0");
    assert_eq!(fs::read_link(prefix.root().join("good")).unwrap(), Path::new("slots/a"));
    // What it would fall back to is not given up for a third one.
    let mut three = scene.bundle("1.2.0", "1.0.0");
    let error = install(&prefix, &scene.house, &mut three, None).unwrap_err();
    assert!(matches!(error, BundleError::State(StateError::OnTrial { .. })), "{error}");
    let back = prefix.roll_back("it is too new", now()).unwrap();
    assert_eq!((back.slot, back.given_up.unwrap().to_string()), (SlotName::A, "1.1.0".to_owned()));
    assert_eq!(current(&prefix), "1.0.0");
    assert!(matches!(prefix.roll_back("again", now()), Err(BundleError::State(StateError::NothingBefore))));
    install(&prefix, &scene.house, &mut three, None).unwrap();
    works(&prefix);
    assert_eq!(
        (current(&prefix).as_str(), prefix.state().unwrap().running().unwrap().standing.clone()),
        ("1.2.0", Standing::Good)
    );
    let told: Vec<String> =
        prefix.state().unwrap().events.iter().map(|e| format!("{} {}", e.what, e.version)).collect();
    assert_eq!(
        told,
        [
            "installed 1.0.0",
            "in good health 1.0.0",
            "installed 1.1.0",
            "rolled back 1.0.0",
            "installed 1.2.0",
            "in good health 1.2.0"
        ]
    );
}

#[test]
fn a_system_that_is_never_in_health_is_given_up() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    // The first one is all there is: it is started however often it fails.
    for _ in 0..=TRIES + 1 {
        assert_eq!(prefix.launch(now()).unwrap().version.to_string(), "1.0.0");
    }
    works(&prefix);
    assert_eq!(prefix.launch(now()).unwrap().tries, None);
    install(&prefix, &scene.house, &mut scene.bundle("1.1.0", "1.0.0"), None).unwrap();
    for left in (0..TRIES).rev() {
        let launch = prefix.launch(now()).unwrap();
        assert_eq!((launch.version.to_string(), launch.tries), ("1.1.0".to_owned(), Some(left)));
    }
    let launch = prefix.launch(now()).unwrap();
    assert_eq!(
        (launch.version.to_string(), launch.given_up.unwrap().to_string()),
        ("1.0.0".to_owned(), "1.1.0".to_owned())
    );
    assert_eq!(current(&prefix), "1.0.0");
}

#[test]
fn a_downgrade_needs_a_reason_which_is_kept() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    install(&prefix, &scene.house, &mut scene.bundle("2.0.0", "1.5.0"), None).unwrap();
    works(&prefix);
    let mut old = scene.bundle("1.4.0", "1.0.0");
    let error = install(&prefix, &scene.house, &mut old, None).unwrap_err();
    assert!(
        matches!(&error, BundleError::Refused { source, .. } if matches!(**source, Refusal::Downgrade { .. })),
        "{error}"
    );
    install(&prefix, &scene.house, &mut scene.bundle("1.6.0", "1.0.0"), None).unwrap();
    works(&prefix);
    install(&prefix, &scene.house, &mut old, Some("the new one eats disks")).unwrap();
    let state = prefix.state().unwrap();
    let last = state.events.last().unwrap();
    assert_eq!((last.what.as_str(), last.why.as_str()), ("downgraded", "the new one eats disks"));
    assert_eq!(state.floor.to_string(), "1.0.0");
}

#[test]
fn a_changed_file_is_no_good_health() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    let path = prefix.root().join("current/documents/handbook.md");
    let mut bytes = fs::read(&path).unwrap();
    bytes[10_000] ^= 1;
    put(&prefix.root().join("current"), "documents/handbook.md", &bytes, 0o644);
    let error = prefix.health(&mut |_, _| Ok(()), now()).unwrap_err().to_string();
    assert!(error.contains("documents/handbook.md"), "{error}");
    bytes[10_000] ^= 1;
    put(&prefix.root().join("current"), "documents/handbook.md", &bytes, 0o755);
    assert!(prefix.health(&mut |_, _| Ok(()), now()).is_err(), "a document that became a program");
    put(&prefix.root().join("current"), "documents/handbook.md", &bytes, 0o644);
    works(&prefix);
    let refused = |_: &crate::Tree, _: &Path| Err(BundleError::State(StateError::NothingBefore));
    assert!(prefix.health(&mut { refused }, now()).is_err());
}

#[test]
fn a_damaged_bundle_leaves_everything_as_it_is() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    works(&prefix);
    install(&prefix, &scene.house, &mut scene.bundle("1.1.0", "1.0.0"), None).unwrap();
    works(&prefix);
    let before = prefix.state().unwrap();
    scene.bundle("1.2.0", "1.0.0");
    let path = scene.folder.path().join("1.2.0.atlas");
    let good = fs::read(&path).unwrap();
    let mut bad = good.clone();
    let last = bad.len() - 5_000;
    bad[last] ^= 1;
    for bytes in [&bad[..], &good[..good.len() / 2]] {
        durable::write(&path, bytes, durable::Mode::Public).unwrap();
        let error = install(&prefix, &scene.house, &mut Bundle::open(&path).unwrap(), None).unwrap_err();
        assert!(error.is_verdict(), "{error}");
        assert_eq!(prefix.state().unwrap(), before);
        assert!(prefix.root().join("slots/a/bin/echo_cli").exists(), "the one before is still there");
    }
}

#[test]
fn two_at_once_are_refused() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    let error = Prefix::open(prefix.root()).err().unwrap().to_string();
    assert!(error.contains(&std::process::id().to_string()), "{error}");
    assert!(matches!(prefix.state(), Err(BundleError::State(StateError::Nothing(_)))));
    drop(prefix);
    scene.prefix();
}

#[test]
fn another_house_is_refused_once_one_is_known() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    assert!(matches!(prefix.judge(None, None, now()), Err(BundleError::State(StateError::NoRoot))));
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    works(&prefix);
    let other = House::with_seed(50);
    put(&scene.folder.path().join("stage"), "documents/x.md", &text(9, 3), 0o644);
    let mut theirs =
        other.build(&scene.folder.path().join("stage"), &scene.folder.path().join("theirs"), "9.0.0");
    assert!(matches!(
        install(&prefix, &other, &mut theirs, None),
        Err(BundleError::State(StateError::OtherRoot { .. }))
    ));
    let error = install(&prefix, &scene.house, &mut theirs, None).unwrap_err();
    assert!(matches!(error, BundleError::Refused { .. }), "{error}");
}

#[test]
fn a_damaged_state_is_said_and_not_guessed() {
    let scene = Scene::new();
    let prefix = scene.prefix();
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    let path = prefix.root().join("state.json");
    let good = fs::read_to_string(&path).unwrap();
    for bad in
        ["", "{}", &good.replace("\"format\": 1", "\"format\": 9"), &good.replace("\"a\": {", "\"b\": {")]
    {
        durable::write(&path, bad.as_bytes(), durable::Mode::Public).unwrap();
        assert!(matches!(prefix.launch(now()), Err(BundleError::State(StateError::Damaged { .. }))), "{bad}");
    }
}
