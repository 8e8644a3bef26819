//! Where another Echo's ledger is read from: a folder, or the web.

use std::path::PathBuf;

use dossier::{LogWalk, MergeError, index::Origin};

use super::read;
use crate::{
    Failure,
    http::{Http, Request},
    ledger_bundle,
};

/// A ledger's files.
#[derive(Debug)]
pub enum Source {
    /// A folder with `checkpoint` and `tile/`.
    Folder(PathBuf),
    /// The same below a URL.
    Web(Http),
}

impl Source {
    /// A folder, or a URL such as `https://echo.example/v1/ledgers/genesis`.
    pub fn new(place: &str) -> Self {
        if place.starts_with("http://") || place.starts_with("https://") {
            Self::Web(Http::new(place))
        } else {
            Self::Folder(PathBuf::from(place))
        }
    }

    /// The ledger's head. Nothing is verified.
    pub fn head(&self) -> Result<String, Failure> {
        let bytes = match self {
            Self::Folder(dir) => read(&dir.join("checkpoint"), ledger::MAX_NOTE_BYTES as u64)?,
            Self::Web(http) => get(http, "/checkpoint")?
                .ok_or_else(|| Failure::failed("there is no ledger at that address"))?,
        };
        String::from_utf8(bytes).map_err(|_| Failure::failed("the ledger's checkpoint is not text"))
    }

    /// Hands every entry of the ledger's first `size` to `take`.
    pub fn each(&self, size: u64, mut take: impl FnMut(u64, &[u8])) -> Result<(), Failure> {
        for index in 0..size.div_ceil(ledger_bundle::WIDTH) {
            let first = index * ledger_bundle::WIDTH;
            let width = (size - first).min(ledger_bundle::WIDTH);
            let entries = match self {
                Self::Folder(dir) => ledger_bundle::bundle(dir, index, width)?,
                Self::Web(http) => fetched(http, index, width)?,
            };
            for (number, entry) in (first..first + width).zip(entries) {
                take(number, &entry);
            }
        }
        Ok(())
    }

    /// Checks a part of an index against this ledger, and against what was merged before.
    pub fn check(&self, offered: &Origin, known: Option<&Origin>) -> Result<(), Failure> {
        let mut walk = LogWalk::begin(offered, known, &self.head()?).map_err(unverified)?;
        self.each(walk.size(), |_, entry| walk.take(entry))?;
        walk.finish().map_err(unverified)
    }
}

/// Why a part of an index is not taken.
pub fn unverified(error: MergeError) -> Failure {
    Failure::unverified(error)
}

fn fetched(http: &Http, index: u64, width: u64) -> Result<Vec<Vec<u8>>, Failure> {
    let full = format!("/{}", ledger_bundle::path(index).display());
    let partial = if width < ledger_bundle::WIDTH { get(http, &format!("{full}.p/{width}"))? } else { None };
    let bytes = match partial {
        Some(bytes) => Some(bytes),
        None => get(http, &full)?,
    };
    bytes.and_then(|bytes| ledger_bundle::split(&bytes)).ok_or_else(|| {
        Failure::failed(format!(
            "the ledger's entries from {} on cannot be read",
            index * ledger_bundle::WIDTH
        ))
    })
}

/// A file; nothing when there is none.
fn get(http: &Http, path: &str) -> Result<Option<Vec<u8>>, Failure> {
    let answer = http.send(Request { path, body: None, token: None, key: None })?;
    match answer.status {
        200 => Ok(Some(answer.body)),
        404 => Ok(None),
        status => Err(Failure::failed(format!("{}{path} answered with status {status}", http.base()))
            .hint("check the address, or copy the ledger's folder and name that")),
    }
}
