//! The directory: what is called how, and where it lies.

use std::io::{Read, Seek};

use super::{Source, damaged};
use crate::LibraryError;

/// How many pointers are read at once.
const POINTERS: usize = 1024;
/// How many bytes of an entry are read first, and how many it may have.
const FIRST: usize = 512;
const MAX_ENTRY: usize = 8 * 1024;
/// Entries with a content type from here on are none: a redirect, a link target, a deleted entry.
const NO_CONTENT: u16 = 0xFFFD;

/// Where an article lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) cluster: u32,
    pub(super) blob: u32,
}

/// One entry.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) namespace: u8,
    /// The number of its content type.
    pub(super) mime: u16,
    /// Nothing for what only points to another entry.
    pub(super) place: Option<Place>,
    pub(super) path: String,
    /// Empty when it is the path.
    pub(super) title: String,
}

/// The places of the entries, some at a time.
pub(super) struct Pointers {
    at: u64,
    left: u32,
    read: std::vec::IntoIter<u64>,
}

impl Pointers {
    pub(super) fn new(at: u64, left: u32) -> Self {
        Self { at, left, read: Vec::new().into_iter() }
    }

    /// The place of the next entry.
    pub(super) fn next(
        &mut self,
        source: &mut Source<'_, impl Read + Seek>,
    ) -> Result<Option<u64>, LibraryError> {
        if let Some(next) = self.read.next() {
            return Ok(Some(next));
        }
        let count = (self.left as usize).min(POINTERS);
        if count == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; count * 8];
        source.exact(self.at, &mut bytes)?;
        self.at += bytes.len() as u64;
        self.left -= u32::try_from(count).unwrap_or(self.left);
        let pointer = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("chunks of eight bytes"));
        self.read = bytes.chunks_exact(8).map(pointer).collect::<Vec<_>>().into_iter();
        Ok(self.read.next())
    }
}

/// Reads the entry at that place.
pub(super) fn entry(source: &mut Source<'_, impl Read + Seek>, at: u64) -> Result<Entry, LibraryError> {
    let mut bytes = vec![0; FIRST];
    let length = source.some(at, &mut bytes)?;
    if let Some(entry) = parse(&bytes[..length]) {
        return Ok(entry);
    }
    bytes.resize(MAX_ENTRY, 0);
    let length = source.some(at, &mut bytes)?;
    parse(&bytes[..length]).ok_or_else(|| damaged(format!("the entry at byte {at} does not end")))
}

/// An entry; nothing when the bytes end before it does.
fn parse(bytes: &[u8]) -> Option<Entry> {
    let mime = u16::from_le_bytes(*bytes.first_chunk()?);
    let namespace = *bytes.get(3)?;
    let (place, names) = if mime >= NO_CONTENT {
        (None, bytes.get(12..)?)
    } else {
        let four = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        (Some(Place { cluster: four(8)?, blob: four(12)? }), bytes.get(16..)?)
    };
    let mut names = names.split(|b| *b == 0);
    let mut name = || names.next().map(|name| String::from_utf8_lossy(name).into_owned());
    let (path, title) = (name()?, name()?);
    // What stands behind the last zero byte has not ended.
    names.next()?;
    Some(Entry { namespace, mime, place, path, title })
}
