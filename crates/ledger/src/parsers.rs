//! What the parsers of the ledger's own files promise, for the fuzzer (`fuzz/src/tile.rs`): they are no part of what
//! other crates see.

use crate::{
    frame::{Frame, Header},
    tile::{self, WIDTH},
};

/// Panics when a parser reads what it does not write back, or reads more than is there.
#[doc(hidden)]
pub fn check_parsers(bytes: &[u8]) {
    if let Some(entries) = tile::bundle_from_bytes(bytes) {
        let mut again = Vec::new();
        for entry in entries {
            tile::add_to_bundle(&mut again, entry);
        }
        assert_eq!(again, bytes, "a bundle is not written as it was read");
    }
    for width in [1, 2, WIDTH - 1, WIDTH] {
        if let Some(hashes) = tile::hashes_from_bytes(bytes, width) {
            assert_eq!(hashes.len() as u64, width);
            assert!(bytes.starts_with(&hashes.concat()), "a tile is not what it was read from");
        }
    }
    if let Some((frame, sum, length)) = Frame::from_bytes(bytes) {
        let (again, same) = frame.to_bytes();
        assert_eq!((same, again.len()), (sum, length), "a frame is not written as it was read");
    }
    if let Some((header, sum)) = Header::from_bytes(bytes) {
        assert_eq!(header.to_bytes().1, sum, "a header is not written as it was read");
    }
    framed(bytes);
}

/// The same bytes as entries of a batch: behind a sum, random bytes are never reached.
fn framed(bytes: &[u8]) {
    let entries: Vec<&[u8]> = bytes.chunks(7).collect();
    if entries.is_empty() {
        return;
    }
    let [segment, before, base_root, root] = [[1; 32], [2; 32], [3; 32], [4; 32]];
    let frame = Frame { segment, before, base: bytes.len() as u64, base_root, root, entries };
    let (file, sum) = frame.to_bytes();
    let (read, found, length) = Frame::from_bytes(&file).expect("what we write, we read");
    assert_eq!((&read, found, length), (&frame, sum, file.len()));
}
