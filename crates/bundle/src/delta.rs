//! A delta: what one bundle has and another lacks, each changed file read against what it was.
//!
//! It is a tar like a bundle: the head of the new bundle, `delta.json` with the plan, the patches, and the word of the
//! ledger. The plan is not signed: whatever it leads to is the chunks of the signed manifest, or it is refused.

use std::{
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{Read, Seek, SeekFrom},
    ops::Range,
    path::Path,
};

use echo_core::Digest;
use semver::Version;
use serde::{Deserialize, Serialize};
use zstd::stream::read::Decoder;

use crate::{
    BundleError, Head, MAX_DELTA_PLAN, MAX_FILES, MAX_PATCH,
    content::{Chunks, each_chunk},
    error::failed,
    evidence::{self, Evidence},
    reader::{chunk_of, exactly, read_entry, read_head},
    tape,
};

/// The number of this format.
pub const FORMAT: u32 = 1;
/// The name of the plan.
pub const PLAN: &str = "delta.json";
/// zstd's window for patches, as a power of two: an old file and a new one, each of [`MAX_PATCH`].
pub const WINDOW_LOG: u32 = 28;

/// How the new chunks come about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeltaPlan {
    /// [`FORMAT`].
    pub format: u32,
    /// The SHA-256 of the old bundle's `manifest.json`.
    pub from: Digest,
    /// Its version, for people.
    pub from_version: Version,
    /// The patches, in the order of their entries.
    pub patches: Vec<Patch>,
}

/// Some chunks that the old bundle lacks, as one zstd frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// The file of the old bundle that the frame refers to (`zstd --patch-from`); none when it stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The chunks, by their place in the new manifest.
    pub chunks: Vec<u32>,
    /// Bytes of the frame.
    pub packed: u64,
}

/// A delta that is open for reading.
pub struct Delta<R = File> {
    name: String,
    source: R,
    length: u64,
    head: Head,
    plan: DeltaPlan,
    /// Where the frame of each patch lies.
    places: Vec<Range<u64>>,
    evidence: Option<Evidence>,
}

impl Delta<File> {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> Result<Self, BundleError> {
        let file = File::open(path).map_err(failed("open", path))?;
        Self::read(&path.display().to_string(), file)
    }
}

impl<R: Read + Seek> Delta<R> {
    /// Reads the head and the plan of the delta in `source`. `name` is for messages.
    pub fn read(name: &str, mut source: R) -> Result<Self, BundleError> {
        let system = |e| failed("read", Path::new(name))(e);
        let length = source.seek(SeekFrom::End(0)).map_err(system)?;
        let (head, mut at) = read_head(name, &mut source, length)?;
        let begin = at;
        let plan = read_entry(name, &mut source, &mut at, length, PLAN, MAX_DELTA_PLAN)?;
        let damaged = |why: String| BundleError::Damaged { name: name.to_owned(), at: begin, why };
        let plan: DeltaPlan = serde_json::from_slice(&plan).map_err(|e| damaged(e.to_string()))?;
        check(&plan, &head).map_err(damaged)?;
        let mut places = Vec::new();
        for (number, patch) in plan.patches.iter().enumerate() {
            let from = at + tape::BLOCK;
            at += tape::room(patch.packed);
            if length < at {
                return Err(BundleError::Torn { name: name.to_owned(), at: length, length: at });
            }
            source.seek(SeekFrom::Start(from - tape::BLOCK)).map_err(system)?;
            let mut header = [0; tape::HEADER];
            exactly(name, &mut source, length, from, &mut header)?;
            if header != tape::header(&patch_name(number), patch.packed) {
                let why = format!("there is no entry {}", patch_name(number));
                return Err(BundleError::Damaged { name: name.to_owned(), at: from - tape::BLOCK, why });
            }
            source.seek(SeekFrom::Start(from + patch.packed)).map_err(system)?;
            let mut padding = vec![0; tape::padding(patch.packed).len()];
            exactly(name, &mut source, length, at, &mut padding)?;
            if padding.iter().any(|byte| *byte != 0) {
                let why = format!("something stands behind {}", patch_name(number));
                return Err(BundleError::Damaged { name: name.to_owned(), at: from + patch.packed, why });
            }
            places.push(from..from + patch.packed);
        }
        source.seek(SeekFrom::Start(at)).map_err(system)?;
        let evidence = evidence::read(name, &mut source, at, length)?;
        Ok(Self { name: name.to_owned(), source, length, head, plan, places, evidence })
    }

    /// What is signed about the new bundle.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// What it says about the ledger.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.evidence.as_ref()
    }

    /// From which manifest it leads, and of which version that is.
    pub fn from(&self) -> (Digest, &Version) {
        (self.plan.from, &self.plan.from_version)
    }

    /// How many bytes it has.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The content of the new bundle, from this and the old one.
    pub fn on<'d>(&'d mut self, old: &'d mut dyn Chunks) -> Result<Patched<'d, R>, BundleError> {
        let found = old.head().digest;
        if found != self.plan.from {
            return Err(BundleError::OtherBase { wanted: self.plan.from, found });
        }
        let in_old: HashMap<Digest, u32> =
            (0..).zip(&old.head().manifest.chunks).map(|(index, chunk)| (chunk.sha256, index)).collect();
        let mut in_patch = HashMap::new();
        for (number, patch) in self.plan.patches.iter().enumerate() {
            let mut at = 0;
            for index in &patch.chunks {
                in_patch.insert(*index, (number, at));
                at += chunk_of(&self.head.manifest, &self.name, *index)?.size as usize;
            }
        }
        Ok(Patched { delta: self, old, in_old, in_patch, current: None })
    }
}

fn check(plan: &DeltaPlan, head: &Head) -> Result<(), String> {
    if plan.format != FORMAT {
        return Err(format!("format {} is not known here: read it with a newer Echo", plan.format));
    }
    if plan.patches.len() > MAX_FILES {
        return Err(format!("more than {MAX_FILES} patches"));
    }
    let mut seen = BTreeSet::new();
    for patch in &plan.patches {
        let mut size = 0;
        for index in &patch.chunks {
            let chunk = head
                .manifest
                .chunks
                .get(*index as usize)
                .ok_or("a chunk of a patch is not in the manifest")?;
            if !seen.insert(*index) {
                return Err("a chunk stands in two patches".to_owned());
            }
            size += u64::from(chunk.size);
        }
        if size > MAX_PATCH || patch.packed > MAX_PATCH {
            return Err(format!("a patch is larger than {MAX_PATCH} bytes"));
        }
    }
    Ok(())
}

/// The name of a patch's entry.
pub fn patch_name(number: usize) -> String {
    format!("patches/{number:05}.zst")
}

/// The content of `path` in `old`, when it is small enough to be a base.
pub fn base(old: &mut dyn Chunks, path: &str) -> Result<Vec<u8>, BundleError> {
    let file = old.head().manifest.file(path).filter(|file| file.size <= MAX_PATCH).cloned();
    let file = file.ok_or_else(|| BundleError::Damaged {
        name: old.name().to_owned(),
        at: 0,
        why: format!("a patch leads from {path:?}, which is not there or too large"),
    })?;
    let mut content = Vec::new();
    each_chunk(old, &file, &mut |plain| {
        content.extend_from_slice(plain);
        Ok(())
    })?;
    Ok(content)
}

/// The content of a new bundle, from an old one and a delta.
pub struct Patched<'d, R> {
    delta: &'d mut Delta<R>,
    old: &'d mut dyn Chunks,
    in_old: HashMap<Digest, u32>,
    /// The patch that holds a chunk, and where in its content.
    in_patch: HashMap<u32, (usize, usize)>,
    current: Option<(usize, Vec<u8>)>,
}

impl<R: Read + Seek> Patched<'_, R> {
    /// Unpacks a patch. At most one is held.
    fn load(&mut self, number: usize) -> Result<(), BundleError> {
        if self.current.as_ref().is_some_and(|(current, _)| *current == number) {
            return Ok(());
        }
        self.current = None;
        let (patch, place) = (&self.delta.plan.patches[number], self.delta.places[number].clone());
        let base = match &patch.base {
            Some(from) => base(self.old, from)?,
            None => Vec::new(),
        };
        let name = self.delta.name.clone();
        let size: u64 = patch
            .chunks
            .iter()
            .filter_map(|index| self.delta.head.manifest.chunks.get(*index as usize))
            .map(|chunk| u64::from(chunk.size))
            .sum();
        let source = &mut self.delta.source;
        source.seek(SeekFrom::Start(place.start)).map_err(failed("read", Path::new(&name)))?;
        let packed = source.take(place.end - place.start);
        let mut content = Vec::new();
        let unpack = || -> std::io::Result<()> {
            let mut decoder = Decoder::with_ref_prefix(std::io::BufReader::new(packed), &base)?;
            decoder.window_log_max(WINDOW_LOG)?;
            // One byte more than there may be, so that a frame that holds more is found out.
            decoder.take(size + 1).read_to_end(&mut content).map(drop)
        };
        let damaged = |why: String| BundleError::Damaged { name: name.clone(), at: place.start, why };
        unpack().map_err(|e| damaged(format!("the patch cannot be unpacked: {e}")))?;
        if content.len() as u64 != size {
            return Err(damaged("the patch has not the size that it should".to_owned()));
        }
        self.current = Some((number, content));
        Ok(())
    }
}

impl<R: Read + Seek> Chunks for Patched<'_, R> {
    fn name(&self) -> &str {
        &self.delta.name
    }

    fn head(&self) -> &Head {
        &self.delta.head
    }

    fn chunk(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<(), BundleError> {
        let chunk = chunk_of(&self.delta.head.manifest, &self.delta.name, index)?.clone();
        if let Some(old) = self.in_old.get(&chunk.sha256) {
            return self.old.chunk(*old, plain);
        }
        let damaged = |why: &str| BundleError::Damaged {
            name: self.delta.name.clone(),
            at: 0,
            why: format!("{why} the chunk {}", chunk.sha256),
        };
        let (number, at) =
            *self.in_patch.get(&index).ok_or_else(|| damaged("neither it nor the old bundle holds"))?;
        self.load(number)?;
        let content = self.current.as_ref().map_or(&[][..], |(_, content)| content);
        plain.clear();
        plain.extend_from_slice(content.get(at..at + chunk.size as usize).unwrap_or_default());
        if Digest::of(plain) != chunk.sha256 {
            return Err(BundleError::Damaged {
                name: self.delta.name.clone(),
                at: self.delta.places[number].start,
                why: format!("the patch does not lead to the chunk {}", chunk.sha256),
            });
        }
        Ok(())
    }
}
