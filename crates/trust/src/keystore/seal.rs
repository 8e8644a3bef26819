//! One key, and what it seals: XChaCha20-Poly1305 with a random nonce (draft-irtf-cfrg-xchacha-03).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305,
    aead::{Aead as _, Payload},
};
use echo_core::Mint;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// 32 secret bytes that seal others. Wiped when dropped, and without a way to be printed.
#[derive(Clone)]
pub(super) struct SealKey(pub(super) Zeroizing<[u8; 32]>);

/// A sealed secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    cipher: Cipher,
    /// 24 bytes in standard base64.
    nonce: String,
    /// The encrypted bytes and the 16 bytes of the tag, in standard base64.
    ciphertext: String,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Cipher {
    #[serde(rename = "xchacha20-poly1305")]
    XChaCha20Poly1305,
}

impl SealKey {
    /// A fresh key.
    pub(super) fn fresh(mint: &Mint) -> Self {
        Self(Zeroizing::new(mint.bytes()))
    }

    /// Seals `secret`, bound to `aad`.
    pub(super) fn seal(&self, secret: &[u8], aad: &[u8], mint: &Mint) -> Sealed {
        let nonce = mint.bytes::<24>();
        let payload = Payload { msg: secret, aad };
        let ciphertext = self
            .cipher()
            .encrypt(&nonce.into(), payload)
            .expect("a keystore is far below the cipher's limit of 256 GiB");
        Sealed {
            cipher: Cipher::XChaCha20Poly1305,
            nonce: STANDARD.encode(nonce),
            ciphertext: STANDARD.encode(ciphertext),
        }
    }

    /// The `N` bytes in `sealed`; nothing when they were sealed with another key, for another `aad`, or changed.
    pub(super) fn open<const N: usize>(&self, sealed: &Sealed, aad: &[u8]) -> Option<Zeroizing<[u8; N]>> {
        let Cipher::XChaCha20Poly1305 = sealed.cipher;
        let nonce: [u8; 24] = STANDARD.decode(&sealed.nonce).ok()?.try_into().ok()?;
        let ciphertext = STANDARD.decode(&sealed.ciphertext).ok()?;
        let payload = Payload { msg: &ciphertext, aad };
        let opened = Zeroizing::new(self.cipher().decrypt(&nonce.into(), payload).ok()?);
        Some(Zeroizing::new(opened.as_slice().try_into().ok()?))
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}
