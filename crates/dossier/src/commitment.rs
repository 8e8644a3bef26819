//! A head of one ledger, entered into the other.

use echo_core::Digest;
use serde::{Deserialize, Serialize};

/// DSSE payload type of a [`Commitment`].
pub const COMMITMENT_TYPE: &str = "application/vnd.echo.commitment.v1+json";

/// That a ledger had this head. Entered into the other ledger, it makes each of the two a witness of the other's past:
/// whoever rewrites one has to rewrite both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commitment {
    /// The ledger's origin line.
    pub origin: String,
    /// How many entries it had.
    pub size: u64,
    /// The RFC 6962 root over them.
    pub root: Digest,
    /// The checkpoint as a signed note, with the cosignatures that it had then.
    pub checkpoint: String,
}
