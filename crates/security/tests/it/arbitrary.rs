//! Nothing that a policy or a machine says makes the scanner panic.

use echo_core::Timestamp;
use proptest::prelude::*;
use security::{MemorySystem, Policy, evaluate};

fn policy_of(rules: Vec<String>) -> Policy {
    let text = "policy: {id: p, file: p, name: p, description: p}\nvariables: {$v: '/etc/a,/etc'}\n\
        checks: [{id: 1, title: t, condition: all, rules: [r]}]\n";
    let mut policy = Policy::parse(text).unwrap();
    policy.checks[0].rules = rules;
    policy
}

/// Text that is nearly a rule.
fn rule() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "not ",
            "!",
            "f:",
            "d:",
            "p:",
            "c:",
            "r:",
            "n:",
            "/etc/a",
            "/etc",
            "$v",
            " -> ",
            " && ",
            " compare ",
            "<=",
            "4",
            "(\\d+)",
            "stat -c ",
            "sysctl ",
            "sshd -T",
            "%a",
            "-",
            "^",
            ".*",
            "[",
            "'",
            "\"",
            "\\",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,6}",
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        let _ = Policy::parse(&text);
    }

    #[test]
    fn parsing_what_is_nearly_a_policy_never_panics(
        head in "policy:\n  (id|name|file): .{0,20}\n(checks|variables|requirements):.{0,40}\n  - .{0,40}",
    ) {
        let _ = Policy::parse(&head);
    }

    #[test]
    fn evaluating_never_panics_and_its_report_is_valid(
        rules in prop::collection::vec(rule(), 1..4),
        content in any::<String>(),
    ) {
        let system = MemorySystem::new()
            .with_file("/etc/a", &content)
            .with_file("/etc/ssh/sshd_config", &content)
            .with_file("/etc/sysctl.d/a.conf", &content)
            .with_process(&content);
        let report = evaluate(&policy_of(rules), &system, Timestamp::UNIX_EPOCH);
        prop_assert_eq!(report.validate(), Ok(()));
    }
}
