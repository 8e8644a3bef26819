//! The versions of learned triage on the disk: `memory/triage/VERSION/` with `model.bin` and its signed `card.json`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use agents::triage::{Labels, Learned};
use dossier::Kind;
use durable::Mode;
use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use triage_model::Model;
use trust::{Envelope, KeyPair, Registry};

use crate::{DeskError, learning_examples::TriageFigures};

/// The most bytes of a model that is taken in.
pub const MAX_TRIAGE_MODEL: u64 = 32 * 1024 * 1024;
/// The most bytes of a card.
const MAX_CARD: u64 = 64 * 1024;
/// Where the versions lie in a home.
const FOLDER: &str = "memory/triage";

/// What a version is, as the operator's key signs it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriageCard {
    /// From 1; no two are the same.
    pub version: u64,
    /// Of the model's bytes.
    pub model: Digest,
    /// How many bytes it has.
    pub bytes: u64,
    /// The labels that it can name.
    pub labels: Vec<String>,
    /// Where it is from.
    pub origin: TriageOrigin,
    /// How many decided cases it learned from; 0 for one that was installed.
    pub learned_from: usize,
    /// How good triage with it was on the decided cases that were held back; nothing when too few are there.
    pub held_back: Option<TriageFigures>,
    /// When it was made or installed.
    pub made: Timestamp,
    /// By whom.
    pub made_by: String,
}

/// Where a version is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriageOrigin {
    /// Learned here, from decided cases.
    Learned,
    /// Brought by the operator.
    Installed,
}

/// A version that is about to be put on the shelf.
#[derive(Debug)]
pub(crate) struct Drafted {
    pub bytes: Vec<u8>,
    pub card: TriageCard,
    pub envelope: Envelope,
}

fn folder(home: &Path, version: u64) -> PathBuf {
    home.join(FOLDER).join(version.to_string())
}

/// The bytes of a model, within the bound.
pub(crate) fn bytes_of(model: &Model) -> Result<Vec<u8>, DeskError> {
    let mut bytes = Vec::new();
    model.write(&mut bytes).map_err(|e| DeskError::Internal(e.to_string()))?;
    if bytes.len() as u64 > MAX_TRIAGE_MODEL {
        return Err(DeskError::Conflict(format!("the model has more than {MAX_TRIAGE_MODEL} bytes")));
    }
    Ok(bytes)
}

/// Signs a card.
pub(crate) fn sign(card: &TriageCard, operator: &KeyPair) -> Result<Envelope, DeskError> {
    Ok(Envelope::sign(Kind::TriageModel.payload_type(), card, &[operator])?)
}

/// Writes a version: the model first, so that a card that is there has its model.
pub(crate) fn put(home: &Path, drafted: &Drafted) -> Result<(), DeskError> {
    let folder = folder(home, drafted.card.version);
    durable::create_folder(&folder)?;
    durable::write(&folder.join("model.bin"), &drafted.bytes, Mode::Private)?;
    Ok(durable::write(&folder.join("card.json"), &serde_json::to_vec(&drafted.envelope)?, Mode::Private)?)
}

/// Takes a version off the shelf. One that is gone is fine.
pub(crate) fn drop_version(home: &Path, version: u64) -> Result<(), DeskError> {
    let folder = folder(home, version);
    match fs::remove_dir_all(&folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(DeskError::Home(format!("cannot remove {}: {e}", folder.display())))
        }
        _ => Ok(()),
    }
}

/// Reads the version that `card` describes, or says why it may not speak.
pub(crate) fn read(
    home: &Path,
    card: &TriageCard,
    registry: &Registry,
    labels: &Labels,
) -> Result<Learned, String> {
    let folder = folder(home, card.version);
    let bytes = |name: &str, most: u64| {
        durable::read(&folder.join(name), most)
            .map_err(|e| e.to_string())?
            .ok_or_else(|| format!("{} is missing", folder.join(name).display()))
    };
    let envelope: Envelope = serde_json::from_slice(&bytes("card.json", MAX_CARD)?)
        .map_err(|e| format!("card.json is no signed card: {e}"))?;
    let kind = Kind::TriageModel;
    let signed: TriageCard = registry
        .verify_at(kind.signer(), kind.payload_type(), &envelope, card.made)
        .map_err(|e| format!("card.json: {e}"))?;
    if signed != *card {
        return Err("card.json is not the card that the database and the ledger hold".to_owned());
    }
    let model = bytes("model.bin", MAX_TRIAGE_MODEL)?;
    if Digest::of(&model) != card.model {
        return Err("model.bin was altered after its card was signed".to_owned());
    }
    let model = Model::read(model.as_slice()).map_err(|e| format!("model.bin: {e}"))?;
    Learned::new(card.version, card.model, Arc::new(model), labels).map_err(|e| e.to_string())
}
