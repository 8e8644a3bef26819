//! A file while it comes.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use echo_core::Digest;
use mesh::bulk::{CHUNK, Offer};
use sha2::{Digest as _, Sha256};

use crate::files::disk::{digest, hash, plain};

/// What is there of a file, open to be written at its end.
#[derive(Debug)]
pub(super) struct Part {
    file: File,
    offer: Offer,
    /// Of everything that is there.
    hasher: Sha256,
    length: u64,
}

impl Part {
    /// What is at `path`, cut to whole pieces. Its digest is taken as far as it goes, so that the end needs no second look.
    pub(super) fn open(path: &Path, offer: Offer) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let found = file.metadata()?.len();
        let kept = match found {
            whole if whole == offer.size => whole,
            more if more > offer.size => 0,
            some => some / CHUNK * CHUNK,
        };
        if kept != found {
            file.set_len(kept)?;
        }
        if found == 0
            && let Some(folder) = path.parent()
        {
            durable::sync_folder(folder).map_err(plain)?;
        }
        let mut hasher = Sha256::new();
        let length = hash(&mut file, &mut hasher)?;
        Ok(Self { file, offer, hasher, length })
    }

    pub(super) fn offer(&self) -> &Offer {
        &self.offer
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Writes at the end, durably. What was written of it in vain is taken back.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if offset != self.length {
            return Err(io::Error::other(format!("{offset} is not the end, which is {}", self.length)));
        }
        if let Err(why) = self.file.write_all_at(bytes, offset).and_then(|()| self.file.sync_data()) {
            let _ = self.file.set_len(self.length);
            return Err(why);
        }
        self.hasher.update(bytes);
        self.length += u64::try_from(bytes.len()).unwrap_or(0);
        Ok(())
    }

    /// Everything is there: its digest.
    pub(super) fn finish(&mut self) -> io::Result<Digest> {
        self.file.sync_all()?;
        Ok(digest(std::mem::take(&mut self.hasher)))
    }
}
