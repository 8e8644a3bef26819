//! Reads a ledger's entries from its folder: C2SP tlog-tiles, section "Log Entries".

use std::path::{Path, PathBuf};

use crate::Failure;

/// How many entries a full bundle holds.
pub const WIDTH: u64 = 256;
/// The most bytes of a bundle: each entry with its length in two bytes.
const MAX_BUNDLE: u64 = WIDTH * (2 + 65_535);

/// The entries `from..to` of the ledger in `dir`, which holds `size` entries.
pub fn read(dir: &Path, size: u64, from: u64, to: u64) -> Result<Vec<Vec<u8>>, Failure> {
    let to = to.min(size);
    let mut entries = Vec::new();
    let mut at = from;
    while at < to {
        let index = at / WIDTH;
        let first = index * WIDTH;
        let width = (size - first).min(WIDTH);
        for (number, entry) in (first..first + width).zip(bundle(dir, index, width)?) {
            if (at..to).contains(&number) {
                entries.push(entry);
            }
        }
        at = first + width;
    }
    Ok(entries)
}

/// The entries of one bundle: the file of its width, or the full one when that has replaced it.
pub fn bundle(dir: &Path, index: u64, width: u64) -> Result<Vec<Vec<u8>>, Failure> {
    let full = dir.join(path(index));
    let mut partial = full.clone().into_os_string();
    partial.push(format!(".p/{width}"));
    let partial = PathBuf::from(partial);
    let found = if width < WIDTH { durable::read(&partial, MAX_BUNDLE)? } else { None };
    let bytes = match found {
        Some(bytes) => bytes,
        None => durable::read(&full, MAX_BUNDLE)?.ok_or_else(|| damaged(&full))?,
    };
    split(&bytes).ok_or_else(|| damaged(&full))
}

/// `tile/entries/x001/x234/067` for 1234067.
pub fn path(index: u64) -> PathBuf {
    let digits = format!("{index:03}");
    let digits = format!("{}{digits}", "0".repeat((3 - digits.len() % 3) % 3));
    let groups: Vec<&str> =
        digits.as_bytes().chunks(3).map(|g| std::str::from_utf8(g).unwrap_or("")).collect();
    let mut path = PathBuf::from("tile/entries");
    for (place, group) in groups.iter().enumerate() {
        let more = place + 1 < groups.len();
        path.push(if more { format!("x{group}") } else { (*group).to_owned() });
    }
    path
}

/// The entries in a bundle's bytes; nothing when a length points beyond the end.
pub fn split(mut bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let (entry, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        entries.push(entry.to_vec());
        bytes = rest;
    }
    bytes.is_empty().then_some(entries)
}

fn damaged(path: &Path) -> Failure {
    Failure::failed(format!("cannot read entries from {}", path.display()))
        .hint("run `echo_cli ledger fsck` on the folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_lie_where_the_standard_says() {
        assert_eq!(path(0), Path::new("tile/entries/000"));
        assert_eq!(path(67), Path::new("tile/entries/067"));
        assert_eq!(path(1_234_067), Path::new("tile/entries/x001/x234/067"));
    }

    #[test]
    fn entries_split_at_their_lengths() {
        assert_eq!(split(b"\0\x02ab\0\0\0\x01c"), Some(vec![b"ab".to_vec(), vec![], b"c".to_vec()]));
        assert_eq!(split(b"\0\x05ab"), None);
        assert_eq!(split(b"\0"), None);
    }
}
