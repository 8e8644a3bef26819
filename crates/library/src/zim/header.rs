//! The header: where everything else lies.

use std::io::{Read, Seek};

use super::{Source, damaged};
use crate::LibraryError;

/// How many bytes the header has.
const LENGTH: usize = 80;
/// "ZIM" and a four, as a little-endian number.
const MAGIC: u32 = 0x044D_495A;
/// The checksum at the end, in bytes (MD5).
const CHECKSUM: u64 = 16;
/// The most bytes of all content types.
const MAX_MIMES: usize = 64 * 1024;

/// What the header says.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) entries: u32,
    pub(super) clusters: u32,
    /// Where the list of entries by path begins.
    pub(super) paths: u64,
    /// Where the list of clusters begins.
    pub(super) cluster_list: u64,
    /// The content types, by number.
    pub(super) mimes: Vec<String>,
}

impl Header {
    pub(super) fn read(source: &mut Source<'_, impl Read + Seek>) -> Result<Self, LibraryError> {
        let mut bytes = [0; LENGTH];
        source.exact(0, &mut bytes)?;
        let four = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        let eight = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"));
        if four(0) != MAGIC {
            return Err(damaged("it does not begin as a ZIM file"));
        }
        let major = u16::from_le_bytes([bytes[4], bytes[5]]);
        if !(5..=6).contains(&major) {
            return Err(damaged(format!("it is of the version {major}, and 5 and 6 are known")));
        }
        let (entries, clusters, paths, cluster_list, mimes) =
            (four(24), four(28), eight(32), eight(48), eight(56));
        let end = eight(72).checked_add(CHECKSUM);
        if end != Some(source.length) {
            return Err(damaged(format!(
                "it has {} bytes, and should have {}: a download may have been cut off",
                source.length,
                end.unwrap_or(u64::MAX)
            )));
        }
        for (list, count) in [(paths, entries), (cluster_list, clusters)] {
            if list.checked_add(8 * u64::from(count)).is_none_or(|end| end > source.length) {
                return Err(damaged("one of its lists lies behind its end"));
            }
        }
        Ok(Self { entries, clusters, paths, cluster_list, mimes: read_mimes(source, mimes)? })
    }
}

/// The content types: texts that end with a zero byte, until an empty one.
fn read_mimes(source: &mut Source<'_, impl Read + Seek>, at: u64) -> Result<Vec<String>, LibraryError> {
    let mut bytes = vec![0; MAX_MIMES];
    let length = source.some(at, &mut bytes)?;
    let mut mimes = Vec::new();
    for mime in bytes[..length].split(|b| *b == 0) {
        if mime.is_empty() {
            return Ok(mimes);
        }
        mimes.push(String::from_utf8_lossy(mime).into_owned());
    }
    Err(damaged("its list of content types does not end"))
}
