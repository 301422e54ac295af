//! Our graph against manifestoo, module by module, on core and on every root of the fixture.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ipaictl::odoo::graph::Graph;
use ipaictl::odoo::observe::{RootRequest, read_roots};
use ipaictl::odoo::universe::{Root, RootKind, Universe};
use serde_json::{Value, json};

use super::{known, script, tree_path, write_tree};

/// Modules that manifestoo takes for installable on 18.0 though an 18.0 server refuses their version: it never looks at it.
const REFUSED_VERSIONS: &[&str] = &["ipai_foundation"];
fn read(roots: &[PathBuf]) -> Vec<Root> {
    let request = |path: &PathBuf| RootRequest {
        path: path.clone(),
        shown: path.display().to_string(),
        kind: RootKind::Addons,
        repository: None,
    };
    read_roots(&roots.iter().map(request).collect::<Vec<_>>(), None).unwrap()
}

/// What we say, in the words of `ask_manifestoo.py`.
fn ours(roots: &[Root], modules: &[String]) -> Value {
    let universe = Universe::new(roots, "18.0");
    let whole = Graph::whole(&universe);
    let list: Vec<&str> =
        universe.names().into_iter().filter(|name| universe.usable(name).is_some()).collect();
    let answer = |name: &String| {
        let graph = Graph::closure(&universe, [name.as_str()]);
        let names = |found: BTreeSet<&str>| found.into_iter().map(str::to_owned).collect::<Vec<_>>();
        let closure: BTreeSet<&str> = graph.nodes().map(|node| graph.name(node)).collect();
        let external = |kind: &str| {
            let manifests = closure.iter().filter_map(|name| universe.usable(name));
            let kinds = manifests
                .flat_map(|(_, manifest)| manifest.external.iter().filter(|(found, _)| found == kind));
            names(kinds.flat_map(|(_, names)| names.iter().map(String::as_str)).collect())
        };
        let users: BTreeSet<&str> = match whole.node(name) {
            Some(node) => whole.dependents(&[node]).into_iter().map(|node| whole.name(node)).collect(),
            None => BTreeSet::new(),
        };
        let found = json!({
            "depends": names(closure.iter().copied().filter(|found| found != name).collect()),
            "missing": names(graph.missing().into_keys().collect()),
            "codepends": names(users),
            "python": external("python"), "bin": external("bin"), "deb": external("deb"),
        });
        (name.clone(), found)
    };
    json!({"list": list, "modules": modules.iter().map(answer).collect::<BTreeMap<String, Value>>()})
}

/// A set of roots, and the modules to ask about.
struct Set {
    title: String,
    roots: Vec<PathBuf>,
    modules: Vec<String>,
}

/// Core alone, core with each other root, core with all of OCA.
fn sets(tree: &Path) -> Vec<Set> {
    let known = known().unwrap();
    // Plain lists: manifestoo stops at a tuple, which Odoo takes.
    write_tree(tree, &known, |_| 0);
    let mut roots: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for module in &known {
        let path = tree.join(tree_path(module));
        roots.entry(path.parent().unwrap().to_owned()).or_default().push(module.name.clone());
    }
    let core = vec![tree.join("core/odoo/addons"), tree.join("core/addons")];
    let names = |paths: &[PathBuf]| paths.iter().flat_map(|path| roots[path].clone()).collect::<Vec<_>>();
    let mut sets = vec![Set { title: "core".to_owned(), roots: core.clone(), modules: names(&core) }];
    let others: Vec<&PathBuf> = roots.keys().filter(|path| !core.contains(path)).collect();
    for root in &others {
        let title = root.strip_prefix(tree).unwrap().display().to_string();
        let all = core.iter().chain([*root]).cloned().collect();
        sets.push(Set { title, roots: all, modules: roots[*root].clone() });
    }
    let oca: Vec<PathBuf> =
        others.into_iter().filter(|path| path.starts_with(tree.join("oca"))).cloned().collect();
    let modules = names(&oca);
    sets.push(Set { title: "all of OCA".to_owned(), roots: core.into_iter().chain(oca).collect(), modules });
    sets
}

fn theirs(python: &Path, sets: &[Set]) -> Vec<Value> {
    let question: Vec<Value> =
        sets.iter().map(|set| json!({"roots": set.roots, "modules": set.modules})).collect();
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/deps/ask_manifestoo.py");
    let mut child =
        Command::new(python).arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&question).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn manifestoo_gives_the_same_answers_but_for_its_faults() {
    if known().is_none() {
        return;
    }
    let Some(python) = script("manifestoo") else { return };
    let tree = tempfile::tempdir().unwrap();
    let sets = sets(tree.path());
    let theirs = theirs(&python, &sets);
    let mut asked = 0;
    let mut faults: BTreeSet<String> = BTreeSet::new();
    for (set, theirs) in sets.iter().zip(&theirs) {
        let roots = read(&set.roots);
        let ours = ours(&roots, &set.modules);
        let list =
            |value: &Value| -> BTreeSet<String> { serde_json::from_value(value["list"].clone()).unwrap() };
        let differ: BTreeSet<String> = list(&ours).symmetric_difference(&list(theirs)).cloned().collect();
        faults.extend(differ);
        for name in &set.modules {
            asked += 1;
            let (ours, theirs) = (&ours["modules"][name], &theirs["modules"][name]);
            if ours != theirs {
                let known = REFUSED_VERSIONS.iter();
                let concerned = known.filter(|fault| {
                    let text = |value: &Value| value.to_string().contains(&format!("\"{fault}\""));
                    **fault == name || text(ours) || text(theirs)
                });
                let concerned: Vec<String> = concerned.map(|fault| (*fault).to_owned()).collect();
                assert!(!concerned.is_empty(), "{}: {name}\n ours   {ours}\n theirs {theirs}", set.title);
                faults.extend(concerned);
            }
        }
    }
    assert!(asked > 1_173, "{asked} modules");
    let expected: BTreeSet<String> = REFUSED_VERSIONS.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(faults, expected, "docs/skills/deps.md lists them by name");
}
