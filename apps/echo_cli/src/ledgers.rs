//! `ledger`: reads and checks ledgers and their proofs. No platform and no network.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use echo_core::Digest;
use ledger::{Entry, FsckReport, LedgerError, MAX_READ_ENTRIES};
use serde_json::{Value, json};

use crate::{
    Failure, ledger_bundle,
    ledger_proofs::{self, Folder, Which},
    out::{Colour, Out},
};

/// The most bytes of a verifier key.
const MAX_VKEY: u64 = 4 * 1024;

/// What to do with ledgers.
#[derive(Debug, Subcommand)]
pub enum Ledger {
    /// Check a whole ledger: every tile and the signed root are derived again from the entries
    Fsck {
        /// The ledger's folder, such as `HOME/genesis_ledger`
        dir: PathBuf,
        /// The verifier key; without it the folder's own `log.vkey` is believed
        #[arg(long)]
        vkey: Option<String>,
    },
    /// Print a ledger's entries
    Show {
        /// The ledger's folder
        dir: PathBuf,
        /// The number of the first entry
        #[arg(long, default_value_t = 0)]
        from: u64,
        /// How many entries at most
        #[arg(long, default_value_t = 100)]
        max: usize,
    },
    /// Check a ledger's signed head, and that the ledger continues heads that you kept
    Verify {
        #[command(flatten)]
        folder: Folder,
        /// A checkpoint that you kept; may be given several times
        #[arg(long, value_name = "FILE")]
        old: Vec<PathBuf>,
    },
    /// Print the proof that an entry is in a ledger (C2SP tlog-proof)
    Prove {
        #[command(flatten)]
        folder: Folder,
        #[command(flatten)]
        which: Which,
    },
    /// Print the proof that a ledger of some size is the beginning of a larger one (RFC 6962, section 2.1.2)
    Consistency {
        #[command(flatten)]
        folder: Folder,
        /// The older size, in entries
        #[arg(long)]
        from: u64,
        /// The newer size; without it today's
        #[arg(long)]
        to: Option<u64>,
    },
    /// Check that an entry is in a ledger (C2SP tlog-proof)
    VerifyProof {
        /// The file with the entry's bytes
        #[arg(long, value_name = "FILE")]
        entry: PathBuf,
        /// The file with the proof
        #[arg(long, value_name = "FILE")]
        proof: PathBuf,
        /// The ledger's verifier key, the text in its `log.vkey`
        #[arg(long)]
        vkey: String,
    },
}

impl Ledger {
    /// Does it.
    pub fn run(&self, out: Out) -> Result<(), Failure> {
        match self {
            Self::Fsck { dir, vkey } => fsck(dir, vkey.as_deref(), out),
            Self::Show { dir, from, max } => show(dir, *from, *max, out),
            Self::Verify { folder, old } => ledger_proofs::verify(folder, old, out),
            Self::Prove { folder, which } => ledger_proofs::prove(folder, which, out),
            Self::Consistency { folder, from, to } => ledger_proofs::consistency(folder, *from, *to, out),
            Self::VerifyProof { entry, proof, vkey } => verify_proof(entry, proof, vkey, out),
        }
    }
}

fn fsck(dir: &Path, vkey: Option<&str>, out: Out) -> Result<(), Failure> {
    let report = sound(dir, vkey)?;
    let root = Digest(report.root).hex();
    if out.is_json() {
        return out.json(&json!({
            "sound": true, "origin": report.origin, "size": report.size, "root": root,
            "bundles": report.bundles, "tiles": report.tiles, "staged": report.staged,
        }));
    }
    let FsckReport { origin, size, bundles, tiles, .. } = report;
    out.painted(&format!(
        "{} {origin}: {size} entries in {bundles} bundles lead through {tiles} tiles to the signed root {root}",
        out.paint(Colour::Green, "✓")
    ))?;
    if report.staged {
        out.line("a batch is staged; it is published when the ledger is opened next")?;
    }
    Ok(())
}

/// Checks a whole ledger, by `vkey` or the key in its folder.
pub fn sound(dir: &Path, vkey: Option<&str>) -> Result<FsckReport, Failure> {
    let vkey = vkey_of(dir, vkey)?;
    ledger::fsck(dir, &vkey).map_err(|error| match error {
        LedgerError::Unsound { .. } | LedgerError::Damaged(_) => Failure::unverified(error),
        other => Failure::failed(other),
    })
}

/// The verifier key: the given one, or the folder's own.
pub(crate) fn vkey_of(dir: &Path, vkey: Option<&str>) -> Result<String, Failure> {
    let missing = "a ledger's folder holds `checkpoint`, `log.vkey` and `tile`";
    let vkey =
        vkey.map_or_else(|| text(&dir.join("log.vkey"), MAX_VKEY, missing), |given| Ok(given.to_owned()))?;
    Ok(vkey.trim().to_owned())
}

fn show(dir: &Path, from: u64, max: usize, out: Out) -> Result<(), Failure> {
    let all = sound(dir, None)?;
    let to = from.saturating_add(max.min(MAX_READ_ENTRIES) as u64);
    let entries = ledger_bundle::read(dir, all.size, from, to)?;
    let items: Vec<Value> = (from..).zip(&entries).map(|(number, bytes)| entry(number, bytes)).collect();
    out.list(
        &items,
        &[("number", "/number"), ("at", "/at"), ("kind", "/kind"), ("id", "/id"), ("digest", "/digest")],
    )
}

fn entry(number: u64, bytes: &[u8]) -> Value {
    match Entry::from_bytes(bytes) {
        Ok(entry) => json!({
            "number": number, "kind": entry.kind, "id": entry.id, "digest": entry.digest, "at": entry.at,
        }),
        Err(_) => json!({"number": number, "kind": "-", "digest": Digest::of(bytes)}),
    }
}

fn verify_proof(entry: &Path, proof: &Path, vkey: &str, out: Out) -> Result<(), Failure> {
    let missing = "check the path";
    let bytes = durable::read(entry, ledger::MAX_ENTRY_BYTES as u64)?
        .ok_or_else(|| Failure::failed(format!("there is no file {}", entry.display())).hint(missing))?;
    let proof = text(proof, ledger::MAX_PROOF_BYTES as u64, missing)?;
    let verified = ledger::verify_tlog_proof(&proof, &bytes, vkey.trim()).map_err(Failure::unverified)?;
    if out.is_json() {
        return out.json(&json!({
            "verified": true, "origin": verified.origin, "index": verified.index, "size": verified.size,
            "root": Digest(verified.root).hex(),
        }));
    }
    out.painted(&format!(
        "{} entry {} of {} in {}",
        out.paint(Colour::Green, "✓"),
        verified.index,
        verified.size,
        verified.origin
    ))
}

/// The text of a file of at most `limit` bytes.
pub fn text(path: &Path, limit: u64, missing: &str) -> Result<String, Failure> {
    let bytes = durable::read(path, limit)?
        .ok_or_else(|| Failure::failed(format!("there is no file {}", path.display())).hint(missing))?;
    String::from_utf8(bytes).map_err(|_| Failure::failed(format!("{} is not text", path.display())))
}
