//! The playbooks that Echo ships.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use playbooks::{RunOutcome, Step, Template};
use serde_json::Value;

use crate::device::Device;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../playbooks")
}

fn shipped() -> BTreeMap<String, Template> {
    let mut out = BTreeMap::new();
    for item in fs::read_dir(folder()).unwrap() {
        let path = item.unwrap().path();
        if path.extension().is_some_and(|e| e == "yaml") {
            let template = Template::parse(&fs::read_to_string(&path).unwrap())
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            assert_eq!(path.file_stem().unwrap(), template.id.as_str());
            out.insert(template.id.clone(), template);
        }
    }
    out
}

#[test]
fn every_shipped_playbook_fixes_the_checks_of_its_name() {
    let found: Vec<(String, Vec<u32>)> = shipped().into_values().map(|t| (t.id, t.fixes)).collect();
    let table = [
        ("automatic-updates", vec![9050]),
        ("core-dumps", vec![9070]),
        ("file-permissions", (9020..=9026).collect()),
        ("kernel-hardening", (9030..=9037).collect()),
        ("login-banner", vec![9060, 9061]),
        ("password-policy", (9012..=9016).collect()),
        ("ssh-hardening", (9001..=9007).collect()),
    ];
    assert_eq!(found, table.map(|(id, fixes)| (id.to_owned(), fixes)));
}

const SSHD: &str = "Include /etc/ssh/sshd_config.d/*.conf\n\n#Port 22\n#PermitRootLogin prohibit-password\n\
    #MaxAuthTries 6\nLoginGraceTime 30\nX11Forwarding yes\nSubsystem sftp internal-sftp\n\n\
    # Guests\nMatch User guest\n\tX11Forwarding yes\n\tPermitEmptyPasswords yes\n";

fn neglected() -> Device {
    let device = Device::new(&[
        ("/etc/ssh/sshd_config", SSHD.as_bytes()),
        ("/etc/ssh/sshd_config.d/50-cloud.conf", b"PermitRootLogin yes\n"),
        (
            "/etc/login.defs",
            b"PASS_MAX_DAYS\t99999\nPASS_MIN_DAYS\t0\nUMASK\t\t077\nENCRYPT_METHOD yescrypt\n",
        ),
        ("/etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
        ("/etc/shadow", b"root:*:1::::::\n"),
        ("/etc/cron.d/job", b""),
        ("/etc/apt/apt.conf.d/20auto-upgrades", b"APT::Periodic::Update-Package-Lists \"0\";\n"),
        ("/etc/issue", b"Debian GNU/Linux 12 \\n \\l\n\n"),
        ("/etc/issue.net", b"Property of ACME\n"),
        ("/etc/sysctl.conf", b"#net.ipv4.tcp_syncookies=1\nnet.ipv4.conf.all.accept_redirects = 1\n"),
    ]);
    device.set_mode("/etc/shadow", 0o644);
    device
}

#[test]
fn a_neglected_device_is_put_right_and_back() {
    let device = neglected();
    let templates: Vec<Template> = shipped().into_values().collect();
    let before = device.tree();
    let plan = device.plan(&templates);
    assert_eq!(device.apply(1, &templates, &plan.digest()).unwrap().outcome, RunOutcome::Applied);

    assert_eq!(
        device.read("/etc/ssh/sshd_config"),
        "Include /etc/ssh/sshd_config.d/*.conf\n\n#Port 22\n#PermitRootLogin prohibit-password\nPermitRootLogin no\n\
         #MaxAuthTries 6\nMaxAuthTries 4\nLoginGraceTime 30\nX11Forwarding no\nSubsystem sftp internal-sftp\n\
         PermitEmptyPasswords no\nClientAliveInterval 300\n\n\
         # Guests\nMatch User guest\n\tX11Forwarding yes\n\tPermitEmptyPasswords yes\n"
    );
    assert_eq!(device.mode("/etc/ssh/sshd_config"), 0o600);
    assert_eq!(device.read("/etc/ssh/sshd_config.d/50-cloud.conf"), "PermitRootLogin no\n");
    assert_eq!(
        device.read("/etc/login.defs"),
        "PASS_MAX_DAYS\t365\nPASS_MIN_DAYS\t1\nUMASK\t\t077\nENCRYPT_METHOD yescrypt\nPASS_WARN_AGE\t7\n"
    );
    assert_eq!((device.mode("/etc/shadow"), device.mode("/etc/cron.d")), (0o640, 0o700));
    assert_eq!(
        device.read("/etc/apt/apt.conf.d/20auto-upgrades"),
        "APT::Periodic::Update-Package-Lists \"1\";\nAPT::Periodic::Unattended-Upgrade \"1\";\n"
    );
    assert!(device.read("/etc/issue").starts_with("Authorised use only"));
    assert_eq!(device.read("/etc/issue.net"), "Property of ACME\n");
    assert_eq!(device.read("/etc/sysctl.d/60-echo-hardening.conf").lines().count(), 9);
    assert!(device.read("/etc/sysctl.conf").ends_with("accept_redirects = 0\n"));
    assert!(device.read("/etc/security/limits.d/60-echo-core-dumps.conf").ends_with("\n* hard core 0\n"));

    assert!(device.plan(&templates).is_empty());
    device.undo(1).unwrap();
    assert_eq!(device.tree(), before);
}

fn keys(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap().keys().cloned().collect()
}

/// One step of each kind with every field given.
const FULL: &str = "id: full\nname: F\nversion: 1\ndescription: d\nfixes: [1]\nrisk: low\nrollback: r\nsteps:\n\
    - file_line: {path: /a, line: x, replaces: x, state: present, when: always}\n\
    - config_key: {path: /a, key: k, value: v, separator: '=', section: s, comment: '#', before: b, \
        ignore_case: true, accept: {range: {min: 1, max: 2}}, drop_ins: /d, when: exists}\n\
    - sysctl: {key: a.b, value: v, file: /a, accept: {one_of: [x]}}\n\
    - permission: {path: /a, mode: \"0644\", or_stricter: true, owner: root, group: root}\n\
    - file_content: {path: /a, content: c, mode: \"0644\", if_contains: [x], when: folder_exists}\n\
    - package: {name: p, state: absent}\n\
    - service: {names: [s], action: reload, after: /a}\n";

#[test]
fn the_schema_knows_the_fields_that_the_parser_knows() {
    let schema: Value = serde_json::from_slice(&fs::read(folder().join("schema.json")).unwrap()).unwrap();
    let full = serde_json::to_value(Template::parse(FULL).unwrap()).unwrap();
    assert_eq!(keys(&schema["properties"]), keys(&full));
    let mut kinds = BTreeSet::new();
    for step in full["steps"].as_array().unwrap() {
        let (kind, fields) = step.as_object().unwrap().iter().next().unwrap();
        let described = &schema["$defs"][kind]["properties"][kind];
        assert_eq!(keys(&described["properties"]), keys(fields), "{kind}");
        assert_eq!(described["additionalProperties"], false);
        kinds.insert(format!("#/$defs/{kind}"));
    }
    let listed = schema["$defs"]["step"]["oneOf"].as_array().unwrap();
    assert_eq!(listed.iter().map(|s| s["$ref"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>(), kinds);
    for required in schema["required"].as_array().unwrap() {
        let mut less = full.clone();
        less.as_object_mut().unwrap().remove(required.as_str().unwrap());
        assert!(serde_json::from_value::<Template>(less).is_err(), "{required}");
    }
}

#[test]
fn no_shipped_step_names_a_place_outside_of_etc() {
    for template in shipped().values() {
        for step in &template.steps {
            let path = match step {
                Step::FileLine(s) => &s.path,
                Step::ConfigKey(s) => &s.path,
                Step::Sysctl(s) => &s.file,
                Step::Permission(s) => &s.path,
                Step::FileContent(s) => &s.path,
                Step::Package(_) | Step::Service(_) => continue,
            };
            assert!(path.starts_with("/etc/"), "{}: {path}", template.id);
        }
    }
}
