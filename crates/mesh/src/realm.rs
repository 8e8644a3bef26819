//! Who may meet whom.

use std::fmt;

use echo_core::{CustomerId, Digest};
use serde::{Deserialize, Serialize};
use trust::NodeManifest;

/// Whose a node is. Nodes of one customer meet one another and the operator's; two customers' nodes never learn that
/// the other exists.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Realm {
    /// The operator's own: platforms, gateways, technicians. They meet everybody.
    Operator,
    /// One customer's.
    Customer(CustomerId),
}

impl Realm {
    /// Whether nodes of the two realms may meet.
    pub fn meets(&self, other: &Self) -> bool {
        matches!((self, other), (Self::Operator, _) | (_, Self::Operator)) || self == other
    }

    /// The realm of a node by its manifest.
    pub fn of(manifest: &NodeManifest) -> Self {
        manifest.customer.as_ref().map_or(Self::Operator, |customer| Self::Customer(customer.clone()))
    }

    /// Its short name between neighbours: the first eight bytes of a digest, which tells nothing to others.
    pub fn tag(&self) -> RealmTag {
        let digest = match self {
            Self::Operator => Digest::of(b"echo mesh realm: operator"),
            Self::Customer(customer) => {
                Digest::of(format!("echo mesh realm: customer {customer}").as_bytes())
            }
        };
        RealmTag(*digest.0.first_chunk().expect("a digest has 32 bytes"))
    }
}

/// A realm's short name between neighbours. Written as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RealmTag(pub [u8; 8]);

impl fmt::Debug for RealmTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl TryFrom<String> for RealmTag {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut tag = [0; 8];
        hex::decode_to_slice(text, &mut tag)?;
        Ok(Self(tag))
    }
}

impl From<RealmTag> for String {
    fn from(tag: RealmTag) -> Self {
        hex::encode(tag.0)
    }
}
