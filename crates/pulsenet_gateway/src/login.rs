//! Who a connection is: its manifest is admitted as any neighbour's is, and the proof is for this challenge of this
//! gateway, at one of the names that it goes by. A proof that another gateway asked for opens nothing here.

use echo_core::Timestamp;
use mesh::{
    Admitted, Realm, Refusal, admit,
    relay::{Login, RELAY_PATH, RawNode, RelayError},
};
use trust::Envelope;

use crate::gateway::Gateway;

/// Why a login is refused.
#[derive(Debug)]
pub(crate) enum NotIn {
    /// The manifest.
    Refused(Refusal),
    /// The proof.
    Proof(RelayError),
    /// The URL is none of the gateway's.
    Elsewhere(String),
}

impl NotIn {
    /// Short and fixed.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Proof(RelayError::Proof(_)) => "wrong_key",
            Self::Proof(RelayError::Elsewhere(_)) => "not_for_me",
            Self::Proof(RelayError::Oversize { .. }) => "oversize",
            Self::Proof(RelayError::Malformed(_) | RelayError::Cut(_)) => "malformed",
            Self::Elsewhere(_) => "not_my_name",
        }
    }

    /// For people.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.to_string(),
            Self::Proof(error) => error.to_string(),
            Self::Elsewhere(reason) => reason.clone(),
        }
    }
}

impl From<Refusal> for NotIn {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<RelayError> for NotIn {
    fn from(error: RelayError) -> Self {
        Self::Proof(error)
    }
}

/// Who logs in.
pub(crate) fn check(
    gateway: &Gateway,
    node: &RawNode,
    login: &[u8],
    challenge: &[u8; 32],
    now: Timestamp,
) -> Result<Admitted, NotIn> {
    let login = Login::read(login)?;
    let admitted = again(gateway, &login.manifest, now)?;
    if admitted.node.bytes() != *node {
        return Err(RelayError::Elsewhere("node").into());
    }
    let proof = login.verify(admitted.node, gateway.node(), challenge)?;
    if !gateway.names().is_empty() && !gateway.names().contains(&authority(&proof.url)) {
        return Err(NotIn::Elsewhere(format!(
            "this gateway is not {}, it goes by {}: connect to one of these, or add the name to its settings",
            proof.url,
            gateway.names().join(", ")
        )));
    }
    Ok(admitted)
}

/// Whether a manifest is good by what is known of trust now. The gateway's own node is: it comes in by the same door, and
/// the proof shows that it holds the key.
pub(crate) fn again(gateway: &Gateway, manifest: &Envelope, now: Timestamp) -> Result<Admitted, Refusal> {
    let me = gateway.manifest();
    match admit(manifest, &gateway.trust(), &me, now) {
        Err(Refusal::Myself) => Ok(Admitted {
            node: gateway.node(),
            realm: me.customer.clone().map_or(Realm::Operator, Realm::Customer),
            manifest: me,
            certificate: manifest.clone(),
        }),
        other => other,
    }
}

/// The host and port of a relay's URL, in lower case; two URLs of one gateway differ in nothing else.
pub(crate) fn authority(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.strip_suffix(RELAY_PATH).unwrap_or(rest);
    rest.trim_end_matches('/').to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_gateway_has_one_authority_however_its_url_is_written() {
        for url in [
            "wss://Gate.example:8443/v1/mesh/relay",
            "https://gate.example:8443/",
            "https://gate.example:8443",
            "gate.example:8443",
        ] {
            assert_eq!(authority(url), "gate.example:8443", "{url}");
        }
        assert_ne!(authority("wss://gate.example:8443/other"), "gate.example:8443");
        assert_ne!(authority("wss://evil.example/gate.example:8443"), "gate.example:8443");
        assert_ne!(authority("wss://u@gate.example:8443"), "gate.example:8443");
    }
}
