//! Telemetry in batches.

use observability::Pulse;
use serde::{Deserialize, Serialize};

/// The most pulses in one batch.
pub const MAX_PULSES_PER_BATCH: usize = 200;

/// Pulses of one device, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PulseBatch {
    /// At most [`MAX_PULSES_PER_BATCH`].
    pub pulses: Vec<Pulse>,
}
