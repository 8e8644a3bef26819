//! Signed notes and checkpoints (C2SP signed-note and tlog-checkpoint), signed with Ed25519 (type 0x01).

use std::{fmt::Write as _, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::proof::{ProofError, malformed};

/// The longest signed note that is read, in bytes: room for a checkpoint and 16 post-quantum signatures.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;
/// The most signatures that a note may have (the specification asks for 16 or more).
const MAX_SIGNATURES: usize = 64;
/// The longest name of a log, in bytes.
const MAX_ORIGIN_BYTES: usize = 255;
/// Ed25519 in signed-note's table of signature types.
const ED25519: u8 = 0x01;

/// The head of a log: its name, how many entries it has, and the root over them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, such as `echo.local/genesis/1a2b3c4d`.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: [u8; 32],
}

/// A verifier key: `name+hash+base64(0x01 || key)`, as `golang.org/x/mod/sumdb/note` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vkey {
    /// The log's name.
    pub name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl Vkey {
    /// The verifier key of `name` and `key`.
    pub(crate) fn new(name: &str, key: VerifyingKey) -> Self {
        let hash = Sha256::new()
            .chain_update(name)
            .chain_update([b'\n', ED25519])
            .chain_update(key.as_bytes())
            .finalize();
        Self { name: name.to_owned(), id: [hash[0], hash[1], hash[2], hash[3]], key }
    }

    /// The four bytes that name the key in signature lines.
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of the Ed25519 key.
    pub fn bytes(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// As text.
    pub fn text(&self) -> String {
        let key = [&[ED25519], self.key.as_bytes().as_slice()].concat();
        format!("{}+{}+{}", self.name, hex::encode(self.id), STANDARD.encode(key))
    }
}

impl FromStr for Vkey {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, ProofError> {
        let parse = || {
            let mut parts = text.splitn(3, '+');
            let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
            let key = STANDARD.decode(key).ok()?;
            let key: &[u8; 32] = key.strip_prefix(&[ED25519])?.try_into().ok()?;
            let key = VerifyingKey::from_bytes(key).ok().filter(|k| !k.is_weak())?;
            let vkey = Self::new(name, key);
            (is_name(name) && hex::encode(vkey.id) == id).then_some(vkey)
        };
        parse().ok_or(ProofError::Vkey)
    }
}

/// The verifier key (as text) of the log `origin` that signs with `key`, as [`crate::Log`] writes it to `log.vkey`.
pub fn vkey_of(origin: &str, key: &VerifyingKey) -> String {
    Vkey::new(origin, *key).text()
}

/// Whether `name` may name a key, and so a log: not empty, no spaces, no plus, no control characters.
pub fn is_name(name: &str) -> bool {
    let bad = |c: char| c.is_whitespace() || c.is_control() || c == '+';
    !name.is_empty() && name.len() <= MAX_ORIGIN_BYTES && !name.contains(bad)
}

/// Reads a decimal number as the specifications write them: digits alone, no leading zero.
pub fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// Reads a hash in base64.
pub fn hash_from_base64(text: &str) -> Option<[u8; 32]> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

impl Checkpoint {
    /// The signed note of this checkpoint, by `key` under the log's own name. Always the same bytes.
    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        let mut note = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        let signature = key.sign(note.as_bytes()).to_bytes();
        let id = Vkey::new(&self.origin, key.verifying_key()).id;
        let line = STANDARD.encode([id.as_slice(), &signature].concat());
        writeln!(note, "\n\u{2014} {} {line}", self.origin).expect("writing to a string cannot fail");
        note
    }

    /// Reads the text of a checkpoint. Extension lines are allowed and ignored.
    pub fn parse(text: &str) -> Result<Self, ProofError> {
        let parse = || {
            let mut lines = text.strip_suffix('\n')?.split('\n');
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            if origin.is_empty() || lines.any(str::is_empty) {
                return None;
            }
            Some(Self { origin: origin.to_owned(), size: decimal(size)?, root: hash_from_base64(root)? })
        };
        parse().ok_or_else(|| malformed("the checkpoint has not the lines of one (origin, size, root)"))
    }
}

/// Checks that `note` is a checkpoint signed with `vkey`, of the log that `vkey` names. Signatures of other keys
/// are ignored; a wrong one under this key refuses the note (signed-note, "Signatures").
pub fn verify_checkpoint(note: &str, vkey: &str) -> Result<Checkpoint, ProofError> {
    open(note, &vkey.parse()?)
}

pub(crate) fn open(note: &str, vkey: &Vkey) -> Result<Checkpoint, ProofError> {
    if note.len() > MAX_NOTE_BYTES {
        return Err(malformed("the signed note is too long"));
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(malformed("the signed note holds control characters"));
    }
    let (text, signatures) = split(note).ok_or_else(|| malformed("the signed note has no signatures"))?;
    let mut verified = false;
    for line in signatures {
        let (name, signature) =
            signature(line).ok_or_else(|| malformed("the signed note has a malformed signature line"))?;
        let Some((id, signature)) = signature.split_first_chunk::<4>() else {
            return Err(malformed("the signed note has a signature that is too short"));
        };
        if name != vkey.name || *id != vkey.id {
            continue;
        }
        let good = Signature::from_slice(signature)
            .is_ok_and(|s| vkey.key.verify_strict(text.as_bytes(), &s).is_ok());
        if !good {
            return Err(ProofError::Signature { name: vkey.name.clone() });
        }
        verified = true;
    }
    if !verified {
        return Err(ProofError::Unsigned { name: vkey.name.clone() });
    }
    let checkpoint = Checkpoint::parse(text)?;
    if checkpoint.origin != vkey.name {
        return Err(ProofError::Origin { found: checkpoint.origin, expected: vkey.name.clone() });
    }
    Ok(checkpoint)
}

/// The text (with its last newline) and the signature lines of a signed note.
pub fn split(note: &str) -> Option<(&str, Vec<&str>)> {
    let middle = note.rfind("\n\n")?;
    let lines: Vec<&str> = note[middle + 2..].strip_suffix('\n')?.split('\n').collect();
    (lines.len() <= MAX_SIGNATURES).then_some((&note[..=middle], lines))
}

/// The key's name and the decoded signature (key id first) of a note's signature line, which is without its line feed.
pub fn signature(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let signature = STANDARD.decode(signature).ok()?;
    is_name(name).then_some((name, signature))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the note in the documentation of golang.org/x/mod/sumdb/note.
    const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

    #[test]
    fn a_verifier_key_of_the_go_library_reads_and_writes_back() {
        assert_eq!(PETER.parse::<Vkey>().unwrap().text(), PETER);
        for bad in [&PETER.replace("c74f", "c74e"), "", "a+b+c", &PETER.replace("+AR", "+BR")] {
            assert!(matches!(bad.parse::<Vkey>(), Err(ProofError::Vkey)), "{bad}");
        }
    }

    fn head() -> (Checkpoint, SigningKey, String) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let head = Checkpoint { origin: "echo.local/t/1".to_owned(), size: 3, root: [9; 32] };
        let vkey = vkey_of(&head.origin, &key.verifying_key());
        (head, key, vkey)
    }

    #[test]
    fn a_checkpoint_verifies_with_its_key_alone() {
        let (head, key, vkey) = head();
        let note = head.sign(&key);
        assert_eq!(verify_checkpoint(&note, &vkey), Ok(head.clone()));
        let other = vkey_of(&head.origin, &SigningKey::from_bytes(&[8; 32]).verifying_key());
        assert!(matches!(verify_checkpoint(&note, &other), Err(ProofError::Unsigned { .. })));
    }

    #[test]
    fn signatures_of_others_are_ignored_and_a_wrong_one_of_ours_is_not() {
        let (head, key, vkey) = head();
        let cosigned = format!("{}\u{2014} witness.example AAAAAAAA\n", head.sign(&key));
        assert_eq!(verify_checkpoint(&cosigned, &vkey), Ok(head.clone()));
        let mut wrong = head.clone();
        wrong.size = 4;
        let (_, line) =
            wrong.sign(&key).split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let both = format!("{}{line}", head.sign(&key));
        assert!(matches!(verify_checkpoint(&both, &vkey), Err(ProofError::Signature { .. })));
    }

    #[test]
    fn a_checkpoint_of_another_log_under_the_same_key_is_refused() {
        let (head, key, vkey) = head();
        let (text, _) =
            head.sign(&key).split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        let text = format!("{}\n", text.replace("t/1", "t/2"));
        let id: Vkey = vkey.parse().unwrap();
        let line = STANDARD.encode([id.id.as_slice(), &key.sign(text.as_bytes()).to_bytes()].concat());
        let note = format!("{text}\n\u{2014} {} {line}\n", head.origin);
        assert!(matches!(verify_checkpoint(&note, &vkey), Err(ProofError::Origin { .. })));
    }

    #[test]
    fn numbers_have_one_spelling() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("120"), Some(120));
        for bad in ["", "00", "01", "+1", "-1", "1 ", "99999999999999999999"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }
}
