//! Makes a bundle from a folder. The same inputs make the same bytes: files are sorted, and no clock is read.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufWriter, Seek as _, Write},
    path::{Path, PathBuf},
};

use echo_core::{Digest, Timestamp};
use fastcdc::v2020::StreamCDC;
use semver::Version;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use trust::{Envelope, KeyPair, TrustChain};

use crate::{
    BundleError, Chunk, FileEntry, Head, Kind, MANIFEST_TYPE, MAX_CHUNK, MAX_CHUNKS, MAX_FILES, MEAN_CHUNK,
    MIN_CHUNK, Manifest, error::failed, evidence, manifest::FORMAT, pack, paths, tape,
};

/// Chunks that are packed at a time; so many times [`MAX_CHUNK`] is held in memory.
const BATCH: usize = 64;

/// What a bundle is made of.
#[derive(Debug)]
pub struct Plan<'a> {
    /// The folder with the content, in the folders of [`Kind::ALL`].
    pub from: &'a Path,
    /// The file to write.
    pub to: &'a Path,
    /// Which version it is.
    pub version: Version,
    /// The lowest version that may take its place.
    pub floor: Version,
    /// When it is made.
    pub made: Timestamp,
    /// The operator's key.
    pub key: &'a KeyPair,
    /// The trust chain that names the key.
    pub chain: &'a TrustChain,
}

/// What was made.
#[derive(Debug, Clone, Serialize)]
pub struct Built {
    /// The SHA-256 of `manifest.json`.
    pub manifest: Digest,
    /// The version.
    pub version: Version,
    /// Files.
    pub files: usize,
    /// Chunks, each once.
    pub chunks: usize,
    /// Bytes of the files.
    pub content: u64,
    /// Bytes of the bundle.
    pub bytes: u64,
}

/// Builds it. `progress` is told how many bytes of content are packed.
pub fn build(plan: &Plan<'_>, progress: &mut dyn FnMut(u64)) -> Result<Built, BundleError> {
    let folder = match plan.to.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let scratch = tempfile::NamedTempFile::new_in(folder).map_err(failed("create a file in", folder))?;
    let mut packer = Packer::new(BufWriter::new(scratch), progress);
    let mut files = Vec::new();
    for (path, at) in walk(plan.from)? {
        files.push(packer.file(&path, &at)?);
    }
    let (chunks, region) = packer.finish(plan.to)?;
    let manifest = Manifest {
        format: FORMAT,
        version: plan.version.clone(),
        floor: plan.floor.clone(),
        made: plan.made,
        files,
        chunks,
    };
    let unfit = |why: String| BundleError::Unfit { path: plan.from.to_owned(), why };
    manifest.check().map_err(unfit)?;
    let envelope = Envelope::sign(MANIFEST_TYPE, &manifest, &[plan.key]).map_err(|e| unfit(e.to_string()))?;
    let envelope = serde_json::to_vec(&envelope).map_err(|e| unfit(e.to_string()))?;
    let head = Head::parse("the bundle", [envelope, plan.chain.to_json()])?;
    let bytes = put_together(&head, region, plan.to)?;
    Ok(Built {
        manifest: head.digest,
        version: plan.version.clone(),
        files: manifest.files.len(),
        chunks: manifest.chunks.len(),
        content: manifest.content_bytes(),
        bytes,
    })
}

/// Head, chunks and end in one file, which gets its name when it is durable.
fn put_together(head: &Head, mut packed: File, to: &Path) -> Result<u64, BundleError> {
    let folder = to.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let whole = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed("create a file in", folder))?;
    let mut write = || {
        let mut out = whole.as_file();
        out.write_all(&head.bytes())?;
        packed.rewind()?;
        io::copy(&mut packed, &mut out)?;
        out.write_all(&evidence::tail(None))?;
        out.sync_all()?;
        out.stream_position()
    };
    let bytes = write().map_err(failed("write", to))?;
    whole.persist(to).map_err(|e| failed("replace", to)(e.error))?;
    durable::sync_folder(folder)?;
    Ok(bytes)
}

/// Every file below `folder` with its path in a bundle, sorted by that.
fn walk(folder: &Path) -> Result<Vec<(String, PathBuf)>, BundleError> {
    let mut found = Vec::new();
    let mut folders = vec![(String::new(), folder.to_owned())];
    while let Some((above, folder)) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(failed("read", &folder))? {
            let entry = entry.map_err(failed("read", &folder))?;
            let at = entry.path();
            let unfit = {
                let path = at.clone();
                move |why: &str| BundleError::Unfit { path: path.clone(), why: why.to_owned() }
            };
            let name = entry.file_name().into_string().map_err(|_| unfit("its name is not Unicode"))?;
            let path = if above.is_empty() { name } else { format!("{above}/{name}") };
            paths::check(&path).map_err(|why| unfit(&why))?;
            let kind = entry.file_type().map_err(failed("read", &at))?;
            if kind.is_dir() {
                folders.push((path, at));
            } else if kind.is_file() {
                found.push((path, at));
            } else {
                return Err(unfit("it is a link or a device; a bundle holds plain files"));
            }
            if found.len() > MAX_FILES {
                return Err(unfit(&format!("there are more than {MAX_FILES} files")));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Cuts files, and writes each new chunk behind the others.
struct Packer<'p> {
    out: BufWriter<tempfile::NamedTempFile>,
    chunks: Vec<Chunk>,
    known: HashMap<Digest, u32>,
    waiting: Vec<Vec<u8>>,
    done: u64,
    progress: &'p mut dyn FnMut(u64),
}

impl<'p> Packer<'p> {
    fn new(out: BufWriter<tempfile::NamedTempFile>, progress: &'p mut dyn FnMut(u64)) -> Self {
        Self { out, chunks: Vec::new(), known: HashMap::new(), waiting: Vec::new(), done: 0, progress }
    }

    fn file(&mut self, path: &str, at: &Path) -> Result<FileEntry, BundleError> {
        let unfit = |why: String| BundleError::Unfit { path: at.to_owned(), why };
        let kind = Kind::of(path).ok_or_else(|| {
            unfit(format!("it lies in none of {}", Kind::ALL.map(|(folder, _)| folder).join("/, ")))
        })?;
        let file = File::open(at).map_err(failed("open", at))?;
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &file.metadata().map_err(failed("read", at))?.permissions(),
        );
        let (mut hash, mut size, mut chunks) = (Sha256::new(), 0, Vec::new());
        for piece in StreamCDC::new(file, MIN_CHUNK, MEAN_CHUNK, MAX_CHUNK) {
            let piece = piece.map_err(|e| failed("read", at)(io::Error::other(e.to_string())))?.data;
            hash.update(&piece);
            size += piece.len() as u64;
            chunks.push(self.chunk(piece, at)?);
        }
        Ok(FileEntry {
            path: path.to_owned(),
            kind,
            executable: mode & 0o100 != 0,
            size,
            sha256: Digest(hash.finalize().into()),
            chunks,
        })
    }

    /// The number of a chunk, which is packed later when it is new.
    fn chunk(&mut self, piece: Vec<u8>, at: &Path) -> Result<u32, BundleError> {
        self.done += piece.len() as u64;
        let digest = Digest::of(&piece);
        if let Some(index) = self.known.get(&digest) {
            return Ok(*index);
        }
        let index = self.known.len();
        if index >= MAX_CHUNKS {
            let why = format!("there is more content than {MAX_CHUNKS} chunks hold");
            return Err(BundleError::Unfit { path: at.to_owned(), why });
        }
        let index = u32::try_from(index).expect("MAX_CHUNKS fits");
        self.known.insert(digest, index);
        self.waiting.push(piece);
        if self.waiting.len() >= BATCH {
            self.flush(at)?;
        }
        Ok(index)
    }

    fn flush(&mut self, at: &Path) -> Result<(), BundleError> {
        let packed = pack::pack_all(std::mem::take(&mut self.waiting)).map_err(failed("pack", at))?;
        for packed in packed {
            let entry = tape::entry(&tape::chunk_name(&packed.chunk), &packed.bytes);
            self.out.write_all(&entry).map_err(failed("write", at))?;
            self.chunks.push(packed.chunk);
        }
        (self.progress)(self.done);
        Ok(())
    }

    fn finish(mut self, at: &Path) -> Result<(Vec<Chunk>, File), BundleError> {
        self.flush(at)?;
        let file = self.out.into_inner().map_err(|e| failed("write", at)(e.into_error()))?;
        Ok((self.chunks, file.into_file()))
    }
}
