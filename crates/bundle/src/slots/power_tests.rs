//! What a power cut, a full disk and a dead process leave of an installation.

use std::{collections::BTreeSet, path::Path};

use super::{
    Install, Prefix, Standing,
    power::{Dice, PowerDisk},
    tests::{Scene, install},
};
use crate::{
    Bundle, BundleError, Chunks as _, Delta, Tree, diff,
    test_house::{at, content, put, text},
};

/// Something that is done with an installation, and its name.
type Act<'a> = (&'a str, &'a dyn Fn(&Prefix));

/// How many power cuts during the update.
const CUTS: u64 = 240;

/// Little content, so that hundreds of installations take seconds.
fn scene() -> Scene {
    let scene = Scene::new();
    let stage = scene.folder.path().join("stage");
    std::fs::remove_dir_all(&stage).unwrap();
    content(&stage);
    put(&stage, "bin/echo_cli", &text(1, 300), 0o755);
    put(&stage, "bin/echo_os_prime", &text(2, 1_000), 0o755);
    put(&stage, "documents/handbook.md", &text(3, 100), 0o644);
    scene
}

/// The installation on a disk that flushes nothing, for hundreds of real flushes take minutes.
fn open(root: &Path) -> Prefix {
    Prefix::open_on(root, Box::new(PowerDisk::new(root)))
        .unwrap_or_else(|e| panic!("{}: {e}", root.display()))
}

/// The version that would be started, once every file of it is found as it was signed.
fn sound(root: &Path, told: &str) -> String {
    let prefix = open(root);
    let launch = prefix.launch(at("2027-06-02")).unwrap_or_else(|e| panic!("{told}: {e}"));
    let mut tree = Tree::open(&launch.folder).unwrap_or_else(|e| panic!("{told}: {e}"));
    tree.check(&mut |_| {}).unwrap_or_else(|e| panic!("{told}: {e}"));
    assert_eq!(tree.head().manifest.version, launch.version, "{told}");
    // The links say the same, and there is a tool that can decide.
    let link = std::fs::canonicalize(root.join("current")).unwrap();
    assert_eq!(link, std::fs::canonicalize(&launch.folder).unwrap(), "{told}");
    assert!(root.join("good/bin/echo_cli").is_file() && root.join("bin/echo_os_prime").is_file(), "{told}");
    launch.version.to_string()
}

/// Every step at least once, then any.
fn cuts(steps: usize) -> impl Iterator<Item = (usize, u64)> {
    let any = move |seed: u64| usize::try_from(Dice(seed).below(steps as u64 + 1)).unwrap();
    (0..CUTS.max(steps as u64 + 1)).map(move |seed| {
        (if seed <= steps as u64 { usize::try_from(seed).unwrap() } else { any(seed) }, seed)
    })
}

#[test]
fn a_power_cut_at_any_step_of_an_update_leaves_one_of_two_good_systems() {
    let scene = scene();
    let (mut one, mut two) = (scene.bundle("1.0.0", "1.0.0"), scene.bundle("1.1.0", "1.0.0"));
    let mut three = scene.bundle("1.2.0", "1.0.0");
    let root = scene.folder.path().join("prefix");
    std::fs::create_dir(&root).unwrap();
    let disk = PowerDisk::new(&root);
    let prefix = Prefix::open_on(&root, Box::new(disk.clone())).unwrap();
    let healthy = |prefix: &Prefix| drop(prefix.health(&mut |_, _| Ok(()), at("2027-06-01")).unwrap());
    // Both slots are in use, so that the update has to give one up.
    install(&prefix, &scene.house, &mut one, None).unwrap();
    healthy(&prefix);
    install(&prefix, &scene.house, &mut two, None).unwrap();
    healthy(&prefix);
    disk.begin();
    install(&prefix, &scene.house, &mut three, None).unwrap();
    let steps = disk.changes();
    drop(prefix);
    let mut found = BTreeSet::new();
    for (cut, seed) in cuts(steps) {
        let told = format!("cut before step {cut} of {steps}, seed {seed}");
        let after = disk.cut(cut, &mut Dice(seed));
        let version = sound(after.path(), &told);
        assert!(["1.1.0", "1.2.0"].contains(&version.as_str()), "{told}: {version}");
        // What is told of the past is still told.
        let state = Prefix::read_state(after.path()).unwrap().unwrap();
        assert_eq!(state.events[..4].iter().filter(|e| e.what == "installed").count(), 2, "{told}");
        // The update is done again, and ends as it would have.
        let again = open(after.path());
        install(&again, &scene.house, &mut three, None).unwrap_or_else(|e| panic!("{told}: {e}"));
        drop(again);
        assert_eq!(sound(after.path(), &told), "1.2.0", "{told}");
        found.insert(version);
    }
    assert_eq!(found.len(), 2, "cuts before and after the moment of the update");
}

#[test]
fn a_disk_that_does_not_flush_is_found_out() {
    let scene = scene();
    let root = scene.folder.path().join("prefix");
    std::fs::create_dir(&root).unwrap();
    let disk = PowerDisk::new(&root);
    let prefix = Prefix::open_on(&root, Box::new(disk.clone())).unwrap();
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    prefix.health(&mut |_, _| Ok(()), at("2027-06-01")).unwrap();
    disk.begin();
    disk.deafen();
    install(&prefix, &scene.house, &mut scene.bundle("1.1.0", "1.0.0"), None).unwrap();
    drop(prefix);
    let steps = disk.changes();
    let lost = (0..20).filter(|seed| {
        let after = disk.cut(steps, &mut Dice(*seed));
        std::panic::catch_unwind(|| sound(after.path(), "deaf")).is_err()
    });
    assert!(lost.count() > 0, "the cuts of the other tests would notice a flush that is missing");
}

#[test]
fn a_power_cut_at_any_step_of_a_first_installation_leaves_nothing_or_a_whole_one() {
    let scene = scene();
    let mut one = scene.bundle("1.0.0", "1.0.0");
    let root = scene.folder.path().join("prefix");
    std::fs::create_dir(&root).unwrap();
    let disk = PowerDisk::new(&root);
    let prefix = Prefix::open_on(&root, Box::new(disk.clone())).unwrap();
    install(&prefix, &scene.house, &mut one, None).unwrap();
    drop(prefix);
    let steps = disk.changes();
    for (cut, seed) in cuts(steps) {
        let told = format!("cut before step {cut} of {steps}, seed {seed}");
        let after = disk.cut(cut, &mut Dice(seed));
        if Prefix::read_state(after.path()).unwrap_or_else(|e| panic!("{told}: {e}")).is_some() {
            assert_eq!(sound(after.path(), &told), "1.0.0", "{told}");
        }
        let again = open(after.path());
        install(&again, &scene.house, &mut one, None).unwrap_or_else(|e| panic!("{told}: {e}"));
        drop(again);
        assert_eq!(sound(after.path(), &told), "1.0.0", "{told}");
    }
}

#[test]
fn a_power_cut_while_a_system_is_started_judged_or_given_up_loses_neither() {
    let scene = scene();
    let root = scene.folder.path().join("prefix");
    std::fs::create_dir(&root).unwrap();
    let disk = PowerDisk::new(&root);
    let prefix = Prefix::open_on(&root, Box::new(disk.clone())).unwrap();
    let healthy = |prefix: &Prefix| drop(prefix.health(&mut |_, _| Ok(()), at("2027-06-01")).unwrap());
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    healthy(&prefix);
    install(&prefix, &scene.house, &mut scene.bundle("1.1.0", "1.0.0"), None).unwrap();
    let starts = |prefix: &Prefix| {
        for _ in 0..5 {
            prefix.launch(at("2027-06-01")).unwrap();
        }
    };
    let back = |prefix: &Prefix| drop(prefix.roll_back("said so", at("2027-06-01")).unwrap());
    let acts: [Act<'_>; 3] = [("starts", &starts), ("health", &healthy), ("rollback", &back)];
    let template = disk.cut(disk.changes(), &mut Dice(1));
    assert_eq!(sound(template.path(), "template"), "1.1.0");
    for (what, act) in acts {
        let disk = PowerDisk::new(template.path());
        let copy = disk.cut(0, &mut Dice(0));
        let disk = PowerDisk::new(copy.path());
        let prefix = Prefix::open_on(copy.path(), Box::new(disk.clone())).unwrap();
        act(&prefix);
        drop(prefix);
        let steps = disk.changes();
        assert!(steps > 5, "{what}");
        for (cut, seed) in (0..=steps).flat_map(|cut| (0..4).map(move |seed| (cut, seed))) {
            let told = format!("{what}: cut before step {cut} of {steps}, seed {seed}");
            let version = sound(disk.cut(cut, &mut Dice(seed)).path(), &told);
            assert!(["1.0.0", "1.1.0"].contains(&version.as_str()), "{told}");
        }
    }
}

#[test]
fn a_full_disk_at_any_step_is_said_and_leaves_the_running_system() {
    let scene = scene();
    let root = scene.folder.path().join("prefix");
    std::fs::create_dir(&root).unwrap();
    let disk = PowerDisk::new(&root);
    let prefix = Prefix::open_on(&root, Box::new(disk.clone())).unwrap();
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    prefix.health(&mut |_, _| Ok(()), at("2027-06-01")).unwrap();
    let mut two = scene.bundle("1.1.0", "1.0.0");
    let mut step = 0;
    loop {
        disk.begin();
        disk.full_at(step);
        let done = install(&prefix, &scene.house, &mut two, None);
        disk.full_at(usize::MAX);
        let state = prefix.state().unwrap();
        let version = state.running().unwrap().version.to_string();
        match done {
            Err(error @ BundleError::Io { .. }) => {
                let error = error.to_string();
                assert!(error.contains("free some space"), "{error}");
            }
            Err(other) => panic!("step {step}: {other}"),
            Ok(done) => {
                assert!(done.changed || version == "1.1.0", "step {step}");
                break;
            }
        }
        if version == "1.1.0" {
            // Only the links were left to be made.
            assert!(matches!(state.running().unwrap().standing, Standing::Trial { .. }));
        }
        step += 1;
    }
    assert!(step > 40, "{step}");
    drop(prefix);
    assert_eq!(sound(&root, "at last"), "1.1.0");
}

#[test]
fn a_delta_updates_an_installed_tree_to_the_very_bundle() {
    let scene = scene();
    let prefix = scene.prefix();
    install(&prefix, &scene.house, &mut scene.bundle("1.0.0", "1.0.0"), None).unwrap();
    prefix.health(&mut |_, _| Ok(()), at("2027-06-01")).unwrap();
    let mut old = Bundle::open(&scene.folder.path().join("1.0.0.atlas")).unwrap();
    let mut new = scene.bundle("1.1.0", "1.0.0");
    let path = scene.folder.path().join("d");
    diff(&mut old, &mut new, &path, &mut |_| {}).unwrap();
    let mut delta = Delta::open(&path).unwrap();
    let judge = prefix.judge(None, None, at("2027-06-01")).unwrap();
    let mut tree = Tree::open(&prefix.slot(prefix.state().unwrap().active)).unwrap();
    let mut patched = delta.on(&mut tree).unwrap();
    let asked = Install {
        source: &mut patched,
        evidence: None,
        judge: &judge,
        allow_downgrade: None,
        now: at("2027-06-01"),
    };
    let done = prefix.install(asked, &mut |_, _| {}).unwrap();
    assert_eq!(done.version.to_string(), "1.1.0");
    let installed = Tree::open(&prefix.slot(done.slot)).unwrap();
    assert_eq!(installed.head().digest, new.head().digest);
    let root = prefix.root().to_owned();
    drop(prefix);
    assert_eq!(sound(&root, "after the delta"), "1.1.0");
}
