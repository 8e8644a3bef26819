//! `trust status` and `trust notices`: what the home's files say, whether or not the platform runs.

use std::path::Path;

use echo_core::{Clock as _, SystemClock};
use governance::{Ceremony, DeprecationNotice, MAX_CEREMONY_BYTES, Progress, Rotation, Standing};
use serde_json::{Value, json};
use trust::TrustChain;

use super::{failed, report};
use crate::{Failure, out::Out};

/// Lists the rotations.
pub fn run(home: &Path, out: Out) -> Result<(), Failure> {
    let rotations = governance::rotations(home).map_err(failed)?;
    let mut shown = Vec::new();
    for rotation in &rotations {
        shown.push((rotation, waits_for(home, rotation)?));
    }
    if out.is_json() {
        let values: Vec<Value> = shown.iter().map(|(r, progress)| report::value(r, progress)).collect();
        return out.json(&values);
    }
    if shown.is_empty() {
        return out.line("no key was ever rotated here");
    }
    for (rotation, progress) in shown {
        if rotation.stage.is_open() {
            report::say(rotation, &progress, out)?;
        } else {
            let roles: Vec<&str> = rotation.replacements.iter().map(|r| r.role.as_str()).collect();
            let (id, stage) = (&rotation.id, rotation.stage.as_str());
            out.line(&format!("{id} ({}): {stage} on {}", roles.join(", "), rotation.reached))?;
        }
    }
    Ok(())
}

/// What a rotation waits for, as far as that can be seen without its keys.
fn waits_for(home: &Path, rotation: &Rotation) -> Result<Progress, Failure> {
    if !rotation.stage.is_open() {
        return Ok(Progress::Done);
    }
    let chain = TrustChain::load(home).map_err(Failure::failed)?;
    let path = governance::ceremony_path(home, &rotation.id);
    if let Some(bytes) = durable::read(&path, MAX_CEREMONY_BYTES)? {
        let ceremony = Ceremony::from_json(&bytes).map_err(failed)?;
        if ceremony.follows(&chain) && !ceremony.is_complete() {
            return Ok(Progress::NeedsSignatures { ceremony: path, needs: ceremony.needs() });
        }
    }
    let ours = read(home, &chain)?.into_iter().find(|notice| notice.id == rotation.notice());
    Ok(match ours {
        Some(notice) if SystemClock.now() < notice.refuse_from => {
            Progress::Waits { until: notice.refuse_from }
        }
        _ => Progress::Moved,
    })
}

/// The notices that the operator's keys of today have signed.
pub fn read(home: &Path, chain: &TrustChain) -> Result<Vec<DeprecationNotice>, Failure> {
    let registry = chain.newest().map_err(Failure::failed)?;
    let envelopes = governance::notices(home).map_err(failed)?;
    Ok(governance::believed(&envelopes, &registry))
}

/// Lists the notices.
pub fn notices(home: &Path, out: Out) -> Result<(), Failure> {
    let chain = TrustChain::load(home).map_err(Failure::failed)?;
    let notices = read(home, &chain)?;
    let now = SystemClock.now();
    if out.is_json() {
        let values: Vec<Value> =
            notices.iter().map(|n| json!({"notice": n, "standing": standing(n.standing(now))})).collect();
        return out.json(&values);
    }
    if notices.is_empty() {
        return out.line("there are no notices");
    }
    for notice in &notices {
        out.line(&format!("{} ({})", notice.id, standing(notice.standing(now))))?;
        for gone in &notice.keys {
            out.line(&format!("  {} key {}, refused from {}", gone.role, gone.key, notice.refuse_from))?;
        }
        out.line(&format!("  {}", notice.text))?;
    }
    Ok(())
}

fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Announced => "announced",
        Standing::Warns => "warns",
        Standing::Refuses => "refuses",
    }
}
