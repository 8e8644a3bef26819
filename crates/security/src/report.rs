//! What a scan found.

use std::collections::BTreeSet;

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::MAX_CHECKS;

/// The longest id or name of a policy, in characters.
pub const MAX_NAME: usize = 200;
/// The longest title of a check, in characters.
pub const MAX_TITLE: usize = 500;
/// The longest rationale or remediation, in characters.
pub const MAX_PROSE: usize = 4_000;
/// The longest reason, in characters.
pub const MAX_REASON: usize = 500;

/// What came of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The machine is as the policy wants it.
    Passed,
    /// It is not.
    Failed,
    /// The question does not arise here, or could not be answered: the file is absent, may not be read, ...
    NotApplicable,
    /// The policy asks something that cannot be asked: a rule that does not parse, a pattern that gives up.
    Invalid,
}

/// How much a failed check matters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth tidying up.
    Low,
    /// Worth a planned change; what a policy that does not say means.
    #[default]
    Medium,
    /// Worth doing this week.
    High,
    /// Worth doing now.
    Critical,
}

/// One check and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckResult {
    /// The check's number in its policy.
    pub check: u32,
    /// What is wanted, in one line.
    pub title: String,
    /// What came of it.
    pub outcome: Outcome,
    /// How much a failure matters.
    pub severity: Severity,
    /// Why it is wanted.
    pub rationale: String,
    /// What to do about a failure.
    pub remediation: String,
    /// Which rule decided, with the value seen; never a secret such as a password hash.
    pub reason: String,
}

/// The result of one scan of one machine with one policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The policy's id.
    pub policy: String,
    /// The policy's name.
    pub policy_name: String,
    /// SHA-256 of the policy's source text.
    pub policy_digest: Digest,
    /// When the scan began.
    pub at: Timestamp,
    /// How many checks passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// How many do not apply.
    pub not_applicable: u32,
    /// How many could not be asked.
    pub invalid: u32,
    /// `passed * 100 / (passed + failed)`, rounded down; 0 when neither.
    pub score: u8,
    /// Each check, in the policy's order.
    pub checks: Vec<CheckResult>,
}

/// Why a report that came from elsewhere is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// A text is empty or over its bound.
    #[error(
        "the {what} of the report is empty or longer than {bound} characters: scan again with a current probe"
    )]
    Text {
        /// Which text.
        what: &'static str,
        /// Its bound.
        bound: usize,
    },
    /// Too many checks.
    #[error("the report holds {0} checks, more than {MAX_CHECKS}: split the policy")]
    TooMany(usize),
    /// A check twice.
    #[error("check {0} is in the report twice: scan again with a policy whose ids are unique")]
    Twice(u32),
    /// The totals are not those of the checks.
    #[error(
        "the report's {what} is {stated}, its checks say {counted}: it was changed or wrongly made, scan again"
    )]
    Total {
        /// Which total.
        what: &'static str,
        /// What the report says.
        stated: u32,
        /// What its checks say.
        counted: u32,
    },
}

impl Report {
    /// A report over these checks, with its totals; texts over their bounds are cut.
    pub(crate) fn new(policy: &crate::Policy, at: Timestamp, mut checks: Vec<CheckResult>) -> Self {
        for check in &mut checks {
            cut(&mut check.title, MAX_TITLE);
            cut(&mut check.rationale, MAX_PROSE);
            cut(&mut check.remediation, MAX_PROSE);
            cut(&mut check.reason, MAX_REASON);
        }
        let [passed, failed, not_applicable, invalid] = totals(&checks);
        Self {
            policy: policy.id.clone(),
            policy_name: policy.name.clone(),
            policy_digest: policy.digest(),
            at,
            passed,
            failed,
            not_applicable,
            invalid,
            score: score(passed, failed),
            checks,
        }
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &CheckResult> {
        self.checks.iter().filter(|c| c.outcome == Outcome::Failed)
    }

    /// What came of a check; none when the policy does not have it.
    pub fn outcome_of(&self, check: u32) -> Option<Outcome> {
        self.checks.iter().find(|c| c.check == check).map(|c| c.outcome)
    }

    /// Checks the bounds and that the totals are those of the checks. A device sends reports: call this on each.
    pub fn validate(&self) -> Result<(), ReportError> {
        text("policy id", &self.policy, 1, MAX_NAME)?;
        text("policy name", &self.policy_name, 1, MAX_NAME)?;
        if self.checks.len() > MAX_CHECKS {
            return Err(ReportError::TooMany(self.checks.len()));
        }
        let mut ids = BTreeSet::new();
        for check in &self.checks {
            if !ids.insert(check.check) {
                return Err(ReportError::Twice(check.check));
            }
            text("title of a check", &check.title, 1, MAX_TITLE)?;
            text("rationale of a check", &check.rationale, 0, MAX_PROSE)?;
            text("remediation of a check", &check.remediation, 0, MAX_PROSE)?;
            text("reason of a check", &check.reason, 0, MAX_REASON)?;
        }
        let [passed, failed, not_applicable, invalid] = totals(&self.checks);
        for (what, stated, counted) in [
            ("passed", self.passed, passed),
            ("failed", self.failed, failed),
            ("not_applicable", self.not_applicable, not_applicable),
            ("invalid", self.invalid, invalid),
            ("score", self.score.into(), score(passed, failed).into()),
        ] {
            if stated != counted {
                return Err(ReportError::Total { what, stated, counted });
            }
        }
        Ok(())
    }
}

/// How many passed, failed, do not apply, are invalid.
fn totals(checks: &[CheckResult]) -> [u32; 4] {
    let mut totals = [0; 4];
    for check in checks {
        totals[match check.outcome {
            Outcome::Passed => 0,
            Outcome::Failed => 1,
            Outcome::NotApplicable => 2,
            Outcome::Invalid => 3,
        }] += 1;
    }
    totals
}

fn score(passed: u32, failed: u32) -> u8 {
    let (passed, failed) = (u64::from(passed), u64::from(failed));
    let score = (passed * 100).checked_div(passed + failed).unwrap_or(0);
    u8::try_from(score).expect("a part of a whole is at most 100 per cent")
}

fn text(what: &'static str, given: &str, least: usize, bound: usize) -> Result<(), ReportError> {
    // A character is at most four bytes: a huge text is refused without walking it.
    let fits = given.len() <= bound * 4 && given.chars().count() <= bound && given.len() >= least;
    fits.then_some(()).ok_or(ReportError::Text { what, bound })
}

/// Cuts a text to so many characters, the last of them an ellipsis.
pub(crate) fn cut(text: &mut String, bound: usize) {
    if text.chars().count() > bound {
        let end = text.char_indices().nth(bound - 1).map_or(0, |(at, _)| at);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemorySystem, Policy, evaluate};

    fn report() -> Report {
        let policy = "policy: {id: p, file: p.yml, name: P, description: d}\nchecks:\n\
            - {id: 1, title: A, condition: all, rules: ['f:/a']}\n\
            - {id: 2, title: B, condition: all, rules: ['f:/b']}\n\
            - {id: 3, title: C, condition: all, rules: ['not f:/b']}\n\
            - {id: 4, title: D, condition: all, rules: ['f:/b -> x']}\n\
            - {id: 5, title: E, condition: all, rules: ['?']}\n";
        let system = MemorySystem::new().with_file("/a", "");
        evaluate(&Policy::parse(policy).unwrap(), &system, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn totals_and_score_are_those_of_the_checks() {
        let report = report();
        assert_eq!(report.validate(), Ok(()));
        let totals = (report.passed, report.failed, report.not_applicable, report.invalid);
        assert_eq!((totals, report.score), ((2, 1, 1, 1), 66));
        assert_eq!(report.failures().map(|c| c.check).collect::<Vec<_>>(), [2]);
        assert_eq!(report.outcome_of(4), Some(Outcome::NotApplicable));
        assert_eq!(report.outcome_of(6), None);
    }

    #[test]
    fn the_score_is_rounded_down_and_zero_of_nothing() {
        for (passed, failed, expected) in
            [(0, 0, 0), (1, 0, 100), (0, 1, 0), (2, 1, 66), (999, 1, 99), (u32::MAX, 0, 100)]
        {
            assert_eq!(score(passed, failed), expected, "{passed} {failed}");
        }
    }

    #[test]
    fn a_report_survives_json_and_a_strange_field_does_not() {
        let report = report();
        let json = serde_json::to_string(&report).unwrap();
        assert!(
            json.contains("\"outcome\":\"not_applicable\"") && json.contains("\"severity\":\"medium\""),
            "{json}"
        );
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
        let strange = json.replacen('{', "{\"root\":true,", 1);
        assert!(serde_json::from_str::<Report>(&strange).is_err());
    }

    #[test]
    fn a_report_that_was_changed_is_not_believed() {
        type Change = fn(&mut Report);
        let changes: [(&str, Change); 9] = [
            ("passed", |r| r.passed += 1),
            ("failed", |r| r.failed = 0),
            ("score", |r| r.score = 100),
            ("passed", |r| r.checks[1].outcome = Outcome::Passed),
            ("twice", |r| r.checks[1].check = 1),
            ("reason", |r| r.checks[0].reason = "x".repeat(MAX_REASON + 1)),
            ("title", |r| r.checks[0].title = String::new()),
            ("policy id", |r| r.policy = "é".repeat(MAX_NAME + 1)),
            ("checks", |r| r.checks = vec![r.checks[0].clone(); MAX_CHECKS + 1]),
        ];
        for (word, change) in changes {
            let mut report = report();
            change(&mut report);
            let error = report.validate().unwrap_err().to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = "é".repeat(10);
        cut(&mut text, 4);
        assert_eq!(text, "ééé…");
        cut(&mut text, 4);
        assert_eq!(text, "ééé…");
    }
}
