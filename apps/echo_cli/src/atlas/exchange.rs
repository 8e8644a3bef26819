//! `bundle copy`, `bundle diff`, `bundle patch`.

use std::path::Path;

use bundle::{Bundle, Chunks as _, Delta};
use serde_json::json;

use super::{
    refused,
    told::{Progress, size},
};
use crate::{Failure, out::Out};

/// Copies, or goes on copying.
pub fn copy(from: &Path, to: &Path, out: Out) -> Result<(), Failure> {
    let mut progress = Progress::new(std::fs::metadata(from).map_or(0, |found| found.len()));
    let copied = bundle::copy(from, to, &mut |done| progress.at("copied", done)).map_err(refused)?;
    drop(progress);
    if out.is_json() {
        return out.json(&copied);
    }
    out.line(&format!(
        "{} is whole: {} were there, {} were written",
        to.display(),
        size(copied.kept),
        size(copied.written)
    ))
}

/// Writes a delta.
pub fn diff(old: &Path, new: &Path, to: &Path, out: Out) -> Result<(), Failure> {
    let mut from = Bundle::open(old).map_err(refused)?;
    let mut into = Bundle::open(new).map_err(refused)?;
    let mut progress = Progress::new(into.head().manifest.chunk_bytes());
    let made =
        bundle::diff(&mut from, &mut into, to, &mut |done| progress.at("packed", done)).map_err(refused)?;
    drop(progress);
    if out.is_json() {
        return out.json(&made);
    }
    out.line(&format!(
        "{}: {} from version {} to {}; {} changed files, {} of new content",
        to.display(),
        size(made.bytes),
        from.head().manifest.version,
        into.head().manifest.version,
        made.changed,
        size(made.content),
    ))
}

/// Makes the newer bundle.
pub fn patch(old: &Path, delta: &Path, to: &Path, out: Out) -> Result<(), Failure> {
    let mut from = Bundle::open(old).map_err(refused)?;
    let mut delta = Delta::open(delta).map_err(refused)?;
    let mut progress = Progress::new(delta.head().manifest.chunk_bytes());
    let bytes =
        delta.write_bundle(&mut from, to, &mut |done| progress.at("written", done)).map_err(refused)?;
    drop(progress);
    let head = delta.head();
    if out.is_json() {
        return out.json(&json!({"version": head.manifest.version, "manifest": head.digest, "bytes": bytes}));
    }
    out.line(&format!(
        "{}: version {}, {}, manifest {}",
        to.display(),
        head.manifest.version,
        size(bytes),
        head.digest
    ))
}
