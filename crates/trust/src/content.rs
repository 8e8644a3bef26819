//! Signed content: `FILE` with its detached signature `FILE.sig`, for playbooks, intakes and policies.
//!
//! `FILE.sig` is a DSSE envelope in JSON whose payload names the file, its SHA-256 and its size. The name is
//! signed too, so a good file cannot be passed off as another one. A file without a good signature is refused,
//! unless an [exception](crate::exception) of the operator's names its exact bytes and is in force.

use std::path::{Path, PathBuf};

use durable::{DurableError, Mode};
use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    dsse::{DsseError, Envelope},
    exception::{ExceptedKind, Exception, Exceptions},
    key::KeyPair,
    registry::{Registry, TrustError},
    role::KeyRole,
};

/// The payload type of a content signature.
pub const CONTENT_TYPE: &str = "application/vnd.echo.content-signature.v1+json";
/// The most bytes a signed file may have.
pub const MAX_CONTENT: u64 = 16 * 1024 * 1024;
/// The most bytes a `FILE.sig` may have.
pub const MAX_SIGNATURE_FILE: u64 = 64 * 1024;

/// What is signed about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentClaim {
    /// The file's name, without folders.
    pub name: String,
    /// Its content.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
}

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// There is no signature.
    #[error(
        "{0} is unsigned: ask its author for {0}.sig, or sign it yourself as an author that the trust registry lists"
    )]
    Unsigned(String),
    /// The file is not what was signed.
    #[error(
        "{0} was altered after it was signed: restore it and {0}.sig from their author, or have it signed again"
    )]
    Altered(String),
    /// The signature file is damaged.
    #[error("{name}.sig is damaged ({why}): fetch it again from the author of {name}")]
    Damaged {
        /// Which file.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The signer is not one of the role's.
    #[error(
        "{name} is signed by a stranger (key {keys}), not by a {role}: add the key to the trust registry if you trust its owner, or fetch the file from an author you trust"
    )]
    Stranger {
        /// Which file.
        name: String,
        /// Who signed, by key id.
        keys: String,
        /// Who should have.
        role: KeyRole,
    },
    /// The signer's key was revoked.
    #[error("{name}: {source}")]
    Revoked {
        /// Which file.
        name: String,
        /// Which key, when and why.
        source: TrustError,
    },
    /// The signature belongs to another file.
    #[error("{name}.sig is the signature of {signed}: give the file its own name and signature back")]
    OtherFile {
        /// Which file.
        name: String,
        /// What was signed.
        signed: String,
    },
    /// There is an exception for the file, but not one that lets it in.
    #[error("{source}; its exception does not count: {why}")]
    NotExcepted {
        /// Why the file is not taken by its signature.
        source: Box<ContentError>,
        /// Why it is not taken by its exception.
        why: String,
    },
    /// There is no such file.
    #[error("{} does not exist: check the path", .0.display())]
    Missing(PathBuf),
    /// The file could not be read or written.
    #[error(transparent)]
    File(#[from] DurableError),
}

/// Signs the content of the file `name`. The envelope's JSON is what `name.sig` holds.
pub fn sign(name: &str, bytes: &[u8], key: &KeyPair) -> Envelope {
    let claim = ContentClaim { name: name.to_owned(), digest: Digest::of(bytes), size: bytes.len() as u64 };
    Envelope::sign(CONTENT_TYPE, &claim, &[key]).expect("a name, a digest and a number always become JSON")
}

/// Whether the content of the file `name` is signed as `role`. Empty `sig_bytes` mean that there is no
/// signature.
pub fn verify(
    name: &str,
    bytes: &[u8],
    sig_bytes: &[u8],
    registry: &Registry,
    role: KeyRole,
) -> Result<(), ContentError> {
    if sig_bytes.is_empty() {
        return Err(ContentError::Unsigned(name.to_owned()));
    }
    let damaged = |why: String| ContentError::Damaged { name: name.to_owned(), why };
    if sig_bytes.len() as u64 > MAX_SIGNATURE_FILE {
        return Err(damaged(format!("larger than {MAX_SIGNATURE_FILE} bytes")));
    }
    let envelope: Envelope = serde_json::from_slice(sig_bytes).map_err(|e| damaged(e.to_string()))?;
    if envelope.signatures.is_empty() {
        return Err(ContentError::Unsigned(name.to_owned()));
    }
    let claim: ContentClaim = registry
        .verify(role, CONTENT_TYPE, &envelope)
        .map_err(|source| refusal(name, &envelope, role, source))?;
    if claim.name != name {
        return Err(ContentError::OtherFile { name: name.to_owned(), signed: claim.name });
    }
    if claim.size != bytes.len() as u64 || claim.digest != Digest::of(bytes) {
        return Err(ContentError::Altered(name.to_owned()));
    }
    Ok(())
}

/// A content file, as it was read.
#[derive(Debug, Clone, Copy)]
pub struct Offered<'a> {
    /// What kind of file it is; nothing for a kind that no exception may let in.
    pub kind: Option<ExceptedKind>,
    /// Its name, without folders.
    pub name: &'a str,
    /// Its content.
    pub bytes: &'a [u8],
    /// What its `.sig` holds; empty when there is none.
    pub signature: &'a [u8],
}

/// By what a file is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Its author signed it.
    Signed,
    /// The operator's exception lets these bytes in, until it is over.
    Excepted(Exception),
}

/// Whether a file is taken at `now`: by its author's signature, or by an exception that is in force.
pub fn admit(
    offered: Offered<'_>,
    registry: &Registry,
    exceptions: Option<&Exceptions>,
    now: Timestamp,
) -> Result<Admission, ContentError> {
    let Offered { kind, name, bytes, signature } = offered;
    let Err(source) = verify(name, bytes, signature, registry, KeyRole::PlaybookAuthor) else {
        return Ok(Admission::Signed);
    };
    let about = exceptions.zip(kind).and_then(|(all, kind)| all.about(kind, name));
    let Some(exception) = about else { return Err(source) };
    let why = if exception.sha256 != Digest::of(bytes) {
        format!("it is for the bytes with the digest {}", exception.sha256)
    } else if now < exception.from {
        format!("it begins on {}", exception.from)
    } else if exception.in_force(now) {
        return Ok(Admission::Excepted(exception.clone()));
    } else {
        format!("it ended on {}", exception.until)
    };
    Err(ContentError::NotExcepted { source: Box::new(source), why })
}

/// Reads the file at `path`, once its `.sig` beside it is good.
pub fn read_verified(path: &Path, registry: &Registry, role: KeyRole) -> Result<Vec<u8>, ContentError> {
    let bytes = durable::read(path, MAX_CONTENT)?.ok_or_else(|| ContentError::Missing(path.to_owned()))?;
    let sig = durable::read(&signature_path(path), MAX_SIGNATURE_FILE)?.unwrap_or_default();
    verify(&file_name(path), &bytes, &sig, registry, role)?;
    Ok(bytes)
}

/// Signs the file at `path`: writes its `.sig` beside it.
pub fn sign_file(path: &Path, key: &KeyPair) -> Result<(), ContentError> {
    let bytes = durable::read(path, MAX_CONTENT)?.ok_or_else(|| ContentError::Missing(path.to_owned()))?;
    let envelope = sign(&file_name(path), &bytes, key);
    let sig = serde_json::to_vec(&envelope).expect("strings and lists of strings always become JSON");
    Ok(durable::write(&signature_path(path), &sig, Mode::Public)?)
}

/// Where the signature of the file at `path` lies: the same path with `.sig` behind it.
pub fn signature_path(path: &Path) -> PathBuf {
    let mut with_sig = path.as_os_str().to_owned();
    with_sig.push(".sig");
    PathBuf::from(with_sig)
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

fn refusal(name: &str, envelope: &Envelope, role: KeyRole, source: TrustError) -> ContentError {
    let name = name.to_owned();
    match source {
        TrustError::Revoked { .. } => ContentError::Revoked { name, source },
        TrustError::Signature { source: DsseError::Unsigned, .. } => {
            let keys: Vec<&str> = envelope.signatures.iter().map(|s| s.keyid.as_str()).collect();
            let keys = keys.join(", ").chars().take(200).collect();
            ContentError::Stranger { name, keys, role }
        }
        other => ContentError::Damaged { name, why: other.to_string() },
    }
}

#[cfg(test)]
mod tests;
