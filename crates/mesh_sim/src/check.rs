//! What must be true in the end.

use std::collections::BTreeSet;

use mesh::NodeId;

use crate::{
    Report,
    host::{Host, Kind},
    world::World,
};

pub(crate) fn judge(world: &mut World) -> Report {
    doors(world);
    reach(world);
    pulses(world);
    settlements(world);
    trust_versions(world);
    ledgers(world);
    world.faults.append(&mut world.platform.faults);
    if !world.faults.is_empty() {
        world.faults.extend(world.warnings.iter().rev().take(25).rev().map(|line| format!("  {line}")));
    }
    Report {
        faults: std::mem::take(&mut world.faults),
        nodes: world.hosts.len(),
        links: world.network.made(),
        executed: world.executed.len(),
        settled: world.platform.receipts,
        pulses: world.platform.pulses.values().map(Vec::len).sum(),
        cosignatures: world.cosignatures,
        forked: world.shown_other,
        messages: world.messages,
        bytes: world.bytes,
        turned_away: world.turned_away,
    }
}

/// Nobody is linked with, or a member for, whom it may not be.
fn doors(world: &mut World) {
    let (now, mut faults) = (world.now, Vec::new());
    let banned: BTreeSet<NodeId> = world.hosts.iter().filter(|h| banned(world, h)).map(Host::id).collect();
    let realm_of = |id: &NodeId| world.hosts.iter().find(|h| h.id() == *id).map(|h| h.customer);
    let realms: Vec<(NodeId, Option<Option<u8>>)> =
        world.hosts.iter().map(|h| (h.id(), realm_of(&h.id()))).collect();
    for host in world.hosts.iter_mut().filter(|h| honest(h)) {
        let clock = host.clock(now);
        let Some(node) = host.node.as_mut() else { continue };
        let view = node.view(clock);
        for member in &view.members {
            let other = realms.iter().find(|(id, _)| *id == member.node).and_then(|(_, realm)| *realm);
            let apart = host.customer.is_some() && other.is_none_or(|o| o.is_some() && o != host.customer);
            if apart {
                faults.push(format!("{} knows of {:?} of another realm", host.name, member.node));
            }
            if banned.contains(&member.node) {
                faults.push(format!("{} still counts {:?} as a member", host.name, member.node));
            }
        }
        for link in view.links.iter().filter(|link| banned.contains(&link.node)) {
            faults.push(format!("{} is still linked with {:?}", host.name, link.node));
        }
    }
    world.faults.append(&mut faults);
}

/// Everybody honest sees just those reachable who are.
fn reach(world: &mut World) {
    let (now, mut faults) = (world.now, Vec::new());
    let live: Vec<(NodeId, Option<u8>, String)> = world
        .hosts
        .iter()
        .filter(|h| honest(h) && h.node.is_some())
        .map(|h| (h.id(), h.customer, h.name.clone()))
        .collect();
    let honest_ids: BTreeSet<NodeId> = world.hosts.iter().filter(|h| honest(h)).map(Host::id).collect();
    for host in world.hosts.iter_mut().filter(|h| honest(h)) {
        let clock = host.clock(now);
        let (me, mine) = (host.id(), host.customer);
        let Some(node) = host.node.as_mut() else { continue };
        let meets = |other: Option<u8>| mine.is_none() || other.is_none() || other == mine;
        let expected: BTreeSet<NodeId> = live
            .iter()
            .filter(|(id, customer, _)| *id != me && meets(*customer))
            .map(|(id, ..)| *id)
            .collect();
        let view = node.view(clock);
        let counted = node.reachable();
        let shown = view.members.iter().filter(|member| member.reachable).count();
        if counted != shown {
            faults.push(format!("{} counts {counted} as reachable and shows {shown}", host.name));
        }
        let seen: BTreeSet<NodeId> = view
            .members
            .iter()
            .filter(|member| member.reachable && honest_ids.contains(&member.node))
            .map(|member| member.node)
            .collect();
        let name = |id: &NodeId| {
            live.iter().find(|(other, ..)| other == id).map_or("?".to_owned(), |(.., n)| n.clone())
        };
        for missing in expected.difference(&seen) {
            let member = view.members.iter().find(|m| m.node == *missing);
            let what = member.map(|m| (m.state, m.hops));
            faults.push(format!("{} does not see {} as reachable: {what:?}", host.name, name(missing)));
        }
        for extra in seen.difference(&expected) {
            faults.push(format!("{} sees {} as reachable, which is not there", host.name, name(extra)));
        }
    }
    world.faults.append(&mut faults);
}

/// No pulse that was acknowledged is lost, none stands twice, and none is left lying.
fn pulses(world: &mut World) {
    let mut faults = Vec::new();
    for host in world.hosts.iter().filter(|h| h.kind == Kind::Honest && h.customer.is_some()) {
        let kept = world.platform.pulses.get(&host.id()).cloned().unwrap_or_default();
        let whole: Vec<u64> = (1..=kept.len() as u64).collect();
        if kept != whole {
            faults.push(format!("the pulses of {} are not an unbroken row: {kept:?}", host.name));
        }
        if (kept.len() as u64) < host.disk.acknowledged {
            faults.push(format!("acknowledged pulses of {} are lost", host.name));
        }
        if host.node.is_some() && !host.disk.pulses.is_empty() {
            faults.push(format!(
                "{} pulses of {} were never acknowledged",
                host.disk.pulses.len(),
                host.name
            ));
        }
    }
    world.faults.append(&mut faults);
}

/// Every answered call of a machine that lives is settled, once; what was charged is what was done.
fn settlements(world: &mut World) {
    let (now, mut faults) = (world.now, Vec::new());
    for host in world.hosts.iter_mut().filter(|h| honest(h)) {
        let clock = host.clock(now);
        if let Some(node) = host.node.as_mut() {
            let view = node.view(clock);
            if view.unsettled > 0 {
                faults.push(format!("{} has {} calls that were never settled", host.name, view.unsettled));
            }
        }
        for (call, entry) in &host.disk.entries {
            let settled = world.platform.settled.get(call);
            if entry.settled && entry.answer.is_some() {
                let answer = entry.answer.as_ref().map(mesh::digest_of);
                let charged = settled.is_some();
                if charged && settled != answer.as_ref() {
                    faults.push(format!("{call} was settled by another answer than is kept"));
                }
            }
            if host.node.is_some() && entry.answer.is_none() {
                faults.push(format!("{call} was begun by {} and never ended", host.name));
            }
        }
    }
    let unknown = world.platform.settled.keys().filter(|call| !world.executed.contains_key(call)).count();
    // A call that was kept just before a crash is answered as failed, without having been begun.
    if unknown > world.hosts.iter().map(|h| h.disk.entries.len()).sum() {
        faults.push(format!("{unknown} calls were settled that nobody carried out"));
    }
    world.faults.append(&mut faults);
}

/// News of trust reached everybody.
fn trust_versions(world: &mut World) {
    let version = world.house.registry().version;
    let list = world.hosts[0].trust.revocations().map_or(0, |list| list.version);
    let behind: Vec<String> = world
        .hosts
        .iter()
        .filter(|h| honest(h) && h.node.is_some())
        .filter(|h| h.trust.version() != version || h.trust.revocations().map_or(0, |l| l.version) != list)
        .map(|h| {
            let known = (h.trust.version(), h.trust.revocations().map_or(0, |l| l.version));
            format!("{} knows news of trust up to {known:?}, not {:?}", h.name, (version, list))
        })
        .collect();
    world.faults.extend(behind);
}

/// Nobody takes an honest ledger for one with two histories. Of one that has two, everybody has the proof, once honest nodes
/// that may meet cosigned two heads that make one. Where they did not, because a head was followed by larger ones before
/// anybody cosigned it, or because the two were shown to two customers alone, somebody suspects it.
fn ledgers(world: &mut World) {
    let (now, forked, provable, mut faults) =
        (world.now, world.shown_other, world.ledger.provable, Vec::new());
    let mut noticed = false;
    for host in world.hosts.iter_mut().filter(|h| honest(h)) {
        let clock = host.clock(now);
        let Some(node) = host.node.as_mut() else { continue };
        let seen = node.view(clock).witnessing;
        noticed |= !seen.forks.is_empty() || !seen.suspicions.is_empty();
        if provable && seen.forks.is_empty() || !forked && !seen.forks.is_empty() {
            faults.push(format!(
                "{} of customer {:?}: the ledger has two histories: {forked}, provable: {provable}, it knows {:?}; it \
                 cosigned {:?}",
                host.name, host.customer, seen.forks, seen.heads
            ));
        }
        if !forked && !seen.suspicions.is_empty() {
            faults.push(format!("{} suspects an honest ledger: {:?}", host.name, seen.suspicions));
        }
        for head in
            seen.heads.iter().filter(|head| !forked && world.ledger.root(head.size) != Some(head.root.0))
        {
            faults.push(format!("{} cosigned {head:?}, which the ledger never was", host.name));
        }
        let on_disk = host.disk.witnessed.as_ref().is_some_and(|kept| kept.fork.is_some());
        if on_disk == seen.forks.is_empty() {
            faults.push(format!("{} keeps another proof than it shows: {:?}", host.name, seen.forks));
        }
    }
    if forked && !noticed {
        faults.push("the ledger has two histories, and no honest node noticed".to_owned());
    }
    world.faults.append(&mut faults);
}

fn honest(host: &Host) -> bool {
    host.kind == Kind::Honest
}

fn banned(world: &World, host: &Host) -> bool {
    host.kind == Kind::Stranger || world.hosts[0].trust.revoked(&host.id()).is_some()
}
