//! Nodes of the mesh as witnesses of the ledgers: what they cosigned, and the incident that a fork is.
//!
//! A node is no member of the quorum: a device of a customer may be gone tomorrow. What it cosigned tells that it was
//! shown the same ledger as everybody else.

use access::Action;
use dossier::{Kind, LogName};
use echo_core::{CustomerId, Digest, Timestamp};
use ledger::verify_checkpoint;
use mesh::{
    NodeId,
    witnessing::{ForkProof, Forked},
};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope, Tx};
use trust::{KeyRole, Statement, Subject};

use crate::{
    Desk, DeskError, Device, Event,
    desk::blocking,
    witness::{seconds, time},
    witness_policy::put,
    work::Owner,
};

/// What kind of claim the attestation of a fork makes.
pub const FORK_PREDICATE: &str = "urn:echo:attestation:ledger-fork:v1";

/// The newest head of a ledger that one node cosigned.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NodeCosignature {
    /// The ledger and the node.
    id: String,
    log: LogName,
    node: NodeId,
    size: u64,
    root: Digest,
    cosigned: Timestamp,
    /// The signature line under the node's own `did:key` (C2SP tlog-cosignature).
    line: String,
}

impl Record for NodeCosignature {
    const KIND: &'static str = "node cosignature";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }

    fn parent(&self) -> Option<&str> {
        Some(self.log.as_str())
    }
}

/// The kind of the records of what nodes cosigned.
pub(crate) const COSIGNATURE: &str = NodeCosignature::KIND;

/// The incident that a ledger with two histories is; one a ledger.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ForkRecord {
    /// The ledger.
    id: String,
    forked: Forked,
    proof: ForkProof,
    at: Timestamp,
    /// The id of its attestation in the genesis ledger; none where the attestor's key is kept elsewhere.
    attestation: Option<String>,
}

impl Record for ForkRecord {
    const KIND: &'static str = "forked ledger";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        None
    }
}

/// A node that cosigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeWitness {
    /// Who.
    pub node: NodeId,
    /// What people call its device; nothing for a node of the operator, or one that is gone.
    pub name: Option<String>,
    /// The verifier key of its cosignatures.
    pub vkey: String,
    /// Which ledger.
    pub log: LogName,
    /// Entries of the newest head that it cosigned, and the root over them.
    pub size: u64,
    /// The root.
    pub root: Digest,
    /// When it did.
    pub cosigned: Timestamp,
    /// Its cosignature, as a signature line (C2SP tlog-cosignature).
    pub line: String,
}

/// A ledger that is proven to have two histories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ForkIncident {
    /// Which ledger.
    pub log: LogName,
    /// How many entries both heads have.
    pub size: u64,
    /// Their roots.
    pub roots: [Digest; 2],
    /// When it became known here.
    pub at: Timestamp,
    /// The two signed heads, which prove it.
    pub proof: ForkProof,
    /// The id of the attestation in the genesis ledger.
    pub attestation: Option<String>,
}

impl Desk {
    /// The ledgers' newest signed heads, for nodes to cosign.
    pub fn mesh_heads(&self) -> Vec<String> {
        let heads = LogName::ALL.map(|log| self.log(log).signed_head());
        heads.into_iter().filter(|(head, _)| head.size > 0).map(|(_, note)| note).collect()
    }

    /// The proof that the ledger `origin` with `to` entries begins with the one of `from` (RFC 6962, section 2.1.2);
    /// nothing when it has none, or is not kept here.
    pub async fn prove_growth(&self, origin: &str, from: u64, to: u64) -> Option<Vec<[u8; 32]>> {
        let log =
            LogName::ALL.into_iter().map(|log| self.log(log)).find(|log| log.origin() == origin)?.clone();
        if from > to || to > log.size() {
            return None;
        }
        let proven = blocking(move || log.consistency(from, to).map_err(|e| DeskError::Home(e.to_string())));
        proven
            .await
            .inspect_err(|error| tracing::warn!(%error, origin, "a ledger cannot show its growth"))
            .ok()
    }

    /// Keeps a node's cosignature, once it holds for a head that the ledger's key signed. An older one than is known is
    /// left out.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] when it does not hold.
    pub async fn keep_cosignature(&self, from: &NodeId, note: &str, line: &str) -> Result<(), DeskError> {
        let wrong = |why: String| DeskError::invalid("cosignature", why);
        let origin = note.split('\n').next().unwrap_or_default();
        let log = LogName::ALL.into_iter().find(|log| self.log(*log).origin() == origin);
        let log = log.ok_or_else(|| wrong("it is of another ledger".to_owned()))?;
        let head = verify_checkpoint(note, self.log(log).vkey()).map_err(|e| wrong(e.to_string()))?;
        let (merged, added) = witness::merge(note, line, &[from.witness_key()], seconds(self.now()))
            .map_err(|e| wrong(e.to_string()))?;
        let Some(at) = added.last().map(|added| added.at) else { return Ok(()) };
        // The last line is the node's own; what else came with it, under whosever name, is not kept.
        let Some(line) = merged.lines().last() else { return Ok(()) };
        let record = NodeCosignature {
            id: format!("{log}/{from}"),
            log,
            node: *from,
            size: head.size,
            root: Digest(head.root),
            cosigned: time(at),
            line: format!("{line}\n"),
        };
        let mut tx = self.store().write().await?;
        let known: Option<NodeCosignature> = tx.get(&Scope::All, &record.id).await?;
        if known.is_none_or(|known| known.size <= record.size) {
            put(&mut tx, &record).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Raises the incident that a ledger has two histories, once: an attestation in the genesis ledger (and so in the
    /// federated index), an event, an alarm in the health that stays. Whether it was new.
    ///
    /// # Errors
    /// [`DeskError::Invalid`] when the proof does not hold, or is of no ledger of this platform.
    pub async fn ledger_forked(&self, proof: &ForkProof) -> Result<bool, DeskError> {
        let wrong = |why: String| DeskError::invalid("fork", why);
        let forked = proof.verify(self.registry()).map_err(|e| wrong(e.to_string()))?;
        let log = LogName::ALL.into_iter().find(|log| self.log(*log).origin() == forked.origin);
        let log = log.ok_or_else(|| wrong("it is of no ledger of this platform".to_owned()))?;
        let mut work = self.work("mesh").await?;
        if work.tx.get::<ForkRecord>(&Scope::All, log.as_str()).await?.is_some() {
            return Ok(false);
        }
        let what = words(log, &forked);
        tracing::error!(%log, size = forked.size, "{what}");
        let id = format!("fork-{log}-{}", forked.size);
        let attestation = match self.signer(KeyRole::Attestor) {
            Ok(_) => {
                let subject = forked.roots.map(|root| Subject::new(forked.origin.clone(), root));
                let statement = Statement::new(FORK_PREDICATE, subject.to_vec(), proof.clone());
                work.record(Kind::Attestation, &id, Owner::default(), &statement).await?;
                Some(id)
            }
            Err(error) => {
                tracing::error!(%error, "the fork is not attested in the ledger");
                None
            }
        };
        let record = ForkRecord {
            id: log.as_str().to_owned(),
            forked,
            proof: proof.clone(),
            at: work.now,
            attestation,
        };
        work.tx.insert(&record).await?;
        let event = Event { topic: "witness".to_owned(), id: log.to_string(), what, at: work.now };
        work.tell(None, &event).await?;
        work.commit().await?;
        Ok(true)
    }

    /// The ledgers that have two histories.
    ///
    /// # Errors
    /// When the caller may not manage trust.
    pub async fn forked_ledgers(
        &self,
        principal: &access::Principal,
    ) -> Result<Vec<ForkIncident>, DeskError> {
        principal.require(Action::ManageTrust)?;
        forks(&mut self.store().read().await?).await
    }
}

/// What an alarm says.
fn words(log: LogName, forked: &Forked) -> String {
    format!(
        "the {log} ledger has two histories: its key signed two roots of {} entries, {} and {}; either the ledger was set \
         back or rewritten, or somebody else holds its key: see docs/witness.md",
        forked.size, forked.roots[0], forked.roots[1]
    )
}

/// The forks, in the words of an alarm.
pub(crate) async fn fork_alarms(tx: &mut Tx) -> Result<Vec<String>, DeskError> {
    let found = tx.all::<ForkRecord>(&Scope::All, &Filter::default()).await?;
    let known = found.into_iter().filter_map(|fork| Some((fork.id.parse().ok()?, fork.forked)));
    Ok(known.map(|(log, forked)| words(log, &forked)).collect())
}

/// The forks.
pub(crate) async fn forks(tx: &mut Tx) -> Result<Vec<ForkIncident>, DeskError> {
    let found = tx.all::<ForkRecord>(&Scope::All, &Filter::default()).await?;
    let shown = found.into_iter().filter_map(|fork| {
        Some(ForkIncident {
            log: fork.id.parse().ok()?,
            size: fork.forked.size,
            roots: fork.forked.roots,
            at: fork.at,
            proof: fork.proof,
            attestation: fork.attestation,
        })
    });
    Ok(shown.collect())
}

/// The nodes that cosigned, by ledger, the newest head first.
pub(crate) async fn node_witnesses(tx: &mut Tx) -> Result<Vec<NodeWitness>, DeskError> {
    let mut found = tx.all::<NodeCosignature>(&Scope::All, &Filter::default()).await?;
    found.sort_by_key(|known| (known.log, std::cmp::Reverse(known.size), known.node));
    let mut shown = Vec::with_capacity(found.len());
    for known in found {
        let key = known.node.key().to_string();
        let device: Option<Device> = tx.get_unique(&Scope::All, &key).await?;
        shown.push(NodeWitness {
            node: known.node,
            name: device.map(|device| device.name),
            vkey: known.node.witness_key().to_string(),
            log: known.log,
            size: known.size,
            root: known.root,
            cosigned: known.cosigned,
            line: known.line,
        });
    }
    Ok(shown)
}
