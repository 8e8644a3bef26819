//! Requests to a witness (C2SP tlog-witness, `add-checkpoint`).

use witness::Request;

/// A request that reads is written as one that says the same.
pub fn check(bytes: &[u8]) {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(Request::parse(request.render().as_bytes()).as_ref(), Ok(&request));
    }
}
