//! Ports that wait for connections or datagrams, as `ss -lntu` shows them.

use std::{
    fmt::Write as _,
    io::Cursor,
    net::{IpAddr, SocketAddr},
};

use procfs::{
    FromBufReadSI as _,
    net::{TcpNetEntries, UdpNetEntries},
    process::FDTarget,
};
use serde::{Deserialize, Serialize};

use crate::{
    bounds::{self, BoundsError, MAX_NAME, clean},
    error::{ObserveError, unreadable},
    procfile,
};

/// The most listening ports in one diagnosis.
pub const MAX_LISTENING: usize = 200;
/// The most sockets looked at in each table: a busy proxy has a few hundred thousand.
const MAX_SOCKETS: usize = 1_000_000;
/// The most open files looked at to find which process listens.
const MAX_OPEN_FILES: usize = 500_000;

/// The transport protocol of a port (OpenTelemetry `network.transport`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One port that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListeningPort {
    /// TCP or UDP.
    pub protocol: Transport,
    /// The local address; `0.0.0.0` and `::` are all addresses of the machine.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
    /// The name of the process, when this user may see it.
    pub process: Option<String>,
}

impl ListeningPort {
    pub(crate) fn validate(&self) -> Result<(), BoundsError> {
        bounds::text("listening.process", self.process.as_deref().unwrap_or_default(), MAX_NAME)
    }
}

/// The kernel's socket tables, and the state in which a socket of each waits (`include/net/tcp_states.h`).
const TABLES: [(&str, Transport, &str); 4] = [
    ("/proc/net/tcp", Transport::Tcp, "0A"),
    ("/proc/net/tcp6", Transport::Tcp, "0A"),
    ("/proc/net/udp", Transport::Udp, "07"),
    ("/proc/net/udp6", Transport::Udp, "07"),
];

#[derive(Debug, Clone, PartialEq)]
struct Socket {
    protocol: Transport,
    local: SocketAddr,
    inode: u64,
}

/// At most [`MAX_LISTENING`] ports by protocol and number, and whether there were more.
pub(crate) fn listening() -> Result<(Vec<ListeningPort>, bool), ObserveError> {
    let mut sockets = Vec::new();
    for (path, protocol, state) in TABLES {
        match waiting(path, protocol, state) {
            Ok(found) => sockets.extend(found),
            // A kernel without IPv6 has no such table.
            Err(_) if path.ends_with('6') => {}
            Err(error) => return Err(error),
        }
    }
    sockets.sort_by_key(|socket| (socket.protocol, socket.local.port(), socket.local.ip()));
    // Workers of one service share a port: once is enough.
    sockets.dedup_by_key(|socket| (socket.protocol, socket.local));
    let more = sockets.len() > MAX_LISTENING;
    sockets.truncate(MAX_LISTENING);
    let owners = owners(&sockets);
    let ports = sockets.into_iter().map(|socket| ListeningPort {
        protocol: socket.protocol,
        address: socket.local.ip(),
        port: socket.local.port(),
        process: owners.iter().find(|(inode, _)| *inode == socket.inode).map(|(_, name)| name.clone()),
    });
    Ok((ports.collect(), more))
}

/// The waiting sockets of one table. Only their lines reach the parser: a table of all connections may be large.
fn waiting(path: &'static str, protocol: Transport, state: &str) -> Result<Vec<Socket>, ObserveError> {
    let mut lines = String::from("header\n");
    let mut found = 0;
    procfile::each_line(path, MAX_SOCKETS, |line| {
        if line.split_whitespace().nth(3) == Some(state) {
            // Writing to a String cannot fail.
            let _ = writeln!(lines, "{line}");
            found += 1;
        }
        // One more than shown would do, but the same port may stand in many lines.
        found < 4 * MAX_LISTENING
    })
    .map_err(unreadable(path))?;
    parse(&lines, protocol).map_err(unreadable(path))
}

fn parse(lines: &str, protocol: Transport) -> Result<Vec<Socket>, procfs::ProcError> {
    let system = procfs::current_system_info();
    let lines = Cursor::new(lines);
    let socket = |local, inode| Socket { protocol, local, inode };
    Ok(match protocol {
        Transport::Tcp => TcpNetEntries::from_buf_read(lines, system)?
            .0
            .into_iter()
            .map(|entry| socket(entry.local_address, entry.inode))
            .collect(),
        Transport::Udp => UdpNetEntries::from_buf_read(lines, system)?
            .0
            .into_iter()
            .map(|entry| socket(entry.local_address, entry.inode))
            .collect(),
    })
}

/// The names of the processes that hold `sockets`, by inode; only root sees those of other users.
fn owners(sockets: &[Socket]) -> Vec<(u64, String)> {
    let mut owners: Vec<(u64, String)> = Vec::new();
    let mut budget = MAX_OPEN_FILES;
    let Ok(processes) = procfs::process::all_processes() else {
        return owners;
    };
    for process in processes.flatten() {
        if owners.len() == sockets.len() || budget == 0 {
            break;
        }
        let Ok(files) = process.fd() else { continue };
        for file in files.take(budget) {
            budget -= 1;
            let Ok(FDTarget::Socket(inode)) = file.map(|file| file.target) else {
                continue;
            };
            let wanted = sockets.iter().any(|socket| socket.inode == inode);
            if wanted && owners.iter().all(|(known, _)| *known != inode) {
                let name = process.stat().map(|stat| clean(&stat.comm, MAX_NAME)).unwrap_or_default();
                owners.push((inode, name));
            }
        }
    }
    owners
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn a_port_that_listens_is_seen_with_its_process() {
        let (tcp, tcp6) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("[::1]:0"));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let (ports, _) = listening().unwrap();
        let mut expected =
            vec![(Transport::Tcp, tcp.local_addr().unwrap()), (Transport::Udp, udp.local_addr().unwrap())];
        // A machine without IPv6 has nothing to show there.
        expected.extend(tcp6.iter().map(|tcp6| (Transport::Tcp, tcp6.local_addr().unwrap())));
        for (protocol, local) in expected {
            let port = ports
                .iter()
                .find(|p| p.protocol == protocol && p.port == local.port() && p.address == local.ip())
                .unwrap_or_else(|| panic!("{local} is not among {ports:?}"));
            assert!(port.process.as_deref().is_some_and(|name| name.starts_with("observ")), "{port:?}");
        }
    }

    #[test]
    fn a_port_that_is_closed_is_not_seen() {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let local = tcp.local_addr().unwrap();
        let here =
            |ports: &[ListeningPort]| ports.iter().any(|p| p.port == local.port() && p.address == local.ip());
        assert!(here(&listening().unwrap().0));
        drop(tcp);
        assert!(!here(&listening().unwrap().0));
    }

    #[test]
    fn a_malformed_table_is_an_error_and_no_panic() {
        for bad in ["h\n0:", "h\n0: 0100007F:1F90 x 0A", "h\n0: zz:1 0:0 0A 0:0 0:0 0 0 0 1"] {
            assert!(parse(bad, Transport::Tcp).is_err(), "{bad}");
            assert!(parse(bad, Transport::Udp).is_err(), "{bad}");
        }
    }
}
