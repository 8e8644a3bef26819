//! Whatever gives the content of a bundle: the file, a delta with what it is applied to, an installed tree.

use echo_core::Digest;
use sha2::{Digest as _, Sha256};

use crate::{BundleError, FileEntry, Head, Refusal};

/// Gives the chunks of a bundle. What it gives has the digest that the manifest says.
pub trait Chunks {
    /// What it is called in messages.
    fn name(&self) -> &str;
    /// What is signed about it.
    fn head(&self) -> &Head;
    /// Puts a chunk of the manifest into `plain`, or says why not.
    fn chunk(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<(), BundleError>;
    /// The same without a look at the chunk's digest: for whoever takes that of the whole file, and reads again when it
    /// is not what it should be.
    fn piece(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<(), BundleError> {
        self.chunk(index, plain)
    }
}

/// What was read and found right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// Files.
    pub files: usize,
    /// Chunks of the manifest.
    pub chunks: usize,
    /// Bytes of the files' content.
    pub bytes: u64,
}

/// Reads all content once, and says whether every chunk and every file is what the manifest says. `progress` is told
/// how many bytes of content are done.
pub fn check_content(source: &mut dyn Chunks, progress: &mut dyn FnMut(u64)) -> Result<Checked, BundleError> {
    let manifest = source.head().manifest.clone();
    let mut done = 0;
    for file in &manifest.files {
        // Each byte is hashed once, for the file; only where that fails is it worth knowing which chunk is to blame.
        if !is_whole(source, file)? {
            each_chunk(source, file, &mut |_| Ok(()))?;
        }
        done += file.size;
        progress(done);
    }
    Ok(Checked { files: manifest.files.len(), chunks: manifest.chunks.len(), bytes: done })
}

/// Whether the content of a file of several chunks has the digest that it should; of others, nothing is known yet.
fn is_whole(source: &mut dyn Chunks, file: &FileEntry) -> Result<bool, BundleError> {
    if file.chunks.len() < 2 {
        return Ok(false);
    }
    let (mut plain, mut hash) = (Vec::new(), Sha256::new());
    for index in &file.chunks {
        source.piece(*index, &mut plain)?;
        hash.update(&plain);
    }
    Ok(Digest(hash.finalize().into()) == file.sha256)
}

/// Gives the content of one file to `take`, piece by piece, and says at the end whether it was the file's.
pub fn each_chunk(
    source: &mut dyn Chunks,
    file: &FileEntry,
    take: &mut dyn FnMut(&[u8]) -> Result<(), BundleError>,
) -> Result<(), BundleError> {
    let mut plain = Vec::new();
    let mut hash = Sha256::new();
    for index in &file.chunks {
        source.chunk(*index, &mut plain)?;
        // The digest of a file of one chunk is the chunk's, which was checked.
        if file.chunks.len() > 1 {
            hash.update(&plain);
        }
        take(&plain)?;
    }
    let only = match file.chunks.as_slice() {
        [only] => source.head().manifest.chunks.get(*only as usize).map(|chunk| chunk.sha256),
        _ => None,
    };
    if only.unwrap_or_else(|| Digest(hash.finalize().into())) == file.sha256 {
        return Ok(());
    }
    let why = format!(
        "the chunks of {} are not the file that it lists: its maker signed what cannot be",
        file.path
    );
    Err(BundleError::Refused { name: source.name().to_owned(), source: Box::new(Refusal::Manifest(why)) })
}
