//! Files of other nodes: parts while they come, then `inbox/NODE/NAME`.
//!
//! What is delivered is delivered once: the record that says so, with the name that the file gets, is durable before the
//! file has that name, and whoever is offered the file again looks for the record first.

mod part;
mod place;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use echo_core::Mint;
use mesh::{
    FileReceipt,
    bulk::{Code, Declined, Offer, Opened, PartKey},
};
use trust::Envelope;

use self::{
    part::Part,
    place::{Record, place},
};
use super::{FileError, disk::is_old};

/// The most entries of the inbox that are counted; where there are more, no more files are taken.
const MAX_COUNTED: usize = if cfg!(test) { 1_000 } else { 100_000 };
/// Parts to which nothing was added for so many days are removed when the room is counted. Their senders gave up before.
const PARTS_DAYS: i64 = 14;
/// Records are removed then after so many days. Their senders heard, or gave up before.
const RECORDS_DAYS: i64 = 30;

/// The folder with the files that came.
#[derive(Debug)]
pub(crate) struct Inbox {
    folder: PathBuf,
    most: u64,
    mint: Mint,
    open: Mutex<BTreeMap<PartKey, Open>>,
    /// Held by whoever counts the room or gives a name, so that neither is promised twice. Nobody waits for it who must
    /// not wait for the disk.
    turn: Mutex<()>,
}

/// A file that comes in now: its whole size is spoken for.
#[derive(Debug)]
struct Open {
    size: u64,
    part: Option<Arc<Mutex<Part>>>,
}

impl Inbox {
    /// The inbox in `folder`, for so many bytes. Where it is for none, nothing is made.
    pub(super) fn open(folder: &Path, most: u64, mint: &Mint) -> Result<Self, FileError> {
        let inbox = Self {
            folder: folder.to_owned(),
            most,
            mint: mint.clone(),
            open: Mutex::default(),
            turn: Mutex::default(),
        };
        if most > 0 {
            durable::create_folder(&inbox.parts())?;
            durable::create_folder(&inbox.records())?;
        }
        Ok(inbox)
    }

    /// Gets ready for a file: where to go on.
    pub(super) fn begin(&self, key: PartKey, offer: &Offer) -> Result<Opened, Declined> {
        if self.most == 0 {
            return Err(Declined::new(Code::Off, "it takes no files: its inbox is switched off"));
        }
        if let Some(receipt) = self.delivered(&key, offer)? {
            return Ok(Opened::Kept(Box::new(receipt)));
        }
        if offer.size > self.most {
            let why = format!("its inbox takes {} bytes in all, the file has {}", self.most, offer.size);
            return Err(Declined::new(Code::TooLarge, why));
        }
        self.reserve(key, offer.size)?;
        let known = self.open_parts().get(&key).and_then(|open| open.part.clone());
        let opened = match known {
            Some(part) => Ok(part),
            None => Part::open(&self.part(&key), offer.clone()).map(|part| Arc::new(Mutex::new(part))),
        };
        match opened {
            Ok(part) => {
                let at = lock(&part).length();
                if let Some(open) = self.open_parts().get_mut(&key) {
                    open.part = Some(part);
                }
                Ok(Opened::At(at))
            }
            Err(why) => {
                self.close(&key);
                Err(no_room(&why))
            }
        }
    }

    /// Writes at the end. It is durable when this returns.
    pub(super) fn write(&self, key: &PartKey, offset: u64, bytes: &[u8]) -> Result<(), Declined> {
        let part = self.open_parts().get(key).and_then(|open| open.part.clone());
        let part = part.ok_or_else(|| Declined::new(Code::NoRoom, "the part was closed"))?;
        let mut part = lock(&part);
        part.write(offset, bytes).map_err(|why| no_room(&why))
    }

    /// Gives a whole file its name; or forgets it, when it is not what was offered.
    pub(super) fn deliver(&self, key: &PartKey, receipt: Envelope) -> Result<(), Declined> {
        let part = self.open_parts().get_mut(key).and_then(|open| open.part.take());
        let part = part.ok_or_else(|| Declined::new(Code::NoRoom, "the part was closed"))?;
        let path = self.part(key);
        let offer = lock(&part).offer().clone();
        let whole = lock(&part).finish();
        let done = match whole {
            Ok(found) if found == offer.digest => self.keep(key, &offer, receipt, &path),
            Ok(found) => {
                let _ = fs::remove_file(&path);
                Err(Declined::new(
                    Code::Broken,
                    format!("what arrived has the digest {found}: nothing of it was kept"),
                ))
            }
            Err(why) => Err(no_room(&why)),
        };
        self.close(key);
        done
    }

    fn keep(&self, key: &PartKey, offer: &Offer, receipt: Envelope, part: &Path) -> Result<(), Declined> {
        let sender = key.from.short();
        let record = Record { receipt, sender, name: offer.name.clone(), file: None };
        let _turn = lock(&self.turn);
        let path = place(record, &self.folder, &self.record(key), part).map_err(|why| no_room(&why))?;
        tracing::info!(from = %key.from, file = %path.display(), bytes = offer.size, "a file arrived");
        Ok(())
    }

    /// The receipt of a file that was delivered before. A crash in between is mended here.
    fn delivered(&self, key: &PartKey, offer: &Offer) -> Result<Option<Envelope>, Declined> {
        let Some(record) = Record::read(&self.record(key)).map_err(|why| no_room(&why))? else {
            return Ok(None);
        };
        let told = FileReceipt::claimed(&record.receipt);
        if told.is_ok_and(|receipt| receipt.digest != offer.digest) {
            return Err(Declined::new(Code::Confused, "this transfer was of another file"));
        }
        let receipt = record.receipt.clone();
        let part = self.part(key);
        if part.exists() {
            let _turn = lock(&self.turn);
            place(record, &self.folder, &self.record(key), &part).map_err(|why| no_room(&why))?;
        }
        Ok(Some(receipt))
    }

    /// Forgets what came. A record beside a part is of a file that never got its name: it must not say that it did.
    pub(super) fn forget(&self, key: &PartKey) {
        self.close(key);
        let part = self.part(key);
        if self.most > 0 && part.exists() {
            let _ = fs::remove_file(self.record(key));
            let _ = fs::remove_file(part);
        }
    }

    /// Nothing comes for now.
    pub(super) fn close(&self, key: &PartKey) {
        self.open_parts().remove(key);
    }

    /// Speaks for the room of a whole file, when there is so much.
    fn reserve(&self, key: PartKey, size: u64) -> Result<(), Declined> {
        let _turn = lock(&self.turn);
        let (coming, promised): (Vec<PathBuf>, u64) = {
            let open = self.open_parts();
            if open.contains_key(&key) {
                return Ok(());
            }
            // Its own part is in the room that it asks for.
            let coming = open.keys().chain([&key]).map(|key| self.part(key)).collect();
            (coming, open.values().map(|open| open.size).sum())
        };
        let there = self.count(&coming).map_err(|why| no_room(&why))?;
        let used = there.map(|bytes| bytes.saturating_add(promised).saturating_add(size));
        if used.is_none_or(|bytes| bytes > self.most) {
            let why = format!("its inbox of {} bytes has no room for {size} more now", self.most);
            return Err(Declined::new(Code::NoRoom, why));
        }
        self.open_parts().insert(key, Open { size, part: None });
        Ok(())
    }

    /// The bytes of all files but those that are `coming`; none when they are too many to be counted. What is too old
    /// goes.
    fn count(&self, coming: &[PathBuf]) -> io::Result<Option<u64>> {
        let (parts, records, now) = (self.parts(), self.records(), self.mint.now());
        let mut bytes = 0_u64;
        let all = each_file(&self.folder, &mut |path, meta| {
            let days = if path.starts_with(&records) {
                Some(RECORDS_DAYS)
            } else {
                path.starts_with(&parts).then_some(PARTS_DAYS)
            };
            if coming.iter().any(|part| part == path) {
                return;
            }
            if days.is_some_and(|days| is_old(meta, now, days)) && fs::remove_file(path).is_ok() {
                return;
            }
            if days != Some(RECORDS_DAYS) {
                bytes = bytes.saturating_add(meta.len());
            }
        })?;
        Ok(all.then_some(bytes))
    }

    fn parts(&self) -> PathBuf {
        self.folder.join(".parts")
    }

    fn records(&self) -> PathBuf {
        self.folder.join(".delivered")
    }

    fn part(&self, key: &PartKey) -> PathBuf {
        self.parts().join(file_name(key))
    }

    fn record(&self, key: &PartKey) -> PathBuf {
        self.records().join(file_name(key))
    }

    fn open_parts(&self) -> MutexGuard<'_, BTreeMap<PartKey, Open>> {
        lock(&self.open)
    }
}

/// A transfer's name is its sender's choice, so the sender is told beside it.
fn file_name(key: &PartKey) -> String {
    format!("{}.{}", key.from, key.id).replace(':', "-")
}

fn lock<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whatever the disk says is told to the sender, who asks again later: people may make room.
fn no_room(why: &io::Error) -> Declined {
    tracing::warn!(%why, "a file of another node cannot be kept now");
    let said = match why.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "its disk is full".to_owned(),
        kind => format!("its disk does not take it: {kind}"),
    };
    Declined::new(Code::NoRoom, said)
}

/// Calls `seen` for each file in a folder and the folders in it, links left out. Whether these were all.
fn each_file(folder: &Path, seen: &mut dyn FnMut(&Path, &fs::Metadata)) -> io::Result<bool> {
    let mut folders = vec![folder.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let Ok(meta) = entry.metadata() else { continue };
            count += 1;
            if count > MAX_COUNTED {
                return Ok(false);
            }
            if meta.is_dir() {
                folders.push(entry.path());
            } else if meta.is_file() {
                seen(&entry.path(), &meta);
            }
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
