//! The board and the buffer through their public faces, on real files.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its set-up too")]

mod board;
mod buffer;

use echo_core::{DeviceId, Mint, Timestamp};
use observability::{Disk, Metrics, Nic, Pulse};

fn device() -> DeviceId {
    Mint::system().id()
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
}

/// A pulse that was taken `seq` seconds after the epoch; `seq` is in its metrics too.
fn pulse(device: &DeviceId, seq: u64) -> Pulse {
    Pulse {
        device: device.clone(),
        seq,
        at: at(seq),
        metrics: Metrics {
            cpu_utilization: 0.1234,
            load_1: 0.5,
            load_5: 0.4,
            load_15: 0.3,
            memory_total: 8 << 30,
            memory_used: 2 << 30,
            memory_available: 6 << 30,
            swap_total: 0,
            swap_used: 0,
            disks: vec![Disk {
                mount: "/".into(),
                device: "/dev/vda".into(),
                fs: "ext4".into(),
                used: 10 << 30,
                total: 40 << 30,
                available: 28 << 30,
            }],
            network: vec![Nic { name: "eth0".into(), rx_bytes: seq * 1000, tx_bytes: seq * 10 }],
            uptime_seconds: seq,
            processes: 80,
        },
        facts: None,
    }
}
