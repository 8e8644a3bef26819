//! Signed checkpoints (C2SP signed-note, tlog-checkpoint).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::Signer as _;

/// A checkpoint is taken only when the log's key signed exactly its text, and then it says what the text says.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let vkey = ledger::vkey_of(crate::ORIGIN, &crate::key().verifying_key());
    for note in [text.to_owned(), signed(text)] {
        let Ok(head) = ledger::verify_checkpoint(&note, &vkey) else { continue };
        let root = STANDARD.encode(head.root);
        let body = format!("{}\n{}\n{root}\n", head.origin, head.size);
        assert!(note.starts_with(&body), "the text says something else than was read: {note}");
    }
    // A key is text too.
    let _ = ledger::verify_checkpoint(&signed("x\n1\n\n"), text);
}

/// `text` as a note that the log's key signed, whatever it says.
pub(crate) fn signed(text: &str) -> String {
    let vkey = ledger::vkey_of(crate::ORIGIN, &crate::key().verifying_key());
    let hash = vkey.split('+').nth(1).expect("a verifier key has three parts");
    let mut line = (0..4)
        .map(|i| u8::from_str_radix(&hash[2 * i..2 * i + 2], 16).expect("a key hash is hexadecimal"))
        .collect::<Vec<u8>>();
    line.extend(crate::key().sign(text.as_bytes()).to_bytes());
    format!("{text}\n\u{2014} {} {}\n", crate::ORIGIN, STANDARD.encode(line))
}
