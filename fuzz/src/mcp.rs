//! Messages of the Model Context Protocol, up to what a tool takes.

use ::mcp::{Told, read_message};

/// The longest refusal, in bytes, beside what of the message it repeats.
const MAX_WORDS: usize = 4 * 1024;

/// A message is read or refused in words; one that calls a tool calls it whatever stands around it.
pub fn check(bytes: &[u8]) {
    match read_message(bytes) {
        Ok(Told::Call) => {
            let Ok(again) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
            let spelt = again.to_string();
            assert!(
                read_message(spelt.as_bytes()).is_ok(),
                "the same message, spelt anew, is refused: {spelt}"
            );
        }
        Ok(Told::Other) => {}
        Err(words) => assert!(words.len() <= MAX_WORDS + bytes.len(), "{} bytes of words", words.len()),
    }
}
