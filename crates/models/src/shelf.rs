//! The folder with the models: `models.json` with a card for each, and their files beside it.

use std::{
    fs::{self, File},
    io::{BufReader, Read, Seek as _, Write},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use durable::Mode;
use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Card, Kind, ModelError,
    gguf::{self, Header},
};

/// The list's file.
pub const LIST: &str = "models.json";
const LOCK: &str = ".models.lock";
/// The most bytes of the list.
pub const MAX_LIST: u64 = 256 * 1024;
/// The most models on a shelf.
pub const MAX_MODELS: usize = 64;
/// The most bytes of a model's file: 64 GiB.
pub const MAX_FILE: u64 = 64 << 30;
/// The longest name, licence or source, in bytes.
pub const MAX_WORD: usize = 200;
const FORMAT: &str = "echo-models-v1";
/// How many bytes are copied or hashed at a time.
const STEP: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    format: String,
    models: Vec<Card>,
}

/// What whoever adds a model says about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// What it shall be called; else what its file is called.
    pub name: Option<String>,
    /// Its licence.
    pub licence: Option<String>,
    /// Where it came from.
    pub source: Option<String>,
    /// The SHA-256 that it must have.
    pub sha256: Option<Digest>,
}

/// A folder of models. The last one added comes first: it answers when no name is said.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
    cards: Vec<Card>,
}

impl Shelf {
    /// Reads the list; a folder that is not there is an empty shelf.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let path = folder.join(LIST);
        let bad = |reason: String| ModelError::Unfit { path: path.clone(), reason };
        let cards = match durable::read(&path, MAX_LIST).map_err(|e| bad(e.to_string()))? {
            None => Vec::new(),
            Some(bytes) => {
                let list: List = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
                if list.format != FORMAT {
                    return Err(bad(format!(
                        "its format is not {FORMAT}: this program is older than the file"
                    )));
                }
                list.models
            }
        };
        for (nth, card) in cards.iter().enumerate() {
            let twice = cards[..nth].iter().any(|other| other.name == card.name);
            if twice || !is_name(&card.name) || !is_file_name(&card.file) || nth >= MAX_MODELS {
                return Err(bad(format!("the card of `{}` cannot be right: restore the file", card.name)));
            }
        }
        Ok(Self { folder: folder.to_owned(), cards })
    }

    /// What is on it, the last one added first.
    pub fn cards(&self) -> &[Card] {
        &self.cards
    }

    /// The model of a name and a kind; the first of the kind when no name is said.
    pub fn find(&self, name: Option<&str>, kind: Kind) -> Option<&Card> {
        self.cards.iter().find(|card| card.kind == kind && name.is_none_or(|name| card.name == name))
    }

    /// Where a model's file lies.
    pub fn path(&self, card: &Card) -> PathBuf {
        self.folder.join(&card.file)
    }

    /// Checks a file's header, copies it into the folder and writes its card. A crash leaves the shelf as it was, or with
    /// the model on it. A model of the same name and bytes stays as it is; one of the same name and other bytes is refused.
    pub fn add(&mut self, file: &Path, about: &About, now: Timestamp) -> Result<Card, ModelError> {
        let name = about.name.clone().unwrap_or_else(|| name_of(file));
        check_words(&name, about)?;
        let (header, mut from) = open(file)?;
        let _alone = self.lock()?;
        let (copy, sha256, bytes) = self.copy(&mut from, file)?;
        if let Some(wanted) = about.sha256.filter(|wanted| *wanted != sha256) {
            return Err(unfit(file, format!("its hash is {sha256} and not {wanted}: get it again")));
        }
        if let Some(card) = self.cards.iter().find(|card| card.name == name) {
            if card.sha256 == sha256 && self.verify(card).is_ok() {
                return Ok(card.clone());
            }
            if card.sha256 != sha256 {
                return Err(invalid(
                    "the name",
                    format!("another model is called `{name}`: choose another with --name"),
                ));
            }
        }
        let card = Card {
            file: format!("{name}.gguf"),
            name,
            kind: header.kind,
            bytes,
            sha256,
            licence: about.licence.clone(),
            source: about.source.clone(),
            architecture: header.architecture,
            context: header.context,
            width: header.width,
            added: now,
        };
        copy.persist(self.path(&card)).map_err(|e| unfit(&self.path(&card), e.error))?;
        durable::sync_folder(&self.folder).map_err(|e| unfit(&self.folder, e))?;
        let mut cards = self.cards.clone();
        cards.retain(|other| other.name != card.name);
        cards.insert(0, card.clone());
        self.write(cards)?;
        Ok(card)
    }

    /// Takes a model off the shelf, its file too.
    pub fn remove(&mut self, name: &str) -> Result<Card, ModelError> {
        let _alone = self.lock()?;
        let card = self.cards.iter().find(|card| card.name == name).cloned();
        let card = card.ok_or_else(|| ModelError::Missing { what: format!("model `{name}`") })?;
        let mut cards = self.cards.clone();
        cards.retain(|other| other.name != name);
        self.write(cards)?;
        match fs::remove_file(self.path(&card)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(unfit(&self.path(&card), error))
            }
            _ => Ok(card),
        }
    }

    /// Reads a model's file again: its header, its length and its hash must be the card's.
    pub fn verify(&self, card: &Card) -> Result<Header, ModelError> {
        let path = self.path(card);
        let (header, mut from) = open(&path)?;
        let (sha256, bytes) = hash(&mut from, &mut std::io::sink()).map_err(|e| unfit(&path, e))?;
        if (sha256, bytes) != (card.sha256, card.bytes) {
            let said = "`echo_cli model add` the right file, under another name";
            return Err(unfit(
                &path,
                format!("its hash is {sha256}, and the card says {}: {said}", card.sha256),
            ));
        }
        Ok(header)
    }

    /// Keeps other programs from changing the shelf until the file is dropped, and reads what they changed before.
    fn lock(&mut self) -> Result<File, ModelError> {
        durable::create_folder(&self.folder).map_err(|e| unfit(&self.folder, e))?;
        let path = self.folder.join(LOCK);
        let options = File::options().create(true).truncate(false).write(true).open(&path);
        let file = options.map_err(|e| unfit(&path, e))?;
        file.lock().map_err(|e| unfit(&path, e))?;
        self.cards = Self::open(&self.folder)?.cards;
        Ok(file)
    }

    fn copy(
        &self,
        from: &mut File,
        file: &Path,
    ) -> Result<(tempfile::NamedTempFile, Digest, u64), ModelError> {
        let mut copy = tempfile::Builder::new()
            .prefix(".echo-")
            .permissions(fs::Permissions::from_mode(0o444))
            .tempfile_in(&self.folder)
            .map_err(|e| unfit(&self.folder, e))?;
        let (sha256, bytes) = hash(from, &mut copy).map_err(|e| unfit(file, e))?;
        copy.as_file().sync_all().map_err(|e| unfit(&self.folder, e))?;
        Ok((copy, sha256, bytes))
    }

    fn write(&mut self, models: Vec<Card>) -> Result<(), ModelError> {
        if models.len() > MAX_MODELS {
            return Err(invalid(
                "the shelf",
                format!("it holds {MAX_MODELS} models: `echo_cli model remove` one"),
            ));
        }
        let path = self.folder.join(LIST);
        let list = List { format: FORMAT.to_owned(), models };
        let mut text = serde_json::to_string_pretty(&list).map_err(|e| unfit(&path, e))?;
        text.push('\n');
        durable::write(&path, text.as_bytes(), Mode::Public).map_err(|e| unfit(&path, e))?;
        self.cards = list.models;
        Ok(())
    }
}

/// What the system says about a file: it is the same one while none of it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stamp {
    bytes: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Stamp {
    /// Of a file that is there.
    pub fn of(path: &Path) -> Option<Self> {
        let about = fs::metadata(path).ok()?;
        Some(Self { bytes: about.len(), inode: about.ino(), changed: (about.ctime(), about.ctime_nsec()) })
    }
}

/// A file's header, and the file at its beginning.
pub(crate) fn open(path: &Path) -> Result<(Header, File), ModelError> {
    let mut file = File::open(path).map_err(|e| unfit(path, e))?;
    let about = file.metadata().map_err(|e| unfit(path, e))?;
    if !about.is_file() || about.len() > MAX_FILE {
        return Err(unfit(path, format!("it is no file of at most {} GiB", MAX_FILE >> 30)));
    }
    let header = gguf::read(BufReader::new(&file), about.len()).map_err(|e| unfit(path, e))?;
    file.rewind().map_err(|e| unfit(path, e))?;
    Ok((header, file))
}

/// Copies everything: its hash and length.
fn hash(from: &mut impl Read, to: &mut impl Write) -> std::io::Result<(Digest, u64)> {
    let (mut sha256, mut bytes, mut step) = (Sha256::new(), 0, vec![0; STEP]);
    loop {
        let read = from.read(&mut step)?;
        if read == 0 {
            return Ok((Digest(sha256.finalize().into()), bytes));
        }
        sha256.update(&step[..read]);
        to.write_all(&step[..read])?;
        bytes += read as u64;
    }
}

fn name_of(file: &Path) -> String {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().to_lowercase()).unwrap_or_default();
    stem.chars().map(|c| if is_name(c.encode_utf8(&mut [0; 4])) { c } else { '-' }).collect()
}

fn is_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    !name.is_empty() && name.len() <= MAX_WORD && name.chars().all(fine) && !name.starts_with('.')
}

fn is_file_name(file: &str) -> bool {
    file.strip_suffix(".gguf").is_some_and(is_name)
}

fn check_words(name: &str, about: &About) -> Result<(), ModelError> {
    if !is_name(name) {
        let rule = format!(
            "`{name}` is none: up to {MAX_WORD} lower-case letters, digits, `-`, `_` and `.` are taken"
        );
        return Err(invalid("the name", rule));
    }
    for word in [&about.licence, &about.source].into_iter().flatten() {
        if word.len() > MAX_WORD || word.chars().any(char::is_control) {
            return Err(invalid(
                "the licence or the source",
                format!("up to {MAX_WORD} bytes of text are taken"),
            ));
        }
    }
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "errors are handed over as they come")]
fn unfit(path: &Path, reason: impl ToString) -> ModelError {
    ModelError::Unfit { path: path.to_owned(), reason: reason.to_string() }
}

fn invalid(what: &'static str, reason: String) -> ModelError {
    ModelError::Invalid { what, reason }
}

#[cfg(test)]
mod tests;
