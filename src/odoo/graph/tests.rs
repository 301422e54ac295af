//! Orders, cycles and dependents of made-up modules.

use super::*;
use crate::odoo::manifest::{AutoInstall, Manifest};
use crate::odoo::universe::{Found, Root, RootKind};

fn root(modules: &[(&str, &[&str])]) -> Vec<Root> {
    let found = |(name, depends): &(&str, &[&str])| Found {
        name: (*name).to_owned(),
        file: "__manifest__.py",
        manifest: Some(std::sync::Arc::new(Manifest {
            version: "1.0".to_owned(),
            depends: depends.iter().map(|name| (*name).to_owned()).collect(),
            installable: true,
            auto_install: AutoInstall::Never,
            countries: Vec::new(),
            external: Vec::new(),
            license: "LGPL-3".to_owned(),
            development_status: None,
        })),
        problems: Vec::new(),
    };
    let modules = modules.iter().map(found).collect();
    vec![Root {
        path: "addons".to_owned(),
        kind: RootKind::Addons,
        repository: None,
        modules,
        bare: Vec::new(),
    }]
}

fn depths(graph: &Graph<'_>, order: &Order) -> Vec<(String, Option<u32>)> {
    let mut out: Vec<_> =
        graph.nodes().map(|node| (graph.name(node).to_owned(), order.depths[node as usize])).collect();
    out.sort();
    out
}

#[test]
fn a_module_is_one_deeper_than_the_deepest_that_it_needs() {
    let roots = root(&[("base", &[]), ("web", &["base"]), ("mail", &["base", "web"]), ("other", &[])]);
    let universe = Universe::new(&roots, "18.0");
    let graph = Graph::closure(&universe, ["mail"]);
    let found = depths(&graph, &graph.order());
    assert_eq!(found, [("base".into(), Some(0)), ("mail".into(), Some(2)), ("web".into(), Some(1))]);
}

#[test]
fn every_cycle_is_found_and_the_rest_is_ordered() {
    let roots = root(&[
        ("base", &[]),
        ("a", &["base", "b"]),
        ("b", &["c"]),
        ("c", &["a", "base"]),
        ("self", &["self"]),
        ("above", &["a"]),
        ("beside", &["base"]),
    ]);
    let universe = Universe::new(&roots, "18.0");
    let graph = Graph::whole(&universe);
    let order = graph.order();
    let members: Vec<Vec<String>> = order.cycles.iter().map(|cycle| cycle.members.clone()).collect();
    assert_eq!(members, [vec!["a".to_owned(), "b".into(), "c".into()], vec!["self".to_owned()]]);
    assert_eq!(order.cycles[0].way, ["a", "b", "c"]);
    let found = depths(&graph, &order);
    assert_eq!(found[1], ("above".into(), None), "it needs a cycle");
    assert_eq!(found[4], ("beside".into(), Some(1)));
}

#[test]
fn what_is_missing_names_those_that_need_it_and_holds_them_back() {
    let roots = root(&[("base", &[]), ("a", &["gone", "base"]), ("b", &["a"])]);
    let universe = Universe::new(&roots, "18.0");
    let graph = Graph::closure(&universe, ["b"]);
    assert_eq!(graph.missing(), BTreeMap::from([("gone", vec!["a"])]));
    let order = graph.order();
    assert_eq!(order.depths[graph.node("b").unwrap() as usize], None);
    assert_eq!(order.depths[graph.node("base").unwrap() as usize], Some(0));
}

#[test]
fn a_chain_and_a_circle_of_a_hundred_thousand_modules_need_no_deep_stack() {
    let names: Vec<String> = (0..100_000).map(|number| format!("m{number:06}")).collect();
    let chain = |next: &dyn Fn(usize) -> usize| {
        let mut roots = root(&[]);
        roots[0].modules = names
            .iter()
            .enumerate()
            .map(|(number, name)| {
                let target = names.get(next(number)).map(String::as_str);
                root(&[(name, target.as_slice())])[0].modules.remove(0)
            })
            .collect();
        roots
    };
    let line = chain(&|number| number + 1);
    let universe = Universe::new(&line, "18.0");
    let graph = Graph::closure(&universe, ["m000000"]);
    assert_eq!(graph.order().depths[0], Some(99_999));
    assert_eq!(graph.dependents(&[graph.node("m099999").unwrap()]).len(), 99_999);
    let circle = chain(&|number| (number + 1) % 100_000);
    let universe = Universe::new(&circle, "18.0");
    assert_eq!(Graph::whole(&universe).order().cycles[0].members.len(), 100_000);
}
