//! Copies a bundle, and goes on where an earlier copy ended: what is there and right is not written again.

use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
};

use serde::Serialize;

use crate::{Bundle, BundleError, content::Chunks as _, error::failed, evidence, reader::read_head};

/// What a copy did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Copied {
    /// Bytes that were there already, and right.
    pub kept: u64,
    /// Bytes that were written.
    pub written: u64,
}

/// Makes `to` the same bundle as `from`. Torn or damaged, `to` is mended chunk by chunk; another bundle is not
/// overwritten. `progress` is told how many bytes of the bundle are done.
pub fn copy(from: &Path, to: &Path, progress: &mut dyn FnMut(u64)) -> Result<Copied, BundleError> {
    let mut source = Bundle::open(from)?;
    let target = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .open(to)
        .map_err(failed("open", to))?;
    let mut copied = Copied { kept: 0, written: 0 };
    let head = source.head().bytes();
    let put = |bytes: &[u8], at: u64| target.write_all_at(bytes, at).map_err(failed("write", to));
    if same_head(&source, &target, to, &head)? {
        copied.kept += head.len() as u64;
    } else {
        put(&head, 0)?;
        copied.written += head.len() as u64;
    }
    let mut known = Bundle::read(&to.display().to_string(), target.try_clone().map_err(failed("open", to))?)?;
    let mut plain = Vec::new();
    for index in (0..).take(source.head().manifest.chunks.len()) {
        let place = source.place(index);
        match known.entry(index, &mut plain) {
            Ok(_) => copied.kept += place.end - place.start,
            Err(BundleError::Torn { .. } | BundleError::Damaged { .. }) => {
                put(source.entry(index, &mut plain)?, place.start)?;
                copied.written += place.end - place.start;
            }
            Err(other) => return Err(other),
        }
        progress(place.end);
    }
    let tail = evidence::tail(source.evidence()?.as_ref());
    put(&tail, source.chunks_end())?;
    copied.written += tail.len() as u64;
    let end = source.chunks_end() + tail.len() as u64;
    target.set_len(end).and_then(|()| target.sync_all()).map_err(failed("write", to))?;
    durable::sync_folder(to.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
    progress(end);
    Ok(copied)
}

/// Whether the head of `source` stands in `target`. A whole head of another bundle is an error.
fn same_head(source: &Bundle, target: &File, to: &Path, head: &[u8]) -> Result<bool, BundleError> {
    let length = target.metadata().map_err(failed("read", to))?.len();
    let mut reader = target;
    match read_head(&to.display().to_string(), &mut reader, length) {
        Ok((found, _)) if found.digest != source.head().digest => {
            Err(BundleError::OtherBase { wanted: source.head().digest, found: found.digest })
        }
        Ok((found, _)) => Ok(found.bytes() == head),
        Err(BundleError::Io { source, .. }) => Err(failed("read", to)(source)),
        Err(_) => Ok(false),
    }
}
