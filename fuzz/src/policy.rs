//! Witness policies (C2SP tlog-policy).

use witness::Policy;

/// A policy that reads is written as a policy that says the same, and never takes a note that nobody signed.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(policy) = Policy::parse(text) else { return };
    let again = Policy::parse(&policy.to_string()).expect("what we write, we read");
    assert_eq!(again.to_string(), policy.to_string());
    assert!(policy.evaluate("echo.local/fuzz/1\n1\nAAAA\n\n").is_err(), "it takes an unsigned note");
}
