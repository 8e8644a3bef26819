//! The entries of a bundle as POSIX tar has them (IEEE Std 1003.1, pax, "ustar Interchange Format").
//!
//! Every header follows from a name and a size: no time, owner or comment. So a reader makes the header that must stand
//! there and compares; there is nothing in one to be understood in two ways, and nothing to hide in.

use echo_core::Digest;
use tar::{EntryType, Header};

use crate::Chunk;

/// The bytes of a header, and what everything is padded to.
pub const BLOCK: u64 = 512;
/// The same, as the length of an array.
pub const HEADER: usize = 512;
/// The two empty blocks at the end.
pub const END: [u8; 1024] = [0; 1024];

/// The header of the file `name` with `size` bytes.
pub fn header(name: &str, size: u64) -> [u8; HEADER] {
    let mut header = Header::new_ustar();
    header.set_path(name).expect("the names in a bundle are plain and at most 80 bytes long");
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_entry_type(EntryType::Regular);
    header.set_cksum();
    *header.as_bytes()
}

/// The size in a header, when it is the one of the file `name`, in every byte.
pub fn size_of(name: &str, found: &[u8; HEADER]) -> Option<u64> {
    let size = Header::from_byte_slice(found).entry_size().ok()?;
    // Whatever the eleven octal digits of a header cannot say is no size of ours.
    (size < 1 << 33 && header(name, size) == *found).then_some(size)
}

/// The bytes that pad an entry of `size` bytes to whole blocks.
pub fn padding(size: u64) -> &'static [u8] {
    let more = usize::try_from(size.next_multiple_of(BLOCK) - size).expect("a remainder of 512 fits");
    END.get(..more).unwrap_or_default()
}

/// The bytes that an entry of `size` bytes takes, with its header and its padding.
pub fn room(size: u64) -> u64 {
    BLOCK + size.next_multiple_of(BLOCK)
}

/// A whole entry.
pub fn entry(name: &str, bytes: &[u8]) -> Vec<u8> {
    let size = bytes.len() as u64;
    [header(name, size).as_slice(), bytes, padding(size)].concat()
}

/// The name of a chunk's entry.
pub fn chunk_name(chunk: &Chunk) -> String {
    name(&chunk.sha256, chunk.is_raw())
}

fn name(digest: &Digest, raw: bool) -> String {
    format!("chunks/{}{}", digest.hex(), if raw { "" } else { ".zst" })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn another_reader_of_tar_reads_what_is_written() {
        let bytes = [entry("manifest.json", b"{}"), entry("chunks/x", &[7; 700]), END.to_vec()].concat();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            found.push((entry.path().unwrap().display().to_string(), content));
        }
        assert_eq!(
            found,
            [("manifest.json".to_owned(), b"{}".to_vec()), ("chunks/x".to_owned(), vec![7; 700])]
        );
    }

    #[test]
    fn a_header_has_one_spelling() {
        let good = header("manifest.json", 1234);
        assert_eq!(size_of("manifest.json", &good), Some(1234));
        assert_eq!(size_of("other", &good), None);
        for at in 0..good.len() {
            let mut bad = good;
            bad[at] ^= 1;
            assert_eq!(size_of("manifest.json", &bad), None, "byte {at}");
        }
        assert_eq!(padding(512).len(), 0);
        assert_eq!((padding(0).len(), padding(1).len(), room(1)), (0, 511, 1024));
    }
}
