//! When there are two sessions with one node, or about to be: which of them stands.
//!
//! When two nodes offer to one another at the same time, the offer of the lower [`NodeId`] stands. A session takes the place
//! of one that is up with the same node only when it has opened itself, which nobody but that node can make it do.

use std::time::{Duration, Instant};

use mesh::{Link, NodeId};

use crate::{
    actor::Actor,
    live::{Live, Stage},
    place::{is_gateway, stable},
};

/// A link that was heard this recently is in good health: a quiet one is asked sooner.
pub(crate) const HEALTHY: Duration = Duration::from_secs(4);
/// How long a session that is up has to show that it is.
const DOUBT: Duration = Duration::from_millis(400);

/// What there is already where an attempt is wanted.
pub(crate) enum UnderWay {
    Nothing,
    Attempt,
    Linked(NodeId),
}

impl Actor {
    /// Whether there is a session to this node or place already that may be good.
    pub(crate) fn under_way(&self, node: Option<NodeId>, place: &str) -> UnderWay {
        let now = Instant::now();
        let same = |live: &&Live| {
            // Behind one gateway there are many nodes; elsewhere one place is one node.
            let here = !is_gateway(place) && stable(&live.place) == stable(place) && live.mine;
            here || node.is_some() && live.node() == node
        };
        let good = |live: &&Live| !live.is_up() || live.session.heard_within(now, HEALTHY);
        match self.live.values().filter(same).filter(good).max_by_key(|live| live.is_up()) {
            None => UnderWay::Nothing,
            Some(live) => match live.node().filter(|_| live.is_up()) {
                Some(node) => UnderWay::Linked(node),
                None => UnderWay::Attempt,
            },
        }
    }

    /// Whether the session that is up with a node is asked first whether it still is: a node that crashed and came back
    /// answers offers, and knows nothing of that session. The answer to our offer waits for so long.
    pub(crate) async fn asks_first(&mut self, link: Link, node: NodeId, answer: &[u8]) -> bool {
        let Some(live) = self.live.get_mut(&link).filter(|live| live.waits.is_none()) else { return false };
        let since = live.began;
        let in_doubt = |(_, live): &(&Link, &mut Live)| {
            live.is_up() && live.node() == Some(node) && !live.session.proven_since(since)
        };
        let Some((&old, before)) = self.live.iter_mut().find(in_doubt) else { return false };
        before.session.ask_now(Instant::now());
        if let Some(live) = self.live.get_mut(&link) {
            live.waits = Some((Instant::now(), answer.to_vec()));
        }
        self.drive_boxed(old).await;
        true
    }

    /// Goes on with the answers that waited for long enough.
    pub(crate) async fn go_on(&mut self) {
        let waited = |live: &Live| live.waits.as_ref().is_some_and(|(since, _)| since.elapsed() >= DOUBT);
        let due: Vec<(Link, Vec<u8>)> = self
            .live
            .iter()
            .filter(|(_, live)| waited(live) && matches!(live.stage, Stage::Offered(_)))
            .filter_map(|(link, live)| Some((*link, live.waits.as_ref()?.1.clone())))
            .collect();
        for (link, answer) in due {
            self.answered(link, &answer).await;
        }
    }

    /// Nothing is kept of a session but what this gives back.
    pub(crate) fn forget(&mut self, link: Link) -> Option<Live> {
        self.paths.retain(|_, owner| *owner != link);
        self.live.remove(&link)
    }

    /// Whether our answered offer is one too many; otherwise theirs gives way, if there is one.
    pub(crate) async fn gives_way(&mut self, link: Link, node: NodeId) -> bool {
        let Some(since) = self.live.get(&link).map(|live| live.began) else { return true };
        let others: Vec<(Link, &Live)> = self
            .live
            .iter()
            .filter(|(other, live)| {
                **other != link && live.peer.as_ref().is_some_and(|peer| peer.node == node)
            })
            .map(|(other, live)| (*other, live))
            .collect();
        // One that is up and answered since, or that we offered before, stands.
        let stands = |live: &Live| if live.is_up() { live.session.proven_since(since) } else { live.mine };
        if others.iter().any(|(_, live)| stands(live)) {
            return true;
        }
        let half: Vec<Link> =
            others.iter().filter(|(_, live)| !live.is_up()).map(|(other, _)| *other).collect();
        if !half.is_empty() && node < self.identity.node() {
            return true;
        }
        for other in half {
            self.close(other, "both ends offered at once, the other offer stands").await;
        }
        false
    }
}
