//! Telemetry from devices.

use std::collections::BTreeMap;

use access::{Action, Principal};
use device_link::{MAX_PULSES_PER_BATCH, PulseBatch};
use echo_core::DeviceId;
use observability::{Accepted, PulseBoard};
use serde::Serialize;

use crate::{Desk, DeskError};

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PulsesAccepted {
    /// How many were new.
    pub fresh: u32,
    /// How many had been seen before.
    pub duplicates: u32,
    /// Up to which sequence number the device's pulses are on the platform's disk: the device may forget these,
    /// and keeps the later ones until a further answer says so.
    pub durable_seq: u64,
}

impl Desk {
    /// Takes a batch of pulses from the device that is calling.
    pub fn accept_pulses(
        &self,
        principal: &Principal,
        batch: PulseBatch,
    ) -> Result<PulsesAccepted, DeskError> {
        principal.require(Action::SendPulse)?;
        let device =
            principal.device.as_ref().ok_or_else(|| DeskError::invalid("device", "only devices pulse"))?;
        self.take_pulses(device, batch)
    }

    /// Puts the pulses of a device, which is known to have sent them, onto the board.
    pub(crate) fn take_pulses(
        &self,
        device: &DeviceId,
        batch: PulseBatch,
    ) -> Result<PulsesAccepted, DeskError> {
        if batch.pulses.len() > MAX_PULSES_PER_BATCH {
            let reason = format!("send at most {MAX_PULSES_PER_BATCH} in one batch");
            return Err(DeskError::invalid("pulses", reason));
        }
        for (index, pulse) in batch.pulses.iter().enumerate() {
            if pulse.device != *device {
                let reason = format!("a device sends its own pulses, not those of {}", pulse.device);
                return Err(DeskError::invalid(&format!("pulses[{index}].device"), reason));
            }
            pulse.validate().map_err(|e| DeskError::invalid(&format!("pulses[{index}]"), e))?;
        }
        let mut accepted = PulsesAccepted { fresh: 0, duplicates: 0, durable_seq: 0 };
        let now = self.now();
        let mut board = self.board();
        if self.forgotten().contains(device) {
            return Err(DeskError::Unauthenticated("the device was erased: enrol it anew".to_owned()));
        }
        for pulse in batch.pulses {
            match board.accept_at(pulse, now) {
                Accepted::Fresh => accepted.fresh += 1,
                Accepted::Duplicate => accepted.duplicates += 1,
                Accepted::Refused(why) => return Err(DeskError::invalid("pulses", why)),
            }
        }
        drop(board);
        accepted.durable_seq = self.durable_seq(device);
        if accepted.fresh > 0 {
            self.changed();
        }
        Ok(accepted)
    }

    /// Writes the board to disk when it changed. Called every few seconds, and at the end.
    pub fn save_pulses(&self) -> Result<(), DeskError> {
        let mut board = self.board();
        if !board.is_dirty() {
            return Ok(());
        }
        let seen = highest_seqs(&board);
        board.save().map_err(|e| DeskError::Home(e.to_string()))?;
        drop(board);
        self.set_durable_seqs(seen);
        Ok(())
    }
}

/// Up to which sequence number each device's pulses are on the board.
pub(crate) fn highest_seqs(board: &PulseBoard) -> BTreeMap<DeviceId, u64> {
    board.all().map(|pulse| (pulse.device.clone(), board.highest_seq(&pulse.device))).collect()
}
