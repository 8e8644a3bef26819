//! Each kind of step: planned, applied, applied again, undone.

use playbooks::{ChangeKind, RunOutcome, StepOutcome};

use crate::device::{Device, run, template};

/// Plans, applies, checks that a second run has nothing to do, undoes, and checks that all is as before. What
/// `path` held in between.
fn round_trip(device: &Device, steps: &str, path: &str) -> String {
    let templates = template(steps);
    let before = device.tree();
    let plan = device.plan(&templates);
    assert_eq!(device.tree(), before, "a plan changes nothing");
    assert!(!plan.is_empty());
    let report = device.apply(1, &templates, &plan.digest()).unwrap();
    assert_eq!(report.outcome, RunOutcome::Applied);
    let between = device.read(path);

    let again = device.plan(&templates);
    assert!(again.is_empty() && again.diff.is_empty(), "{}", again.diff);
    let second = device.apply(2, &templates, &again.digest()).unwrap();
    assert_eq!(second.outcome, RunOutcome::NothingToDo);
    assert!(second.steps.iter().all(|s| s.outcome != StepOutcome::Changed));

    let undone = device.undo(1).unwrap();
    assert_eq!(undone.outcome, RunOutcome::Undone);
    assert_eq!(device.tree(), before, "an undo brings everything back");
    assert_eq!(device.undo(1).unwrap(), undone, "the same answer again");
    assert_eq!(device.plan(&templates), plan);
    between
}

#[test]
fn a_config_key() {
    let device = Device::new(&[("/etc/app.conf", b"# Top\nkey = old # why\n")]);
    let text =
        round_trip(&device, "- config_key: {path: /etc/app.conf, key: key, value: new}\n", "/etc/app.conf");
    assert_eq!(text, "# Top\nkey = new # why\n");
}

#[test]
fn a_config_key_in_a_drop_in_that_would_win() {
    let device = Device::new(&[
        ("/etc/app.conf", b"key new\n"),
        ("/etc/app.d/10-x.conf", b"key old\nother 1\n"),
        ("/etc/app.d/notes.txt", b"key old\n"),
    ]);
    let text = round_trip(
        &device,
        "- config_key: {path: /etc/app.conf, key: key, value: new, drop_ins: /etc/app.d}\n",
        "/etc/app.d/10-x.conf",
    );
    assert_eq!(text, "key new\nother 1\n");
}

#[test]
fn a_file_line() {
    let device = Device::new(&[("/etc/limits", b"a")]);
    let text =
        round_trip(&device, "- file_line: {path: /etc/limits, line: \"* hard core 0\"}\n", "/etc/limits");
    assert_eq!(text, "a\n* hard core 0\n");
}

#[test]
fn a_sysctl_with_a_later_file_that_would_win() {
    let device = Device::new(&[
        ("/etc/sysctl.conf", b"#kernel.x = 9\nkernel.x=0\n"),
        ("/etc/sysctl.d/10-a.conf", b"kernel.x = 7\n"),
        ("/etc/sysctl.d/70-b.conf", b"-kernel.x = 5\nkernel/x = 6\n"),
    ]);
    let steps = "- sysctl: {key: kernel.x, value: \"1\", file: /etc/sysctl.d/60-echo.conf}\n";
    let plan = device.plan(&template(steps));
    let paths: Vec<&str> = plan.changes.iter().map(|c| c.path.as_str()).collect();
    assert_eq!(paths, ["/etc/sysctl.conf", "/etc/sysctl.d/60-echo.conf", "/etc/sysctl.d/70-b.conf"]);
    let text = round_trip(&device, steps, "/etc/sysctl.d/70-b.conf");
    assert_eq!(text, "-kernel.x = 1\nkernel/x = 1\n");
}

#[test]
fn a_permission_keeps_what_is_stricter() {
    let device = Device::new(&[("/etc/shadow", b"root:secret"), ("/etc/gshadow", &[0xff, 0xfe])]);
    device.set_mode("/etc/shadow", 0o604);
    device.set_mode("/etc/gshadow", 0o600);
    let steps = "- permission: {path: /etc/shadow, mode: \"0640\", or_stricter: true}\n\
        - permission: {path: /etc/gshadow, mode: \"0640\", or_stricter: true}\n";
    let plan = device.plan(&template(steps));
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.diff, "diff --git a/etc/shadow b/etc/shadow\nold mode 100604\nnew mode 100600\n");
    round_trip(&device, steps, "/etc/shadow");
    assert_eq!(device.mode("/etc/shadow"), 0o604);
}

#[test]
fn a_folder_s_permission() {
    let device = Device::new(&[("/etc/cron.d/job", b"")]);
    device.set_mode("/etc/cron.d", 0o755);
    let steps = "- permission: {path: /etc/cron.d, mode: \"0700\"}\n";
    round_trip(&device, steps, "/etc/cron.d/job");
    let templates = template(steps);
    device.apply(3, &templates, &device.plan(&templates).digest()).unwrap();
    assert_eq!(device.mode("/etc/cron.d"), 0o700);
}

#[test]
fn a_new_file_with_the_folders_it_lacks() {
    let device = Device::new(&[]);
    let steps = "- file_content: {path: /etc/a/b/c.conf, content: \"x\\n\", mode: \"0600\"}\n";
    let plan = device.plan(&template(steps));
    let kinds: Vec<ChangeKind> = plan.changes.iter().map(|c| c.kind).collect();
    assert_eq!(kinds, [ChangeKind::Folder, ChangeKind::Folder, ChangeKind::Folder, ChangeKind::Create]);
    assert!(plan.diff.contains("new file mode 100600"), "{}", plan.diff);
    assert_eq!(round_trip(&device, steps, "/etc/a/b/c.conf"), "x\n");
}

#[test]
fn a_file_s_content_only_where_it_gives_something_away() {
    let steps = "- file_content: {path: /etc/issue, content: \"Notice\\n\", if_contains: ['\\r', debian], when: exists}\n";
    let device = Device::new(&[("/etc/issue", b"Debian 12 \\n\n")]);
    assert_eq!(round_trip(&device, steps, "/etc/issue"), "Notice\n");
    let own = Device::new(&[("/etc/issue", b"Property of ACME\n")]);
    assert!(own.plan(&template(steps)).is_empty());
}

#[test]
fn several_steps_on_one_file_are_one_change() {
    let device = Device::new(&[("/etc/a", b"x 1\ny 1\n")]);
    let steps = "- config_key: {path: /etc/a, key: x, value: \"2\"}\n\
        - config_key: {path: /etc/a, key: y, value: \"2\"}\n- permission: {path: /etc/a, mode: \"0600\"}\n";
    let plan = device.plan(&template(steps));
    let kinds: Vec<ChangeKind> = plan.changes.iter().map(|c| c.kind).collect();
    assert_eq!(kinds, [ChangeKind::Edit, ChangeKind::Mode]);
    assert_eq!(round_trip(&device, steps, "/etc/a"), "x 2\ny 2\n");
}

#[test]
fn packages_and_services_are_left_out_with_their_reason() {
    let device = Device::new(&[]);
    let plan =
        device.plan(&template("- package: {name: chrony}\n- service: {names: [chrony], action: enabled}\n"));
    assert!(plan.is_empty());
    assert_eq!(plan.skipped.len(), 2);
    assert_eq!(plan.skipped[1].step, "test/2");
    assert!(plan.skipped[0].reason.contains("running system only"));
}

#[test]
fn a_run_that_is_over_gives_the_same_report_again_until_it_is_forgotten() {
    let device = Device::new(&[("/etc/a", b"x 1\n")]);
    let templates = template("- config_key: {path: /etc/a, key: x, value: \"2\"}\n");
    let digest = device.plan(&templates).digest();
    let first = device.apply(1, &templates, &digest).unwrap();
    assert_eq!(device.apply(1, &templates, &digest).unwrap(), first);
    assert_eq!(device.runner.report(&run(1)), Some(first));
    assert_eq!(device.runner.report(&run(9)), None);
    device.runner.forget(&run(1)).unwrap();
    assert_eq!(device.runner.report(&run(1)), None);
    assert!(device.undo(1).is_err());
}

#[test]
fn git_makes_the_same_of_the_diff() {
    let device = Device::new(&[("/etc/a", b"1\n2\nx 1\n3\n4\nend"), ("/etc/b", b"gone\r\n")]);
    let templates = template(
        "- config_key: {path: /etc/a, key: x, value: \"2\"}\n- file_line: {path: /etc/a, line: last}\n\
         - file_content: {path: /etc/b, content: \"\"}\n- file_content: {path: /etc/c/d, content: \"no end\"}\n\
         - permission: {path: /etc/a, mode: \"0755\"}\n",
    );
    let plan = device.plan(&templates);
    let copy = Device::new(&[("/etc/a", b"1\n2\nx 1\n3\n4\nend"), ("/etc/b", b"gone\r\n")]);
    copy.put("/plan.diff", plan.diff.as_bytes());
    let said = std::process::Command::new("git")
        .args(["apply", "--whitespace=nowarn", "plan.diff"])
        .current_dir(copy.path("/"))
        .output()
        .unwrap();
    assert!(said.status.success(), "{}\n{}", String::from_utf8_lossy(&said.stderr), plan.diff);
    device.apply(1, &templates, &plan.digest()).unwrap();
    for path in ["/etc/a", "/etc/b", "/etc/c/d"] {
        assert_eq!(device.read(path), copy.read(path), "{path}");
    }
    assert_eq!(copy.mode("/etc/a") & 0o111, 0o111);
}
