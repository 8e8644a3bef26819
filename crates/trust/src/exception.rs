//! Exceptions: files that are used for a while although nobody who may sign them did.
//!
//! Unsigned content is refused. Where that would stop work, the operator signs an entry that names the exact bytes,
//! the reason, who approved it, and an end within 90 days. After the end the file is refused again; nothing renews
//! an exception but a person.

use std::path::{Path, PathBuf};

use durable::{DurableError, Mode};
use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    dsse::Envelope,
    key::KeyPair,
    registry::{Registry, TrustError},
    role::KeyRole,
};

/// The payload type of an exceptions document.
pub const EXCEPTIONS_TYPE: &str = "application/vnd.echo.exceptions.v1+json";
/// Where the document lies in a home.
pub const EXCEPTIONS_FILE: &str = "governance/exceptions.json";
/// The most bytes the document's file may have.
pub const MAX_EXCEPTIONS_BYTES: u64 = 1024 * 1024;
/// The most entries of one document.
pub const MAX_EXCEPTIONS: usize = 256;
/// The longest time an exception may last, in days.
pub const MAX_DAYS: i64 = 90;
/// The most bytes of a reason.
pub const MAX_REASON: usize = 512;
/// The most bytes of a file's name, and of the name of who approved.
pub const MAX_NAME: usize = 200;

/// What kind of file an exception is for. The catalogue is not among them: prices are always signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptedKind {
    /// An intake form.
    Intake,
    /// A playbook. Devices refuse it all the same: they run only what its author signed.
    Playbook,
    /// A posture policy. Devices refuse it all the same.
    Policy,
}

impl ExceptedKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Intake, Self::Playbook, Self::Policy];

    /// The folder of a home that holds files of this kind.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Playbook => "playbooks",
            Self::Policy => "policies",
        }
    }

    /// Whether devices work with files of this kind, and so refuse an excepted one.
    pub fn for_devices(self) -> bool {
        self != Self::Intake
    }
}

/// One file that is used without its author's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// What kind of file.
    pub kind: ExceptedKind,
    /// Its name, without folders.
    pub name: String,
    /// Its exact bytes.
    pub sha256: Digest,
    /// Why, for people.
    pub reason: String,
    /// Who decided it, for people.
    pub approved_by: String,
    /// From when on.
    pub from: Timestamp,
    /// Until when; at this time it is over. At most [`MAX_DAYS`] after `from`.
    pub until: Timestamp,
}

/// All exceptions of a home, as the operator signs them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// When it was signed. Every change is later than the one before, so that an older document cannot take the
    /// place of a newer one.
    pub issued: Timestamp,
    /// The entries, at most one a file.
    pub entries: Vec<Exception>,
}

/// Why an exceptions document, or a change to it, is refused. While it is refused, there are no exceptions.
#[derive(Debug, thiserror::Error)]
pub enum ExceptionError {
    /// It cannot be read.
    #[error(
        "{EXCEPTIONS_FILE} is damaged ({0}): restore it, or delete it and say `echo_cli content except` again"
    )]
    Malformed(String),
    /// The operator has not signed it.
    #[error("{EXCEPTIONS_FILE}: {0}; delete it and say `echo_cli content except` again")]
    Signature(#[from] TrustError),
    /// An entry that may not be.
    #[error("the exception for {name} is not acceptable: {why}")]
    Entry {
        /// For which file.
        name: String,
        /// Which rule it breaks.
        why: String,
    },
    /// Too many entries.
    #[error("there are {MAX_EXCEPTIONS} exceptions already: remove some, or have the files signed")]
    TooMany,
    /// There is no such exception.
    #[error("there is no exception for {0}: `echo_cli content exceptions` lists them")]
    NotFound(String),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
}

impl Exception {
    /// Whether it counts at `now`.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether the entry keeps the rules: a plain name, a reason, somebody who approved it, an end in time.
    pub fn check(&self) -> Result<(), ExceptionError> {
        let fail =
            |why: String| Err(ExceptionError::Entry { name: self.name.chars().take(80).collect(), why });
        let plain = |text: &str, limit: usize| {
            !text.trim().is_empty() && text.len() <= limit && !text.chars().any(char::is_control)
        };
        if !plain(&self.name, MAX_NAME) || self.name.contains('/') || self.name.starts_with('.') {
            return fail(format!("a name is 1 to {MAX_NAME} bytes, without folders"));
        }
        if !plain(&self.reason, MAX_REASON) {
            return fail(format!("a reason is one line of 1 to {MAX_REASON} bytes"));
        }
        if !plain(&self.approved_by, MAX_NAME) {
            return fail(format!("who approved it is one line of 1 to {MAX_NAME} bytes"));
        }
        let millis = self.until.as_millisecond().saturating_sub(self.from.as_millisecond());
        if millis <= 0 {
            return fail("it ends before it begins".to_owned());
        }
        if millis > MAX_DAYS * 24 * 3600 * 1000 {
            return fail(format!("it lasts longer than {MAX_DAYS} days: choose an earlier end"));
        }
        Ok(())
    }
}

impl Exceptions {
    /// The document in `bytes`, once it is in its one spelling, signed by the operator, and keeps the rules. With
    /// its envelope, for the ledger.
    pub fn open(bytes: &[u8], registry: &Registry) -> Result<(Self, Envelope), ExceptionError> {
        let malformed = |why: String| ExceptionError::Malformed(why);
        if bytes.len() as u64 > MAX_EXCEPTIONS_BYTES {
            return Err(malformed(format!("larger than {MAX_EXCEPTIONS_BYTES} bytes")));
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| malformed(e.to_string()))?;
        if spelled(&envelope) != bytes {
            return Err(malformed("bytes were added or changed".to_owned()));
        }
        let document: Self = registry.verify(KeyRole::Operator, EXCEPTIONS_TYPE, &envelope)?;
        document.check()?;
        Ok((document, envelope))
    }

    /// The document of a home; nothing when there is none.
    pub fn load(home: &Path, registry: &Registry) -> Result<Option<(Self, Envelope)>, ExceptionError> {
        match durable::read(&path(home), MAX_EXCEPTIONS_BYTES)? {
            Some(bytes) => Self::open(&bytes, registry).map(Some),
            None => Ok(None),
        }
    }

    /// Signs the document and writes it into `home`. `operator` is the key of [`KeyRole::Operator`].
    pub fn save(&self, home: &Path, operator: &KeyPair) -> Result<(), ExceptionError> {
        self.check()?;
        let envelope = self.sign(operator);
        let path = path(home);
        if let Some(folder) = path.parent() {
            durable::create_folder(folder)?;
        }
        Ok(durable::write(&path, &spelled(&envelope), Mode::Private)?)
    }

    /// The document in an envelope signed by `operator`.
    pub fn sign(&self, operator: &KeyPair) -> Envelope {
        Envelope::sign(EXCEPTIONS_TYPE, self, &[operator])
            .expect("numbers, strings and digests always become JSON")
    }

    /// The next document with `exception`, in place of an earlier one for the same file. Entries that are over at
    /// `now` are left out. `before` is the one in force, if there is one.
    pub fn with(before: Option<Self>, exception: Exception, now: Timestamp) -> Result<Self, ExceptionError> {
        let (kind, name) = (exception.kind, exception.name.clone());
        let mut next = Self::next(before, now, |e| e.kind != kind || e.name != name);
        next.entries.push(exception);
        next.check()?;
        Ok(next)
    }

    /// The next document without the exception for the file `name` of `kind`.
    pub fn without(self, kind: ExceptedKind, name: &str, now: Timestamp) -> Result<Self, ExceptionError> {
        if !self.entries.iter().any(|e| e.kind == kind && e.name == name) {
            return Err(ExceptionError::NotFound(format!("{}/{name}", kind.folder())));
        }
        Ok(Self::next(Some(self), now, |e| e.kind != kind || e.name != name))
    }

    fn next(before: Option<Self>, now: Timestamp, keep: impl Fn(&Exception) -> bool) -> Self {
        let (issued, mut entries) = before.map_or((now, Vec::new()), |b| {
            // Two changes in one millisecond, or a clock that was set back, still come one after the other.
            let later = echo_core::clock::from_millis(b.issued.as_millisecond().saturating_add(1));
            (now.max(later), b.entries)
        });
        entries.retain(|e| now < e.until && keep(e));
        Self { issued, entries }
    }

    /// The exception for a file, whether it is in force or not and whatever bytes it is for.
    pub fn about(&self, kind: ExceptedKind, name: &str) -> Option<&Exception> {
        self.entries.iter().find(|e| e.kind == kind && e.name == name)
    }

    fn check(&self) -> Result<(), ExceptionError> {
        if self.entries.len() > MAX_EXCEPTIONS {
            return Err(ExceptionError::TooMany);
        }
        self.entries.iter().try_for_each(Exception::check)?;
        let mut files: Vec<_> = self.entries.iter().map(|e| (e.kind, &e.name)).collect();
        files.sort();
        match files.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(ExceptionError::Entry {
                name: pair[0].1.clone(),
                why: "the file is listed twice".to_owned(),
            }),
            None => Ok(()),
        }
    }
}

/// Where the document of a home lies.
pub fn path(home: &Path) -> PathBuf {
    home.join(EXCEPTIONS_FILE)
}

/// The one spelling of the document's file: compact JSON and a line feed.
fn spelled(envelope: &Envelope) -> Vec<u8> {
    let mut out = serde_json::to_vec(envelope).expect("strings and lists of strings always become JSON");
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests;
