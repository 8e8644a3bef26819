//! The folder of an installation: its lock, its state, its links.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use echo_core::{Digest, Timestamp};
use trust::{
    TrustChain,
    chain::{MAX_CHAIN_BYTES, REGISTRY_FILE},
};
use witness::Policy;

use super::{
    RealDisk, SlotName, State, StateError, bin,
    disk::{Disk, relink, replace},
    state::{FORMAT, MAX_STATE_BYTES},
};
use crate::{BundleError, Judge, error::failed};

/// The file with the state.
pub const STATE_FILE: &str = "state.json";
const LOCK_FILE: &str = ".lock";
/// The most bytes of the name of whoever holds the lock.
const MAX_HOLDER: u64 = 64;

/// An installation that nobody else changes meanwhile.
pub struct Prefix {
    root: PathBuf,
    pub(super) disk: Box<dyn Disk>,
    lock: File,
}

impl Prefix {
    /// Opens the installation in `root`, which is made when it is not there.
    pub fn open(root: &Path) -> Result<Self, BundleError> {
        fs::create_dir_all(root).map_err(failed("create", root))?;
        Self::open_on(root, Box::new(RealDisk))
    }

    /// Opens the installation in `root` on a disk.
    pub(super) fn open_on(root: &Path, disk: Box<dyn Disk>) -> Result<Self, BundleError> {
        // Links to the slots must not depend on where somebody stands.
        let root = fs::canonicalize(root).map_err(failed("find", root))?;
        let lock = lock(&root)?;
        Ok(Self { root, disk, lock })
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a slot.
    pub fn slot(&self, name: SlotName) -> PathBuf {
        self.root.join(name.folder())
    }

    /// The state; nothing before the first installation is done. Needs no lock.
    pub fn read_state(root: &Path) -> Result<Option<State>, BundleError> {
        let path = root.join(STATE_FILE);
        let Some(bytes) = durable::read(&path, MAX_STATE_BYTES)? else { return Ok(None) };
        let damaged = |why: String| StateError::Damaged { path: path.clone(), why };
        let state: State = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if state.format != FORMAT {
            return Err(damaged(format!("format {} is not known here", state.format)).into());
        }
        if state.running().is_none() {
            return Err(damaged("it names no active system".to_owned()).into());
        }
        Ok(Some(state))
    }

    /// The state of an installation that must be there.
    pub fn state(&self) -> Result<State, BundleError> {
        Self::read_state(&self.root)?.ok_or_else(|| StateError::Nothing(self.root.clone()).into())
    }

    /// What bundles are judged by here. `root` is what somebody named: needed once, and compared afterwards.
    pub fn judge(
        &self,
        root: Option<Digest>,
        policy: Option<Policy>,
        now: Timestamp,
    ) -> Result<Judge, BundleError> {
        let pinned = Self::read_state(&self.root)?.map(|state| state.root);
        let root = match (pinned, root) {
            (Some(pinned), Some(named)) if pinned != named => {
                return Err(StateError::OtherRoot { pinned, named }.into());
            }
            (Some(root), _) | (None, Some(root)) => root,
            (None, None) => return Err(StateError::NoRoot.into()),
        };
        let known = match durable::read(&self.root.join(REGISTRY_FILE), MAX_CHAIN_BYTES)? {
            Some(bytes) if pinned.is_some() => Some(bytes),
            // Left by an installation that was cut off before it began to count.
            _ => None,
        };
        let known = known.map(|bytes| TrustChain::from_json(&bytes)).transpose();
        let known = known.map_err(|error| StateError::Damaged {
            path: self.root.join(REGISTRY_FILE),
            why: error.to_string(),
        })?;
        Ok(Judge { root, known, now, policy })
    }

    /// Makes `state` the truth.
    pub(super) fn save(&self, state: &State) -> Result<(), BundleError> {
        let bytes = serde_json::to_vec_pretty(state).expect("names, numbers and strings always become JSON");
        let path = self.root.join(STATE_FILE);
        replace(&*self.disk, &self.root, STATE_FILE, &bytes, 0o644).map_err(failed("write", &path))
    }

    /// Makes the trust chain the known one.
    pub(super) fn save_chain(&self, chain: &TrustChain) -> Result<(), BundleError> {
        let path = self.root.join(REGISTRY_FILE);
        replace(&*self.disk, &self.root, REGISTRY_FILE, &chain.to_json(), 0o644)
            .map_err(failed("write", &path))
    }

    /// Makes the links say what the state says.
    pub(super) fn relink(&self, state: &State) -> Result<(), BundleError> {
        let link = |name: &str, slot: SlotName| {
            relink(&*self.disk, &self.root, name, Path::new(slot.folder()))
                .map_err(failed("link", &self.root.join(name)))
        };
        link("good", state.keeper())?;
        link("current", state.active)?;
        bin::write(&*self.disk, &self.root)
    }
}

impl Drop for Prefix {
    fn drop(&mut self) {
        // Closing would not do: a child process that is just being started shares the open file until it runs. Should
        // this fail, the system releases it when the process dies.
        let _ = self.lock.unlock();
    }
}

fn lock(root: &Path) -> Result<File, BundleError> {
    let path = root.join(LOCK_FILE);
    let opened =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o644).open(&path);
    let mut file = opened.map_err(failed("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The name is for people; without it the refusal stands.
            let _ = file.take(MAX_HOLDER).read_to_string(&mut holder);
            let holder = match holder.trim() {
                "" => "another process".to_owned(),
                pid => format!("process {pid}"),
            };
            return Err(StateError::Locked { path: root.to_owned(), holder }.into());
        }
        Err(TryLockError::Error(source)) => return Err(failed("lock", &path)(source)),
    }
    let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
    Ok(file)
}
