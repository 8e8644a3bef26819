//! What the node remembers of ledgers, on disk: one file a ledger, named by the SHA-256 of its origin.
//!
//! A file that cannot be read is not put aside, as a call's entry is: a node that began anew could cosign another history.
//! So the ledger is not cosigned until a person has looked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use durable::Mode;
use echo_core::Digest;
use mesh::{
    Input,
    witnessing::{MAX_REMEMBERED, Memory, Remembered},
};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::BookFolderError;

/// The most bytes of one file: five heads and a cosignature.
const MAX_FILE: u64 = 64 * 1024;
/// How long to wait before what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The folder, and what waits to be written into it: the newest of each ledger.
#[derive(Debug)]
pub(crate) struct WitnessedFolder {
    folder: Arc<PathBuf>,
    waiting: BTreeMap<String, Remembered>,
    busy: Option<(Remembered, JoinHandle<Result<(), String>>)>,
    again: Instant,
    /// Whether the last one could not be written.
    troubled: bool,
}

impl WitnessedFolder {
    /// The folder, which is made when there is none, and what it remembers.
    pub(crate) fn open(folder: &Path) -> Result<(Self, Memory), BookFolderError> {
        durable::create_folder(folder)?;
        // A file that a program put here as it died is durable only now; the node takes all that it is given for durable.
        durable::sync_folder(folder)?;
        let list = |why| BookFolderError::List { path: folder.to_owned(), why };
        let mut memory = Memory::default();
        for file in std::fs::read_dir(folder).map_err(list)? {
            let path = file.map_err(list)?.path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            let Ok(name) = format!("sha256:{stem}").parse::<Digest>() else { continue };
            if memory.logs.len() >= MAX_REMEMBERED {
                tracing::error!(path = %path.display(), "more ledgers are remembered than there can be: this one is not read");
                memory.damaged.push(name);
                continue;
            }
            match read(&path, &name) {
                Ok(remembered) => memory.logs.push(remembered),
                Err(why) => {
                    tracing::error!(path = %path.display(), why, "the memory of a ledger is damaged");
                    memory.damaged.push(name);
                }
            }
        }
        let this = Self {
            folder: Arc::new(folder.to_owned()),
            waiting: BTreeMap::new(),
            busy: None,
            again: Instant::now(),
            troubled: false,
        };
        Ok((this, memory))
    }

    /// Takes what shall be written. What waits of the same ledger need not be written any more.
    pub(crate) fn keep(&mut self, remembered: Remembered) {
        self.waiting.insert(remembered.origin.clone(), remembered);
    }

    /// The next that is durable, for the node. Waits for ever while there is none. May be dropped and called again at any
    /// time.
    pub(crate) async fn next(&mut self) -> Input {
        loop {
            if self.busy.is_none() {
                if self.waiting.is_empty() {
                    std::future::pending::<()>().await;
                }
                sleep_until(self.again).await;
                let Some((_, remembered)) = self.waiting.pop_first() else { continue };
                let (folder, written) = (Arc::clone(&self.folder), remembered.clone());
                let task = tokio::task::spawn_blocking(move || write(&folder, &written));
                self.busy = Some((remembered, task));
            }
            let Some((_, task)) = &mut self.busy else { continue };
            let done = task.await.unwrap_or_else(|why| Err(why.to_string()));
            let Some((remembered, _)) = self.busy.take() else { continue };
            match done {
                Ok(()) => {
                    self.troubled = false;
                    let size = remembered.head.map_or(0, |head| head.size);
                    return Input::WitnessedKept { origin: remembered.origin, size };
                }
                Err(why) => self.failed(remembered, &why),
            }
        }
    }

    fn failed(&mut self, remembered: Remembered, why: &str) {
        if !std::mem::replace(&mut self.troubled, true) {
            tracing::error!(
                why,
                "what was seen of a ledger cannot be written down: nothing is cosigned until it can"
            );
        }
        self.again = Instant::now() + AGAIN;
        self.waiting.entry(remembered.origin.clone()).or_insert(remembered);
    }

    /// Writes what waits, until all is written: the program stops, and drops this when it cannot wait longer.
    pub(crate) async fn finish(mut self) {
        while self.busy.is_some() || !self.waiting.is_empty() {
            let _ = self.next().await;
        }
    }
}

fn read(path: &Path, name: &Digest) -> Result<Remembered, String> {
    let bytes = durable::read(path, MAX_FILE).map_err(|why| why.to_string())?.unwrap_or_default();
    let remembered: Remembered = serde_json::from_slice(&bytes).map_err(|why| why.to_string())?;
    if Digest::of(remembered.origin.as_bytes()) != *name {
        return Err(format!("it speaks of the ledger {}, whose file has another name", remembered.origin));
    }
    Ok(remembered)
}

fn write(folder: &Path, remembered: &Remembered) -> Result<(), String> {
    let name = format!("{}.json", Digest::of(remembered.origin.as_bytes()).hex());
    let bytes = serde_json::to_vec(remembered).map_err(|why| why.to_string())?;
    durable::write(&folder.join(name), &bytes, Mode::Private).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    use mesh::witnessing::Cosigned;

    use super::*;

    fn remembered(origin: &str, size: u64) -> Remembered {
        let head = Cosigned {
            size,
            root: Digest::of(b"root"),
            at: 1,
            note: "a note".to_owned(),
            line: "a line\n".to_owned(),
        };
        Remembered { origin: origin.to_owned(), head: Some(head), suspicion: None, fork: None }
    }

    #[tokio::test]
    async fn what_was_cosigned_is_on_the_disk_before_the_node_hears_so() {
        let home = tempfile::tempdir().unwrap();
        let (mut folder, memory) = WitnessedFolder::open(home.path()).unwrap();
        assert_eq!(memory, Memory::default());
        folder.keep(remembered("log.example/a", 3));
        folder.keep(remembered("log.example/a", 5));
        folder.keep(remembered("log.example/b", 2));
        let said = folder.next().await;
        assert_eq!(said, Input::WitnessedKept { origin: "log.example/a".to_owned(), size: 5 });
        let (_, now) = WitnessedFolder::open(home.path()).unwrap();
        assert_eq!(now.logs, [remembered("log.example/a", 5)], "and nothing that was not said");
        folder.finish().await;
        assert_eq!(WitnessedFolder::open(home.path()).unwrap().1.logs.len(), 2);
    }

    #[tokio::test]
    async fn a_damaged_memory_is_told_and_stays_where_it_is() {
        let home = tempfile::tempdir().unwrap();
        let (mut folder, _) = WitnessedFolder::open(home.path()).unwrap();
        folder.keep(remembered("log.example/a", 3));
        let _ = folder.next().await;
        let name = Digest::of(b"log.example/a");
        let path = home.path().join(format!("{}.json", name.hex()));
        let good = std::fs::read(&path).unwrap();
        let elsewhere = home.path().join(format!("{}.json", Digest::of(b"log.example/b").hex()));
        for (bad, at) in [(&good[..good.len() / 2], &path), (b"", &path), (&good[..], &elsewhere)] {
            durable::write(at, bad, Mode::Private).unwrap();
            let (_, memory) = WitnessedFolder::open(home.path()).unwrap();
            let stem = at.file_stem().unwrap().to_str().unwrap();
            assert!(memory.damaged.iter().any(|damaged| damaged.hex() == stem));
            assert!(at.exists());
        }
    }

    #[tokio::test]
    async fn more_files_than_there_can_be_are_not_taken_for_nothing() {
        let home = tempfile::tempdir().unwrap();
        let (mut folder, _) = WitnessedFolder::open(home.path()).unwrap();
        for number in 0..=MAX_REMEMBERED {
            folder.keep(remembered(&format!("log.example/{number}"), 3));
        }
        folder.finish().await;
        let (_, memory) = WitnessedFolder::open(home.path()).unwrap();
        assert_eq!((memory.logs.len(), memory.damaged.len()), (MAX_REMEMBERED, 1));
    }

    #[tokio::test]
    async fn a_disk_that_fails_is_tried_again() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("witnessed");
        let (mut folder, _) = WitnessedFolder::open(&path).unwrap();
        std::fs::remove_dir(&path).unwrap();
        durable::write(&path, b"in the way", Mode::Private).unwrap();
        folder.keep(remembered("log.example/a", 3));
        let waited = tokio::time::timeout(Duration::from_millis(300), folder.next()).await;
        assert!(waited.is_err(), "nothing is said to be durable");
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(matches!(folder.next().await, Input::WitnessedKept { size: 3, .. }));
    }
}
