//! How two nodes begin: a signed offer and a signed answer (WebRTC, JSEP RFC 8829), each with the certified manifest of
//! whoever made it. The signature covers the SDP, and so the DTLS fingerprint in it: nobody between the two can put
//! himself in. Times are shown and decide nothing but what a manifest's own dates say.

mod check;
mod session;

use echo_core::{Digest, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyPair};

use crate::{
    NodeId,
    admission::Refusal,
    document::{Kind, digest_of},
};

pub use self::{
    check::{Expected, MAX_SEEN, Me, Seen, check_answer, check_candidates, check_offer},
    session::SessionId,
};

/// The most bytes of an offer, answer, candidates or refusal on the wire.
pub const MAX_SIGNAL_BYTES: usize = 64 * 1024;
/// The most bytes of an SDP.
pub const MAX_SDP_BYTES: usize = 16 * 1024;
/// The most bytes of a token.
pub const MAX_TOKEN: usize = 64;
/// The most candidate lines in one message.
pub const MAX_CANDIDATES: usize = 32;
/// The most bytes of one candidate line.
pub const MAX_CANDIDATE: usize = 512;
/// The most versions of the trust registry that come with a signal.
pub const MAX_VERSIONS: usize = 8;
/// The most bytes of a refusal's code, and of its reason.
pub const MAX_CODE: usize = 40;
/// See [`MAX_CODE`].
pub const MAX_WHY: usize = 600;

/// The payload type of an [`Offer`].
pub const OFFER_TYPE: &str = "application/vnd.echo.mesh-offer.v1+json";
/// The payload type of an [`Answer`].
pub const ANSWER_TYPE: &str = "application/vnd.echo.mesh-answer.v1+json";
/// The payload type of [`Candidates`].
pub const CANDIDATES_TYPE: &str = "application/vnd.echo.mesh-candidates.v1+json";

const MAX_DOCUMENT: usize = MAX_SDP_BYTES * 2;
const OFFER: Kind = Kind { what: "offer", payload_type: OFFER_TYPE, most: MAX_DOCUMENT };
const ANSWER: Kind = Kind { what: "answer", payload_type: ANSWER_TYPE, most: MAX_DOCUMENT };
const CANDIDATES: Kind = Kind { what: "candidates", payload_type: CANDIDATES_TYPE, most: MAX_DOCUMENT };

/// "Let us connect."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Who offers.
    pub from: NodeId,
    /// To whom; nobody in particular when only an address is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<NodeId>,
    /// Which attempt.
    pub session: SessionId,
    /// The token of the multicast announcement that led here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// When it was made, by the offerer's clock.
    pub made: Timestamp,
    /// The newest version of the trust registry that the offerer knows.
    pub registry: u64,
    /// The offer as SDP (RFC 8866).
    pub sdp: String,
}

/// "Yes."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Who answers.
    pub from: NodeId,
    /// Whom.
    pub to: NodeId,
    /// Which attempt.
    pub session: SessionId,
    /// Which offer: the digest of its payload.
    pub offer: Digest,
    /// When it was made, by the answerer's clock.
    pub made: Timestamp,
    /// The answer as SDP.
    pub sdp: String,
}

/// "I can be reached here, too."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidates {
    /// Who says so.
    pub from: NodeId,
    /// To whom.
    pub to: NodeId,
    /// In which session.
    pub session: SessionId,
    /// Counts from 1, so that none is taken twice or in the wrong order.
    pub seq: u64,
    /// SDP lines, such as `a=candidate:...` (RFC 8839, section 5.1).
    pub sdp_lines: Vec<String>,
}

/// Something signed, with who signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The signer's manifest, certified by the device issuer.
    pub manifest: Envelope,
    /// What it says, signed by the node's own key.
    pub body: Envelope,
    /// Versions of the trust registry that the other side was found to lack, oldest first; at most [`MAX_VERSIONS`].
    /// For [`crate::Trust::catch_up`], which believes nothing that the known root did not sign.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Envelope>,
}

/// "No." Not signed: a hint for people and for another attempt, and no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Which attempt.
    pub session: SessionId,
    /// [`Refusal::code`].
    pub code: String,
    /// The sentence.
    pub reason: String,
    /// The newest version of the trust registry that the refuser knows: who knows more sends it along and tries again.
    pub registry: u64,
    /// Versions that the refuser knows and the offerer does not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Envelope>,
}

/// Anything that goes between two nodes that are not connected yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// For [`check_offer`].
    Offer(Signed),
    /// For [`check_answer`].
    Answer(Signed),
    /// For [`check_candidates`].
    Candidates(Signed),
    /// A refusal.
    Refused(Refused),
}

impl Signed {
    /// Reads what came, when it is within every bound. Nothing is believed yet.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        bounded(bytes)?;
        let signed: Self = serde_json::from_slice(bytes).map_err(|e| Refusal::Malformed(e.to_string()))?;
        within("versions", signed.versions.len(), MAX_VERSIONS)?;
        Ok(signed)
    }

    /// As bytes for the wire.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings and lists of strings always become JSON")
    }

    /// The digest of what was signed: that of an offer is what its answer must name.
    pub fn digest(&self) -> Digest {
        digest_of(&self.body)
    }
}

impl Refused {
    /// The words for `refusal`.
    pub fn of(session: SessionId, refusal: &Refusal, registry: u64) -> Self {
        let mut reason = refusal.to_string();
        reason.truncate(reason.floor_char_boundary(MAX_WHY));
        Self { session, code: refusal.code().to_owned(), reason, registry, versions: Vec::new() }
    }

    /// As bytes for the wire.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("strings, numbers and lists of them always become JSON")
    }

    /// Reads what came, when it is within every bound.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        bounded(bytes)?;
        let refused: Self = serde_json::from_slice(bytes).map_err(|e| Refusal::Malformed(e.to_string()))?;
        within("bytes of a code", refused.code.len(), MAX_CODE)?;
        within("bytes of a reason", refused.reason.len(), MAX_WHY)?;
        within("versions", refused.versions.len(), MAX_VERSIONS)?;
        Ok(refused)
    }
}

impl Signal {
    /// Reads what came. Nothing is believed yet.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let signed = match Signed::read(bytes) {
            Ok(signed) => signed,
            Err(Refusal::Malformed(why)) => {
                return Refused::read(bytes).map(Self::Refused).map_err(|_| Refusal::Malformed(why));
            }
            Err(other) => return Err(other),
        };
        match signed.body.payload_type.as_str() {
            OFFER_TYPE => Ok(Self::Offer(signed)),
            ANSWER_TYPE => Ok(Self::Answer(signed)),
            CANDIDATES_TYPE => Ok(Self::Candidates(signed)),
            other => Err(Refusal::Malformed(format!("`{}`", other.chars().take(80).collect::<String>()))),
        }
    }
}

impl Offer {
    /// Signs the offer as the node of `certificate`.
    pub fn sign(&self, certificate: &Envelope, key: &KeyPair) -> Result<Signed, Refusal> {
        self.check()?;
        signed(OFFER.sign(self, key)?, certificate)
    }

    fn check(&self) -> Result<(), Refusal> {
        within("bytes of SDP", self.sdp.len(), MAX_SDP_BYTES)?;
        within("bytes of a token", self.token.as_ref().map_or(0, String::len), MAX_TOKEN)
    }
}

impl Answer {
    /// Signs the answer as the node of `certificate`.
    pub fn sign(&self, certificate: &Envelope, key: &KeyPair) -> Result<Signed, Refusal> {
        within("bytes of SDP", self.sdp.len(), MAX_SDP_BYTES)?;
        signed(ANSWER.sign(self, key)?, certificate)
    }
}

impl Candidates {
    /// Signs the candidates as the node of `certificate`.
    pub fn sign(&self, certificate: &Envelope, key: &KeyPair) -> Result<Signed, Refusal> {
        self.check()?;
        signed(CANDIDATES.sign(self, key)?, certificate)
    }

    fn check(&self) -> Result<(), Refusal> {
        within("candidates", self.sdp_lines.len(), MAX_CANDIDATES)?;
        let longest = self.sdp_lines.iter().map(String::len).max().unwrap_or(0);
        within("bytes of a candidate", longest, MAX_CANDIDATE)
    }
}

fn signed(body: Envelope, certificate: &Envelope) -> Result<Signed, Refusal> {
    let signed = Signed { manifest: certificate.clone(), body, versions: Vec::new() };
    within("bytes", signed.to_json().len(), MAX_SIGNAL_BYTES)?;
    Ok(signed)
}

fn bounded(bytes: &[u8]) -> Result<(), Refusal> {
    within("bytes", bytes.len(), MAX_SIGNAL_BYTES)
}

fn within(what: &str, count: usize, most: usize) -> Result<(), Refusal> {
    match (count > most, what) {
        (false, _) => Ok(()),
        (true, "bytes" | "bytes of SDP") => Err(Refusal::Oversize { bytes: count, most }),
        (true, _) => Err(Refusal::Malformed(format!("{count} {what}, at most {most} are allowed"))),
    }
}

#[cfg(test)]
mod tests;
