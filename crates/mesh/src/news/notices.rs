//! The deprecation notices that a node knows: a bounded set that comes out the same whatever the order of arrival.

use std::collections::BTreeMap;

use echo_core::{Digest, Timestamp};
use governance::{DeprecationNotice, GovernanceError, NOTICE_TYPE, Standing};
use trust::{Envelope, KeyRole, Registry};

use super::{MAX_NEWS_BYTES, json_bytes};
use crate::{
    document::digest_of,
    wire::{MAX_NEWS, Message},
};

/// The most notices that are known at once; the youngest are.
pub const MAX_KNOWN_NOTICES: usize = 64;

#[derive(Debug, Clone, Default)]
pub(super) struct Notices(BTreeMap<Digest, (DeprecationNotice, Envelope)>);

impl Notices {
    /// Those of `envelopes` that the operator of `registry` signed.
    pub(super) fn believed(envelopes: &[Envelope], registry: &Registry) -> Self {
        let mut notices = Self::default();
        for envelope in envelopes {
            // What is not believed is passed over: a key that was taken out since has no say.
            let _ = notices.add(envelope, registry);
        }
        notices
    }

    /// Those that are believed under a newer registry.
    pub(super) fn judged_by(&self, registry: &Registry) -> Self {
        let holds = |(_, envelope): &(_, Envelope)| DeprecationNotice::verify(envelope, registry).is_ok();
        Self(self.0.iter().filter(|(_, known)| holds(known)).map(|(d, known)| (*d, known.clone())).collect())
    }

    pub(super) fn knows(&self, notice: &Digest) -> bool {
        self.0.contains_key(notice)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = (Digest, &Envelope)> {
        self.0.iter().map(|(digest, (_, envelope))| (*digest, envelope))
    }

    /// Adds a notice that the operator of `registry` signed. Whether it is new and stays.
    pub(super) fn add(&mut self, envelope: &Envelope, registry: &Registry) -> Result<bool, GovernanceError> {
        let notice = match DeprecationNotice::verify(envelope, registry) {
            Ok(notice) => notice,
            Err(_) if by_retired(envelope, registry) => return Ok(false),
            Err(why) => return Err(why),
        };
        let digest = digest_of(envelope);
        if self.knows(&digest) {
            return Ok(false);
        }
        self.0.insert(digest, (notice, envelope.clone()));
        if self.0.len() > MAX_KNOWN_NOTICES {
            let oldest = self.0.iter().map(|(digest, (known, _))| (known.issued, *digest)).min();
            if let Some((_, oldest)) = oldest {
                self.0.remove(&oldest);
            }
        }
        Ok(self.knows(&digest))
    }

    /// One digest for the whole set, the same for the same set.
    pub(super) fn summary(&self) -> Digest {
        let names: Vec<u8> = self.0.keys().flat_map(|digest| digest.0).collect();
        Digest::of(&names)
    }

    /// The notices that refuse keys by `now` which `registry` still takes.
    pub(super) fn refusing(&self, registry: &Registry, now: Timestamp) -> Vec<DeprecationNotice> {
        let still = |notice: &&DeprecationNotice| {
            notice.standing(now) == Standing::Refuses
                && notice
                    .keys
                    .iter()
                    .any(|gone| registry.keys(gone.role).iter().any(|key| key.id() == gone.key))
        };
        self.0.values().map(|(notice, _)| notice).filter(still).cloned().collect()
    }

    /// All of them, in messages that each fit their stream.
    pub(super) fn messages(&self) -> Vec<Message> {
        let mut messages = Vec::new();
        let (mut notices, mut bytes) = (Vec::new(), 0);
        for (_, envelope) in self.0.values() {
            let more = json_bytes(envelope);
            if notices.len() == MAX_NEWS || (bytes + more > MAX_NEWS_BYTES && !notices.is_empty()) {
                messages.push(Message::Notices { notices: std::mem::take(&mut notices) });
                bytes = 0;
            }
            bytes += more;
            notices.push(envelope.clone());
        }
        if !notices.is_empty() {
            messages.push(Message::Notices { notices });
        }
        messages
    }
}

/// Whether a notice is signed by operators' keys that were retired since: it says nothing any more, and is no fault of who
/// has not heard of that.
fn by_retired(envelope: &Envelope, registry: &Registry) -> bool {
    let mut retired = registry.retired.iter().filter(|gone| gone.role == KeyRole::Operator);
    retired.any(|gone| envelope.verify_bytes(NOTICE_TYPE, &[gone.key], 1).is_ok())
}
