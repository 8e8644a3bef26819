use echo_core::{SeededEntropy, clock::from_millis};
use trust::KeyPair;

use super::*;

fn node(seed: u64) -> NodeId {
    NodeId::of(&KeyPair::generate(&SeededEntropy::new(seed)).public())
}

/// Nodes that all reach one another, save those in `cut`.
struct Mesh {
    now: i64,
    nodes: Vec<(NodeId, Members)>,
    cut: BTreeSet<NodeId>,
    strangers: BTreeSet<NodeId>,
}

impl Mesh {
    fn of(count: u64) -> Self {
        let nodes: Vec<_> = (0..count).map(|n| (node(n), Members::new(node(n), 1_000, n))).collect();
        let mut mesh = Self { now: 1_000, nodes, cut: BTreeSet::new(), strangers: BTreeSet::new() };
        let first = mesh.nodes[0].0;
        for (id, members) in mesh.nodes.iter_mut().skip(1) {
            members.greet(from_millis(1_000), first, 1_000);
            assert!(members.is_alive(&first), "{id:?}");
        }
        mesh
    }

    fn run(&mut self, seconds: i64) {
        let end = self.now + seconds * 1_000;
        while self.now < end {
            self.now += 100;
            let now = from_millis(self.now);
            let mut mail = Vec::new();
            for (id, members) in &mut self.nodes {
                members.tick(now);
                mail.extend(members.outgoing().into_iter().map(|(to, data)| (*id, to, data)));
            }
            for (from, to, data) in mail {
                if self.cut.contains(&from) != self.cut.contains(&to) {
                    continue;
                }
                // What presence records would say.
                let lives: BTreeMap<NodeId, u64> =
                    self.nodes.iter().map(|(id, members)| (*id, members.life())).collect();
                let strangers = &self.strangers;
                if let Some((_, members)) = self.nodes.iter_mut().find(|(id, _)| *id == to) {
                    let life_of =
                        |node: &NodeId| lives.get(node).filter(|_| !strangers.contains(node)).copied();
                    members.receive(now, &from, &data, life_of);
                }
            }
        }
    }

    fn alive(&self) -> Vec<usize> {
        self.nodes.iter().map(|(_, members)| members.alive()).collect()
    }
}

#[test]
fn everybody_finds_everybody_and_the_dead_are_found_out() {
    let mut mesh = Mesh::of(8);
    mesh.run(30);
    assert_eq!(mesh.alive(), [7; 8]);
    mesh.nodes.pop();
    mesh.run(60);
    assert_eq!(mesh.alive(), [6; 7]);
}

#[test]
fn two_halves_that_were_cut_find_together_again() {
    let mut mesh = Mesh::of(8);
    mesh.run(30);
    mesh.cut = mesh.nodes.iter().take(4).map(|(id, _)| *id).collect();
    mesh.run(90);
    assert_eq!(mesh.alive(), [3; 8]);
    mesh.cut.clear();
    mesh.run(60);
    assert_eq!(mesh.alive(), [7; 8]);
}

#[test]
fn who_was_not_admitted_becomes_nobody_s_member() {
    let mut mesh = Mesh::of(6);
    mesh.strangers = [mesh.nodes[5].0].into();
    mesh.run(30);
    let stranger = mesh.nodes[5].0;
    for (id, members) in &mesh.nodes[..5] {
        assert!(!members.is_alive(&stranger), "{id:?}");
        assert!(members.states().all(|(node, _)| node != stranger));
    }
}

#[test]
fn a_node_whose_clock_ran_behind_at_a_restart_is_believed_again() {
    let mut mesh = Mesh::of(4);
    mesh.run(30);
    let (id, _) = mesh.nodes[3];
    let first = mesh.nodes[0].0;
    let mut again = Members::new(id, 5, 9);
    again.live_after(from_millis(mesh.now), 1_000);
    assert!(again.reborn());
    again.greet(from_millis(mesh.now), first, 1_000);
    mesh.nodes[3].1 = again;
    mesh.run(60);
    assert_eq!(mesh.alive(), [3; 4]);
    assert!(mesh.nodes[3].1.life() > 1_000);
}

#[test]
fn a_life_that_its_node_did_not_sign_for_is_not_believed() {
    let mut mesh = Mesh::of(3);
    mesh.run(30);
    let (liar, victim) = (mesh.nodes[1].0, mesh.nodes[2].0);
    let lie = Packet {
        header: foca::Header {
            src: Peer { node: liar, life: 1_000 },
            src_incarnation: 0,
            dst: Peer { node: mesh.nodes[0].0, life: 1_000 },
            message: foca::Message::Gossip,
        },
        updates: vec![Member::new(Peer { node: victim, life: u64::MAX }, 0, State::Down)],
    };
    mesh.nodes[0].1.receive(from_millis(mesh.now), &liar, &lie.write().unwrap(), |_| Some(1_000));
    assert!(mesh.nodes[0].1.is_alive(&victim));
}
