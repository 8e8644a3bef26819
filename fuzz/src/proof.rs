//! Inclusion proofs as files (C2SP tlog-proof).

/// The entry that is proven.
const ENTRY: &[u8] = b"an entry";

/// A proof holds only for the entry that its root covers: one that holds for an entry holds for no other.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let vkey = ledger::vkey_of(crate::ORIGIN, &crate::key().verifying_key());
    let mut tried = vec![text.to_owned()];
    // The part behind the first empty line is the checkpoint: signed anew, it reaches the proof's own checks.
    if let Some((proof, head)) = text.split_once("\n\n") {
        let body = head.split_once("\n\n").map_or(head, |(body, _)| body);
        tried.push(format!("{proof}\n\n{}", crate::note::signed(&format!("{body}\n"))));
    }
    for proof in tried {
        if let Ok(verified) = ledger::verify_tlog_proof(&proof, ENTRY, &vkey) {
            assert!(verified.index < verified.size, "an entry beyond the end: {proof}");
            assert!(
                ledger::verify_tlog_proof(&proof, b"another entry", &vkey).is_err(),
                "the proof holds for two entries: {proof}"
            );
        }
    }
}
