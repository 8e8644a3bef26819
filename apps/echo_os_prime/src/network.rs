//! What the machine's network is like: looked at at the start and every few seconds, told to the desk.

use std::{net::SocketAddr, time::Duration};

use desk::{Connection, Desk, Network};
use echo_core::Reach;
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The most bytes of a table of routes.
const MAX_ROUTES: u64 = 1 << 20;
/// The flag of a route that is up (`RTF_UP`, Linux `route.h`).
const UP: u32 = 1;
/// The flag of a route that refuses (`RTF_REJECT`): the kernel's own, where there is no way.
const REJECT: u32 = 0x0200;

/// Looks at the network until the platform stops.
pub async fn watch(desk: Desk, reach: Reach, stopping: watch::Receiver<bool>) {
    let mut look = interval(LOOK);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !*stopping.borrow() {
        look.tick().await;
        if let Err(error) = desk.network_is(now(reach)).await {
            tracing::warn!("{error}");
        }
    }
}

/// What the network is like now.
pub fn now(reach: Reach) -> Network {
    let up = |found: &if_addrs::Interface| found.is_oper_up() && !found.is_loopback();
    let connection = match if_addrs::get_if_addrs() {
        Err(_) => Connection::Unknown,
        Ok(found) if !found.iter().any(up) => Connection::Alone,
        Ok(_) if leads_out() => Connection::Routed,
        Ok(_) => Connection::Local,
    };
    Network { connection, offline: reach == Reach::Local }
}

/// What people should know when nobody can come to `address`: a fresh network namespace has a loopback interface that is
/// down, on which a program may listen and which nobody reaches.
pub fn unreachable(address: SocketAddr) -> Option<String> {
    let found = if_addrs::get_if_addrs().ok()?;
    let loopback = found.iter().any(if_addrs::Interface::is_loopback);
    (address.ip().is_loopback() && !loopback).then(|| {
        format!(
            "the loopback interface is down, so nobody reaches {address}, not even from this machine: bring it up with \
             `ip link set lo up`"
        )
    })
}

/// Whether a default route leads beyond the local network.
fn leads_out() -> bool {
    let read = |path: &str| {
        let text = durable::read(path.as_ref(), MAX_ROUTES).ok().flatten();
        text.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    };
    default_v4(&read("/proc/net/route")) || default_v6(&read("/proc/net/ipv6_route"))
}

/// `/proc/net/route`: interface, destination, gateway, flags, three numbers, mask.
fn default_v4(table: &str) -> bool {
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        matches!(fields[..], [_, "00000000", _, flags, _, _, _, "00000000", ..] if is_way(flags))
    })
}

/// `/proc/net/ipv6_route`: destination and its length, source and its length, next hop, three numbers, flags, interface.
fn default_v6(table: &str) -> bool {
    const NOWHERE: &str = "00000000000000000000000000000000";
    table.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        matches!(fields[..], [NOWHERE, "00", _, _, _, _, _, _, flags, way] if way != "lo" && is_way(flags))
    })
}

fn is_way(flags: &str) -> bool {
    u32::from_str_radix(flags, 16).is_ok_and(|flags| flags & UP != 0 && flags & REJECT == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_route_leads_out_and_a_lan_does_not() {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
        let lan = format!("{head}eth0\t0000A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
        assert!(!default_v4(&lan) && !default_v4(head) && !default_v4(""));
        assert!(default_v4(&format!("{lan}eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")));
        assert!(!default_v4(&format!("{lan}eth0\t00000000\t0100A8C0\t0201\t0\t0\t0\t00000000\t0\t0\t0\n")));
    }

    #[test]
    fn the_kernels_own_refusal_is_no_way_out() {
        let zero = "0".repeat(32);
        let route = |flags: &str, way: &str| {
            format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 {flags} {way}\n")
        };
        assert!(!default_v6(&route("00200200", "lo")) && !default_v6("") && !default_v6("0 0"));
        assert!(!default_v6(&route("00200200", "eth0")));
        assert!(default_v6(&route("00450003", "eth0")));
    }

    #[tokio::test]
    async fn the_network_of_this_machine_is_seen() {
        let seen = now(Reach::Local);
        assert!(seen.offline && seen.connection != Connection::Unknown, "{seen:?}");
        assert_eq!(unreachable(SocketAddr::from(([192, 0, 2, 1], 1))), None);
    }
}
