//! What is looked at before anything that came in is taken.

use std::collections::{HashSet, VecDeque};

use echo_core::{Digest, Timestamp};
use trust::{Envelope, NodeManifest};

use super::{ANSWER, Answer, CANDIDATES, Candidates, MAX_SDP_BYTES, OFFER, Offer, SessionId, Signed, within};
use crate::{
    NodeId,
    admission::{Admitted, Refusal, admit},
    document::Kind,
    news::Trust,
};

/// The most sessions that [`Seen`] remembers.
pub const MAX_SEEN: usize = 8192;

/// What a node needs of itself to judge what comes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// Its manifest.
    pub manifest: NodeManifest,
    /// The same, certified.
    pub certificate: Envelope,
    /// The token that it announces by multicast now.
    pub token: Option<String>,
}

impl Me {
    /// Its name.
    pub fn node(&self) -> NodeId {
        NodeId::of(&self.manifest.public_key)
    }
}

/// The attempt that an answer must answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Which session.
    pub session: SessionId,
    /// The digest of the offer's payload.
    pub offer: Digest,
    /// Who must answer, when the offer named somebody.
    pub node: Option<NodeId>,
}

/// The sessions of the offers that were taken, so that none is taken twice. Only offers that were found good count, so
/// that a stranger can push none out; the oldest goes first.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    order: VecDeque<SessionId>,
    sessions: HashSet<SessionId>,
}

impl Seen {
    /// Whether this session was taken.
    pub fn contains(&self, session: &SessionId) -> bool {
        self.sessions.contains(session)
    }

    fn note(&mut self, session: SessionId) {
        if self.order.len() >= MAX_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.sessions.remove(&oldest);
        }
        self.order.push_back(session);
        self.sessions.insert(session);
    }
}

/// The offer in `bytes` and its digest, once its maker is let in, signed it, and means this node. What costs little is
/// looked at first, so that a flood of bad offers is cheap. `seen` takes it in: the same offer is refused from then on.
pub fn check_offer(
    bytes: &[u8],
    trust: &Trust,
    me: &Me,
    now: Timestamp,
    seen: &mut Seen,
) -> Result<(Admitted, Offer, Digest), Refusal> {
    let signed = Signed::read(bytes)?;
    let offer: Offer = OFFER.claimed(&signed.body)?;
    offer.check()?;
    let mine = me.node();
    if offer.from == mine {
        return Err(Refusal::Myself);
    }
    if offer.to.is_some_and(|to| to != mine) {
        return Err(Refusal::NotForMe);
    }
    if offer.token.is_some() && offer.token != me.token {
        return Err(Refusal::WrongToken);
    }
    if seen.contains(&offer.session) {
        return Err(Refusal::Replayed);
    }
    let admitted = maker(&signed, offer.from, OFFER, trust, me, now)?;
    seen.note(offer.session);
    Ok((admitted, offer, signed.digest()))
}

/// The answer in `bytes`, once its maker is let in, signed it, and answers what was asked.
pub fn check_answer(
    bytes: &[u8],
    trust: &Trust,
    me: &Me,
    now: Timestamp,
    expected: &Expected,
) -> Result<(Admitted, Answer), Refusal> {
    let signed = Signed::read(bytes)?;
    let answer: Answer = ANSWER.claimed(&signed.body)?;
    within("bytes of SDP", answer.sdp.len(), MAX_SDP_BYTES)?;
    let other = expected.node.is_some_and(|node| node != answer.from);
    if answer.to != me.node() || answer.session != expected.session || other {
        return Err(Refusal::NotForMe);
    }
    if answer.offer != expected.offer {
        return Err(Refusal::Replayed);
    }
    let admitted = maker(&signed, answer.from, ANSWER, trust, me, now)?;
    Ok((admitted, answer))
}

/// The candidates in `bytes`, once they come from the peer `from` of `session`, for this node, and after number `after`.
pub fn check_candidates(
    bytes: &[u8],
    me: &NodeId,
    from: &NodeId,
    session: SessionId,
    after: u64,
) -> Result<Candidates, Refusal> {
    let signed = Signed::read(bytes)?;
    let candidates: Candidates = CANDIDATES.claimed(&signed.body)?;
    candidates.check()?;
    if candidates.to != *me || candidates.session != session {
        return Err(Refusal::NotForMe);
    }
    if candidates.from != *from {
        return Err(Refusal::WrongKey);
    }
    CANDIDATES.signed(&signed.body, &from.key())?;
    if candidates.seq <= after {
        return Err(Refusal::Replayed);
    }
    Ok(candidates)
}

/// Who made it, once let in and seen to have signed it with the manifest's own key.
fn maker(
    signed: &Signed,
    from: NodeId,
    kind: Kind,
    trust: &Trust,
    me: &Me,
    now: Timestamp,
) -> Result<Admitted, Refusal> {
    let admitted = admit(&signed.manifest, trust, &me.manifest, now)?;
    let id = admitted.manifest.public_key.id();
    if admitted.node != from || !signed.body.signatures.iter().any(|s| s.keyid == id) {
        return Err(Refusal::WrongKey);
    }
    kind.signed(&signed.body, &admitted.manifest.public_key)?;
    Ok(admitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_bounded_and_the_oldest_goes_first() {
        let mut seen = Seen::default();
        let session = |nth: usize| {
            let mut id = [0; 16];
            id[..8].copy_from_slice(&nth.to_be_bytes());
            SessionId(id)
        };
        for nth in 0..=MAX_SEEN {
            seen.note(session(nth));
        }
        assert_eq!((seen.order.len(), seen.sessions.len()), (MAX_SEEN, MAX_SEEN));
        assert!(
            !seen.contains(&session(0)) && seen.contains(&session(1)) && seen.contains(&session(MAX_SEEN))
        );
    }
}
