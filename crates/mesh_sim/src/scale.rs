//! How the mesh grows: a quiet mesh of many customers, measured.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    chaos::{Part, Plan},
    host::Kind,
    house::START,
    world::{Happening, SECOND, World},
};

/// The most nodes of one customer here.
const REALM: usize = 100;
/// How long a mesh may take to come together, in simulated seconds.
const PATIENCE: i64 = 600;
/// How long a mesh that has come together is left alone before it is watched, in simulated seconds.
const SETTLING: i64 = 30;
/// How long a quiet mesh of up to [`WATCHED_WHOLE`] nodes is watched, in simulated seconds: every record is renewed.
const WATCHED: i64 = 7_200;
/// The most nodes of a mesh that is watched for so long.
const WATCHED_WHOLE: usize = 100;
/// How long a larger one is watched: its records are not renewed meanwhile.
const WATCHED_MANY: i64 = 60;

/// What was measured on one mesh.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// How many nodes.
    pub nodes: usize,
    /// How many customers they belong to.
    pub customers: usize,
    /// How many of them are the operator's.
    pub operators: usize,
    /// Simulated seconds until everybody saw everybody of its realm as reachable; none when it took too long.
    pub converged: Option<i64>,
    /// Bytes that a node sent each second once all was quiet.
    pub bytes_a_node_a_second: f64,
    /// The same by what they were.
    pub kinds: BTreeMap<String, f64>,
    /// Messages that a node sent each second then.
    pub messages_a_node_a_second: f64,
    /// Simulated seconds until everybody saw that one in a hundred (one at least) had failed; none when it took too long.
    pub noticed: Option<i64>,
    /// For how many simulated seconds the quiet mesh was watched.
    pub watched: i64,
    /// Links that are up, for each node.
    pub links_a_node: f64,
}

impl Measured {
    /// One line of JSON.
    pub fn line(&self, resident_before: Option<u64>, resident: Option<u64>, took: Duration) -> String {
        let memory =
            resident.zip(resident_before).map(|(now, before)| now.saturating_sub(before) / self.nodes as u64);
        serde_json::json!({
            "bench": "mesh_scale",
            "nodes": self.nodes,
            "customers": self.customers,
            "operators": self.operators,
            "converged_s": self.converged,
            "bytes_node_s": self.bytes_a_node_a_second.round(),
            "of_which": self.kinds.iter().map(|(kind, sum)| (kind, sum.round())).collect::<BTreeMap<_, _>>(),
            "messages_node_s": (self.messages_a_node_a_second * 100.0).round() / 100.0,
            "noticed_s": self.noticed,
            "links_node": (self.links_a_node * 10.0).round() / 10.0,
            "memory_node_bytes": memory,
            "watched_s": self.watched,
            "wall_s": took.as_secs_f64().round(),
        })
        .to_string()
    }
}

/// Grows a mesh of so many nodes and measures it; `at_rest` is called while it is whole.
pub fn measure(nodes: usize, seed: u64, at_rest: impl FnOnce()) -> Measured {
    let operators = (nodes / 2_500).clamp(1, 4);
    let customers = (nodes - operators).div_ceil(REALM);
    let part = |nth: usize| {
        let customer = nth.checked_sub(operators).map(|nth| nth / REALM);
        Part {
            kind: Kind::Honest,
            customer: customer.map(|nth| u8::try_from(nth).expect("some hundred customers at most")),
            lan: customer.map_or(usize::MAX, |nth| nth),
            skew: 0,
        }
    };
    let plan = Plan { seed, hosts: (0..nodes).map(part).collect(), open_doors: true, forks: false };
    let mut world = World::new(&plan);
    world.wild = false;
    for host in 0..nodes {
        world.after(
            i64::try_from(host).unwrap_or(0) * 5 * SECOND / i64::try_from(nodes).unwrap_or(1),
            Happening::Step(crate::chaos::Step::Start(host)),
        );
    }
    let converged = wait(&mut world);
    at_rest();
    let settled = world.now + SETTLING * SECOND;
    world.run_until(settled);
    let (bytes, messages, kinds) = (world.bytes, world.messages, world.kinds.clone());
    let watched = if nodes <= WATCHED_WHOLE { WATCHED } else { WATCHED_MANY };
    let end = world.now + watched * SECOND;
    world.run_until(end);
    #[allow(clippy::cast_precision_loss)]
    let each = |before: u64, now: u64| (now - before) as f64 / nodes as f64 / watched as f64;
    let (bytes, messages) = (each(bytes, world.bytes), each(messages, world.messages));
    let kinds: BTreeMap<String, f64> = world
        .kinds
        .iter()
        .map(|(kind, now)| (kind.clone(), each(kinds.get(kind).copied().unwrap_or(0), *now)))
        .collect();
    #[allow(clippy::cast_precision_loss)]
    let links = world.network.up().len() as f64 * 2.0 / nodes as f64;
    for host in (operators..nodes).step_by(100) {
        world.crash(host);
        world.hosts[host].dead = true;
    }
    let began = world.now;
    let noticed = wait(&mut world).map(|_| (world.now - began) / SECOND);
    Measured {
        nodes,
        customers,
        operators,
        converged,
        bytes_a_node_a_second: bytes,
        kinds,
        messages_a_node_a_second: messages,
        noticed,
        watched,
        links_a_node: links,
    }
}

/// Lets time pass until everybody sees just those who are there; how many seconds after the start that was.
fn wait(world: &mut World) -> Option<i64> {
    let end = world.now + PATIENCE * SECOND;
    while world.now < end {
        let next = world.now + SECOND;
        world.run_until(next);
        if together(world) {
            return Some((world.now - START) / SECOND);
        }
    }
    None
}

fn together(world: &mut World) -> bool {
    let mut live = std::collections::BTreeMap::<Option<u8>, usize>::new();
    for host in world.hosts.iter().filter(|host| !host.dead) {
        *live.entry(host.customer).or_default() += 1;
    }
    let operators = live.get(&None).copied().unwrap_or(0);
    let all: usize = live.values().sum();
    // Whoever came last is asked first: it is the likeliest not to be done.
    world.hosts.iter_mut().rev().filter(|host| !host.dead).all(|host| {
        let others = if host.customer.is_none() { all } else { live[&host.customer] + operators };
        host.node.as_mut().is_some_and(|node| node.reachable() + 1 == others)
    })
}
