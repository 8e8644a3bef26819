//! Documents as sources of the memory: those that come with Echo, and the operator's own in the memory's folder.
//!
//! The library puts its texts there too (`echo_cli library add`). A file at a time is read, so that many large ones take
//! time and no memory.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
    time::UNIX_EPOCH,
};

use echo_core::{Digest, Timestamp};
use memory::{Owner, SourceKind};

use crate::{
    Desk, DeskError,
    recall::{FOLDER, Read},
    shipped::TEXTS,
};

/// Where an operator puts documents, in the memory's folder.
const DOCUMENTS: &str = "documents";
/// The most documents of an operator.
const MAX_DOCUMENTS: usize = library::MAX_FILES;
/// The most bytes of one.
const MAX_DOCUMENT: u64 = memory::MAX_TEXT_BYTES as u64;
/// The one document that is not remembered: its names of hundreds of strangers' libraries would answer everything.
const NOT_REMEMBERED: &str = "licences";

macro_rules! manual {
    ($($path:literal),* $(,)?) => {
        /// The manual, which is what Echo knows about itself: path and text.
        pub(crate) const MANUAL: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../../", $path)))),*];
    };
}

manual![
    "README.md",
    "ARCHITECTURE.md",
    "docs/a2a.md",
    "docs/advice.md",
    "docs/agent-keys.md",
    "docs/attestations.md",
    "docs/backup.md",
    "docs/cli.md",
    "docs/documents.md",
    "docs/erasure.md",
    "docs/image.md",
    "docs/ledgers.md",
    "docs/library.md",
    "docs/mcp.md",
    "docs/memory.md",
    "docs/mesh.md",
    "docs/models.md",
    "docs/offline.md",
    "docs/openai.md",
    "docs/rotation.md",
    "docs/schedule.md",
    "docs/settings.md",
    "docs/skills.md",
    "docs/triage.md",
    "docs/trust.md",
    "docs/vault.md",
    "docs/witness.md",
];

/// The folder of a home with the operator's own documents.
pub(crate) fn folder(home: &Path) -> PathBuf {
    home.join(FOLDER).join(DOCUMENTS)
}

impl Desk {
    /// Looks for documents anew when their folder was changed since it was looked at last: a name came or went.
    pub(crate) async fn look_at_documents(&self) -> Result<(), DeskError> {
        let seen = &self.memory_room().folder_seen;
        let now = changed(&folder(self.home()));
        if seen.swap(now, Ordering::Relaxed) == now {
            return Ok(());
        }
        let tidied = self.tidy_memory().await;
        if tidied.is_err() {
            seen.store(0, Ordering::Relaxed);
        }
        tidied
    }
}

/// When a folder was changed last, in nanoseconds since 1970; 0 where there is none.
fn changed(folder: &Path) -> i64 {
    let at = fs::metadata(folder).and_then(|folder| folder.modified()).ok();
    let since = at.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

/// What comes with Echo and is remembered: path and text.
fn shipped() -> impl Iterator<Item = (String, &'static str)> {
    let manual = MANUAL.iter().map(|(path, text)| ((*path).to_owned(), *text));
    let signed = TEXTS.iter().filter(|(name, _)| *name != NOT_REMEMBERED);
    manual.chain(signed.map(|(name, text)| (format!("atlas_os/documents/{name}.md"), *text)))
}

/// Every document by its id, with the digest of what it says now. One that cannot be read is left out and told.
pub(crate) fn digests(folder: &Path) -> Result<BTreeMap<String, Digest>, DeskError> {
    durable::create_folder(folder)?;
    let mut out = BTreeMap::new();
    for (path, text) in shipped() {
        let (id, read) = document(&path, text.to_owned(), Timestamp::UNIX_EPOCH);
        out.insert(id, read.digest());
    }
    for (file, _) in own_files(folder)? {
        match own(folder, &file) {
            Ok(Some(text)) => {
                let (id, read) = document(&format!("own/{file}"), text, Timestamp::UNIX_EPOCH);
                out.insert(id, read.digest());
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(file, %error, "the document is left out"),
        }
    }
    Ok(out)
}

/// The document of that id; nothing when there is none, or it cannot be read.
pub(crate) fn read(folder: &Path, id: &str, at: Timestamp) -> Option<Read> {
    let name = id.strip_prefix("document/")?;
    if let Some(file) = name.strip_prefix("own/") {
        let text = own(folder, file).unwrap_or_else(|error| {
            tracing::warn!(file, %error, "the document is left out");
            None
        });
        return text.map(|text| document(name, text, at).1);
    }
    let found = shipped().find(|(path, _)| path == name);
    found.map(|(path, text)| document(&path, text.to_owned(), at).1)
}

/// The operator's documents, by the names of their files, with their sizes in bytes; the first ones when there are too many.
pub(crate) fn own_files(folder: &Path) -> Result<Vec<(String, u64)>, DeskError> {
    let listed = fs::read_dir(folder)
        .map_err(|e| DeskError::Home(format!("cannot list {}: {e}", folder.display())))?;
    let file = |entry: fs::DirEntry| {
        let about = entry.metadata().ok().filter(fs::Metadata::is_file)?;
        let Ok(name) = entry.file_name().into_string() else {
            tracing::warn!(path = %entry.path().display(), "the document's name is not UTF-8: it is left out");
            return None;
        };
        is_text(&name).then_some((name, about.len()))
    };
    let mut files: Vec<(String, u64)> = listed.filter_map(Result::ok).filter_map(file).collect();
    files.sort();
    if files.len() > MAX_DOCUMENTS {
        tracing::warn!(folder = %folder.display(), "more than {MAX_DOCUMENTS} documents: the first are read");
        files.truncate(MAX_DOCUMENTS);
    }
    Ok(files)
}

/// The text of one of the operator's documents; nothing when there is none of that name.
pub(crate) fn own(folder: &Path, file: &str) -> Result<Option<String>, DeskError> {
    if file.contains(['/', '\\', '\0']) || !is_text(file) {
        return Ok(None);
    }
    let Some(bytes) = durable::read(&folder.join(file), MAX_DOCUMENT)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|e| DeskError::Home(format!("{file} is no UTF-8 text: {e}")))
}

fn is_text(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending == "md" || ending == "txt")
}

/// A document as a source: its id, and what it says. It is called by its heading, where it has one.
fn document(name: &str, text: String, at: Timestamp) -> (String, Read) {
    let heading = text.lines().find_map(|line| line.strip_prefix("# ")).map(str::trim);
    let title = match heading {
        Some(heading) if !heading.is_empty() => format!("{heading} ({name})"),
        _ => name.to_owned(),
    };
    let (kind, owner) = (SourceKind::Document, Owner::Shared);
    (format!("document/{name}"), Read { kind, owner, title, text, at, expires: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_echo_ships_speaks_to_a_model() {
        for (path, text) in shipped() {
            // An example of a call looks like a call.
            let prose: String = text.split("```").step_by(2).collect();
            let prose: String = prose.split('`').step_by(2).collect();
            let found = hygiene::instructions(&prose);
            assert!(found.is_empty(), "{path}: {:?}", found.iter().map(|one| &one.words).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_document_is_known_by_its_heading_and_a_damaged_one_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, bytes: &[u8]| {
            durable::write(&folder.path().join(name), bytes, durable::Mode::Private).unwrap();
        };
        put("vpn.md", b"# Our VPN\n\nUse it.");
        put("bad.txt", b"\xff\xfe");
        put("other.pdf", b"%PDF");
        let at = Timestamp::UNIX_EPOCH;
        let found = read(folder.path(), "document/own/vpn.md", at).unwrap();
        assert_eq!(found.title, "Our VPN (own/vpn.md)");
        let digests = digests(folder.path()).unwrap();
        assert_eq!(digests["document/own/vpn.md"], found.digest());
        assert_eq!(digests.len(), shipped().count() + 1);
        for id in ["document/own/bad.txt", "document/own/../documents/vpn.md", "document/own/other.pdf", "x"]
        {
            assert!(read(folder.path(), id, at).is_none(), "{id}");
        }
    }

    #[test]
    fn the_licences_are_not_remembered_and_the_constitution_is() {
        let names: Vec<String> = shipped().map(|(name, _)| name).collect();
        assert!(names.iter().any(|name| name == "atlas_os/documents/constitution.md"));
        assert!(!names.iter().any(|name| name.contains(NOT_REMEMBERED)));
    }
}
