//! Telemetry that came over the mesh, and the replay of telemetry by time and node.

use std::{collections::BTreeSet, time::Duration};

use access::{Action, Principal};
use echo_core::{DeviceId, Id as _, Page, PageRequest, ProofId, Timestamp};
use mesh::{NodeId, telemetry::check_batch};
use observability::Point;
use serde::{Deserialize, Serialize};
use store::{Filter, Scope};
use trust::{Envelope, PublicKey};

use crate::{Desk, DeskError, Device, DeviceState, Proof, call::scope_of, desk::blocking};

/// How much before and after an attested change is shown, in seconds.
const AROUND_PROOF: i64 = 15 * 60;
/// How long batches gather before the board is written once for all of them.
const GATHER: Duration = Duration::from_millis(500);

/// What is asked of the replay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Replay {
    /// From when on, inclusive; from the oldest that is kept when not said.
    pub from: Option<Timestamp>,
    /// Until when, exclusive.
    pub to: Option<Timestamp>,
    /// Of which node; of all when not said.
    pub node: Option<NodeId>,
    /// Around what this fulfilment proof attests: its device alone, from a quarter of an hour before to one after.
    pub proof: Option<ProofId>,
}

/// A point of some node's telemetry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReplayedPulse {
    /// Which node.
    pub node: NodeId,
    /// Which device that is.
    pub device: DeviceId,
    /// What it measured.
    #[serde(flatten)]
    pub point: Point,
}

impl Desk {
    /// Takes a batch of pulses that came over the mesh, signed by the device; ends when they are on the disk.
    /// Answers up to which number the device's pulses are.
    ///
    /// # Errors
    /// [`DeskError::NotFound`] when `from` is no device in care, [`DeskError::Invalid`] when the batch is not signed by it
    /// or is out of bounds. Neither ever becomes good by sending it again.
    pub async fn keep_pulses(&self, from: &NodeId, batch: &Envelope) -> Result<u64, DeskError> {
        let mut tx = self.store().read().await?;
        let device = device_of(&mut tx, &Scope::All, &from.key()).await?;
        drop(tx);
        let batch = check_batch(batch, from).map_err(|e| DeskError::invalid("batch", e))?;
        if let Some(other) = batch.pulses.iter().find(|pulse| pulse.device != device.id) {
            let reason = format!("a device sends its own pulses, not those of {}", other.device);
            return Err(DeskError::invalid("batch", reason));
        }
        let wanted = batch.pulses.iter().map(|pulse| pulse.seq).max().unwrap_or(0);
        let accepted = self.take_pulses(&device.id, batch)?;
        if accepted.durable_seq >= wanted {
            return Ok(accepted.durable_seq);
        }
        // Whoever holds the turn writes for all who came meanwhile.
        let _turn = self.saving().lock().await;
        if self.durable_seq(&device.id) < wanted {
            tokio::time::sleep(GATHER).await;
            let desk = self.clone();
            blocking(move || desk.save_pulses()).await?;
        }
        Ok(self.durable_seq(&device.id))
    }

    /// The telemetry that the caller may see, oldest first, by time and node.
    pub async fn mesh_pulses(
        &self,
        principal: &Principal,
        replay: &Replay,
        page: &PageRequest,
    ) -> Result<Page<ReplayedPulse>, DeskError> {
        principal.require(Action::ReadDevice)?;
        let after = cursor(page)?;
        let scope = scope_of(principal);
        let around = self.around(&scope, replay.proof.as_ref()).await?;
        let mut devices = self.replayed(&scope, replay.node.as_ref()).await?;
        devices.retain(|device| around.as_ref().is_none_or(|around| around.device == device.id));
        let mut found = Vec::new();
        for device in &devices {
            let node = NodeId::of(&device.public_key);
            for point in self.board().history(&device.id) {
                let within = replay.from.is_none_or(|from| point.at >= from)
                    && replay.to.is_none_or(|to| point.at < to)
                    && around.as_ref().is_none_or(|around| (around.from..=around.to).contains(&point.at));
                let place = (point.at.as_millisecond(), device.id.as_str());
                if within && after.as_ref().is_none_or(|(at, id)| place > (*at, id.as_str())) {
                    found.push(ReplayedPulse { node, device: device.id.clone(), point });
                }
            }
        }
        found.sort_by(|a, b| (a.point.at, &a.device).cmp(&(b.point.at, &b.device)));
        let limit = page.limit() as usize;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next = last.map(|last| format!("{}.{}", last.point.at.as_millisecond(), last.device));
        Ok(Page { items: found, next })
    }

    async fn around(&self, scope: &Scope, proof: Option<&ProofId>) -> Result<Option<Around>, DeskError> {
        let Some(id) = proof else { return Ok(None) };
        let mut tx = self.store().read().await?;
        let proof: Proof =
            tx.get(scope, id.as_str()).await?.ok_or_else(|| DeskError::not_found("proof", id.as_str()))?;
        let seconds = |at: Timestamp, by: i64| {
            echo_core::clock::from_millis(at.as_millisecond().saturating_add(by * 1000))
        };
        Ok(Some(Around {
            device: proof.device,
            from: seconds(proof.fulfilment.started, -AROUND_PROOF),
            to: seconds(proof.fulfilment.finished, AROUND_PROOF),
        }))
    }

    async fn replayed(&self, scope: &Scope, node: Option<&NodeId>) -> Result<Vec<Device>, DeskError> {
        let mut tx = self.store().read().await?;
        if let Some(node) = node {
            let device = tx.get_unique::<Device>(scope, &node.key().to_string()).await?;
            return Ok(vec![device.ok_or_else(|| DeskError::not_found("mesh node", &node.to_string()))?]);
        }
        let known: BTreeSet<DeviceId> = self.board().all().map(|pulse| pulse.device.clone()).collect();
        let devices = tx.all::<Device>(scope, &Filter::default()).await?;
        Ok(devices.into_iter().filter(|device| known.contains(&device.id)).collect())
    }
}

/// The time around an attested change.
struct Around {
    device: DeviceId,
    from: Timestamp,
    to: Timestamp,
}

/// The device in care that has this key.
pub(crate) async fn device_of(
    tx: &mut store::Tx,
    scope: &Scope,
    key: &PublicKey,
) -> Result<Device, DeskError> {
    tx.get_unique::<Device>(scope, &key.to_string())
        .await?
        .filter(|device| device.state == DeviceState::Active)
        .ok_or_else(|| DeskError::not_found("device with the key", &key.to_string()))
}

fn cursor(page: &PageRequest) -> Result<Option<(i64, DeviceId)>, DeskError> {
    let Some(text) = &page.cursor else { return Ok(None) };
    let read = text.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    let wrong = || DeskError::invalid("cursor", "write the `next` of the page before, as it was given");
    read.map(Some).ok_or_else(wrong)
}
