//! Headers of model files (GGUF): they come from anywhere, and an engine in C++ reads them after this.

use models::gguf::{self, Header};

/// What is taken lies in the file, within the bounds; whatever the file claims to be.
pub fn check(bytes: &[u8]) {
    let length = bytes.len() as u64;
    if let Ok(header) = gguf::read(bytes, length) {
        hold(&header, length);
    }
    // A file that was cut after somebody looked at its length, or that lies about it.
    for claimed in [length / 2, length.saturating_mul(3), 1 << 40, u64::MAX] {
        if let Ok(header) = gguf::read(bytes, claimed) {
            hold(&header, claimed);
            assert!(header.bytes <= length.next_multiple_of(1 << 16), "more was read than there is");
        }
    }
}

fn hold(header: &Header, length: u64) {
    assert!(
        header.bytes <= length && header.bytes <= gguf::MAX_HEADER + (1 << 16),
        "the header leads out of the file"
    );
    assert!(header.tensors <= gguf::MAX_TENSORS && header.tokens <= gguf::MAX_ARRAY, "more than was allowed");
    assert!(header.context > 0 && header.width > 0 && header.layers > 0, "a model without a size");
    assert!(header.name.as_ref().is_none_or(|name| name.len() as u64 <= gguf::MAX_NAME), "a long name");
}
