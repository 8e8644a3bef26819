//! The library's folder: Markdown files, each document's card beside them.
//!
//! The memory reads every `.md` and `.txt` file of the folder, those among them that somebody put there by hand. A card
//! is written before the files that it names, and goes after them, so whatever a crash leaves can be removed or added again.

use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};

use durable::Mode;
use echo_core::{Digest, Timestamp};

use crate::{CARD_ENDING, Card, Format, LibraryError, MAX_CARD, MAX_PART, Reading, documents, slug};

/// The most text files in the folder: the memory reads no more.
pub const MAX_FILES: usize = 1_000;
/// The most bytes of a title.
const MAX_TITLE: usize = 160;
/// The most notes, and the most bytes of one; the same for what a file says about itself.
const MAX_NOTES: usize = 20;
const MAX_NOTE: usize = 400;
/// Who holds this is the only one who changes the folder.
const LOCK: &str = ".library.lock";

/// The folder.
#[derive(Debug)]
pub struct Shelf {
    folder: PathBuf,
}

/// A document to be added.
#[derive(Debug)]
pub struct New<'a> {
    /// What it shall be called.
    pub name: &'a str,
    /// What its file is called.
    pub file: &'a str,
    /// What kind of file it is.
    pub format: Format,
    /// The file's SHA-256.
    pub digest: Digest,
    /// The file's size.
    pub bytes: u64,
    /// What was read of it.
    pub reading: &'a Reading,
    /// When.
    pub now: Timestamp,
}

impl Shelf {
    /// The library in `folder`, which is made where there is none.
    pub fn open(folder: &Path) -> Result<Self, LibraryError> {
        durable::create_folder(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The cards, by name; and why a card could not be read.
    pub fn cards(&self) -> Result<(Vec<Card>, Vec<LibraryError>), LibraryError> {
        let (mut cards, mut bad) = (Vec::new(), Vec::new());
        for name in self.names()?.iter().filter_map(|name| name.strip_suffix(CARD_ENDING)) {
            match self.card(name) {
                Ok(Some(card)) => cards.push(card),
                Ok(None) => {}
                Err(error) => bad.push(error),
            }
        }
        Ok((cards, bad))
    }

    /// The card of that name, if there is one.
    pub fn card(&self, name: &str) -> Result<Option<Card>, LibraryError> {
        if slug(name).as_deref() != Some(name) {
            return Err(LibraryError::Name(name.to_owned()));
        }
        let path = self.card_path(name);
        let Some(bytes) = durable::read(&path, MAX_CARD)? else { return Ok(None) };
        let bad = |why: String| LibraryError::Card { path: path.clone(), why };
        let card: Card = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if card.name != name || !card.files.iter().all(|file| is_file_of(name, file)) {
            return Err(bad("it names files that are not its own".to_owned()));
        }
        Ok(Some(card))
    }

    /// Adds a document, in the place of one that has the same name; whether there was one.
    pub fn add(&self, new: &New<'_>) -> Result<(Card, bool), LibraryError> {
        let _alone = self.alone()?;
        let before = self.card(new.name)?;
        let title = shortened(new.reading.title.as_deref().unwrap_or(new.file), MAX_TITLE);
        let texts = documents(&title, &new.reading.parts, MAX_PART);
        let files: Vec<String> = (1..=texts.len()).map(|number| file_name(new.name, number)).collect();
        let old: Vec<String> = before.as_ref().map(|card| card.files.clone()).unwrap_or_default();
        self.check_room(&files, &old)?;
        let short = |notes: &Vec<String>| {
            notes.iter().take(MAX_NOTES).map(|note| shortened(note, MAX_NOTE)).collect()
        };
        let about = new.reading.about.iter().take(MAX_NOTES);
        let mut card = Card {
            name: new.name.to_owned(),
            file: shortened(new.file, MAX_NOTE),
            format: new.format,
            digest: new.digest,
            bytes: new.bytes,
            title,
            held: new.reading.held,
            taken: new.reading.parts.len() as u64,
            files: files.iter().chain(&old).cloned().collect::<BTreeSet<_>>().into_iter().collect(),
            about: about.map(|(what, said)| (shortened(what, MAX_NOTE), shortened(said, MAX_NOTE))).collect(),
            notes: short(&new.reading.notes),
            added: new.now,
        };
        self.write_card(&card)?;
        for (file, text) in files.iter().zip(&texts) {
            durable::write(&self.folder.join(file), text.as_bytes(), Mode::Private)?;
        }
        for gone in old.iter().filter(|file| !files.contains(file)) {
            self.remove_file(gone)?;
        }
        card.files = files;
        self.write_card(&card)?;
        Ok((card, before.is_some()))
    }

    /// Takes a document out, with its files.
    pub fn remove(&self, name: &str) -> Result<Card, LibraryError> {
        let _alone = self.alone()?;
        let card = self.card(name)?.ok_or_else(|| LibraryError::Missing(name.to_owned()))?;
        for file in &card.files {
            self.remove_file(file)?;
        }
        self.remove_file(&format!("{name}{CARD_ENDING}"))?;
        durable::sync_folder(&self.folder)?;
        Ok(card)
    }

    /// Refuses what would take the place of a file that is not the document's, or is more than the memory reads.
    fn check_room(&self, files: &[String], old: &[String]) -> Result<(), LibraryError> {
        let there = self.names()?;
        if let Some(taken) = files.iter().find(|file| there.contains(*file) && !old.contains(file)) {
            return Err(LibraryError::Taken(self.folder.join(taken)));
        }
        let others = there.iter().filter(|name| is_text(name) && !old.contains(name)).count();
        if others + files.len() > MAX_FILES {
            return Err(LibraryError::Full(others + files.len()));
        }
        Ok(())
    }

    fn names(&self) -> Result<BTreeSet<String>, LibraryError> {
        let failed = |source| LibraryError::Io { what: "list", path: self.folder.clone(), source };
        let listed = fs::read_dir(&self.folder).map_err(failed)?;
        Ok(listed.filter_map(Result::ok).filter_map(|entry| entry.file_name().into_string().ok()).collect())
    }

    fn card_path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}{CARD_ENDING}"))
    }

    fn write_card(&self, card: &Card) -> Result<(), LibraryError> {
        let mut json = serde_json::to_vec_pretty(card).expect("a card of strings and numbers is always JSON");
        json.push(b'\n');
        Ok(durable::write(&self.card_path(&card.name), &json, Mode::Private)?)
    }

    fn remove_file(&self, name: &str) -> Result<(), LibraryError> {
        let path = self.folder.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(LibraryError::Io { what: "remove", path, source })
            }
            _ => Ok(()),
        }
    }

    /// Waits until nobody else changes the folder.
    fn alone(&self) -> Result<File, LibraryError> {
        let path = self.folder.join(LOCK);
        let failed = |what, source| LibraryError::Io { what, path: path.clone(), source };
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| failed("open", source))?;
        file.lock().map_err(|source| failed("lock", source))?;
        Ok(file)
    }
}

/// The `number`-th text file of a document, from 1.
fn file_name(name: &str, number: usize) -> String {
    if number == 1 { format!("{name}.md") } else { format!("{name}.{number}.md") }
}

/// Whether `file` is one that [`file_name`] makes.
fn is_file_of(name: &str, file: &str) -> bool {
    let rest = file.strip_prefix(name).and_then(|rest| rest.strip_suffix(".md"));
    rest.is_some_and(|rest| {
        rest.is_empty()
            || rest.strip_prefix('.').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// Whether the memory reads a file of that name.
fn is_text(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "md" || ending == "txt")
}

/// A text on one line, cut.
fn shortened(text: &str, most: usize) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let mut line = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    line.truncate(line.floor_char_boundary(most));
    line
}

#[cfg(test)]
mod tests;
