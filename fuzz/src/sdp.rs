//! Session descriptions of peers (RFC 8866), and the candidates in them (RFC 8839).

use std::{sync::Arc, time::Instant};

use mesh_link::{
    flow::Flow,
    sdp::{sort_in, split},
    session::{MAX_REMOTE, Session},
};

/// Every candidate is taken out, so that the bound on their number holds; what is left is as it was. A session takes or
/// refuses the description as an offer.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let taken = split(text);
    assert!(taken.candidates.len() + taken.named.len() <= MAX_REMOTE);
    assert!(!taken.sdp.contains("\na=candidate:") && !taken.sdp.starts_with("a=candidate:"));
    let again = split(&taken.sdp);
    assert_eq!(again.sdp, taken.sdp);
    assert!(again.candidates.is_empty() && again.named.is_empty());
    for named in &taken.named {
        if let Some(candidate) = named.at([10, 0, 0, 9].into()) {
            assert_eq!(candidate.addr().ip().to_string(), "10.0.0.9");
        }
    }
    for candidate in &taken.candidates {
        let (mut read, mut named) = (Vec::new(), Vec::new());
        let line = candidate.to_sdp_string();
        sort_in(line.strip_prefix("a=").unwrap_or(&line), &mut read, &mut named);
        assert!(named.is_empty());
        let same = read.first().is_some_and(|read| read.addr() == candidate.addr());
        assert!(same, "what we write, we do not read: {line}");
    }
    // Anything else is refused at its first line.
    if text.starts_with("v=0") {
        let _ = Session::answer(Instant::now(), Vec::new(), Arc::new(Flow::default()), text);
    }
}
