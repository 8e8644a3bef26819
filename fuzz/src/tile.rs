//! The ledger's own files: tiles, entry bundles (C2SP tlog-tiles), and the frames of its write-ahead log.

/// What is read is written back as it was.
pub fn check(bytes: &[u8]) {
    ledger::check_parsers(bytes);
}
