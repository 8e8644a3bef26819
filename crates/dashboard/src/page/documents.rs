//! `/documents`: what can be read here, and a search through all of it; `/documents/{name}`: one document.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    response::Html,
};
use desk::{Desk, DocumentBrief, DocumentHit, Origin};
use serde::Deserialize;

use super::html;
use crate::{caller::Visitor, failure::Failure, frame::Frame, markdown, markdown::Rendered, piece};

/// How many bytes of a document one page shows.
const PART: usize = 256 * 1024;
/// The longest passage that a search shows, in characters.
const PASSAGE: usize = 320;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    search: Option<String>,
}

#[derive(Template)]
#[template(path = "documents.html")]
struct DocumentsPage {
    frame: Frame,
    search: String,
    hits: Vec<DocumentHit>,
    signed: Vec<DocumentBrief>,
    manual: Vec<DocumentBrief>,
    own: Vec<DocumentBrief>,
}

pub(crate) async fn list(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Query(asked): Query<Asked>,
) -> Result<Html<String>, Failure> {
    let search = asked.search.unwrap_or_default().trim().to_owned();
    let mut hits = desk.search_documents(&principal, &search).await?;
    for hit in &mut hits {
        hit.text = shortened(&hit.text);
    }
    let (mut signed, mut manual, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for brief in desk.documents(&principal).await? {
        match brief.origin {
            Origin::Signed => signed.push(brief),
            Origin::Manual => manual.push(brief),
            Origin::Own => own.push(brief),
        }
    }
    let frame = Frame::new("Documents", "/documents", principal, desk.now());
    html(&DocumentsPage { frame, search, hits, signed, manual, own })
}

fn shortened(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(PASSAGE) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// Which part of a long document.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Part {
    part: Option<usize>,
}

#[derive(Template)]
#[template(path = "document.html")]
struct DocumentPage {
    frame: Frame,
    brief: DocumentBrief,
    rendered: Rendered,
    part: usize,
    parts: usize,
}

pub(crate) async fn page(
    State(desk): State<Desk>,
    Visitor(principal): Visitor,
    Path(name): Path<String>,
    Query(part): Query<Part>,
) -> Result<Html<String>, Failure> {
    let document = desk.read_document(&principal, &name).await?;
    let parts = parts(&document.text);
    let part = part.part.unwrap_or(1).clamp(1, parts.len());
    let folder = folder_of(&document.brief);
    let place = |link: &str| folder.and_then(|folder| place(folder, link));
    let rendered = markdown::render(parts[part - 1], &place);
    let title = document.brief.title.clone();
    let frame = Frame::new(title, "/documents", principal, desk.now());
    html(&DocumentPage { frame, rendered, part, parts: parts.len(), brief: document.brief })
}

/// The parts of a text: each ends before a heading of the second level, where there is one, or else with a line.
fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > PART {
        let most = rest.floor_char_boundary(PART);
        let cut = rest[..most].rfind("\n## ").or_else(|| rest[..most].rfind('\n')).map_or(most, |at| at + 1);
        let (now, later) = rest.split_at(cut.max(1));
        parts.push(now);
        rest = later;
    }
    parts.push(rest);
    parts
}

/// The folder in the repository that a document's links start from; the operator's own lead nowhere.
fn folder_of(brief: &DocumentBrief) -> Option<&str> {
    match brief.origin {
        Origin::Signed => Some("atlas_os/documents"),
        Origin::Manual => Some(brief.name.rsplit_once('/').map_or("", |(folder, _)| folder)),
        Origin::Own => None,
    }
}

/// Where a relative link to a Markdown file leads.
fn place(folder: &str, link: &str) -> Option<String> {
    let (path, anchor) =
        link.split_once('#').map_or((link, String::new()), |(path, at)| (path, format!("#{at}")));
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.strip_suffix(".md")?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    let name = path.strip_prefix("atlas_os/documents/").unwrap_or(&path);
    let known = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_'));
    known.then(|| format!("/documents/{name}{anchor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_between_documents_lead_to_their_pages() {
        let signed = "atlas_os/documents";
        assert_eq!(place(signed, "licences.md").as_deref(), Some("/documents/licences"));
        assert_eq!(place(signed, "../../docs/mesh.md#paths").as_deref(), Some("/documents/docs/mesh#paths"));
        assert_eq!(
            place("docs", "../atlas_os/documents/handbook.md").as_deref(),
            Some("/documents/handbook")
        );
        assert_eq!(place("", "docs/cli.md").as_deref(), Some("/documents/docs/cli"));
        for nowhere in ["LICENSE", "../../../x.md", "a%2e.md", "//example.org/x.md?"] {
            assert_eq!(place(signed, nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn a_long_document_is_cut_before_its_headings_and_nothing_is_lost() {
        let text = format!("# T\n\n## A\n{}\n## B\n{}", "x".repeat(PART - 40), "é\n".repeat(PART));
        let parts = parts(&text);
        assert_eq!(parts.concat(), text);
        assert!(parts[1].starts_with("## B") && parts.iter().all(|part| part.len() <= PART));
    }
}
