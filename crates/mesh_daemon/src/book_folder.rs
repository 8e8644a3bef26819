//! The node's book on disk: one file a call, so that a damaged one costs one call.

use std::path::{Path, PathBuf};

use durable::{DurableError, Mode};
use echo_core::Digest;
use mesh::book::Entry;

/// The most bytes of one entry: a call, its grant and its answer, all in base64.
pub const MAX_ENTRY: u64 = 1024 * 1024;
/// The most entries that are read back. The node drops settled ones long before.
pub const MAX_ENTRIES: usize = 10_000;

/// Why the book cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum BookFolderError {
    /// The disk.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// The folder cannot be listed.
    #[error("cannot read {path}: {why}")]
    List {
        /// Which folder.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
}

/// The folder of the book.
#[derive(Debug)]
pub struct BookFolder {
    folder: PathBuf,
}

impl BookFolder {
    /// The book in `folder`, which is made when there is none, and its entries. A damaged one is set aside with a word in
    /// the log: its call may be asked for again, and is then done again.
    pub fn open(folder: &Path) -> Result<(Self, Vec<Entry>), BookFolderError> {
        durable::create_folder(folder)?;
        let list = |why| BookFolderError::List { path: folder.to_owned(), why };
        let mut entries = Vec::new();
        for file in std::fs::read_dir(folder).map_err(list)? {
            let path = file.map_err(list)?.path();
            if path.extension().is_none_or(|e| e != "json") || entries.len() >= MAX_ENTRIES {
                continue;
            }
            let bytes = durable::read(&path, MAX_ENTRY)?.unwrap_or_default();
            match serde_json::from_slice(&bytes) {
                Ok(entry) => entries.push(entry),
                Err(why) => set_aside(&path, &why),
            }
        }
        Ok((Self { folder: folder.to_owned() }, entries))
    }

    /// Keeps an entry. It is durable when this returns.
    pub fn keep(&self, entry: &Entry) -> Result<(), BookFolderError> {
        let bytes = serde_json::to_vec(entry).expect("envelopes, texts and numbers always become JSON");
        Ok(durable::write(&self.path(&entry.call), &bytes, Mode::Private)?)
    }

    /// Forgets an entry. One that comes back after a crash is forgotten again.
    pub fn forget(&self, call: &Digest) {
        if let Err(why) = std::fs::remove_file(self.path(call)) {
            tracing::debug!(%call, %why, "an entry of the book was gone already");
        }
    }

    fn path(&self, call: &Digest) -> PathBuf {
        self.folder.join(format!("{}.json", call.hex()))
    }
}

fn set_aside(path: &Path, why: &serde_json::Error) {
    let aside = path.with_extension("damaged");
    tracing::warn!(path = %path.display(), %why, "a damaged entry of the mesh's book is set aside");
    if let Err(why) = std::fs::rename(path, &aside) {
        tracing::warn!(path = %path.display(), %why, "it could not be set aside");
    }
}
