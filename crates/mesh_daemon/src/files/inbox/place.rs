//! A whole file gets its name: once, whenever the machine stops, and never in the place of another.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use durable::Mode;
use mesh::{FileReceipt, bulk::FileName};
use serde::{Deserialize, Serialize};
use trust::Envelope;

use crate::files::disk::plain;

/// The most bytes of a record: a receipt and a name.
const MAX_RECORD: u64 = 64 * 1024;
/// How many names are tried.
const MAX_NAMES: u32 = 1_000;

/// What is known of a file that was delivered.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Signed by this node.
    pub(super) receipt: Envelope,
    /// The sender's short name: the file's folder.
    pub(super) sender: String,
    /// What the sender called it.
    pub(super) name: FileName,
    /// What it is called here, once that is settled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<FileName>,
}

impl Record {
    /// The record at `path`, when there is one.
    pub(super) fn read(path: &Path) -> io::Result<Option<Self>> {
        let Some(bytes) = durable::read(path, MAX_RECORD).map_err(plain)? else { return Ok(None) };
        match serde_json::from_slice(&bytes) {
            Ok(record) => Ok(Some(record)),
            Err(why) => {
                tracing::warn!(path = %path.display(), %why, "a damaged record of a file is removed: it may come again");
                fs::remove_file(path)?;
                Ok(None)
            }
        }
    }
}

/// Gives the file at `part` its name below `inbox`, and keeps the record first. Where the file is then.
pub(super) fn place(mut record: Record, inbox: &Path, at: &Path, part: &Path) -> io::Result<PathBuf> {
    let folder = inbox.join(&record.sender);
    durable::create_folder(&folder).map_err(plain)?;
    let digest = FileReceipt::claimed(&record.receipt).map_err(io::Error::other)?.digest.hex();
    let names = record
        .file
        .clone()
        .into_iter()
        .chain((0..MAX_NAMES).filter_map(|nth| named(&record.name, &digest, nth)));
    for name in names.collect::<Vec<_>>() {
        let target = folder.join(name.as_str());
        if target.symlink_metadata().is_ok() && !is_same(&target, part) {
            continue;
        }
        record.file = Some(name);
        let bytes = serde_json::to_vec(&record).expect("an envelope and names always become JSON");
        durable::write(at, &bytes, Mode::Private).map_err(plain)?;
        match name_it(part, &target) {
            // Somebody took the name at this moment.
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
            Ok(()) => {
                durable::sync_folder(&folder).map_err(plain)?;
                fs::remove_file(part).or_else(|why| if part.exists() { Err(why) } else { Ok(()) })?;
                return Ok(target);
            }
        }
    }
    Err(io::Error::other("there are too many files of this name: move some away"))
}

/// A second name, which never takes the place of another file; on a disk without such names the only one.
fn name_it(part: &Path, target: &Path) -> io::Result<()> {
    if is_same(target, part) {
        return Ok(());
    }
    match fs::hard_link(part, target) {
        Err(why) if matches!(why.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported) => {
            fs::rename(part, target)
        }
        done => done,
    }
}

/// Whether both are names of one file: a crash came between the second name and the end of the first.
fn is_same(one: &Path, other: &Path) -> bool {
    let place = |path: &Path| path.symlink_metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    place(one).is_some() && place(one) == place(other)
}

/// The name; where that is taken, with a part of the digest before its extension, and then a number.
fn named(name: &FileName, digest: &str, nth: u32) -> Option<FileName> {
    let (stem, extension) = match name.as_str().rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
        _ => (name.as_str(), String::new()),
    };
    let short = &digest[..8];
    let suffix = match nth {
        0 => return Some(name.clone()),
        1 => format!("-{short}"),
        more => format!("-{short}-{more}"),
    };
    // The longest name must stay one.
    let most = FileName::MOST.saturating_sub(suffix.len() + extension.len());
    let end = (0..=stem.len().min(most)).rev().find(|at| stem.is_char_boundary(*at))?;
    format!("{}{suffix}{extension}", &stem[..end]).parse().ok()
}
