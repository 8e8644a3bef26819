//! Addresses on TURN servers (RFC 8656), for when no straight path works and no gateway is there.
//!
//! One allocation a server and local address. A datagram to a peer that the server does not know yet is lost while the
//! permission is asked for; ICE asks again.

use std::{
    collections::HashSet,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use echo_core::Reach;
use str0m::Candidate;
use turn_client_proto::{
    api::{TurnConfig, TurnEvent, TurnPollRet, TurnRecvRet},
    prelude::TurnClientApi as _,
    stun::{Instant as TurnInstant, agent::Transmit, types::TransportType},
    types::TurnCredentials,
    udp::TurnClientUdp,
};

use crate::reflexive::{look_up, within};

/// The most TURN servers.
pub const MAX_SERVERS: usize = 4;
/// The most allocations: each server has one for each of four local addresses.
pub const MAX_ALLOCATIONS: usize = 16;
/// The most peers that an allocation lets in.
pub const MAX_PERMISSIONS: usize = 256;
/// How long after a failure the next attempt is made.
pub const AGAIN_AFTER: Duration = Duration::from_secs(30);

/// A TURN server and what it takes to use it (long-term credentials, RFC 8489, section 9.2).
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TurnServer {
    /// `host:port`.
    pub host: String,
    /// The user's name.
    pub username: String,
    /// Secret.
    pub password: String,
}

impl TurnServer {
    /// Reads a list of servers from JSON: `[{"host": "turn.example.org:3478", "username": "...", "password": "..."}]`. It
    /// comes from a file of its owner's, for it holds secrets.
    pub fn list(json: &[u8]) -> Result<Vec<Self>, String> {
        // What serde says of a wrong value may quote it.
        let servers: Vec<Self> = serde_json::from_slice(json)
            .map_err(|e| format!("line {}, column {}: not a list of TURN servers", e.line(), e.column()))?;
        if servers.len() > MAX_SERVERS {
            return Err(format!("{} TURN servers, at most {MAX_SERVERS} are used", servers.len()));
        }
        Ok(servers)
    }
}

impl std::fmt::Debug for TurnServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TurnServer")
            .field("host", &self.host)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// What the allocations want done.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Send this from a local address.
    Send { local: SocketAddr, server: SocketAddr, bytes: Vec<u8> },
    /// There is a new candidate.
    Candidate(Candidate),
    /// An allocation is gone; its address was this.
    Gone(SocketAddr),
}

/// Whose a datagram was.
pub(crate) enum Came {
    /// None of a TURN server's.
    Elsewhere,
    /// The protocol's own.
    Handled,
    /// A peer's, for this allocated address.
    Peer { relayed: SocketAddr, peer: SocketAddr, bytes: Vec<u8> },
}

struct Allocation {
    client: TurnClientUdp,
    relayed: Option<SocketAddr>,
    asked: HashSet<IpAddr>,
    deadline: Instant,
    over: bool,
}

/// The allocations.
pub(crate) struct Turn {
    servers: Vec<(TurnServer, Arc<Mutex<Vec<SocketAddr>>>)>,
    looking: Vec<tokio::task::JoinHandle<()>>,
    all: Vec<Allocation>,
    base: Instant,
    failed: Option<Instant>,
    /// What was found while something else was done, for the next [`Turn::poll`].
    put_by: Vec<Wish>,
}

impl Turn {
    pub(crate) fn new(servers: &[TurnServer], reach: Reach) -> Self {
        let servers: Vec<(TurnServer, Arc<Mutex<Vec<SocketAddr>>>)> = servers
            .iter()
            .take(MAX_SERVERS)
            .filter(|server| within(reach, &server.host))
            .map(|server| (server.clone(), Arc::default()))
            .collect();
        let looking = servers
            .iter()
            .map(|(server, found)| tokio::spawn(look_up(vec![server.host.clone()], found.clone())))
            .collect();
        Self { servers, looking, all: Vec::new(), base: Instant::now(), failed: None, put_by: Vec::new() }
    }

    fn at(&self, now: Instant) -> TurnInstant {
        TurnInstant::from_nanos(
            i64::try_from(now.saturating_duration_since(self.base).as_nanos()).unwrap_or(i64::MAX),
        )
    }

    /// The candidates that are there now.
    pub(crate) fn candidates(&self) -> Vec<Candidate> {
        self.all.iter().filter_map(|a| candidate(a.relayed?)).collect()
    }

    /// Brings the allocations up to the local addresses of now.
    pub(crate) fn refresh(&mut self, now: Instant, locals: &[SocketAddr]) -> Vec<Wish> {
        let mut wishes = Vec::new();
        self.all.retain(|allocation| {
            let keep = !allocation.over && locals.contains(&allocation.client.local_addr());
            if !keep {
                wishes.extend(allocation.relayed.map(Wish::Gone));
            }
            keep
        });
        if self.failed.is_some_and(|at| now.duration_since(at) < AGAIN_AFTER) {
            return wishes;
        }
        for local in locals {
            for (server, found) in &self.servers {
                let addresses = found.lock().unwrap_or_else(PoisonError::into_inner).clone();
                for address in addresses {
                    let reaches = local.is_ipv4() == address.is_ipv4()
                        && local.ip().is_loopback() == address.ip().is_loopback();
                    let there =
                        |a: &Allocation| a.client.local_addr() == *local && a.client.remote_addr() == address;
                    if reaches && self.all.len() < MAX_ALLOCATIONS && !self.all.iter().any(there) {
                        let config =
                            TurnConfig::new(TurnCredentials::new(&server.username, &server.password));
                        let client = TurnClientUdp::allocate(*local, address, config);
                        let asked = HashSet::new();
                        self.all.push(Allocation {
                            client,
                            relayed: None,
                            asked,
                            deadline: now,
                            over: false,
                        });
                    }
                }
            }
        }
        wishes
    }

    /// When [`Turn::poll`] is wanted next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let next =
            self.all.iter().filter(|allocation| !allocation.over).map(|allocation| allocation.deadline).min();
        if self.put_by.is_empty() { next } else { Some(self.base) }
    }

    /// What there is to do.
    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Wish> {
        let (at, base) = (self.at(now), self.base);
        let mut wishes = std::mem::take(&mut self.put_by);
        for allocation in self.all.iter_mut().filter(|allocation| !allocation.over) {
            match allocation.client.poll(at) {
                TurnPollRet::WaitUntil(until) => {
                    let nanos = u64::try_from(until.as_nanos()).unwrap_or(0);
                    // A hair later, so that what is due is due.
                    allocation.deadline =
                        (base + Duration::from_nanos(nanos)).max(now + Duration::from_millis(1));
                }
                _ => allocation.over = true,
            }
            while let Some(event) = allocation.client.poll_event() {
                match event {
                    TurnEvent::AllocationCreated(TransportType::Udp, relayed) => {
                        tracing::info!(%relayed, server = %allocation.client.remote_addr(), "address on a TURN server");
                        allocation.relayed = Some(relayed);
                        wishes.extend(candidate(relayed).map(Wish::Candidate));
                    }
                    TurnEvent::AllocationCreateFailed(_) => {
                        tracing::warn!(server = %allocation.client.remote_addr(), "the TURN server gives no address");
                        allocation.over = true;
                    }
                    TurnEvent::PermissionCreateFailed(_, peer) => {
                        allocation.asked.remove(&peer);
                    }
                    _ => {}
                }
            }
            while let Some(transmit) = allocation.client.poll_transmit(at) {
                wishes.push(Wish::Send {
                    local: transmit.from,
                    server: transmit.to,
                    bytes: transmit.data.to_vec(),
                });
            }
            if allocation.over {
                self.failed = Some(now);
                wishes.extend(allocation.relayed.take().map(Wish::Gone));
            }
        }
        wishes
    }

    /// Gives all addresses back to their servers, which would keep them for ten minutes. What to send; nobody waits for answers.
    pub(crate) fn free(&mut self, now: Instant) -> Vec<Wish> {
        // The client leaves a moment between two requests, and this one is its last.
        let at = self.at(now + Duration::from_secs(1));
        let mut wishes = Vec::new();
        for allocation in self.all.drain(..).filter(|allocation| allocation.relayed.is_some()) {
            let mut client = allocation.client;
            if client.delete(at).is_err() {
                continue;
            }
            while let Some(transmit) = client.poll_transmit(at) {
                let bytes = transmit.data.to_vec();
                wishes.push(Wish::Send { local: transmit.from, server: transmit.to, bytes });
            }
        }
        wishes
    }

    /// A datagram came in.
    pub(crate) fn received(
        &mut self,
        now: Instant,
        local: SocketAddr,
        source: SocketAddr,
        bytes: &[u8],
    ) -> Came {
        let at = self.at(now);
        let ours = |a: &&mut Allocation| a.client.local_addr() == local && a.client.remote_addr() == source;
        let Some(allocation) = self.all.iter_mut().find(ours) else { return Came::Elsewhere };
        match allocation.client.recv(Transmit::new(bytes, TransportType::Udp, source, local), at) {
            TurnRecvRet::Ignored(_) => Came::Elsewhere,
            TurnRecvRet::PeerData(data) => match allocation.relayed {
                Some(relayed) => Came::Peer { relayed, peer: data.peer, bytes: data.data().to_vec() },
                None => Came::Handled,
            },
            TurnRecvRet::Handled | TurnRecvRet::PeerIcmp { .. } => {
                allocation.deadline = now;
                Came::Handled
            }
        }
    }

    /// Whether an address is one on a TURN server; then what is to be sent to get a datagram from there to a peer.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        relayed: SocketAddr,
        peer: SocketAddr,
        bytes: &[u8],
    ) -> Option<Vec<Wish>> {
        let at = self.at(now);
        let allocation = self.all.iter_mut().find(|allocation| allocation.relayed == Some(relayed))?;
        if !allocation.client.have_permission(TransportType::Udp, peer.ip()) {
            if allocation.asked.len() < MAX_PERMISSIONS && allocation.asked.insert(peer.ip()) {
                let asked = allocation.client.create_permission(TransportType::Udp, peer.ip(), at);
                tracing::debug!(%relayed, %peer, ?asked, "permission on a TURN server");
            }
            let (sends, others) =
                self.poll(now).into_iter().partition(|wish| matches!(wish, Wish::Send { .. }));
            self.put_by = others;
            return Some(sends);
        }
        let built = allocation.client.send_to(TransportType::Udp, peer, bytes, at);
        Some(match built {
            Ok(Some(transmit)) => {
                let transmit = transmit.build();
                vec![Wish::Send { local: transmit.from, server: transmit.to, bytes: transmit.data }]
            }
            Ok(None) | Err(_) => Vec::new(),
        })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.looking.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

fn candidate(relayed: SocketAddr) -> Option<Candidate> {
    Candidate::relayed(relayed, relayed, "udp").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_servers_are_used_as_may_be_named() {
        let server = r#"{"host": "turn.example.org:3478", "username": "u", "password": "p"}"#;
        let list = |count: usize| TurnServer::list(format!("[{}]", vec![server; count].join(",")).as_bytes());
        assert!(list(MAX_SERVERS + 1).unwrap_err().contains("at most 4"));
        let mut turn = Turn::new(&list(MAX_SERVERS).unwrap(), Reach::Anywhere);
        assert_eq!(turn.servers.len(), MAX_SERVERS);
        for (number, (_, found)) in (1..).zip(&turn.servers) {
            *found.lock().unwrap() = vec![([192, 0, 2, number], 3_478).into()];
        }
        let locals: Vec<SocketAddr> = (1..=9).map(|last| ([10, 0, 0, last], 4_000).into()).collect();
        turn.refresh(Instant::now(), &locals);
        for number in 1..=4 {
            let of_it = |a: &&Allocation| a.client.remote_addr().ip() == IpAddr::from([192, 0, 2, number]);
            assert_eq!(turn.all.iter().filter(of_it).count(), MAX_ALLOCATIONS / MAX_SERVERS, "{number}");
        }
    }
}
