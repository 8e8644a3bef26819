//! `library`: the user's own documents, brought into a platform's home. No platform and no network.

mod child;
mod confine;

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};
use echo_core::{Digest, Mint};
use library::{Card, Format, LibraryError, Limits, New, Shelf, slug};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{Failure, out::Out, stopped};

/// The most files of one `add`, and how deep folders may lie in one another.
const MAX_ADDED: usize = 1_000;
const MAX_DEPTH: usize = 16;
/// How many bytes say what kind of file it is.
const HEAD: u64 = 1024;

/// What to do with the library.
#[derive(Debug, Subcommand)]
pub enum Library {
    /// Bring files in: PDF, ZIM (Kiwix), HTML, Markdown or text; of a folder, all that can be read
    ///
    /// Each file is opened by a process of its own that can reach nothing else. Its text is kept with its provenance,
    /// and the platform remembers it within seconds. Every customer may be quoted from it.
    Add(AddArguments),
    /// List what was added, and where it came from
    List,
    /// Take a document out; the platform forgets it within seconds
    Remove {
        /// What it is called in the list
        name: String,
    },
    /// Read a file on standard input and print its text as JSON; `add` does it in a process of its own
    #[command(hide = true)]
    Read {
        /// As what it is read
        #[arg(long)]
        format: Reads,
        /// The most articles of a ZIM file
        #[arg(long, default_value_t = Limits::ARTICLES)]
        articles: usize,
    },
}

/// Which files, and how.
#[derive(Debug, Args)]
pub struct AddArguments {
    /// Files and folders
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// What the document shall be called, when it is one file; after the file when not said
    #[arg(long)]
    name: Option<String>,
    /// The most articles that are taken of a ZIM file
    #[arg(long, default_value_t = Limits::ARTICLES, value_parser = articles)]
    articles: usize,
}

fn articles(given: &str) -> Result<usize, String> {
    let most = Limits::MAX_ARTICLES;
    given
        .parse()
        .ok()
        .filter(|n| (1..=most).contains(n))
        .ok_or_else(|| format!("give a number from 1 to {most}"))
}

/// The formats, by name.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Reads {
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

impl From<Reads> for Format {
    fn from(reads: Reads) -> Self {
        match reads {
            Reads::Markdown => Self::Markdown,
            Reads::Plain => Self::Plain,
            Reads::Html => Self::Html,
            Reads::Pdf => Self::Pdf,
            Reads::Zim => Self::Zim,
        }
    }
}

impl Library {
    /// Does it, in the platform's home.
    pub fn run(&self, home: impl FnOnce() -> Result<PathBuf, Failure>, out: Out) -> Result<(), Failure> {
        match self {
            Self::Add(arguments) => add(&home()?, arguments, out),
            Self::List => list(&home()?, out),
            Self::Remove { name } => remove(&home()?, name, out),
            Self::Read { format, articles } => confine::read(Format::from(*format), *articles),
        }
    }
}

/// The library of a home, which whoever runs this owns.
fn shelf(home: &Path) -> Result<Shelf, Failure> {
    stopped::owned(home)?;
    Ok(Shelf::open(&home.join("memory/documents"))?)
}

/// A file to be added, and what it shall be called.
struct Offered {
    path: PathBuf,
    called: String,
}

fn add(home: &Path, arguments: &AddArguments, out: Out) -> Result<(), Failure> {
    let shelf = shelf(home)?;
    let mut offered = Vec::new();
    let mut passed_over = 0;
    for path in &arguments.paths {
        gather(path, "", 0, &mut offered, &mut passed_over)?;
    }
    if let Some(name) = &arguments.name {
        match offered.as_mut_slice() {
            [one] => one.called.clone_from(name),
            more => {
                return Err(Failure::usage(format!("--name is for one file, and these are {}", more.len()))
                    .hint("add that file alone"));
            }
        }
    }
    let mut failed = 0;
    let mut items = Vec::new();
    for one in &offered {
        let said = match bring(&shelf, one, arguments.articles) {
            Ok((card, replaced)) => {
                json!({"file": one.path, "added": true, "replaced": replaced, "card": card})
            }
            Err(failure) => {
                failed += 1;
                json!({"file": one.path, "added": false, "why": failure.message, "hint": failure.hint})
            }
        };
        if !out.is_json() {
            tell(&said, out)?;
        }
        items.push(said);
    }
    if out.is_json() {
        out.json(&json!({"items": items, "passed_over": passed_over}))?;
    } else if passed_over > 0 {
        out.line(&format!(
            "{passed_over} files are none of PDF, ZIM, HTML, Markdown or text, and were passed over"
        ))?;
    }
    match (failed, items.len()) {
        (0, 0) => {
            Err(Failure::failed("there is nothing to add")
                .hint("name a PDF, ZIM, HTML, Markdown or text file"))
        }
        (0, _) => Ok(()),
        (_, all) => Err(Failure::failed(format!("{failed} of {all} files were not added"))),
    }
}

/// Says what came of a file.
fn tell(said: &Value, out: Out) -> Result<(), Failure> {
    let file = said["file"].as_str().unwrap_or_default();
    let Some(card) = said.get("card") else {
        return out.line(&format!("{file}: not added: {}", said["why"].as_str().unwrap_or_default()));
    };
    let word = if said["replaced"] == true { "replaced" } else { "added" };
    let name = card["name"].as_str().unwrap_or_default();
    out.line(&format!("{file}: {word} as {name} ({} of {} parts)", card["taken"], card["held"]))?;
    for note in card["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        out.line(&format!("  {note}"))?;
    }
    Ok(())
}

/// The files of a path: itself, or what lies in the folder, in order. Links and hidden files of a folder are left alone.
fn gather(
    path: &Path,
    under: &str,
    depth: usize,
    offered: &mut Vec<Offered>,
    passed_over: &mut usize,
) -> Result<(), Failure> {
    let named = depth == 0;
    let failed = |error: std::io::Error| {
        Failure::failed(format!("cannot read {}: {error}", path.display())).hint("check the path")
    };
    let about = if named { fs::metadata(path) } else { fs::symlink_metadata(path) }.map_err(failed)?;
    let own = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if about.is_dir() {
        if depth == MAX_DEPTH {
            return Err(Failure::failed(format!(
                "{} lies more than {MAX_DEPTH} folders deep",
                path.display()
            )));
        }
        let mut inside: Vec<PathBuf> =
            fs::read_dir(path).map_err(failed)?.filter_map(Result::ok).map(|entry| entry.path()).collect();
        inside.retain(|path| path.file_name().is_some_and(|name| !name.to_string_lossy().starts_with('.')));
        inside.sort();
        let under = if named { String::new() } else { format!("{under}{own}-") };
        return inside.iter().try_for_each(|path| gather(path, &under, depth + 1, offered, passed_over));
    }
    if !about.is_file() || (!named && format_of(path).is_none()) {
        *passed_over += 1;
        return Ok(());
    }
    if offered.len() == MAX_ADDED {
        return Err(Failure::failed(format!("more than {MAX_ADDED} files")).hint("add them folder by folder"));
    }
    offered.push(Offered { path: path.to_owned(), called: format!("{under}{own}") });
    Ok(())
}

/// What a file is, by its beginning and name.
fn format_of(path: &Path) -> Option<Format> {
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    Format::of(&path.file_name()?.to_string_lossy(), &head)
}

/// Reads a file in a process of its own, and puts what it says onto the shelf.
fn bring(shelf: &Shelf, one: &Offered, articles: usize) -> Result<(Card, bool), Failure> {
    let file_name = one.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = slug(&one.called).ok_or_else(|| LibraryError::Name(one.called.clone()))?;
    let format = format_of(&one.path).ok_or_else(|| LibraryError::Unknown(file_name.clone()))?;
    let failed =
        |error: std::io::Error| Failure::failed(format!("cannot read {}: {error}", one.path.display()));
    let mut file = File::open(&one.path).map_err(failed)?;
    let (digest, bytes) = digest_of(&mut file).map_err(failed)?;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let reading = child::read(file, format, articles)?;
    let new = New {
        name: &name,
        file: &file_name,
        format,
        digest,
        bytes,
        reading: &reading,
        now: Mint::system().now(),
    };
    Ok(shelf.add(&new)?)
}

/// The SHA-256 of a file, and its size.
fn digest_of(file: &mut File) -> std::io::Result<(Digest, u64)> {
    let mut digest = Sha256::new();
    let mut step = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        match file.read(&mut step)? {
            0 => return Ok((Digest(digest.finalize().into()), bytes)),
            read => {
                digest.update(&step[..read]);
                bytes += read as u64;
            }
        }
    }
}

const COLUMNS: [(&str, &str); 7] = [
    ("name", "/name"),
    ("title", "/title"),
    ("format", "/format"),
    ("taken", "/taken"),
    ("of", "/held"),
    ("added", "/added"),
    ("sha256", "/digest"),
];

fn list(home: &Path, out: Out) -> Result<(), Failure> {
    let (cards, bad) = shelf(home)?.cards()?;
    if cards.is_empty() && !out.is_json() {
        out.line("the library is empty: `echo_cli library add FILE` brings a document in")?;
    } else {
        out.list(&cards.iter().map(|card| json!(card)).collect::<Vec<_>>(), &COLUMNS)?;
    }
    match bad.into_iter().next() {
        None => Ok(()),
        Some(error) => Err(error.into()),
    }
}

fn remove(home: &Path, name: &str, out: Out) -> Result<(), Failure> {
    let card = shelf(home)?.remove(name)?;
    if out.is_json() {
        return out.json(&card);
    }
    out.line(&format!("{name} is removed; the platform forgets it within seconds, or when it starts next"))
}

impl From<LibraryError> for Failure {
    fn from(error: LibraryError) -> Self {
        Self::failed(error)
    }
}
