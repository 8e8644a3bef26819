//! Sealing and opening with the age format (C2SP `age.md`): X25519 recipients, and passphrases by scrypt.
//!
//! The randomness of a sealed file (file key, ephemeral share, nonce, salt) is the `age` library's own, from the
//! operating system: it takes none from its caller.

use std::{fmt, io::Read as _, str::FromStr};

use age::{Decryptor, Encryptor, scrypt, secrecy::SecretString, x25519};
use echo_core::Mint;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The prefix of an X25519 identity in Bech32 (C2SP `age.md`, "The X25519 recipient type").
const SECRET_KEY: bech32::Hrp = bech32::Hrp::parse_unchecked("age-secret-key-");
/// What a passphrase costs: N = 2^17, with r = 8 and p = 1, 128 MiB of memory (the OWASP Password Storage Cheat
/// Sheet's first choice for scrypt).
pub const DEFAULT_WORK: u8 = 17;
/// The most a file may ask for: N = 2^19, 512 MiB.
pub const MAX_WORK: u8 = 19;

/// Whom a file is sealed for: `age1...`. Public.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Recipient(x25519::Recipient);

/// Why a text is not a recipient.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is not a vault's recipient: it begins with `age1`; `echo_cli vault recipient` prints it")]
pub struct RecipientError;

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        text.parse().map(Self).map_err(|_| RecipientError)
    }
}

impl TryFrom<String> for Recipient {
    type Error = RecipientError;

    fn try_from(text: String) -> Result<Self, RecipientError> {
        text.parse()
    }
}

impl From<Recipient> for String {
    fn from(recipient: Recipient) -> String {
        recipient.to_string()
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Recipient {
    /// Seals `plain`.
    pub(crate) fn seal(&self, plain: &[u8]) -> Vec<u8> {
        let recipients = std::iter::once(&self.0 as &dyn age::Recipient);
        sealed(Encryptor::with_recipients(recipients).expect("one X25519 recipient always goes"), plain)
    }
}

/// An X25519 identity: what opens a file. Wiped when dropped, and without a way to be printed.
#[derive(Clone)]
pub struct Identity(Zeroizing<[u8; 32]>);

impl Identity {
    /// A fresh one.
    pub fn generate(mint: &Mint) -> Self {
        Self(Zeroizing::new(mint.bytes()))
    }

    /// The identity in the text of an age identity file: one line `AGE-SECRET-KEY-1...` among blank ones and
    /// comments. Nothing when there is none, or more than one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let line = lines.next()?;
        if lines.next().is_some() {
            return None;
        }
        // The library knows what is canonical.
        line.parse::<x25519::Identity>().ok()?;
        let (prefix, bytes) = bech32::decode(line).ok()?;
        let bytes = Zeroizing::new(bytes);
        if prefix != SECRET_KEY {
            return None;
        }
        Self::from_bytes(&bytes)
    }

    /// The identity of 32 secret bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// The 32 secret bytes.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The line `AGE-SECRET-KEY-1...`.
    pub fn text(&self) -> Zeroizing<String> {
        let line = bech32::encode_upper::<bech32::Bech32>(SECRET_KEY, self.0.as_slice());
        Zeroizing::new(line.expect("32 bytes are below Bech32's bound"))
    }

    /// Whom to seal for, so that this identity opens.
    pub fn recipient(&self) -> Recipient {
        Recipient(self.key().to_public())
    }

    /// A key for another purpose than opening: HMAC-SHA256 of `label` (RFC 2104) under the identity.
    pub(crate) fn derive(&self, label: &str) -> MacKey {
        let mut mac = mac_under(self.0.as_slice());
        mac.update(label.as_bytes());
        MacKey(Zeroizing::new(mac.finalize().into_bytes().into()))
    }

    /// Opens a file; nothing when it was sealed for somebody else, or changed.
    pub(crate) fn open(&self, sealed: &[u8], limit: usize) -> Option<Zeroizing<Vec<u8>>> {
        opened(sealed, &self.key(), limit)
    }

    fn key(&self) -> x25519::Identity {
        self.text().parse().expect("32 bytes are an X25519 identity")
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(of {})", self.recipient())
    }
}

/// A key that makes and checks codes (HMAC-SHA256). Wiped when dropped.
#[derive(Clone)]
pub(crate) struct MacKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

impl MacKey {
    /// The code of `bytes`, in hexadecimal.
    pub fn code(&self, bytes: &[u8]) -> String {
        let mut mac = mac_under(self.0.as_slice());
        mac.update(bytes);
        hex::encode(mac.finalize().into_bytes())
    }

    /// Whether `code` is that of `bytes`, in constant time.
    pub fn holds(&self, bytes: &[u8], code: &str) -> bool {
        let mut mac = mac_under(self.0.as_slice());
        mac.update(bytes);
        hex::decode(code).is_ok_and(|code| mac.verify_slice(&code).is_ok())
    }
}

fn mac_under(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// Seals `plain` under a passphrase, at the cost of 2^`work`.
pub(crate) fn seal_with_passphrase(passphrase: &str, work: u8, plain: &[u8]) -> Vec<u8> {
    let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.to_owned()));
    recipient.set_work_factor(work.clamp(1, MAX_WORK));
    let recipients = std::iter::once(&recipient as &dyn age::Recipient);
    sealed(Encryptor::with_recipients(recipients).expect("one passphrase always goes"), plain)
}

/// Opens a file that was sealed under a passphrase; nothing when that is another one, or the file was changed.
pub(crate) fn open_with_passphrase(
    passphrase: &str,
    sealed: &[u8],
    limit: usize,
) -> Option<Zeroizing<Vec<u8>>> {
    let mut identity = scrypt::Identity::new(SecretString::from(passphrase.to_owned()));
    identity.set_max_work_factor(MAX_WORK);
    opened(sealed, &identity, limit)
}

/// Whether `bytes` begin as an age file that is sealed for recipients, not under a passphrase.
pub(crate) fn is_sealed_for_recipients(bytes: &[u8]) -> bool {
    Decryptor::new(bytes).is_ok_and(|file| !file.is_scrypt())
}

fn sealed(encryptor: Encryptor, plain: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut bytes = Vec::with_capacity(plain.len() + 512);
    let mut writer = encryptor.wrap_output(&mut bytes).expect("memory takes what is written");
    writer.write_all(plain).expect("memory takes what is written");
    writer.finish().expect("memory takes what is written");
    bytes
}

fn opened(sealed: &[u8], identity: &dyn age::Identity, limit: usize) -> Option<Zeroizing<Vec<u8>>> {
    let reader = Decryptor::new(sealed).ok()?.decrypt(std::iter::once(identity)).ok()?;
    // With room for all, so that growing leaves no copies behind.
    let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
    reader.take(limit as u64 + 1).read_to_end(&mut plain).ok()?;
    (plain.len() <= limit).then_some(plain)
}

/// The text of a new age identity file, as `age-keygen` writes it.
pub(crate) fn identity_file(identity: &Identity, made: echo_core::Timestamp) -> Zeroizing<String> {
    let (recipient, line) = (identity.recipient(), identity.text());
    Zeroizing::new(format!("# created: {made}\n# public key: {recipient}\n{}\n", line.as_str()))
}

#[cfg(test)]
mod tests {
    use age::secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_identity_alone() {
        let (one, two) = (Identity::generate(&Mint::system()), Identity::generate(&Mint::system()));
        let sealed = one.recipient().seal(b"hello");
        assert!(is_sealed_for_recipients(&sealed));
        assert_eq!(one.open(&sealed, 100).unwrap().as_slice(), b"hello");
        assert!(two.open(&sealed, 100).is_none());
        assert!(one.open(&sealed, 4).is_none(), "longer than expected");
        assert!(one.open(&sealed[..sealed.len() - 1], 100).is_none());
    }

    #[test]
    fn an_identity_reads_back_from_its_file() {
        let identity = Identity::generate(&Mint::system());
        let file = identity_file(&identity, echo_core::Timestamp::UNIX_EPOCH);
        let read = Identity::parse(&file).unwrap();
        assert_eq!(read.bytes(), identity.bytes());
        // The library's own reading agrees.
        let theirs: x25519::Identity = identity.text().parse().unwrap();
        assert_eq!(theirs.to_string().expose_secret(), identity.text().as_str());
        assert_eq!(theirs.to_public().to_string(), read.recipient().to_string());
        for bad in ["", "# only\n", "AGE-SECRET-KEY-1QQ", &format!("{0}\n{0}", identity.text().as_str())] {
            assert!(Identity::parse(bad).is_none(), "{bad}");
        }
        assert!(!format!("{identity:?}").contains("SECRET"));
    }

    #[test]
    fn another_passphrase_opens_nothing() {
        let sealed = seal_with_passphrase("an old grey horse", 4, b"hello");
        assert!(!is_sealed_for_recipients(&sealed));
        assert_eq!(open_with_passphrase("an old grey horse", &sealed, 99).unwrap().as_slice(), b"hello");
        assert!(open_with_passphrase("an old grey horse ", &sealed, 99).is_none());
    }

    #[test]
    fn a_code_holds_for_its_bytes_and_label_alone() {
        let identity = Identity::generate(&Mint::system());
        let key = identity.derive("one");
        let code = key.code(b"text");
        assert!(key.holds(b"text", &code));
        assert!(!key.holds(b"texT", &code) && !identity.derive("two").holds(b"text", &code));
        assert!(!key.holds(b"text", "zz") && !key.holds(b"text", ""));
    }
}
