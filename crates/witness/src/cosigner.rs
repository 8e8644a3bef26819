//! Signs as a witness (C2SP tlog-cosignature, `cosignature/v1`).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};

use crate::key::{KeyError, WitnessKey, message};

/// A witness's signing key with its name.
pub struct Cosigner {
    secret: SigningKey,
    public: WitnessKey,
}

impl std::fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cosigner").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Cosigner {
    /// The witness `name` that signs with `secret`. The key must have no other use: a cosignature does not commit to
    /// the witness's name.
    pub fn new(name: &str, secret: SigningKey) -> Result<Self, KeyError> {
        let public = WitnessKey::new(name, secret.verifying_key())?;
        Ok(Self { secret, public })
    }

    /// The public key.
    pub fn key(&self) -> &WitnessKey {
        &self.public
    }

    /// The signature line, with its line feed, over a checkpoint. `text` is the note's whole body with its last line
    /// feed; `at` is the time in POSIX seconds, from 1 to 2^63 - 1. The same input gives the same line.
    ///
    /// Says for ever that this is the newest head the witness knows: sign only what [`crate::Submission::judge`]
    /// passed, and only after the new state is durable.
    pub fn cosign(&self, text: &str, at: u64) -> String {
        let signature = self.secret.sign(message(text, at).as_bytes()).to_bytes();
        let bytes = [self.public.id().as_slice(), &at.to_be_bytes(), &signature].concat();
        format!("\u{2014} {} {}\n", self.public.name(), STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ledger::note;

    const TEXT: &str = "log.example/a\n3\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n";

    fn checked(line: &str, text: &str, key: &WitnessKey) -> Option<u64> {
        let (name, signature) = note::signature(line.strip_suffix('\n').unwrap()).unwrap();
        assert!(key.names(name, &signature));
        key.check(text, &signature)
    }

    #[test]
    fn a_cosignature_verifies_and_tells_its_time() {
        let witness = Cosigner::new("w.example", SigningKey::from_bytes(&[3; 32])).unwrap();
        let line = witness.cosign(TEXT, 1_700_000_000);
        assert_eq!(checked(&line, TEXT, witness.key()), Some(1_700_000_000));
        assert_eq!(checked(&line, &TEXT.replace('3', "4"), witness.key()), None);
        let other = Cosigner::new("w.example", SigningKey::from_bytes(&[4; 32])).unwrap();
        let (_, signature) = note::signature(line.trim_end()).unwrap();
        assert_eq!(other.key().check(TEXT, &signature), None);
    }

    #[test]
    fn a_changed_byte_of_a_cosignature_is_refused() {
        let witness = Cosigner::new("w.example", SigningKey::from_bytes(&[3; 32])).unwrap();
        let line = witness.cosign(TEXT, 1_700_000_000);
        let (_, good) = note::signature(line.trim_end()).unwrap();
        for place in 4..good.len() {
            let mut bad = good.clone();
            bad[place] ^= 1;
            assert_eq!(witness.key().check(TEXT, &bad), None, "byte {place}");
        }
        for length in 0..good.len() {
            assert_eq!(witness.key().check(TEXT, &good[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn a_cosignature_without_a_time_does_not_count() {
        let witness = Cosigner::new("w.example", SigningKey::from_bytes(&[3; 32])).unwrap();
        for at in [0, u64::MAX, 1 << 63] {
            assert_eq!(checked(&witness.cosign(TEXT, at), TEXT, witness.key()), None, "{at}");
        }
    }
}
