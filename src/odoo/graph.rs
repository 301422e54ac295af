//! The modules that some modules need, and the order in which Odoo loads them.
//!
//! Nothing here recurses, so that no chain of modules is too long; time and memory grow with modules and edges.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod components;
mod cycles;

use std::collections::{BTreeMap, HashMap};

use super::universe::Universe;

pub use self::cycles::Cycle;

/// A module in a graph, by its number.
pub type Node = u32;

/// Modules and what they need.
#[derive(Debug)]
pub struct Graph<'a> {
    names: Vec<&'a str>,
    numbers: HashMap<&'a str, Node>,
    depends: Vec<Vec<Node>>,
    usable: Vec<bool>,
}

/// The order of a graph.
#[derive(Debug)]
pub struct Order {
    /// Per node the longest way down to a module that needs nothing; `None` when it can't be loaded.
    pub depths: Vec<Option<u32>>,
    /// All cycles.
    pub cycles: Vec<Cycle>,
}

impl<'a> Graph<'a> {
    /// What the modules need, directly or not. Modules that can't be installed are in it, and need nothing.
    pub fn closure(universe: &Universe<'a>, wanted: impl IntoIterator<Item = &'a str>) -> Self {
        let mut graph =
            Graph { names: Vec::new(), numbers: HashMap::new(), depends: Vec::new(), usable: Vec::new() };
        for name in wanted {
            graph.number(name);
        }
        let mut at = 0;
        while at < graph.names.len() {
            if let Some((_, manifest)) = universe.usable(graph.names[at]) {
                let depends: Vec<Node> = manifest.depends.iter().map(|name| graph.number(name)).collect();
                graph.depends[at] = depends;
                graph.usable[at] = true;
            }
            at += 1;
        }
        graph
    }

    /// All modules that a server sees.
    pub fn whole(universe: &Universe<'a>) -> Self {
        Graph::closure(universe, universe.names())
    }

    fn number(&mut self, name: &'a str) -> Node {
        if let Some(node) = self.numbers.get(name) {
            return *node;
        }
        // Fewer modules than 2^32 fit into memory.
        let node = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name, node);
        self.names.push(name);
        self.depends.push(Vec::new());
        self.usable.push(false);
        node
    }

    /// The number of a module.
    pub fn node(&self, name: &str) -> Option<Node> {
        self.numbers.get(name).copied()
    }

    /// The name of a module.
    pub fn name(&self, node: Node) -> &'a str {
        self.names[node as usize]
    }

    /// Whether a module can be installed as far as it alone is concerned.
    pub fn is_usable(&self, node: Node) -> bool {
        self.usable[node as usize]
    }

    /// What a module needs directly.
    pub fn depends(&self, node: Node) -> &[Node] {
        &self.depends[node as usize]
    }

    /// All modules.
    pub fn nodes(&self) -> impl Iterator<Item = Node> + use<> {
        0..u32::try_from(self.names.len()).unwrap_or(u32::MAX)
    }

    /// Orders what can be ordered.
    pub fn order(&self) -> Order {
        let mut depths: Vec<Option<u32>> = vec![None; self.names.len()];
        let mut cycles = Vec::new();
        // Components come with what they need before them.
        for component in components::components(&self.depends) {
            match component.as_slice() {
                [node] if !self.depends(*node).contains(node) => {
                    depths[*node as usize] = self.depth(*node, &depths)
                }
                members => cycles.push(cycles::cycle(self, members)),
            }
        }
        cycles.sort_by(|a, b| a.members.cmp(&b.members));
        Order { depths, cycles }
    }

    fn depth(&self, node: Node, depths: &[Option<u32>]) -> Option<u32> {
        if !self.is_usable(node) {
            return None;
        }
        let mut depth = 0;
        for needed in self.depends(node) {
            depth = depth.max(depths[*needed as usize]?.saturating_add(1));
        }
        Some(depth)
    }

    /// The modules that need one of some modules, directly or not, without those.
    pub fn dependents(&self, of: &[Node]) -> Vec<Node> {
        let mut users: Vec<Vec<Node>> = vec![Vec::new(); self.names.len()];
        for node in self.nodes() {
            for needed in self.depends(node) {
                users[*needed as usize].push(node);
            }
        }
        let mut seen = vec![false; self.names.len()];
        let mut waiting: Vec<Node> = Vec::new();
        for node in of {
            seen[*node as usize] = true;
            waiting.push(*node);
        }
        let mut found = Vec::new();
        while let Some(node) = waiting.pop() {
            for user in &users[node as usize] {
                if !std::mem::replace(&mut seen[*user as usize], true) {
                    found.push(*user);
                    waiting.push(*user);
                }
            }
        }
        found.sort_unstable_by_key(|node| self.name(*node));
        found
    }

    /// Per module that can't be installed, which modules need it directly.
    pub fn missing(&self) -> BTreeMap<&'a str, Vec<&'a str>> {
        let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for node in self.nodes().filter(|node| !self.is_usable(*node)) {
            missing.insert(self.name(node), Vec::new());
        }
        for node in self.nodes() {
            for needed in self.depends(node) {
                if let Some(users) = missing.get_mut(self.name(*needed)) {
                    users.push(self.name(node));
                }
            }
        }
        for users in missing.values_mut() {
            users.sort_unstable();
        }
        missing
    }
}

#[cfg(test)]
#[path = "graph/tests.rs"]
mod tests;
