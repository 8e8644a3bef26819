//! What must not happen.

use std::{fs, os::unix::fs::symlink};

use playbooks::{PlanError, RunError, RunOutcome, Template};

use crate::device::{Device, run, template};

const SET: &str = "- config_key: {path: /etc/app/a, key: k, value: new}\n";

#[test]
fn a_target_that_changed_after_approval_is_not_touched() {
    let device = Device::new(&[("/etc/app/a", b"k old\n")]);
    let approved = device.plan(&template(SET)).digest();
    device.put("/etc/app/a", b"k old\nmore 1\n");
    let before = device.tree();
    let error = device.apply(1, &template(SET), &approved).unwrap_err();
    assert!(matches!(error, RunError::PlanChanged { .. }), "{error}");
    assert_eq!(device.tree(), before);
    assert_eq!(device.runner.report(&run(1)), None, "the run can still be done");
}

#[test]
fn another_version_of_the_playbook_is_another_plan() {
    let device = Device::new(&[("/etc/app/a", b"k old\n")]);
    let approved = device.plan(&template(SET)).digest();
    let mut newer = template(SET);
    newer[0].version = 2;
    assert!(matches!(device.apply(1, &newer, &approved), Err(RunError::PlanChanged { .. })));
}

#[test]
fn a_run_s_number_serves_one_plan_only() {
    let device = Device::new(&[("/etc/app/a", b"k old\n")]);
    let approved = device.plan(&template(SET)).digest();
    device.apply(1, &template(SET), &approved).unwrap();
    let other = device.plan(&template(SET)).digest();
    assert!(matches!(device.apply(1, &template(SET), &other), Err(RunError::PlanChanged { .. })));
}

#[test]
fn links_out_of_the_root_are_refused() {
    let outside = tempfile::tempdir().unwrap();
    durable::write(&outside.path().join("a"), b"k old\n", durable::Mode::Public).unwrap();
    let by_file = Device::new(&[("/etc/app/keep", b"")]);
    symlink(outside.path().join("a"), by_file.path("/etc/app/a")).unwrap();
    let by_folder = Device::new(&[("/etc/keep", b"")]);
    symlink(outside.path(), by_folder.path("/etc/app")).unwrap();
    let by_climbing = Device::new(&[("/etc/keep", b"")]);
    symlink("../../../../../..", by_climbing.path("/etc/app")).unwrap();
    let steps = format!(
        "{SET}- file_content: {{path: /etc/app/a, content: x}}\n- permission: {{path: /etc/app/a, mode: \"0600\"}}\n\
         - file_line: {{path: /etc/app/a, line: x}}\n- sysctl: {{key: a.b, value: c, file: /etc/app/a}}\n"
    );
    for device in [by_file, by_folder, by_climbing] {
        let plan = device.plan(&template(&steps));
        assert!(plan.is_empty(), "{}", plan.diff);
        assert_eq!(plan.skipped.len(), 5);
        for skipped in &plan.skipped {
            assert!(skipped.reason.contains("symbolic link"), "{}", skipped.reason);
        }
    }
    assert_eq!(fs::read(outside.path().join("a")).unwrap(), b"k old\n");
}

#[test]
fn a_link_put_in_after_approval_is_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    durable::write(&outside.path().join("a"), b"k old\n", durable::Mode::Public).unwrap();
    let device = Device::new(&[("/etc/app/a", b"k old\n")]);
    let approved = device.plan(&template(SET)).digest();
    fs::remove_dir_all(device.path("/etc/app")).unwrap();
    symlink(outside.path(), device.path("/etc/app")).unwrap();
    assert!(device.apply(1, &template(SET), &approved).is_err());
    assert_eq!(fs::read(outside.path().join("a")).unwrap(), b"k old\n");
}

#[test]
fn what_is_not_text_or_too_large_is_left_out_with_its_reason() {
    for (bytes, says) in [
        (vec![b'k', 0xff], "not UTF-8"),
        (b"k\0".to_vec(), "not UTF-8"),
        (vec![b'k'; 300 * 1024], "larger than"),
        (vec![b'\n'; 30_000], "lines"),
    ] {
        let device = Device::new(&[("/etc/app/a", &bytes)]);
        let plan = device.plan(&template(SET));
        assert!(plan.is_empty());
        assert!(plan.skipped[0].reason.contains(says), "{}", plan.skipped[0].reason);
    }
}

#[test]
fn a_folder_where_a_file_should_be_is_left_out() {
    let device = Device::new(&[("/etc/app/a/x", b"")]);
    assert!(device.plan(&template(SET)).skipped[0].reason.contains("folder"));
}

#[test]
fn a_pipe_does_not_hang_the_plan() {
    let device = Device::new(&[("/etc/app/x", b"")]);
    let made = std::process::Command::new("mkfifo").arg(device.path("/etc/app/a")).status().unwrap();
    assert!(made.success());
    assert!(device.plan(&template(SET)).skipped[0].reason.contains("neither"));
}

#[test]
fn guards_leave_a_step_out() {
    let device = Device::new(&[("/etc/x", b"")]);
    let plan = device.plan(&template(
        "- config_key: {path: /etc/none, key: k, value: v, when: exists}\n\
         - file_line: {path: /etc/none/a, line: x, when: folder_exists}\n\
         - permission: {path: /etc/none, mode: \"0600\"}\n- permission: {path: /etc/x, mode: \"0644\", owner: nobody-here}\n",
    ));
    assert!(plan.is_empty());
    let reasons: Vec<&str> = plan.skipped.iter().map(|s| s.reason.as_str()).collect();
    assert!(reasons[..3].iter().all(|r| r.contains("/etc/none is not there")), "{reasons:?}");
    assert!(reasons[3].contains("nobody-here"));
}

#[test]
fn steps_that_work_against_each_other_are_refused() {
    let device = Device::new(&[]);
    let steps = format!("{SET}- config_key: {{path: /etc/app/a, key: k, value: other}}\n");
    let error = playbooks::plan(&template(&steps), &device.target).unwrap_err();
    assert!(matches!(error, PlanError::Conflict { step: 1, .. }), "{error}");
}

#[test]
fn a_playbook_is_named_once() {
    let device = Device::new(&[]);
    let twice: Vec<Template> = [template(SET), template(SET)].concat();
    assert!(matches!(playbooks::plan(&twice, &device.target), Err(PlanError::Twice(_))));
}

#[test]
fn an_undo_does_not_overwrite_what_somebody_changed_since() {
    let device = Device::new(&[("/etc/app/a", b"k old\n"), ("/etc/b", b"k old\n")]);
    let templates = template(&format!("{SET}- config_key: {{path: /etc/b, key: k, value: new}}\n"));
    device.apply(1, &templates, &device.plan(&templates).digest()).unwrap();
    device.put("/etc/b", b"k new\nmine 1\n");
    let before = device.tree();
    let error = device.undo(1).unwrap_err();
    assert!(matches!(&error, RunError::ChangedSince { path, .. } if path == "/etc/b"), "{error}");
    assert_eq!(device.tree(), before);
    device.put("/etc/b", b"k new\n");
    assert_eq!(device.undo(1).unwrap().outcome, RunOutcome::Undone);
    assert_eq!(device.read("/etc/b"), "k old\n");
}

#[test]
fn what_changed_nothing_cannot_be_undone() {
    let device = Device::new(&[("/etc/app/a", b"k new\n")]);
    device.apply(1, &template(SET), &device.plan(&template(SET)).digest()).unwrap();
    assert!(matches!(device.undo(1), Err(RunError::NotUndoable { .. })));
    assert!(matches!(device.undo(2), Err(RunError::UnknownRun(_))));
}

#[test]
fn a_damaged_journal_is_named() {
    let device = Device::new(&[("/etc/app/a", b"k old\n")]);
    device.apply(1, &template(SET), &device.plan(&template(SET)).digest()).unwrap();
    let journal = device.path("/../journal").join(run(1).to_string()).join("journal.json");
    durable::write(&journal, b"{}", durable::Mode::Private).unwrap();
    let error = device.undo(1).unwrap_err().to_string();
    assert!(error.contains("journal.json is damaged"), "{error}");
}
