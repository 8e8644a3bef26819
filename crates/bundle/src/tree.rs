//! A bundle that is unpacked: its files in a folder, its head beside them.

use std::{
    collections::HashMap,
    fs::File,
    os::unix::fs::{FileExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use echo_core::Digest;

use crate::{
    BundleError, Head,
    content::{Checked, Chunks, check_content},
    error::failed,
    reader::{HEAD, chunk_of},
};

/// Where the head lies in the folder. No file of a bundle can lie there, for its paths have no hidden parts.
pub const HEAD_FOLDER: &str = ".bundle";

/// An unpacked bundle.
pub struct Tree {
    name: String,
    folder: PathBuf,
    head: Head,
    /// For each chunk, a file that holds it, and where.
    places: HashMap<u32, (usize, u64)>,
    open: Option<(usize, File)>,
}

/// The name of a head's file in [`HEAD_FOLDER`].
pub fn head_file(entry: &str) -> &str {
    entry.rsplit('/').next().unwrap_or(entry)
}

impl Tree {
    /// Opens the bundle that is unpacked in `folder`.
    pub fn open(folder: &Path) -> Result<Self, BundleError> {
        let name = folder.display().to_string();
        let mut files = [Vec::new(), Vec::new()];
        for ((entry, limit), file) in HEAD.into_iter().zip(&mut files) {
            let path = folder.join(HEAD_FOLDER).join(head_file(entry));
            *file = durable::read(&path, limit)?.ok_or_else(|| BundleError::Damaged {
                name: name.clone(),
                at: 0,
                why: format!("it holds no {}", path.display()),
            })?;
        }
        let head = Head::parse(&name, files)?;
        let mut places = HashMap::new();
        for (number, file) in head.manifest.files.iter().enumerate() {
            let mut at = 0;
            for index in &file.chunks {
                places.entry(*index).or_insert((number, at));
                at += u64::from(chunk_of(&head.manifest, &name, *index)?.size);
            }
        }
        Ok(Self { name, folder: folder.to_owned(), head, places, open: None })
    }

    /// Whether every file is there as the manifest says, with its permissions.
    pub fn check(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Checked, BundleError> {
        for file in &self.head.manifest.files {
            let path = self.folder.join(&file.path);
            let found = path.symlink_metadata().map_err(failed("read", &path))?;
            if !found.is_file()
                || found.len() != file.size
                || found.permissions().mode() & 0o777 != file.mode()
            {
                return Err(self.changed(&file.path));
            }
        }
        check_content(self, progress)
    }

    fn changed(&self, path: &str) -> BundleError {
        let why = format!("{path} is not as it was installed");
        BundleError::Damaged { name: self.name.clone(), at: 0, why }
    }
}

impl Chunks for Tree {
    fn name(&self) -> &str {
        &self.name
    }

    fn head(&self) -> &Head {
        &self.head
    }

    fn chunk(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<(), BundleError> {
        self.piece(index, plain)?;
        let chunk = chunk_of(&self.head.manifest, &self.name, index)?;
        if Digest::of(plain) == chunk.sha256 {
            return Ok(());
        }
        let (number, _) = self.places.get(&index).copied().unwrap_or_default();
        let path = self.head.manifest.files.get(number).map(|f| f.path.clone()).unwrap_or_default();
        Err(self.changed(&path))
    }

    fn piece(&mut self, index: u32, plain: &mut Vec<u8>) -> Result<(), BundleError> {
        let chunk = chunk_of(&self.head.manifest, &self.name, index)?.clone();
        let (number, at) = self.places.get(&index).copied().unwrap_or_default();
        let path = self.head.manifest.files.get(number).map(|f| f.path.clone()).unwrap_or_default();
        let file = match self.open.take() {
            Some((open, file)) if open == number => file,
            _ => {
                let path = self.folder.join(&path);
                File::open(&path).map_err(failed("open", &path))?
            }
        };
        plain.resize(chunk.size as usize, 0);
        if file.read_exact_at(plain, at).is_err() {
            return Err(self.changed(&path));
        }
        self.open = Some((number, file));
        Ok(())
    }
}
