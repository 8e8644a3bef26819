//! Ground: write a file so that a crash leaves either the old or the new content, never a part.
//!
//! One idea: temporary file beside the target, write, fsync, rename, fsync of the folder. Everything in Echo
//! that puts a file into a home directory goes through here, so the order of these steps is right in one place.
//! Reads are bounded by the caller, because a file of the home may be anything by the time it is read again.
//!
//! Private files (0600) and public ones (0644) are told apart by the caller, never by the umask.
//!
//! What may not come in: knowledge of any file's content, async, configuration.

use std::{
    fs::{self, File, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), hint(source))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is larger than its bound.
    #[error("{} is larger than {limit} bytes: it is not a file that Echo wrote", path.display())]
    TooLarge {
        /// Which file.
        path: PathBuf,
        /// The bound, in bytes.
        limit: u64,
    },
}

fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (free some space, then try again; nothing was lost)"
        }
        io::ErrorKind::PermissionDenied => " (run as the owner of the folder, or choose another with --home)",
        io::ErrorKind::ReadOnlyFilesystem => " (choose a writable folder with --home)",
        _ => "",
    }
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only the owner (0600).
    Private,
    /// Everybody (0644).
    Public,
}

impl Mode {
    fn permissions(self) -> Permissions {
        Permissions::from_mode(match self {
            Self::Private => 0o600,
            Self::Public => 0o644,
        })
    }
}

/// Replaces `path` with `bytes`. When this returns, the new content survives a power cut.
pub fn write(path: &Path, bytes: &[u8], mode: Mode) -> Result<(), DurableError> {
    let folder = parent(path);
    let mut file = tempfile::Builder::new()
        .prefix(".echo-")
        .permissions(mode.permissions())
        .tempfile_in(folder)
        .map_err(failed("create a temporary file in", folder))?;
    file.write_all(bytes).map_err(failed("write", path))?;
    file.as_file().sync_all().map_err(failed("flush", path))?;
    file.persist(path).map_err(|e| failed("replace", path)(e.error))?;
    sync_folder(folder)
}

/// Makes `path` and its parents, each durable, readable by the owner alone.
pub fn create_folder(path: &Path) -> Result<(), DurableError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
        create_folder(above)?;
    }
    match fs::create_dir(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(failed("create", path)(e)),
        _ => {}
    }
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(failed("protect", path))?;
    sync_folder(parent(path))
}

/// Reads a whole file of at most `limit` bytes; nothing when there is no such file.
pub fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, DurableError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("open", path)(e)),
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(DurableError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(Some(bytes))
}

/// Flushes a folder's entries, so that a rename in it survives a power cut.
pub fn sync_folder(path: &Path) -> Result<(), DurableError> {
    File::open(path).and_then(|f| f.sync_all()).map_err(failed("flush", path))
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DurableError {
    let path = path.to_owned();
    move |source| DurableError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_reads_back_with_its_mode() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key.json");
        write(&path, b"first", Mode::Public).unwrap();
        write(&path, b"second", Mode::Private).unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), b"second");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "no temporary file stays behind");
    }

    #[test]
    fn a_file_beyond_its_bound_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("big");
        write(&path, &[0; 11], Mode::Public).unwrap();
        assert!(matches!(read(&path, 10), Err(DurableError::TooLarge { .. })));
        assert!(read(&home.path().join("none"), 10).unwrap().is_none());
    }

    #[test]
    fn an_error_names_the_file_and_the_action() {
        let error = write(Path::new("/nowhere/at/all"), b"", Mode::Public).unwrap_err().to_string();
        assert!(error.contains("/nowhere/at"), "{error}");
    }

    #[test]
    fn folders_are_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        create_folder(&path).unwrap();
        create_folder(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
