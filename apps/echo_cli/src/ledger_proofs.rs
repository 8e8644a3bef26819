//! `ledger verify`, `ledger prove`, `ledger consistency`: proofs from a ledger's folder, for whoever asks.

use std::path::{Path, PathBuf};

use clap::Args;
use echo_core::Digest;
use ledger::{Checkpoint, Entry, LedgerError, MAX_NOTE_BYTES, MAX_READ_ENTRIES};
use serde_json::json;

use crate::{
    Failure, ledger_bundle,
    ledgers::{text, vkey_of},
    out::{Colour, Out},
};

/// Which ledger, and whose.
#[derive(Debug, Args)]
pub struct Folder {
    /// The ledger's folder, such as `HOME/aeterna_ledger`
    dir: PathBuf,
    /// The verifier key; without it the folder's own `log.vkey` is believed
    #[arg(long)]
    vkey: Option<String>,
}

impl Folder {
    /// The signed head, and the key that it was checked with.
    fn head(&self) -> Result<(Checkpoint, String), Failure> {
        let vkey = vkey_of(&self.dir, self.vkey.as_deref())?;
        let head = checkpoint(&self.dir.join("checkpoint"), &vkey)?;
        Ok((head, vkey))
    }
}

/// Which entry.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Its number, from 0
    #[arg(long, value_name = "NUMBER")]
    index: Option<u64>,
    /// Its id, such as that of a receipt; the newest entry with it
    #[arg(long)]
    id: Option<String>,
}

/// `ledger verify`.
pub fn verify(folder: &Folder, old: &[PathBuf], out: Out) -> Result<(), Failure> {
    let (head, vkey) = folder.head()?;
    between(&folder.dir, &vkey, head.size, head.size)?;
    let mut kept = Vec::new();
    for path in old {
        let then = checkpoint(path, &vkey)?;
        continues(folder, &vkey, &then, &head, path)?;
        kept.push(then);
    }
    if out.is_json() {
        let kept: Vec<_> =
            kept.iter().map(|k| json!({"size": k.size, "root": Digest(k.root).hex()})).collect();
        return out.json(&json!({
            "verified": true, "origin": head.origin, "size": head.size, "root": Digest(head.root).hex(),
            "continues": kept,
        }));
    }
    let tick = out.paint(Colour::Green, "✓");
    out.painted(&format!(
        "{tick} {}: the head of {} entries is signed and belongs to the tiles",
        head.origin, head.size
    ))?;
    for then in kept {
        out.painted(&format!("{tick} it continues the ledger of {} entries", then.size))?;
    }
    Ok(())
}

/// Refuses when the ledger of `head` does not begin with the one of `then`, which was kept in `path`.
fn continues(
    folder: &Folder,
    vkey: &str,
    then: &Checkpoint,
    head: &Checkpoint,
    path: &Path,
) -> Result<(), Failure> {
    let (path, dir) = (path.display(), folder.dir.display());
    if then.size > head.size {
        return Err(Failure::unverified(format!(
            "{path} was signed over {} entries, but {dir} holds {}: its end was cut off",
            then.size, head.size
        )));
    }
    let proof = between(&folder.dir, vkey, then.size, head.size)?;
    if proof.from_root != then.root {
        return Err(Failure::unverified(format!(
            "{dir} does not begin with the {} entries that {path} was signed over: it tells another history, and both \
             are signed; keep both, they prove it",
            then.size
        )));
    }
    Ok(())
}

/// `ledger prove`: the inclusion proof of an entry, as C2SP tlog-proof text.
pub fn prove(folder: &Folder, which: &Which, out: Out) -> Result<(), Failure> {
    let (head, vkey) = folder.head()?;
    let index = match (&which.id, which.index) {
        (Some(id), _) => find(&folder.dir, head.size, id)?,
        (None, index) => index.unwrap_or_default(),
    };
    let proof = ledger::prove(&folder.dir, &vkey, index).map_err(refused)?;
    if out.is_json() {
        return out.json(&json!({"index": index, "origin": head.origin, "size": head.size, "proof": proof}));
    }
    proof.lines().try_for_each(|line| out.line(line))
}

/// The number of the newest entry with an id.
fn find(dir: &Path, size: u64, id: &str) -> Result<u64, Failure> {
    let mut end = size;
    while end > 0 {
        let from = end.saturating_sub(MAX_READ_ENTRIES as u64);
        let entries = ledger_bundle::read(dir, size, from, end)?;
        let named = |bytes: &Vec<u8>| Entry::from_bytes(bytes).is_ok_and(|entry| entry.id == id);
        if let Some(place) = entries.iter().rposition(named) {
            return Ok(from + place as u64);
        }
        end = from;
    }
    Err(Failure::failed(format!("{} holds no entry of {id}", dir.display()))
        .hint("`ledger show` lists the entries; the other ledger may have it"))
}

/// `ledger consistency`: the proof that the ledger of `from` entries is the beginning of the one of `to`.
pub fn consistency(folder: &Folder, from: u64, to: Option<u64>, out: Out) -> Result<(), Failure> {
    let (head, vkey) = folder.head()?;
    let to = to.unwrap_or(head.size);
    let found = between(&folder.dir, &vkey, from, to)?;
    let hex = |hash: &[u8; 32]| Digest(*hash).hex();
    let proof: Vec<String> = found.proof.iter().map(hex).collect();
    if out.is_json() {
        return out.json(&json!({
            "origin": head.origin, "from": from, "from_root": hex(&found.from_root), "to": to,
            "to_root": hex(&found.to_root), "proof": proof,
        }));
    }
    out.line(&format!("from {from} {}", hex(&found.from_root)))?;
    out.line(&format!("to {to} {}", hex(&found.to_root)))?;
    proof.iter().try_for_each(|hash| out.line(hash))
}

/// The proof between two sizes, once it holds.
fn between(dir: &Path, vkey: &str, from: u64, to: u64) -> Result<ledger::Consistency, Failure> {
    let found = ledger::consistency(dir, vkey, from, to).map_err(refused)?;
    ledger::verify_consistency(from, &found.from_root, to, &found.to_root, &found.proof)
        .map_err(Failure::unverified)?;
    Ok(found)
}

fn checkpoint(path: &Path, vkey: &str) -> Result<Checkpoint, Failure> {
    let note = text(path, MAX_NOTE_BYTES as u64, "check the path")?;
    ledger::verify_checkpoint(&note, vkey)
        .map_err(|e| Failure::unverified(format!("{}: {e}", path.display())))
}

fn refused(error: LedgerError) -> Failure {
    match error {
        LedgerError::Unsound { .. } | LedgerError::Damaged(_) => Failure::unverified(error),
        other => Failure::failed(other),
    }
}
