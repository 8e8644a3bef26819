//! Witness policies (C2SP tlog-policy).

use witness::Policy;

/// A policy that reads is written as a policy that says the same, and takes a note that no witness cosigned only where
/// none has to.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(policy) = Policy::parse(text) else { return };
    let again = Policy::parse(&policy.to_string()).expect("what we write, we read");
    assert_eq!(again.to_string(), policy.to_string());
    // A head that the log signed, and nobody else: enough only where no witness has to cosign.
    let vkey = ledger::vkey_of(crate::ORIGIN, &crate::key().verifying_key());
    let Ok(policy) = policy.without_log(crate::ORIGIN).unwrap_or(policy).with_log(&vkey, None) else {
        return;
    };
    let note = crate::note::signed(&format!("{}\n1\n{}=\n", crate::ORIGIN, "A".repeat(43)));
    assert_eq!(policy.evaluate(&note).is_ok(), policy.quorum().is_none(), "{policy}");
}
