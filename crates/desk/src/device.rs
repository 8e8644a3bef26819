//! Machines under care.

use access::{Action, Principal};
use echo_core::{CustomerId, DeviceId, Digest, Id as _, Page, PageRequest, Timestamp};
use observability::{HostFacts, Metrics, Point, Presence};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};
use trust::{PublicKey, dsse::Envelope};

use crate::{Call, CommandRecord, CommandState, Desk, DeskError, Event, Work, call::scope_of};

/// Whether a device may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceState {
    /// It may.
    Active,
    /// It may not any more; people say that it is retired.
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

impl Device {
    /// Refuses to ask anything new of a device that is retired.
    ///
    /// # Errors
    /// [`DeskError::Conflict`] when it is, with what to do instead.
    pub fn in_care(&self) -> Result<(), DeskError> {
        match self.state {
            DeviceState::Active => Ok(()),
            DeviceState::Revoked => Err(DeskError::Conflict(format!(
                "the device {} is retired: name another one, or enrol the machine anew with \
                 `echo_probe enroll --replace`",
                self.name
            ))),
        }
    }
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

    /// Takes a device out of care for good: it may not speak any more, what waited for it fails uncharged, and no new
    /// case may name it. Its history, receipts and proofs stay.
    ///
    /// # Errors
    /// [`DeskError::Conflict`] when it is retired already.
    pub async fn retire_device(&self, call: &Call, id: &DeviceId) -> Result<DeviceView, DeskError> {
        call.principal.require(Action::RetireDevice)?;
        let mut work = self.work(&call.principal.name).await?;
        let mut device: Device = work
            .tx
            .get(&call.scope(), id.as_str())
            .await?
            .ok_or_else(|| DeskError::not_found("device", id.as_str()))?;
        if device.state == DeviceState::Revoked {
            return Err(DeskError::Conflict(format!(
                "the device {} is retired already: nothing is left to do",
                device.name
            )));
        }
        device.state = DeviceState::Revoked;
        work.tx.update(&device).await?;
        work.empty_queue(&device).await?;
        work.revoke_nodes(&[&device], "retired").await?;
        let event = Event {
            topic: "device".to_owned(),
            id: id.to_string(),
            what: format!("{} retired", device.name),
            at: work.now,
        };
        work.tell(Some(&device.customer), &event).await?;
        let finished = work.finish(call, 200, self.device_view(device)).await;
        // Committed it is even when the ledger is behind.
        self.refresh_revocations().await?;
        let view = finished?;
        self.write_node_registry().await?;
        Ok(view)
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

impl Work<'_> {
    /// Ends the commands that wait for a device which will not come for them, and the calls that they serve.
    async fn empty_queue(&mut self, device: &Device) -> Result<(), DeskError> {
        let queued = Filter { parent: Some(device.id.as_str()), state: Some("queued") };
        for mut command in self.tx.all::<CommandRecord>(&Scope::All, &queued).await? {
            command.state = CommandState::Expired;
            self.tx.update(&command).await?;
            let reason = format!("the device {} was retired before it answered", device.name);
            self.fail_call(&command.call, &reason).await?;
        }
        Ok(())
    }
}
