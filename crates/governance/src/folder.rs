//! The files of a home's `governance` folder: rotations, notices, ceremonies.

use std::path::{Path, PathBuf};

use durable::Mode;
use echo_core::{Digest, NoticeId, RotationId};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use trust::Envelope;

use crate::{Ceremony, GovernanceError, MAX_CEREMONY_BYTES, MAX_NOTICE_BYTES, Rotation};

/// The folder in the home directory.
pub const FOLDER: &str = "governance";
/// The most notices that are read: the newest.
pub const MAX_NOTICES: usize = 64;
/// The most rotations that are read: the newest.
pub const MAX_ROTATIONS: usize = 256;
/// The most files of the folder that are looked at.
const MAX_FILES: usize = 100_000;
/// The most bytes of a rotation's file.
const MAX_ROTATION_BYTES: u64 = 64 * 1024;

/// Where a rotation's file lies.
pub(crate) fn rotation_path(home: &Path, id: &RotationId) -> PathBuf {
    home.join(FOLDER).join(format!("rotation-{id}.json"))
}

/// Where a notice lies: its envelope.
pub fn notice_path(home: &Path, id: &NoticeId) -> PathBuf {
    home.join(FOLDER).join(format!("notice-{id}.json"))
}

/// Where the ceremony of a rotation lies.
pub fn ceremony_path(home: &Path, id: &RotationId) -> PathBuf {
    home.join(FOLDER).join(format!("ceremony-{id}.json"))
}

/// The rotations of a home, oldest first.
pub fn rotations(home: &Path) -> Result<Vec<Rotation>, GovernanceError> {
    let mut found = Vec::new();
    for path in newest(home, "rotation-rot_", MAX_ROTATIONS)? {
        found.extend(read_rotation(&path)?);
    }
    Ok(found)
}

/// The notices of a home, oldest first. Verify each before use.
pub fn notices(home: &Path) -> Result<Vec<Envelope>, GovernanceError> {
    let mut found = Vec::new();
    for path in newest(home, "notice-notice_", MAX_NOTICES)? {
        found.extend(read::<Envelope>(&path, MAX_NOTICE_BYTES)?);
    }
    Ok(found)
}

/// The rotation named `id`, if there is one.
pub(crate) fn rotation(home: &Path, id: &RotationId) -> Result<Option<Rotation>, GovernanceError> {
    read_rotation(&rotation_path(home, id))
}

/// The notice named `id`, if it is written.
pub(crate) fn notice(home: &Path, id: &NoticeId) -> Result<Option<Envelope>, GovernanceError> {
    read(&notice_path(home, id), MAX_NOTICE_BYTES)
}

/// The ceremony of a rotation, if one was begun.
pub(crate) fn ceremony(home: &Path, id: &RotationId) -> Result<Option<Ceremony>, GovernanceError> {
    let path = ceremony_path(home, id);
    let Some(bytes) = durable::read(&path, MAX_CEREMONY_BYTES)? else { return Ok(None) };
    let ceremony = Ceremony::from_json(&bytes)?;
    if ceremony.rotation() != Some(id) {
        let why = "it serves another rotation than its name says".to_owned();
        return Err(GovernanceError::Damaged { path, why });
    }
    Ok(Some(ceremony))
}

/// Keeps a rotation.
pub(crate) fn save_rotation(home: &Path, rotation: &Rotation) -> Result<(), GovernanceError> {
    write(home, &rotation_path(home, &rotation.id), &spelled(rotation), Mode::Private)
}

/// A rotation's file: the rotation, and a digest of it. The digest proves nothing to anybody; but the keys in a file that
/// was damaged would go into the next version of the registry.
#[derive(Serialize)]
struct Summed<'a> {
    #[serde(flatten)]
    rotation: &'a Rotation,
    sum: Digest,
}

/// The one spelling of a rotation's file.
fn spelled(rotation: &Rotation) -> Vec<u8> {
    let bytes = serde_json::to_vec(rotation).expect("strings and numbers always become JSON");
    json(&Summed { rotation, sum: Digest::of(&bytes) })
}

/// Reads a rotation's file. One from before there was a sum has none.
fn read_rotation(path: &Path) -> Result<Option<Rotation>, GovernanceError> {
    let Some(bytes) = durable::read(path, MAX_ROTATION_BYTES)? else { return Ok(None) };
    let damaged = |why: String| GovernanceError::Damaged { path: path.to_owned(), why };
    let malformed = |e: serde_json::Error| damaged(e.to_string());
    let mut file: Map<String, Value> = serde_json::from_slice(&bytes).map_err(malformed)?;
    let summed = file.remove("sum").is_some();
    let rotation = serde_json::from_value(Value::Object(file)).map_err(malformed)?;
    if summed && spelled(&rotation) != bytes {
        return Err(damaged("bytes were added or changed".to_owned()));
    }
    Ok(Some(rotation))
}

/// Keeps a notice.
pub(crate) fn save_notice(home: &Path, id: &NoticeId, envelope: &Envelope) -> Result<(), GovernanceError> {
    let bytes = json(envelope);
    if bytes.len() as u64 > MAX_NOTICE_BYTES {
        return Err(GovernanceError::Notice(format!("it is larger than {MAX_NOTICE_BYTES} bytes")));
    }
    write(home, &notice_path(home, id), &bytes, Mode::Public)
}

/// Keeps the ceremony of a rotation.
pub(crate) fn save_ceremony(home: &Path, id: &RotationId, file: &Ceremony) -> Result<(), GovernanceError> {
    write(home, &ceremony_path(home, id), &file.to_json(), Mode::Public)
}

/// Removes the ceremony of a rotation, which has served.
pub(crate) fn remove_ceremony(home: &Path, id: &RotationId) {
    // One that stays behind follows a chain of before, and is passed over.
    let _ = std::fs::remove_file(ceremony_path(home, id));
}

fn write(home: &Path, path: &Path, bytes: &[u8], mode: Mode) -> Result<(), GovernanceError> {
    durable::create_folder(&home.join(FOLDER))?;
    Ok(durable::write(path, bytes, mode)?)
}

fn json(document: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(document).expect("strings and numbers always become JSON");
    bytes.push(b'\n');
    bytes
}

fn read<T: DeserializeOwned>(path: &Path, limit: u64) -> Result<Option<T>, GovernanceError> {
    let Some(bytes) = durable::read(path, limit)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|e| GovernanceError::Damaged { path: path.to_owned(), why: e.to_string() })
}

/// The newest `most` files whose names begin with `prefix`, oldest first: ids sort by the time they were made.
fn newest(home: &Path, prefix: &str, most: usize) -> Result<Vec<PathBuf>, GovernanceError> {
    let folder = home.join(FOLDER);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(GovernanceError::Damaged { path: folder, why: e.to_string() }),
    };
    let mut paths: Vec<PathBuf> = entries
        .take(MAX_FILES)
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with(prefix) && name.ends_with(".json")
        })
        .collect();
    paths.sort();
    Ok(paths.split_off(paths.len().saturating_sub(most)))
}
