//! Puts a bundle into the slot that is not active, and makes that the active one.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use echo_core::Timestamp;
use semver::Version;
use serde::Serialize;

use super::{
    Prefix, Slot, SlotName, Standing, State, StateError,
    disk::remove_tree,
    state::{FORMAT, TRIES},
};
use crate::{
    BundleError, Checked, Evidence, Head, Judge, MAX_REASON, Refusal, Verdict, check_content,
    content::{Chunks, each_chunk},
    error::failed,
    reader::HEAD,
    tree::{HEAD_FOLDER, head_file},
};

/// What a file may take on a disk beyond its bytes.
const SLACK: u64 = 8 * 1024;

/// An installation or update that is asked for.
pub struct Install<'a> {
    /// Where the content comes from: a bundle, or a delta with what it is applied to.
    pub source: &'a mut dyn Chunks,
    /// What it says about the ledger.
    pub evidence: Option<&'a Evidence>,
    /// What it is judged by, from [`Prefix::judge`].
    pub judge: &'a Judge,
    /// Why a version below the floor is taken all the same.
    pub allow_downgrade: Option<&'a str>,
    /// The time that is written down.
    pub now: Timestamp,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Happened {
    /// The version that is active now.
    pub version: Version,
    /// In which slot.
    pub slot: SlotName,
    /// The version before it, when there was one.
    pub before: Option<Version>,
    /// Whether anything was written: the very bundle that is active already is not installed again.
    pub changed: bool,
    /// What was read and found right.
    pub checked: Checked,
    /// Why the bundle was believed.
    pub verdict: Verdict,
}

impl Prefix {
    /// Does it. `progress` is told how many bytes of content are done, first when they are checked, then when they are
    /// written.
    pub fn install(
        &self,
        asked: Install<'_>,
        progress: &mut dyn FnMut(&'static str, u64),
    ) -> Result<Happened, BundleError> {
        let Install { source, evidence, judge, allow_downgrade, now } = asked;
        let head = source.head().clone();
        let verdict = judge.judge(source.name(), &head, evidence)?;
        let state = Self::read_state(self.root())?;
        let (version, before) = (&head.manifest.version, state.as_ref().and_then(State::running));
        let told = |slot: SlotName, changed: bool, checked: Checked| Happened {
            version: version.clone(),
            slot,
            before: before.map(|slot| slot.version.clone()),
            changed,
            checked,
            verdict: verdict.clone(),
        };
        if let Some(state) =
            state.as_ref().filter(|_| before.is_some_and(|slot| slot.manifest == head.digest))
        {
            self.relink(state)?;
            return Ok(told(state.active, false, Checked::default()));
        }
        if let Some(state) = &state {
            may_follow(source.name(), state, version, allow_downgrade)?;
        }
        // All is read once before anything is given up for it.
        let checked = check_content(source, &mut |done| progress("checked", done))?;
        let slot = state.as_ref().map_or(SlotName::A, |state| state.active.other());
        self.room_for(slot, &head)?;
        if let Some(state) = &state
            && state.slots.contains_key(&slot)
        {
            let mut without = state.clone();
            without.slots.remove(&slot);
            self.save(&without)?;
        }
        self.write_slot(slot, source, &mut |done| progress("written", done))?;
        let refused = |source: Refusal| BundleError::Refused {
            name: "the trust chain".to_owned(),
            source: Box::new(source),
        };
        let chain = judge.chain(&head).map_err(refused)?;
        if judge.known.as_ref() != Some(&chain) {
            self.save_chain(&chain)?;
        }
        let next = switched(state.clone(), slot, &head, judge, allow_downgrade, now);
        self.save(&next)?;
        self.relink(&next)?;
        Ok(told(slot, true, checked))
    }

    /// Whether the content fits, once what is in the slot is gone.
    fn room_for(&self, slot: SlotName, head: &Head) -> Result<(), BundleError> {
        let disk = rustix::fs::statvfs(self.root())
            .map_err(|e| failed("ask for the free space of", self.root())(e.into()))?;
        let files = head.manifest.files.len() as u64;
        let needed = head.manifest.content_bytes() + files * SLACK + 4 * crate::MAX_MANIFEST_BYTES / 24;
        let free = (disk.f_bavail * disk.f_frsize).saturating_add(size_of_tree(&self.slot(slot)));
        if needed > free {
            return Err(BundleError::NoRoom { path: self.root().to_owned(), free, needed });
        }
        Ok(())
    }

    /// Empties the slot and writes the bundle into it. When this returns, all of it is durable.
    fn write_slot(
        &self,
        slot: SlotName,
        source: &mut dyn Chunks,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), BundleError> {
        let top = self.slot(slot);
        let disk = &*self.disk;
        remove_tree(disk, &top).map_err(failed("empty", &top))?;
        let slots = self.root().join("slots");
        let head = source.head().clone();
        let head_folder = top.join(HEAD_FOLDER);
        let mut folders: BTreeSet<PathBuf> =
            BTreeSet::from([slots.clone(), top.clone(), head_folder.clone()]);
        for file in &head.manifest.files {
            let mut above = Path::new(&file.path).parent();
            while let Some(folder) = above.filter(|f| !f.as_os_str().is_empty()) {
                folders.insert(top.join(folder));
                above = folder.parent();
            }
        }
        // Sorted, a folder comes before what is in it.
        for folder in &folders {
            disk.folder(folder).map_err(failed("create", folder))?;
        }
        let mut done = 0;
        for file in &head.manifest.files {
            let path = top.join(&file.path);
            let mut out = disk.create(&path, file.mode()).map_err(failed("create", &path))?;
            each_chunk(source, file, &mut |plain| {
                done += plain.len() as u64;
                out.write_all(plain).map_err(failed("write", &path))
            })?;
            out.sync().map_err(failed("flush", &path))?;
            progress(done);
        }
        for ((entry, _), bytes) in HEAD.iter().zip(&head.files) {
            let path = head_folder.join(head_file(entry));
            let mut out = disk.create(&path, 0o644).map_err(failed("create", &path))?;
            out.write_all(bytes).map_err(failed("write", &path))?;
            out.sync().map_err(failed("flush", &path))?;
        }
        for folder in folders.iter().rev() {
            disk.sync_folder(folder).map_err(failed("flush", folder))?;
        }
        disk.sync_folder(self.root()).map_err(failed("flush", self.root()))
    }
}

/// Whether `version` may take the place of what is active.
fn may_follow(
    name: &str,
    state: &State,
    version: &Version,
    allow_downgrade: Option<&str>,
) -> Result<(), BundleError> {
    if *version < state.floor && allow_downgrade.is_none() {
        let source = Refusal::Downgrade { offered: version.clone(), floor: state.floor.clone() };
        return Err(BundleError::Refused { name: name.to_owned(), source: Box::new(source) });
    }
    match state.running() {
        Some(slot) if matches!(slot.standing, Standing::Trial { .. }) && state.fallback().is_some() => {
            Err(StateError::OnTrial { version: slot.version.clone() }.into())
        }
        _ => Ok(()),
    }
}

/// The state after the update.
fn switched(
    state: Option<State>,
    slot: SlotName,
    head: &Head,
    judge: &Judge,
    allow_downgrade: Option<&str>,
    now: Timestamp,
) -> State {
    let version = head.manifest.version.clone();
    let mut next = state.unwrap_or_else(|| State {
        format: FORMAT,
        root: judge.root,
        floor: head.manifest.floor.clone(),
        active: slot,
        slots: std::collections::BTreeMap::new(),
        events: Vec::new(),
    });
    let below = version < next.floor;
    // Whoever went below the floor on purpose may go on from there.
    next.floor =
        if below { head.manifest.floor.clone() } else { next.floor.max(head.manifest.floor.clone()) };
    let reason: String =
        allow_downgrade.filter(|_| below).unwrap_or_default().chars().take(MAX_REASON).collect();
    next.active = slot;
    next.slots.insert(
        slot,
        Slot {
            version: version.clone(),
            manifest: head.digest,
            installed: now,
            standing: Standing::Trial { tries: TRIES },
        },
    );
    next.tell(now, if below { "downgraded" } else { "installed" }, &version, &reason);
    next
}

/// The bytes of the files below a folder; as far as it can be read.
fn size_of_tree(folder: &Path) -> u64 {
    let mut size = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        size += match entry.metadata() {
            Ok(found) if found.is_dir() => size_of_tree(&entry.path()),
            Ok(found) => found.len(),
            Err(_) => 0,
        };
    }
    size
}
