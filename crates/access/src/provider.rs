//! The one algorithm of our tokens, `EdDSA` over Ed25519 (RFC 8037), lent to `jsonwebtoken` from `trust`.
//!
//! The library asks a provider, one for the whole process, for signers and verifiers. Ours knows `EdDSA`
//! alone, so no token can talk it into another algorithm. Keys are passed through the library as 32 raw bytes.

use std::sync::Once;

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{Error, ErrorKind, Result, new_error},
    signature::{self, Signer, Verifier},
};
use trust::{KeyPair, PublicKey};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| signer(*algorithm, key),
    verifier_factory: |algorithm, key| verifier(*algorithm, key),
    // Only the library's JWK conversions would use these; we write our key set ourselves.
    key_utils: KeyUtils::new_unimplemented(),
};
static INSTALL: Once = Once::new();

/// Makes ours the process's provider. Another one that came first stays, and refuses our raw keys.
pub(crate) fn install() {
    INSTALL.call_once(|| {
        let _ = PROVIDER.install_default();
    });
}

/// The library's wrapping of our signing key.
pub(crate) fn encoding_key(key: &KeyPair) -> EncodingKey {
    EncodingKey::from_ed_der(key.secret().as_slice())
}

/// The library's wrapping of our public key.
pub(crate) fn decoding_key(key: &PublicKey) -> DecodingKey {
    DecodingKey::from_ed_der(&key.bytes())
}

struct EdDsaSigner(KeyPair);

impl Signer<Vec<u8>> for EdDsaSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, signature::Error> {
        Ok(self.0.sign(message).to_vec())
    }
}

impl JwtSigner for EdDsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

struct EdDsaVerifier(PublicKey);

impl Verifier<Vec<u8>> for EdDsaVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), signature::Error> {
        let raw: &[u8; 64] = signature.as_slice().try_into().map_err(|_| signature::Error::new())?;
        if self.0.verifies(message, raw) { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtVerifier for EdDsaVerifier {
    fn algorithm(&self) -> Algorithm {
        Algorithm::EdDSA
    }
}

fn signer(algorithm: Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    only_eddsa(algorithm, key.family())?;
    let secret = key.as_bytes().try_into().map_err(|_| bad_key())?;
    Ok(Box::new(EdDsaSigner(KeyPair::from_secret(secret))))
}

fn verifier(algorithm: Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    only_eddsa(algorithm, key.family())?;
    let raw = key.try_get_as_bytes()?.try_into().map_err(|_| bad_key())?;
    let public = PublicKey::from_bytes(raw).map_err(|_| bad_key())?;
    Ok(Box::new(EdDsaVerifier(public)))
}

fn only_eddsa(algorithm: Algorithm, family: AlgorithmFamily) -> Result<()> {
    if algorithm == Algorithm::EdDSA && family == AlgorithmFamily::Ed {
        Ok(())
    } else {
        Err(new_error(ErrorKind::UnsupportedAlgorithm))
    }
}

fn bad_key() -> Error {
    new_error(ErrorKind::InvalidEddsaKey)
}
