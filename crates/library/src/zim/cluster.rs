//! Clusters: blobs that are compressed together.

use std::io::{Read, Seek};

use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

use super::{Source, damaged, header::Header};
use crate::LibraryError;

/// The most bytes of a cluster that are unpacked.
const MAX_CLUSTER: u64 = 128 * 1024 * 1024;
/// The most bytes of a cluster's list of blobs.
const MAX_LIST: u64 = 8 * 1024 * 1024;
/// The largest window that a cluster may ask its unpacker to hold: 32 MiB, and as much for XZ, in KiB.
const MAX_WINDOW: u64 = 32 * 1024 * 1024;
const MAX_XZ_KIB: u32 = 64 * 1024;

/// The blobs of a cluster, in the order in which they were asked for.
pub(super) fn blobs(
    source: &mut Source<'_, impl Read + Seek>,
    header: &Header,
    number: u32,
    wanted: &[u32],
) -> Result<Vec<Vec<u8>>, LibraryError> {
    if number >= header.clusters {
        return Err(damaged(format!("there is no cluster {number}")));
    }
    let mut pointer = [0; 8];
    source.exact(header.cluster_list + 8 * u64::from(number), &mut pointer)?;
    let at = u64::from_le_bytes(pointer);
    let mut info = [0];
    source.exact(at, &mut info)?;
    let wide = info[0] & 0x10 != 0;
    source.seek(at + 1)?;
    let packed = source.file.by_ref().take(source.length - at - 1);
    match info[0] & 0x0F {
        0 | 1 => within(packed, wide, wanted),
        4 => within(XzReader::new_mem_limit(packed, false, MAX_XZ_KIB), wide, wanted),
        5 => {
            let unpacked = StreamingDecoder::new_with_max_window_size(packed, MAX_WINDOW)
                .map_err(|error| damaged(error.to_string()))?;
            within(unpacked, wide, wanted)
        }
        other => {
            Err(damaged(format!("a cluster is compressed in the way {other}, which nobody uses any more")))
        }
    }
}

/// The blobs of an unpacked cluster: it begins with the places of all blobs and of the end of the last.
fn within(unpacked: impl Read, wide: bool, wanted: &[u32]) -> Result<Vec<Vec<u8>>, LibraryError> {
    let width: usize = if wide { 8 } else { 4 };
    let mut unpacked = unpacked.take(MAX_CLUSTER);
    let place = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let mut first = vec![0; width];
    unpacked.read_exact(&mut first).map_err(|error| damaged(error.to_string()))?;
    let list = place(&first);
    if list > MAX_LIST || list < 2 * width as u64 || list % width as u64 != 0 {
        return Err(damaged("a cluster's list of blobs is not sound"));
    }
    let mut rest = Vec::new();
    let left = list - width as u64;
    unpacked.by_ref().take(left).read_to_end(&mut rest).map_err(|error| damaged(error.to_string()))?;
    if rest.len() as u64 != left {
        return Err(damaged("a cluster ends within its list of blobs"));
    }
    let places: Vec<u64> = std::iter::once(list).chain(rest.chunks_exact(width).map(place)).collect();
    let range = |blob: u32| {
        let blob = blob as usize;
        let (from, to) = (*places.get(blob)?, *places.get(blob + 1)?);
        (list <= from && from <= to && to <= MAX_CLUSTER).then(|| (from - list, to - list))
    };
    let ranges: Vec<(u64, u64)> = wanted
        .iter()
        .map(|blob| range(*blob).ok_or_else(|| damaged(format!("there is no blob {blob} in its cluster"))))
        .collect::<Result<_, _>>()?;
    let end = ranges.iter().map(|(_, to)| *to).max().unwrap_or(0);
    let mut bytes = Vec::new();
    unpacked.take(end).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
    let cut = |(from, to): &(u64, u64)| {
        let (from, to) = (usize::try_from(*from).ok()?, usize::try_from(*to).ok()?);
        bytes.get(from..to).map(<[u8]>::to_vec)
    };
    ranges.iter().map(|range| cut(range).ok_or_else(|| damaged("a cluster ends within a blob"))).collect()
}
