//! The plan: what would change, shown before anything does, and approved by its digest.

use std::io;

use echo_core::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    dry,
    step::{MAX_PATH, MAX_TEXT},
    target::Target,
    template::{MAX_STEPS, Risk, Template, is_kebab},
};

/// The most playbooks of one plan.
pub const MAX_PLAYBOOKS: usize = 32;
/// The most changes of one plan.
pub const MAX_CHANGES: usize = 1_024;
/// The most bytes of a plan's diff.
pub const MAX_DIFF: usize = 1024 * 1024;
/// The most bytes of a reason or detail.
pub const MAX_REASON: usize = 1_000;
const MAX_STATE: usize = 256;

/// What would change on one target, and what would not and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The playbooks, in the order they were given.
    pub playbooks: Vec<PlaybookRef>,
    /// Every change, by path.
    pub changes: Vec<Change>,
    /// The changes as a unified diff with git's headers. What is not a file's content or mode stands before it in
    /// lines that start with `#`.
    pub diff: String,
    /// The highest risk of the playbooks.
    pub risk: Risk,
    /// What undoing means, one text a playbook.
    pub rollback: Vec<String>,
    /// The steps that were left out, each with its reason.
    pub skipped: Vec<Skipped>,
}

/// A playbook by name and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybookRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
}

/// One thing that would change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The file or folder from the root; the sysctl key, package or unit for the kinds that are not files.
    pub path: String,
    /// What kind of change.
    pub kind: ChangeKind,
    /// How it is now: a digest (`sha256:..`), mode (`0644`), owner (`0:42`), value or state. None: it is not there.
    pub before: Option<String>,
    /// How it would be, in the same words.
    pub after: Option<String>,
}

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A file is made.
    Create,
    /// A file's content changes.
    Edit,
    /// A folder is made.
    Folder,
    /// A mode changes.
    Mode,
    /// An owner or group changes.
    Owner,
    /// A value of the running kernel changes.
    Kernel,
    /// A package comes or goes.
    Package,
    /// A service is turned on or off, or reads its configuration again.
    Service,
}

/// A step that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skipped {
    /// Which one: `playbook/number`, numbers from 1.
    pub step: String,
    /// Why.
    pub reason: String,
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// A bound was passed.
    #[error("{found} {what}, more than {limit}: run fewer playbooks at once")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many.
        found: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// A playbook was given twice.
    #[error("playbook `{0}` is given twice: name each one once")]
    Twice(String),
    /// One step undoes what another does.
    #[error(
        "playbook `{playbook}`, step {step}, works against another step of this plan: run them apart, or mend one"
    )]
    Conflict {
        /// Of which playbook.
        playbook: String,
        /// Which step, from 1.
        step: u32,
    },
    /// The operating system refused.
    #[error("cannot {action} {path} on the target: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// A plan from elsewhere is malformed.
    #[error("the plan is not acceptable: {0}")]
    Invalid(String),
}

/// Finds out what `templates` would change on `target`, and changes nothing.
///
/// The same templates on the same state give the same plan, byte for byte. A step that cannot be taken (its file
/// is missing and guarded, a symbolic link, not text, too large) is left out with its reason.
pub fn plan(templates: &[Template], target: &Target) -> Result<Plan, PlanError> {
    Ok(dry::dry_run(templates, target)?.plan)
}

impl Plan {
    /// What an approval names: the digest of the whole plan, before-states included.
    pub fn digest(&self) -> Digest {
        let mut bytes = b"echo playbook plan v1\n".to_vec();
        // Strings and integers in structs always have a JSON form.
        bytes.extend(serde_json::to_vec(self).expect("a plan is plain data, which always serialises"));
        Digest::of(&bytes)
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Checks the bounds of a plan that came from elsewhere.
    pub fn validate(&self) -> Result<(), PlanError> {
        for (what, found, limit) in [
            ("playbooks", self.playbooks.len(), MAX_PLAYBOOKS),
            ("changes", self.changes.len(), MAX_CHANGES),
            ("bytes of diff", self.diff.len(), MAX_DIFF),
            ("rollback texts", self.rollback.len(), MAX_PLAYBOOKS),
            ("skipped steps", self.skipped.len(), MAX_PLAYBOOKS * MAX_STEPS),
        ] {
            if found > limit {
                return Err(PlanError::TooMany { what, found, limit });
            }
        }
        let fault = if self.changes.is_empty() != self.diff.is_empty() {
            Some("its diff and its list of changes disagree")
        } else if !self.playbooks.iter().all(|p| is_kebab(&p.id) && p.version > 0) {
            Some("a playbook's name or version is malformed")
        } else if !self.changes.iter().all(Change::is_bounded) {
            Some("a change's path or state is malformed or too long")
        } else if self.rollback.iter().any(|t| t.len() > MAX_TEXT) {
            Some("a rollback text is too long")
        } else if self.skipped.iter().any(|s| s.step.len() > MAX_STATE || s.reason.len() > MAX_REASON) {
            Some("a skipped step's reason is too long")
        } else {
            None
        };
        fault.map_or(Ok(()), |why| Err(PlanError::Invalid(why.to_owned())))
    }
}

impl Change {
    fn is_bounded(&self) -> bool {
        let short = |state: &Option<String>| state.as_ref().is_none_or(|s| s.len() <= MAX_STATE);
        let plain = !self.path.is_empty() && self.path.bytes().all(|b| b.is_ascii_graphic());
        plain && self.path.len() <= MAX_PATH && short(&self.before) && short(&self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan {
            playbooks: vec![PlaybookRef { id: "a".to_owned(), version: 1 }],
            changes: vec![Change {
                path: "/etc/a".to_owned(),
                kind: ChangeKind::Mode,
                before: Some("0644".to_owned()),
                after: Some("0600".to_owned()),
            }],
            diff: "diff".to_owned(),
            risk: Risk::Low,
            rollback: vec!["r".to_owned()],
            skipped: vec![],
        }
    }

    #[test]
    fn every_part_of_a_plan_is_in_its_digest() {
        let digest = plan().digest();
        assert_eq!(digest, plan().digest());
        let mut other = plan();
        other.changes[0].before = Some("0640".to_owned());
        assert_ne!(digest, other.digest());
        let mut other = plan();
        other.risk = Risk::High;
        assert_ne!(digest, other.digest());
    }

    #[test]
    fn a_plan_out_of_bounds_is_refused() {
        plan().validate().unwrap();
        let mut silent = plan();
        silent.diff.clear();
        assert!(silent.validate().is_err());
        let mut huge = plan();
        huge.diff = "x".repeat(MAX_DIFF + 1);
        assert!(matches!(huge.validate(), Err(PlanError::TooMany { .. })));
        let mut odd = plan();
        odd.changes[0].path = "/etc/a\u{1b}[2J".to_owned();
        assert!(odd.validate().is_err());
    }
}
