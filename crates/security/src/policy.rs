//! Policy files in Wazuh's SCA format.
//!
//! Source: Wazuh documentation, "Creating custom SCA policies". Two things are ours: a `compliance` item named
//! `echo_severity`, which Wazuh carries along and ignores, and explicit bounds. Fields that are not read here
//! (references, impact, mitre) are allowed, as in Wazuh. Rules are kept as text and compiled when they are
//! evaluated, so that a policy at rest costs its text and no automata.

use std::collections::{BTreeMap, BTreeSet};

use echo_core::Digest;
use serde::Deserialize;
use serde_json::Value;

use crate::{MAX_NAME, Severity};

/// The most bytes of a policy file.
pub const MAX_POLICY: usize = 2 * 1024 * 1024;
/// The most checks in a policy.
pub const MAX_CHECKS: usize = 5_000;
/// The most rules in a check.
pub const MAX_RULES: usize = 200;
/// The longest rule, in bytes.
pub const MAX_RULE: usize = 8 * 1024;
/// The most events of the YAML parser; the largest policy known to us makes 40,000.
const MAX_EVENTS: usize = 1_000_000;
/// The deepest nesting of the YAML.
const MAX_DEPTH: usize = 32;

/// How the rules of a check are taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Every rule must hold.
    All,
    /// One rule must hold.
    Any,
    /// No rule may hold.
    None,
}

/// What must hold before a policy says anything about a machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Requirements {
    /// In one line.
    #[serde(alias = "name")]
    pub title: String,
    /// How the rules are taken together.
    pub condition: Condition,
    /// The rules, as written.
    pub rules: Vec<String>,
}

/// One question of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "CheckFile")]
pub struct Check {
    /// Its number, unique in the policy.
    pub id: u32,
    /// What is wanted, in one line.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Why it is wanted.
    pub rationale: String,
    /// What to do about a failure.
    pub remediation: String,
    /// How much a failure matters.
    pub severity: Severity,
    /// How the rules are taken together.
    pub condition: Condition,
    /// The rules, as written.
    pub rules: Vec<String>,
}

/// A posture policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its id.
    pub id: String,
    /// Its usual file name.
    pub file: String,
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// What must hold before it says anything.
    pub requirements: Option<Requirements>,
    /// Lists of paths by name (with the leading `$`), comma-separated.
    pub variables: BTreeMap<String, String>,
    /// Its questions.
    pub checks: Vec<Check>,
    digest: Digest,
}

/// Why a text is not a policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Over [`MAX_POLICY`].
    #[error("the policy is {0} bytes long, more than {MAX_POLICY}: split it")]
    TooLarge(usize),
    /// Not YAML of this shape.
    #[error("the policy is not a Wazuh SCA file: {0}")]
    Yaml(Box<serde_saphyr::Error>),
    /// Patterns in a dialect that is not read here.
    #[error(
        "the policy wants patterns of type `{0}`: only pcre2 is read, rewrite them and say `regex_type: pcre2`"
    )]
    RegexType(String),
    /// The id or the name is empty or too long.
    #[error("the policy's id and name must have 1 to {MAX_NAME} characters")]
    Name,
    /// Over [`MAX_CHECKS`].
    #[error("the policy holds {0} checks, more than {MAX_CHECKS}: split it")]
    TooMany(usize),
    /// A number twice.
    #[error("check {0} is in the policy twice: give each its own id")]
    Twice(u32),
    /// No title, no rules, too many rules, or a rule over [`MAX_RULE`].
    #[error("check {0} must have a title and 1 to {MAX_RULES} rules of at most {MAX_RULE} bytes")]
    Check(u32),
    /// The same for the requirements.
    #[error("the requirements must have 1 to {MAX_RULES} rules of at most {MAX_RULE} bytes")]
    Requirements,
}

#[derive(Deserialize)]
struct PolicyFile {
    policy: Header,
    requirements: Option<Requirements>,
    #[serde(default)]
    variables: Option<BTreeMap<String, String>>,
    checks: Vec<Check>,
}

#[derive(Deserialize)]
struct Header {
    id: String,
    file: String,
    name: String,
    description: String,
    regex_type: Option<String>,
}

#[derive(Deserialize)]
struct CheckFile {
    id: u32,
    #[serde(alias = "name")]
    title: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    rationale: String,
    #[serde(default)]
    remediation: String,
    #[serde(default)]
    compliance: Value,
    condition: Condition,
    rules: Vec<String>,
}

impl From<CheckFile> for Check {
    fn from(file: CheckFile) -> Self {
        Self {
            id: file.id,
            title: file.title,
            description: file.description,
            rationale: file.rationale,
            remediation: file.remediation,
            severity: severity(&file.compliance).unwrap_or_default(),
            condition: file.condition,
            rules: file.rules,
        }
    }
}

/// `echo_severity` of a compliance section, which is a map in new policies and a list of maps in old ones.
fn severity(compliance: &Value) -> Option<Severity> {
    let item = match compliance {
        Value::Array(items) => items.iter().find_map(|item| item.get("echo_severity")),
        map => map.get("echo_severity"),
    }?;
    let word = item.as_array().map_or(item, |list| list.first().unwrap_or(&Value::Null));
    Severity::deserialize(word).ok()
}

impl Policy {
    /// Reads and checks a policy. Rules that cannot be understood do not spoil it: their checks come out invalid.
    pub fn parse(yaml: &str) -> Result<Self, PolicyError> {
        if yaml.len() > MAX_POLICY {
            return Err(PolicyError::TooLarge(yaml.len()));
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_documents: 1,
                max_anchors: 0,
                max_aliases: 0,
                max_events: MAX_EVENTS,
                max_nodes: MAX_EVENTS,
                max_depth: MAX_DEPTH,
            },
        };
        let file: PolicyFile =
            serde_saphyr::from_str_with_options(yaml, options).map_err(|e| PolicyError::Yaml(Box::new(e)))?;
        let policy = Self {
            id: file.policy.id,
            file: file.policy.file,
            name: file.policy.name,
            description: file.policy.description,
            requirements: file.requirements,
            variables: file.variables.unwrap_or_default(),
            checks: file.checks,
            digest: Digest::of(yaml.as_bytes()),
        };
        if let Some(dialect) = file.policy.regex_type.filter(|t| !t.eq_ignore_ascii_case("pcre2")) {
            return Err(PolicyError::RegexType(dialect));
        }
        policy.check()?;
        Ok(policy)
    }

    /// SHA-256 of the source text.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    fn check(&self) -> Result<(), PolicyError> {
        if [&self.id, &self.name].iter().any(|t| t.is_empty() || t.chars().count() > MAX_NAME) {
            return Err(PolicyError::Name);
        }
        if self.checks.len() > MAX_CHECKS {
            return Err(PolicyError::TooMany(self.checks.len()));
        }
        if self.requirements.as_ref().is_some_and(|r| !bounded(&r.rules)) {
            return Err(PolicyError::Requirements);
        }
        let mut ids = BTreeSet::new();
        for check in &self.checks {
            if !ids.insert(check.id) {
                return Err(PolicyError::Twice(check.id));
            }
            if check.title.is_empty() || !bounded(&check.rules) {
                return Err(PolicyError::Check(check.id));
            }
        }
        Ok(())
    }
}

fn bounded(rules: &[String]) -> bool {
    (1..=MAX_RULES).contains(&rules.len()) && rules.iter().all(|rule| rule.len() <= MAX_RULE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "policy: {id: p, file: p.yml, name: P, description: d}\n";

    fn check(extra: &str) -> String {
        format!("{HEAD}checks:\n  - id: 1\n    title: T\n    condition: all\n    rules: ['f:/a']\n{extra}")
    }

    #[test]
    fn the_smallest_policy_is_read() {
        let text = check("");
        let policy = Policy::parse(&text).unwrap();
        assert_eq!((policy.id.as_str(), policy.checks.len()), ("p", 1));
        assert_eq!(policy.checks[0].severity, Severity::Medium);
        assert_eq!(policy.digest(), Digest::of(text.as_bytes()));
    }

    #[test]
    fn the_newer_and_the_older_names_of_a_title_are_read() {
        let newer = check("").replace("title: T", "name: T");
        assert_eq!(Policy::parse(&newer).unwrap().checks[0].title, "T");
    }

    #[test]
    fn severity_is_read_from_both_shapes_of_compliance() {
        for (compliance, severity) in [
            ("      - pci_dss: ['2.2']\n      - echo_severity: [critical]\n", Severity::Critical),
            ("      pci_dss: [2.2]\n      echo_severity: high\n", Severity::High),
            ("      echo_severity: [low]\n", Severity::Low),
            ("      echo_severity: [unheard_of]\n", Severity::Medium),
            ("      pci_dss: ['2.2']\n", Severity::Medium),
        ] {
            let policy = Policy::parse(&check(&format!("    compliance:\n{compliance}"))).unwrap();
            assert_eq!(policy.checks[0].severity, severity, "{compliance}");
        }
    }

    #[test]
    fn what_is_over_a_bound_is_refused() {
        type Wanted = fn(&PolicyError) -> bool;
        let many = (0..=MAX_CHECKS)
            .map(|id| format!("  - {{id: {id}, title: T, condition: all, rules: ['f:/a']}}\n"));
        let many = format!("{HEAD}checks:\n{}", many.collect::<String>());
        let cases: [(String, Wanted); 9] = [
            ("#".repeat(MAX_POLICY + 1), |e| matches!(e, PolicyError::TooLarge(_))),
            (many, |e| matches!(e, PolicyError::TooMany(_))),
            (check(&check("")[HEAD.len() + 8..]), |e| matches!(e, PolicyError::Twice(1))),
            (check("").replace("['f:/a']", "[]"), |e| matches!(e, PolicyError::Check(1))),
            (check("").replace("/a", &"/a".repeat(MAX_RULE)), |e| matches!(e, PolicyError::Check(1))),
            (check("").replace("name: P", "name: ''"), |e| matches!(e, PolicyError::Name)),
            (check("").replace("name: P", "name: P, regex_type: osregex"), |e| {
                matches!(e, PolicyError::RegexType(_))
            }),
            (check("requirements: {title: t, condition: any, rules: []}\n"), |e| {
                matches!(e, PolicyError::Requirements)
            }),
            (check("").replace("condition: all", "condition: most"), |e| matches!(e, PolicyError::Yaml(_))),
        ];
        for (text, wanted) in cases {
            let error = Policy::parse(&text).unwrap_err();
            assert!(wanted(&error), "{error}");
        }
    }
}
