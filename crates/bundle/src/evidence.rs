//! What a bundle carries about the ledger: its entry, the proof of it, and whose witnesses may have cosigned.
//!
//! It stands behind the chunks, for it comes later: a bundle is built, entered, cosigned. Adding it changes no byte
//! before it, and two builds from the same inputs stay equal up to there.

use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use echo_core::Timestamp;
use ledger::{Entry, MAX_ECHO_ENTRY_BYTES, MAX_PROOF_BYTES, verify_tlog_proof};
use serde::Serialize;
use trust::Registry;
use witness::MAX_POLICY_BYTES;

use crate::{
    Bundle, BundleError, Head, Refusal,
    content::Chunks as _,
    error::failed,
    reader::{exactly, read_entry},
    tape,
};

/// The kind of a bundle's entry in the genesis ledger.
pub const ENTRY_KIND: &str = "bundle";
/// The entries behind the chunks, in their order, with the most bytes of each.
const ENTRIES: [(&str, u64); 3] = [
    ("cosignatures/entry.json", MAX_ECHO_ENTRY_BYTES as u64),
    ("cosignatures/proof.txt", MAX_PROOF_BYTES as u64),
    ("cosignatures/policy.txt", MAX_POLICY_BYTES as u64),
];
/// The name of the ledger in the trust registry.
const LEDGER: &str = "genesis";

/// What a bundle carries about the ledger. Not believed before [`Evidence::check`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The bytes of the ledger's entry.
    pub entry: Vec<u8>,
    /// The proof that the entry is in the ledger (C2SP tlog-proof), with the cosignatures on its checkpoint.
    pub proof: String,
    /// The witnesses that its maker asks, as a policy (C2SP tlog-policy); may be empty.
    pub policy: String,
}

/// A bundle's place in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entered {
    /// The ledger's name.
    pub ledger: String,
    /// The number of the entry, from 0.
    pub index: u64,
    /// The entries of the ledger under the checkpoint.
    pub size: u64,
    /// When it was entered.
    pub at: Timestamp,
}

impl Evidence {
    /// The bundle's place in the genesis ledger that `registry` names.
    pub(crate) fn check(&self, head: &Head, registry: &Registry) -> Result<Entered, Refusal> {
        let log = registry.logs.get(LEDGER).ok_or(Refusal::NoLedger)?;
        let proven = verify_tlog_proof(&self.proof, &self.entry, &log.vkey)?;
        let entry = Entry::from_bytes(&self.entry)?;
        if entry.kind != ENTRY_KIND || entry.digest != head.digest {
            return Err(Refusal::OtherEntry(format!("the {} {}", entry.kind, entry.id)));
        }
        Ok(Entered { ledger: proven.origin, index: proven.index, size: proven.size, at: entry.at })
    }

    /// The checkpoint with its cosignatures (C2SP tlog-proof: it follows the first empty line).
    pub(crate) fn checkpoint(&self) -> &str {
        self.proof.split_once("\n\n").map_or("", |(_, note)| note)
    }

    fn files(&self) -> [&[u8]; 3] {
        [&self.entry, self.proof.as_bytes(), self.policy.as_bytes()]
    }
}

/// The bytes that follow the chunks.
pub fn tail(evidence: Option<&Evidence>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for ((name, _), content) in ENTRIES.iter().zip(evidence.map(Evidence::files).into_iter().flatten()) {
        bytes.extend(tape::entry(name, content));
    }
    bytes.extend(tape::END);
    bytes
}

/// Reads what follows the chunks, up to the end of the file.
pub fn read(
    name: &str,
    source: &mut impl Read,
    mut at: u64,
    length: u64,
) -> Result<Option<Evidence>, BundleError> {
    let torn = |end: u64| BundleError::Torn { name: name.to_owned(), at: length, length: end };
    let damaged =
        |at: u64, why: &str| BundleError::Damaged { name: name.to_owned(), at, why: why.to_owned() };
    let end = tape::END.len() as u64;
    if length < at + end {
        return Err(torn(at + end));
    }
    let evidence = if length == at + end {
        None
    } else {
        let mut files = Vec::new();
        for (entry, limit) in ENTRIES {
            files.push(read_entry(name, source, &mut at, length, entry, limit)?);
        }
        let mut files = files.into_iter();
        let mut next = || files.next().unwrap_or_default();
        let entry = next();
        let mut text = || {
            String::from_utf8(next()).map_err(|_| damaged(at, "what it says about the ledger is not text"))
        };
        Some(Evidence { entry, proof: text()?, policy: text()? })
    };
    if length < at + end {
        return Err(torn(at + end));
    }
    let mut found = tape::END;
    exactly(name, source, length, at + end, &mut found)?;
    if found != tape::END || length != at + end {
        return Err(damaged(at, "something stands at its end that does not belong there"));
    }
    Ok(evidence)
}

/// Puts `evidence` behind the chunks of the bundle at `path`, in the place of what was there. Torn by a power cut, the
/// end is written anew by the next call.
pub fn attach(path: &Path, evidence: &Evidence) -> Result<(), BundleError> {
    let bundle = Bundle::open(path)?;
    let (at, length) = (bundle.chunks_end(), bundle.length());
    if length < at {
        return Err(BundleError::Torn { name: bundle.name().to_owned(), at: length, length: at });
    }
    let write = |mut file: File| {
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&tail(Some(evidence)))?;
        let end = file.stream_position()?;
        file.set_len(end)?;
        file.sync_all()
    };
    OpenOptions::new().write(true).open(path).and_then(write).map_err(failed("write", path))
}
