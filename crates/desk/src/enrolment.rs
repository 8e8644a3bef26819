//! How a device becomes known.

use access::{
    Action,
    one_time::{self, ENROL_LIFETIME, Purpose},
};
use device_link::{ENROLMENT_TYPE, EnrolRequest, Enrolled, EnrolmentClaim, EnrolmentToken};
use dossier::Kind;
use echo_core::{CustomerId, Digest, Id as _, Timestamp};
use serde::{Deserialize, Serialize};
use store::Scope;
use trust::{
    NodeManifest,
    did::did_key,
    dsse::Envelope,
    mesh_files::{WalletRow, write_nodes, write_wallets},
};

use crate::{
    Call, Customer, Desk, DeskError, Device, DeviceState, Event,
    customer::checked_name,
    session::OneTimeRecord,
    work::{Owner, Work},
};

/// What is needed for an enrolment token.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewEnrolment {
    /// Whose device it will be.
    pub customer: CustomerId,
}

/// A one-time token that enrols one device.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct EnrolmentTokenView {
    /// The token, to be carried to the device in a file.
    pub token: String,
    /// Whose device it will be.
    pub customer: CustomerId,
    /// Until when it is good.
    pub expires: Timestamp,
}

impl std::fmt::Debug for EnrolmentTokenView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrolmentTokenView").field("customer", &self.customer).finish_non_exhaustive()
    }
}

impl Desk {
    /// Makes a one-time enrolment token. The answer holds a secret and is not kept: a retry makes another token.
    pub async fn make_enrolment_token(
        &self,
        call: &Call,
        new: NewEnrolment,
    ) -> Result<EnrolmentTokenView, DeskError> {
        call.principal.require(Action::MintEnrolment)?;
        let mut work = self.work(&call.principal.name).await?;
        work.tx
            .get::<Customer>(&call.scope(), new.customer.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("customer", new.customer.as_str()))?;
        let purpose = Purpose::Enrol { customer: new.customer.clone(), name: None };
        let (record, secret) = one_time::mint(purpose, ENROL_LIFETIME, self.mint());
        let expires = record.expires;
        work.tx.insert(&OneTimeRecord(record)).await?;
        work.commit().await?;
        let token = EnrolmentToken { root: *self.root(), secret }.to_string();
        Ok(EnrolmentTokenView { token, customer: new.customer, expires })
    }

    /// Enrols a device. The same device with the same token gets the same answer again.
    pub async fn enrol(&self, request: &EnrolRequest) -> Result<Enrolled, DeskError> {
        let claim = read_claim(&request.claim)?;
        let token = Digest::of(request.secret.as_bytes());
        let mut work = self.work(&claim.name).await?;
        let known = work.tx.get_unique::<Device>(&Scope::All, &claim.public_key.to_string()).await?;
        if let Some(device) = known {
            drop(work);
            self.drain().await?;
            return if device.enrolled_with.same_secret(&token) {
                self.enrolled(&device)
            } else {
                Err(DeskError::Conflict(
                    "this device key is enrolled already: make a new key to enrol again".into(),
                ))
            };
        }
        let Purpose::Enrol { customer, .. } = work.redeem(&request.secret).await? else {
            return Err(DeskError::invalid(
                "token",
                "this token signs a person in; ask for an enrolment token",
            ));
        };
        let device = work.add_device(claim, customer, token).await?;
        work.commit().await?;
        self.write_node_registry().await?;
        self.enrolled(&device)
    }

    fn enrolled(&self, device: &Device) -> Result<Enrolled, DeskError> {
        Ok(Enrolled {
            device: device.id.clone(),
            customer: device.customer.clone(),
            manifest: device.manifest.clone(),
            chain: self.chain_json()?,
        })
    }

    /// Writes `registry.json` and `wallets_list_pilot.csv` from the devices that are known.
    pub(crate) async fn write_node_registry(&self) -> Result<(), DeskError> {
        let mut tx = self.store().read().await?;
        let devices = tx.all::<Device>(&Scope::All, &store::Filter::default()).await?;
        drop(tx);
        let in_care = devices.iter().filter(|d| d.state == DeviceState::Active);
        let own = self.own_certificate().await?;
        let manifests: Vec<_> = own.into_iter().chain(in_care.map(|d| d.manifest.clone())).collect();
        write_nodes(self.home(), &manifests)?;
        let mut rows = Vec::with_capacity(devices.len());
        for device in &devices {
            let payload =
                device.manifest.payload_unchecked().map_err(|e| DeskError::Internal(e.to_string()))?;
            let manifest: NodeManifest = serde_json::from_slice(&payload)?;
            rows.push(WalletRow::of(&manifest, &device.manifest, device.state.as_str()));
        }
        Ok(write_wallets(self.home(), &rows)?)
    }
}

impl Work<'_> {
    async fn add_device(
        &mut self,
        claim: EnrolmentClaim,
        customer: CustomerId,
        token: Digest,
    ) -> Result<Device, DeskError> {
        let name = checked_name("name", &claim.name)?;
        let id: echo_core::DeviceId = self.id();
        let envelope = self.certify_device(&id, &customer, &name, claim.public_key)?;
        let device = Device {
            id: id.clone(),
            customer: customer.clone(),
            name,
            public_key: claim.public_key,
            did: did_key(&claim.public_key),
            manifest: envelope.clone(),
            state: DeviceState::Active,
            enrolled: self.now,
            enrolled_with: token,
            facts: claim.facts,
            posture: None,
        };
        self.tx.insert(&device).await?;
        let owner = Owner { customer: Some(&customer), parent: Some(id.as_str()) };
        self.record_signed(Kind::DeviceManifest, id.as_str(), owner, envelope).await?;
        let event = Event {
            topic: "device".to_owned(),
            id: id.to_string(),
            what: format!("{} enrolled", device.name),
            at: self.now,
        };
        self.tell(Some(&customer), &event).await?;
        Ok(device)
    }
}

/// The claim, once the key that it names has been seen to sign it.
fn read_claim(envelope: &Envelope) -> Result<EnrolmentClaim, DeskError> {
    let refused = |e: &dyn std::fmt::Display| DeskError::invalid("claim", e);
    let payload = envelope.payload_unchecked().map_err(|e| refused(&e))?;
    let claimed: EnrolmentClaim = serde_json::from_slice(&payload).map_err(|e| refused(&e))?;
    envelope.verify(ENROLMENT_TYPE, &[claimed.public_key], 1).map_err(|e| refused(&e))
}
