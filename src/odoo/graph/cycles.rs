//! Modules that need each other.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, VecDeque};

use super::{Graph, Node};

/// Modules of which each needs all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cycle {
    /// The modules, by name.
    pub members: Vec<String>,
    /// A shortest way round that begins at the first member; the end, which is the beginning, is left out.
    pub way: Vec<String>,
}

/// Describes the cycle of a component.
pub(super) fn cycle(graph: &Graph<'_>, component: &[Node]) -> Cycle {
    let mut members: Vec<Node> = component.to_vec();
    members.sort_unstable_by_key(|node| graph.name(*node));
    let name = |node: &Node| graph.name(*node).to_owned();
    Cycle {
        members: members.iter().map(name).collect(),
        way: way(graph, &members).iter().map(name).collect(),
    }
}

/// A shortest way from the first member back to itself, by breadth first within the component.
fn way(graph: &Graph<'_>, members: &[Node]) -> Vec<Node> {
    let Some(start) = members.first().copied() else { return Vec::new() };
    let inside: std::collections::HashSet<Node> = members.iter().copied().collect();
    let mut before: BTreeMap<Node, Node> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(node) = waiting.pop_front() {
        let mut targets: Vec<Node> =
            graph.depends(node).iter().copied().filter(|to| inside.contains(to)).collect();
        targets.sort_unstable_by_key(|target| graph.name(*target));
        for target in targets {
            if target == start {
                let mut way = vec![node];
                while let Some(earlier) =
                    way.last().filter(|last| **last != start).and_then(|last| before.get(last))
                {
                    way.push(*earlier);
                }
                way.reverse();
                return way;
            }
            if let std::collections::btree_map::Entry::Vacant(vacant) = before.entry(target) {
                vacant.insert(node);
                waiting.push_back(target);
            }
        }
    }
    vec![start]
}
