//! Makes deltas, and whole bundles from them.

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::Path,
};

use echo_core::Digest;
use serde::Serialize;
use zstd::stream::write::Encoder;

use crate::{
    Bundle, BundleError, Delta, MAX_PATCH,
    content::Chunks,
    delta::{self, DeltaPlan, Patch, WINDOW_LOG, base, patch_name},
    error::failed,
    evidence, pack,
    reader::chunk_of,
    tape,
};

/// zstd's level for patches.
const LEVEL: i32 = 12;

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// Files that have new chunks.
    pub changed: usize,
    /// New chunks.
    pub chunks: usize,
    /// Their bytes.
    pub content: u64,
    /// Bytes of the file that was made.
    pub bytes: u64,
}

/// Writes to `out` what leads from `old` to `new`. `progress` is told how many bytes of new content are packed.
pub fn diff(
    old: &mut dyn Chunks,
    new: &mut Bundle,
    out: &Path,
    progress: &mut dyn FnMut(u64),
) -> Result<Made, BundleError> {
    let known: BTreeSet<Digest> = old.head().manifest.chunks.iter().map(|chunk| chunk.sha256).collect();
    let manifest = new.head().manifest.clone();
    let (mut given, mut patches, mut frames) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut made = Made { changed: 0, chunks: 0, content: 0, bytes: 0 };
    for file in &manifest.files {
        let lacks = |index: &&u32| {
            manifest.chunks.get(**index as usize).is_some_and(|chunk| !known.contains(&chunk.sha256))
        };
        let missing: Vec<u32> =
            file.chunks.iter().filter(lacks).filter(|index| given.insert(**index)).copied().collect();
        made.changed += usize::from(!missing.is_empty());
        let from =
            old.head().manifest.file(&file.path).filter(|f| f.size <= MAX_PATCH).map(|f| f.path.clone());
        for chunks in portions(&missing, &manifest.chunks) {
            let mut content = Vec::new();
            let mut plain = Vec::new();
            for index in &chunks {
                new.chunk(*index, &mut plain)?;
                content.extend_from_slice(&plain);
            }
            let prefix = from.as_deref().map(|path| base(old, path)).transpose()?;
            let frame =
                pack_patch(&content, prefix.as_deref().unwrap_or_default()).map_err(failed("pack", out))?;
            made.chunks += chunks.len();
            made.content += content.len() as u64;
            progress(made.content);
            patches.push(Patch { base: from.clone(), chunks, packed: frame.len() as u64 });
            frames.push(frame);
        }
    }
    let plan = DeltaPlan {
        format: delta::FORMAT,
        from: old.head().digest,
        from_version: old.head().manifest.version.clone(),
        patches,
    };
    let plan = serde_json::to_vec(&plan).map_err(|e| failed("write", out)(io::Error::other(e)))?;
    let mut bytes = new.head().bytes();
    bytes.extend(tape::entry(delta::PLAN, &plan));
    for (number, frame) in frames.iter().enumerate() {
        bytes.extend(tape::entry(&patch_name(number), frame));
    }
    bytes.extend(evidence::tail(new.evidence()?.as_ref()));
    made.bytes = bytes.len() as u64;
    durable::write(out, &bytes, durable::Mode::Public)?;
    Ok(made)
}

/// Chunks in portions of at most [`MAX_PATCH`] bytes.
fn portions(missing: &[u32], chunks: &[crate::Chunk]) -> Vec<Vec<u32>> {
    let (mut all, mut size): (Vec<Vec<u32>>, u64) = (Vec::new(), 0);
    for index in missing {
        let more = chunks.get(*index as usize).map_or(0, |chunk| u64::from(chunk.size));
        match all.last_mut() {
            Some(last) if size + more <= MAX_PATCH => last.push(*index),
            _ => {
                all.push(vec![*index]);
                size = 0;
            }
        }
        size += more;
    }
    all
}

fn pack_patch(content: &[u8], prefix: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = Encoder::with_ref_prefix(Vec::new(), LEVEL, prefix)?;
    // Both the old file and the new content lie in the window, so that any part of the old one can be referred to.
    let whole = (prefix.len() + content.len()).max(1 << 10).next_power_of_two();
    encoder.window_log(whole.trailing_zeros().min(WINDOW_LOG))?;
    encoder.long_distance_matching(true)?;
    encoder.set_pledged_src_size(Some(content.len() as u64))?;
    encoder.write_all(content)?;
    encoder.finish()
}

impl Delta {
    /// Writes the whole new bundle to `out`: the very bytes of the one that the delta was made from.
    pub fn write_bundle(
        &mut self,
        old: &mut dyn Chunks,
        out: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<u64, BundleError> {
        let (head, tail) = (self.head().bytes(), evidence::tail(self.evidence()));
        let manifest = self.head().manifest.clone();
        let name = out.display().to_string();
        let folder = out.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(folder)
            .map_err(failed("create a file in", folder))?;
        let mut write = io::BufWriter::new(file.as_file());
        write.write_all(&head).map_err(failed("write", out))?;
        let mut content = self.on(old)?;
        let (mut plain, mut done, mut bytes) = (Vec::new(), 0, (head.len() + tail.len()) as u64);
        for index in (0..).take(manifest.chunks.len()) {
            content.chunk(index, &mut plain)?;
            let wanted = chunk_of(&manifest, &name, index)?;
            let packed = pack::pack(std::mem::take(&mut plain)).map_err(failed("pack", out))?;
            if packed.chunk != *wanted {
                let (wanted, found) = (u64::from(wanted.packed), u64::from(packed.chunk.packed));
                return Err(BundleError::OtherPacker { chunk: packed.chunk.sha256, wanted, found });
            }
            let entry = tape::entry(&tape::chunk_name(wanted), &packed.bytes);
            write.write_all(&entry).map_err(failed("write", out))?;
            bytes += entry.len() as u64;
            done += u64::from(wanted.size);
            progress(done);
        }
        write.write_all(&tail).and_then(|()| write.flush()).map_err(failed("write", out))?;
        drop(write);
        file.as_file().sync_all().map_err(failed("flush", out))?;
        file.persist(out).map_err(|e| failed("replace", out)(e.error))?;
        durable::sync_folder(folder)?;
        Ok(bytes)
    }
}
