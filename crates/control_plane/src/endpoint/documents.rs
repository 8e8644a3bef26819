//! `GET /v1/documents`, `GET /v1/documents/{name}` and `GET /v1/document-search`: what can be read here.

use std::collections::BTreeMap;

use axum::{extract::State, http::StatusCode, response::Response};
use echo_core::Page as DeskPage;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    body::json,
    caller::Caller,
    path::Part,
    problem::Problem,
    query::Asked,
    schema::{Digest, Page, Time},
    state::Shared,
};

/// A document in brief.
#[derive(ToSchema)]
pub struct DocumentBrief {
    /// What it is called.
    #[schema(example = "constitution")]
    pub name: String,
    /// Its title.
    pub title: String,
    /// Where it is from.
    pub origin: DocumentOrigin,
    /// How many bytes its text has.
    pub bytes: u64,
    /// Of a signed one: what is known about its signature.
    pub signed: Option<SignedDocument>,
    /// Of one that was added to the library: where it came from.
    pub card: Option<LibraryCard>,
}

/// What is known about a signed document.
#[derive(ToSchema)]
pub struct SignedDocument {
    /// The text's SHA-256.
    pub digest: Digest,
    /// What this edition is called in the ledger; its proof is at `/v1/documents/document/{id}`.
    pub id: String,
    /// Whether the file in the home holds.
    pub state: ShippedState,
}

/// Where a document is from.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum DocumentOrigin {
    /// It comes with Echo, signed by the operator and entered into the genesis ledger.
    Signed,
    /// A page of the manual.
    Manual,
    /// The operator's own.
    Own,
}

/// Whether the file of a signed document is what was signed and entered.
#[derive(ToSchema)]
pub struct ShippedState {
    /// Whether it is.
    pub holds: bool,
    /// When the ledger took this edition.
    pub entered: Option<Time>,
    /// Why it does not hold.
    pub why: Option<String>,
}

/// Where a document of the library came from, and what was taken of it.
#[derive(ToSchema)]
pub struct LibraryCard {
    /// What it is called in the library.
    pub name: String,
    /// What its file was called.
    pub file: String,
    /// What kind of file that was.
    pub format: LibraryFormat,
    /// The file's SHA-256.
    pub digest: Digest,
    /// The file's size in bytes.
    pub bytes: u64,
    /// Its title.
    pub title: String,
    /// How many pages or articles the file holds.
    pub held: u64,
    /// How many of them were taken.
    pub taken: u64,
    /// The files in the home that hold its text.
    pub files: Vec<String>,
    /// What it says about itself.
    #[schema(required = false)]
    pub about: BTreeMap<String, String>,
    /// What was left out, and why.
    #[schema(required = false)]
    pub notes: Vec<String>,
    /// When it was added.
    pub added: Time,
}

/// What kind of file a document came as.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub enum LibraryFormat {
    /// Markdown.
    Markdown,
    /// Plain text.
    Plain,
    /// HTML.
    Html,
    /// PDF.
    Pdf,
    /// ZIM.
    Zim,
}

/// A document with its text.
#[derive(ToSchema)]
pub struct DocumentText {
    /// What it is.
    pub brief: DocumentBrief,
    /// All of it, as Markdown.
    pub text: String,
}

/// A passage that was found.
#[derive(ToSchema)]
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

/// What to look for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DocumentQuery {
    /// The words; at most 1,000 bytes. Without any, nothing is found.
    #[param(max_length = 1000)]
    #[serde(default)]
    pub words: String,
}

/// List the documents: the signed ones that come with Echo, the manual, the library.
#[utoipa::path(
    get, path = "/v1/documents", tag = "proof", security(("bearer" = [])),
    responses((status = 200, description = "All of them, on one page.", body = Page<DocumentBrief>))
)]
pub(crate) async fn list_documents(
    State(shared): State<Shared>,
    caller: Caller,
) -> Result<Response, Problem> {
    let items = shared.desk.documents(&caller.principal).await?;
    Ok(json(StatusCode::OK, &DeskPage { items, next: None }))
}

/// Read a document of the house.
#[utoipa::path(
    get, path = "/v1/documents/{name}", tag = "proof", security(("bearer" = [])),
    params(("name" = String, Path, description = "Its name, with `%2F` for a `/`.", example = "constitution")),
    responses((status = 200, description = "The document.", body = DocumentText))
)]
pub(crate) async fn read_house_document(
    State(shared): State<Shared>,
    caller: Caller,
    Part(name): Part,
) -> Result<Response, Problem> {
    Ok(json(StatusCode::OK, &shared.desk.read_document(&caller.principal, &name).await?))
}

/// Look for passages in all documents.
#[utoipa::path(
    get, path = "/v1/document-search", tag = "proof", security(("bearer" = [])), params(DocumentQuery),
    responses((status = 200, description = "At most 20 passages, the best first.", body = Page<DocumentHit>))
)]
pub(crate) async fn search_documents(
    State(shared): State<Shared>,
    caller: Caller,
    Asked(query): Asked<DocumentQuery>,
) -> Result<Response, Problem> {
    let items = shared.desk.search_documents(&caller.principal, &query.words).await?;
    Ok(json(StatusCode::OK, &DeskPage { items, next: None }))
}
