//! Who knows that a key goes out of use: the nodes' acknowledgements of deprecation notices, and who has not given one.

use access::{Action, Principal};
use echo_core::{CustomerId, DeviceId, Digest, Page, Timestamp};
use governance::DeprecationNotice;
use mesh::{NodeId, NoticeAck, digest_of};
use serde::{Deserialize, Serialize};
use store::{Filter, Record, Scope};
use trust::Envelope;

use crate::{Desk, DeskError, Device, DeviceState, call::scope_of};

/// The most acknowledgements taken at once.
const MAX_ACKS: usize = 64;
/// The most devices that are named of those which have not acknowledged; all are counted.
const MAX_NAMED: usize = 100;

/// One acknowledgement; its id is the notice's digest and the device.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AckRecord {
    id: String,
    notice: Digest,
    device: DeviceId,
    customer: CustomerId,
    at: Timestamp,
    envelope: Envelope,
}

impl Record for AckRecord {
    const KIND: &'static str = "notice acknowledgement";

    fn id(&self) -> &str {
        &self.id
    }

    fn customer(&self) -> Option<&CustomerId> {
        Some(&self.customer)
    }
}

/// A notice and who knows of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoticeStanding {
    /// The digest of the notice's payload.
    pub notice: Digest,
    /// What it says, for people.
    pub text: String,
    /// From when on the keys are refused.
    pub refuse_from: Timestamp,
    /// How many of the devices in care have acknowledged it.
    pub acknowledged: u32,
    /// How many have not.
    pub waiting: u32,
    /// Those, by name; at most 100.
    pub waiting_for: Vec<WaitingDevice>,
}

/// A device that has not acknowledged.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitingDevice {
    /// The device.
    pub device: DeviceId,
    /// What people call it.
    pub name: String,
    /// Its key.
    pub node: NodeId,
}

impl Desk {
    /// Keeps acknowledgements that came over the mesh, each signed by the node that it names. Answers the notices that need
    /// not be acknowledged again; what is wrong, or speaks of a notice that is not known here, is left out.
    pub async fn keep_acks(&self, acks: &[Envelope]) -> Result<Vec<Digest>, DeskError> {
        let known: Vec<Digest> = self.notices().iter().map(digest_of).collect();
        let mut work = self.work("mesh").await?;
        let mut kept = Vec::new();
        for envelope in acks.iter().take(MAX_ACKS) {
            let Ok(ack) = NoticeAck::verify(envelope) else { continue };
            if !known.contains(&ack.notice) {
                continue;
            }
            let key = ack.node.key().to_string();
            let Some(device) = work.tx.get_unique::<Device>(&Scope::All, &key).await? else { continue };
            let id = format!("{}/{}", ack.notice, device.id);
            if work.tx.get::<AckRecord>(&Scope::All, &id).await?.is_none() {
                let record = AckRecord {
                    id,
                    notice: ack.notice,
                    device: device.id,
                    customer: device.customer,
                    at: work.now,
                    envelope: envelope.clone(),
                };
                work.tx.insert(&record).await?;
            }
            kept.push(ack.notice);
        }
        work.commit().await?;
        Ok(kept)
    }

    /// The notices in force with who of the devices that the caller may see has acknowledged them.
    pub async fn notice_standings(&self, principal: &Principal) -> Result<Page<NoticeStanding>, DeskError> {
        principal.require(Action::ReadDevice)?;
        let scope = scope_of(principal);
        let mut tx = self.store().read().await?;
        let devices = tx.all::<Device>(&scope, &Filter::in_state(DeviceState::Active.as_str())).await?;
        let acks = tx.all::<AckRecord>(&scope, &Filter::default()).await?;
        drop(tx);
        let acked: std::collections::BTreeSet<(Digest, &DeviceId)> =
            acks.iter().map(|ack| (ack.notice, &ack.device)).collect();
        let mut items = Vec::new();
        for envelope in self.notices() {
            let Ok(notice) = DeprecationNotice::verify(envelope, self.registry()) else { continue };
            let digest = digest_of(envelope);
            let waiting: Vec<&Device> =
                devices.iter().filter(|device| !acked.contains(&(digest, &device.id))).collect();
            items.push(NoticeStanding {
                notice: digest,
                text: notice.text,
                refuse_from: notice.refuse_from,
                acknowledged: count(devices.len() - waiting.len()),
                waiting: count(waiting.len()),
                waiting_for: waiting.into_iter().take(MAX_NAMED).map(WaitingDevice::of).collect(),
            });
        }
        Ok(Page { items, next: None })
    }
}

impl WaitingDevice {
    fn of(device: &Device) -> Self {
        Self { device: device.id.clone(), name: device.name.clone(), node: NodeId::of(&device.public_key) }
    }
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
