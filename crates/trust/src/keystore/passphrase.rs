//! From a passphrase to a key: Argon2id (RFC 9106), with a cost that is stored and bounded.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeystoreError, seal::SealKey};

/// The least memory of a passphrase's cost, in KiB a lane (RFC 9106, section 3.1).
pub const MIN_MEMORY_KIB: u32 = 8;
/// The most memory that a file may ask for, in KiB: 256 MiB.
pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
/// The most passes over the memory that a file may ask for.
pub const MAX_PASSES: u32 = 10;
/// The most lanes that a file may ask for.
pub const MAX_LANES: u32 = 4;
/// The fewest bytes that a new passphrase may have.
pub const MIN_PASSPHRASE: usize = 12;
/// The most bytes that a passphrase may have.
pub const MAX_PASSPHRASE: usize = 1024;
/// Bytes of salt (RFC 9106, section 4, recommends 16).
pub(super) const SALT_BYTES: usize = 16;

/// What one guess of a passphrase costs. By default 64 MiB, three passes and one lane: the memory and passes of
/// the second recommended option of RFC 9106 (section 4), on one core. Weaker ones are for tests alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kdf {
    algorithm: KdfAlgorithm,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum KdfAlgorithm {
    /// Version 1.3 (RFC 9106, section 3.1: `v` is 0x13).
    #[serde(rename = "argon2id")]
    Argon2id,
}

impl Default for Kdf {
    fn default() -> Self {
        Self { algorithm: KdfAlgorithm::Argon2id, memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

impl Kdf {
    /// A cost of `memory_kib` KiB, `passes` and `lanes`, each within its bounds.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, KeystoreError> {
        let made = Self { algorithm: KdfAlgorithm::Argon2id, memory_kib, passes, lanes };
        made.params().map(|_| made).map_err(KeystoreError::Cost)
    }

    /// The key of `passphrase` and `salt`. Takes as long as the cost says: some tenths of a second by default.
    pub(super) fn derive(
        &self,
        passphrase: &str,
        salt: &[u8; SALT_BYTES],
        file: &str,
    ) -> Result<SealKey, KeystoreError> {
        let damaged = |why: String| KeystoreError::Damaged { file: file.to_owned(), why };
        let params = self.params().map_err(damaged)?;
        // Held here, not in the library, so that it is wiped and a lack of memory is an error.
        let mut memory = Zeroizing::new(Vec::<Block>::new());
        memory
            .try_reserve_exact(params.block_count())
            .map_err(|_| KeystoreError::NoMemory { file: file.to_owned(), memory_kib: self.memory_kib })?;
        memory.resize(params.block_count(), Block::new());
        let mut key = Zeroizing::new([0; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(passphrase.as_bytes(), salt, &mut *key, memory.as_mut_slice())
            .map_err(|e| damaged(format!("its cost of a passphrase cannot be used ({e})")))?;
        Ok(SealKey(key))
    }

    fn params(&self) -> Result<Params, String> {
        let Self { algorithm: KdfAlgorithm::Argon2id, memory_kib, passes, lanes } = *self;
        if !(1..=MAX_LANES).contains(&lanes) {
            return Err(format!("it asks for {lanes} lanes, where 1 to {MAX_LANES} are allowed"));
        }
        if !(MIN_MEMORY_KIB * lanes..=MAX_MEMORY_KIB).contains(&memory_kib) {
            return Err(format!(
                "it asks for {memory_kib} KiB of memory, where {} to {MAX_MEMORY_KIB} are allowed",
                MIN_MEMORY_KIB * lanes
            ));
        }
        if !(1..=MAX_PASSES).contains(&passes) {
            return Err(format!("it asks for {passes} passes, where 1 to {MAX_PASSES} are allowed"));
        }
        Params::new(memory_kib, passes, lanes, Some(32)).map_err(|e| e.to_string())
    }
}

/// Whether a new passphrase is worth taking.
pub(super) fn check(passphrase: &str) -> Result<(), KeystoreError> {
    if (MIN_PASSPHRASE..=MAX_PASSPHRASE).contains(&passphrase.len()) {
        Ok(())
    } else {
        Err(KeystoreError::PassphraseLength)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_what_the_reference_program_computes() {
        // As OpenSSL 4.0 (`EVP_KDF-ARGON2`) computes it for the same input.
        let kdf = Kdf::new(64 * 1024, 2, 1).unwrap();
        let key = kdf.derive("password", b"somesalt12345678", "x").unwrap();
        assert_eq!(hex::encode(*key.0), "1e6938f511f9d7a88f1c6a4a49d446685ce2e3f58ecf335e07950920a0201dbb");
    }

    #[test]
    fn a_cost_beyond_its_bounds_is_refused_before_any_work() {
        for (memory_kib, passes, lanes) in [
            (MAX_MEMORY_KIB + 1, 1, 1),
            (u32::MAX, 1, 1),
            (7, 1, 1),
            (31, 1, 4),
            (64, 0, 1),
            (64, MAX_PASSES + 1, 1),
            (64, u32::MAX, 1),
            (64, 1, 0),
            (MAX_MEMORY_KIB, 1, MAX_LANES + 1),
            (MAX_MEMORY_KIB, 1, u32::MAX),
        ] {
            let refused = Kdf::new(memory_kib, passes, lanes);
            assert!(matches!(refused, Err(KeystoreError::Cost(_))), "{memory_kib} {passes} {lanes}");
        }
        assert_eq!(Kdf::new(64 * 1024, 3, 1).unwrap(), Kdf::default());
    }
}
