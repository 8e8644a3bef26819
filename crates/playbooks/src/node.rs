//! A file or folder as far as a playbook looks at it.

use serde::{Deserialize, Serialize};

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    /// A folder, or a regular file.
    pub folder: bool,
    /// The permission bits.
    pub mode: u32,
    /// The owner's number.
    pub uid: u32,
    /// The group's number.
    pub gid: u32,
    /// The content, once a step has looked at it.
    pub text: Option<String>,
}

/// One path before and after; `after` is never missing once a step has changed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// The path, from the root.
    pub path: String,
    /// How it was.
    pub before: Option<Node>,
    /// How it is to be.
    pub after: Option<Node>,
}

impl Entry {
    /// Whether the content is part of this entry.
    pub fn has_text(&self) -> bool {
        [&self.before, &self.after].into_iter().flatten().any(|node| node.text.is_some())
    }

    /// Whether every attribute of `now` is one of ours, from before or after: nobody else has touched it.
    pub fn explains(&self, now: Option<&Node>) -> bool {
        let Some(now) = now else {
            return self.before.is_none() || self.after.is_none();
        };
        let ours: Vec<&Node> = [&self.before, &self.after].into_iter().flatten().collect();
        ours.iter().any(|n| n.folder == now.folder)
            // A folder that a crash cut short may not have its mode yet.
            && (self.before.is_none() && now.folder || ours.iter().any(|n| n.mode == now.mode))
            && ours.iter().any(|n| (n.uid, n.gid) == (now.uid, now.gid))
            && ours.iter().any(|n| n.text == now.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(mode: u32, text: &str) -> Node {
        Node { folder: false, mode, uid: 0, gid: 0, text: Some(text.to_owned()) }
    }

    #[test]
    fn a_half_made_change_is_ours_and_a_stranger_s_is_not() {
        let entry = Entry {
            path: "/a".to_owned(),
            before: Some(node(0o644, "old")),
            after: Some(node(0o600, "new")),
        };
        assert!(entry.explains(Some(&node(0o644, "new"))));
        assert!(entry.explains(Some(&node(0o600, "old"))));
        assert!(!entry.explains(Some(&node(0o600, "other"))));
        assert!(!entry.explains(Some(&node(0o777, "new"))));
        assert!(!entry.explains(None));
    }
}
