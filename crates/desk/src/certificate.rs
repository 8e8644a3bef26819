//! Certificates of nodes, which do not last: each is made anew before it ends, and when the issuer's key was replaced, so
//! that a device which came by an old key is let into the mesh when that key counts no more.

use access::{Action, Principal};
use dossier::Kind;
use echo_core::{CustomerId, DeviceId, Id as _, Timestamp};
use store::{Filter, Scope, Tx};
use trust::{Envelope, NodeManifest, PublicKey, did::did_key, manifest::NODE_MANIFEST_TYPE};

use crate::{Desk, DeskError, Device, Work, document::DocumentRecord, work::Owner};

/// How long a device's certificate lives, in seconds: a year.
const MANIFEST_SECONDS: i64 = 365 * 24 * 3600;
/// With so little left, in seconds, the next one is made: 30 days.
const RENEW_SECONDS: i64 = 30 * 24 * 3600;
/// What a device that runs `echo_probe` can do.
const CAPABILITIES: [&str; 5] = ["diagnose", "scan", "plan", "apply", "diagnostics.probe"];

impl Desk {
    /// The certified manifest of the calling device: the one that it has, or a new one for the same device, key and
    /// customer when that is not by the issuer's key of today, or ends within 30 days. The old one stays in its ledger.
    ///
    /// # Errors
    /// [`DeskError::Conflict`] when the device is retired, [`DeskError::Home`] when a new one is due and the issuer's secret
    /// is kept elsewhere.
    pub async fn device_manifest(&self, principal: &Principal) -> Result<Envelope, DeskError> {
        principal.require(Action::TakeCommand)?;
        let id = principal
            .device
            .as_ref()
            .ok_or_else(|| DeskError::invalid("device", "only devices have a manifest"))?;
        let mut tx = self.store().read().await?;
        let device = in_care(&mut tx, id).await?;
        drop(tx);
        if self.lasting(&device.manifest, self.now()).is_some() {
            return Ok(device.manifest);
        }
        let mut work = self.work(&device.name).await?;
        // As it is now: somebody may have asked at the same time.
        let mut device = in_care(&mut work.tx, id).await?;
        if self.lasting(&device.manifest, work.now).is_none() {
            work.certify_again(&mut device).await?;
            work.commit().await?;
            self.write_node_registry().await?;
        }
        Ok(device.manifest)
    }

    /// The manifest in a certificate that need not be made anew at `now`. While the issuer's secret is kept elsewhere, any
    /// of the issuer's keys that counts will do.
    pub(crate) fn lasting(&self, certificate: &Envelope, now: Timestamp) -> Option<NodeManifest> {
        let manifest = NodeManifest::verify(certificate, self.registry(), now).ok()?;
        let by_today = self
            .signer(Kind::DeviceManifest.signer())
            .ok()
            .is_none_or(|issuer| certificate.verify_bytes(NODE_MANIFEST_TYPE, &[issuer.public()], 1).is_ok());
        let left = manifest.expires.as_second() - now.as_second();
        (by_today && left > RENEW_SECONDS).then_some(manifest)
    }
}

impl Work<'_> {
    /// A device's manifest, certified by the issuer of today.
    pub(crate) fn certify_device(
        &self,
        device: &DeviceId,
        customer: &CustomerId,
        name: &str,
        public_key: PublicKey,
    ) -> Result<Envelope, DeskError> {
        let manifest = NodeManifest {
            device: device.clone(),
            customer: Some(customer.clone()),
            name: name.to_owned(),
            public_key,
            did: did_key(&public_key),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            agents: Vec::new(),
            skus: Vec::new(),
            endpoints: Vec::new(),
            issued: self.now,
            expires: self.after(MANIFEST_SECONDS),
        };
        let issuer = self.desk.signer(Kind::DeviceManifest.signer())?;
        manifest.certify(issuer).map_err(|e| DeskError::invalid("claim", e))
    }

    async fn certify_again(&mut self, device: &mut Device) -> Result<(), DeskError> {
        device.manifest =
            self.certify_device(&device.id, &device.customer, &device.name, device.public_key)?;
        self.tx.update(&*device).await?;
        // Its manifests are all that hangs under a device.
        let before = self.tx.count::<DocumentRecord>(&Scope::All, &Filter::under(device.id.as_str())).await?;
        let subject = format!("{}-{before}", device.id);
        let owner = Owner { customer: Some(&device.customer), parent: Some(device.id.as_str()) };
        self.record_signed(Kind::DeviceManifest, &subject, owner, device.manifest.clone()).await?;
        Ok(())
    }
}

async fn in_care(tx: &mut Tx, id: &DeviceId) -> Result<Device, DeskError> {
    let device: Device =
        tx.get(&Scope::All, id.as_str()).await?.ok_or_else(|| DeskError::not_found("device", id.as_str()))?;
    device.in_care()?;
    Ok(device)
}
