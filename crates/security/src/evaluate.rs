//! Asking a whole policy of a system.

use std::collections::BTreeMap;

use echo_core::Timestamp;

use crate::{
    Check, CheckResult, Condition, Outcome, Policy, Report, System,
    report::cut,
    rule::Rule,
    target::{self, Ruling, Truth},
};

/// The most characters of a rule that a reason quotes.
const MAX_QUOTED: usize = 160;

/// Compares a system with a policy. Never fails: what cannot be asked or answered is an outcome of its check.
///
/// When the requirements do not hold, the policy is not for this machine and every check is not applicable.
pub fn evaluate(policy: &Policy, system: &dyn System, at: Timestamp) -> Report {
    let unmet = policy.requirements.as_ref().and_then(|wanted| {
        let (outcome, reason) = decide(wanted.condition, &wanted.rules, &policy.variables, system);
        (outcome != Outcome::Passed).then(|| format!("the policy is not for this machine: {reason}"))
    });
    let checks = policy.checks.iter().map(|check| {
        let (outcome, reason) = match &unmet {
            Some(reason) => (Outcome::NotApplicable, reason.clone()),
            None => decide(check.condition, &check.rules, &policy.variables, system),
        };
        result(check, outcome, reason)
    });
    Report::new(policy, at, checks.collect())
}

fn result(check: &Check, outcome: Outcome, reason: String) -> CheckResult {
    CheckResult {
        check: check.id,
        title: check.title.clone(),
        outcome,
        severity: check.severity,
        rationale: check.rationale.clone(),
        remediation: check.remediation.clone(),
        reason,
    }
}

/// Takes rules together as Wazuh's truth table does, and stops at the first that decides.
fn decide(
    condition: Condition,
    rules: &[String],
    variables: &BTreeMap<String, String>,
    system: &dyn System,
) -> (Outcome, String) {
    // The truth that decides at once, and what it decides; what holds when every rule says the reverse.
    let (decisive, decided, otherwise) = match condition {
        Condition::All => (Truth::Fails, Outcome::Failed, Outcome::Passed),
        Condition::Any => (Truth::Holds, Outcome::Passed, Outcome::Failed),
        Condition::None => (Truth::Holds, Outcome::Failed, Outcome::Passed),
    };
    let (mut plain, mut unknown, mut invalid) = (None, None, None);
    for text in rules {
        let ruling = match Rule::parse(text, variables) {
            Ok(rule) => target::ask(&rule, system),
            Err(e) => Ruling { truth: Truth::Invalid, seen: e.to_string() },
        };
        let reason = || quoted(text, &ruling.seen);
        match ruling.truth {
            truth if truth == decisive => return (decided, reason()),
            Truth::Unknown => unknown = unknown.or_else(|| Some(reason())),
            Truth::Invalid => invalid = invalid.or_else(|| Some(reason())),
            Truth::Holds | Truth::Fails => plain = plain.or_else(|| Some(reason())),
        }
    }
    let outcomes = [(Outcome::Invalid, invalid), (Outcome::NotApplicable, unknown), (otherwise, plain)];
    let told = outcomes.into_iter().find_map(|(outcome, reason)| Some((outcome, reason?)));
    told.unwrap_or_else(|| (Outcome::Invalid, "the check has no rules".to_owned()))
}

fn quoted(rule: &str, seen: &str) -> String {
    let mut rule = rule.trim().to_owned();
    cut(&mut rule, MAX_QUOTED);
    format!("{seen} [{rule}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemorySystem;

    // One rule that holds, one that does not, one that cannot be asked here, one that cannot be asked at all.
    const HOLDS: &str = "f:/yes";
    const FAILS: &str = "f:/no";
    const UNKNOWN: &str = "f:/no -> r:x";
    const INVALID: &str = "f:/yes -> r:(";

    fn outcome(condition: Condition, rules: &[&str]) -> Outcome {
        let rules: Vec<_> = rules.iter().map(|&rule| rule.to_owned()).collect();
        let system = MemorySystem::new().with_file("/yes", "");
        decide(condition, &rules, &BTreeMap::new(), &system).0
    }

    #[test]
    fn conditions_follow_the_truth_table_of_the_format() {
        use Condition::{All, Any, None};
        use Outcome::{Failed, NotApplicable, Passed};
        for (condition, rules, expected) in [
            (All, vec![HOLDS, HOLDS], Passed),
            (All, vec![HOLDS, UNKNOWN], NotApplicable),
            (All, vec![UNKNOWN, FAILS, HOLDS], Failed),
            (Any, vec![FAILS, UNKNOWN, HOLDS], Passed),
            (Any, vec![FAILS, FAILS], Failed),
            (Any, vec![FAILS, UNKNOWN], NotApplicable),
            (None, vec![FAILS, UNKNOWN, HOLDS], Failed),
            (None, vec![FAILS, UNKNOWN], NotApplicable),
            (None, vec![FAILS, FAILS], Passed),
        ] {
            assert_eq!(outcome(condition, &rules), expected, "{condition:?} {rules:?}");
        }
    }

    #[test]
    fn a_rule_that_cannot_be_asked_makes_its_check_invalid_unless_another_decides() {
        use Condition::{All, Any, None};
        for (condition, decisive, expected) in
            [(All, FAILS, Outcome::Failed), (Any, HOLDS, Outcome::Passed), (None, HOLDS, Outcome::Failed)]
        {
            assert_eq!(outcome(condition, &[INVALID, decisive]), expected);
            assert_eq!(outcome(condition, &[UNKNOWN, INVALID]), Outcome::Invalid);
            assert_eq!(outcome(condition, &[]), Outcome::Invalid);
        }
    }

    #[test]
    fn a_policy_for_another_machine_says_nothing() {
        let policy = "policy: {id: p, file: p.yml, name: P, description: d}\n\
            requirements: {title: t, description: d, condition: any, rules: ['f:/debian']}\n\
            checks:\n- {id: 1, title: A, condition: all, rules: ['f:/yes']}\n";
        let policy = Policy::parse(policy).unwrap();
        let system = MemorySystem::new().with_file("/yes", "");
        let report = evaluate(&policy, &system, Timestamp::UNIX_EPOCH);
        assert_eq!(report.outcome_of(1), Some(Outcome::NotApplicable));
        assert!(report.checks[0].reason.contains("/debian does not exist"), "{}", report.checks[0].reason);
        let report = evaluate(&policy, &system.with_file("/debian", ""), Timestamp::UNIX_EPOCH);
        assert_eq!(report.outcome_of(1), Some(Outcome::Passed));
    }
}
