//! The reading room: documents that come with Echo, the manual, and the operator's own library, to be listed, read and
//! searched by everybody who is signed in.
//!
//! A document of the library is shared by all customers, and so is what is quoted of it: see `docs/memory.md`.

use access::{Action, Principal};
use dossier::shipped_id;
use echo_core::Digest;
use library::{Card, Shelf};
use memory::{Query, SourceKind};
use serde::Serialize;

use crate::{
    Desk, DeskError,
    desk::blocking,
    recall::memory_error,
    recall_documents::{self, MANUAL},
    shipped::{ShippedState, TEXTS, title_of},
};

/// The most bytes of a question, and the most hits.
const MAX_WORDS: usize = 1_000;
const HITS: usize = 20;

/// Where a document is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It comes with Echo, signed by the operator of this home and entered into its ledger.
    Signed,
    /// A page of the manual, as it is in this program.
    Manual,
    /// The operator's own: put into the memory's folder, or added to the library.
    Own,
}

/// A document in brief.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentBrief {
    /// What it is called: `constitution`, `docs/mesh`, `own/vpn.md`.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Where it is from.
    pub origin: Origin,
    /// How many bytes its text has.
    pub bytes: u64,
    /// Of a signed one: its SHA-256, what its edition is called in the ledger, and whether the file in the home holds.
    pub signed: Option<SignedBrief>,
    /// Of one that was added to the library: where it came from.
    pub card: Option<Card>,
}

/// What is known about a signed document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedBrief {
    /// The text's SHA-256.
    pub digest: Digest,
    /// The ledger's name for this edition: `GET /v1/documents/document/{id}` has its proof.
    pub id: String,
    /// Whether the file in the home holds.
    pub state: ShippedState,
}

/// A document with its text.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentText {
    /// What it is.
    pub brief: DocumentBrief,
    /// All of it, as Markdown.
    pub text: String,
}

/// A passage that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentHit {
    /// The document's name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// The headings above the passage, the outermost first, with ` > ` between them.
    pub heading: String,
    /// The passage.
    pub text: String,
}

impl Desk {
    /// The documents that can be read here: the signed ones first, then the manual, then the library.
    pub async fn documents(&self, principal: &Principal) -> Result<Vec<DocumentBrief>, DeskError> {
        principal.require(Action::ReadDocument)?;
        let desk = self.clone();
        blocking(move || {
            let mut all: Vec<DocumentBrief> =
                TEXTS.iter().map(|(name, text)| desk.signed_brief(name, text)).collect();
            all.extend(MANUAL.iter().map(|(path, text)| manual_brief(path, text)));
            all.extend(own_briefs(&recall_documents::folder(desk.home()))?);
            Ok(all)
        })
        .await
    }

    /// A document with its text.
    pub async fn read_document(&self, principal: &Principal, name: &str) -> Result<DocumentText, DeskError> {
        principal.require(Action::ReadDocument)?;
        let (desk, name) = (self.clone(), name.to_owned());
        blocking(move || {
            if let Some((name, text)) = TEXTS.iter().find(|(known, _)| *known == name) {
                return Ok(DocumentText { brief: desk.signed_brief(name, text), text: (*text).to_owned() });
            }
            if let Some((path, text)) = MANUAL.iter().find(|(path, _)| manual_name(path) == name) {
                return Ok(DocumentText { brief: manual_brief(path, text), text: (*text).to_owned() });
            }
            let folder = recall_documents::folder(desk.home());
            let own =
                name.strip_prefix("own/").and_then(|file| recall_documents::own(&folder, file).transpose());
            let text = own.ok_or_else(|| DeskError::not_found("document", &name))??;
            let brief = own_briefs(&folder)?.into_iter().find(|brief| brief.name == name);
            let brief = brief.ok_or_else(|| DeskError::not_found("document", &name))?;
            Ok(DocumentText { brief, text })
        })
        .await
    }

    /// The passages of all documents that bear on some words, the best first.
    pub async fn search_documents(
        &self,
        principal: &Principal,
        words: &str,
    ) -> Result<Vec<DocumentHit>, DeskError> {
        principal.require(Action::ReadDocument)?;
        let words = words.trim();
        if words.len() > MAX_WORDS {
            return Err(DeskError::invalid("words", format!("give at most {MAX_WORDS} bytes")));
        }
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let vector = self.vector_of(words).await;
        let (customer, kinds) = (principal.customer.as_ref(), &[SourceKind::Document]);
        let query = Query { customer, text: words, vector: vector.as_deref(), kinds, limit: HITS };
        let hits = self.memory().search(&query).await.map_err(memory_error)?;
        // By meaning something is always found; what shares no word and is not near bears on nothing.
        let bears =
            |hit: &memory::Hit| hit.words_rank.is_some() || hit.similarity.is_some_and(|near| near > 0.4);
        let hit = |hit: memory::Hit| {
            let name = name_of(&hit.source)?;
            Some(DocumentHit { name, title: hit.title, heading: hit.heading, text: hit.text })
        };
        Ok(hits.into_iter().filter(bears).filter_map(hit).collect())
    }

    fn signed_brief(&self, name: &str, text: &str) -> DocumentBrief {
        let digest = Digest::of(text.as_bytes());
        let signed = SignedBrief { digest, id: shipped_id(name, &digest), state: self.shipped_state(name) };
        DocumentBrief {
            name: name.to_owned(),
            title: title_of(name, text).to_owned(),
            origin: Origin::Signed,
            bytes: text.len() as u64,
            signed: Some(signed),
            card: None,
        }
    }
}

/// What a source of the memory is called here.
fn name_of(source: &str) -> Option<String> {
    let path = source.strip_prefix("document/")?;
    if path.starts_with("own/") {
        return Some(path.to_owned());
    }
    let signed = path.strip_prefix("atlas_os/documents/").and_then(|file| file.strip_suffix(".md"));
    Some(signed.map_or_else(|| manual_name(path).to_owned(), str::to_owned))
}

/// What a page of the manual is called: its path without the ending.
fn manual_name(path: &str) -> &str {
    path.strip_suffix(".md").unwrap_or(path)
}

fn manual_brief(path: &str, text: &str) -> DocumentBrief {
    let name = manual_name(path);
    let (title, bytes) = (title_of(name, text).to_owned(), text.len() as u64);
    DocumentBrief { name: name.to_owned(), title, origin: Origin::Manual, bytes, signed: None, card: None }
}

/// The files that the operator put into the memory's folder, with the cards of those that the library added.
fn own_briefs(folder: &std::path::Path) -> Result<Vec<DocumentBrief>, DeskError> {
    let library = |error: library::LibraryError| DeskError::Home(error.to_string());
    let (cards, damaged) = Shelf::open(folder).and_then(|shelf| shelf.cards()).map_err(library)?;
    for error in damaged {
        tracing::warn!(%error, "a card of the library is left out");
    }
    let brief = |(file, bytes): (String, u64)| {
        let card = cards.iter().find(|card| card.files.contains(&file)).cloned();
        let title = card.as_ref().map_or_else(|| file.clone(), |card| card.title.clone());
        DocumentBrief { name: format!("own/{file}"), title, origin: Origin::Own, bytes, signed: None, card }
    };
    Ok(recall_documents::own_files(folder)?.into_iter().map(brief).collect())
}
