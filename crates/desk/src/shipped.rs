//! The documents that come with Echo: signed by the operator, entered into the genesis ledger, laid into the home.
//!
//! What is shown is the text within the program. The file in the home is for people and tools, and is compared with its
//! papers each time somebody looks; a start puts an altered one right again and says so in the log.

use std::path::Path;

use dossier::{Document, Kind, MAX_SHIPPED, SHIPPED_FOLDER, shipped_claim, shipped_id, verify_shipped};
use durable::Mode;
use echo_core::{Digest, Timestamp};
use ledger::{MAX_ENTRY_BYTES, MAX_PROOF_BYTES};
use serde::Serialize;
use store::Scope;
use trust::{
    Registry,
    content::{self, MAX_SIGNATURE_FILE},
};

use crate::{Desk, DeskError, DocumentRecord, desk::blocking, document::key, work::Owner};

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// The documents: name and text.
        pub(crate) const TEXTS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../atlas_os/documents/", $name, ".md")))),*];
    };
}

shipped!["constitution", "sovereignty", "handbook", "playbooks", "licences"];

/// Whether the file of a document in the home is what was signed and entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShippedState {
    /// Whether it is.
    pub holds: bool,
    /// When the ledger took this edition; nothing when it does not hold.
    pub entered: Option<Timestamp>,
    /// Why it does not hold.
    pub why: Option<String>,
}

/// What a document is called, and its title.
pub(crate) fn title_of<'a>(name: &'a str, text: &'a str) -> &'a str {
    let heading = text.lines().find_map(|line| line.strip_prefix("# ")).map(str::trim);
    heading.filter(|heading| !heading.is_empty()).unwrap_or(name)
}

impl Desk {
    /// Signs the documents of this program and owes them to the genesis ledger, unless it holds these editions.
    pub(crate) async fn enter_documents(&self) -> Result<(), DeskError> {
        let mut work = self.work("Echo").await?;
        let mut any = false;
        for (name, text) in TEXTS {
            let id = shipped_id(name, &Digest::of(text.as_bytes()));
            let record = key(Kind::Document, &id);
            if work.tx.get::<DocumentRecord>(&Scope::All, &record).await?.is_some() {
                continue;
            }
            let signer = self.signer(Kind::Document.signer())?;
            let envelope = content::sign(&format!("{name}.md"), text.as_bytes(), signer);
            work.record_signed(Kind::Document, &id, Owner::default(), envelope).await?;
            any = true;
        }
        if any { work.commit().await } else { Ok(()) }
    }

    /// Lays the documents of this program into the home, and puts back what is missing or was altered.
    pub(crate) async fn write_documents(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let mut editions = Vec::new();
        for (name, text) in TEXTS {
            let id = shipped_id(name, &Digest::of(text.as_bytes()));
            let record = tx.get::<DocumentRecord>(&Scope::All, &key(Kind::Document, &id)).await?;
            if let Some(record) = record {
                let index = self.position(&mut tx, &record).await?;
                editions.push((*name, *text, record, index));
            }
        }
        drop(tx);
        let desk = self.clone();
        blocking(move || {
            editions.iter().try_for_each(|(name, text, record, index)| desk.lay(name, text, record, *index))
        })
        .await
    }

    fn lay(&self, name: &str, text: &str, record: &DocumentRecord, index: u64) -> Result<(), DeskError> {
        let path = self.home().join(SHIPPED_FOLDER).join(format!("{name}.md"));
        let found = durable::read(&path, MAX_SHIPPED).unwrap_or_default();
        let state = state_of(self.home(), self.registry(), name);
        if found.as_deref() == Some(text.as_bytes()) && state.holds {
            return Ok(());
        }
        if let (Some(_), Some(why)) = (found, &state.why) {
            tracing::warn!(file = %path.display(), %why, "a document of this home did not hold and is put right");
        }
        durable::create_folder(&self.home().join(SHIPPED_FOLDER))?;
        let signature = serde_json::to_vec(&record.envelope)?;
        durable::write(&path, text.as_bytes(), Mode::Public)?;
        durable::write(&content::signature_path(&path), &signature, Mode::Public)?;
        self.publish(record, index, self.now(), false)
    }

    /// Whether the document's file holds.
    pub(crate) fn shipped_state(&self, name: &str) -> ShippedState {
        state_of(self.home(), self.registry(), name)
    }
}

fn state_of(home: &Path, registry: &Registry, name: &str) -> ShippedState {
    match verify_file(home, registry, name) {
        Ok(entered) => ShippedState { holds: true, entered: Some(entered), why: None },
        Err(why) => ShippedState { holds: false, entered: None, why: Some(why) },
    }
}

/// Reads a document with its papers from the home, and checks it by them alone; when the ledger took it.
fn verify_file(home: &Path, registry: &Registry, name: &str) -> Result<Timestamp, String> {
    let path = home.join(SHIPPED_FOLDER).join(format!("{name}.md"));
    let read = |path: &Path, most: u64| {
        durable::read(path, most)
            .map_err(|error| error.to_string())?
            .ok_or_else(|| format!("{} is missing: start the platform, which puts it back", path.display()))
    };
    let text = read(&path, MAX_SHIPPED)?;
    let signature = read(&content::signature_path(&path), MAX_SIGNATURE_FILE)?;
    let (envelope, id) = shipped_claim(name, &signature).map_err(|error| error.to_string())?;
    let paper = |ending: &str, most: usize| {
        let bytes = read(&home.join(format!("ledger/{id}.{ending}")), most as u64)?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    };
    let (entry, proof) = (paper("entry", MAX_ENTRY_BYTES)?, paper("tlog-proof", MAX_PROOF_BYTES)?);
    let document = Document { kind: Kind::Document, id, envelope, entry, proof };
    verify_shipped(name, &text, &document, registry).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_that_is_named_is_shipped_and_no_other() {
        let names: Vec<&str> = TEXTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, dossier::SHIPPED);
        for (name, text) in TEXTS {
            assert!(text.len() as u64 <= MAX_SHIPPED && title_of(name, text) != *name, "{name}");
        }
    }
}
