//! Packages, services and the running kernel, on a pretended live system.

use std::{
    collections::BTreeSet,
    fs, io,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use echo_core::{Id as _, RunId, clock::from_millis};

use crate::{
    ChangeKind, RunOutcome, RunReport, Runner, StepOutcome, Target, Template, plan,
    system::{Said, System},
};

/// A service manager, a package manager and an SSH server in memory.
#[derive(Debug, Default)]
struct Pretended {
    root: PathBuf,
    on: Mutex<BTreeSet<String>>,
    calls: Mutex<Vec<String>>,
    /// A program call that fails, by its beginning.
    fails: Option<&'static str>,
    /// The SSH server refuses a configuration that holds this.
    refuses: Option<&'static str>,
}

impl System for Pretended {
    fn run(&self, argv: &[&str], _: Duration) -> io::Result<Said> {
        let call = argv.join(" ");
        let failing = self.fails.is_some_and(|f| call.starts_with(f));
        self.calls.lock().unwrap().push(call);
        let mut on = self.on.lock().unwrap();
        let last = (*argv.last().unwrap()).to_owned();
        let ok = match &argv[..2] {
            _ if failing => false,
            ["systemctl", "cat"] => last == "ssh" || last == "chrony",
            ["systemctl", verb @ ("is-enabled" | "is-active")] => on.contains(&format!("{verb} {last}")),
            ["systemctl", "enable"] => on.insert(format!("is-enabled {last}")),
            ["systemctl", "start"] => on.insert(format!("is-active {last}")),
            ["systemctl", "disable"] => on.remove(&format!("is-enabled {last}")),
            ["systemctl", "stop"] => on.remove(&format!("is-active {last}")),
            ["systemctl", "try-reload-or-restart"] => true,
            ["apt-get", verb] => {
                let status = if *verb == "install" { installed(&last) } else { String::new() };
                durable::write(
                    &self.root.join("var/lib/dpkg/status"),
                    status.as_bytes(),
                    durable::Mode::Public,
                )
                .is_ok()
            }
            ["sshd", "-t"] => {
                let text = fs::read_to_string(self.root.join("etc/ssh/sshd_config"))?;
                !self.refuses.is_some_and(|bad| text.contains(bad))
            }
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Said { ok, text: "it says no".to_owned() })
    }
}

fn installed(name: &str) -> String {
    format!("Package: {name}\nStatus: install ok installed\n\n")
}

fn run() -> RunId {
    format!("{}_{}", RunId::PREFIX, "2".repeat(32)).parse().unwrap()
}

fn template(steps: &str) -> [Template; 1] {
    let head = "id: live\nname: A\nversion: 1\ndescription: d\nfixes: [1]\nrisk: low\nrollback: r\nsteps:\n";
    [Template::parse(&format!("{head}{steps}")).unwrap()]
}

struct Scene {
    home: tempfile::TempDir,
    system: Arc<Pretended>,
    target: Target,
    runner: Runner,
}

fn scene(fails: Option<&'static str>, refuses: Option<&'static str>) -> Scene {
    let home = tempfile::tempdir().unwrap();
    let root = home.path().join("root");
    for (path, text) in [
        ("var/lib/dpkg/status", installed("telnetd")),
        ("etc/ssh/sshd_config", "PermitRootLogin yes\n".to_owned()),
        ("proc/sys/kernel/dmesg_restrict", "0\n".to_owned()),
        ("etc/sysctl.d/README", String::new()),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        durable::write(&path, text.as_bytes(), durable::Mode::Public).unwrap();
    }
    let on = ["is-enabled ssh", "is-active ssh"].map(str::to_owned);
    let system = Arc::new(Pretended {
        root: root.clone(),
        on: Mutex::new(BTreeSet::from(on)),
        fails,
        refuses,
        ..Pretended::default()
    });
    Scene {
        target: Target::live_with(root, system.clone()),
        runner: Runner::open(&home.path().join("journal")).unwrap(),
        system,
        home,
    }
}

impl Scene {
    fn apply(&self, templates: &[Template]) -> RunReport {
        let digest = plan(templates, &self.target).unwrap().digest();
        self.runner.apply(&run(), templates, &digest, &self.target, from_millis(1)).unwrap()
    }

    fn undo(&self) -> RunReport {
        self.runner.undo(&run(), &self.target, from_millis(2)).unwrap()
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.home.path().join("root").join(path)).unwrap()
    }

    fn called(&self, start: &str) -> usize {
        self.system.calls.lock().unwrap().iter().filter(|c| c.starts_with(start)).count()
    }
}

const SSH: &str = "- config_key: {path: /etc/ssh/sshd_config, key: PermitRootLogin, value: \"no\"}\n\
    - service: {names: [sshd, ssh], action: reload, after: /etc/ssh/sshd_config}\n";

#[test]
fn a_package_comes_and_goes_again() {
    let scene = scene(None, None);
    let steps = template("- package: {name: chrony}\n");
    let shown = plan(&steps, &scene.target).unwrap();
    assert_eq!(shown.changes[0].kind, ChangeKind::Package);
    assert_eq!(shown.diff, "# package chrony: not installed -> installed\n");
    assert_eq!(scene.apply(&steps).outcome, RunOutcome::Applied);
    assert!(plan(&steps, &scene.target).unwrap().is_empty());
    assert_eq!(scene.undo().outcome, RunOutcome::Undone);
    assert_eq!(plan(&steps, &scene.target).unwrap(), shown);
}

#[test]
fn a_service_is_turned_on_and_back() {
    let scene = scene(None, None);
    let steps = template("- service: {names: [chronyd, chrony], action: enabled}\n");
    assert_eq!(scene.apply(&steps).outcome, RunOutcome::Applied);
    assert!(scene.system.on.lock().unwrap().contains("is-active chrony"));
    scene.undo();
    assert!(!scene.system.on.lock().unwrap().contains("is-active chrony"));
    assert!(scene.system.on.lock().unwrap().contains("is-active ssh"));
}

#[test]
fn an_unknown_service_is_left_out_with_its_reason() {
    let scene = scene(None, None);
    let shown = plan(&template("- service: {names: [telnet], action: disabled}\n"), &scene.target).unwrap();
    assert!(shown.is_empty());
    assert!(shown.skipped[0].reason.contains("no service telnet"), "{}", shown.skipped[0].reason);
}

#[test]
fn a_kernel_value_changes_now_and_at_the_next_start() {
    let scene = scene(None, None);
    let steps =
        template("- sysctl: {key: kernel.dmesg_restrict, value: \"1\", file: /etc/sysctl.d/60-x.conf}\n");
    assert_eq!(scene.apply(&steps).outcome, RunOutcome::Applied);
    assert_eq!(scene.read("proc/sys/kernel/dmesg_restrict"), "1\n");
    assert!(scene.read("etc/sysctl.d/60-x.conf").ends_with("kernel.dmesg_restrict = 1\n"));
    scene.undo();
    assert_eq!(scene.read("proc/sys/kernel/dmesg_restrict"), "0\n");
    assert!(!scene.home.path().join("root/etc/sysctl.d/60-x.conf").exists());
}

#[test]
fn a_service_reads_a_changed_file_again_and_its_old_one_after_an_undo() {
    let scene = scene(None, None);
    let steps = template(SSH);
    assert_eq!(scene.apply(&steps).outcome, RunOutcome::Applied);
    assert_eq!(scene.called("systemctl try-reload-or-restart ssh"), 1);
    scene.undo();
    assert_eq!(scene.called("systemctl try-reload-or-restart ssh"), 2);
    assert_eq!(scene.read("etc/ssh/sshd_config"), "PermitRootLogin yes\n");
}

#[test]
fn a_configuration_that_the_server_refuses_is_rolled_back_before_any_reload() {
    let scene = scene(None, Some("PermitRootLogin no"));
    let report = scene.apply(&template(SSH));
    assert_eq!(report.outcome, RunOutcome::RolledBack);
    assert_eq!(report.steps[0].outcome, StepOutcome::Failed);
    assert!(report.steps[0].detail.contains("it says no"), "{}", report.steps[0].detail);
    assert_eq!(scene.read("etc/ssh/sshd_config"), "PermitRootLogin yes\n");
}

#[test]
fn a_server_that_refused_its_configuration_before_does_not_stop_the_fix() {
    let scene = scene(None, Some("PermitRootLogin"));
    assert_eq!(scene.apply(&template(SSH)).outcome, RunOutcome::Applied);
}

#[test]
fn a_failed_program_takes_the_files_back_too() {
    let scene = scene(Some("apt-get install"), None);
    let report = scene.apply(&template(&format!("{SSH}- package: {{name: chrony}}\n")));
    assert_eq!(report.outcome, RunOutcome::RolledBack);
    assert_eq!(report.steps[0].outcome, StepOutcome::Restored);
    assert_eq!(report.steps[2].outcome, StepOutcome::Failed);
    assert_eq!(scene.read("etc/ssh/sshd_config"), "PermitRootLogin yes\n");
    report.validate().unwrap();
}
