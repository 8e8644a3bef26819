//! ZIM files (openZIM file format, <https://wiki.openzim.org/wiki/ZIM_file_format>): the articles of an encyclopaedia or
//! a handbook in one file, compressed in clusters.
//!
//! All offsets and counts come from a stranger: each is held against the file's length before it is followed, no cluster
//! is unpacked beyond its bound, and how many entries are looked at is bounded as well.

mod cluster;
mod directory;
mod header;

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom},
};

use self::{
    directory::{Entry, Place},
    header::Header,
};
use crate::{Format, LibraryError, Limits, Part, Reading, html, text};

/// The most entries that are looked at.
const MAX_ENTRIES: u32 = 5_000_000;
/// The most bytes of one article as it is kept; a larger one is left out.
const MAX_ARTICLE: usize = 8 * 1024 * 1024;
/// The most bytes of one line that the file says about itself.
const MAX_ABOUT: usize = 400;
/// What is told of what a file says about itself (openZIM metadata).
const ABOUT: [&str; 8] =
    ["Creator", "Date", "Description", "Language", "License", "Publisher", "Source", "Title"];

/// A file whose length is known, read at places.
struct Source<'a, R> {
    file: &'a mut R,
    length: u64,
}

impl<R: Read + Seek> Source<'_, R> {
    /// All of `bytes` from `at` on.
    fn exact(&mut self, at: u64, bytes: &mut [u8]) -> Result<(), LibraryError> {
        if self.some(at, bytes)? == bytes.len() {
            return Ok(());
        }
        Err(damaged(format!("it ends before byte {}", at.saturating_add(bytes.len() as u64))))
    }

    /// As many bytes from `at` on as there are.
    fn some(&mut self, at: u64, bytes: &mut [u8]) -> Result<usize, LibraryError> {
        let length = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        self.seek(at)?;
        self.file.read_exact(&mut bytes[..length]).map_err(|error| damaged(error.to_string()))?;
        Ok(length)
    }

    fn seek(&mut self, at: u64) -> Result<(), LibraryError> {
        self.file.seek(SeekFrom::Start(at)).map(drop).map_err(|error| damaged(error.to_string()))
    }
}

/// An article or a line about the file, before it is unpacked.
struct Wanted {
    place: Place,
    title: String,
    what: What,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    Html,
    Text,
    About,
}

/// What came of unpacking, by the order in the directory.
#[derive(Default)]
struct Unpacked {
    parts: BTreeMap<usize, Part>,
    about: BTreeMap<String, String>,
    bytes: usize,
    unreadable: usize,
    too_large: usize,
    /// Whether there was more text than is taken.
    full: bool,
}

/// Reads the articles of a ZIM file, in the order of their paths.
pub(crate) fn read(file: &mut (impl Read + Seek), limits: &Limits) -> Result<Reading, LibraryError> {
    let length = file.seek(SeekFrom::End(0)).map_err(|error| damaged(error.to_string()))?;
    let mut source = Source { file, length };
    let header = Header::read(&mut source)?;
    let (wanted, held) = wanted(&mut source, &header, limits.articles)?;
    let unpacked = unpack(&mut source, &header, &wanted, limits.text);
    if unpacked.parts.is_empty() && unpacked.unreadable > 0 {
        return Err(damaged("none of its clusters can be unpacked"));
    }
    let notes = notes(held, limits, &unpacked);
    let mut about = unpacked.about;
    let title = about.remove("Title");
    Ok(Reading { title, parts: unpacked.parts.into_values().collect(), held, about, notes })
}

fn notes(held: u64, limits: &Limits, unpacked: &Unpacked) -> Vec<String> {
    let mut notes = Vec::new();
    let taken = unpacked.parts.len();
    if unpacked.full {
        notes.push(format!(
            "only {taken} of its {held} articles were taken, for {} bytes of text are the most",
            limits.text
        ));
    } else if held > limits.articles as u64 {
        notes.push(format!("only {taken} of its {held} articles were taken, the first by their paths: say how many with --articles"));
    }
    if unpacked.unreadable > 0 {
        notes.push(format!("{} articles lie in damaged clusters and were left out", unpacked.unreadable));
    }
    if unpacked.too_large > 0 {
        notes.push(format!(
            "{} articles are larger than {MAX_ARTICLE} bytes and were left out",
            unpacked.too_large
        ));
    }
    notes
}

/// The first `most` articles and what the file says about itself, in the order of the directory; how many articles
/// there are.
fn wanted(
    source: &mut Source<'_, impl Read + Seek>,
    header: &Header,
    most: usize,
) -> Result<(Vec<Wanted>, u64), LibraryError> {
    let (mut wanted, mut articles) = (Vec::new(), 0_u64);
    let mut pointers = directory::Pointers::new(header.paths, header.entries.min(MAX_ENTRIES));
    while let Some(at) = pointers.next(source)? {
        let Entry { namespace, mime, place: Some(place), path, title } = directory::entry(source, at)? else {
            continue;
        };
        let mime = header.mimes.get(usize::from(mime)).map_or("", String::as_str);
        let what = match namespace {
            b'M' if ABOUT.contains(&&*path) => What::About,
            // `A` held the articles before version 6.1, `C` holds all content since.
            b'A' | b'C' if mime.starts_with("text/html") => What::Html,
            b'A' | b'C' if mime.starts_with("text/plain") || mime.starts_with("text/markdown") => What::Text,
            _ => continue,
        };
        let title = if title.is_empty() || what == What::About { path } else { title };
        if what == What::About {
            wanted.push(Wanted { place, title, what });
            continue;
        }
        articles += 1;
        if articles <= most as u64 {
            wanted.push(Wanted { place, title, what });
        }
    }
    Ok((wanted, articles))
}

/// Unpacks what is wanted, each cluster once.
fn unpack(
    source: &mut Source<'_, impl Read + Seek>,
    header: &Header,
    wanted: &[Wanted],
    most: usize,
) -> Unpacked {
    let mut unpacked = Unpacked::default();
    let mut clusters: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (order, one) in wanted.iter().enumerate() {
        clusters.entry(one.place.cluster).or_default().push(order);
    }
    for (number, orders) in clusters {
        if unpacked.full {
            break;
        }
        let blobs: Vec<u32> = orders.iter().map(|order| wanted[*order].place.blob).collect();
        match cluster::blobs(source, header, number, &blobs) {
            Ok(blobs) => {
                for (order, blob) in orders.into_iter().zip(blobs) {
                    unpacked.take(order, &wanted[order], &blob, most);
                }
            }
            Err(_) => unpacked.unreadable += orders.len(),
        }
    }
    unpacked
}

impl Unpacked {
    fn take(&mut self, order: usize, wanted: &Wanted, blob: &[u8], most: usize) {
        if wanted.what == What::About {
            let mut said = text::decode(blob, None).split_whitespace().collect::<Vec<_>>().join(" ");
            said.truncate(said.floor_char_boundary(MAX_ABOUT));
            if !said.is_empty() {
                self.about.insert(wanted.title.clone(), said);
            }
            return;
        }
        if blob.len() > MAX_ARTICLE {
            self.too_large += 1;
            return;
        }
        let text = match wanted.what {
            // The title of an article is a heading of the second level.
            What::Html => html::page(blob, 2, MAX_ARTICLE).text,
            _ => text::decode(blob, None)
                .chars()
                .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
                .collect(),
        };
        if text.trim().is_empty() {
            return;
        }
        self.bytes += text.len();
        if self.bytes > most {
            self.full = true;
            return;
        }
        self.parts.insert(order, Part { heading: wanted.title.clone(), text });
    }
}

fn damaged(why: impl Into<String>) -> LibraryError {
    LibraryError::damaged(Format::Zim, why)
}

#[cfg(test)]
mod tests;
