//! The platform's own node in the mesh: its key stands in the keystore, its manifest is certified by the device issuer
//! as any device's is, and made anew before it ends.

use dossier::Kind;
use echo_core::{DeviceId, Id as _};
use mesh::{NodeId, Trust};
use serde::{Deserialize, Serialize};
use store::{Record, Scope};
use trust::{Envelope, KeyPair, KeyRole, NodeManifest, TrustChain, did::did_key};

use crate::{Desk, DeskError, Work, work::Owner};

/// How long the certificate counts, in seconds: 90 days. A platform that is off for longer makes the next one at its start.
const CERTIFIED_SECONDS: i64 = 90 * 24 * 3600;
/// What the platform's node can do for others: carry their datagrams, settle their receipts, keep their pulses.
const CAPABILITIES: [&str; 3] = ["gateway", "pulses", "settle"];
const NAME: &str = "Echo";
const ID: &str = "own-node";

/// The platform's node.
#[derive(Debug, Clone)]
pub struct OwnNode {
    /// Its key.
    pub key: KeyPair,
    /// Its manifest.
    pub manifest: NodeManifest,
    /// The same, certified.
    pub certificate: Envelope,
}

impl OwnNode {
    /// Its name in the mesh.
    pub fn node(&self) -> NodeId {
        NodeId::of(&self.key.public())
    }
}

/// The certificate as it is kept; there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OwnNodeRecord {
    id: String,
    device: DeviceId,
    /// How many there were before.
    renewed: u32,
    certificate: Envelope,
}

impl Record for OwnNodeRecord {
    const KIND: &'static str = "own node";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&echo_core::CustomerId> {
        None
    }
}

impl Desk {
    /// The platform's own node, reachable at `endpoints` (URLs of its gateway). Its certificate is made at the first call,
    /// and anew when it is about to end, when the issuer's key was replaced, or when the endpoints are others: ask at the
    /// start and once a day.
    ///
    /// # Errors
    /// [`DeskError::Home`] when the device issuer's secret is kept elsewhere: then there is no mesh.
    pub async fn own_node(&self, endpoints: &[String]) -> Result<OwnNode, DeskError> {
        let key = self.signer(KeyRole::Node)?.clone();
        let mut work = self.work("Echo").await?;
        let kept: Option<OwnNodeRecord> = work.tx.get(&Scope::All, ID).await?;
        if let Some(record) = &kept
            && let Some(manifest) = work.still_good(record, &key, endpoints)
        {
            return Ok(OwnNode { key, manifest, certificate: record.certificate.clone() });
        }
        let own = work.certify_own(kept, key, endpoints).await?;
        work.commit().await?;
        self.write_node_registry().await?;
        Ok(own)
    }

    /// What the platform knows of trust, for its node and its gateway. Newer lists of revoked nodes come by
    /// [`Desk::node_revocations_watch`]; keys and notices change while the platform is stopped.
    pub fn mesh_trust(&self) -> Result<Trust, DeskError> {
        let chain = TrustChain::from_json(&self.trust_chain()).map_err(|e| DeskError::Home(e.to_string()))?;
        Trust::new(chain, *self.root(), self.node_revocations(), self.notices())
            .map_err(|e| DeskError::Home(e.to_string()))
    }

    /// The certificate of the platform's own node, when there is one.
    pub(crate) async fn own_certificate(&self) -> Result<Option<Envelope>, DeskError> {
        let mut tx = self.store().read().await?;
        let kept: Option<OwnNodeRecord> = tx.get(&Scope::All, ID).await?;
        Ok(kept.map(|record| record.certificate))
    }
}

impl Work<'_> {
    fn still_good(
        &self,
        record: &OwnNodeRecord,
        key: &KeyPair,
        endpoints: &[String],
    ) -> Option<NodeManifest> {
        self.desk.lasting(&record.certificate, self.now).filter(|manifest| {
            manifest.public_key == key.public()
                && manifest.endpoints == endpoints
                && manifest.capabilities == CAPABILITIES
        })
    }

    async fn certify_own(
        &mut self,
        kept: Option<OwnNodeRecord>,
        key: KeyPair,
        endpoints: &[String],
    ) -> Result<OwnNode, DeskError> {
        let device = kept.as_ref().map_or_else(|| self.id(), |record| record.device.clone());
        let manifest = NodeManifest {
            device: device.clone(),
            customer: None,
            name: NAME.to_owned(),
            public_key: key.public(),
            did: did_key(&key.public()),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            agents: Vec::new(),
            skus: Vec::new(),
            endpoints: endpoints.to_vec(),
            issued: self.now,
            expires: self.after(CERTIFIED_SECONDS),
        };
        let issuer = self.desk.signer(Kind::DeviceManifest.signer())?;
        let certificate = manifest.certify(issuer).map_err(|e| DeskError::invalid("endpoints", e))?;
        let renewed = kept.as_ref().map_or(0, |record| record.renewed + 1);
        let subject = if renewed == 0 { device.to_string() } else { format!("{device}-{renewed}") };
        let owner = Owner { customer: None, parent: Some(device.as_str()) };
        self.record_signed(Kind::DeviceManifest, &subject, owner, certificate.clone()).await?;
        let record = OwnNodeRecord { id: ID.to_owned(), device, renewed, certificate: certificate.clone() };
        if kept.is_some() {
            self.tx.update(&record).await?;
        } else {
            self.tx.insert(&record).await?;
        }
        Ok(OwnNode { key, manifest, certificate })
    }
}
