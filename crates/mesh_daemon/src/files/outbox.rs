//! Files to send: one entry each, which stays for a while after the end, with the receipt.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use durable::{DurableError, Mode};
use echo_core::{Mint, Timestamp};
use mesh::{
    NodeId,
    bulk::{
        Closing, FileName, MAX_FILE, MAX_TO_SEND, NameError, Offer, PIECE, Sending, Stage, TransferId,
        TransferView, Way,
    },
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use trust::Envelope;

use super::disk::{Stamp, digest, hash};

/// The most bytes of an entry: names, a path and a receipt.
const MAX_ENTRY: u64 = 64 * 1024;
/// The most transfers that have ended and are remembered; the oldest goes first.
pub const MAX_ENDED: usize = 200;

/// Why a file is not sent.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A box cannot be used.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// It cannot be read.
    #[error("cannot read {path}: {why}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It is a folder, a pipe or a device.
    #[error("{0} is not a file: pack a folder into one first")]
    NotAFile(PathBuf),
    /// Its path cannot be written down.
    #[error("{0} cannot be written down, for it is not UTF-8: rename it")]
    Path(PathBuf),
    /// It cannot be called so.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Somebody writes to it.
    #[error("{0} was changed while it was read: send it when nobody writes to it any more")]
    Changed(PathBuf),
    /// It is too large.
    #[error("{path} has {size} bytes, at most {MAX_FILE} are sent: split it")]
    TooLarge {
        /// Which.
        path: PathBuf,
        /// Its bytes.
        size: u64,
    },
    /// Too many wait.
    #[error(
        "{MAX_TO_SEND} files wait already, which is the most: try again when some are sent, or cancel some"
    )]
    Full,
    /// The mesh has stopped.
    #[error("the mesh has stopped")]
    Stopped,
}

/// A file to send, on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    to: NodeId,
    offer: Offer,
    asked: Timestamp,
    path: PathBuf,
    stamp: Stamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ended {
    at: Timestamp,
    how: Closing,
}

/// The folder with the files to send.
#[derive(Debug)]
pub(crate) struct Outbox {
    folder: PathBuf,
    mint: Mint,
    entries: Mutex<BTreeMap<TransferId, Entry>>,
}

impl Outbox {
    /// The outbox in `folder`, and what waits in it. A damaged entry is left out, with a word in the log.
    pub(super) fn open(folder: &Path, mint: Mint) -> Result<(Self, Vec<Sending>), FileError> {
        durable::create_folder(folder)?;
        let failed = |why| FileError::Read { path: folder.to_owned(), why };
        let (mut entries, mut names) = (BTreeMap::<TransferId, Entry>::new(), Vec::new());
        for file in std::fs::read_dir(folder).map_err(failed)? {
            let path = file.map_err(failed)?.path();
            if path.extension().is_some_and(|e| e == "file") {
                names.push(path);
                continue;
            }
            if path.extension().is_none_or(|e| e != "json") || entries.len() >= MAX_TO_SEND + MAX_ENDED {
                continue;
            }
            let bytes = durable::read(&path, MAX_ENTRY)?.unwrap_or_default();
            match serde_json::from_slice::<Entry>(&bytes) {
                Ok(entry) => drop(entries.insert(entry.offer.id, entry)),
                Err(why) => {
                    tracing::warn!(path = %path.display(), %why, "a damaged entry of the outbox is left out");
                }
            }
        }
        // A crash came before the entry, or after its end: nobody else would ever let go of the file.
        let wanted = |name: &PathBuf| {
            let id = name.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
            id.and_then(|id| entries.get(&id)).is_some_and(|entry| entry.ended.is_none())
        };
        for name in names.iter().filter(|name| !wanted(name)) {
            let _ = std::fs::remove_file(name);
        }
        let sending = |e: &Entry| Sending { to: e.to, offer: e.offer.clone(), asked: e.asked };
        let waiting = entries.values().filter(|entry| entry.ended.is_none()).map(sending).collect();
        Ok((Self { folder: folder.to_owned(), mint, entries: Mutex::new(entries) }, waiting))
    }

    /// Puts a file in. Its digest is taken here, which takes a while for a large one.
    pub(crate) fn add(&self, path: &Path, to: NodeId) -> Result<Sending, FileError> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name: FileName = name.ok_or_else(|| FileError::Path(path.to_owned()))?.parse()?;
        if path.to_str().is_none() {
            return Err(FileError::Path(path.to_owned()));
        }
        if self.entries().values().filter(|entry| entry.ended.is_none()).count() >= MAX_TO_SEND {
            return Err(FileError::Full);
        }
        let (stamp, digest) = look(path)?;
        let offer = Offer { id: TransferId(self.mint.bytes()), name, size: stamp.size, digest };
        let sending = Sending { to, offer: offer.clone(), asked: self.mint.now() };
        // A second name for the file keeps it when the first one goes. Another disk or owner does not allow it: then
        // the file is read where it is.
        let link = self.link(&offer.id);
        let path = if std::fs::hard_link(path, &link).is_ok() { link.clone() } else { path.to_owned() };
        let entry = Entry { to, offer, asked: sending.asked, path, stamp, ended: None };
        self.keep(&entry).inspect_err(|_| drop(std::fs::remove_file(link)))?;
        self.entries().insert(entry.offer.id, entry);
        Ok(sending)
    }

    /// A piece of a file, when it is still what it was.
    pub(super) fn read(&self, id: &TransferId, offset: u64, bytes: u64) -> Result<Vec<u8>, String> {
        let entry = self.entries().get(id).map(|entry| (entry.path.clone(), entry.stamp));
        let (path, stamp) = entry.ok_or("it is no longer in the outbox")?;
        let failed = |why: io::Error| format!("cannot read {}: {why}", path.display());
        let file = File::open(&path).map_err(failed)?;
        let mut piece = vec![0; usize::try_from(bytes.min(PIECE)).unwrap_or(0)];
        let read = file.read_exact_at(&mut piece, offset);
        if Stamp::of(&file.metadata().map_err(failed)?) != stamp {
            return Err("the file was changed after it was put into the outbox: send it again".to_owned());
        }
        read.map_err(failed)?;
        Ok(piece)
    }

    /// A transfer has ended. What cannot be kept of that is found out again after a restart.
    pub(super) fn end(&self, id: &TransferId, how: Closing) {
        let Some(mut entry) = self.entries().get(id).cloned() else { return };
        let (name, to) = (entry.offer.name.clone(), entry.to);
        match &how {
            Closing::Delivered(_) => tracing::info!(%id, %name, %to, "a file was delivered"),
            Closing::Failed(why) => tracing::warn!(%id, %name, %to, %why, "a file was not delivered"),
            Closing::Cancelled => tracing::info!(%id, %name, %to, "a file is not sent any more"),
        }
        entry.ended = Some(Ended { at: self.mint.now(), how });
        if let Err(why) = self.keep(&entry) {
            tracing::error!(%id, %why, "the end of a transfer is not kept: it is offered again after a restart");
        }
        let _ = std::fs::remove_file(self.link(id));
        let mut entries = self.entries();
        entries.insert(*id, entry);
        let mut ended: Vec<(Timestamp, TransferId)> =
            entries.values().filter_map(|e| Some((e.ended.as_ref()?.at, e.offer.id))).collect();
        ended.sort_unstable();
        for (_, old) in ended.iter().take(ended.len().saturating_sub(MAX_ENDED)) {
            entries.remove(old);
            let _ = std::fs::remove_file(self.entry(old));
        }
    }

    /// Every transfer: those that have ended, the oldest first, then those that have not as far as the box knows of them.
    pub(crate) fn views(&self) -> Vec<TransferView> {
        let mut views: Vec<(Timestamp, TransferView)> = self.entries().values().map(view).collect();
        views.sort_by_key(|(at, view)| (!view.stage.is_end(), *at, view.id));
        views.into_iter().map(|(_, view)| view).collect()
    }

    /// The receipt for a file that was delivered.
    pub(crate) fn receipt(&self, id: &TransferId) -> Option<Envelope> {
        match &self.entries().get(id)?.ended.as_ref()?.how {
            Closing::Delivered(receipt) => Some((**receipt).clone()),
            Closing::Failed(_) | Closing::Cancelled => None,
        }
    }

    fn keep(&self, entry: &Entry) -> Result<(), DurableError> {
        let bytes = serde_json::to_vec(entry).expect("texts, numbers, and a path that is one");
        durable::write(&self.entry(&entry.offer.id), &bytes, Mode::Private)
    }

    fn entry(&self, id: &TransferId) -> PathBuf {
        self.folder.join(format!("{id}.json"))
    }

    fn link(&self, id: &TransferId) -> PathBuf {
        self.folder.join(format!("{id}.file"))
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<TransferId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a file is, and its digest.
fn look(path: &Path) -> Result<(Stamp, echo_core::Digest), FileError> {
    let failed = |why| FileError::Read { path: path.to_owned(), why };
    // Before it is opened: a pipe would wait for somebody who writes.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    let file = File::open(path).map_err(failed)?;
    let stamp = Stamp::of(&file.metadata().map_err(failed)?);
    if stamp.size > MAX_FILE {
        return Err(FileError::TooLarge { path: path.to_owned(), size: stamp.size });
    }
    let mut hasher = Sha256::new();
    // One that grows as fast as it is read has no end.
    let read = hash(&mut (&file).take(stamp.size.saturating_add(1)), &mut hasher).map_err(failed)?;
    if read != stamp.size || Stamp::of(&file.metadata().map_err(failed)?) != stamp {
        return Err(FileError::Changed(path.to_owned()));
    }
    Ok((stamp, digest(hasher)))
}

fn view(entry: &Entry) -> (Timestamp, TransferView) {
    let at = entry.ended.as_ref().map_or(entry.asked, |ended| ended.at);
    let (stage, why, done) = match entry.ended.as_ref().map(|ended| &ended.how) {
        Some(Closing::Delivered(_)) => (Stage::Delivered, String::new(), entry.offer.size),
        Some(Closing::Failed(why)) => (Stage::Failed, why.clone(), 0),
        Some(Closing::Cancelled) => (Stage::Cancelled, String::new(), 0),
        None => (Stage::Waiting, "it is being written down how it stands".to_owned(), 0),
    };
    let Offer { id, name, size, digest } = entry.offer.clone();
    let view = TransferView {
        id,
        way: Way::Out,
        node: entry.to,
        name,
        digest,
        size,
        done,
        rate: 0,
        stage,
        why,
        since: entry.asked,
    };
    (at, view)
}

#[cfg(test)]
mod tests;
