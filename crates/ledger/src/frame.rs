//! The bytes of the write-ahead log: a segment's header and the frames behind it.
//!
//! Everything begins at a multiple of [`BLOCK`] bytes, so that no block that is durable is ever written again. Each
//! piece ends with the SHA-256 of all of it, and begins with the sum of the piece before and of its segment's header:
//! a torn frame has a wrong sum, and one that an earlier use of the file left behind belongs to another segment.
//! Numbers are big-endian.

use sha2::{Digest as _, Sha256};

use crate::{
    hash::Hash,
    queue::{MAX_BATCH_BYTES, MAX_BATCH_ENTRIES},
    tile,
};

/// What a write that is cut by a power failure may damage beside what it writes.
pub(crate) const BLOCK: usize = 4096;
/// The largest frame, in bytes.
pub(crate) const MAX_FRAME_BYTES: usize =
    (FRAME_BYTES + MAX_BATCH_BYTES + 2 * MAX_BATCH_ENTRIES).next_multiple_of(BLOCK);
const SEGMENT_MAGIC: &[u8; 16] = b"echo wal segm v1";
const FRAME_MAGIC: &[u8; 16] = b"echo wal batch 1";
/// A frame without its entries: magic, segment, sum before, base size, base root, root, two lengths, sum.
const FRAME_BYTES: usize = 16 + 32 + 32 + 8 + 32 + 32 + 4 + 4 + 32;

/// What stands at the beginning of a segment. Its size is one block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    /// The sum of the last frame of the segment before; zeros when there is none.
    pub before: Hash,
    /// The signed checkpoint under which everything is durable without this segment. At most 3 KiB.
    pub checkpoint: String,
}

impl Header {
    /// The bytes, a whole block, and their sum.
    pub fn to_bytes(&self) -> (Vec<u8>, Hash) {
        let mut bytes = SEGMENT_MAGIC.to_vec();
        bytes.extend(self.before);
        bytes.extend((self.checkpoint.len() as u64).to_be_bytes());
        bytes.extend(self.checkpoint.as_bytes());
        finish(bytes)
    }

    /// Reads a header and its sum; nothing when it is not whole.
    pub fn from_bytes(bytes: &[u8]) -> Option<(Self, Hash)> {
        let mut rest = bytes.strip_prefix(SEGMENT_MAGIC)?;
        let before = *take::<32>(&mut rest)?;
        let length = usize::try_from(u64::from_be_bytes(*take::<8>(&mut rest)?)).ok()?;
        let checkpoint = String::from_utf8(rest.get(..length)?.to_vec()).ok()?;
        let sum = sum(bytes, 16 + 32 + 8 + length)?;
        Some((Self { before, checkpoint }, sum))
    }
}

/// One batch: what it was entered upon, its entries, and the root that came of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame<E> {
    /// The sum of the segment's header.
    pub segment: Hash,
    /// The sum of the frame before, or of the header.
    pub before: Hash,
    /// Entries in the log before the batch: the frame's sequence number.
    pub base: u64,
    /// The root over them.
    pub base_root: Hash,
    /// The root over all entries after the batch.
    pub root: Hash,
    /// The batch; not empty.
    pub entries: Vec<E>,
}

impl<E: AsRef<[u8]>> Frame<E> {
    /// Bytes of the entries with their lengths.
    fn payload(&self) -> usize {
        self.entries.iter().map(|e| e.as_ref().len() + 2).sum()
    }

    /// Its length in the file.
    pub fn length(&self) -> usize {
        (FRAME_BYTES + self.payload()).next_multiple_of(BLOCK)
    }

    /// The bytes, whole blocks, and their sum.
    pub fn to_bytes(&self) -> (Vec<u8>, Hash) {
        let mut bytes = Vec::with_capacity(self.length());
        bytes.extend(FRAME_MAGIC);
        bytes.extend(self.segment);
        bytes.extend(self.before);
        bytes.extend(self.base.to_be_bytes());
        bytes.extend(self.base_root);
        bytes.extend(self.root);
        let bounded = |n: usize| u32::try_from(n).expect("a batch is bounded far below four gigabytes");
        bytes.extend(bounded(self.entries.len()).to_be_bytes());
        bytes.extend(bounded(self.payload()).to_be_bytes());
        for entry in &self.entries {
            tile::add_to_bundle(&mut bytes, entry.as_ref());
        }
        finish(bytes)
    }
}

impl<'a> Frame<&'a [u8]> {
    /// Reads a frame, and answers its sum and its length in the file; nothing when it is not whole.
    pub fn from_bytes(bytes: &'a [u8]) -> Option<(Self, Hash, usize)> {
        let mut rest = bytes.strip_prefix(FRAME_MAGIC)?;
        let (segment, before) = (*take::<32>(&mut rest)?, *take::<32>(&mut rest)?);
        let base = u64::from_be_bytes(*take::<8>(&mut rest)?);
        let (base_root, root) = (*take::<32>(&mut rest)?, *take::<32>(&mut rest)?);
        let count = usize::try_from(u32::from_be_bytes(*take::<4>(&mut rest)?)).ok()?;
        let length = usize::try_from(u32::from_be_bytes(*take::<4>(&mut rest)?)).ok()?;
        let payload = rest.get(..length)?;
        let sum = sum(bytes, FRAME_BYTES - 32 + length)?;
        let entries = tile::bundle_from_bytes(payload)?;
        let sound = !entries.is_empty() && entries.len() == count && base.checked_add(count as u64).is_some();
        let frame = Self { segment, before, base, base_root, root, entries };
        sound.then_some((frame, sum, (FRAME_BYTES + length).next_multiple_of(BLOCK)))
    }

    /// Entries in the log after the batch.
    pub fn end(&self) -> u64 {
        self.base + self.entries.len() as u64
    }
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(first)
}

/// Adds the sum, and zeros up to the end of the block.
fn finish(mut bytes: Vec<u8>) -> (Vec<u8>, Hash) {
    let sum = Sha256::digest(&bytes).into();
    bytes.extend(sum);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    (bytes, sum)
}

/// The sum that stands after the first `length` bytes, if it is theirs.
fn sum(bytes: &[u8], length: usize) -> Option<Hash> {
    let (body, rest) = bytes.split_at_checked(length)?;
    let found = rest.first_chunk::<32>()?;
    (Sha256::digest(body).as_slice() == found).then_some(*found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(entries: Vec<Vec<u8>>) -> Frame<Vec<u8>> {
        Frame { segment: [1; 32], before: [2; 32], base: 7, base_root: [3; 32], root: [4; 32], entries }
    }

    proptest! {
        #[test]
        fn a_frame_reads_back_and_no_changed_one_does(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..40),
            at in any::<prop::sample::Index>(), bit in 0u8..8
        ) {
            let frame = frame(entries);
            let (mut bytes, sum) = frame.to_bytes();
            let (read, found, length) = Frame::from_bytes(&bytes).unwrap();
            prop_assert_eq!((found, length, read.end()), (sum, bytes.len(), 7 + frame.entries.len() as u64));
            prop_assert_eq!(&read.entries, &frame.entries);
            prop_assert_eq!(length % BLOCK, 0);
            let meaning = FRAME_BYTES + frame.entries.iter().map(|e| e.len() + 2).sum::<usize>();
            bytes[at.index(meaning)] ^= 1 << bit;
            prop_assert_eq!(Frame::from_bytes(&bytes), None);
        }

        #[test]
        fn a_header_reads_back_and_no_changed_one_does(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let header = Header { before: [9; 32], checkpoint: "echo.local/t\n0\nAAAA\n\n\u{2014} s\n".to_owned() };
            let (mut bytes, sum) = header.to_bytes();
            prop_assert_eq!(Header::from_bytes(&bytes), Some((header.clone(), sum)));
            prop_assert_eq!(bytes.len(), BLOCK);
            bytes[at.index(16 + 32 + 8 + header.checkpoint.len() + 32)] ^= 1 << bit;
            prop_assert_eq!(Header::from_bytes(&bytes), None);
        }

        #[test]
        fn no_bytes_make_the_readers_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let framed = [FRAME_MAGIC.as_slice(), &bytes].concat();
            let headed = [SEGMENT_MAGIC.as_slice(), &bytes].concat();
            prop_assert_eq!(Frame::from_bytes(&framed), None);
            prop_assert_eq!(Header::from_bytes(&headed), None);
        }
    }
}
