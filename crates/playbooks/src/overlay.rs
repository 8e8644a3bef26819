//! What the target would look like: several steps may touch one file before anything is written.

use std::collections::BTreeMap;

use rustix::process::{getegid, geteuid};

use crate::{
    node::{Entry, Node},
    plan::PlanError,
    target::{Fault, Target},
};

/// The most bytes of text that one plan may hold, before and after together; bounds memory and journal.
pub(crate) const MAX_HELD: usize = 8 * 1024 * 1024;
const MAX_TRACKED: usize = 4_096;
const NEW_FILE: u32 = 0o644;
const NEW_FOLDER: u32 = 0o755;

/// Why a step goes no further.
#[derive(Debug)]
pub(crate) enum Stop {
    /// This step is left out; says why.
    Skip(String),
    /// The whole plan fails.
    Fail(PlanError),
}

/// The target with changes that are not made yet.
#[derive(Debug)]
pub(crate) struct Overlay<'t> {
    target: &'t Target,
    entries: BTreeMap<String, Entry>,
}

impl<'t> Overlay<'t> {
    pub fn new(target: &'t Target) -> Self {
        Self { target, entries: BTreeMap::new() }
    }

    pub fn target(&self) -> &'t Target {
        self.target
    }

    /// How `path` would be by now.
    pub fn look(&mut self, path: &str) -> Result<Option<Node>, Stop> {
        Ok(self.entry(path)?.after.clone())
    }

    /// The text `path` would have by now; nothing when there is no such file.
    pub fn text(&mut self, path: &str) -> Result<Option<String>, Stop> {
        let Some(node) = self.look(path)? else {
            return Ok(None);
        };
        if node.folder {
            return Err(Stop::Skip(format!("{path} is a folder")));
        }
        if node.text.is_none() {
            let text = self.target.text(path).map_err(|f| stop(path, f))?;
            for side in self.sides(path)? {
                side.text = Some(text.clone());
            }
            return Ok(Some(text));
        }
        Ok(node.text)
    }

    /// Gives `path` a text; a new file gets `mode` and the folders it lacks. Whether that changes anything.
    pub fn set_text(&mut self, path: &str, text: &str, mode: Option<u32>) -> Result<bool, Stop> {
        if self.text(path)?.as_deref() == Some(text) {
            return Ok(false);
        }
        if self.look(path)?.is_none() {
            self.make_folders(path)?;
        }
        let entry = self.entry(path)?;
        match &mut entry.after {
            Some(node) => node.text = Some(text.to_owned()),
            none => *none = Some(made(mode.unwrap_or(NEW_FILE), Some(text.to_owned()))),
        }
        let held: usize = self.entries.values().map(held).sum();
        if held > MAX_HELD {
            return Err(Stop::Fail(PlanError::TooMany {
                what: "bytes of file content",
                found: held,
                limit: MAX_HELD,
            }));
        }
        Ok(true)
    }

    /// Changes the attributes of what is at `path`. Whether that changes anything.
    pub fn set_attributes(&mut self, path: &str, change: impl FnOnce(&mut Node)) -> Result<bool, Stop> {
        let Some(node) = &mut self.entry(path)?.after else {
            return Err(Stop::Skip(format!("{path} is not there")));
        };
        let before = node.clone();
        change(node);
        Ok(*node != before)
    }

    /// Whether `path` would change.
    pub fn changes(&self, path: &str) -> bool {
        self.entries.get(path).is_some_and(|e| e.before != e.after)
    }

    /// Everything that would change, by path.
    pub fn into_entries(self) -> Vec<Entry> {
        self.entries.into_values().filter(|e| e.before != e.after).collect()
    }

    fn entry(&mut self, path: &str) -> Result<&mut Entry, Stop> {
        if !self.entries.contains_key(path) {
            if self.entries.len() >= MAX_TRACKED {
                return Err(Stop::Fail(PlanError::TooMany {
                    what: "files",
                    found: self.entries.len() + 1,
                    limit: MAX_TRACKED,
                }));
            }
            let found = self.target.look(path).map_err(|f| stop(path, f))?;
            let entry = Entry { path: path.to_owned(), before: found.clone(), after: found };
            self.entries.insert(path.to_owned(), entry);
        }
        Ok(self.entries.get_mut(path).expect("the entry was put in above when it was missing"))
    }

    fn sides(&mut self, path: &str) -> Result<impl Iterator<Item = &mut Node>, Stop> {
        let entry = self.entry(path)?;
        Ok([&mut entry.before, &mut entry.after].into_iter().flatten())
    }

    fn make_folders(&mut self, path: &str) -> Result<(), Stop> {
        let ends: Vec<usize> = path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0).collect();
        for end in ends {
            let entry = self.entry(&path[..end])?;
            if entry.after.is_none() {
                entry.after = Some(Node { folder: true, ..made(NEW_FOLDER, None) });
            }
        }
        Ok(())
    }
}

fn made(mode: u32, text: Option<String>) -> Node {
    Node { folder: false, mode, uid: geteuid().as_raw(), gid: getegid().as_raw(), text }
}

fn held(entry: &Entry) -> usize {
    [&entry.before, &entry.after].into_iter().flatten().filter_map(|n| n.text.as_ref().map(String::len)).sum()
}

/// What is odd about one file stops its step; what is wrong with the machine stops the plan.
pub(crate) fn stop(path: &str, fault: Fault) -> Stop {
    match fault {
        Fault::Refused(reason) => Stop::Skip(reason),
        Fault::Io(action, source) => Stop::Fail(PlanError::Io { action, path: path.to_owned(), source }),
    }
}
