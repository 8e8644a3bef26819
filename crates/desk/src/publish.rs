//! Files that a person or a tool may want to read: single documents with their proofs, and signed JSON Lines.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use dossier::Kind;
use durable::Mode;
use echo_core::Timestamp;

use crate::{Desk, DeskError, DocumentRecord};

impl Desk {
    /// Writes what belongs into files for `record`, which was entered `at` a time and is at `index` of its ledger.
    /// Unless it is `fresh`, a run that was cut off may have written them before.
    pub(crate) fn publish(
        &self,
        record: &DocumentRecord,
        index: u64,
        at: Timestamp,
        fresh: bool,
    ) -> Result<(), DeskError> {
        let home = self.home();
        match record.kind {
            Kind::Finding => {
                let name = at.strftime("logs/findings-%Y-%m-%d.jsonl").to_string();
                append_once(&home.join(name), record, fresh)
            }
            Kind::Receipt | Kind::Invoice | Kind::Settlement | Kind::Fulfilment | Kind::Document => {
                let document = self.proven(record, index)?;
                let mut json = serde_json::to_vec(&document.envelope)?;
                json.push(b'\n');
                if record.kind == Kind::Fulfilment {
                    durable::write(
                        &home.join(format!("attestations/{}.json", record.subject)),
                        &json,
                        Mode::Private,
                    )?;
                }
                durable::write(&home.join(format!("ledger/{}.json", record.subject)), &json, Mode::Private)?;
                for (ending, text) in [("entry", &document.entry), ("tlog-proof", &document.proof)] {
                    let path = home.join(format!("ledger/{}.{ending}", record.subject));
                    durable::write(&path, text.as_bytes(), Mode::Private)?;
                }
                Ok(())
            }
            Kind::Attestation => {
                self.index_is_stale();
                Ok(())
            }
            Kind::AeternaCommitment | Kind::GenesisCommitment => self.write_commitment(record),
            _ => Ok(()),
        }
    }
}

/// Appends a document as one line to the day's file, unless it is there already.
fn append_once(path: &Path, record: &DocumentRecord, fresh: bool) -> Result<(), DeskError> {
    let failed = |e: std::io::Error| DeskError::Home(format!("cannot write {}: {e}", path.display()));
    let line = serde_json::to_string(&record.envelope)?;
    let file =
        OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    if !fresh && holds(&file, &line).map_err(failed)? {
        return Ok(());
    }
    // One write call, so that a crash leaves a whole line or a torn last one, which readers skip.
    (&file).write_all(format!("{line}\n").as_bytes()).map_err(failed)?;
    file.sync_data().map_err(failed)
}

fn holds(file: &File, line: &str) -> std::io::Result<bool> {
    for held in BufReader::new(file).lines() {
        if held? == line {
            return Ok(true);
        }
    }
    Ok(false)
}
