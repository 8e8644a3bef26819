//! `change`: proposed fixes, and the decision about them.

use clap::Subcommand;
use echo_core::ChangeSetId;
use serde_json::{Value, json};

use crate::{
    Failure, answer,
    api::Api,
    out::{Colour, Out, printable},
};

/// What to do with change sets.
#[derive(Debug, Subcommand)]
pub enum Change {
    /// Show a change set
    Show {
        /// Its id: `case show` names it
        id: ChangeSetId,
        /// Print the whole diff and nothing else
        #[arg(long)]
        diff: bool,
    },
    /// Approve a change set: the device applies exactly this, or nothing
    Approve {
        /// Its id
        id: ChangeSetId,
    },
    /// Reject a change set: nothing is changed
    Reject {
        /// Its id
        id: ChangeSetId,
    },
}

impl Change {
    /// Does it.
    pub fn run(&self, api: &Api, out: Out) -> Result<(), Failure> {
        match self {
            Self::Show { id, diff } => {
                let change = api.get(&format!("/v1/change-sets/{id}"))?;
                if *diff && !out.is_json() {
                    print_diff(answer::text(&change, "/plan/diff")?, out)
                } else {
                    show(&change, out)
                }
            }
            Self::Approve { id } => {
                show(&api.post(&format!("/v1/change-sets/{id}/approve"), &json!({}))?, out)
            }
            Self::Reject { id } => show(&api.post(&format!("/v1/change-sets/{id}/reject"), &json!({}))?, out),
        }
    }
}

fn show(change: &Value, out: Out) -> Result<(), Failure> {
    if !out.is_json() {
        out.line(&format!("playbooks  {}", playbooks(change)))?;
        out.line(&format!("changes    {}", DiffSize::of(answer::text(change, "/plan/diff")?)))?;
    }
    out.one(
        change,
        &[
            ("id", "/id"),
            ("case", "/case"),
            ("device", "/device"),
            ("state", "/state"),
            ("risk", "/proposal/risk"),
            ("approval by", "/proposal/approval"),
            ("why", "/proposal/because"),
            ("plan digest", "/plan_digest"),
            ("decided by", "/decided_by"),
            ("run", "/run"),
        ],
    )
}

/// The names of a change set's playbooks.
pub fn playbooks(change: &Value) -> String {
    let names = answer::list(change, "/proposal/playbooks").unwrap_or_default();
    names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

fn print_diff(diff: &str, out: Out) -> Result<(), Failure> {
    for line in diff.lines() {
        let text = printable(line);
        let painted = match line.as_bytes().first() {
            Some(b'+') => out.paint(Colour::Green, &text),
            Some(b'-') => out.paint(Colour::Red, &text),
            _ => text,
        };
        out.painted(&painted)?;
    }
    Ok(())
}

/// How much a unified diff changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiffSize {
    /// Files and folders.
    pub files: usize,
    /// Lines that come.
    pub added: usize,
    /// Lines that go.
    pub removed: usize,
}

impl DiffSize {
    /// Counts a diff with git's headers.
    pub fn of(diff: &str) -> Self {
        let mut size = Self { files: 0, added: 0, removed: 0 };
        let mut in_hunk = false;
        for line in diff.lines() {
            if line.starts_with("diff --git ") {
                size.files += 1;
                in_hunk = false;
            } else if line.starts_with("@@ ") {
                in_hunk = true;
            } else if in_hunk && line.starts_with('+') {
                size.added += 1;
            } else if in_hunk && line.starts_with('-') {
                size.removed += 1;
            }
        }
        size
    }
}

impl std::fmt::Display for DiffSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} files, +{} -{} lines", self.files, self.added, self.removed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_is_counted_without_its_headers() {
        let diff = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n same\n-old\n+new\n+more\n\
                    diff --git a/y b/y\nold mode 100644\nnew mode 100600\n";
        assert_eq!(DiffSize::of(diff), DiffSize { files: 2, added: 2, removed: 1 });
    }
}
