//! One binary for all targets: `ECHO_FUZZ_TARGET` says which.
#![no_main]

use std::sync::OnceLock;

static CHECK: OnceLock<fn(&[u8])> = OnceLock::new();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let check = CHECK.get_or_init(|| {
        let wanted = std::env::var("ECHO_FUZZ_TARGET").unwrap_or_default();
        let found = fuzz::TARGETS.iter().find(|(name, _)| *name == wanted);
        found.unwrap_or_else(|| panic!("set ECHO_FUZZ_TARGET to one of {:?}", fuzz::TARGETS.map(|t| t.0))).1
    });
    check(bytes);
});
