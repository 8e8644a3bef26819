//! Makes a journal's changes, checks them, and takes them back.

use crate::{
    journal::Journal,
    node::{Entry, Node},
    system::ASK,
    target::{Fault, Target},
};

/// The server's configuration, which its own program can test (`sshd -t`, sshd(8)).
const SSHD: &str = "/etc/ssh/sshd_config";

/// What went wrong, and with which path or name.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub path: String,
    pub why: String,
}

/// How far restoring may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everything, whatever is there now: the run itself is rolling back.
    All,
    /// Only what is still as the run left it: time has passed, somebody may have edited.
    OursOnly,
}

/// Changes the files. On trouble the rest is not changed.
pub(crate) fn make_files(journal: &Journal, target: &Target) -> Result<(), Trouble> {
    for entry in &journal.entries {
        if let Some(after) = &entry.after {
            let same_text = entry.before.as_ref().is_some_and(|b| b.text == after.text);
            let node = if same_text { bare(after) } else { after.clone() };
            target.place(&entry.path, &node).map_err(|f| trouble(&entry.path, &f))?;
        }
    }
    Ok(())
}

/// Makes the changes that are not files. On trouble the rest is not made.
pub(crate) fn act(journal: &Journal, target: &Target) -> Result<(), Trouble> {
    for action in &journal.actions {
        action.apply(target).map_err(|why| Trouble { path: action.change().path, why })?;
    }
    Ok(())
}

/// Checks that every file reads back as planned.
pub(crate) fn verify_files(journal: &Journal, target: &Target) -> Result<(), Trouble> {
    for entry in &journal.entries {
        let now = now(target, entry).map_err(|f| trouble(&entry.path, &f))?;
        if now != entry.after {
            return Err(Trouble {
                path: entry.path.clone(),
                why: "it does not read back as planned: something else changes this file".to_owned(),
            });
        }
    }
    Ok(())
}

/// Checks that what is not a file has taken hold.
pub(crate) fn verify_actions(journal: &Journal, target: &Target) -> Result<(), Trouble> {
    for action in &journal.actions {
        let path = action.change().path;
        match action.holds(target) {
            Ok(true) => {}
            Ok(false) => {
                let why = "the change did not take hold".to_owned();
                return Err(Trouble { path, why });
            }
            Err(why) => return Err(Trouble { path, why }),
        }
    }
    Ok(())
}

/// What the SSH server says against its configuration; nothing when all is well, or it cannot be asked.
pub(crate) fn ssh_complaint(journal: &Journal, target: &Target) -> Option<Trouble> {
    let system = target.system()?;
    let concerned = journal.entries.iter().any(|e| e.path.starts_with(SSHD));
    let said = concerned.then(|| system.run(&["sshd", "-t", "-f", SSHD], ASK))?.ok()?;
    (!said.ok)
        .then(|| Trouble { path: SSHD.to_owned(), why: format!("the SSH server refuses it: {}", said.text) })
}

/// Takes every change back, in the opposite order. What was kept since it is somebody else's, by path and reason.
pub(crate) fn take_back(journal: &Journal, target: &Target, reach: Reach) -> Result<Vec<Trouble>, Trouble> {
    let (reloads, actions): (Vec<_>, Vec<_>) =
        journal.actions.iter().rev().partition(|a| matches!(a, crate::action::Action::Reload { .. }));
    let undo = |action: &crate::action::Action| {
        action.restore(target).map_err(|why| Trouble { path: action.change().path, why })
    };
    actions.into_iter().try_for_each(undo)?;
    let mut kept = Vec::new();
    for entry in journal.entries.iter().rev() {
        target.sweep(&entry.path).map_err(|f| trouble(&entry.path, &f))?;
        let why = put_back(entry, target, reach).map_err(|f| trouble(&entry.path, &f))?;
        kept.extend(why.map(|why| Trouble { path: entry.path.clone(), why }));
    }
    // The files are back: a service that will not read them again is worth a word, not another try for ever.
    kept.extend(reloads.into_iter().filter_map(|r| undo(r).err()));
    Ok(kept)
}

/// The first path that is no longer as the run left it.
pub(crate) fn touched_since(journal: &Journal, target: &Target) -> Result<Option<String>, Trouble> {
    for entry in &journal.entries {
        match now(target, entry) {
            Ok(now) if entry.explains(now.as_ref()) => {}
            Ok(_) | Err(Fault::Refused(_)) => return Ok(Some(entry.path.clone())),
            Err(fault) => return Err(trouble(&entry.path, &fault)),
        }
    }
    Ok(None)
}

fn put_back(entry: &Entry, target: &Target, reach: Reach) -> Result<Option<String>, Fault> {
    let now = match now(target, entry) {
        Ok(now) => now,
        Err(Fault::Refused(why)) if reach == Reach::OursOnly => return Ok(Some(why)),
        // It is not even text any more; the content from before is still known.
        Err(Fault::Refused(_)) => target.look(&entry.path)?,
        Err(fault) => return Err(fault),
    };
    if now == entry.before {
        return Ok(None);
    }
    if reach == Reach::OursOnly && !entry.explains(now.as_ref()) {
        return Ok(Some("it was changed by somebody else since, and is kept".to_owned()));
    }
    match (&entry.before, &now) {
        (None, Some(now)) if now.folder => match target.remove(&entry.path, true) {
            Err(Fault::Io(_, e)) if e.kind() == std::io::ErrorKind::DirectoryNotEmpty => {
                Ok(Some("the folder is kept: somebody else's files are in it".to_owned()))
            }
            done => done.map(|()| None),
        },
        (None, _) => target.remove(&entry.path, false).map(|()| None),
        (Some(before), None) if before.text.is_none() => {
            Ok(Some("it is not there any more, and its content was never read".to_owned()))
        }
        (Some(before), now) => {
            let same_text = now.as_ref().is_some_and(|n| n.text == before.text);
            let node = if same_text { bare(before) } else { before.clone() };
            target.place(&entry.path, &node).map(|()| None)
        }
    }
}

fn now(target: &Target, entry: &Entry) -> Result<Option<Node>, Fault> {
    target.read(&entry.path, entry.has_text())
}

/// The same without its content: only mode and owner are then set.
fn bare(node: &Node) -> Node {
    Node { text: None, ..node.clone() }
}

fn trouble(path: &str, fault: &Fault) -> Trouble {
    Trouble { path: path.to_owned(), why: fault.to_string() }
}
