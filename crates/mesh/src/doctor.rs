//! Why a path is bad, and what to do: from what was observed to a cause in words.
//!
//! Nothing is guessed that was not seen. Where two causes look the same from here, the finding names both and says how to
//! tell them apart.

mod ledgers;
mod seen;
mod whereabouts;

use serde::{Deserialize, Serialize};

pub use self::ledgers::ledgers;
pub use self::seen::{
    CandidateKind, Gateway, GatewayState, Interface, Multicast, Observations, Pair, PairState, Path, Peer,
};
pub use self::whereabouts::{MOVE_IS_TOLD_SECONDS, Whereabouts};
use crate::NodeId;

/// A difference of clocks that is worth a word, in seconds: certificates and logs are read with it in mind.
pub const SKEW_SECONDS: i64 = 60;
/// What the path must carry in one datagram: DTLS, SCTP and a useful payload (RFC 8831, section 5, asks for 1,200).
pub const LEAST_MTU: u32 = 1_280;

/// How a reason begins when a node has left in good order.
pub const GOODBYE: &str = "it said goodbye";

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Fine,
    /// It works, less well than it could.
    Note,
    /// It does not work.
    Problem,
}

/// Stable names of the causes, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Reached straight.
    Direct,
    /// Reached at another address than before.
    Moved,
    /// No interface has a carrier and an address.
    NoNetwork,
    /// Trust says no.
    Refused,
    /// Datagrams do not get through, the relay does.
    UdpBlocked,
    /// One side is behind a NAT that does not let the other in, the relay does.
    Nat,
    /// It was found and does not answer: cut off, switched off, or in another part of a partitioned network.
    Silent,
    /// It said goodbye.
    Gone,
    /// Its machine answers, and nobody listens.
    NotRunning,
    /// Only others reach it.
    OverOthers,
    /// The path is being looked for.
    Trying,
    /// Multicast does not come back.
    NoMulticast,
    /// A gateway cannot be used.
    GatewayAway,
    /// The clocks are far apart.
    ClockSkew,
    /// Large datagrams are lost.
    SmallMtu,
    /// A ledger is proven to have two histories.
    ForkedLedger,
    /// A ledger may have two histories.
    SuspectedLedger,
    /// What this node cosigned of a ledger cannot be read.
    DamagedMemory,
    /// The operator's list of revoked nodes is nearly full.
    ManyRevoked,
}

/// What the doctor says about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The cause.
    pub cause: Cause,
    /// The peer it is about; none when it is about this machine.
    pub about: Option<NodeId>,
    /// What is the matter.
    pub what: String,
    /// What was seen that says so.
    pub because: String,
    /// What to do about it; empty when there is nothing to do.
    pub advice: String,
}

/// What is the matter, the worst first.
pub fn diagnose(seen: &Observations) -> Vec<Finding> {
    let mut findings = Vec::new();
    let networked = seen.interfaces.iter().any(|i| i.up && !i.addresses.is_empty());
    if networked {
        findings.extend(multicast(seen));
    } else {
        findings.push(no_network(&seen.interfaces));
    }
    findings.extend(seen.gateways.iter().filter_map(gateway));
    for peer in &seen.peers {
        findings.push(path(peer, seen, networked));
        findings.extend(moved(peer));
        findings.extend(clock(peer));
        findings.extend(mtu(peer));
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    findings
}

fn no_network(interfaces: &[Interface]) -> Finding {
    let names: Vec<&str> = interfaces.iter().map(|i| i.name.as_str()).collect();
    Finding {
        level: Level::Problem,
        cause: Cause::NoNetwork,
        about: None,
        what: "this machine has no network".to_owned(),
        because: if names.is_empty() {
            "it has no interface but loopback".to_owned()
        } else {
            format!("no interface is up with an address: {}", names.join(", "))
        },
        advice: "plug the cable in or join the wireless network; everything waits on disk until then"
            .to_owned(),
    }
}

fn multicast(seen: &Observations) -> Option<Finding> {
    let Multicast::Silent(why) = &seen.multicast else { return None };
    Some(Finding {
        level: Level::Note,
        cause: Cause::NoMulticast,
        about: None,
        what: "nodes of this network are not found by themselves".to_owned(),
        because: format!("multicast DNS does not come back: {why}"),
        advice: "let UDP port 5353 pass between the machines (wireless access points: switch client isolation off), or \
                 name the peers in the settings"
            .to_owned(),
    })
}

fn gateway(gateway: &Gateway) -> Option<Finding> {
    let (because, advice) = match &gateway.state {
        GatewayState::Connected { .. } => return None,
        GatewayState::Refused { code, reason } => {
            (format!("it refuses this node ({code}): {reason}"), trust_advice(code))
        }
        GatewayState::Unreachable { why } => (
            why.clone(),
            "check the address, and that TCP to it is allowed: it is the way where UDP is not".to_owned(),
        ),
    };
    Some(Finding {
        level: Level::Note,
        cause: Cause::GatewayAway,
        about: None,
        what: format!("the gateway {} cannot be used", gateway.url),
        because,
        advice,
    })
}

fn path(peer: &Peer, seen: &Observations, networked: bool) -> Finding {
    if let Some((code, reason)) = &peer.refused {
        return finding(
            peer,
            Level::Problem,
            Cause::Refused,
            "is refused",
            format!("{reason} ({code})"),
            trust_advice(code),
        );
    }
    match peer.path {
        Path::Direct => {
            finding(peer, Level::Fine, Cause::Direct, "is reached straight", speed(peer), String::new())
        }
        Path::Relayed => relayed(peer),
        Path::None => unreached(peer, seen, networked),
    }
}

fn relayed(peer: &Peer) -> Finding {
    let direct: Vec<&Pair> = peer.pairs.iter().filter(|pair| is_straight(pair)).collect();
    if direct.iter().any(|pair| matches!(pair.state, PairState::Trying | PairState::Waiting)) {
        let because = format!("{} straight paths are still being tried; {}", direct.len(), speed(peer));
        return finding(
            peer,
            Level::Note,
            Cause::Trying,
            "is reached through a relay",
            because,
            String::new(),
        );
    }
    // A peer whose address changed under way is peer-reflexive, too: it says something only while it answers.
    let behind_nat = peer.pairs.iter().any(|pair| {
        [pair.local_kind, pair.remote_kind].iter().any(|kind| match kind {
            CandidateKind::ServerReflexive => true,
            CandidateKind::PeerReflexive => pair.state != PairState::NoAnswer,
            _ => false,
        })
    });
    if behind_nat {
        let because = format!(
            "a NAT is on the way, and no answer came on {} straight paths; {}",
            direct.len(),
            speed(peer)
        );
        let advice = "forward a UDP port to one of the two, or leave it: the relay carries everything, sealed end to end";
        return finding(
            peer,
            Level::Note,
            Cause::Nat,
            "is reached through a relay",
            because,
            advice.to_owned(),
        );
    }
    let because =
        format!("no UDP answer came on {} straight paths, the relay works; {}", direct.len(), speed(peer));
    let advice = "allow UDP between the two machines in their firewalls, or leave it: the relay carries everything, \
                  sealed end to end";
    finding(peer, Level::Note, Cause::UdpBlocked, "is reached through a relay", because, advice.to_owned())
}

fn unreached(peer: &Peer, seen: &Observations, networked: bool) -> Finding {
    if let Some(nodes) = peer.reached_over.as_ref().filter(|nodes| !nodes.is_empty()) {
        let names: Vec<String> = nodes.iter().map(|n| format!("…{}", n.short())).collect();
        let because = format!(
            "no path of our own works ({}); others carry what is said: {}",
            tried(peer),
            names.join(", ")
        );
        let advice =
            "see what stands between the two machines: another network, a firewall, a wireless isolation";
        return finding(
            peer,
            Level::Note,
            Cause::OverOthers,
            "is reached over other nodes",
            because,
            advice.to_owned(),
        );
    }
    if !networked {
        let because = "this machine has no network".to_owned();
        return finding(peer, Level::Problem, Cause::NoNetwork, "is not reached", because, String::new());
    }
    told(peer).unwrap_or_else(|| silent(peer, seen))
}

/// What the peer's own last word says.
fn told(peer: &Peer) -> Option<Finding> {
    let said = peer.last_error.as_ref()?;
    let told = |level, cause, what: &str, advice: &str| {
        Some(finding(peer, level, cause, what, said.clone(), advice.to_owned()))
    };
    if said.contains(GOODBYE) {
        let advice = "start it again when it is wanted; work for it waits and is done once";
        return told(Level::Note, Cause::Gone, "has gone in good order", advice);
    }
    // The operating system's words, as every shell prints them.
    if said.contains("onnection refused") {
        let advice =
            "its machine answers and nobody listens there: start the program, with the mesh switched on";
        return told(Level::Problem, Cause::NotRunning, "is not reached", advice);
    }
    None
}

fn silent(peer: &Peer, seen: &Observations) -> Finding {
    let gateway = seen.gateways.iter().any(|g| matches!(g.state, GatewayState::Connected { .. }));
    if peer.answered && !gateway {
        let because = format!(
            "it answers over TCP, but no UDP answer came ({}), and no gateway is connected",
            tried(peer)
        );
        let advice = "allow UDP between the two machines, or connect both to a gateway".to_owned();
        return finding(peer, Level::Problem, Cause::UdpBlocked, "is not reached", because, advice);
    }
    let others = seen.peers.iter().filter(|p| p.path != Path::None).count();
    let because = match others {
        0 => format!(
            "nobody on this network is reached ({}): more likely this machine's own cable or switch",
            tried(peer)
        ),
        n => format!("{n} others are reached, it is not ({})", tried(peer)),
    };
    let advice = "see that it is switched on and plugged in, and on the same network; work for it waits and is done once";
    finding(peer, Level::Problem, Cause::Silent, "is not reached", because, advice.to_owned())
}

fn moved(peer: &Peer) -> Option<Finding> {
    let (before, since) = peer.whereabouts.before?;
    let at = peer.whereabouts.at.filter(|_| peer.path != Path::None)?;
    Some(finding(
        peer,
        Level::Fine,
        Cause::Moved,
        "has another address",
        format!("it was at {before}, and is at {at} since {since:.0}"),
        "nothing for the mesh, which knows it by its key: where its address was written down, such as in \
         `--mesh-peer`, write the new one"
            .to_owned(),
    ))
}

fn clock(peer: &Peer) -> Option<Finding> {
    let ahead = peer.clock_ahead_seconds.filter(|s| s.abs() > SKEW_SECONDS)?;
    let direction = if ahead > 0 { "ahead of" } else { "behind" };
    Some(finding(
        peer,
        Level::Note,
        Cause::ClockSkew,
        "has another time",
        format!("its clock is {} s {direction} ours", ahead.abs()),
        "set the time on the one that is wrong: certificates are judged by each node's own clock".to_owned(),
    ))
}

fn mtu(peer: &Peer) -> Option<Finding> {
    let mtu = peer.path_mtu.filter(|mtu| *mtu < LEAST_MTU)?;
    Some(finding(
        peer,
        Level::Note,
        Cause::SmallMtu,
        "loses large datagrams",
        format!("nothing above {mtu} bytes came through; {LEAST_MTU} are needed"),
        "look for a tunnel or VPN on the way whose MTU is too small".to_owned(),
    ))
}

fn finding(peer: &Peer, level: Level, cause: Cause, what: &str, because: String, advice: String) -> Finding {
    let key = || peer.node.map_or_else(|| peer.place.clone(), |node| format!("…{}", node.short()));
    let who = peer.name.clone().unwrap_or_else(key);
    Finding { level, cause, about: peer.node, what: format!("{who} {what}"), because, advice }
}

fn is_straight(pair: &Pair) -> bool {
    ![pair.local_kind, pair.remote_kind]
        .iter()
        .any(|kind| matches!(kind, CandidateKind::Turn | CandidateKind::Gateway))
}

fn speed(peer: &Peer) -> String {
    peer.rtt_micros.map_or_else(
        || "not measured yet".to_owned(),
        |micros| format!("a round trip takes {}.{} ms", micros / 1_000, micros % 1_000 / 100),
    )
}

fn tried(peer: &Peer) -> String {
    match (&peer.last_error, peer.pairs.len()) {
        (Some(error), _) => error.clone(),
        (None, 0) => "no attempt has been made yet".to_owned(),
        (None, pairs) => format!("{pairs} paths tried"),
    }
}

/// What to do about a refusal of [`crate::admission::Refusal::code`].
fn trust_advice(code: &str) -> String {
    match code {
        "expired" => "enrol the device again, or renew its manifest on the platform",
        "revoked" => "it was taken out of care on purpose: enrol it anew if that was wrong",
        "other_realm" => "it belongs to another customer; they never meet, and need not",
        "not_yet" => "its manifest is from the future: compare the two clocks",
        "unsigned" | "unknown_issuer" | "malformed" => "enrol it with the platform that this node trusts",
        "wrong_key" => "somebody uses the manifest of another node: find out who",
        "wrong_token" | "replayed" => {
            "an old or copied offer; the next attempt settles it, else look who sends it"
        }
        _ => "see the words of the refusal",
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
