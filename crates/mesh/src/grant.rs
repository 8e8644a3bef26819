//! What pays for a call between two nodes while the platform is out of reach: the operator's word, given before.

use echo_core::{CaseId, CustomerId, Digest, GrantId, Money, Timestamp};
use serde::{Deserialize, Serialize};
use trust::{Envelope, KeyPair, KeyRole, Registry};

use crate::{
    NodeId,
    document::{DocumentError, Kind, digest_of},
};

/// The payload type of a signed [`Grant`].
pub const GRANT_TYPE: &str = "application/vnd.echo.mesh-grant.v1+json";
/// The most bytes of a grant's JSON.
pub const MAX_GRANT_BYTES: usize = 12 * 1024;
/// The most skills one grant may pay for.
pub const MAX_SKILLS: usize = 32;
/// The most calls one grant may pay for.
pub const MAX_CALLS: u32 = 1_000;
/// The most bytes of the name of a skill or of a SKU.
pub const MAX_NAME: usize = 100;
/// How far the clock of a node may be ahead of or behind the operator's before a grant does not count yet, in seconds.
const MAX_AHEAD_SECONDS: i64 = crate::admission::MAX_AHEAD_SECONDS;

pub(crate) const KIND: Kind = Kind { what: "grant", payload_type: GRANT_TYPE, most: MAX_GRANT_BYTES };

/// One skill that a grant pays for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantedSkill {
    /// Which, such as `diagnostics.probe`.
    pub skill: String,
    /// What is sold by it.
    pub sku: String,
    /// What one call costs; never negative.
    pub unit_price: Money,
}

/// "Whoever does this for that node will be paid." Signed by the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// Its id.
    pub id: GrantId,
    /// Who may call with it.
    pub holder: NodeId,
    /// For which case.
    pub case: CaseId,
    /// Who is charged.
    pub customer: CustomerId,
    /// What it pays for, each skill once.
    pub skills: Vec<GrantedSkill>,
    /// How many calls it pays for, at every executor together; an executor counts its own, the platform all of them.
    pub most_calls: u32,
    /// From when on it counts.
    pub from: Timestamp,
    /// Until when it counts.
    pub until: Timestamp,
}

impl Grant {
    /// Signs the grant as the operator, once it is sound.
    pub fn sign(&self, operator: &KeyPair) -> Result<Envelope, DocumentError> {
        self.check()?;
        KIND.sign(self, operator)
    }

    /// The grant in `envelope`, once the operator of `registry` has signed it. Its dates are the caller's to judge.
    pub fn verify(envelope: &Envelope, registry: &Registry) -> Result<Self, DocumentError> {
        KIND.fits(envelope)?;
        let grant: Self =
            registry.verify(KeyRole::Operator, GRANT_TYPE, envelope).map_err(|e| KIND.unsigned(e))?;
        grant.check()?;
        Ok(grant)
    }

    /// As [`Grant::verify`], for a grant that lies in the operator's own ledger since `granted`: it counts though the key
    /// that signed it was retired later.
    pub fn verify_at(
        envelope: &Envelope,
        registry: &Registry,
        granted: Timestamp,
    ) -> Result<Self, DocumentError> {
        KIND.fits(envelope)?;
        let grant: Self = registry
            .verify_at(KeyRole::Operator, GRANT_TYPE, envelope, granted)
            .map_err(|e| KIND.unsigned(e))?;
        grant.check()?;
        Ok(grant)
    }

    /// The name of a signed grant: the digest of its payload.
    pub fn digest(envelope: &Envelope) -> Digest {
        digest_of(envelope)
    }

    /// Whether it counts at `now`; it counts from a day before its first moment, for clocks differ.
    pub fn counts_at(&self, now: Timestamp) -> bool {
        now < self.until && self.from.as_second() <= now.as_second().saturating_add(MAX_AHEAD_SECONDS)
    }

    /// What it says of `skill`, if it pays for it.
    pub fn of(&self, skill: &str) -> Option<&GrantedSkill> {
        self.skills.iter().find(|granted| granted.skill == skill)
    }

    fn check(&self) -> Result<(), DocumentError> {
        let fail = |why: String| Err(KIND.malformed(format!("{}: {why}", self.id)));
        if self.skills.is_empty() || self.skills.len() > MAX_SKILLS {
            return fail(format!("1 to {MAX_SKILLS} skills"));
        }
        for (nth, granted) in self.skills.iter().enumerate() {
            if !is_name(&granted.skill) || !is_name(&granted.sku) {
                return fail(format!(
                    "the names of a skill and its SKU have 1 to {MAX_NAME} printable characters"
                ));
            }
            if granted.unit_price.minor < 0 {
                return fail("a price is negative".to_owned());
            }
            if self.skills[..nth].iter().any(|before| before.skill == granted.skill) {
                return fail(format!("{} stands twice", granted.skill));
            }
        }
        if self.most_calls == 0 || self.most_calls > MAX_CALLS {
            return fail(format!("1 to {MAX_CALLS} calls"));
        }
        if self.until <= self.from {
            return fail("it ends before it begins".to_owned());
        }
        Ok(())
    }
}

/// Whether a text can be the name of a skill or a SKU.
pub(crate) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= MAX_NAME && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests;
