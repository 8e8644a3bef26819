//! The way to each node of a realm: over the fewest nodes, by what every node says of its own links.
//!
//! A link counts when both ends name it, or when one names it and the other's list is full. So a node that claims links
//! which it has not changes nobody's way. That a way exists is no more than a good hope: whether the node at its end
//! answers is asked of membership.

use std::collections::{BTreeMap, VecDeque};

use crate::{MAX_HOPS, NodeId, presence::MAX_NEIGHBOURS};

/// The way to one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// The neighbour to give messages to.
    pub(crate) next: NodeId,
    /// How many links lie on the way: 1 to a neighbour.
    pub(crate) links: usize,
}

/// What every node of a realm says of its links.
pub(crate) type Lists<'a> = BTreeMap<NodeId, &'a [NodeId]>;

/// The ways from a node with `neighbours`, the best first, to all that can be reached over at most [`MAX_HOPS`] others;
/// never through a node in `without`.
pub(crate) fn ways(
    me: NodeId,
    neighbours: &[NodeId],
    lists: &Lists<'_>,
    without: &[NodeId],
) -> BTreeMap<NodeId, Way> {
    let nodes: Vec<NodeId> = lists.keys().copied().collect();
    let edges = edges(&nodes, lists);
    let beside = |node: &NodeId| nodes.binary_search(node).map_or(&[][..], |at| edges[at].as_slice());
    let mut ways = BTreeMap::new();
    let mut queue = VecDeque::new();
    for next in neighbours.iter().filter(|node| !without.contains(node)) {
        if ways.insert(*next, Way { next: *next, links: 1 }).is_none() {
            queue.push_back(*next);
        }
    }
    while let Some(node) = queue.pop_front() {
        let way: Way = ways[&node];
        if way.links > MAX_HOPS {
            continue;
        }
        for beyond in beside(&node).iter().map(|at| nodes[*at]) {
            if beyond != me && !without.contains(&beyond) && !ways.contains_key(&beyond) {
                ways.insert(beyond, Way { next: way.next, links: way.links + 1 });
                queue.push_back(beyond);
            }
        }
    }
    ways
}

/// For each of `nodes`, which are in order, the places of those that it has links to, in order. Places instead of keys: a
/// node of the operator works this out for every realm.
fn edges(nodes: &[NodeId], lists: &Lists<'_>) -> Vec<Vec<usize>> {
    let named: Vec<Vec<usize>> = lists
        .values()
        .map(|list| {
            let mut named: Vec<usize> =
                list.iter().filter_map(|node| nodes.binary_search(node).ok()).collect();
            named.sort_unstable();
            named
        })
        .collect();
    let full: Vec<bool> = lists.values().map(|list| list.len() >= MAX_NEIGHBOURS).collect();
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (one, others) in named.iter().enumerate() {
        for other in others.iter().copied() {
            if one != other && (full[other] || named[other].binary_search(&one).is_ok()) {
                edges[one].push(other);
                edges[other].push(one);
            }
        }
    }
    for others in &mut edges {
        others.sort_unstable();
        others.dedup();
    }
    edges
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn node(n: u8) -> NodeId {
        NodeId::unchecked([n; 32])
    }

    fn lists(edges: &[(u8, u8)]) -> BTreeMap<NodeId, Vec<NodeId>> {
        let mut lists: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (a, b) in edges {
            lists.entry(node(*a)).or_default().push(node(*b));
            lists.entry(node(*b)).or_default().push(node(*a));
        }
        lists
    }

    fn from_one(
        neighbours: &[u8],
        lists: &BTreeMap<NodeId, Vec<NodeId>>,
        without: &[u8],
    ) -> BTreeMap<NodeId, Way> {
        let neighbours: Vec<NodeId> = neighbours.iter().map(|n| node(*n)).collect();
        let without: Vec<NodeId> = without.iter().map(|n| node(*n)).collect();
        let lists = lists.iter().map(|(node, list)| (*node, list.as_slice())).collect();
        ways(node(1), &neighbours, &lists, &without)
    }

    #[test]
    fn the_way_is_the_shortest_and_the_better_neighbour_wins() {
        let lists = lists(&[(1, 2), (1, 3), (2, 4), (3, 4), (4, 5)]);
        let found = from_one(&[3, 2], &lists, &[]);
        assert_eq!(found[&node(4)], Way { next: node(3), links: 2 });
        assert_eq!(found[&node(5)], Way { next: node(3), links: 3 });
        assert_eq!(from_one(&[3, 2], &lists, &[3])[&node(5)].next, node(2));
    }

    #[test]
    fn nothing_is_reached_over_more_than_the_most_hops() {
        let chain: Vec<(u8, u8)> = (1..9).map(|n| (n, n + 1)).collect();
        let found = from_one(&[2], &lists(&chain), &[]);
        let last = u8::try_from(MAX_HOPS + 2).unwrap();
        assert_eq!(found[&node(last)].links, MAX_HOPS + 1);
        assert!(!found.contains_key(&node(last + 1)));
    }

    #[test]
    fn a_link_that_the_other_end_does_not_know_leads_nowhere() {
        let mut all = lists(&[(1, 2), (1, 3), (3, 4)]);
        all.get_mut(&node(2)).unwrap().push(node(4));
        assert_eq!(from_one(&[2, 3], &all, &[])[&node(4)].next, node(3));
        // A full list may have left it out.
        all.insert(node(4), (100..132).map(node).collect());
        assert_eq!(from_one(&[2, 3], &all, &[])[&node(4)].next, node(2));
    }

    proptest! {
        #[test]
        fn every_way_goes_on_to_a_neighbour_and_never_back(edges in proptest::collection::vec((1_u8..30, 1_u8..30), 0..80)) {
            let edges: Vec<(u8, u8)> = edges.into_iter().filter(|(a, b)| a != b).collect();
            let all = lists(&edges);
            let mine: Vec<u8> = edges
                .iter()
                .filter_map(|(a, b)| if *a == 1 { Some(*b) } else if *b == 1 { Some(*a) } else { None })
                .collect();
            let found = from_one(&mine, &all, &[]);
            prop_assert!(!found.contains_key(&node(1)));
            for way in found.values() {
                prop_assert!(mine.iter().any(|n| node(*n) == way.next) && way.links <= MAX_HOPS + 1);
            }
        }
    }
}
