//! Signatures that were found good, once a process: the same record comes from many neighbours, and in the simulator to
//! many nodes.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use echo_core::Digest;
use trust::{Envelope, NodeManifest};

use super::{PresenceError, PresenceRecord};

/// How many entries there may be at least before those that nobody holds are put away.
const FEW: usize = 1_024;

/// A record whose signature is good.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed {
    /// What it says.
    pub record: PresenceRecord,
    /// As it is passed on.
    pub envelope: Envelope,
    /// The digest of its certificate's envelope.
    pub certificate: Digest,
}

/// The memory; clones share it. It remembers what somebody holds, and so is never larger than twice all tables.
#[derive(Debug, Clone, Default)]
pub struct Memo(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    sealed: Remembered<Sealed>,
    manifests: Remembered<NodeManifest>,
}

#[derive(Debug)]
struct Remembered<T> {
    known: HashMap<Digest, Weak<T>>,
    /// At how many entries those that nobody holds are put away.
    full: usize,
}

impl<T> Default for Remembered<T> {
    fn default() -> Self {
        Self { known: HashMap::new(), full: FEW }
    }
}

impl<T> Remembered<T> {
    fn get(&self, name: &Digest) -> Option<Arc<T>> {
        self.known.get(name).and_then(Weak::upgrade)
    }

    fn put(&mut self, name: Digest, value: &Arc<T>) {
        if self.known.len() >= self.full {
            self.known.retain(|_, value| value.strong_count() > 0);
            self.full = FEW.max(self.known.len() * 2);
        }
        self.known.insert(name, Arc::downgrade(value));
    }
}

impl Memo {
    /// The record in `envelope`, once its signature is good. Says nothing of whether its node may be here.
    pub fn open(&self, envelope: &Envelope) -> Result<Arc<Sealed>, PresenceError> {
        let name = name(envelope);
        if let Some(known) = self.inner(|inner| inner.sealed.get(&name)) {
            return Ok(known);
        }
        let record = PresenceRecord::verify(envelope)?;
        let certificate = self::name(&record.certificate);
        let sealed = Arc::new(Sealed { record, envelope: envelope.clone(), certificate });
        self.inner(|inner| inner.sealed.put(name, &sealed));
        Ok(sealed)
    }

    /// One copy of a manifest that was verified from the certificate of this digest.
    pub(crate) fn manifest(&self, certificate: Digest, manifest: NodeManifest) -> Arc<NodeManifest> {
        self.inner(|inner| {
            inner.manifests.get(&certificate).unwrap_or_else(|| {
                let manifest = Arc::new(manifest);
                inner.manifests.put(certificate, &manifest);
                manifest
            })
        })
    }

    fn inner<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The digest of all that an envelope holds.
pub(crate) fn name(envelope: &Envelope) -> Digest {
    let mut bytes = Vec::with_capacity(envelope.payload.len() + 300);
    let mut add = |part: &str| {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    };
    add(&envelope.payload_type);
    add(&envelope.payload);
    for signature in &envelope.signatures {
        add(&signature.keyid.to_string());
        add(&signature.sig);
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_put_away() {
        let mut remembered = Remembered::default();
        let held = Arc::new(1_u64);
        remembered.put(Digest::of(b"held"), &held);
        for nth in 0..10_000_u64 {
            remembered.put(Digest::of(&nth.to_be_bytes()), &Arc::new(nth));
        }
        assert!(remembered.known.len() <= FEW);
        assert_eq!(remembered.get(&Digest::of(b"held")), Some(held));
    }
}
