//! The rolling history of one node, and its form on disk.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::pulse::Pulse;

/// The most points kept of one node: three hours of a pulse each 30 s.
pub const MAX_POINTS: usize = 360;
/// What the numbers of a [`Row`] are, in order.
pub(crate) const COLUMNS: [&str; 6] = ["at_ms", "cpu", "memory_used", "load_1", "rx_bytes", "tx_bytes"];

/// One point of a node's history.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// When, by the device's clock.
    pub at: Timestamp,
    /// CPU utilization, 0 to 1.
    pub cpu: f64,
    /// Memory in use, in bytes.
    pub memory_used: u64,
    /// Runnable threads, averaged over one minute.
    pub load_1: f64,
    /// Bytes received over all interfaces since the machine started.
    pub rx_bytes: u64,
    /// Bytes sent over all interfaces since the machine started.
    pub tx_bytes: u64,
}

impl Point {
    pub(crate) fn of(pulse: &Pulse) -> Self {
        let (rx_bytes, tx_bytes) = pulse.metrics.network_bytes();
        Self {
            at: echo_core::clock::from_millis(pulse.at.as_millisecond()),
            cpu: pulse.metrics.cpu_utilization,
            memory_used: pulse.metrics.memory_used,
            load_1: pulse.metrics.load_1,
            rx_bytes,
            tx_bytes,
        }
    }
}

/// A point as a line of a table: a third of the bytes of an object with names.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Row(i64, f64, u64, f64, u64, u64);

impl From<&Point> for Row {
    fn from(point: &Point) -> Self {
        Self(
            point.at.as_millisecond(),
            point.cpu,
            point.memory_used,
            point.load_1,
            point.rx_bytes,
            point.tx_bytes,
        )
    }
}

impl From<Row> for Point {
    fn from(Row(at_ms, cpu, memory_used, load_1, rx_bytes, tx_bytes): Row) -> Self {
        Self { at: echo_core::clock::from_millis(at_ms), cpu, memory_used, load_1, rx_bytes, tx_bytes }
    }
}

/// Adds a point; the oldest goes when there are too many.
pub(crate) fn add(points: &mut VecDeque<Point>, point: Point) {
    if points.len() >= MAX_POINTS {
        points.pop_front();
    }
    points.push_back(point);
}
