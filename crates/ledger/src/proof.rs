//! Inclusion proofs as text (C2SP tlog-proof): made from a checkpoint and a path, checked with nothing but the key.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::{
    hash::{Hash, leaf_hash},
    note::{self, MAX_NOTE_BYTES, decimal, hash_from_base64},
    tree::verify_inclusion,
};

/// The longest proof that is read, in bytes: a note, 63 hashes and the extra line.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 64 * 1024;
/// The longest path in a tree that 64 bits can count.
const MAX_PATH: usize = 64;
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// What a proof proves: the entry is number `index` of the log `origin` as it was at `size` entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The log's name.
    pub origin: String,
    /// The entry's number, from 0.
    pub index: u64,
    /// Entries in the log when the proof was made.
    pub size: u64,
    /// The log's root then.
    pub root: [u8; 32],
}

/// Why a proof or a checkpoint does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The text is not what it should be.
    #[error("not a well-formed proof: {0}; get the file again from where it came")]
    Malformed(&'static str),
    /// The verifier key is no such.
    #[error(
        "not a verifier key: expected name+hash+base64 of an Ed25519 key, the text in the ledger's log.vkey"
    )]
    Vkey,
    /// The key has not signed the checkpoint.
    #[error("the checkpoint is not signed by the key of {name}: check that the key belongs to this ledger")]
    Unsigned {
        /// The key's name.
        name: String,
    },
    /// The key's signature is wrong.
    #[error(
        "the signature of {name} on the checkpoint is wrong: the checkpoint was changed, do not trust it"
    )]
    Signature {
        /// The key's name.
        name: String,
    },
    /// The checkpoint is of another log.
    #[error("the checkpoint is of the ledger {found}, not of {expected}: use the proof of the right ledger")]
    Origin {
        /// What the checkpoint says.
        found: String,
        /// What the key says.
        expected: String,
    },
    /// The entry is not in the log at that place.
    #[error(
        "the entry is not number {index} of the ledger's {size} entries: entry or proof was changed, do not trust it"
    )]
    NotIncluded {
        /// The number that the proof claims.
        index: u64,
        /// The size in the checkpoint.
        size: u64,
    },
    /// The older log is not a prefix of the newer one.
    #[error(
        "the ledger of {from} entries is not the beginning of the one of {to}: its history was changed, do not trust it"
    )]
    Inconsistent {
        /// The older size.
        from: u64,
        /// The newer size.
        to: u64,
    },
}

pub(crate) fn malformed(what: &'static str) -> ProofError {
    ProofError::Malformed(what)
}

/// The text of a proof; `checkpoint` is a signed note.
pub(crate) fn render(index: u64, path: &[Hash], checkpoint: &str) -> String {
    let mut text = format!("{HEADER}\nindex {index}\n");
    for hash in path {
        writeln!(text, "{}", STANDARD.encode(hash)).expect("writing to a string cannot fail");
    }
    text.push('\n');
    text.push_str(checkpoint);
    text
}

/// Checks offline that `entry` is in the log that `vkey` names. `text` is a C2SP tlog-proof; its `extra` line, if
/// any, is not authenticated and is ignored.
pub fn verify_tlog_proof(text: &str, entry: &[u8], vkey: &str) -> Result<Verified, ProofError> {
    if text.len() > MAX_PROOF_BYTES {
        return Err(malformed("it is too long"));
    }
    let (head, checkpoint) = text
        .split_once("\n\n")
        .ok_or_else(|| malformed("no empty line separates the path from the checkpoint"))?;
    let (index, path) = parse_head(head)?;
    let checkpoint = note::open(checkpoint, &vkey.parse()?)?;
    if !verify_inclusion(leaf_hash(entry), index, checkpoint.size, &path, &checkpoint.root) {
        return Err(ProofError::NotIncluded { index, size: checkpoint.size });
    }
    Ok(Verified { origin: checkpoint.origin, index, size: checkpoint.size, root: checkpoint.root })
}

/// The index and the path, from all that comes before the empty line.
fn parse_head(head: &str) -> Result<(u64, Vec<Hash>), ProofError> {
    let mut lines = head.split('\n').peekable();
    if lines.next() != Some(HEADER) {
        return Err(malformed("its first line is not c2sp.org/tlog-proof@v1"));
    }
    if let Some(extra) = lines.next_if(|l| l.starts_with("extra ")) {
        STANDARD.decode(&extra["extra ".len()..]).map_err(|_| malformed("its extra line is not base64"))?;
    }
    let index = lines
        .next()
        .and_then(|l| l.strip_prefix("index "))
        .and_then(decimal)
        .ok_or_else(|| malformed("it has no index line"))?;
    let path: Vec<Hash> = lines
        .take(MAX_PATH + 1)
        .map(|l| hash_from_base64(l).ok_or_else(|| malformed("a line of its path is not a hash in base64")))
        .collect::<Result<_, _>>()?;
    if path.len() > MAX_PATH {
        return Err(malformed("its path is longer than any tree is high"));
    }
    Ok((index, path))
}
