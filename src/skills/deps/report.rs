//! The answer to "what does this need": modules in load order, what is missing and why, cycles, what else must be there.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::auto_install::{AutoInstalled, auto_installed};
use crate::model::problem::Problem;
use crate::odoo::catalogue::Catalogue;
use crate::odoo::graph::{Graph, Node, Order};
use crate::odoo::knowledge::Knowledge;
use crate::odoo::missing::{Cause, Question};
use crate::odoo::universe::{RootKind, Universe};
use crate::odoo::version;

/// States in which a module's code runs in a database.
const INSTALLED_STATES: [&str; 2] = ["installed", "to upgrade"];

/// What is asked.
#[derive(Debug)]
pub struct Query<'a> {
    /// The modules that there are.
    pub universe: &'a Universe<'a>,
    /// What is declared.
    pub catalogue: &'a Catalogue,
    /// The paths of the declared repositories that are cloned.
    pub cloned: &'a BTreeSet<String>,
    /// Modules that are wanted, those of features included.
    pub wanted: &'a [String],
    /// Features that are wanted.
    pub features: &'a [String],
    /// The states in a database, when one was asked.
    pub states: Option<&'a BTreeMap<String, String>>,
    /// Whether to look for what needs the wanted modules too.
    pub reverse: bool,
}

/// The answer; `docs/schemas/deps.schema.json` describes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The series of the server.
    pub series: String,
    /// The modules that were asked for, those of features included.
    pub wanted: Vec<String>,
    /// The features that were asked for.
    pub features: Vec<String>,
    /// Whether all of it can be installed from what is there.
    pub complete: bool,
    /// What is needed and there, in the order in which Odoo loads it; what can't be loaded comes last.
    pub modules: Vec<Module>,
    /// What is needed and missing.
    pub missing: Vec<Missing>,
    /// Modules that need each other.
    pub cycles: Vec<CycleReport>,
    /// What Odoo installs by itself beside them, and because of which modules.
    pub auto_installed: BTreeMap<String, Vec<String>>,
    /// What Odoo installs by itself only for companies in these countries.
    pub auto_installed_by_country: BTreeMap<String, Vec<String>>,
    /// What needs the wanted modules, directly or not; only when that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dependents: Option<Vec<Module>>,
    /// By kind what must be on the machine, and for which modules.
    pub external: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// By licence the modules under it.
    pub licenses: BTreeMap<String, Vec<String>>,
    /// What is odd about the manifests of these modules.
    pub warnings: Vec<Problem>,
}

/// A module that is there.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// Its name.
    pub name: String,
    /// Whether it was asked for.
    pub wanted: bool,
    /// The longest way down to a module that needs nothing; absent when it can't be loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// The repository that it comes from, when that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Its folder.
    pub path: String,
    /// What its root is.
    pub root: RootKind,
    /// Its version as the server shows it.
    pub version: String,
    /// Its licence.
    pub license: String,
    /// How finished it is, in OCA's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub development_status: Option<String>,
    /// What it needs directly.
    pub depends: Vec<String>,
    /// Its state in the database, when one was asked: `absent` when the database does not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Copies of it that the server does not see.
    pub shadows: Vec<String>,
    /// Whether its folder is, or holds, a folder of modules.
    pub pseudo: bool,
    /// Which of the modules that it needs directly keep it from being loaded.
    pub blocked_by: Vec<String>,
}

impl Module {
    /// Whether the database has it; `None` when no database was asked.
    pub fn is_installed(&self) -> Option<bool> {
        self.state.as_deref().map(|state| INSTALLED_STATES.contains(&state))
    }
}

/// A module that is missing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// The modules that need it directly; none when it was asked for.
    pub required_by: Vec<String>,
    /// Why it is missing.
    pub cause: Cause,
    /// The cause in words.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Modules that need each other.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CycleReport {
    /// The modules, with their manifests.
    pub members: Vec<Member>,
    /// A shortest way round, beginning at the first member.
    pub way: Vec<String>,
}

/// A module of a cycle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its name.
    pub name: String,
    /// The file that says so.
    pub manifest: String,
}

/// Answers a query.
pub fn answer(query: &Query<'_>) -> Report {
    let graph = Graph::closure(query.universe, query.wanted.iter().map(String::as_str));
    let order = graph.order();
    let missing = missing(query, &graph);
    let modules = modules(query, &graph, &order, graph.nodes().collect());
    let auto = by_itself(query, &graph, &order);
    let dependents = query.reverse.then(|| dependents(query));
    let mut external: BTreeMap<String, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    let mut licenses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut warnings = Vec::new();
    for module in &modules {
        let Some((copy, manifest)) = query.universe.usable(&module.name) else { continue };
        for (kind, names) in &manifest.external {
            for name in names {
                external
                    .entry(kind.clone())
                    .or_default()
                    .entry(name.clone())
                    .or_default()
                    .push(module.name.clone());
            }
        }
        licenses.entry(manifest.license.clone()).or_default().push(module.name.clone());
        warnings.extend(copy.found.problems.iter().cloned());
    }
    licenses.values_mut().for_each(|names| names.sort_unstable());
    let cycles: Vec<CycleReport> = order.cycles.iter().map(|cycle| cycle_report(query, cycle)).collect();
    Report {
        series: query.universe.series.to_owned(),
        wanted: query.wanted.to_vec(),
        features: query.features.to_vec(),
        complete: missing.is_empty() && cycles.is_empty(),
        modules,
        missing,
        cycles,
        auto_installed: auto.modules,
        auto_installed_by_country: auto.by_country,
        dependents,
        external,
        licenses,
        warnings,
    }
}

fn missing(query: &Query<'_>, graph: &Graph<'_>) -> Vec<Missing> {
    let found = graph.missing();
    if found.is_empty() {
        return Vec::new();
    }
    let knowledge = Knowledge::built_in();
    let question = Question {
        universe: query.universe,
        catalogue: query.catalogue,
        cloned: query.cloned,
        knowledge: &knowledge,
    };
    found
        .into_iter()
        .map(|(name, users)| {
            let cause = question.explain(name);
            Missing {
                name: name.to_owned(),
                required_by: users.into_iter().map(str::to_owned).collect(),
                message: cause.text(query.universe.series),
                hint: cause.hint(),
                cause,
            }
        })
        .collect()
}

/// The modules among some nodes, in load order: `base`, which Odoo loads before it looks at any other; then by depth and name; what can't be loaded comes last.
fn modules(query: &Query<'_>, graph: &Graph<'_>, order: &Order, mut nodes: Vec<Node>) -> Vec<Module> {
    nodes.retain(|node| graph.is_usable(*node));
    let depth = |node: &Node| order.depths[*node as usize];
    nodes.sort_unstable_by_key(|node| {
        let name = graph.name(*node);
        (depth(node).unwrap_or(u32::MAX), name != "base", name)
    });
    let wanted: BTreeSet<&str> = query.wanted.iter().map(String::as_str).collect();
    let folders = Folders::new(query);
    nodes.iter().filter_map(|node| module(query, graph, order, *node, &wanted, &folders)).collect()
}

fn module(
    query: &Query<'_>,
    graph: &Graph<'_>,
    order: &Order,
    node: Node,
    wanted: &BTreeSet<&str>,
    folders: &Folders<'_>,
) -> Option<Module> {
    let name = graph.name(node);
    let (copy, manifest) = query.universe.usable(name)?;
    let root = &query.universe.roots[copy.root];
    let depth = order.depths[node as usize];
    let path = query.universe.path(copy);
    let blocking = |needed: &&Node| order.depths[**needed as usize].is_none();
    let blocked_by = match depth {
        Some(_) => Vec::new(),
        None => {
            graph.depends(node).iter().filter(blocking).map(|node| graph.name(*node).to_owned()).collect()
        }
    };
    let state = query.states.map(|states| states.get(name).map_or("absent", String::as_str).to_owned());
    Some(Module {
        name: name.to_owned(),
        wanted: wanted.contains(name),
        depth,
        repository: root.repository.clone(),
        root: root.kind,
        version: version::adapt(&manifest.version, query.universe.series).unwrap_or_default(),
        license: manifest.license.clone(),
        development_status: manifest.development_status.clone(),
        depends: manifest.depends.clone(),
        state,
        shadows: query.universe.shadowed(name).iter().map(|copy| query.universe.path(copy)).collect(),
        pseudo: folders.is_at_or_above_one(&path),
        blocked_by,
        path,
    })
}

/// The folders that hold modules: roots and declared repositories, sorted.
struct Folders<'a>(BTreeSet<&'a str>);

impl<'a> Folders<'a> {
    fn new(query: &'a Query<'_>) -> Self {
        let roots = query.universe.roots.iter().map(|root| root.path.trim_end_matches('/'));
        let declared = query.catalogue.repositories.iter().map(|repository| repository.path.as_str());
        Folders(roots.chain(declared).collect())
    }

    fn is_at_or_above_one(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.0.contains(path)
            || self.0.range(below.as_str()..).next().is_some_and(|next| next.starts_with(&below))
    }
}

fn by_itself(query: &Query<'_>, graph: &Graph<'_>, order: &Order) -> AutoInstalled {
    let loadable = graph.nodes().filter(|node| order.depths[*node as usize].is_some());
    let wanted: BTreeSet<&str> = loadable.map(|node| graph.name(node)).collect();
    let installed = query.states.map(|states| {
        let is_installed = |state: &String| INSTALLED_STATES.contains(&state.as_str());
        states.iter().filter(|(_, state)| is_installed(state)).map(|(name, _)| name.as_str()).collect()
    });
    auto_installed(query.universe, &wanted, installed.as_ref())
}

fn dependents(query: &Query<'_>) -> Vec<Module> {
    let graph = Graph::whole(query.universe);
    let of: Vec<Node> = query.wanted.iter().filter_map(|name| graph.node(name)).collect();
    let nodes = graph.dependents(&of);
    modules(query, &graph, &graph.order(), nodes)
}

fn cycle_report(query: &Query<'_>, cycle: &crate::odoo::graph::Cycle) -> CycleReport {
    let member = |name: &String| {
        let copy = query.universe.winner(name);
        let manifest = copy.map(|copy| format!("{}/{}", query.universe.path(copy), copy.found.file));
        Member { name: name.clone(), manifest: manifest.unwrap_or_default() }
    };
    CycleReport { members: cycle.members.iter().map(member).collect(), way: cycle.way.clone() }
}
