//! A model's folder: `model.bin`, and `model.json` that says what it is. Both come and go together.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
};

use durable::Mode;
use echo_core::Digest;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde::{Deserialize, Serialize};
use triage_model::{Evaluation, LabelSet, Model, Trained};

use super::{cases::Labelled, spent::Spent};
use crate::Failure;

const MODEL: &str = "model.bin";
const CARD: &str = "model.json";
/// What [`Card::format`] says.
const FORMAT: &str = "echo-triage-model/1";
/// The most bytes of `model.bin` that are read.
const MAX_MODEL: u64 = 1 << 30;
/// The most bytes of `model.json`.
const MAX_CARD: u64 = 256 * 1024;

/// What stands in `model.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The version of this file and of the model's bytes.
    pub format: String,
    /// The version of the program that learned it.
    pub program: String,
    /// The labels that it can name.
    pub labels: Vec<String>,
    /// Of `model.bin`.
    pub model: Digest,
    /// How many bytes that has.
    pub model_bytes: usize,
    /// Of the CSV that it was learned from.
    pub data: Digest,
    /// How many tickets that has.
    pub cases: usize,
    /// How many words it knows.
    pub words: usize,
    /// How many pairs of words.
    pub pairs: usize,
    /// What orders and folds came from.
    pub seed: u64,
    /// What the threshold was chosen for: the share of right answers among the answered.
    pub precision: f32,
    /// What scores are multiplied with before they become confidences.
    pub temperature: f32,
    /// Below this confidence it abstains.
    pub threshold: f32,
    /// How good models of the other parts were on each part of the tickets.
    pub held_back: Evaluation,
    /// What learning took.
    pub spent: Spent,
}

/// What was learned, and from what.
pub struct Source<'a> {
    /// The tickets.
    pub cases: &'a Labelled<'a>,
    /// Of their file.
    pub data: Digest,
    /// See [`Card::seed`].
    pub seed: u64,
    /// See [`Card::precision`].
    pub precision: f32,
}

/// Writes a model and its card; replaces those that are there, as one.
pub fn write(dir: &Path, trained: &Trained, source: &Source<'_>, spent: Spent) -> Result<Card, Failure> {
    let mut bytes = Vec::new();
    trained.model.write(&mut bytes).map_err(Failure::failed)?;
    let (words, pairs) = trained.model.size();
    let calibration = trained.model.calibration();
    let card = Card {
        format: FORMAT.to_owned(),
        program: format!("echo_cli {}", env!("CARGO_PKG_VERSION")),
        labels: trained.model.labels().names().to_vec(),
        model: Digest::of(&bytes),
        model_bytes: bytes.len(),
        data: source.data,
        cases: source.cases.texts.len(),
        words,
        pairs,
        seed: source.seed,
        precision: source.precision,
        temperature: calibration.temperature,
        threshold: calibration.threshold,
        held_back: trained.held_back.clone(),
        spent,
    };
    let mut text = serde_json::to_vec_pretty(&card).map_err(Failure::failed)?;
    text.push(b'\n');
    let parent = parent(dir);
    let fresh = tempfile::Builder::new()
        .prefix(".echo-model-")
        .tempdir_in(parent)
        .map_err(|e| cannot("make a folder in", parent, &e))?;
    durable::write(&fresh.path().join(MODEL), &bytes, Mode::Public)?;
    durable::write(&fresh.path().join(CARD), &text, Mode::Public)?;
    fs::set_permissions(fresh.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .map_err(|e| cannot("open to readers", fresh.path(), &e))?;
    place(fresh, dir)?;
    durable::sync_folder(parent)?;
    Ok(card)
}

/// Refuses a place where something else is than a model, before anything is learned.
pub fn check_place(dir: &Path) -> Result<(), Failure> {
    let parent = parent(dir);
    if !parent.is_dir() {
        return Err(Failure::failed(format!("there is no folder {}", parent.display())).hint("make it first"));
    }
    let taken = || {
        Failure::failed(format!("{} is there, and it is not a model's folder", dir.display()))
            .hint("choose another folder with --model; nothing was changed")
    };
    match fs::symlink_metadata(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(cannot("look at", dir, &e)),
        Ok(found) if !found.is_dir() => return Err(taken()),
        Ok(_) => {}
    }
    // One more than a model's folder has is enough to know.
    for entry in fs::read_dir(dir).map_err(|e| cannot("read", dir, &e))?.take(3) {
        let name = entry.map_err(|e| cannot("read", dir, &e))?.file_name();
        if name != OsStr::new(MODEL) && name != OsStr::new(CARD) {
            return Err(taken());
        }
    }
    Ok(())
}

/// Puts the finished folder where it belongs. An older one changes places with it and is removed.
fn place(fresh: tempfile::TempDir, dir: &Path) -> Result<(), Failure> {
    check_place(dir)?;
    let failed = |e: rustix::io::Errno| cannot("replace", dir, &e.into());
    match renameat_with(CWD, fresh.path(), CWD, dir, RenameFlags::NOREPLACE) {
        Ok(()) => {
            // What was the temporary folder is the model now.
            let _ = fresh.keep();
            Ok(())
        }
        Err(rustix::io::Errno::EXIST) => {
            renameat_with(CWD, fresh.path(), CWD, dir, RenameFlags::EXCHANGE).map_err(failed)
        }
        Err(e) => Err(failed(e)),
    }
}

/// Reads a model, and checks that it is the one that its card speaks of.
pub fn read(dir: &Path) -> Result<(Model, Card), Failure> {
    let file = |name: &str, limit| {
        let path = dir.join(name);
        durable::read(&path, limit)?.ok_or_else(|| {
            Failure::failed(format!("there is no {}", path.display()))
                .hint("give the folder that `echo_cli triage train --model` wrote")
        })
    };
    let bad = |name: &str, what: String| Failure::failed(format!("{}: {what}", dir.join(name).display()));
    let card: Card = serde_json::from_slice(&file(CARD, MAX_CARD)?).map_err(|e| bad(CARD, e.to_string()))?;
    if card.format != FORMAT {
        return Err(bad(CARD, format!("its format is not {FORMAT}")).hint("train it again with this program"));
    }
    let bytes = file(MODEL, MAX_MODEL)?;
    if Digest::of(&bytes) != card.model {
        return Err(
            bad(MODEL, "it is not the one that model.json speaks of".to_owned()).hint("train it again")
        );
    }
    let model = Model::read(bytes.as_slice()).map_err(|e| bad(MODEL, e.to_string()))?;
    match LabelSet::new(card.labels.clone()) {
        Ok(labels) if labels == *model.labels() => Ok((model, card)),
        _ => Err(bad(CARD, "it names other labels than the model".to_owned()).hint("train it again")),
    }
}

fn parent(dir: &Path) -> &Path {
    dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn cannot(action: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot {action} {}: {error}", PathBuf::from(path).display()))
}
