//! Puts cosignatures onto a checkpoint.

use ledger::{MAX_NOTE_BYTES, note};

use crate::WitnessKey;

/// The most bytes of a witness's answer that are read.
pub const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// How far a witness's clock may be ahead, in seconds.
pub const MAX_AHEAD_SECONDS: u64 = 600;
/// The most signature lines of one answer.
const MAX_LINES: usize = 64;

/// A cosignature that was put onto a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Added {
    /// The witness's name.
    pub name: String,
    /// When it cosigned, in POSIX seconds.
    pub at: u64,
}

/// Why an answer holds no cosignature that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// It is not made of signature lines.
    #[error("the answer is not made of signature lines (C2SP tlog-witness)")]
    Malformed,
    /// It is too long.
    #[error("the answer is longer than {MAX_ANSWER_BYTES} bytes, or the checkpoint grows too long with it")]
    TooLong,
    /// None is by a witness that is known here.
    #[error("the answer holds no cosignature of the expected key: compare the witness's verifier key")]
    Unknown,
    /// One is by a known key, and wrong.
    #[error("the cosignature of {name} is wrong: the witness signed something else")]
    Wrong {
        /// The witness's name.
        name: String,
    },
    /// One is of a time to come.
    #[error(
        "the cosignature of {name} is of a time to come ({at}, POSIX seconds): one of the clocks is wrong"
    )]
    Future {
        /// The witness's name.
        name: String,
        /// The time it carries, in POSIX seconds.
        at: u64,
    },
}

/// Adds to the signed note `checkpoint` the cosignatures by `witnesses` that `answer` holds: signature lines, each with
/// its line feed, as a witness answers them or as another copy of the note ends. An older cosignature by the same key is
/// replaced. Lines by unknown keys are ignored; one by a known key that is wrong refuses the answer. `now` is the time
/// in POSIX seconds.
pub fn merge(
    checkpoint: &str,
    answer: &str,
    witnesses: &[WitnessKey],
    now: u64,
) -> Result<(String, Vec<Added>), MergeError> {
    if answer.len() > MAX_ANSWER_BYTES {
        return Err(MergeError::TooLong);
    }
    let lines: Vec<&str> = answer.strip_suffix('\n').ok_or(MergeError::Malformed)?.split('\n').collect();
    if lines.len() > MAX_LINES {
        return Err(MergeError::TooLong);
    }
    let (text, _) = note::split(checkpoint).ok_or(MergeError::Malformed)?;
    let (mut merged, mut added) = (checkpoint.to_owned(), Vec::<Added>::new());
    for line in lines {
        let (name, signature) = note::signature(line).ok_or(MergeError::Malformed)?;
        let Some(witness) = witnesses.iter().find(|w| w.names(name, &signature)) else { continue };
        let at = witness
            .check(text, &signature)
            .ok_or_else(|| MergeError::Wrong { name: witness.name().to_owned() })?;
        if at > now.saturating_add(MAX_AHEAD_SECONDS) {
            return Err(MergeError::Future { name: witness.name().to_owned(), at });
        }
        merged = keep_lines(&merged, |name, signature| !witness.names(name, signature));
        merged.push_str(line);
        merged.push('\n');
        added.retain(|a| a.name != witness.name());
        added.push(Added { name: witness.name().to_owned(), at });
    }
    match (added.is_empty(), merged.len() > MAX_NOTE_BYTES) {
        (true, _) => Err(MergeError::Unknown),
        (_, true) => Err(MergeError::TooLong),
        _ => Ok((merged, added)),
    }
}

/// The note with those of its signature lines alone that `keep` wants, by name and decoded signature. What is no
/// signed note comes back as it is.
pub fn keep_lines(signed: &str, keep: impl Fn(&str, &[u8]) -> bool) -> String {
    let Some((text, lines)) = note::split(signed) else { return signed.to_owned() };
    let mut out = format!("{text}\n");
    for line in lines {
        if note::signature(line).is_some_and(|(name, signature)| keep(name, &signature)) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;
    use proptest::prelude::*;

    use super::*;
    use crate::Cosigner;

    const NOTE: &str =
        "log.example/a\n3\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n\n\u{2014} log.example/a AAAAAAAA\n";
    const NOW: u64 = 1_700_000_000;

    fn witness(number: u8) -> Cosigner {
        Cosigner::new(&format!("w{number}.example"), SigningKey::from_bytes(&[number; 32])).unwrap()
    }

    fn line(number: u8, at: u64) -> String {
        witness(number).cosign(note::split(NOTE).unwrap().0, at)
    }

    #[test]
    fn two_witnesses_sign_one_checkpoint() {
        let keys = [witness(1).key().clone(), witness(2).key().clone()];
        let (once, added) = merge(NOTE, &line(1, NOW), &keys, NOW).unwrap();
        assert_eq!(added, [Added { name: "w1.example".to_owned(), at: NOW }]);
        let (twice, _) = merge(&once, &line(2, NOW), &keys, NOW).unwrap();
        assert_eq!(twice, format!("{NOTE}{}{}", line(1, NOW), line(2, NOW)));
    }

    #[test]
    fn a_newer_cosignature_takes_the_place_of_the_older() {
        let keys = [witness(1).key().clone()];
        let (old, _) = merge(NOTE, &line(1, NOW - 5), &keys, NOW).unwrap();
        let (new, _) = merge(&old, &line(1, NOW), &keys, NOW).unwrap();
        assert_eq!(new, format!("{NOTE}{}", line(1, NOW)));
    }

    #[test]
    fn strangers_are_ignored_and_a_wrong_line_is_not() {
        let keys = [witness(1).key().clone()];
        let both = format!("{}{}", line(9, NOW), line(1, NOW));
        assert_eq!(merge(NOTE, &both, &keys, NOW).unwrap().0, format!("{NOTE}{}", line(1, NOW)));
        assert_eq!(merge(NOTE, &line(9, NOW), &keys, NOW), Err(MergeError::Unknown));
        let other = NOTE.replace("\n3\n", "\n4\n");
        assert!(matches!(merge(&other, &line(1, NOW), &keys, NOW), Err(MergeError::Wrong { .. })));
        assert!(matches!(merge(NOTE, &line(1, NOW + 601), &keys, NOW), Err(MergeError::Future { .. })));
        for bad in ["", "\n", "ok\n", &line(1, NOW).replace('\n', ""), &format!("{}\n", line(1, NOW))] {
            assert_eq!(merge(NOTE, bad, &keys, NOW), Err(MergeError::Malformed), "{bad:?}");
        }
        assert_eq!(merge(NOTE, &"x".repeat(MAX_ANSWER_BYTES + 1), &keys, NOW), Err(MergeError::TooLong));
    }

    proptest! {
        #[test]
        fn no_answer_makes_the_merge_panic(answer in "(\u{2014} w1.example [A-Za-z0-9+/=]{0,120}\n){0,3}", any in "\\PC{0,60}\n") {
            let keys = [witness(1).key().clone()];
            let _ = merge(NOTE, &answer, &keys, NOW);
            let _ = merge(&any, &answer, &keys, NOW);
            let _ = merge(NOTE, &any, &keys, NOW);
        }
    }
}
