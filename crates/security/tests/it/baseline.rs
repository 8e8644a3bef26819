//! Each check of the shipped policy passes on a machine that is in order and fails, alone, when its one thing is
//! out of order.

use std::collections::BTreeSet;

use echo_core::Timestamp;
use security::{MemorySystem, Outcome, Report, Severity, evaluate};

use crate::shipped;

const SSHD: &str = "/etc/ssh/sshd_config";
const GOOD_SSHD: &str = "PermitRootLogin no\nMaxAuthTries 4\nLoginGraceTime 1m\nClientAliveInterval 300\n";
const LOGIN: &str = "/etc/login.defs";
const GOOD_LOGIN: &str = "#PASS_MAX_DAYS 99999\nPASS_MAX_DAYS\t365\nPASS_MIN_DAYS 1\nPASS_WARN_AGE 7\nUMASK 027\nENCRYPT_METHOD YESCRYPT\n";
const APT: &str = "/etc/apt/apt.conf.d/20auto-upgrades";
const GOOD_APT: &str =
    "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n";
const SYSCTL: &str = "/etc/sysctl.d/60-echo-hardening.conf";
const GOOD_SYSCTL: &str = "kernel.randomize_va_space = 2\nnet.ipv4.conf.all.accept_redirects = 0\n\
    net.ipv4.conf.all.send_redirects = 0\nnet.ipv4.conf.all.accept_source_route = 0\nnet.ipv4.tcp_syncookies = 1\n\
    kernel.dmesg_restrict = 1\nfs.suid_dumpable = 0\nkernel.kptr_restrict = 2\n";
const SOURCES: &str = "/etc/apt/sources.list.d/debian.sources";

fn good() -> MemorySystem {
    MemorySystem::new()
        .with_file(SSHD, GOOD_SSHD)
        .with_mode(SSHD, 0o600, 0, 0)
        .with_file(LOGIN, GOOD_LOGIN)
        .with_file("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\n")
        .with_file("/etc/shadow", "root:*:1::::::\nme:$y$j9T$salt$hash:1::::::\n")
        .with_mode("/etc/shadow", 0o640, 0, 42)
        .with_file("/etc/group", "root:x:0:\nshadow:x:42:\n")
        .with_file("/etc/gshadow", "root:*::\n")
        .with_mode("/etc/gshadow", 0o640, 0, 42)
        .with_file("/etc/crontab", "")
        .with_mode("/etc/crontab", 0o600, 0, 0)
        .with_dir("/etc/cron.d")
        .with_mode("/etc/cron.d", 0o700, 0, 0)
        .with_file("/etc/sudoers", "")
        .with_mode("/etc/sudoers", 0o440, 0, 0)
        .with_file(SYSCTL, GOOD_SYSCTL)
        .with_file("/usr/sbin/chronyd", "")
        .with_file("/etc/inetd.conf", "#telnet stream tcp\nident stream tcp\n")
        .with_file(APT, GOOD_APT)
        .with_file(
            SOURCES,
            "Types: deb\nURIs: http://deb.example.org/debian\nSuites: trixie trixie-security\n",
        )
        .with_file("/etc/issue", "Authorised use only.\n")
        .with_file("/etc/issue.net", "Authorised use only.\n")
        .with_file("/etc/security/limits.d/60-echo-core-dumps.conf", "* hard core 0\n")
}

fn scan(system: &MemorySystem) -> Report {
    let report = evaluate(&shipped(), system, Timestamp::UNIX_EPOCH);
    report.validate().unwrap();
    report
}

/// What puts a check out of order: a path and its new content, a mode, or a kernel parameter.
enum Fault {
    Text(&'static str, String),
    Mode(&'static str, u32, u32, u32),
    Sysctl(&'static str, &'static str),
}

use Fault::{Mode, Sysctl, Text};

fn ssh(line: &str) -> Fault {
    // The first value counts.
    Text(SSHD, format!("{line}\n{GOOD_SSHD}"))
}

fn login(from: &str, to: &str) -> Fault {
    let text = GOOD_LOGIN.replace(from, to);
    assert_ne!(text, GOOD_LOGIN);
    Text(LOGIN, text)
}

fn text(path: &'static str, content: &str) -> Fault {
    Text(path, content.to_owned())
}

fn accounts() -> Vec<(u32, Fault)> {
    vec![
        (9001, ssh("PermitRootLogin yes")),
        (9001, ssh("permitrootlogin forced-commands-only")),
        (9002, ssh("PermitEmptyPasswords yes")),
        (9003, ssh("MaxAuthTries 5")),
        (9003, ssh("MaxAuthTries 0")),
        (9003, Text(SSHD, GOOD_SSHD.replace("MaxAuthTries 4", ""))),
        (9004, ssh("X11Forwarding yes")),
        (9005, ssh("LoginGraceTime 0")),
        (9005, ssh("LoginGraceTime 2m")),
        (9006, ssh("ClientAliveInterval 0")),
        (9006, ssh("ClientAliveInterval 301")),
        (9007, Mode(SSHD, 0o644, 0, 0)),
        (9007, Mode(SSHD, 0o600, 1000, 0)),
        (9008, ssh("IgnoreRhosts no")),
        (9010, text("/etc/passwd", "root:x:0:0:::\ntoor:x:0:0:::\n")),
        (9011, text("/etc/shadow", "root:*:1::::::\nme::1::::::\n")),
        (9011, text("/etc/passwd", "root:x:0:0:::\nme::1000:1000:::\n")),
        (9012, login("PASS_MAX_DAYS\t365", "PASS_MAX_DAYS 366")),
        (9012, login("PASS_MAX_DAYS\t365", "PASS_MAX_DAYS -1")),
        (9012, login("PASS_MAX_DAYS\t365", "")),
        (9013, login("PASS_MIN_DAYS 1", "PASS_MIN_DAYS 0")),
        (9014, login("PASS_WARN_AGE 7", "PASS_WARN_AGE 6")),
        (9015, login("UMASK 027", "UMASK 022")),
        (9015, login("UMASK 027", "UMASK 027\nUMASK 002")),
        (9016, login("YESCRYPT", "MD5")),
        (9016, login("ENCRYPT_METHOD YESCRYPT", "#ENCRYPT_METHOD YESCRYPT")),
    ]
}

fn files() -> Vec<(u32, Fault)> {
    vec![
        (9020, Mode("/etc/passwd", 0o664, 0, 0)),
        (9020, Mode("/etc/passwd", 0o644, 1000, 0)),
        (9021, Mode("/etc/shadow", 0o644, 0, 42)),
        (9021, Mode("/etc/shadow", 0o640, 0, 1000)),
        (9022, Mode("/etc/group", 0o666, 0, 0)),
        (9023, Mode("/etc/gshadow", 0o660, 0, 42)),
        (9024, Mode("/etc/crontab", 0o644, 0, 0)),
        (9025, Mode("/etc/cron.d", 0o755, 0, 0)),
        (9025, Mode("/etc/cron.d", 0o1700, 0, 0)),
        (9026, Mode("/etc/sudoers", 0o640, 0, 0)),
    ]
}

fn kernel_and_services() -> Vec<(u32, Fault)> {
    vec![
        (9030, Sysctl("kernel.randomize_va_space", "1")),
        (9030, Text(SYSCTL, GOOD_SYSCTL.replace("kernel.randomize_va_space = 2", ""))),
        (9031, Sysctl("net.ipv4.conf.all.accept_redirects", "1")),
        (9032, Sysctl("net.ipv4.conf.all.send_redirects", "1")),
        (9033, Sysctl("net.ipv4.conf.all.accept_source_route", "1")),
        (9034, Sysctl("net.ipv4.tcp_syncookies", "0")),
        (9035, Sysctl("kernel.dmesg_restrict", "0")),
        (9036, Sysctl("fs.suid_dumpable", "2")),
        (9037, Sysctl("kernel.kptr_restrict", "0")),
        (9040, text("/usr/sbin/in.telnetd", "")),
        (9040, text("/etc/inetd.conf", "telnet stream tcp nowait root /usr/sbin/tcpd in.telnetd\n")),
        (9041, text("/usr/sbin/in.rshd", "")),
        (9041, text("/etc/inetd.conf", "login stream tcp\n")),
        (9042, text("/usr/sbin/vsftpd", "")),
        (9042, text("/etc/inetd.conf", " ftp stream tcp\n")),
    ]
}

fn updates_and_banners() -> Vec<(u32, Fault)> {
    vec![
        (9050, text(APT, "APT::Periodic::Update-Package-Lists \"1\";\n")),
        (9050, Text(APT, GOOD_APT.replace("Upgrade \"1\"", "Upgrade \"0\""))),
        (9051, text("/etc/apt/apt.conf.d/99bad", "APT::Get::AllowUnauthenticated \"true\";\n")),
        (9051, text("/etc/apt/apt.conf", "APT { Get {\n  AllowUnauthenticated 1;\n} }\n")),
        (9051, text("/etc/apt/sources.list", "deb [arch=amd64 trusted=yes] http://example.org/ ./\n")),
        (9051, text("/etc/apt/sources.list.d/x.sources", "Trusted: yes\n")),
        (
            9052,
            text(SOURCES, "URIs: http://deb.example.org/debian\nSuites: trixie\n# Suites: trixie-security\n"),
        ),
        (9060, text("/etc/issue", "Debian GNU/Linux 12\n")),
        (9060, text("/etc/issue", "Kernel \\r on an \\m\n")),
        (9061, text("/etc/issue.net", "Welcome to UBUNTU\n")),
        (9070, text("/etc/security/limits.d/60-echo-core-dumps.conf", "#* hard core 0\n")),
        (9070, text("/etc/security/limits.d/60-echo-core-dumps.conf", "* soft core 0\n")),
    ]
}

#[test]
fn a_machine_in_order_passes_every_check() {
    let report = scan(&good());
    let others: Vec<_> = report.checks.iter().filter(|c| c.outcome != Outcome::Passed).collect();
    assert!(others.is_empty(), "{others:?}");
    assert_eq!((report.score, report.checks.len()), (100, 40));
}

#[test]
fn one_thing_out_of_order_fails_its_check_and_no_other() {
    let cases = [accounts(), files(), kernel_and_services(), updates_and_banners()];
    let mut seen = BTreeSet::new();
    for (check, fault) in cases.into_iter().flatten() {
        let system = match fault {
            Text(path, content) => good().with_file(path, &content),
            Mode(path, mode, uid, gid) => good().with_mode(path, mode, uid, gid),
            Sysctl(key, value) => good().with_sysctl(key, value),
        };
        let report = scan(&system);
        let failed: Vec<_> = report.failures().map(|c| (c.check, &c.reason)).collect();
        assert!(matches!(failed[..], [(id, _)] if id == check), "{check}: {failed:?}");
        seen.insert(check);
    }
    // A service that is missing cannot be added with a file.
    assert_eq!(scan(&good().without("/usr/sbin/chronyd")).failures().next().unwrap().check, 9043);
    seen.insert(9043);
    let all: BTreeSet<_> = shipped().checks.iter().map(|c| c.id).collect();
    assert_eq!(seen, all, "every check has a case");
}

#[test]
fn the_other_good_values_pass_too() {
    for (path, content) in [
        (SSHD, GOOD_SSHD.replace("PermitRootLogin no", "PermitRootLogin prohibit-password")),
        (SSHD, GOOD_SSHD.replace("PermitRootLogin no", "# PermitRootLogin yes")),
        (LOGIN, GOOD_LOGIN.replace("027", "077")),
        (LOGIN, GOOD_LOGIN.replace("027", "0027")),
        (LOGIN, GOOD_LOGIN.replace("YESCRYPT", "SHA512")),
        (SYSCTL, GOOD_SYSCTL.replace("kptr_restrict = 2", "kptr_restrict = 1")),
    ] {
        let failed: Vec<_> = scan(&good().with_file(path, &content)).failures().map(|c| c.check).collect();
        assert!(failed.is_empty(), "{content}: {failed:?}");
    }
}

#[test]
fn what_is_not_there_does_not_apply() {
    let report = scan(&MemorySystem::new().with_file("/etc/passwd", "root:x:0:0:::\n"));
    for check in (9001..=9008).chain(9011..=9016).chain([9021, 9024, 9026, 9050, 9051, 9052, 9060, 9070]) {
        assert_eq!(report.outcome_of(check), Some(Outcome::NotApplicable), "{check}");
    }
    let report = scan(&MemorySystem::new());
    assert_eq!((report.not_applicable, report.score), (40, 0));
}

#[test]
fn every_check_says_why_and_what_to_do() {
    let policy = shipped();
    assert!(policy.checks.iter().all(|c| !c.rationale.is_empty() && !c.remediation.is_empty()));
    let severities: BTreeSet<_> = policy.checks.iter().map(|c| c.severity).collect();
    assert_eq!(severities.len(), 4);
    let critical: Vec<_> =
        policy.checks.iter().filter(|c| c.severity == Severity::Critical).map(|c| c.id).collect();
    assert_eq!(critical, [9002, 9010, 9011, 9020, 9021]);
}

#[test]
fn no_reason_shows_a_hash() {
    let system = good()
        .with_file("/etc/shadow", "me::$y$j9T$salt$hunter2:1:\n")
        .with_file("/etc/passwd", "root:x:0:0:::\ntoor:$6$salt$hunter2:0:0:::\n");
    let report = scan(&system);
    assert_eq!(report.outcome_of(9010), Some(Outcome::Failed));
    assert_eq!(report.outcome_of(9011), Some(Outcome::Failed));
    assert!(report.checks.iter().all(|c| !c.reason.contains("hunter2")));
}
