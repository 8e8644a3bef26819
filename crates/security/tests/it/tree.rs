//! A tree of files stands for a machine that does not run.

use std::{fs, path::Path};

use echo_core::Timestamp;
use security::{LiveSystem, MountedSystem, Outcome, evaluate};

use crate::shipped;

fn put(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    durable::write(&path, content.as_bytes(), durable::Mode::Public).unwrap();
}

#[test]
fn a_mounted_tree_is_judged_by_its_own_files_alone() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "etc/passwd", "root:x:0:0:::\n");
    put(root.path(), "etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\nMaxAuthTries 9\n");
    put(root.path(), "etc/ssh/sshd_config.d/10-echo.conf", "MaxAuthTries 2\nX11Forwarding yes\n");
    put(root.path(), "usr/lib/sysctl.d/10-a.conf", "kernel.kptr_restrict = 1\nfs.suid_dumpable = 2\n");
    put(root.path(), "etc/sysctl.d/60-echo-hardening.conf", "fs.suid_dumpable = 0\n");
    let report = evaluate(&shipped(), &MountedSystem::new(root.path().to_owned()), Timestamp::UNIX_EPOCH);
    for (check, outcome) in [
        (9003, Outcome::Passed),
        (9004, Outcome::Failed),
        (9007, Outcome::Failed),
        (9016, Outcome::NotApplicable),
        (9034, Outcome::Failed),
        (9036, Outcome::Passed),
        (9037, Outcome::Passed),
        (9040, Outcome::Passed),
        (9043, Outcome::Failed),
    ] {
        assert_eq!(report.outcome_of(check), Some(outcome), "{check}");
    }
}

#[test]
fn the_running_machine_can_be_scanned() {
    let report = evaluate(&shipped(), &LiveSystem, Timestamp::UNIX_EPOCH);
    assert_eq!(report.validate(), Ok(()));
    assert_eq!(report.invalid, 0, "{:?}", report.checks);
}
