//! Crashes at every point between the journal and the report.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use echo_core::{Id as _, RunId, clock::from_millis};

use crate::{
    Plan, RunError, RunOutcome, Runner, StepOutcome, Target, Template, dry,
    journal::{Journal, RunFolder, UndoMark},
    node::Entry,
    restore,
};

const PLAYBOOK: &str = "id: all\nname: A\nversion: 1\ndescription: d\nfixes: [1]\nrisk: low\nrollback: r\nsteps:\n\
    - config_key: {path: /etc/a, key: K, value: new}\n\
    - file_content: {path: /etc/new/deep/b, content: \"x\\n\"}\n\
    - permission: {path: /etc/c, mode: \"0600\"}\n\
    - permission: {path: /etc/a, mode: \"0600\"}\n";

fn run() -> RunId {
    format!("{}_{}", RunId::PREFIX, "1".repeat(32)).parse().unwrap()
}

fn device() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let etc = home.path().join("root/etc");
    fs::create_dir_all(&etc).unwrap();
    for (name, text) in [("a", "K old\n"), ("c", "secret")] {
        durable::write(&etc.join(name), text.as_bytes(), durable::Mode::Public).unwrap();
    }
    home
}

fn tree(root: &Path) -> Vec<(String, u32, Vec<u8>)> {
    let mut out = Vec::new();
    for item in fs::read_dir(root).unwrap() {
        let path = item.unwrap().path();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        let name = path.display().to_string();
        if path.is_dir() {
            out.push((name, mode, Vec::new()));
            out.extend(tree(&path));
        } else {
            out.push((name, mode, fs::read(&path).unwrap()));
        }
    }
    out.sort();
    out
}

struct Scene {
    home: tempfile::TempDir,
    target: Target,
    runner: Runner,
    journal: Journal,
    templates: Vec<Template>,
    plan: Plan,
}

fn scene() -> Scene {
    let home = device();
    let target = Target::new(home.path().join("root"));
    let runner = Runner::open(&home.path().join("journal")).unwrap();
    let templates = vec![Template::parse(PLAYBOOK).unwrap()];
    let dry = dry::dry_run(&templates, &target).unwrap();
    Scene {
        journal: Journal {
            run: run(),
            plan: dry.plan.digest(),
            started: from_millis(5),
            entries: dry.entries,
            actions: dry.actions,
            steps: dry.steps,
            touches: dry.touches,
        },
        plan: dry.plan,
        home,
        target,
        runner,
        templates,
    }
}

impl Scene {
    fn folder(&self) -> RunFolder {
        RunFolder::of(&self.home.path().join("journal"), &run())
    }

    fn root(&self) -> std::path::PathBuf {
        self.home.path().join("root")
    }

    fn only(&self, entries: &[Entry]) -> Journal {
        Journal { entries: entries.to_vec(), ..self.journal.clone() }
    }
}

#[test]
fn a_crash_after_any_change_is_rolled_back() {
    let changes = scene().journal.entries.len();
    assert_eq!(changes, 5, "two folders, a new file, an edit, a mode");
    for made in 0..=changes {
        let scene = scene();
        let before = tree(&scene.root());
        scene.folder().begin(&scene.journal).unwrap();
        restore::make_files(&scene.only(&scene.journal.entries[..made]), &scene.target).unwrap();
        durable::write(&scene.root().join("etc/.echo-playbook.tmp"), b"half", durable::Mode::Private)
            .unwrap();

        let again =
            scene.runner.apply(&run(), &scene.templates, &scene.plan.digest(), &scene.target, from_millis(6));
        assert!(matches!(again, Err(RunError::Unfinished(_))));
        let reports = scene.runner.recover(&scene.target).unwrap();

        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0].outcome, RunOutcome::RolledBack);
        assert_eq!(tree(&scene.root()), before, "after {made} changes");
        assert_eq!(scene.runner.report(&run()).as_ref(), reports.first());
        assert!(scene.runner.recover(&scene.target).unwrap().is_empty(), "nothing is left to recover");
    }
}

#[test]
fn a_crash_inside_an_undo_is_finished_by_recovery() {
    let changes = scene().journal.entries.len();
    for taken in 0..=changes {
        let scene = scene();
        let before = tree(&scene.root());
        let digest = scene.plan.digest();
        scene.runner.apply(&run(), &scene.templates, &digest, &scene.target, from_millis(6)).unwrap();
        scene.folder().mark_undo(&UndoMark { started: from_millis(9) }).unwrap();
        let last = scene.only(&scene.journal.entries[changes - taken..]);
        restore::take_back(&last, &scene.target, restore::Reach::OursOnly).unwrap();

        let reports = scene.runner.recover(&scene.target).unwrap();

        assert_eq!(reports[0].outcome, RunOutcome::Undone);
        assert_eq!(reports[0].started, from_millis(9));
        assert_eq!(tree(&scene.root()), before, "after {taken} were taken back");
    }
}

#[test]
fn recovery_keeps_what_somebody_else_wrote_since_and_says_so() {
    let scene = scene();
    scene.folder().begin(&scene.journal).unwrap();
    restore::make_files(&scene.journal, &scene.target).unwrap();
    let theirs = scene.root().join("etc/a");
    durable::write(&theirs, b"K theirs\n", durable::Mode::Public).unwrap();
    let report = scene.runner.recover(&scene.target).unwrap().remove(0);
    assert_eq!(fs::read(&theirs).unwrap(), b"K theirs\n");
    let step = &report.steps[0];
    assert_eq!(step.outcome, StepOutcome::Restored);
    assert!(step.detail.contains("somebody else"), "{}", step.detail);
    assert!(!scene.root().join("etc/new").exists(), "the rest was taken back");
}

#[test]
fn a_run_that_ended_is_not_recovered() {
    let scene = scene();
    let digest = scene.plan.digest();
    scene.runner.apply(&run(), &scene.templates, &digest, &scene.target, from_millis(6)).unwrap();
    let after = tree(&scene.root());
    assert!(scene.runner.recover(&scene.target).unwrap().is_empty());
    assert_eq!(tree(&scene.root()), after);
}

#[test]
fn a_failed_change_rolls_everything_back() {
    let scene = scene();
    let before = tree(&scene.root());
    let mut journal = scene.journal.clone();
    // A folder that cannot be made, after everything else: its name is taken by a file.
    let mut last = journal.entries[0].clone();
    last.path = "/etc/c/x".to_owned();
    last.before = None;
    journal.entries.push(last);
    let trouble = restore::make_files(&journal, &scene.target).unwrap_err();
    assert_eq!(trouble.path, "/etc/c/x");
    journal.entries.pop();
    restore::take_back(&journal, &scene.target, restore::Reach::All).unwrap();
    assert_eq!(tree(&scene.root()), before);
}

#[test]
fn a_second_runner_waits_its_turn() {
    let scene = scene();
    let lock = fs::File::create(scene.home.path().join("journal/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    assert!(matches!(scene.runner.recover(&scene.target), Err(RunError::Busy)));
}
