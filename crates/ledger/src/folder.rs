//! Reads and proves from a ledger's folder with nothing but the verifier key: no writer, no lock, no network.

use std::path::Path;

use crate::{
    edge::Edge,
    error::{LedgerError, RESTORE_FOLDER},
    note::{self, Checkpoint, MAX_NOTE_BYTES, Vkey},
    proof::{self, Verified},
    reader::{self, Reader},
    recovery::CHECKPOINT,
    tree,
};

/// The signed head of the log in `dir`, and its note.
pub(crate) fn head(dir: &Path, vkey: &Vkey) -> Result<(Checkpoint, String), LedgerError> {
    let path = dir.join(CHECKPOINT);
    let broken = |what: String| LedgerError::damaged(path.clone(), what, RESTORE_FOLDER);
    let note =
        durable::read(&path, MAX_NOTE_BYTES as u64)?.ok_or_else(|| broken("it is missing".to_owned()))?;
    let note = String::from_utf8(note).map_err(|_| broken("it is not text".to_owned()))?;
    let head = note::open(&note, vkey).map_err(|e| broken(e.to_string()))?;
    Ok((head, note))
}

/// The head of the log in `dir`, its note, and the right edge that leads to its root.
fn open(dir: &Path, vkey: &str) -> Result<(Checkpoint, String, Edge), LedgerError> {
    let (head, note) = head(dir, &vkey.parse().map_err(LedgerError::Key)?)?;
    let edge = Edge::load(head.size, |tile| reader::hashes(dir, tile))?;
    if edge.root() != head.root {
        let what = "the tiles do not lead to the root that it signs (a check of the whole ledger says which)";
        return Err(LedgerError::damaged(dir.join(CHECKPOINT), what, RESTORE_FOLDER));
    }
    Ok((head, note, edge))
}

/// The inclusion proof of entry `index` of the log in `dir`, as C2SP tlog-proof text.
pub fn prove(dir: &Path, vkey: &str, index: u64) -> Result<String, LedgerError> {
    let (head, note, edge) = open(dir, vkey)?;
    inclusion(&Reader::new(dir, &edge), index, head.size, &note)
}

/// As [`prove`], under an earlier head of the log: `note` is its checkpoint, with whatever cosignatures it has.
pub fn prove_under(dir: &Path, vkey: &str, index: u64, note: &str) -> Result<String, LedgerError> {
    let head = note::verify_checkpoint(note, vkey).map_err(LedgerError::Unproven)?;
    let (newest, _, edge) = open(dir, vkey)?;
    if head.size > newest.size {
        return Err(LedgerError::NoSuchSize { from: head.size, to: head.size, size: newest.size });
    }
    let reader = Reader::new(dir, &edge);
    if reader.root_at(head.size)? != head.root {
        let wrong = proof::ProofError::Inconsistent { from: head.size, to: newest.size };
        return Err(LedgerError::Unproven(wrong));
    }
    inclusion(&reader, index, head.size, note)
}

/// The text of the inclusion proof of entry `index` under `checkpoint`, which has `size` entries.
pub(crate) fn inclusion(
    reader: &Reader<'_>,
    index: u64,
    size: u64,
    checkpoint: &str,
) -> Result<String, LedgerError> {
    if index >= size {
        return Err(LedgerError::NoSuchEntry { index, size });
    }
    let path = tree::inclusion(reader, index, size)?;
    Ok(proof::render(index, &path, checkpoint))
}

/// A proof between two sizes of one log, and the roots that it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consistency {
    /// The root at the older size.
    pub from_root: [u8; 32],
    /// The root at the newer size.
    pub to_root: [u8; 32],
    /// The proof (RFC 6962, section 2.1.2), for [`crate::verify_consistency`].
    pub proof: Vec<[u8; 32]>,
}

/// The proof that the log in `dir`, as it was at `from` entries, is the beginning of what it was at `to`.
pub fn consistency(dir: &Path, vkey: &str, from: u64, to: u64) -> Result<Consistency, LedgerError> {
    let (head, _, edge) = open(dir, vkey)?;
    let size = head.size;
    if from > to || to > size {
        return Err(LedgerError::NoSuchSize { from, to, size });
    }
    let reader = Reader::new(dir, &edge);
    Ok(Consistency {
        from_root: reader.root_at(from)?,
        to_root: reader.root_at(to)?,
        proof: tree::consistency(&reader, from, to)?,
    })
}

/// Checks that `entry` is number `index` of the log in `dir`, down from the signed root.
pub fn verify_entry(dir: &Path, vkey: &str, index: u64, entry: &[u8]) -> Result<Verified, LedgerError> {
    let proof = prove(dir, vkey, index)?;
    proof::verify_tlog_proof(&proof, entry, vkey).map_err(LedgerError::Unproven)
}
