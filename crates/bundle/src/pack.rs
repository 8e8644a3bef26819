//! Cuts content into chunks and packs them.

use std::{io, thread};

use echo_core::Digest;
use zstd::bulk::Decompressor;

use crate::{Chunk, MAX_CHUNK};

/// zstd's level for chunks. Measured on `echo_cli` (25 MB) in pieces of 256 KiB: level 3 packs to 39 %, 9 to 37 %, 15 and 19 to 35 %
/// and 34 % in nine and eighteen times the time of 9.
const LEVEL: i32 = 9;
/// A chunk is packed when that saves more than one byte in this many: what hardly shrinks is read faster as it is.
const WORTH: usize = 16;
/// A first try at this level tells cheaply what does not shrink, such as the weights of models.
const TRY_LEVEL: i32 = 1;

/// A chunk with its bytes as the bundle holds them.
#[derive(Debug)]
pub struct Packed {
    /// What the manifest says of it.
    pub chunk: Chunk,
    /// The bytes in the bundle.
    pub bytes: Vec<u8>,
}

/// Packs a chunk: always the same bytes by the same build.
pub fn pack(plain: Vec<u8>) -> io::Result<Packed> {
    debug_assert!(plain.len() <= MAX_CHUNK, "chunks are cut before they are packed");
    let sha256 = Digest::of(&plain);
    let size = length(&plain);
    let bytes = if zstd::bulk::compress(&plain, TRY_LEVEL)?.len() >= plain.len() - plain.len() / WORTH {
        plain
    } else {
        let packed = zstd::bulk::compress(&plain, LEVEL)?;
        if packed.len() < plain.len() { packed } else { plain }
    };
    Ok(Packed { chunk: Chunk { sha256, size, packed: length(&bytes) }, bytes })
}

/// Packs many chunks on all cores; the answers are in the order of the questions.
pub fn pack_all(plain: Vec<Vec<u8>>) -> io::Result<Vec<Packed>> {
    let workers = thread::available_parallelism().map_or(1, usize::from).clamp(1, 16);
    let share = plain.len().div_ceil(workers).max(1);
    let mut shares: Vec<Vec<Vec<u8>>> = Vec::new();
    for chunk in plain {
        match shares.last_mut() {
            Some(last) if last.len() < share => last.push(chunk),
            _ => shares.push(vec![chunk]),
        }
    }
    let work = |share: Vec<Vec<u8>>| share.into_iter().map(pack).collect::<io::Result<Vec<Packed>>>();
    thread::scope(|scope| {
        let running: Vec<_> = shares.into_iter().map(|share| scope.spawn(move || work(share))).collect();
        let mut all = Vec::new();
        for worker in running {
            all.extend(worker.join().map_err(|_| io::Error::other("a packing thread ended early"))??);
        }
        Ok(all)
    })
}

/// Unpacks chunks; keeps zstd's tables between them.
pub struct Unpacker(Decompressor<'static>);

impl Unpacker {
    /// A new one.
    pub fn new() -> io::Result<Self> {
        Decompressor::new().map(Self)
    }

    /// Unpacks what stands in a bundle for `chunk` into `plain`, and says whether it is the chunk.
    pub fn unpack(&mut self, chunk: &Chunk, packed: &[u8], plain: &mut Vec<u8>) -> bool {
        self.unpack_any(chunk, packed, plain) && Digest::of(plain) == chunk.sha256
    }

    /// The same without a look at the digest.
    pub fn unpack_any(&mut self, chunk: &Chunk, packed: &[u8], plain: &mut Vec<u8>) -> bool {
        plain.clear();
        if chunk.is_raw() {
            plain.extend_from_slice(packed);
        } else {
            // One byte more than there may be, so that a frame that holds more is found out and not cut.
            plain.reserve(chunk.size as usize + 1);
            if self.0.decompress_to_buffer(packed, plain).is_err() {
                return false;
            }
        }
        plain.len() == chunk.size as usize
    }
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("a chunk has at most MAX_CHUNK bytes, which fits")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_shrink_stays_as_it_is() {
        let mut noise = Vec::new();
        let mut seed = 1_u64;
        while noise.len() < 100_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            noise.extend_from_slice(&seed.to_be_bytes()[..4]);
        }
        assert!(pack(noise).unwrap().chunk.is_raw());
        let text = pack(b"the same again. ".repeat(1000)).unwrap();
        assert!(text.chunk.packed < 200, "{}", text.chunk.packed);
    }

    #[test]
    fn a_frame_that_holds_more_than_it_should_is_refused() {
        let mut packed = pack(vec![7; 5000]).unwrap();
        packed.chunk.size = 4999;
        packed.chunk.sha256 = Digest::of(&[7; 4999]);
        assert!(!Unpacker::new().unwrap().unpack(&packed.chunk, &packed.bytes, &mut Vec::new()));
    }

    #[test]
    fn many_are_packed_in_their_order() {
        let plain: Vec<Vec<u8>> = (0..37_u8).map(|n| vec![n; 100]).collect();
        let packed = pack_all(plain.clone()).unwrap();
        assert_eq!(packed.len(), plain.len());
        for (packed, plain) in packed.iter().zip(&plain) {
            assert_eq!(packed.chunk.sha256, Digest::of(plain));
        }
        assert!(pack_all(Vec::new()).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn what_was_packed_unpacks(plain in prop::collection::vec(0_u8..4, 1..3000), flip in any::<prop::sample::Index>()) {
            let packed = pack(plain.clone()).unwrap();
            let mut out = Vec::new();
            prop_assert!(Unpacker::new().unwrap().unpack(&packed.chunk, &packed.bytes, &mut out));
            prop_assert_eq!(&out, &plain);
            let mut chunk = packed.chunk.clone();
            chunk.sha256.0[flip.index(32)] ^= 1;
            prop_assert!(!Unpacker::new().unwrap().unpack(&chunk, &packed.bytes, &mut out));
        }
    }
}
