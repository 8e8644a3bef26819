//! Machines under care.

use access::{Action, Principal};
use echo_core::{CustomerId, DeviceId, Digest, Id as _, Page, PageRequest, Timestamp};
use observability::{HostFacts, Metrics, Point, Presence};
use serde::{Deserialize, Serialize};
use store::{Filter, Record};
use trust::{PublicKey, dsse::Envelope};

use crate::{Desk, DeskError, call::scope_of};

/// Whether a device may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// It may.
    Active,
    /// It may not any more.
    Revoked,
}

impl DeviceState {
    /// As text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Revoked => "revoked",
        }
    }
}

/// A machine under care.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// Its id.
    pub id: DeviceId,
    /// Whose it is.
    pub customer: CustomerId,
    /// What people call it.
    pub name: String,
    /// Its key.
    pub public_key: PublicKey,
    /// Its decentralised identifier (`did:key`).
    pub did: String,
    /// Its certified node manifest.
    pub manifest: Envelope,
    /// Whether it may speak.
    pub state: DeviceState,
    /// Since when.
    pub enrolled: Timestamp,
    /// Digest of the token it enrolled with, so that a retry gets the same answer.
    pub enrolled_with: Digest,
    /// What machine it is.
    pub facts: HostFacts,
    /// Its last posture, when it was scanned.
    pub posture: Option<LastPosture>,
}

/// The last posture of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPosture {
    /// The score, 0 to 100.
    pub score: u8,
    /// How many checks passed.
    pub passed: u32,
    /// How many failed.
    pub failed: u32,
    /// When.
    pub at: Timestamp,
}

impl Record for Device {
    const KIND: &'static str = "device";

    fn id(&self) -> &str {
        self.id.as_str()
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }

    fn state(&self) -> &str {
        self.state.as_str()
    }

    fn unique(&self) -> Option<String> {
        Some(self.public_key.to_string())
    }
}

/// A device with what it last said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeviceView {
    /// The device.
    #[serde(flatten)]
    pub device: Device,
    /// Whether it is heard from.
    pub presence: Presence,
    /// When it was last heard from.
    pub last_seen: Option<Timestamp>,
    /// Its last metrics.
    pub metrics: Option<Metrics>,
}

impl Desk {
    /// The devices that the caller may see, newest first.
    pub async fn devices(
        &self,
        principal: &Principal,
        page: &PageRequest,
    ) -> Result<Page<DeviceView>, DeskError> {
        principal.require(Action::ReadDevice)?;
        let mut tx = self.store().read().await?;
        let page = tx.list::<Device>(&scope_of(principal), &Filter::default(), page).await?;
        Ok(page.map(|device| self.device_view(device)))
    }

    /// One device.
    pub async fn device(&self, principal: &Principal, id: &DeviceId) -> Result<DeviceView, DeskError> {
        principal.require(Action::ReadDevice)?;
        let mut tx = self.store().read().await?;
        let device = tx
            .get::<Device>(&scope_of(principal), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("device", id.as_str()))?;
        Ok(self.device_view(device))
    }

    /// The rolling history of a device's metrics, oldest first.
    pub async fn device_history(
        &self,
        principal: &Principal,
        id: &DeviceId,
    ) -> Result<Vec<Point>, DeskError> {
        self.device(principal, id).await?;
        Ok(self.board().history(id))
    }

    fn device_view(&self, device: Device) -> DeviceView {
        let board = self.board();
        let pulse = board.current(&device.id);
        DeviceView {
            presence: board.presence(&device.id, self.mint().now()),
            last_seen: pulse.map(|p| p.at),
            metrics: pulse.map(|p| p.metrics.clone()),
            device,
        }
    }
}
