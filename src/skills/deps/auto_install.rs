//! The modules that Odoo installs by itself beside those that were asked for.
//!
//! Odoo 18's rule: a module with triggers is installed when all of them are installed or about to be, and at least one is about
//! to be; a module whose list of triggers is empty comes with each new database. What such a module needs is installed too,
//! and may trigger more. A module for some countries is installed only when a company is in one of them, which only a
//! database knows: such modules are named apart.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use crate::odoo::graph::Graph;
use crate::odoo::manifest::AutoInstall;
use crate::odoo::universe::Universe;

/// The module that each database has.
const BASE: &str = "base";

/// What Odoo installs by itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct AutoInstalled {
    /// Modules, and those that trigger them or need them.
    pub modules: BTreeMap<String, Vec<String>>,
    /// Modules that are installed only for companies in these countries.
    pub by_country: BTreeMap<String, Vec<String>>,
}

/// What comes by itself with the wanted modules. `installed` is what the database has already, when it is known.
pub fn auto_installed<'a>(
    universe: &Universe<'a>,
    wanted: &BTreeSet<&'a str>,
    installed: Option<&BTreeSet<&'a str>>,
) -> AutoInstalled {
    let mut rule = Rule::new(universe, installed);
    if installed.is_none_or(BTreeSet::is_empty) {
        rule.add(BASE);
        for (name, _) in rule.candidates.clone().iter().filter(|(_, triggers)| triggers.is_empty()) {
            rule.bring(name, &[]);
        }
    }
    for name in wanted {
        rule.add(name);
    }
    rule.settle();
    rule.found.modules.retain(|name, _| !wanted.contains(name.as_str()) && name != BASE);
    rule.found
}

/// Modules under way to a state in which nothing more is triggered.
struct Rule<'u, 'a> {
    universe: &'u Universe<'a>,
    /// Modules with triggers that can be installed, sorted.
    candidates: Vec<(&'a str, &'a [String])>,
    /// Per trigger the candidates that name it, by their number.
    users: BTreeMap<&'a str, Vec<usize>>,
    /// Per candidate the triggers that are not there yet.
    lacking: Vec<usize>,
    /// What is installed before.
    before: BTreeSet<&'a str>,
    /// What is about to be installed.
    coming: BTreeSet<&'a str>,
    /// What came and whose users were not looked at yet.
    news: Vec<&'a str>,
    found: AutoInstalled,
}

impl<'u, 'a> Rule<'u, 'a> {
    fn new(universe: &'u Universe<'a>, installed: Option<&BTreeSet<&'a str>>) -> Self {
        let mut candidates: Vec<(&str, &[String])> = Vec::new();
        for name in universe.names() {
            let Some((_, manifest)) = universe.usable(name) else { continue };
            if let AutoInstall::When(triggers) = &manifest.auto_install {
                candidates.push((name, triggers));
            }
        }
        let before = installed.cloned().unwrap_or_default();
        let mut users: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut lacking = Vec::with_capacity(candidates.len());
        for (number, (_, triggers)) in candidates.iter().enumerate() {
            for trigger in *triggers {
                users.entry(trigger).or_default().push(number);
            }
            lacking.push(triggers.iter().filter(|trigger| !before.contains(trigger.as_str())).count());
        }
        let found = AutoInstalled::default();
        Rule {
            universe,
            candidates,
            users,
            lacking,
            before,
            coming: BTreeSet::new(),
            news: Vec::new(),
            found,
        }
    }

    fn add(&mut self, name: &'a str) {
        if !self.before.contains(name) && self.coming.insert(name) {
            self.news.push(name);
        }
    }

    /// Brings a module and what it needs, if all of that is there.
    fn bring(&mut self, name: &'a str, because: &[String]) {
        if self.before.contains(name) || self.coming.contains(name) {
            return;
        }
        let Some((_, manifest)) = self.universe.usable(name) else { return };
        if !manifest.countries.is_empty() {
            self.found.by_country.insert(name.to_owned(), manifest.countries.clone());
            return;
        }
        let graph = Graph::closure(self.universe, [name]);
        if graph.order().depths.iter().any(Option::is_none) {
            return;
        }
        for node in graph.nodes() {
            let needed = graph.name(node);
            if !self.before.contains(needed) && !self.coming.contains(needed) {
                let why = if needed == name { because.to_vec() } else { vec![name.to_owned()] };
                self.found.modules.insert(needed.to_owned(), why);
                self.add(needed);
            }
        }
    }

    /// Follows triggers until nothing more comes; each module comes once, so this ends.
    fn settle(&mut self) {
        loop {
            // Odoo looks at all candidates after each round, in whatever order; rounds by name give one answer.
            let mut ready: BTreeSet<usize> = BTreeSet::new();
            for name in std::mem::take(&mut self.news) {
                for number in self.users.get(name).map(Vec::as_slice).unwrap_or_default() {
                    self.lacking[*number] = self.lacking[*number].saturating_sub(1);
                    if self.lacking[*number] == 0 {
                        ready.insert(*number);
                    }
                }
            }
            if ready.is_empty() {
                return;
            }
            for number in ready {
                let (name, triggers) = self.candidates[number];
                self.bring(name, triggers);
            }
        }
    }
}
