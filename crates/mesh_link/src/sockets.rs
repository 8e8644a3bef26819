//! The machine's addresses, and a UDP socket on each: one port on all of them where it is free.
//!
//! A socket an address, and not one for all, so that what arrives says where, and what leaves leaves from there.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    sync::Arc,
};

use bytes::Bytes;
use echo_core::Reach;
use mesh::doctor::Interface;
use tokio::{net::UdpSocket, sync::mpsc, task::JoinHandle};

/// The most addresses that are used.
pub const MAX_SOCKETS: usize = 16;
/// The largest datagram that is read; longer ones are cut, and fail their check.
const MAX_READ: usize = 2_048;
/// Datagrams that wait to be handled; more wait in the kernel, which drops what it has no room for.
pub const MAX_INCOMING: usize = 512;

/// A datagram that came in.
#[derive(Debug)]
pub struct Datagram {
    /// The local address it came to, as it stands among the candidates.
    pub local: SocketAddr,
    /// Where it came from.
    pub source: SocketAddr,
    /// Its bytes.
    pub bytes: Bytes,
}

#[derive(Debug)]
struct Socket {
    udp: Arc<UdpSocket>,
    scope: u32,
    reader: JoinHandle<()>,
}

/// What changed among the machine's addresses.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// New ones.
    pub added: Vec<SocketAddr>,
    /// Those that are gone.
    pub removed: Vec<SocketAddr>,
}

impl Change {
    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// The sockets.
#[derive(Debug)]
pub struct Sockets {
    bind: SocketAddr,
    include_loopback: bool,
    reach: Reach,
    port: u16,
    open: HashMap<SocketAddr, Socket>,
    incoming: mpsc::Sender<Datagram>,
}

impl Sockets {
    /// None yet; [`Sockets::refresh`] opens them. `bind`: an address to use alone, or the unspecified one of either family
    /// for all of the machine's; port 0 takes a free one. Nothing is sent beyond `reach`.
    pub fn new(bind: SocketAddr, include_loopback: bool, reach: Reach) -> (Self, mpsc::Receiver<Datagram>) {
        let (incoming, datagrams) = mpsc::channel(MAX_INCOMING);
        (Self { bind, include_loopback, reach, port: bind.port(), open: HashMap::new(), incoming }, datagrams)
    }

    /// The local addresses, without scope, as they stand among the candidates.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut all: Vec<SocketAddr> = self.open.keys().copied().collect();
        all.sort();
        all
    }

    /// Brings the sockets up to the machine's addresses of now.
    pub async fn refresh(&mut self) -> Change {
        let wanted = self.wanted();
        let mut change = Change::default();
        // One that failed is gone too, and is opened anew.
        let lost = |at: &SocketAddr, socket: &Socket| {
            socket.reader.is_finished() || !wanted.iter().any(|(ip, _)| *ip == at.ip())
        };
        let gone: Vec<SocketAddr> =
            self.open.iter().filter(|(at, socket)| lost(at, socket)).map(|(at, _)| *at).collect();
        for address in gone {
            if let Some(socket) = self.open.remove(&address) {
                socket.reader.abort();
                change.removed.push(address);
            }
        }
        for (ip, scope) in wanted {
            if self.open.len() >= MAX_SOCKETS || self.open.keys().any(|at| at.ip() == ip) {
                continue;
            }
            match self.add(ip, scope).await {
                Ok(address) => change.added.push(address),
                // An IPv6 address is not usable while the kernel still looks for duplicates: the next round has it.
                Err(error) => tracing::debug!(%ip, %error, "no socket on this address yet"),
            }
        }
        change
    }

    fn wanted(&self) -> Vec<(IpAddr, u32)> {
        if !self.bind.ip().is_unspecified() {
            let scope = if let SocketAddr::V6(v6) = self.bind { v6.scope_id() } else { 0 };
            return vec![(self.bind.ip(), scope)];
        }
        let mut all: Vec<(IpAddr, u32)> = if_addrs::get_if_addrs()
            .unwrap_or_default()
            .into_iter()
            .filter(|found| found.is_oper_up() && (self.include_loopback || !found.is_loopback()))
            .filter_map(|found| {
                let scope = if is_link_local(found.ip()) { found.index.unwrap_or(0) } else { 0 };
                usable(found.ip()).then_some((found.ip(), scope))
            })
            .collect();
        all.sort();
        all
    }

    async fn add(&mut self, ip: IpAddr, scope: u32) -> io::Result<SocketAddr> {
        let at = |port| match ip {
            IpAddr::V4(v4) => SocketAddr::from((v4, port)),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, port, 0, scope).into(),
        };
        let socket = match UdpSocket::bind(at(self.port)).await {
            Err(error) if self.port != 0 && error.kind() == io::ErrorKind::AddrInUse => {
                UdpSocket::bind(at(0)).await?
            }
            bound => bound?,
        };
        let socket = Arc::new(socket);
        let port = socket.local_addr()?.port();
        if self.port == 0 {
            self.port = port;
        }
        let address = SocketAddr::from((ip, port));
        let reader = tokio::spawn(read(socket.clone(), address, self.incoming.clone()));
        self.open.insert(address, Socket { udp: socket, scope, reader });
        Ok(address)
    }

    fn between(&self, source: SocketAddr, mut destination: SocketAddr) -> Option<(&UdpSocket, SocketAddr)> {
        let fits = source.is_ipv4() == destination.is_ipv4() && self.reach.address(destination.ip());
        let socket = self.open.get(&source).filter(|_| fits)?;
        if let SocketAddr::V6(v6) = &mut destination
            && is_link_local(IpAddr::V6(*v6.ip()))
        {
            v6.set_scope_id(socket.scope);
        }
        Some((&socket.udp, destination))
    }

    /// Sends a datagram that neither this machine nor a router may cut in pieces. Where that cannot be had, a large one is lost.
    pub fn send_whole(&self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        if let Some((socket, to)) = self.between(source, destination)
            && let Err(error) = whole::send(socket, to, bytes)
        {
            tracing::trace!(%source, %destination, bytes = bytes.len(), %error, "not sent whole");
        }
    }

    /// Sends a datagram from a local address. What cannot be sent is lost, as datagrams are.
    pub async fn send(&self, source: SocketAddr, destination: SocketAddr, bytes: &[u8]) {
        let Some((socket, destination)) = self.between(source, destination) else { return };
        match socket.try_send_to(bytes, destination) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = socket.send_to(bytes, destination).await;
            }
            Err(error) => tracing::trace!(%source, %destination, %error, "not sent"),
            Ok(_) => {}
        }
    }
}

impl Drop for Sockets {
    fn drop(&mut self) {
        for socket in self.open.values() {
            socket.reader.abort();
        }
    }
}

async fn read(socket: Arc<UdpSocket>, local: SocketAddr, incoming: mpsc::Sender<Datagram>) {
    let mut buffer = vec![0; MAX_READ];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, source)) => {
                let bytes = Bytes::copy_from_slice(&buffer[..length]);
                if incoming.send(Datagram { local, source: plain(source), bytes }).await.is_err() {
                    return;
                }
            }
            // The kernel tells of a port that nobody listens on (Windows calls it a reset); the socket is as good as before.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                tracing::debug!(%local, %error, "the socket is gone");
                return;
            }
        }
    }
}

/// Datagrams that are not cut in pieces.
mod whole {
    use std::{io, net::SocketAddr};

    use tokio::net::UdpSocket;

    /// Sends one, and leaves the socket as it was: what else it sends may be cut, where a path takes so little.
    #[cfg(target_os = "linux")]
    pub(super) fn send(socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        use rustix::net::sockopt::{
            Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, ip_mtu_discover, ipv6_mtu_discover,
            set_ip_mtu_discover, set_ipv6_mtu_discover,
        };
        let sent;
        if to.is_ipv4() {
            let before = ip_mtu_discover(socket)?;
            set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::PROBE)?;
            sent = socket.try_send_to(bytes, to);
            set_ip_mtu_discover(socket, before)?;
        } else {
            let before = ipv6_mtu_discover(socket)?;
            set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::PROBE)?;
            sent = socket.try_send_to(bytes, to);
            set_ipv6_mtu_discover(socket, before)?;
        }
        sent.map(|_| ())
    }

    /// Elsewhere a small one is sent, and how much a path takes stays unknown.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn send(socket: &UdpSocket, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        const SMALL: usize = 500;
        if bytes.len() > SMALL {
            return Err(io::ErrorKind::Unsupported.into());
        }
        socket.try_send_to(bytes, to).map(|_| ())
    }
}

/// The address without scope and flow: the scope is the socket's.
fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::from((address.ip(), address.port()))
}

/// IPv4 link-local addresses are left to mDNS: the transport takes none as a candidate.
fn usable(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified(),
        IpAddr::V6(v6) => !v6.is_unspecified(),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// The machine's interfaces but loopback, for the doctor.
pub fn interfaces() -> Vec<Interface> {
    let mut all: Vec<Interface> = Vec::new();
    for found in if_addrs::get_if_addrs().unwrap_or_default() {
        if found.is_loopback() {
            continue;
        }
        let up = found.is_oper_up();
        let at = all.iter().position(|known| known.name == found.name).unwrap_or_else(|| {
            let mtu = std::fs::read_to_string(format!("/sys/class/net/{}/mtu", found.name));
            let mtu = mtu.ok().and_then(|text| text.trim().parse().ok());
            all.push(Interface { name: found.name.clone(), up, addresses: Vec::new(), mtu });
            all.len() - 1
        });
        if !is_link_local(found.ip()) {
            all[at].addresses.push(found.ip());
        }
    }
    all
}

/// The unspecified address with a free port: every address of the machine.
pub fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_failed_is_opened_anew() {
        let (mut sockets, mut datagrams) = Sockets::new(([127, 0, 0, 1], 0).into(), true, Reach::Anywhere);
        let [at] = sockets.refresh().await.added[..] else { panic!("one address") };
        sockets.open[&at].reader.abort();
        while !sockets.open[&at].reader.is_finished() {
            tokio::task::yield_now().await;
        }
        let change = sockets.refresh().await;
        assert_eq!((change.removed.as_slice(), change.added.as_slice()), (&[at][..], &[at][..]));
        sockets.send(at, at, b"heard").await;
        assert_eq!(datagrams.recv().await.unwrap().bytes.as_ref(), b"heard");
        assert!(sockets.refresh().await.is_empty());
    }

    #[tokio::test]
    async fn offline_nothing_is_sent_beyond_the_local_network() {
        let (mut sockets, _datagrams) = Sockets::new(([127, 0, 0, 1], 0).into(), true, Reach::Local);
        let [at] = sockets.refresh().await.added[..] else { panic!("one address") };
        let to = |ip: [u8; 4]| sockets.between(at, (ip, 9).into()).is_some();
        assert!(to([127, 0, 0, 1]) && to([10, 0, 0, 1]) && !to([192, 0, 2, 1]));
    }
}
