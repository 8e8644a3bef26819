//! Draws entries and actions as a unified diff with git's extended headers.

use std::fmt::Write as _;

use similar::TextDiff;

use crate::{
    action::Action,
    node::{Entry, Node},
    plan::ChangeKind,
};

/// The diff of a plan. What a diff cannot say stands first, in lines that `git apply` and `patch` pass over.
pub(crate) fn draw(entries: &[Entry], actions: &[Action]) -> String {
    let mut out = String::new();
    for entry in entries {
        note(&mut out, entry);
    }
    for action in actions {
        let change = action.change();
        let what = match change.kind {
            ChangeKind::Kernel => "running kernel: ",
            ChangeKind::Package => "package ",
            _ => "service ",
        };
        // Writing into a string cannot fail.
        let _ = writeln!(
            out,
            "# {what}{}: {} -> {}",
            change.path,
            change.before.unwrap_or_default(),
            change.after.unwrap_or_default()
        );
    }
    for entry in entries {
        file(&mut out, entry);
    }
    out
}

fn note(out: &mut String, entry: &Entry) {
    match (&entry.before, &entry.after) {
        (None, Some(after)) if after.folder => {
            let _ = writeln!(out, "# new folder {} with mode {:04o}", entry.path, after.mode);
        }
        (Some(before), Some(after)) if owner(before) != owner(after) => {
            let _ = writeln!(out, "# owner of {}: {} -> {}", entry.path, owner(before), owner(after));
        }
        _ => {}
    }
}

fn file(out: &mut String, entry: &Entry) {
    let name = entry.path.trim_start_matches('/');
    let old = entry.before.as_ref();
    let Some(new) = &entry.after else { return };
    let has_mode = old.is_some_and(|o| o.mode != new.mode);
    let text = |node: Option<&Node>| node.and_then(|n| n.text.clone()).unwrap_or_default();
    let (before, after) = (text(old), text(Some(new)));
    let is_new_folder = old.is_none() && new.folder;
    if is_new_folder || (old.is_some() && before == after && !has_mode) {
        return;
    }
    let _ = writeln!(out, "diff --git a/{name} b/{name}");
    match old {
        None => {
            let _ = writeln!(out, "new file mode {}", git_mode(new));
        }
        Some(old) if has_mode => {
            let _ = writeln!(out, "old mode {}\nnew mode {}", git_mode(old), git_mode(new));
        }
        Some(_) => {}
    }
    if before != after {
        let from = if old.is_some() { format!("a/{name}") } else { "/dev/null".to_owned() };
        let (old_lines, new_lines) = (slices(&before), slices(&after));
        let diff = TextDiff::configure().newline_terminated(true).diff_slices(&old_lines, &new_lines);
        let _ = write!(out, "{}", diff.unified_diff().header(&from, &format!("b/{name}")));
    }
}

fn slices(text: &str) -> Vec<&str> {
    text.split_inclusive('\n').collect()
}

fn git_mode(node: &Node) -> String {
    format!("{}{:04o}", if node.folder { "04" } else { "10" }, node.mode)
}

/// Owner and group by number, the way `chown` takes them.
pub(crate) fn owner(node: &Node) -> String {
    format!("{}:{}", node.uid, node.gid)
}
