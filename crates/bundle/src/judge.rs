//! Whether the signer of a bundle counts.

use echo_core::{Digest, Timestamp};
use serde::Serialize;
use trust::{KeyId, KeyRole, Registry, TrustChain, TrustError};
use witness::Policy;

use crate::{BundleError, Entered, Evidence, Head, MANIFEST_TYPE, Refusal};

/// What bundles are judged by.
#[derive(Debug, Clone)]
pub struct Judge {
    /// The fingerprint of the trust root that is relied on, from another source than the bundle.
    pub root: Digest,
    /// The trust chain that is known already: a bundle cannot take back what it says.
    pub known: Option<TrustChain>,
    /// The time at which the trust registry must be in force.
    pub now: Timestamp,
    /// Whose cosignatures are demanded.
    pub policy: Option<Policy>,
}

/// Why a bundle is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The keys that signed it.
    pub signed_by: Vec<KeyId>,
    /// The version of the trust registry by which they count.
    pub registry: u64,
    /// Its place in the genesis ledger.
    pub entered: Option<Entered>,
    /// The witnesses that cosigned the ledger's head.
    pub cosigned: Vec<Cosigned>,
    /// Whether the witnesses are those of a policy that the reader brought. Otherwise they are those that the bundle's
    /// maker names, and prove nothing to whoever does not know them.
    pub demanded: bool,
}

/// A witness that cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cosigned {
    /// Its name in the policy.
    pub name: String,
    /// When, in POSIX seconds.
    pub at: u64,
}

impl Judge {
    /// Whether what `head` says is signed by whoever may. The content is another matter: see
    /// [`crate::check_content`].
    ///
    /// A retired key counts when the ledger had the manifest before its day (`trust::Registry::verify_at`), and never
    /// without the ledger; a revoked one never.
    pub fn judge(
        &self,
        name: &str,
        head: &Head,
        evidence: Option<&Evidence>,
    ) -> Result<Verdict, BundleError> {
        self.decide(head, evidence)
            .map_err(|source| BundleError::Refused { name: name.to_owned(), source: Box::new(source) })
    }

    /// The trust chain to go on with: the known one, or the bundle's when that says more.
    pub fn chain(&self, head: &Head) -> Result<TrustChain, Refusal> {
        let Some(mut chain) = self.known.clone() else { return Ok(head.chain.clone()) };
        match chain.advance(head.chain.clone(), &self.root, self.now) {
            // A bundle that was made before the newest change of keys is judged by that change.
            Ok(_) | Err(TrustError::RolledBack { .. }) => Ok(chain),
            Err(error) => Err(error.into()),
        }
    }

    fn decide(&self, head: &Head, evidence: Option<&Evidence>) -> Result<Verdict, Refusal> {
        let registry: Registry = self.chain(head)?.verify(&self.root, self.now)?;
        let role = KeyRole::Operator;
        let entered = evidence.map(|found| found.check(head, &registry)).transpose()?;
        match &entered {
            Some(entered) => registry.verify_bytes_at(role, MANIFEST_TYPE, &head.envelope, entered.at)?,
            None => registry.verify_bytes(role, MANIFEST_TYPE, &head.envelope)?,
        };
        let signed_by = head.envelope.signatures.iter().map(|s| s.keyid.clone()).collect();
        let cosigned = match (&self.policy, evidence) {
            (Some(_), None) => return Err(Refusal::Unwitnessed),
            (Some(policy), Some(found)) => policy.evaluate(found.checkpoint())?.cosigned,
            (None, Some(found)) => by_its_own_list(found),
            (None, None) => Vec::new(),
        };
        let cosigned =
            cosigned.into_iter().map(|member| Cosigned { name: member.name, at: member.at }).collect();
        Ok(Verdict {
            signed_by,
            registry: registry.version,
            entered,
            cosigned,
            demanded: self.policy.is_some(),
        })
    }
}

/// The witnesses of the bundle's own policy that cosigned; nobody when it does not hold.
fn by_its_own_list(evidence: &Evidence) -> Vec<witness::Member> {
    let accepted = Policy::parse(&evidence.policy).ok().and_then(|p| p.evaluate(evidence.checkpoint()).ok());
    accepted.map(|accepted| accepted.cosigned).unwrap_or_default()
}
