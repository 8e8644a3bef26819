//! The body of `add-checkpoint` (C2SP tlog-witness): the size the witness knows, a consistency proof, a checkpoint.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ledger::{MAX_NOTE_BYTES, note};

use crate::Refusal;

/// The most hashes of a consistency proof (tlog-witness, "add-checkpoint").
pub const MAX_PROOF_LINES: usize = 63;
/// The most bytes of a request: its proof and a signed note.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 4 * 1024;

/// One request to a witness.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// How many entries the log had when the witness last cosigned it; 0 when it never did.
    pub old: u64,
    /// The proof that the log of `old` entries is the beginning of the checkpoint's (RFC 6962, section 2.1.2); empty
    /// from 0.
    pub proof: Vec<[u8; 32]>,
    /// The checkpoint as a signed note.
    pub checkpoint: String,
}

impl Request {
    /// As the body of a request.
    pub fn render(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            writeln!(text, "{}", STANDARD.encode(hash)).expect("writing to a string cannot fail");
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// Reads the body of a request; what the checkpoint holds is not looked at.
    pub fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let malformed = Refusal::Malformed;
        if body.len() > MAX_REQUEST_BYTES {
            return Err(malformed("it is too long"));
        }
        let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or(malformed("no empty line separates the proof from the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines
            .next()
            .and_then(|line| line.strip_prefix("old "))
            .and_then(note::decimal)
            .ok_or(malformed("its first line is not `old` and a size"))?;
        let proof: Vec<[u8; 32]> = lines
            .take(MAX_PROOF_LINES + 1)
            .map(|line| {
                note::hash_from_base64(line).ok_or(malformed("a line of its proof is not a hash in base64"))
            })
            .collect::<Result<_, _>>()?;
        if proof.len() > MAX_PROOF_LINES {
            return Err(malformed("its proof has more than 63 lines"));
        }
        Ok(Self { old, proof, checkpoint: checkpoint.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOTE: &str =
        "log.example/a\n3\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n\n\u{2014} log.example/a AAAAAAAA\n";

    proptest! {
        #[test]
        fn a_request_reads_back(old in any::<u64>(), proof in prop::collection::vec(any::<[u8; 32]>(), 0..=63)) {
            let request = Request { old, proof, checkpoint: NOTE.to_owned() };
            prop_assert_eq!(Request::parse(request.render().as_bytes()), Ok(request));
        }

        #[test]
        fn no_body_makes_the_parser_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..300), text in "old [0-9]{0,22}\n[A-Za-z0-9+/=\n]{0,120}"
        ) {
            let _ = Request::parse(&bytes);
            let _ = Request::parse(text.as_bytes());
        }
    }

    #[test]
    fn sizes_and_hashes_have_one_spelling() {
        let hash = STANDARD.encode([7; 32]);
        assert!(Request::parse(format!("old 1\n{hash}\n\n{NOTE}").as_bytes()).is_ok());
        for head in [
            "old 01\n",
            "old +1\n",
            "old  1\n",
            "Old 1\n",
            "old\n",
            "\n",
            "old 18446744073709551616\n",
            "old 1\r\n",
            &format!("old 1\n{}\n", hash.trim_end_matches('=')),
            &format!("old 1\n {hash}\n"),
            "old 1\nAAAA\n",
        ] {
            let refused = Request::parse(format!("{head}\n{NOTE}").as_bytes());
            assert!(matches!(refused, Err(Refusal::Malformed(_))), "{head:?}");
        }
    }

    #[test]
    fn a_proof_longer_than_any_is_refused() {
        let request = Request { old: 1, proof: vec![[0; 32]; 64], checkpoint: NOTE.to_owned() };
        assert!(matches!(Request::parse(request.render().as_bytes()), Err(Refusal::Malformed(_))));
        let long = Request { old: 1, proof: Vec::new(), checkpoint: "x".repeat(MAX_REQUEST_BYTES) };
        assert!(matches!(Request::parse(long.render().as_bytes()), Err(Refusal::Malformed(_))));
    }
}
