//! A witness's public key: `name+hash+base64(0x04 || key)` (C2SP tlog-cosignature and signed-note).

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, VerifyingKey};
use ledger::note;
use sha2::{Digest as _, Sha256};

/// Timestamped Ed25519 cosignatures in signed-note's table of signature types.
const COSIGNATURE: u8 = 0x04;

/// Why a text is not a witness's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a witness's verifier key: expected name+hash+base64 of an Ed25519 cosigning key (type 0x04), the text that the witness's operator hands out"
)]
pub struct KeyError;

/// A witness's public key with its name. As text it is a vkey.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl WitnessKey {
    /// The key of the witness `name`, which must be able to name a key (no spaces, no plus, at most 255 bytes).
    pub fn new(name: &str, key: VerifyingKey) -> Result<Self, KeyError> {
        if !note::is_name(name) || key.is_weak() {
            return Err(KeyError);
        }
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', COSIGNATURE])
            .chain_update(key.as_bytes())
            .finalize();
        Ok(Self { name: name.to_owned(), id: [hash[0], hash[1], hash[2], hash[3]], key })
    }

    /// The witness's name, as signature lines carry it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The four bytes that name the key in signature lines.
    pub(crate) fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of the Ed25519 key.
    pub fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Whether a signature line is by this key, by name and id.
    pub(crate) fn names(&self, name: &str, signature: &[u8]) -> bool {
        name == self.name && signature.get(..4) == Some(self.id.as_slice())
    }

    /// The time, in POSIX seconds, at which this key cosigned `text`. `signature` is what a line holds in base64: key
    /// id, time, Ed25519 signature. Nothing when it does not hold.
    pub(crate) fn check(&self, text: &str, signature: &[u8]) -> Option<u64> {
        let (_, signature) = signature.split_first_chunk::<4>()?;
        let (at, signature) = signature.split_first_chunk::<8>()?;
        let at = u64::from_be_bytes(*at);
        if at == 0 || i64::try_from(at).is_err() {
            return None;
        }
        let signature = Signature::from_slice(signature).ok()?;
        self.key.verify_strict(message(text, at).as_bytes(), &signature).ok().map(|()| at)
    }
}

/// What a cosignature signs (tlog-cosignature, "Ed25519 signed message"): `text` is the whole body of the note.
pub(crate) fn message(text: &str, at: u64) -> String {
    format!("cosignature/v1\ntime {at}\n{text}")
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[COSIGNATURE], self.key.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(key))
    }
}

impl FromStr for WitnessKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let parse = || {
            let mut parts = text.splitn(3, '+');
            let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
            let key = STANDARD.decode(key).ok()?;
            let key: &[u8; 32] = key.strip_prefix(&[COSIGNATURE])?.try_into().ok()?;
            let key = Self::new(name, VerifyingKey::from_bytes(key).ok()?).ok()?;
            // The id is written in lower case, so that a key has one spelling.
            (hex::encode(key.id) == id).then_some(key)
        };
        parse().ok_or(KeyError)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn key() -> WitnessKey {
        WitnessKey::new("witness.example/w1", SigningKey::from_bytes(&[5; 32]).verifying_key()).unwrap()
    }

    #[test]
    fn a_key_reads_back_and_a_changed_one_does_not() {
        let text = key().to_string();
        assert_eq!(text.parse(), Ok(key()));
        let id = hex::encode(key().id);
        for bad in [
            text.replacen("w1", "w2", 1),
            text.replacen(&id, "00000000", 1),
            text.replacen(&id, &id.to_ascii_uppercase(), 1) + "A",
            text.replacen(' ', "+", 1) + "=",
            String::new(),
            "a+b+c".to_owned(),
        ] {
            assert_eq!(bad.parse::<WitnessKey>(), Err(KeyError), "{bad}");
        }
    }

    #[test]
    fn a_logs_key_is_not_a_witnesss() {
        let log = ledger::vkey_of("witness.example/w1", &SigningKey::from_bytes(&[5; 32]).verifying_key());
        assert_eq!(log.parse::<WitnessKey>(), Err(KeyError));
    }

    #[test]
    fn a_key_under_which_anybody_can_sign_is_refused() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        let weak = VerifyingKey::from_bytes(&neutral).unwrap();
        assert_eq!(WitnessKey::new("w", weak), Err(KeyError));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", name in "[ +a-z]{0,4}", tail in "[A-Za-z0-9+/=]{0,80}") {
            let _ = text.parse::<WitnessKey>();
            let _ = format!("{name}+00000000+{tail}").parse::<WitnessKey>();
        }
    }
}
