//! Reads a bundle: the head at once, chunks as they are asked for. Nothing is believed but digests.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use echo_core::Digest;
use trust::{Envelope, TrustChain, chain::MAX_CHAIN_BYTES};

use crate::{
    BundleError, Chunk, MANIFEST_TYPE, MAX_MANIFEST_BYTES, Manifest, Refusal,
    content::Chunks,
    error::failed,
    evidence::{self, Evidence},
    pack::Unpacker,
    tape,
};

/// The names of the entries before the chunks, in their order, with the most bytes of each.
pub const HEAD: [(&str, u64); 2] =
    [("manifest.json", MAX_MANIFEST_BYTES), ("trust/sovereign_trust_registry.json", MAX_CHAIN_BYTES)];

/// What stands before the chunks. Well formed, and not yet believed: see [`crate::Judge`].
#[derive(Debug, Clone)]
pub struct Head {
    /// What is in the bundle.
    pub manifest: Manifest,
    /// The manifest as it was signed.
    pub envelope: Envelope,
    /// The SHA-256 of `manifest.json`: the bundle's name among all others, and what the ledger holds of it.
    pub digest: Digest,
    /// The trust chain of its maker.
    pub chain: TrustChain,
    /// The two files as they are, in the order of the bundle.
    pub(crate) files: [Vec<u8>; 2],
}

impl Head {
    /// Reads the two files of a head. `name` is for messages.
    pub(crate) fn parse(name: &str, files: [Vec<u8>; 2]) -> Result<Self, BundleError> {
        let refused =
            |source: Refusal| BundleError::Refused { name: name.to_owned(), source: Box::new(source) };
        let bad = |why: String| refused(Refusal::Manifest(why));
        let [manifest, registry] = &files;
        let envelope: Envelope = serde_json::from_slice(manifest).map_err(|e| bad(e.to_string()))?;
        let chain = TrustChain::from_json(registry).map_err(|e| refused(e.into()))?;
        if serde_json::to_vec(&envelope).ok().as_ref() != Some(manifest) || chain.to_json() != *registry {
            return Err(bad("bytes were added to it or to its trust chain".to_owned()));
        }
        if envelope.payload_type != MANIFEST_TYPE {
            return Err(bad("it is another kind of document".to_owned()));
        }
        let payload = envelope.payload_unchecked().map_err(|e| bad(e.to_string()))?;
        let read = Manifest::parse(&payload).map_err(bad)?;
        let digest = Digest::of(manifest);
        Ok(Self { manifest: read, envelope, digest, chain, files })
    }

    /// The bytes of the head in a bundle.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        HEAD.iter().zip(&self.files).flat_map(|((name, _), bytes)| tape::entry(name, bytes)).collect()
    }
}

/// A bundle that is open for reading.
pub struct Bundle<R = File> {
    name: String,
    source: R,
    length: u64,
    head: Head,
    /// Where each chunk's entry begins; last, where the chunks end.
    places: Vec<u64>,
    packed: Vec<u8>,
    unpacker: Unpacker,
}

impl Bundle<File> {
    /// Opens the file at `path` and reads its head.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let file = File::open(path).map_err(failed("open", path))?;
        Self::read(&path.display().to_string(), file)
    }
}

impl<R: Read + Seek> Bundle<R> {
    /// Reads the head of the bundle in `source`. `name` is for messages.
    pub fn read(name: &str, mut source: R) -> Result<Self, BundleError> {
        let system = |e| failed("read", Path::new(name))(e);
        let length = source.seek(SeekFrom::End(0)).map_err(system)?;
        let (head, at) = read_head(name, &mut source, length)?;
        let mut places = vec![at];
        let mut end = at;
        for chunk in &head.manifest.chunks {
            end += tape::room(u64::from(chunk.packed));
            places.push(end);
        }
        let unpacker = Unpacker::new().map_err(system)?;
        Ok(Self { name: name.to_owned(), source, length, head, places, packed: Vec::new(), unpacker })
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Where the chunks end, and the rest begins.
    pub(crate) fn chunks_end(&self) -> u64 {
        self.places.last().copied().unwrap_or_default()
    }

    /// Where the entry of each chunk lies.
    pub(crate) fn place(&self, index: u32) -> std::ops::Range<u64> {
        let at = |index: usize| self.places.get(index).copied().unwrap_or_default();
        at(index as usize)..at(index as usize + 1)
    }

    /// The whole entry of a chunk, once it is that chunk's; what it unpacks to is left in `plain`.
    pub(crate) fn entry(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<&[u8], BundleError> {
        self.open_entry(index, plain, Unpacker::unpack)
    }

    fn open_entry(
        &mut self,
        index: u32,
        plain: &mut Vec<u8>,
        unpack: fn(&mut Unpacker, &Chunk, &[u8], &mut Vec<u8>) -> bool,
    ) -> Result<&[u8], BundleError> {
        let chunk = chunk_of(&self.head.manifest, &self.name, index)?.clone();
        let place = self.place(index);
        let end = self.chunks_end();
        fill(&self.name, &mut self.source, self.length, &place, end, &mut self.packed)?;
        let damaged = |why: &str| BundleError::Damaged {
            name: self.name.clone(),
            at: place.start,
            why: format!("{why} {}", chunk.sha256),
        };
        let size = chunk.packed as usize;
        let (header, rest) = self.packed.split_at(tape::HEADER);
        let (bytes, padding) = rest.split_at(size);
        let sound = header == tape::header(&tape::chunk_name(&chunk), u64::from(chunk.packed))
            && padding == tape::padding(u64::from(chunk.packed));
        if !sound {
            return Err(damaged("there is no entry for the chunk"));
        }
        if !unpack(&mut self.unpacker, &chunk, bytes, plain) {
            return Err(damaged("what stands there is not the chunk"));
        }
        Ok(&self.packed)
    }

    /// What the bundle says about the ledger, once everything after the chunks is as it should be.
    pub fn evidence(&mut self) -> Result<Option<Evidence>, BundleError> {
        let at = self.chunks_end();
        self.source.seek(SeekFrom::Start(at)).map_err(failed("read", Path::new(&self.name)))?;
        evidence::read(&self.name, &mut self.source, at, self.length)
    }
}

impl<R: Read + Seek> Chunks for Bundle<R> {
    fn name(&self) -> &str {
        &self.name
    }

    fn head(&self) -> &Head {
        &self.head
    }

    fn chunk(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<(), BundleError> {
        self.entry(index, plain).map(drop)
    }

    fn piece(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<(), BundleError> {
        self.open_entry(index, plain, Unpacker::unpack_any).map(drop)
    }
}

/// The chunk of a number that comes from a manifest which was checked.
pub fn chunk_of<'a>(manifest: &'a Manifest, name: &str, index: u32) -> Result<&'a Chunk, BundleError> {
    manifest.chunks.get(index as usize).ok_or_else(|| BundleError::Damaged {
        name: name.to_owned(),
        at: 0,
        why: format!("there is no chunk {index}"),
    })
}

/// Reads the head from the beginning of `source`; also, where it ends.
pub fn read_head(
    name: &str,
    source: &mut (impl Read + Seek),
    length: u64,
) -> Result<(Head, u64), BundleError> {
    source.seek(SeekFrom::Start(0)).map_err(failed("read", Path::new(name)))?;
    let mut files = [Vec::new(), Vec::new()];
    let mut at = 0;
    for ((entry, limit), file) in HEAD.into_iter().zip(&mut files) {
        *file = read_entry(name, source, &mut at, length, entry, limit)?;
    }
    Ok((Head::parse(name, files)?, at))
}

/// Reads the entry `entry` at `at`, where `source` stands, and moves `at` behind it.
pub fn read_entry(
    name: &str,
    source: &mut impl Read,
    at: &mut u64,
    length: u64,
    entry: &str,
    limit: u64,
) -> Result<Vec<u8>, BundleError> {
    let mut header = [0; tape::HEADER];
    exactly(name, source, length, *at + tape::BLOCK, &mut header)?;
    let damaged = |why: String| BundleError::Damaged { name: name.to_owned(), at: *at, why };
    let size = tape::size_of(entry, &header)
        .ok_or_else(|| damaged(format!("there is no entry {entry:?}, so it is no bundle of this format")))?;
    if size > limit {
        return Err(damaged(format!("{entry} claims {size} bytes, and at most {limit} are taken")));
    }
    let end = *at + tape::room(size);
    if length < end {
        return Err(BundleError::Torn { name: name.to_owned(), at: length, length: end });
    }
    let mut bytes = vec![0; usize::try_from(size).map_err(|_| damaged("it is too large".to_owned()))?];
    exactly(name, source, length, end, &mut bytes)?;
    let mut padding = vec![0; tape::padding(size).len()];
    exactly(name, source, length, end, &mut padding)?;
    if padding.iter().any(|byte| *byte != 0) {
        return Err(damaged(format!("something stands behind {entry}")));
    }
    *at = end;
    Ok(bytes)
}

fn fill(
    name: &str,
    source: &mut (impl Read + Seek),
    length: u64,
    place: &std::ops::Range<u64>,
    end: u64,
    into: &mut Vec<u8>,
) -> Result<(), BundleError> {
    // A chunk that is not there any more: nothing is read, for nothing of it could be used.
    if length < place.end {
        let length_wanted = end + tape::END.len() as u64;
        return Err(BundleError::Torn { name: name.to_owned(), at: length, length: length_wanted });
    }
    let wanted = usize::try_from(place.end - place.start).expect("a chunk's entry is little above MAX_CHUNK");
    into.resize(wanted, 0);
    source.seek(SeekFrom::Start(place.start)).map_err(failed("read", Path::new(name)))?;
    exactly(name, source, length, place.end, into)
}

/// Fills `into`; what is not there is what was torn off.
pub fn exactly(
    name: &str,
    source: &mut impl Read,
    length: u64,
    end: u64,
    into: &mut [u8],
) -> Result<(), BundleError> {
    source.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => BundleError::Torn { name: name.to_owned(), at: length, length: end },
        _ => failed("read", Path::new(name))(error),
    })
}
