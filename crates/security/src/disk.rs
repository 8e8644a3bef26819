//! Bounded reads of real files, shared by the systems that have any.

use std::{
    fs,
    io::{self, Read as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::Path,
};

use crate::{Entry, FileKind, MAX_ENTRIES, MAX_FILE, Metadata, SystemError};

/// A whole file. `name` is what messages call it.
pub(crate) fn read(real: &Path, name: &str) -> Result<String, SystemError> {
    // Opening a pipe would wait for its writer.
    if !fs::metadata(real).map_err(|e| because(&e, name))?.is_file() {
        return Err(SystemError::WrongKind(name.to_owned()));
    }
    let file = fs::File::open(real).map_err(|e| because(&e, name))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|e| because(&e, name))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(SystemError::TooLarge(name.to_owned()));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Mode and owner.
pub(crate) fn metadata(real: &Path, name: &str, follow: bool) -> Result<Metadata, SystemError> {
    let found = if follow { fs::metadata(real) } else { fs::symlink_metadata(real) };
    let found = found.map_err(|e| because(&e, name))?;
    Ok(Metadata {
        kind: kind(found.file_type()),
        mode: found.permissions().mode() & 0o7777,
        uid: found.uid(),
        gid: found.gid(),
        size: found.size(),
    })
}

/// The names in a directory.
pub(crate) fn list(real: &Path, name: &str) -> Result<Vec<Entry>, SystemError> {
    let mut entries = Vec::new();
    for (count, entry) in fs::read_dir(real).map_err(|e| because(&e, name))?.enumerate() {
        if count == MAX_ENTRIES {
            return Err(SystemError::TooLarge(name.to_owned()));
        }
        let entry = entry.map_err(|e| because(&e, name))?;
        let kind = kind(entry.file_type().map_err(|e| because(&e, name))?);
        if let Ok(name) = entry.file_name().into_string() {
            entries.push(Entry { name, kind });
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

fn kind(found: fs::FileType) -> FileKind {
    if found.is_file() {
        FileKind::File
    } else if found.is_dir() {
        FileKind::Directory
    } else if found.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

pub(crate) fn because(error: &io::Error, name: &str) -> SystemError {
    let path = name.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound => SystemError::Absent(path),
        io::ErrorKind::PermissionDenied => SystemError::Denied(path),
        io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory => SystemError::WrongKind(path),
        _ => SystemError::Failed { path, reason: error.to_string() },
    }
}
