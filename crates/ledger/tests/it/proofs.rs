//! Proofs as text: each verifies, and no changed one does.

use std::sync::OnceLock;

use ledger::{Log, ProofError, verify_checkpoint, verify_tlog_proof};
use proptest::prelude::*;

use crate::{ORIGIN, entries, log_of};

/// One log for all cases, and its folder.
fn log() -> &'static (tempfile::TempDir, Log) {
    static LOG: OnceLock<(tempfile::TempDir, Log)> = OnceLock::new();
    LOG.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let log = runtime.block_on(log_of(home.path(), 600));
        (home, log)
    })
}

#[test]
fn every_entry_has_a_proof_that_verifies_for_it_alone() {
    let (_home, log) = log();
    for index in 0..600 {
        let (proof, entry) = (log.tlog_proof(index).unwrap(), log.entry(index).unwrap());
        let verified = verify_tlog_proof(&proof, &entry, log.vkey()).unwrap();
        assert_eq!((verified.origin.as_str(), verified.index, verified.size), (ORIGIN, index, 600));
        let other = log.entry((index + 1) % 600).unwrap();
        let refused = verify_tlog_proof(&proof, &other, log.vkey());
        assert!(matches!(refused, Err(ProofError::NotIncluded { .. })), "{index}");
    }
}

#[test]
fn a_proof_has_the_lines_of_the_specification() {
    let (_home, log) = log();
    let proof = log.tlog_proof(7).unwrap();
    let lines: Vec<&str> = proof.lines().collect();
    assert_eq!(lines[..2], ["c2sp.org/tlog-proof@v1", "index 7"]);
    let gap = lines.iter().position(|l| l.is_empty()).unwrap();
    assert!(lines[2..gap].iter().all(|l| l.len() == 44));
    assert_eq!(lines[gap + 1..gap + 3], [ORIGIN, "600"]);
    assert!(proof.ends_with(&log.checkpoint()));
    let extra = proof.replace("@v1\n", "@v1\nextra aGVsbG8=\n");
    verify_tlog_proof(&extra, &log.entry(7).unwrap(), log.vkey()).unwrap();
    let twice = proof.replace("@v1\n", "@v1\nextra aGVsbG8=\nextra aGVsbG8=\n");
    assert!(verify_tlog_proof(&twice, &log.entry(7).unwrap(), log.vkey()).is_err());
}

proptest! {
    #[test]
    fn any_flipped_bit_in_proof_entry_or_checkpoint_is_refused(
        index in 0u64..600, at in any::<prop::sample::Index>(), bit in 0u8..8
    ) {
        let (_home, log) = log();
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            bytes
        };
        let (proof, entry) = (log.tlog_proof(index).unwrap(), log.entry(index).unwrap());
        prop_assert!(verify_tlog_proof(&proof, &flip(&entry), log.vkey()).is_err());
        if let Ok(proof) = String::from_utf8(flip(proof.as_bytes())) {
            prop_assert!(verify_tlog_proof(&proof, &entry, log.vkey()).is_err(), "{}", proof);
        }
        if let Ok(note) = String::from_utf8(flip(log.checkpoint().as_bytes())) {
            prop_assert!(verify_checkpoint(&note, log.vkey()).is_err(), "{}", note);
        }
        if let Ok(vkey) = String::from_utf8(flip(log.vkey().as_bytes())) {
            prop_assert!(verify_tlog_proof(&proof, &entry, &vkey).is_err(), "{}", vkey);
        }
    }

    #[test]
    fn no_text_makes_the_verifiers_panic(text in "\\PC{0,300}", lines in prop::collection::vec("[ -~\u{2014}]{0,60}", 0..12)) {
        let (_home, log) = log();
        let lines = lines.join("\n");
        let headed = format!("c2sp.org/tlog-proof@v1\nindex 1\n{lines}\n");
        for text in [&text, &lines, &headed] {
            prop_assert!(verify_tlog_proof(text, b"", log.vkey()).is_err());
            prop_assert!(verify_checkpoint(text, log.vkey()).is_err());
            prop_assert!(verify_checkpoint(&log.checkpoint(), text).is_err());
        }
    }
}

#[tokio::test]
async fn an_old_proof_still_verifies_when_the_log_has_grown() {
    let home = tempfile::tempdir().unwrap();
    let log = log_of(home.path(), 10).await;
    let proof = log.tlog_proof(4).unwrap();
    log.append(entries(10..400)).await.unwrap();
    let verified = verify_tlog_proof(&proof, b"entry number 4", log.vkey()).unwrap();
    assert_eq!(verified.size, 10);
}
