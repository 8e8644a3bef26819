//! Ed25519 keys (RFC 8032) and their ids.

use std::{fmt, str::FromStr};

use echo_core::{Digest, Entropy, entropy};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// Why a text is not a public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key: expected 64 hexadecimal digits of a point on the curve")]
pub struct KeyError;

/// An Ed25519 public key, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey(VerifyingKey);

/// A key's name: the first 32 hexadecimal digits of the SHA-256 of its 32 raw bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PublicKey {
    /// The key of 32 raw bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        VerifyingKey::from_bytes(bytes).ok().filter(|k| !k.is_weak()).map(Self).ok_or(KeyError)
    }

    /// The 32 raw bytes.
    pub fn bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        KeyId(Digest::of(&self.bytes()).hex()[..32].to_owned())
    }

    /// Whether `signature` is this key's over `message`, by the strict rules (no small-order points).
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.bytes()))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| KeyError)?;
        Self::from_bytes(&bytes)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> String {
        key.to_string()
    }
}

/// A signing key. Its secret is wiped from memory when dropped and never printed.
#[derive(Clone)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// A fresh key.
    pub fn generate(source: &dyn Entropy) -> Self {
        Self::from_secret(&entropy::bytes(source))
    }

    /// The key of a 32-byte secret (RFC 8032, section 5.1.5).
    pub fn from_secret(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The 32 secret bytes, for encrypted storage only.
    pub fn secret(&self) -> zeroize::Zeroizing<[u8; 32]> {
        zeroize::Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// The key's name.
    pub fn id(&self) -> KeyId {
        self.public().id()
    }

    /// Signs `message`.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use echo_core::SeededEntropy;

    use super::*;

    #[test]
    fn a_signature_verifies_with_its_key_alone() {
        let source = SeededEntropy::new(1);
        let (one, other) = (KeyPair::generate(&source), KeyPair::generate(&source));
        let signature = one.sign(b"hello");
        assert!(one.public().verifies(b"hello", &signature));
        assert!(!one.public().verifies(b"hellp", &signature));
        assert!(!other.public().verifies(b"hello", &signature));
    }

    #[test]
    fn weak_and_malformed_keys_are_refused() {
        assert!(PublicKey::from_bytes(&[0; 32]).is_err());
        assert!("12".parse::<PublicKey>().is_err());
    }

    #[test]
    fn a_secret_is_never_printed() {
        let key = KeyPair::from_secret(&[0x42; 32]);
        assert!(!format!("{key:?}").contains("4242"));
    }
}
