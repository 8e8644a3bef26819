//! Who is alive, by SWIM with suspicion (Das, Gupta, Motivala 2002) as `foca` does it: one instance a realm.
//!
//! Nobody becomes a member by hearsay: what a packet says of a node that was not admitted, or of a life that the node has
//! not signed for in its presence record, is left out before the protocol sees it.

mod packet;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::{NonZeroU8, NonZeroUsize},
    time::Duration,
};

use echo_core::Timestamp;
use foca::{Foca, Member, NoCustomBroadcast, Notification, PeriodicParams, Runtime, State, Timer};
use rand::{SeedableRng as _, rngs::SmallRng};
use serde::{Deserialize, Serialize};

use self::packet::{Fixed, MAX_PACKET, Packet, Peer};
use crate::NodeId;

/// The most members of a realm that one node follows; whoever comes later is passed over.
pub const MAX_MEMBERS: usize = 16 * 1024;
/// How often one member is asked whether it lives.
pub const PROBE_PERIOD: Duration = Duration::from_secs(3);
/// How long an answer may take before others are asked to try.
const PROBE_RTT: Duration = Duration::from_millis(1_200);
/// How often news is passed on, while there is any.
const GOSSIP_PERIOD: Duration = Duration::from_millis(500);
/// How often members that are down are asked again: what mends a mesh that was cut in two.
const REVIVE_PERIOD: Duration = Duration::from_secs(10);
/// How often a random member is asked for the members that it knows.
const ASK_PERIOD: Duration = Duration::from_secs(30);
/// How long a member that is down is remembered.
const FORGET_AFTER: Duration = Duration::from_hours(1);

/// How a member stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Life {
    /// It answers.
    Alive,
    /// Somebody had no answer from it; it has some seconds to say otherwise.
    Suspect,
    /// It does not answer.
    Down,
}

/// What to send: to whom, and the packet.
pub(crate) type Outgoing = (NodeId, Vec<u8>);

/// The members of one realm, as this node knows them.
pub(crate) struct Members {
    swim: Foca<Peer, Fixed, SmallRng, NoCustomBroadcast>,
    hands: Hands,
    /// The number of members that the configuration is for.
    sized_for: usize,
}

/// What the protocol wants done.
#[derive(Default)]
struct Hands {
    now: Timestamp,
    outgoing: Vec<Outgoing>,
    timers: BTreeMap<(Timestamp, u64), Timer<Peer>>,
    timer_count: u64,
    alive: BTreeSet<NodeId>,
    reborn: bool,
    changed: bool,
}

impl Runtime<Peer> for &mut Hands {
    fn notify(&mut self, notification: Notification<'_, Peer>) {
        match notification {
            Notification::MemberUp(peer) => self.changed |= self.alive.insert(peer.node),
            Notification::MemberDown(peer) => self.changed |= self.alive.remove(&peer.node),
            Notification::Rejoin(_) => self.reborn = true,
            _ => {}
        }
    }

    fn send_to(&mut self, to: Peer, data: &[u8]) {
        self.outgoing.push((to.node, data.to_vec()));
    }

    fn submit_after(&mut self, event: Timer<Peer>, after: Duration) {
        // A span of hours never overflows a time of this century.
        let at = self.now.checked_add(after).unwrap_or(Timestamp::MAX);
        self.timer_count += 1;
        self.timers.insert((at, self.timer_count), event);
    }
}

impl Members {
    /// This node alone. `life` must be later than any before: the time of the start.
    pub(crate) fn new(me: NodeId, life: u64, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        let swim = Foca::new(Peer { node: me, life }, sized(1), rng, Fixed);
        Self { swim, hands: Hands::default(), sized_for: 1 }
    }

    /// This node's present life.
    pub(crate) fn life(&self) -> u64 {
        self.swim.identity().life
    }

    /// Whether this node has begun a new life since the last call: others must learn of it.
    pub(crate) fn reborn(&mut self) -> bool {
        std::mem::take(&mut self.hands.reborn)
    }

    /// Whether somebody came or went since the last call.
    pub(crate) fn changed(&mut self) -> bool {
        std::mem::take(&mut self.hands.changed)
    }

    /// What is to be sent.
    pub(crate) fn outgoing(&mut self) -> Vec<Outgoing> {
        std::mem::take(&mut self.hands.outgoing)
    }

    /// Whether something is to be sent.
    pub(crate) fn has_mail(&self) -> bool {
        !self.hands.outgoing.is_empty()
    }

    /// When [`Members::tick`] wants to be called.
    pub(crate) fn deadline(&self) -> Option<Timestamp> {
        self.hands.timers.first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Timestamp) {
        self.hands.now = now;
        while let Some(entry) = self.hands.timers.first_entry()
            && entry.key().0 <= now
        {
            let timer = entry.remove();
            // The errors of a timer are reports, not failures: the protocol has mended itself when it gives one.
            let _ = self.swim.handle_timer(timer, &mut self.hands);
        }
        self.resize();
    }

    /// Takes a packet that says it comes from `from`. `life_of` gives the life that a node has signed for, none where it
    /// was not admitted; what the packet says of others and of later lives is left out. Whether anything was left to take.
    pub(crate) fn receive(
        &mut self,
        now: Timestamp,
        from: &NodeId,
        data: &[u8],
        life_of: impl Fn(&NodeId) -> Option<u64>,
    ) -> bool {
        self.hands.now = now;
        let Ok(mut packet) = Packet::read(data) else { return false };
        let me = *self.swim.identity();
        let known = |peer: &Peer| {
            let signed = if peer.node == me.node { Some(me.life) } else { life_of(&peer.node) };
            signed.is_some_and(|life| peer.life <= life)
        };
        let src = packet.header.src;
        if src.node != *from
            || src.node == me.node
            || !known(&src)
            || packet.third().is_some_and(|t| !known(&t))
        {
            return false;
        }
        packet.updates.retain(|update| known(update.id()));
        let Ok(data) = packet.write() else { return false };
        let taken = self.swim.handle_data(&data, &mut self.hands).is_ok();
        self.resize();
        taken
    }

    /// A verified presence record says that `node` lives its life `life`, or a link to it is up.
    pub(crate) fn heard(&mut self, now: Timestamp, node: NodeId, life: u64) {
        self.hands.now = now;
        let peer = Peer { node, life };
        if node == self.swim.identity().node || self.hands.timers.len() > 4 * MAX_MEMBERS {
            return;
        }
        let news = std::iter::once(Member::alive(peer));
        let _ = self.swim.apply_many(news, true, &mut self.hands);
        if !self.hands.alive.contains(&node) {
            // It was declared down and does not know: the answer to this makes one of us begin a new life.
            let _ = self.swim.announce(peer, &mut self.hands);
        }
        self.resize();
    }

    /// A link to `node` is up: ask it for the members that it knows.
    pub(crate) fn greet(&mut self, now: Timestamp, node: NodeId, life: u64) {
        self.heard(now, node, life);
        let _ = self.swim.announce(Peer { node, life }, &mut self.hands);
    }

    /// `node` may not be here any more: it counts as down, and nobody is told.
    pub(crate) fn expel(&mut self, now: Timestamp, node: &NodeId) {
        self.hands.now = now;
        let found = self.swim.iter_members().find(|member| member.id().node == *node).cloned();
        if let Some(member) = found {
            let down = Member::new(*member.id(), member.incarnation(), State::Down);
            let _ = self.swim.apply_many(std::iter::once(down), false, &mut self.hands);
        }
    }

    /// Tells some members that this node goes.
    pub(crate) fn leave(&mut self, now: Timestamp) {
        self.hands.now = now;
        let _ = self.swim.leave_cluster(&mut self.hands);
    }

    /// Whether `node` counts as alive.
    pub(crate) fn is_alive(&self, node: &NodeId) -> bool {
        self.hands.alive.contains(node)
    }

    /// How many others are alive.
    #[cfg(test)]
    pub(crate) fn alive(&self) -> usize {
        self.hands.alive.len()
    }

    /// Everybody who is remembered.
    pub(crate) fn states(&self) -> impl Iterator<Item = (NodeId, Life)> {
        self.swim.iter_membership_state().map(|member| {
            let life = match member.state() {
                State::Alive => Life::Alive,
                State::Suspect => Life::Suspect,
                State::Down => Life::Down,
            };
            (member.id().node, life)
        })
    }

    /// This node signed for a later life before it started again, with a clock that ran behind: it is to be later still.
    pub(crate) fn live_after(&mut self, now: Timestamp, life: u64) {
        if life < self.life() {
            return;
        }
        self.hands.now = now;
        let me = Peer { node: self.swim.identity().node, life: life.saturating_add(1) };
        let _ = self.swim.change_identity(me, &mut self.hands);
        self.hands.reborn = true;
    }

    /// Fits the configuration to the number of members, once it has changed by half.
    fn resize(&mut self) {
        let members = self.hands.alive.len() + 1;
        if members * 2 > self.sized_for * 3 || members * 3 < self.sized_for * 2 {
            self.sized_for = members;
            let _ = self.swim.set_config(sized(members));
        }
    }
}

/// The protocol's times and counts for `members`: news goes out often enough to reach everybody, and a suspect has the
/// time that its answer may need (both grow with the logarithm of the members, as in memberlist's LAN defaults).
fn sized(members: usize) -> foca::Config {
    let digits = members.max(1).ilog10() + 1;
    let one = NonZeroUsize::MIN;
    let every = |frequency, count| Some(PeriodicParams { frequency, num_members: one.saturating_add(count) });
    foca::Config {
        probe_period: PROBE_PERIOD,
        probe_rtt: PROBE_RTT,
        num_indirect_probes: one.saturating_add(2),
        max_transmissions: NonZeroU8::MIN.saturating_add(u8::try_from(4 * digits).unwrap_or(u8::MAX)),
        suspect_to_down_after: PROBE_PERIOD * (1 + digits),
        remove_down_after: Some(FORGET_AFTER),
        max_packet_size: one.saturating_add(MAX_PACKET - 1),
        notify_down_members: true,
        periodic_announce: every(ASK_PERIOD, 0),
        periodic_announce_to_down_members: every(REVIVE_PERIOD, 1),
        periodic_gossip: every(GOSSIP_PERIOD, 2),
    }
}

#[cfg(test)]
mod tests;
