//! The system a playbook looks at and changes: the live one, or another root.
//!
//! A path is walked from the root one folder at a time, and a symbolic link anywhere on it is refused, so that no
//! link can lead a change out of the root (what `openat2` calls `RESOLVE_NO_SYMLINKS`, without needing Linux 5.6).

use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{self, AtFlags, FileType, Gid, Mode, OFlags, Uid},
    io::Errno,
};

use crate::{
    node::Node,
    step::is_file_name,
    system::{RealSystem, System},
};

/// The most bytes of a text file that a playbook edits.
pub const MAX_FILE: u64 = 256 * 1024;
/// The most lines of such a file; keeps the time of a diff in bounds.
pub const MAX_LINES: usize = 20_000;
const MAX_LISTED: usize = 4_096;
const MAX_XATTRS: usize = 64 * 1024;
/// Where new content waits for its rename; one name, so that a crash leaves one file that is known to be ours.
const TEMPORARY: &str = ".echo-playbook.tmp";

/// A root folder, and whether it is that of the running system.
#[derive(Debug, Clone)]
pub struct Target {
    root: PathBuf,
    system: Option<Arc<dyn System>>,
}

/// Why a path could not be used.
#[derive(Debug)]
pub(crate) enum Fault {
    /// A step must leave this alone; says why.
    Refused(String),
    /// The operating system refused.
    Io(&'static str, io::Error),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason),
            Self::Io(action, source) => write!(f, "cannot {action} it: {source}"),
        }
    }
}

impl Target {
    /// The system below `root`, such as a mounted disk. Packages, services and the running kernel are out of reach.
    pub fn new(root: PathBuf) -> Self {
        Self { root, system: None }
    }

    /// The running system.
    pub fn live() -> Self {
        Self::live_with(PathBuf::from("/"), Arc::new(RealSystem))
    }

    /// A live system made of `root` and whatever answers for its programs.
    pub(crate) fn live_with(root: PathBuf, system: Arc<dyn System>) -> Self {
        Self { root, system: Some(system) }
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether this is the running system.
    pub fn is_live(&self) -> bool {
        self.system.is_some()
    }

    pub(crate) fn system(&self) -> Option<&dyn System> {
        self.system.as_deref()
    }

    /// What stands at `path`, its content left out.
    pub(crate) fn look(&self, path: &str) -> Result<Option<Node>, Fault> {
        let Some((folder, name)) = self.folder_of(path)? else {
            return Ok(None);
        };
        let stat = match fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(failed("look at")(e)),
        };
        let folder = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => false,
            FileType::Directory => true,
            FileType::Symlink => return Err(link(path)),
            _ => return Err(Fault::Refused(format!("{path} is neither a file nor a folder"))),
        };
        Ok(Some(Node { folder, mode: stat.st_mode & 0o7777, uid: stat.st_uid, gid: stat.st_gid, text: None }))
    }

    /// What stands at `path`, with its content when `with_text`.
    pub(crate) fn read(&self, path: &str, with_text: bool) -> Result<Option<Node>, Fault> {
        let mut found = self.look(path)?;
        if let Some(node) = found.as_mut().filter(|n| with_text && !n.folder) {
            node.text = Some(self.text(path)?);
        }
        Ok(found)
    }

    /// The text of a file: UTF-8 of at most [`MAX_FILE`] bytes and [`MAX_LINES`] lines.
    pub(crate) fn text(&self, path: &str) -> Result<String, Fault> {
        let bytes = self.bytes(path, MAX_FILE)?;
        let text = String::from_utf8(bytes)
            .ok()
            .filter(|t| !t.contains('\0'))
            .ok_or_else(|| Fault::Refused(format!("{path} is not UTF-8 text: look at it by hand")))?;
        if text.split('\n').count() > MAX_LINES {
            return Err(Fault::Refused(format!("{path} has more than {MAX_LINES} lines")));
        }
        Ok(text)
    }

    /// The content of a file of at most `limit` bytes.
    pub(crate) fn bytes(&self, path: &str, limit: u64) -> Result<Vec<u8>, Fault> {
        let file = self.open(path, OFlags::RDONLY)?;
        let mut bytes = Vec::new();
        File::from(file).take(limit + 1).read_to_end(&mut bytes).map_err(|e| Fault::Io("read", e))?;
        if bytes.len() as u64 > limit {
            return Err(Fault::Refused(format!("{path} is larger than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// The plain file names in a folder, sorted; none when there is no such folder.
    pub(crate) fn list(&self, path: &str) -> Result<Vec<String>, Fault> {
        match self.look(path)? {
            Some(node) if node.folder => {}
            _ => return Ok(Vec::new()),
        }
        let folder = self.open(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for item in fs::Dir::read_from(folder).map_err(failed("list"))?.take(MAX_LISTED) {
            let item = item.map_err(failed("list"))?;
            names.extend(item.file_name().to_str().ok().filter(|n| is_file_name(n)).map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// Whether a file may be written in place (a read-only mount, for one, forbids it).
    pub(crate) fn is_writable(&self, path: &str) -> bool {
        self.open(path, OFlags::WRONLY).is_ok()
    }

    /// Writes a kernel's file in place: those cannot be renamed over.
    pub(crate) fn write_in_place(&self, path: &str, text: &str) -> Result<(), Fault> {
        let file = self.open(path, OFlags::WRONLY | OFlags::TRUNC)?;
        File::from(file).write_all(text.as_bytes()).map_err(|e| Fault::Io("write", e))
    }

    /// Makes `path` be `node`: a rename when there is content, else mode and owner alone. Durable on return.
    pub(crate) fn place(&self, path: &str, node: &Node) -> Result<(), Fault> {
        let (folder, name) = self.folder_of(path)?.ok_or_else(|| gone(path))?;
        let now = self.look(path)?;
        let file = match (&node.text, &now) {
            (Some(text), _) => replace(&folder, name, text, node, now.is_some())?,
            (None, None) if node.folder => {
                fs::mkdirat(&folder, name, Mode::from_raw_mode(0o700)).map_err(failed("make"))?;
                self.open(path, OFlags::RDONLY)?
            }
            (None, None) => return Err(gone(path)),
            (None, Some(_)) => self.open(path, OFlags::RDONLY)?,
        };
        if node.text.is_none() {
            dress(&file, node)?;
            fs::fsync(&file).map_err(failed("flush"))?;
        }
        sync(&folder)
    }

    /// Takes away a file, or a folder that is empty.
    pub(crate) fn remove(&self, path: &str, is_folder: bool) -> Result<(), Fault> {
        let Some((folder, name)) = self.folder_of(path)? else {
            return Ok(());
        };
        let flags = if is_folder { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match fs::unlinkat(&folder, name, flags) {
            Ok(()) | Err(Errno::NOENT) => sync(&folder),
            Err(e) => Err(failed("remove")(e)),
        }
    }

    /// Takes away what a crash may have left beside `path`.
    pub(crate) fn sweep(&self, path: &str) -> Result<(), Fault> {
        let Some((folder, _)) = self.folder_of(path)? else {
            return Ok(());
        };
        match fs::unlinkat(&folder, TEMPORARY, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(failed("clear a temporary file beside")(e)),
        }
    }

    fn open(&self, path: &str, flags: OFlags) -> Result<OwnedFd, Fault> {
        let (folder, name) = self.folder_of(path)?.ok_or_else(|| gone(path))?;
        // Without NONBLOCK, opening a pipe that somebody put there would wait for ever.
        let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        fs::openat(&folder, name, flags, Mode::empty()).map_err(|e| match e {
            Errno::LOOP => link(path),
            e => failed("open")(e),
        })
    }

    /// The folder that holds `path`, and the last name; nothing when a folder on the way is missing.
    fn folder_of<'p>(&self, path: &'p str) -> Result<Option<(OwnedFd, &'p str)>, Fault> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut at = fs::open(&self.root, flags, Mode::empty()).map_err(failed("open the root folder of"))?;
        let mut names = path.trim_start_matches('/').split('/');
        let Some(last) = names.next_back() else {
            return Ok(None);
        };
        for name in names {
            at = match fs::openat(&at, name, flags | OFlags::NOFOLLOW, Mode::empty()) {
                Ok(next) => next,
                Err(Errno::NOENT) => return Ok(None),
                // With PATH and DIRECTORY a symbolic link reads as "not a directory".
                Err(Errno::LOOP | Errno::NOTDIR) => return Err(link(path)),
                Err(e) => return Err(failed("open the folder of")(e)),
            };
        }
        Ok(Some((at, last)))
    }
}

fn replace(folder: &OwnedFd, name: &str, text: &str, node: &Node, old: bool) -> Result<OwnedFd, Fault> {
    match fs::unlinkat(folder, TEMPORARY, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(failed("clear a temporary file beside")(e)),
    }
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = fs::openat(folder, TEMPORARY, flags, Mode::from_raw_mode(0o600))
        .map_err(failed("create a temporary file beside"))?;
    let mut file = File::from(file);
    let written = file
        .write_all(text.as_bytes())
        .map_err(|e| Fault::Io("write", e))
        .and_then(|()| if old { copy_xattrs(folder, name, &file) } else { Ok(()) })
        .and_then(|()| dress(&file, node))
        .and_then(|()| fs::fsync(&file).map_err(failed("flush")))
        .and_then(|()| fs::renameat(folder, TEMPORARY, folder, name).map_err(failed("replace")));
    if written.is_err() {
        // The reason for the failure counts more than a leftover, which the next change here takes away.
        let _ = fs::unlinkat(folder, TEMPORARY, AtFlags::empty());
    }
    written.map(|()| file.into())
}

fn dress(file: impl std::os::fd::AsFd + Copy, node: &Node) -> Result<(), Fault> {
    let stat = fs::fstat(file).map_err(failed("look at"))?;
    if (stat.st_uid, stat.st_gid) != (node.uid, node.gid) {
        fs::fchown(file, Some(Uid::from_raw(node.uid)), Some(Gid::from_raw(node.gid)))
            .map_err(failed("change the owner of"))?;
    }
    // After the owner: a change of owner takes the set-id bits away.
    fs::fchmod(file, Mode::from_raw_mode(node.mode)).map_err(failed("change the mode of"))
}

/// Labels and access lists live in extended attributes; a renamed-in file would lose them.
fn copy_xattrs(folder: &OwnedFd, name: &str, to: &File) -> Result<(), Fault> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let from = fs::openat(folder, name, flags, Mode::empty()).map_err(failed("open"))?;
    let mut names = vec![0_u8; MAX_XATTRS];
    let length = match fs::flistxattr(&from, names.as_mut_slice()) {
        Ok(length) => length,
        Err(Errno::NOTSUP) => return Ok(()),
        Err(e) => return Err(failed("read the attributes of")(e)),
    };
    for attribute in names[..length].split(|b| *b == 0).filter(|n| !n.is_empty()) {
        let mut value = vec![0_u8; MAX_XATTRS];
        let length = fs::fgetxattr(&from, attribute, value.as_mut_slice())
            .map_err(failed("read the attributes of"))?;
        fs::fsetxattr(to, attribute, &value[..length], fs::XattrFlags::empty())
            .map_err(failed("copy the attributes of"))?;
    }
    Ok(())
}

fn sync(folder: &OwnedFd) -> Result<(), Fault> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    fs::openat(folder, ".", flags, Mode::empty()).and_then(fs::fsync).map_err(failed("flush the folder of"))
}

fn failed(action: &'static str) -> impl Fn(Errno) -> Fault {
    move |e| Fault::Io(action, e.into())
}

fn gone(path: &str) -> Fault {
    Fault::Refused(format!("{path} is not there"))
}

fn link(path: &str) -> Fault {
    Fault::Refused(format!(
        "{path} is, or goes through, a symbolic link (or a file where a folder should be): only real files inside the \
         root are changed"
    ))
}
