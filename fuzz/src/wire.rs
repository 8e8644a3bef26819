//! What neighbours in the mesh say to one another.

use mesh::{Stream, Wire, WireError};

/// What reads is within its stream's bound, is written back as it was read, and belongs on one stream.
pub fn check(bytes: &[u8]) {
    for binary in [false, true] {
        let taken: Vec<Stream> =
            Stream::ALL.into_iter().filter(|stream| reads(*stream, binary, bytes)).collect();
        // Any bytes are a piece of something large.
        let most = if binary { 2 } else { 1 };
        assert!(taken.len() <= most, "it is taken on {taken:?}");
    }
}

fn reads(stream: Stream, binary: bool, bytes: &[u8]) -> bool {
    let Ok(wire) = Wire::decode(stream, binary, bytes) else { return false };
    assert!(bytes.len() <= stream.max_message());
    let (kind, again) = wire.encode();
    assert_eq!(kind, binary);
    match Wire::decode(stream, binary, &again) {
        Ok(read) => assert_eq!(read, wire),
        // A time that was written shorter than we write it.
        Err(WireError::Oversize { .. }) => assert!(again.len() > stream.max_message()),
        Err(error) => panic!("what we write, we do not read: {error}"),
    }
    if binary {
        assert_eq!(again, bytes, "two binary forms of one message");
    }
    true
}
