//! What a node knows of trust, and how it spreads from neighbour to neighbour: newer versions of the trust registry, the
//! list of revoked nodes, deprecation notices. Each is believed for its signatures alone, whoever brings it, and nothing
//! known is ever taken back for something older.
//!
//! The order of the day between two neighbours: each says [`Hello`]; each sends what the other lacks
//! ([`Trust::for_neighbour`]); who learned something says `Hello` again to all of its neighbours. It ends when nobody
//! learns anything.

mod notices;

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use echo_core::{Digest, Timestamp};
use governance::narrowed;
use trust::{
    Envelope, KeyRole, NodeRevocations, Registry, RevokedNode, TrustChain, TrustError,
    registry::REGISTRY_TYPE,
};

use self::notices::Notices;
use crate::{
    Hello, Message, NodeId,
    document::digest_of,
    wire::{MAX_NEWS, Message as M},
};

pub use self::notices::MAX_KNOWN_NOTICES;

/// The most bytes of envelopes in one message of news, so that it fits its stream.
pub const MAX_NEWS_BYTES: usize = 184 * 1024;

/// News that was verified: to save, and for [`Trust::apply`] wherever else on this machine trust is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// These versions follow the newest that was known, oldest first.
    Registry(Vec<Envelope>),
    /// This list of revoked nodes takes the place of the one that was known.
    Revocations(Envelope),
    /// These deprecation notices came in addition.
    Notices(Vec<Envelope>),
}

/// Why news is not believed. What is known stays as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NewsError {
    /// Two versions of one number were rightly signed: somebody tells two histories.
    #[error(
        "version {version} of the {what} was signed twice, with different contents: ask the operator at once what happened"
    )]
    Forked {
        /// Of what.
        what: &'static str,
        /// Which.
        version: u64,
    },
    /// It is not signed as it must be, or breaks its own rules.
    #[error("news of trust is not believed: {0}")]
    NotBelieved(String),
    /// What this node knows has expired, so that it cannot judge anything but newer versions of the registry.
    #[error("this node must first learn a newer trust registry: {0}")]
    OutOfDate(String),
}

/// What a node knows of trust. A copy shares everything with its original until one of them learns something.
#[derive(Debug, Clone)]
pub struct Trust {
    pinned: Digest,
    chain: Arc<TrustChain>,
    newest: Arc<Registry>,
    revocations: Option<Arc<Revoked>>,
    notices: Arc<Notices>,
}

#[derive(Debug)]
struct Revoked {
    list: NodeRevocations,
    /// Where each node stands on it, by `did:key`.
    places: HashMap<String, usize>,
    envelope: Envelope,
}

impl Revoked {
    fn new(list: NodeRevocations, envelope: Envelope) -> Arc<Self> {
        let places = list.nodes.iter().enumerate().map(|(at, node)| (node.did.clone(), at)).collect();
        Arc::new(Self { list, places, envelope })
    }
}

impl Trust {
    /// What was kept: the chain, which must stand on the `pinned` root, the list of revoked nodes, the notices. An
    /// expired registry is taken, for its owner may be on the way to a newer one; it just lets nobody in.
    pub fn new(
        chain: TrustChain,
        pinned: Digest,
        revocations: Option<Envelope>,
        notices: &[Envelope],
    ) -> Result<Self, TrustError> {
        if chain.fingerprint() != pinned {
            return Err(TrustError::WrongRoot { pinned, found: chain.fingerprint() });
        }
        let newest = Arc::new(chain.newest()?);
        let revocations = match revocations {
            Some(envelope) => kept(envelope, &newest)?,
            None => None,
        };
        let notices = Arc::new(Notices::believed(notices, &newest));
        Ok(Self { pinned, chain: Arc::new(chain), newest, revocations, notices })
    }

    /// The registry to judge new documents by at `now`: the newest, without the keys that a notice refuses by then.
    pub fn registry(&self, now: Timestamp) -> Result<Cow<'_, Registry>, TrustError> {
        let newest = self.in_force(now)?;
        let refusing = self.notices.refusing(newest, now);
        if refusing.is_empty() {
            return Ok(Cow::Borrowed(newest));
        }
        Ok(Cow::Owned(narrowed(newest, &refusing, now)))
    }

    /// The number of the newest registry that is known, expired or not.
    pub fn version(&self) -> u64 {
        self.newest.version
    }

    /// The newest registry that is known, expired or not: for what does not lapse, such as which keys sign the ledgers.
    pub fn newest(&self) -> &Registry {
        &self.newest
    }

    /// The whole chain, to save or to show.
    pub fn chain(&self) -> &TrustChain {
        &self.chain
    }

    /// The fingerprint of the root.
    pub fn pinned(&self) -> Digest {
        self.pinned
    }

    /// The list of revoked nodes; none when none is known.
    pub fn revocations(&self) -> Option<&NodeRevocations> {
        self.revocations.as_ref().map(|known| &known.list)
    }

    /// Whether and why a node was revoked.
    pub fn revoked(&self, node: &NodeId) -> Option<&RevokedNode> {
        let known = self.revocations.as_ref()?;
        known.list.nodes.get(*known.places.get(&node.to_string())?)
    }

    /// The deprecation notices that are known, by digest, as they were signed.
    pub fn notices(&self) -> impl Iterator<Item = (Digest, &Envelope)> {
        self.notices.all()
    }

    /// What to greet a neighbour with.
    pub fn hello(&self, now: Timestamp) -> Hello {
        Hello {
            at: now,
            registry: self.version(),
            revocations: self.revocations().map_or(0, |list| list.version),
            notices: self.notices.summary(),
        }
    }

    /// What to send to a neighbour that said `hello`, in this order. After many missing versions of the registry it says
    /// hello again, and gets more.
    pub fn for_neighbour(&self, hello: &Hello) -> Vec<Message> {
        let mut messages = Vec::new();
        let versions = self.versions_after(hello.registry, MAX_NEWS, MAX_NEWS_BYTES);
        let more = hello.registry.saturating_add(versions.len() as u64) < self.version();
        if !versions.is_empty() {
            messages.push(M::Registry { versions });
        }
        if more {
            // The rest may be signed by keys that it does not know yet.
            return messages;
        }
        if let Some(known) = self.revocations.as_ref().filter(|known| known.list.replaces(hello.revocations))
        {
            messages.push(M::Revocations { list: known.envelope.clone() });
        }
        if hello.notices != self.notices.summary() {
            messages.extend(self.notices.messages());
        }
        messages
    }

    /// The versions after number `version`, oldest first: as many as are within `most` and `most_bytes` as JSON.
    pub fn versions_after(&self, version: u64, most: usize, most_bytes: usize) -> Vec<Envelope> {
        let known = usize::try_from(version).unwrap_or(usize::MAX);
        packed(self.chain.versions().iter().skip(known).take(most), most_bytes)
    }

    /// Takes in what a neighbour sent. The news, when it was some; nothing when it was known already or is no news at all.
    pub fn merge(&mut self, message: &Message, now: Timestamp) -> Result<Option<News>, NewsError> {
        match message {
            M::Registry { versions } => self.catch_up(versions),
            M::Revocations { list } => self.take_revocations(list, now),
            M::Notices { notices } => self.take_notices(notices, now),
            _ => Ok(None),
        }
    }

    /// Takes in what was verified elsewhere on this machine, verifying it again. Whether it was new.
    pub fn apply(&mut self, news: &News, now: Timestamp) -> Result<bool, NewsError> {
        let taken = match news {
            News::Registry(versions) => self.catch_up(versions),
            News::Revocations(list) => self.take_revocations(list, now),
            News::Notices(notices) => self.take_notices(notices, now),
        };
        Ok(taken?.is_some())
    }

    /// Takes in versions of the registry, whoever brings them: each is signed by the root before it. This is how a node
    /// that was away for months comes back, before it can let anybody in. One that does not follow costs one signature.
    pub fn catch_up(&mut self, versions: &[Envelope]) -> Result<Option<News>, NewsError> {
        let mut taken = Vec::new();
        for envelope in versions.iter().take(MAX_NEWS) {
            if self.chain.versions().iter().any(|known| known.payload == envelope.payload) {
                continue;
            }
            match self.append(envelope) {
                Ok(()) => taken.push(envelope.clone()),
                Err(why) if taken.is_empty() => return Err(why),
                // What came before it was good.
                Err(_) => break,
            }
        }
        if taken.is_empty() {
            return Ok(None);
        }
        // What the old registry vouched for is judged by the new one.
        let envelope = self.revocations.take().map(|known| known.envelope.clone());
        self.revocations = envelope.and_then(|envelope| kept(envelope, &self.newest).ok().flatten());
        self.notices = Arc::new(self.notices.judged_by(&self.newest));
        Ok(Some(News::Registry(taken)))
    }

    fn append(&mut self, envelope: &Envelope) -> Result<(), NewsError> {
        let threshold = self.newest.root.threshold as usize;
        let payload = envelope
            .verify_bytes(REGISTRY_TYPE, &self.newest.keys(KeyRole::Root), threshold)
            .map_err(|e| NewsError::NotBelieved(format!("after version {}: {e}", self.newest.version)))?;
        let next: Registry =
            serde_json::from_slice(&payload).map_err(|e| NewsError::NotBelieved(e.to_string()))?;
        if next.version <= self.newest.version {
            return Err(NewsError::Forked { what: "trust registry", version: next.version });
        }
        let mut chain = TrustChain::clone(&self.chain);
        let newest = chain.append(envelope.clone()).map_err(|e| NewsError::NotBelieved(e.to_string()))?;
        self.chain = Arc::new(chain);
        self.newest = Arc::new(newest);
        Ok(())
    }

    fn take_revocations(&mut self, envelope: &Envelope, now: Timestamp) -> Result<Option<News>, NewsError> {
        if self.revocations.as_ref().is_some_and(|known| known.envelope.payload == envelope.payload) {
            return Ok(None);
        }
        let registry = self.registry(now).map_err(|e| NewsError::OutOfDate(e.to_string()))?;
        let list = match NodeRevocations::verify(envelope, &registry) {
            Ok(list) => list,
            // Signed by a key that was retired since: no news, and no fault of who has not heard of it.
            Err(_) if NodeRevocations::verify_kept(envelope, &self.newest).is_ok() => return Ok(None),
            Err(why) => return Err(NewsError::NotBelieved(why.to_string())),
        };
        let known = self.revocations().map_or(0, |list| list.version);
        if list.version == known {
            return Err(NewsError::Forked { what: "list of revoked nodes", version: known });
        }
        if !list.replaces(known) {
            return Ok(None);
        }
        self.revocations = Some(Revoked::new(list, envelope.clone()));
        Ok(Some(News::Revocations(envelope.clone())))
    }

    fn take_notices(&mut self, envelopes: &[Envelope], now: Timestamp) -> Result<Option<News>, NewsError> {
        let new: Vec<&Envelope> = envelopes
            .iter()
            .take(MAX_NEWS)
            .filter(|envelope| !self.notices.knows(&digest_of(envelope)))
            .collect();
        if new.is_empty() {
            return Ok(None);
        }
        let registry = self.in_force(now).map_err(|e| NewsError::OutOfDate(e.to_string()))?;
        let mut notices = Notices::clone(&self.notices);
        let mut taken = Vec::new();
        let mut refused = None;
        for envelope in new {
            match notices.add(envelope, registry) {
                Ok(true) => taken.push(envelope.clone()),
                Ok(false) => {}
                Err(why) => refused = Some(NewsError::NotBelieved(why.to_string())),
            }
        }
        match (taken.is_empty(), refused) {
            (true, Some(why)) => Err(why),
            (true, None) => Ok(None),
            (false, _) => {
                self.notices = Arc::new(notices);
                Ok(Some(News::Notices(taken)))
            }
        }
    }

    fn in_force(&self, now: Timestamp) -> Result<&Registry, TrustError> {
        if self.newest.expires <= now {
            return Err(TrustError::Expired { version: self.newest.version, at: self.newest.expires });
        }
        Ok(&self.newest)
    }
}

/// The kept list of revoked nodes; none when the key that signed it was revoked since, for then it could say anything.
fn kept(envelope: Envelope, registry: &Registry) -> Result<Option<Arc<Revoked>>, TrustError> {
    match NodeRevocations::verify_kept(&envelope, registry) {
        Ok(list) => Ok(Some(Revoked::new(list, envelope))),
        Err(TrustError::Revoked { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

/// The first of `envelopes` that are together within `most_bytes` as JSON.
fn packed<'a>(envelopes: impl Iterator<Item = &'a Envelope>, most_bytes: usize) -> Vec<Envelope> {
    let mut left = most_bytes;
    envelopes
        .map_while(|envelope| {
            left = left.checked_sub(json_bytes(envelope))?;
            Some(envelope.clone())
        })
        .collect()
}

/// How many bytes an envelope takes in a list of JSON.
fn json_bytes(envelope: &Envelope) -> usize {
    serde_json::to_vec(envelope).map_or(usize::MAX, |json| json.len().saturating_add(1))
}

#[cfg(test)]
mod tests;
