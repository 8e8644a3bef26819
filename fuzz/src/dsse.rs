//! Signed documents (DSSE 1.0, in-toto Statement v1).

use trust::{Envelope, Fulfilment, NodeManifest};

/// The payload type that is asked for.
const TYPE: &str = "application/vnd.echo.fuzz+json";

/// What verifies is exactly what was signed, and what reads as an envelope is written back as one.
pub fn check(bytes: &[u8]) {
    let public = [crate::pair().public()];
    if let Ok(envelope) = serde_json::from_slice::<Envelope>(bytes) {
        if let Ok(payload) = envelope.verify_bytes(TYPE, &public, 1) {
            assert_eq!(envelope.payload_unchecked().ok(), Some(payload), "it verifies as something else");
        }
        let again = serde_json::to_vec(&envelope).expect("an envelope becomes JSON");
        let read: Envelope = serde_json::from_slice(&again).expect("what we write, we read");
        assert_eq!(read, envelope);
    }
    let signed = Envelope::sign_bytes(TYPE, bytes, &[&crate::pair()]);
    assert_eq!(signed.verify_bytes(TYPE, &public, 1).ok().as_deref(), Some(bytes));
    assert!(signed.verify_bytes("application/other", &public, 1).is_err(), "the type is not signed");
    let _ = serde_json::from_slice::<Fulfilment>(bytes);
    let _ = serde_json::from_slice::<NodeManifest>(bytes);
}
