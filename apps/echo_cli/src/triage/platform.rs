//! `triage versions`, `use`, `learn` and `install`: learned triage in a platform.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::folder;
use crate::{Failure, answer, api::Api, out::Out};

const VERSIONS: &str = "/v1/triage/versions";

/// Shows where learned triage stands, and the versions that are kept.
pub fn versions(api: &Api, out: Out) -> Result<(), Failure> {
    show(&api.get(VERSIONS)?, out)
}

/// Puts a version to work; 0 is the lexicon alone.
pub fn choose(api: &Api, version: u64, out: Out) -> Result<(), Failure> {
    show(&api.post("/v1/triage/use", &json!({ "version": version }))?, out)
}

/// Has the platform learn from the decided cases.
pub fn learn(api: &Api, out: Out) -> Result<(), Failure> {
    show(&api.post("/v1/triage/learn", &json!({}))?, out)
}

/// Brings a model of `triage train`.
pub fn install(api: &Api, dir: &Path, out: Out) -> Result<(), Failure> {
    let (model, _) = folder::read(dir)?;
    let mut bytes = Vec::new();
    model.write(&mut bytes).map_err(Failure::failed)?;
    show(&api.post(VERSIONS, &json!({ "model": STANDARD.encode(bytes) }))?, out)
}

fn show(now: &Value, out: Out) -> Result<(), Failure> {
    let fields = [
        ("in force", "/in_force"),
        ("trouble", "/trouble"),
        ("decided cases", "/examples"),
        ("last tried", "/tried"),
        ("what came of it", "/said"),
    ];
    out.one(now, &fields)?;
    if out.is_json() {
        return Ok(());
    }
    out.line("")?;
    out.list(
        answer::list(now, "/versions")?,
        &[
            ("version", "/version"),
            ("origin", "/origin"),
            ("learned from", "/learned_from"),
            ("macro-F1", "/held_back/macro_f1"),
            ("answers", "/held_back/answered"),
            ("right of them", "/held_back/answered_accuracy"),
            ("made", "/made"),
        ],
    )
}
