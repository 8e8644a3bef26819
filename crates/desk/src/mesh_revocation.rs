//! Nodes that the mesh lets in no more: the list that the device issuer signs, one version after the other.

use dossier::Kind;
use echo_core::Timestamp;
use serde::{Deserialize, Serialize};
use store::{Record, Scope};
use tokio::sync::watch;
use trust::{
    Envelope, KeyPair, NodeManifest, NodeRevocations, RevokedNode, revocation::MAX_REVOCATIONS_BYTES,
};

use crate::{Desk, DeskError, Device, Work, work::Owner};

const ID: &str = "node-revocations";
/// From here on the operator is told how full the list is, in percent.
pub const MANY_REVOKED_PERCENT: usize = 90;

/// The newest list as it is kept; there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct RevocationsRecord {
    id: String,
    envelope: Envelope,
    list: NodeRevocations,
    /// When each node's last certificate ends, in the list's order: from then on it need not stand there.
    ends: Vec<Timestamp>,
}

impl Record for RevocationsRecord {
    const KIND: &'static str = "node revocations";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&echo_core::CustomerId> {
        None
    }
}

impl Desk {
    /// The newest list of revoked nodes; nothing while no node was ever revoked.
    pub fn node_revocations(&self) -> Option<Envelope> {
        self.revocations().borrow().clone()
    }

    /// How full that list is, in percent. When it is full, the nodes whose certificates end soonest are left out, and let in
    /// again.
    pub fn node_revocations_percent(&self) -> usize {
        let list = self.node_revocations();
        let payload = list.and_then(|list| list.payload_unchecked().ok());
        payload.map_or(0, |payload| percent(payload.len()))
    }

    /// The same, and every newer one.
    pub fn node_revocations_watch(&self) -> watch::Receiver<Option<Envelope>> {
        self.revocations().subscribe()
    }

    /// Tells the mesh of the newest list, when it was not told yet. Two who read at once may tell in the wrong order: then
    /// the older list goes nowhere.
    pub(crate) async fn refresh_revocations(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let Some(record) = tx.get::<RevocationsRecord>(&Scope::All, ID).await? else { return Ok(()) };
        self.revocations().send_if_modified(|told| {
            let newer = record.list.version > version(told.as_ref());
            if newer {
                *told = Some(record.envelope);
            }
            newer
        });
        Ok(())
    }

    /// Signs the list anew when the issuer's key was replaced since: a node that never saw it takes it from a key of today
    /// alone.
    pub(crate) async fn open_revocations(&self) -> Result<(), DeskError> {
        let mut work = self.work("Echo").await?;
        if let Some(record) = work.tx.get::<RevocationsRecord>(&Scope::All, ID).await?
            && NodeRevocations::verify(&record.envelope, self.registry()).is_err()
        {
            match self.signer(Kind::NodeRevocations.signer()) {
                Ok(issuer) => {
                    work.next_list(issuer, Some(record), Vec::new()).await?;
                    work.commit().await?;
                }
                Err(error) => {
                    tracing::error!(%error, "the list of revoked nodes cannot be signed by the key of today");
                }
            }
        }
        self.refresh_revocations().await
    }
}

impl Work<'_> {
    /// Enters devices' nodes into the next version of the list, to be told to the mesh after the commit. Without the
    /// issuer's key the devices are retired all the same: they may not speak to the platform any more; but other nodes let
    /// them in until their certificates end.
    pub(crate) async fn revoke_nodes(&mut self, devices: &[&Device], reason: &str) -> Result<(), DeskError> {
        if devices.is_empty() {
            return Ok(());
        }
        let issuer = match self.desk.signer(Kind::NodeRevocations.signer()) {
            Ok(issuer) => issuer,
            Err(error) => {
                tracing::error!(%error, nodes = devices.len(), "nodes were retired, and the mesh cannot be told");
                return Ok(());
            }
        };
        let kept = self.tx.get(&Scope::All, ID).await?;
        let mut more = Vec::with_capacity(devices.len());
        for device in devices {
            let did = device.did.clone();
            more.push((RevokedNode { did, since: self.now, reason: reason.to_owned() }, end_of(device)?));
        }
        self.next_list(issuer, kept, more).await
    }

    async fn next_list(
        &mut self,
        issuer: &KeyPair,
        kept: Option<RevocationsRecord>,
        more: Vec<(RevokedNode, Timestamp)>,
    ) -> Result<(), DeskError> {
        let known = kept.is_some();
        let before = kept.as_ref().map_or(0, |record| record.list.version);
        let old = kept.into_iter().flat_map(|record| record.list.nodes.into_iter().zip(record.ends));
        let mut nodes: Vec<_> = old.filter(|(_, end)| *end > self.now).chain(more).collect();
        let list = loop {
            let list = NodeRevocations {
                version: before + 1,
                at: self.now,
                nodes: nodes.iter().map(|(node, _)| node.clone()).collect(),
            };
            if serde_json::to_vec(&list)?.len() <= MAX_REVOCATIONS_BYTES {
                break list;
            }
            // The one that is let in again for the shortest time.
            let Some(out) = (0..nodes.len()).min_by_key(|at| nodes[*at].1) else { break list };
            let (node, end) = nodes.remove(out);
            tracing::error!(node = node.did, %end, "the list of revoked nodes is full: this one is let in again");
        };
        let full = percent(serde_json::to_vec(&list)?.len());
        if full >= MANY_REVOKED_PERCENT {
            tracing::warn!(
                nodes = list.nodes.len(),
                full,
                "the list of revoked nodes is nearly full: replace the device issuer's key, and no old certificate counts \
                 any more"
            );
        }
        let envelope = list.sign(issuer).map_err(|e| DeskError::Internal(e.to_string()))?;
        let subject = format!("version-{}", list.version);
        self.record_signed(Kind::NodeRevocations, &subject, Owner::default(), envelope.clone()).await?;
        let ends = nodes.into_iter().map(|(_, end)| end).collect();
        let record = RevocationsRecord { id: ID.to_owned(), envelope, list, ends };
        Ok(if known { self.tx.update(&record).await } else { self.tx.insert(&record).await }?)
    }
}

/// How much of a list's room so many bytes take.
fn percent(bytes: usize) -> usize {
    bytes.saturating_mul(100) / MAX_REVOCATIONS_BYTES
}

fn end_of(device: &Device) -> Result<Timestamp, DeskError> {
    let payload = device.manifest.payload_unchecked().map_err(|e| DeskError::Internal(e.to_string()))?;
    Ok(serde_json::from_slice::<NodeManifest>(&payload)?.expires)
}

/// The version that a list of our own says it has; 0 when there is none.
fn version(list: Option<&Envelope>) -> u64 {
    let payload = list.and_then(|list| list.payload_unchecked().ok());
    payload
        .and_then(|payload| serde_json::from_slice::<NodeRevocations>(&payload).ok())
        .map_or(0, |list| list.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_is_told_when_nine_tenths_of_the_room_are_taken() {
        assert_eq!((percent(0), percent(MAX_REVOCATIONS_BYTES)), (0, 100));
        assert!(percent(MAX_REVOCATIONS_BYTES / 10 * 9 - MAX_REVOCATIONS_BYTES / 100) < MANY_REVOKED_PERCENT);
        assert!(percent(MAX_REVOCATIONS_BYTES / 100 * 91) >= MANY_REVOKED_PERCENT);
    }
}
