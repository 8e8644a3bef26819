//! The keystore key, and how it seals a signing key's secret.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use durable::Mode;
use echo_core::Mint;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyRecord, KeystoreError};
use crate::key::KeyPair;

/// The keystore key's file in the home directory: 64 hexadecimal digits; 32 raw bytes are read too.
pub const KEY_FILE: &str = "keystore.key";
/// The systemd credential (systemd.exec, `LoadCredential`) that wins over [`KEY_FILE`] when present.
pub const CREDENTIAL_NAME: &str = "echo-keystore-key";
const MAX_KEY_FILE: u64 = 256;

/// 32 bytes that open the keystore, and where they came from. Wiped when dropped, never printed.
pub(super) struct KeystoreKey {
    bytes: Zeroizing<[u8; 32]>,
    source: PathBuf,
}

impl fmt::Debug for KeystoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeystoreKey({})", self.source.display())
    }
}

/// A sealed secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    cipher: Cipher,
    /// 24 bytes in standard base64.
    nonce: String,
    /// The 32 secret bytes and the 16 bytes of the tag, encrypted, in standard base64.
    ciphertext: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Cipher {
    #[serde(rename = "xchacha20-poly1305")]
    XChaCha20Poly1305,
}

impl KeystoreKey {
    /// The key of the systemd credential, else of `home`; nothing when there is neither.
    pub(super) fn load(home: &Path, credentials: Option<&Path>) -> Result<Option<Self>, KeystoreError> {
        let places = [credentials.map(|folder| folder.join(CREDENTIAL_NAME)), Some(home.join(KEY_FILE))];
        for source in places.into_iter().flatten() {
            if let Some(read) = durable::read(&source, MAX_KEY_FILE)? {
                let Some(bytes) = decode(&Zeroizing::new(read)) else {
                    return Err(KeystoreError::BadKeyFile(source));
                };
                return Ok(Some(Self { bytes, source }));
            }
        }
        Ok(None)
    }

    /// A fresh key, written to `home`.
    pub(super) fn create(home: &Path, mint: &Mint) -> Result<Self, KeystoreError> {
        let bytes = Zeroizing::new(mint.bytes::<32>());
        let source = home.join(KEY_FILE);
        let text = Zeroizing::new(format!("{}\n", hex::encode(bytes.as_slice())));
        durable::write(&source, text.as_bytes(), Mode::Private)?;
        Ok(Self { bytes, source })
    }

    /// Where the key was read from.
    pub(super) fn source(&self) -> &Path {
        &self.source
    }

    /// Seals the secret of `pair` for the key, public key and role in `record`.
    pub(super) fn seal(&self, record: &KeyRecord, pair: &KeyPair, mint: &Mint) -> Sealed {
        let nonce = mint.bytes::<24>();
        let (secret, aad) = (pair.secret(), associated_data(record));
        let payload = Payload { msg: secret.as_slice(), aad: &aad };
        let ciphertext =
            self.cipher().encrypt(&nonce.into(), payload).expect("32 bytes are far below the cipher's limit");
        Sealed {
            cipher: Cipher::XChaCha20Poly1305,
            nonce: STANDARD.encode(nonce),
            ciphertext: STANDARD.encode(ciphertext),
        }
    }

    /// The key pair of `record`; nothing when it was sealed with another key or for another record.
    pub(super) fn open(&self, record: &KeyRecord, sealed: &Sealed) -> Option<KeyPair> {
        let Cipher::XChaCha20Poly1305 = sealed.cipher;
        let nonce: [u8; 24] = STANDARD.decode(&sealed.nonce).ok()?.try_into().ok()?;
        let ciphertext = STANDARD.decode(&sealed.ciphertext).ok()?;
        let aad = associated_data(record);
        let payload = Payload { msg: &ciphertext, aad: &aad };
        let secret = Zeroizing::new(self.cipher().decrypt(&nonce.into(), payload).ok()?);
        let pair = KeyPair::from_secret(secret.as_slice().try_into().ok()?);
        (pair.public() == record.public && pair.id() == record.id).then_some(pair)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.bytes).into())
    }
}

/// Each part is free of line ends, so no two records share their associated data.
fn associated_data(record: &KeyRecord) -> Vec<u8> {
    format!("{}\n{}\n{}\n{}", super::FORMAT, record.id, record.public, record.role).into_bytes()
}

fn decode(read: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut bytes = Zeroizing::new([0; 32]);
    if read.len() == bytes.len() {
        bytes.copy_from_slice(read);
    } else {
        hex::decode_to_slice(read.trim_ascii(), bytes.as_mut_slice()).ok()?;
    }
    Some(bytes)
}
