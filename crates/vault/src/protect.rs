//! What opens a vault: a passphrase, a key file, or some of several shares. Each wraps the same identity, in an
//! ordinary age file.

use std::{
    fs::File,
    io::{self, Read as _},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

use durable::Mode;
use echo_core::Mint;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    Identity, Recipient, Share, VaultError,
    age_file::{DEFAULT_WORK, identity_file, open_with_passphrase, seal_with_passphrase},
    disk::{IDENTITY, failed},
    share,
};

/// The fewest bytes that a new passphrase may have.
pub const MIN_PASSPHRASE: usize = 12;
/// The most bytes that a passphrase may have.
pub const MAX_PASSPHRASE: usize = 1024;
/// The most bytes of `identity.age`, and of a file that opens a vault.
pub const MAX_KEY_FILE: u64 = 8 * 1024;
/// The permissions that a file with a secret must not give: any to the group and to others.
const OTHERS: u32 = 0o077;

/// What opens a vault, as `vault.json` says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Protection {
    /// A passphrase.
    Passphrase {},
    /// A file with an age identity.
    KeyFile {
        /// The recipient of that identity.
        recipient: Recipient,
    },
    /// Some of several shares.
    Shares {
        /// How many open.
        threshold: u8,
        /// How many there are.
        of: u8,
        /// The name of their set.
        set: String,
        /// The recipient of the identity that they give back.
        recipient: Recipient,
    },
}

impl Protection {
    /// In words, for messages.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Passphrase {} => "passphrase",
            Self::KeyFile { .. } => "key file",
            Self::Shares { .. } => "set of shares",
        }
    }
}

/// How a vault shall be protected.
#[derive(Clone)]
pub enum Protect {
    /// By a passphrase.
    Passphrase(Zeroizing<String>),
    /// By the identity in a key file (see [`create_key_file`]).
    KeyFile(Identity),
    /// By the key that shares give back (see [`Protect::shares`]).
    Shares(SharedKey),
}

/// What may be known of a key that was split into shares.
#[derive(Debug, Clone)]
pub struct SharedKey {
    threshold: u8,
    of: u8,
    set: String,
    recipient: Recipient,
}

/// What somebody brings to open a vault. Wiped when dropped, and without a way to be printed.
#[derive(Clone)]
pub enum Unseal {
    /// A passphrase.
    Passphrase(Zeroizing<String>),
    /// The identity in a key file.
    KeyFile(Identity),
    /// Shares.
    Shares(Vec<Share>),
}

impl std::fmt::Debug for Protect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Passphrase(_) => "Passphrase",
            Self::KeyFile(_) => "KeyFile",
            Self::Shares(_) => "Shares",
        })
    }
}

impl std::fmt::Debug for Unseal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.words())
    }
}

impl Unseal {
    /// In words, for messages.
    pub fn words(&self) -> &'static str {
        match self {
            Self::Passphrase(_) => "passphrase",
            Self::KeyFile(_) => "key file",
            Self::Shares(_) => "set of shares",
        }
    }

    /// Reads from a file what the vault needs: a passphrase, an age identity, or its shares, one a line. Others
    /// must not be able to read it, unless it is no regular file (a pipe).
    pub fn read(path: &Path, protection: &Protection) -> Result<Self, VaultError> {
        Self::parse(&read_short(path, true)?, path, protection)
    }

    /// As [`Unseal::read`], from what is open already, such as standard input; `name` stands in messages.
    pub fn read_from(from: impl io::Read, name: &str, protection: &Protection) -> Result<Self, VaultError> {
        let name = Path::new(name);
        Self::parse(&short_text(from, name)?, name, protection)
    }

    /// As [`Unseal::read`], from a systemd credential: who may read that, systemd has seen to, with access lists that
    /// look like rights of the group.
    pub fn read_credential(path: &Path, protection: &Protection) -> Result<Self, VaultError> {
        Self::parse(&read_short(path, false)?, path, protection)
    }

    fn parse(text: &str, path: &Path, protection: &Protection) -> Result<Self, VaultError> {
        let wrong = |what| VaultError::KeyFile { path: path.to_owned(), what };
        match protection {
            Protection::Passphrase {} => {
                let text = text.trim_end_matches(['\r', '\n']);
                if text.is_empty() {
                    return Err(wrong("a passphrase"));
                }
                Ok(Self::Passphrase(Zeroizing::new(text.to_owned())))
            }
            Protection::KeyFile { .. } => {
                Identity::parse(text).map(Self::KeyFile).ok_or_else(|| wrong("an age identity"))
            }
            Protection::Shares { .. } => {
                let lines = text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#'));
                let shares: Result<Vec<Share>, _> = lines.map(str::parse).collect();
                Ok(Self::Shares(shares?))
            }
        }
    }
}

/// Makes a key file: an age identity file as `age-keygen` makes it, readable by its owner alone.
pub fn create_key_file(path: &Path, mint: &Mint) -> Result<Identity, VaultError> {
    if path.symlink_metadata().is_ok() {
        return Err(VaultError::FileThere(path.to_owned()));
    }
    let identity = Identity::generate(mint);
    durable::write(path, identity_file(&identity, mint.now()).as_bytes(), Mode::Private)?;
    Ok(identity)
}

/// The text of a small file that holds a secret; when it must be `private`, others may not have rights to it.
fn read_short(path: &Path, private: bool) -> Result<Zeroizing<String>, VaultError> {
    let io = |e| VaultError::from(failed("read", path)(e));
    let file = File::open(path).map_err(io)?;
    let about = file.metadata().map_err(io)?;
    if private && about.is_file() && about.mode() & OTHERS != 0 {
        return Err(VaultError::Readable(path.to_owned()));
    }
    short_text(file, path)
}

fn short_text(from: impl io::Read, path: &Path) -> Result<Zeroizing<String>, VaultError> {
    let io = |e| VaultError::from(failed("read", path)(e));
    let limit = usize::try_from(MAX_KEY_FILE).expect("8 KiB fit");
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    from.take(MAX_KEY_FILE + 1).read_to_end(&mut bytes).map_err(io)?;
    let text = std::str::from_utf8(&bytes).ok().filter(|_| bytes.len() <= limit);
    text.map(|text| Zeroizing::new(text.to_owned()))
        .ok_or_else(|| VaultError::KeyFile { path: path.to_owned(), what: "a short text" })
}

/// How the identity is wrapped, again and again, without asking for more.
pub(crate) enum Wrap {
    Passphrase(Zeroizing<String>, u8),
    Recipient(Recipient),
}

impl Wrap {
    /// The bytes of `identity.age`.
    pub fn seal(&self, identity: &Identity, mint: &Mint) -> Vec<u8> {
        let text = identity_file(identity, mint.now());
        match self {
            Self::Passphrase(phrase, work) => seal_with_passphrase(phrase, *work, text.as_bytes()),
            Self::Recipient(recipient) => recipient.seal(text.as_bytes()),
        }
    }
}

impl Protect {
    /// By `of` shares, any `threshold` of which open. They are nowhere else: give them away first, and protect the
    /// vault then, so that no failure between the two locks it for ever.
    pub fn shares(threshold: u8, of: u8, mint: &Mint) -> Result<(Self, Vec<Share>), VaultError> {
        let key = Identity::generate(mint);
        let shares = share::split(&key, threshold, of, mint)?;
        let set = shares.first().map(Share::set_name).unwrap_or_default();
        Ok((Self::Shares(SharedKey { threshold, of, set, recipient: key.recipient() }), shares))
    }

    /// How `vault.json` says it.
    pub fn protection(&self) -> Protection {
        match self {
            Self::Passphrase(_) => Protection::Passphrase {},
            Self::KeyFile(key) => Protection::KeyFile { recipient: key.recipient() },
            Self::Shares(SharedKey { threshold, of, set, recipient }) => Protection::Shares {
                threshold: *threshold,
                of: *of,
                set: set.clone(),
                recipient: recipient.clone(),
            },
        }
    }

    /// How to wrap.
    pub(crate) fn prepare(&self, work: u8) -> Result<Wrap, VaultError> {
        match self {
            Self::Passphrase(phrase) => {
                if !(MIN_PASSPHRASE..=MAX_PASSPHRASE).contains(&phrase.len()) {
                    return Err(VaultError::PassphraseLength);
                }
                Ok(Wrap::Passphrase(phrase.clone(), work))
            }
            Self::KeyFile(key) => Ok(Wrap::Recipient(key.recipient())),
            Self::Shares(key) => Ok(Wrap::Recipient(key.recipient.clone())),
        }
    }
}

/// Opens `identity.age` with what was brought.
pub(crate) fn unwrap(sealed: &[u8], protection: &Protection, by: &Unseal) -> Result<Identity, VaultError> {
    let limit = usize::try_from(MAX_KEY_FILE).expect("8 KiB fit");
    let wrong = VaultError::Wrong(by.words());
    let text = match (protection, by) {
        (Protection::Passphrase {}, Unseal::Passphrase(phrase)) => {
            if phrase.len() > MAX_PASSPHRASE {
                return Err(VaultError::PassphraseLength);
            }
            open_with_passphrase(phrase, sealed, limit)
        }
        (Protection::KeyFile { recipient }, Unseal::KeyFile(key)) => open_by(key, recipient, sealed, limit),
        (Protection::Shares { recipient, .. }, Unseal::Shares(shares)) => {
            open_by(&share::join(shares)?, recipient, sealed, limit)
        }
        (protection, by) => {
            return Err(VaultError::NeedsOther { needs: protection.words(), given: by.words() });
        }
    };
    let text = text.ok_or(wrong)?;
    std::str::from_utf8(&text)
        .ok()
        .and_then(Identity::parse)
        .ok_or_else(|| VaultError::damaged(IDENTITY, &"there is no identity in it"))
}

fn open_by(key: &Identity, recipient: &Recipient, sealed: &[u8], limit: usize) -> Option<Zeroizing<Vec<u8>>> {
    if key.recipient() == *recipient { key.open(sealed, limit) } else { None }
}

/// How to wrap another identity by what has just opened this one.
pub(crate) fn again(protection: &Protection, by: &Unseal, work: u8) -> Result<Wrap, VaultError> {
    match (protection, by) {
        (Protection::Passphrase {}, Unseal::Passphrase(phrase)) => Ok(Wrap::Passphrase(phrase.clone(), work)),
        (Protection::KeyFile { recipient }, Unseal::KeyFile(_))
        | (Protection::Shares { recipient, .. }, Unseal::Shares(_)) => Ok(Wrap::Recipient(recipient.clone())),
        (protection, by) => Err(VaultError::NeedsOther { needs: protection.words(), given: by.words() }),
    }
}

/// What a new passphrase costs unless a test says otherwise.
pub(crate) const WORK: u8 = DEFAULT_WORK;
