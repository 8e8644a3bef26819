//! The door through which content comes in: by its author's signature, or by the operator's exception.

use std::{
    fs,
    path::{Path, PathBuf},
};

use device_link::SignedContent;
use echo_core::Timestamp;
use trust::{
    Registry,
    content::{self, Admission, Offered},
    exception::{ExceptedKind, Exception, Exceptions},
};

use super::{Excepted, Refused};
use crate::DeskError;

/// The most files of one folder that are read.
const MAX_FILES: usize = 500;
/// The most bytes of one content file.
const MAX_BYTES: u64 = 2 * 1024 * 1024;

/// A file as it came in: with its signature for devices, or by an exception.
pub(super) type Admitted = Result<SignedContent, Exception>;

/// Who decides which files come in.
pub(super) struct Door<'a> {
    pub(super) home: &'a Path,
    pub(super) registry: &'a Registry,
    pub(super) exceptions: Option<&'a Exceptions>,
    pub(super) now: Timestamp,
    pub(super) refused: Vec<Refused>,
    pub(super) excepted: Vec<Excepted>,
}

impl Door<'_> {
    /// A file that must come in.
    pub(super) fn must<T, E: std::fmt::Display>(
        &mut self,
        folder: &str,
        name: &str,
        kind: Option<ExceptedKind>,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<(T, Admitted), DeskError> {
        self.read(&self.home.join(folder).join(name), kind, &parse).map_err(|refused| {
            DeskError::Home(format!(
                "{}: {}. Nothing works without this file: restore it, or delete it and start again to get the shipped one",
                refused.file.display(),
                refused.reason
            ))
        })
    }

    /// A file without which there is a way to go on; why it does not come in is noted.
    pub(super) fn may<T, E: std::fmt::Display>(
        &mut self,
        folder: &str,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.read(&self.home.join(folder).join(name), None, &parse) {
            Ok((parsed, _)) => Some(parsed),
            Err(why) => {
                self.refused.push(why);
                None
            }
        }
    }

    /// A file that a home need not have; why it does not come in is noted.
    pub(super) fn own<T, E: std::fmt::Display>(
        &mut self,
        folder: &str,
        name: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.home.join(folder).join(name).exists() { self.may(folder, name, parse) } else { None }
    }

    /// All files of a kind that come in.
    pub(super) fn all<T, E: std::fmt::Display>(
        &mut self,
        kind: ExceptedKind,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Result<Vec<(T, Admitted)>, DeskError> {
        let folder = self.home.join(kind.folder());
        let listed = fs::read_dir(&folder)
            .map_err(|e| DeskError::Home(format!("cannot list {}: {e}", folder.display())))?;
        let mut paths: Vec<PathBuf> = listed
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
            .collect();
        paths.sort();
        if paths.len() > MAX_FILES {
            return Err(DeskError::Home(format!("{} holds more than {MAX_FILES} files", folder.display())));
        }
        let mut read_ones = Vec::new();
        for path in paths {
            match self.read(&path, Some(kind), &parse) {
                Ok(one) => read_ones.push(one),
                Err(why) => self.refused.push(why),
            }
        }
        Ok(read_ones)
    }

    fn read<T, E: std::fmt::Display>(
        &mut self,
        path: &Path,
        kind: Option<ExceptedKind>,
        parse: &impl Fn(&str) -> Result<T, E>,
    ) -> Result<(T, Admitted), Refused> {
        let refused = |reason: String| Refused { file: path.to_owned(), reason };
        let bytes = durable::read(path, MAX_BYTES)
            .map_err(|e| refused(e.to_string()))?
            .ok_or_else(|| refused("the file is missing".to_owned()))?;
        let signature = durable::read(&content::signature_path(path), content::MAX_SIGNATURE_FILE)
            .map_err(|e| refused(e.to_string()))?
            .unwrap_or_default();
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let offered = Offered { kind, name: &name, bytes: &bytes, signature: &signature };
        let admission = content::admit(offered, self.registry, self.exceptions, self.now)
            .map_err(|e| refused(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| refused("it is not UTF-8 text".to_owned()))?;
        let parsed = parse(&text).map_err(|e| refused(e.to_string()))?;
        match admission {
            Admission::Signed => {
                let signature = serde_json::from_slice(&signature).map_err(|e| refused(e.to_string()))?;
                Ok((parsed, Ok(SignedContent { name, text, signature })))
            }
            Admission::Excepted(exception) => {
                self.excepted.push(Excepted { file: path.to_owned(), exception: exception.clone() });
                Ok((parsed, Err(exception)))
            }
        }
    }
}
