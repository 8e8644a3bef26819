//! The trust chain (`sovereign_trust_registry.json`).

use trust::{Envelope, TrustChain, chain::MAX_VERSIONS, registry::REGISTRY_TYPE};

/// A chain is believed only when it stands on its own root, and is then written back as it was read.
pub fn check(bytes: &[u8]) {
    let signed = Envelope::sign_bytes(REGISTRY_TYPE, bytes, &[&crate::pair()]);
    let rooted = serde_json::json!({"versions": [signed]}).to_string();
    for file in [bytes, rooted.as_bytes()] {
        let Ok(chain) = TrustChain::from_json(file) else { continue };
        assert!((1..=MAX_VERSIONS).contains(&chain.versions().len()));
        if let Ok(newest) = chain.newest() {
            assert_eq!(newest.version, chain.versions().len() as u64, "a version is missing");
            assert!(newest.check().is_ok(), "a registry that breaks its own rules is believed");
        }
        let again = TrustChain::from_json(&chain.to_json()).expect("what we write, we read");
        assert_eq!(again.fingerprint(), chain.fingerprint());
        assert_eq!(again.to_json(), chain.to_json());
    }
}
