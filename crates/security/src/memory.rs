//! A few files in memory that stand for a machine, for tests.

use std::collections::BTreeMap;

use crate::{
    CommandOutput, Entry, FileKind, MAX_ENTRIES, MAX_FILE, Metadata, System, SystemError, sysctl, words,
};

/// A machine made of what a test says. Directories above a file exist by themselves.
#[derive(Debug, Clone, Default)]
pub struct MemorySystem {
    files: BTreeMap<String, (String, Metadata)>,
    dirs: BTreeMap<String, Metadata>,
    commands: BTreeMap<Vec<String>, CommandOutput>,
    processes: Option<Vec<String>>,
    sysctls: BTreeMap<String, String>,
}

impl MemorySystem {
    /// A machine with nothing on it.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this file, of root, mode 0644; replaces one of the same path and keeps its mode.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: &str) -> Self {
        let fresh = owned(FileKind::File, 0o644);
        let entry = self.files.entry(path.to_owned()).or_insert((String::new(), fresh));
        content.clone_into(&mut entry.0);
        entry.1.size = content.len() as u64;
        self.with_dir(parent(path))
    }

    /// With this directory, of root, mode 0755.
    #[must_use]
    pub fn with_dir(mut self, path: &str) -> Self {
        let mut path = trimmed(path);
        while !path.is_empty() {
            let fresh = owned(FileKind::Directory, 0o755);
            self.dirs.entry(path.to_owned()).or_insert(fresh);
            path = parent(path);
        }
        // The root, whose trimmed name is empty.
        self.dirs.entry(String::new()).or_insert(owned(FileKind::Directory, 0o755));
        self
    }

    /// With this mode and owner on a file or directory that is there already.
    #[must_use]
    pub fn with_mode(mut self, path: &str, mode: u32, uid: u32, gid: u32) -> Self {
        let file = self.files.get_mut(path).map(|(_, metadata)| metadata);
        if let Some(metadata) = file.or_else(|| self.dirs.get_mut(path)) {
            (metadata.mode, metadata.uid, metadata.gid) = (mode, uid, gid);
        }
        self
    }

    /// Where this command line writes this and ends well.
    #[must_use]
    pub fn with_command(mut self, line: &str, output: &str) -> Self {
        let text = output.to_owned();
        let output = CommandOutput { text, success: true };
        self.commands.insert(words::split(line).unwrap_or_default(), output);
        self
    }

    /// Where this process runs. Without any, processes are unknown.
    #[must_use]
    pub fn with_process(mut self, name: &str) -> Self {
        self.processes.get_or_insert_default().push(name.to_owned());
        self
    }

    /// Where this kernel parameter has this value. Others are what the files in memory configure.
    #[must_use]
    pub fn with_sysctl(mut self, key: &str, value: &str) -> Self {
        self.sysctls.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Without this file or directory (and all below it).
    #[must_use]
    pub fn without(mut self, path: &str) -> Self {
        let below = format!("{path}/");
        self.files.retain(|name, _| name != path && !name.starts_with(&below));
        self.dirs.retain(|name, _| name != path && !name.starts_with(&below));
        self
    }
}

fn owned(kind: FileKind, mode: u32) -> Metadata {
    Metadata { kind, mode, uid: 0, gid: 0, size: 0 }
}

fn trimmed(path: &str) -> &str {
    path.trim_end_matches('/')
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

impl System for MemorySystem {
    fn read_file(&self, path: &str) -> Result<String, SystemError> {
        match self.files.get(path) {
            Some((text, _)) if text.len() as u64 > MAX_FILE => Err(SystemError::TooLarge(path.to_owned())),
            Some((text, _)) => Ok(text.clone()),
            None if self.dirs.contains_key(trimmed(path)) => Err(SystemError::WrongKind(path.to_owned())),
            None => Err(SystemError::Absent(path.to_owned())),
        }
    }

    fn metadata(&self, path: &str, _follow: bool) -> Result<Metadata, SystemError> {
        let file = self.files.get(path).map(|(_, metadata)| metadata);
        let found = file.or_else(|| self.dirs.get(trimmed(path)));
        found.copied().ok_or_else(|| SystemError::Absent(path.to_owned()))
    }

    fn list_dir(&self, path: &str) -> Result<Vec<Entry>, SystemError> {
        let dir = trimmed(path);
        if self.files.contains_key(dir) {
            return Err(SystemError::WrongKind(path.to_owned()));
        }
        if !self.dirs.contains_key(dir) {
            return Err(SystemError::Absent(path.to_owned()));
        }
        let files = self.files.keys().map(|name| (name, FileKind::File));
        let dirs = self.dirs.keys().map(|name| (name, FileKind::Directory));
        let mut entries: Vec<_> = files
            .chain(dirs)
            .filter(|(name, _)| !name.is_empty() && parent(name) == dir)
            .map(|(name, kind)| Entry { name: name[dir.len() + 1..].to_owned(), kind })
            .collect();
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        if entries.len() > MAX_ENTRIES {
            return Err(SystemError::TooLarge(path.to_owned()));
        }
        Ok(entries)
    }

    fn command(&self, argv: &[String]) -> Option<CommandOutput> {
        self.commands.get(argv).cloned()
    }

    fn processes(&self) -> Option<Vec<String>> {
        self.processes.clone()
    }

    fn sysctl(&self, key: &str) -> Option<String> {
        let set = self.sysctls.get(key).cloned();
        set.or_else(|| sysctl::configured(self, key))
    }
}
