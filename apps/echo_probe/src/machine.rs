//! Which system is looked at and changed: the running one, or one below a folder.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use echo_core::Digest;
use playbooks::Target;
use security::{LiveSystem, MountedSystem, System};

use crate::failure::Failure;

/// The system that work is done on.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    root: Option<PathBuf>,
    allow_live_changes: bool,
}

impl Machine {
    /// The system below `root`, or the running one; that one is only changed when `allow_live_changes`.
    pub(crate) fn new(root: Option<&Path>, allow_live_changes: bool) -> Result<Self, Failure> {
        let root = root.map(checked).transpose()?;
        Ok(Self { root, allow_live_changes })
    }

    /// What a scan asks.
    pub(crate) fn system(&self) -> Box<dyn System> {
        match &self.root {
            Some(root) => Box::new(MountedSystem::new(root.clone())),
            None => Box::new(LiveSystem),
        }
    }

    /// What a playbook plans on and changes.
    pub(crate) fn target(&self) -> Target {
        self.root.clone().map_or_else(Target::live, Target::new)
    }

    /// Why nothing may be changed; nothing when it may be.
    pub(crate) fn objection(&self) -> Option<&'static str> {
        (self.root.is_none() && !self.allow_live_changes).then_some(
            "this device does not let its running system be changed: start `echo_probe run` with \
             --allow-live-changes, or with --root DIR to work on a copy",
        )
    }

    /// Whether the root is still there. A disk that was unmounted must not look like an empty system.
    pub(crate) fn is_there(&self) -> Result<(), String> {
        match &self.root {
            Some(root) if !root.is_dir() => Err(format!(
                "the root {} is not there: mount it again, or start with another --root",
                root.display()
            )),
            _ => Ok(()),
        }
    }

    /// The root, when it is not the running system's.
    pub(crate) fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// A folder name of its own for each system, so that no run is ever rolled back on another one.
    pub(crate) fn journal_name(&self) -> String {
        match &self.root {
            None => "live".to_owned(),
            Some(root) => Digest::of(root.as_os_str().as_encoded_bytes()).hex()[..16].to_owned(),
        }
    }
}

/// The root without links on the way; never the running system's by another name.
fn checked(root: &Path) -> Result<PathBuf, Failure> {
    let wrong = |why: &str| Failure::Usage(format!("--root {}: {why}", root.display()));
    let real = fs::canonicalize(root).map_err(|e| wrong(&format!("{e}; name a folder that exists")))?;
    let (given, live) = fs::metadata(&real)
        .and_then(|given| Ok((given, fs::metadata("/")?)))
        .map_err(|e| wrong(&e.to_string()))?;
    if !given.is_dir() {
        return Err(wrong("not a folder"));
    }
    if (given.dev(), given.ino()) == (live.dev(), live.ino()) {
        return Err(wrong("this is the running system; leave --root out, and see --allow-live-changes"));
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_system_is_refused_as_a_root_by_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/", &link).unwrap();
        for root in [Path::new("/"), Path::new("/usr/.."), &link] {
            assert!(matches!(Machine::new(Some(root), false), Err(Failure::Usage(_))), "{}", root.display());
        }
    }

    #[test]
    fn a_root_must_be_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::File::create(&file).unwrap();
        for root in [file, folder.path().join("none")] {
            assert!(Machine::new(Some(&root), false).is_err(), "{}", root.display());
        }
        let machine = Machine::new(Some(folder.path()), false).unwrap();
        assert_eq!(machine.objection(), None);
        drop(folder);
        assert!(machine.is_there().is_err());
    }

    #[test]
    fn the_running_system_is_changed_only_when_that_was_allowed() {
        assert!(Machine::new(None, false).unwrap().objection().unwrap().contains("--allow-live-changes"));
        assert_eq!(Machine::new(None, true).unwrap().objection(), None);
    }
}
