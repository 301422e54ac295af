//! Strongly connected components by Tarjan's algorithm, with a stack of our own instead of recursion.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::Node;

const UNSEEN: u32 = u32::MAX;

/// The components of a graph; each comes after those that it points to.
pub(super) fn components(edges: &[Vec<Node>]) -> Vec<Vec<Node>> {
    let mut search = Search {
        edges,
        index: vec![UNSEEN; edges.len()],
        low: vec![0; edges.len()],
        on_stack: vec![false; edges.len()],
        stack: Vec::new(),
        next: 0,
        found: Vec::new(),
    };
    for node in 0..edges.len() {
        if search.index[node] == UNSEEN {
            search.from(node);
        }
    }
    search.found
}

struct Search<'a> {
    edges: &'a [Vec<Node>],
    index: Vec<u32>,
    low: Vec<u32>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    next: u32,
    found: Vec<Vec<Node>>,
}

impl Search<'_> {
    fn from(&mut self, start: usize) {
        // Each entry: a node, and how many of its edges were followed.
        let mut path: Vec<(usize, usize)> = vec![(start, 0)];
        self.enter(start);
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            if let Some(target) = self.edges[node].get(*followed).map(|target| *target as usize) {
                *followed += 1;
                if self.index[target] == UNSEEN {
                    self.enter(target);
                    path.push((target, 0));
                } else if self.on_stack[target] {
                    self.low[node] = self.low[node].min(self.index[target]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                self.low[*parent] = self.low[*parent].min(self.low[node]);
            }
            if self.low[node] == self.index[node] {
                self.leave(node);
            }
        }
    }

    fn enter(&mut self, node: usize) {
        self.index[node] = self.next;
        self.low[node] = self.next;
        self.next += 1;
        self.stack.push(node);
        self.on_stack[node] = true;
    }

    fn leave(&mut self, root: usize) {
        let mut component = Vec::new();
        while let Some(node) = self.stack.pop() {
            self.on_stack[node] = false;
            component.push(u32::try_from(node).unwrap_or(UNSEEN));
            if node == root {
                break;
            }
        }
        self.found.push(component);
    }
}
