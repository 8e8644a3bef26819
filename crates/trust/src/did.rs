//! `did:key` identifiers of Ed25519 keys (W3C CCG, The did:key Method v0.9, section 3.1).
//!
//! The key's 32 bytes behind the multicodec prefix 0xed01, in base58btc behind the multibase letter `z`.

use crate::key::PublicKey;

const PREFIX: &str = "did:key:z";
const MULTICODEC: [u8; 2] = [0xed, 0x01];
const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
/// The most characters a `did:key` of an Ed25519 key has.
pub const MAX_DID: usize = 64;

/// Why a text is not the `did:key` of an Ed25519 key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the did:key of an Ed25519 key: expected `did:key:z6Mk` and 44 base58 characters")]
pub struct DidError(String);

/// The identifier of `key`, such as `did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp`.
pub fn did_key(key: &PublicKey) -> String {
    let mut bytes = MULTICODEC.to_vec();
    bytes.extend_from_slice(&key.bytes());
    format!("{PREFIX}{}", base58_encode(&bytes))
}

/// The key that `did` names.
pub fn parse_did_key(did: &str) -> Result<PublicKey, DidError> {
    let wrong = || DidError(did.chars().take(MAX_DID).collect());
    if did.len() > MAX_DID {
        return Err(wrong());
    }
    let bytes = did.strip_prefix(PREFIX).and_then(base58_decode).ok_or_else(wrong)?;
    let raw = bytes.strip_prefix(&MULTICODEC).ok_or_else(wrong)?;
    let raw: &[u8; 32] = raw.try_into().map_err(|_| wrong())?;
    PublicKey::from_bytes(raw).map_err(|_| wrong())
}

fn base58_encode(bytes: &[u8]) -> String {
    let mut digits: Vec<u8> = Vec::new();
    for &byte in bytes {
        let mut carry = u32::from(byte);
        for digit in &mut digits {
            carry += u32::from(*digit) << 8;
            *digit = (carry % 58) as u8;
            carry /= 58;
        }
        while carry > 0 {
            digits.push((carry % 58) as u8);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|b| **b == 0).count();
    std::iter::repeat_n('1', zeros)
        .chain(digits.iter().rev().map(|d| char::from(ALPHABET[usize::from(*d)])))
        .collect()
}

fn base58_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes: Vec<u8> = Vec::new();
    for letter in text.bytes() {
        let digit = ALPHABET.iter().position(|a| *a == letter)?;
        let mut carry = u32::try_from(digit).ok()?;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 58;
            *byte = (carry & 0xff) as u8;
            carry >>= 8;
        }
        while carry > 0 {
            bytes.push((carry & 0xff) as u8);
            carry >>= 8;
        }
    }
    let zeros = text.bytes().take_while(|b| *b == b'1').count();
    bytes.extend(std::iter::repeat_n(0, zeros));
    bytes.reverse();
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::key::KeyPair;

    #[test]
    fn the_published_vector_holds() {
        // did:key method, Ed25519 test vectors: the key of the all-zero seed.
        let key = KeyPair::from_secret(&[0; 32]).public();
        let did = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp";
        assert_eq!(did_key(&key), did);
        assert_eq!(parse_did_key(did), Ok(key));
    }

    #[test]
    fn other_identifiers_are_refused() {
        for bad in [
            "",
            "did:key:z",
            "did:web:example.org",
            "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooW0",
            "did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc",
            &"did:key:z6Mk".repeat(20),
        ] {
            assert!(parse_did_key(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_key_reads_back(seed: [u8; 32]) {
            let key = KeyPair::from_secret(&seed).public();
            prop_assert_eq!(parse_did_key(&did_key(&key)), Ok(key));
        }

        #[test]
        fn base58_reads_back(bytes: Vec<u8>) {
            prop_assert_eq!(base58_decode(&base58_encode(&bytes)), Some(bytes));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,80}") {
            let _ = parse_did_key(&text);
        }
    }
}
