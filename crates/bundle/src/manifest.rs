//! What is in a bundle, as its maker signed it.

use std::collections::BTreeSet;

use echo_core::{Digest, Timestamp};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::{MAX_CHUNK, MAX_CHUNKS, MAX_CONTENT, MAX_FILES, paths};

/// The payload type of a manifest's envelope.
pub const MANIFEST_TYPE: &str = "application/vnd.echo.bundle.v1+json";
/// The number of this format.
pub const FORMAT: u32 = 1;

/// What is in a bundle. The operator signs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// Which version of Echo this is (Semantic Versioning 2.0.0).
    pub version: Version,
    /// The lowest version that may take the place of this one; at most `version`.
    pub floor: Version,
    /// When it was made, as its maker says.
    pub made: Timestamp,
    /// The files, by path.
    pub files: Vec<FileEntry>,
    /// The chunks that the files are made of, in the order of their first use.
    pub chunks: Vec<Chunk>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Where it lies below the folder of the installation.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it is a program: mode 0755, and 0644 otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Its size in bytes.
    pub size: u64,
    /// Its content.
    pub sha256: Digest,
    /// The chunks that make it, by their place in [`Manifest::chunks`].
    pub chunks: Vec<u32>,
}

/// A piece of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chunk {
    /// Its content, and its name in the bundle.
    pub sha256: Digest,
    /// Its size in bytes.
    pub size: u32,
    /// The bytes that it takes in the bundle: fewer than `size` as a zstd frame, or `size` as it is.
    pub packed: u32,
}

/// What a file is: the first folder of its path says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// `bin/`
    Program,
    /// `models/`
    Model,
    /// `memory/`
    Memory,
    /// `playbooks/`
    Playbook,
    /// `policies/`
    Policy,
    /// `intake/`
    Form,
    /// `manifest/`
    Offer,
    /// `advisories/`
    Advisory,
    /// `documents/`
    Document,
    /// `ledger/`
    Ledger,
    /// `sbom/`
    Sbom,
    /// `image/`: a bootable system's root, its hash tree and its kernel
    Image,
}

impl Kind {
    /// All kinds with their folders.
    pub const ALL: [(&'static str, Self); 12] = [
        ("bin", Self::Program),
        ("models", Self::Model),
        ("memory", Self::Memory),
        ("playbooks", Self::Playbook),
        ("policies", Self::Policy),
        ("intake", Self::Form),
        ("manifest", Self::Offer),
        ("advisories", Self::Advisory),
        ("documents", Self::Document),
        ("ledger", Self::Ledger),
        ("sbom", Self::Sbom),
        ("image", Self::Image),
    ];

    /// The kind of the file at `path`; nothing when it lies in no folder of a bundle.
    pub fn of(path: &str) -> Option<Self> {
        let (folder, _) = path.split_once('/')?;
        Self::ALL.into_iter().find(|(name, _)| *name == folder).map(|(_, kind)| kind)
    }

    /// The folder of its files.
    pub fn folder(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }
}

impl FileEntry {
    /// Its permissions.
    pub fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }
}

impl Chunk {
    /// Whether it stands in the bundle as it is.
    pub fn is_raw(&self) -> bool {
        self.packed == self.size
    }
}

impl Manifest {
    /// Reads the payload of a manifest's envelope, and [checks](Manifest::check) it.
    pub fn parse(payload: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
        manifest.check()?;
        Ok(manifest)
    }

    /// The bytes of all files together.
    pub fn content_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// The bytes of all chunks together, unpacked.
    pub fn chunk_bytes(&self) -> u64 {
        self.chunks.iter().map(|chunk| u64::from(chunk.size)).sum()
    }

    /// The file at `path`.
    pub fn file(&self, path: &str) -> Option<&FileEntry> {
        let at = self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()?;
        self.files.get(at)
    }

    /// Whether it keeps the rules of the format. Everything else in this crate relies on it.
    pub fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!("format {} is not known here: read it with a newer Echo", self.format));
        }
        if self.floor > self.version {
            return Err("its floor is above its own version".to_owned());
        }
        if self.files.len() > MAX_FILES || self.chunks.len() > MAX_CHUNKS {
            return Err(format!("more than {MAX_FILES} files or {MAX_CHUNKS} chunks"));
        }
        self.check_chunks()?;
        self.check_paths()?;
        let (mut next, mut content) = (0, 0_u64);
        for file in &self.files {
            let fail = |why: &str| Err(format!("{}: {why}", file.path));
            let mut size = 0;
            for index in &file.chunks {
                let Some(chunk) = self.chunks.get(*index as usize) else {
                    return fail("one of its chunks is not in the list");
                };
                if *index > next {
                    return fail("its chunks are not in the order of their first use");
                }
                next = next.max(index + 1);
                size += u64::from(chunk.size);
            }
            if size != file.size {
                return fail("its chunks do not add up to its size");
            }
            content = content.saturating_add(size);
        }
        if next as usize != self.chunks.len() {
            return Err("it lists chunks that no file uses".to_owned());
        }
        if content > MAX_CONTENT {
            return Err(format!("more than {MAX_CONTENT} bytes of content"));
        }
        Ok(())
    }

    fn check_chunks(&self) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for chunk in &self.chunks {
            let fits =
                (1..=MAX_CHUNK).contains(&(chunk.size as usize)) && (1..=chunk.size).contains(&chunk.packed);
            if !fits {
                return Err(format!("the chunk {} has an impossible size", chunk.sha256));
            }
            if !seen.insert(chunk.sha256) {
                return Err(format!("the chunk {} stands twice", chunk.sha256));
            }
        }
        Ok(())
    }

    fn check_paths(&self) -> Result<(), String> {
        let mut folders = BTreeSet::new();
        for file in &self.files {
            paths::check(&file.path)?;
            if Kind::of(&file.path) != Some(file.kind) {
                return Err(format!("{} does not lie in the folder of its kind", file.path));
            }
            let mut above = file.path.as_str();
            while let Some((folder, _)) = above.rsplit_once('/') {
                folders.insert(folder);
                above = folder;
            }
        }
        if !self.files.is_sorted_by(|a, b| a.path < b.path) {
            return Err("its files are not sorted by path, or one stands twice".to_owned());
        }
        match self.files.iter().find(|file| folders.contains(file.path.as_str())) {
            Some(file) => Err(format!("{} is a file and a folder", file.path)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let file = |path: &str, chunks: &[u32]| FileEntry {
            path: path.to_owned(),
            kind: Kind::of(path).unwrap_or(Kind::Program),
            executable: false,
            size: 10 * chunks.len() as u64,
            sha256: Digest::of(path.as_bytes()),
            chunks: chunks.to_vec(),
        };
        let chunk = |name: &[u8]| Chunk { sha256: Digest::of(name), size: 10, packed: 7 };
        Manifest {
            format: FORMAT,
            version: Version::new(1, 2, 3),
            floor: Version::new(1, 0, 0),
            made: "2027-01-01T00:00:00Z".parse().unwrap(),
            files: vec![file("bin/a", &[0, 1]), file("bin/b", &[0]), file("documents/c", &[1, 2])],
            chunks: vec![chunk(b"0"), chunk(b"1"), chunk(b"2")],
        }
    }

    fn refused(change: impl FnOnce(&mut Manifest)) -> String {
        let mut manifest = manifest();
        change(&mut manifest);
        manifest.check().unwrap_err()
    }

    #[test]
    fn a_sound_manifest_passes_and_reads_back() {
        let manifest = manifest();
        manifest.check().unwrap();
        let json = serde_json::to_string(&manifest).unwrap();
        assert_eq!(serde_json::from_str::<Manifest>(&json).unwrap(), manifest);
        assert!(serde_json::from_str::<Manifest>(&json.replacen('{', "{\"more\":1,", 1)).is_err());
        assert_eq!(manifest.file("bin/b").unwrap().chunks, [0]);
        assert!(manifest.file("bin/c").is_none());
    }

    #[test]
    fn each_rule_is_kept() {
        let told = [
            (refused(|m| m.format = 2), "format 2"),
            (refused(|m| m.floor = Version::new(2, 0, 0)), "floor"),
            (refused(|m| m.files.swap(0, 1)), "sorted"),
            (refused(|m| m.files[1].path = "bin/a".to_owned()), "sorted"),
            (refused(|m| m.files[1].path = "bin/a/b".to_owned()), "a file and a folder"),
            (refused(|m| m.files[0].path = "bin/../a".to_owned()), "leaves its folder"),
            (refused(|m| m.files[0].path = "models/a".to_owned()), "folder of its kind"),
            (refused(|m| m.files[0].path = "etc/a".to_owned()), "folder of its kind"),
            (refused(|m| m.files[0].size = 21), "add up"),
            (refused(|m| m.files[0].chunks = vec![0, 9]), "not in the list"),
            (refused(|m| m.files[0].chunks = vec![1, 0]), "order of their first use"),
            (refused(|m| m.chunks[2].sha256 = m.chunks[0].sha256), "twice"),
            (refused(|m| m.chunks[2].size = 1 << 30), "impossible"),
            (refused(|m| m.chunks[2].packed = 11), "impossible"),
            (refused(|m| m.chunks[2].packed = 0), "impossible"),
            (refused(|m| drop(m.files.pop())), "no file uses"),
        ];
        for (why, word) in told {
            assert!(why.contains(word), "{why} / {word}");
        }
    }
}
