//! Who is connected, and who may reach whom.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use echo_core::Timestamp;
use mesh::{NodeId, Realm, relay::RawNode};
use tokio::sync::watch;

use crate::{Limits, queue::Queue};

/// Why a connection ends: a code, and words for people.
pub(crate) type Ending = (&'static str, String);

/// One node that is logged in.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Who.
    pub(crate) node: NodeId,
    /// Whose.
    pub(crate) realm: Realm,
    /// From where.
    pub(crate) observed: SocketAddr,
    /// Since when.
    pub(crate) since: Timestamp,
    /// What waits for it.
    pub(crate) queue: Queue,
    /// Tells its connection to end.
    pub(crate) end: watch::Sender<Option<Ending>>,
    /// Its login's number: a connection that was replaced must not take its successor out.
    pub(crate) login: u64,
}

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    /// It waits to be sent.
    Yes,
    /// It was dropped: the receiver reads too slowly.
    Dropped,
    /// The receiver is not connected, or is nobody whom the sender may meet: the sender cannot tell which.
    Away,
}

/// The directory. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    nodes: HashMap<RawNode, Entry>,
    realms: HashMap<Realm, usize>,
    connections: usize,
    strangers: HashMap<IpAddr, usize>,
    logins: u64,
}

/// A connection's place in the count; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    directory: Directory,
    stranger: Option<IpAddr>,
}

impl Directory {
    /// A place for a connection that has not logged in yet, if there is one.
    pub(crate) fn admit(&self, from: IpAddr, limits: &Limits) -> Option<Place> {
        let from = network(from);
        let mut tables = self.tables();
        let own = tables.strangers.get(&from).copied().unwrap_or(0);
        if tables.connections >= limits.connections || own >= limits.strangers {
            return None;
        }
        tables.connections += 1;
        tables.strangers.insert(from, own + 1);
        Some(Place { directory: self.clone(), stranger: Some(from) })
    }

    /// Enters a node that has logged in; a connection that it had before is told to end. Answers its login's number, or
    /// nothing when its realm has no room.
    pub(crate) fn enter(&self, mut entry: Entry, place: &mut Place, limits: &Limits) -> Option<u64> {
        let mut tables = self.tables();
        let replaced = tables.remove(&entry.node.bytes());
        let room = tables.realms.get(&entry.realm).copied().unwrap_or(0) < limits.realm;
        if let Some(old) = replaced {
            old.end
                .send_replace(Some(("replaced", "this node has logged in by another connection".to_owned())));
        }
        if !room {
            return None;
        }
        tables.logins += 1;
        entry.login = tables.logins;
        *tables.realms.entry(entry.realm.clone()).or_default() += 1;
        tables.nodes.insert(entry.node.bytes(), entry);
        tables.forget_stranger(place);
        Some(tables.logins)
    }

    /// Takes a node out whose connection has ended, unless it has logged in again since.
    pub(crate) fn leave(&self, node: NodeId, login: u64) {
        let mut tables = self.tables();
        if tables.nodes.get(&node.bytes()).is_some_and(|entry| entry.login == login) {
            tables.remove(&node.bytes());
        }
    }

    /// Carries a datagram.
    pub(crate) fn datagram(&self, from: &Realm, to: &RawNode, frame: impl FnOnce() -> Vec<u8>) -> Carried {
        match self.queue_of(from, to) {
            None => Carried::Away,
            Some((queue, _)) if queue.datagram(frame()).is_ok() => Carried::Yes,
            Some(_) => Carried::Dropped,
        }
    }

    /// Carries a signal; a receiver that has no room for it loses its connection.
    pub(crate) fn signal(&self, from: &Realm, to: &RawNode, frame: impl FnOnce() -> Vec<u8>) -> Carried {
        match self.queue_of(from, to) {
            None => Carried::Away,
            Some((queue, _)) if queue.signal(frame()).is_ok() => Carried::Yes,
            Some((_, end)) => {
                end.send_replace(Some((
                    "too_slow",
                    "what waited for this connection was too much".to_owned(),
                )));
                Carried::Dropped
            }
        }
    }

    /// All who are logged in, by name.
    pub(crate) fn all(&self) -> Vec<Entry> {
        let mut all: Vec<Entry> = self.tables().nodes.values().cloned().collect();
        all.sort_by_key(|entry| entry.node);
        all
    }

    fn queue_of(&self, from: &Realm, to: &RawNode) -> Option<(Queue, watch::Sender<Option<Ending>>)> {
        let tables = self.tables();
        let entry = tables.nodes.get(to).filter(|entry| entry.realm.meets(from))?;
        Some((entry.queue.clone(), entry.end.clone()))
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // Nothing panics while it holds the lock half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn remove(&mut self, node: &RawNode) -> Option<Entry> {
        let entry = self.nodes.remove(node)?;
        match self.realms.get_mut(&entry.realm) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.realms.remove(&entry.realm)),
        }
        Some(entry)
    }

    fn forget_stranger(&mut self, place: &mut Place) {
        let Some(from) = place.stranger.take() else { return };
        match self.strangers.get_mut(&from) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.strangers.remove(&from)),
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let directory = self.directory.clone();
        let mut tables = directory.tables();
        tables.connections -= 1;
        tables.forget_stranger(self);
    }
}

/// Whom an address counts for: an IPv6 network is one customer's line.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::V6(octets.into())
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests;
