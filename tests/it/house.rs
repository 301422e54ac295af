//! The house keeps its order: who may import whom, and what only decides touches nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules in the direction in which data flows; none imports a later one.
const ORDER: &[&str] = &[
    "model",
    "clients",
    "odoo",
    "engine",
    "skills",
    "desired",
    "observed",
    "plan",
    "apply",
    "record",
    "reconcile",
    "daemon",
    "cli",
    "web",
];
/// What stands beside the flow: settings and telemetry are read by the outer modules only, `error` is the edge.
const BESIDE: &[(&str, &str)] =
    &[("config", "model"), ("telemetry", "model"), ("error", "daemon"), ("doctor", "daemon")];
/// Imports that turn an arrow on purpose, each with its reason.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("apply", "record", "the executor writes the journal that `record` keeps"),
    ("cli", "web", "`serve` starts the listener"),
    ("error", "web", "`serve` may not be able to"),
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    sources(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

fn module_of(file: &str) -> &str {
    file.split('/').next().unwrap().trim_end_matches(".rs")
}

fn imports(text: &str) -> Vec<&str> {
    text.match_indices("crate::")
        .filter(|(at, _)| !text[..*at].ends_with('$'))
        .filter_map(|(at, found)| {
            let rest = &text[at + found.len()..];
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')?;
            Some(&rest[..end])
        })
        .collect()
}

#[test]
fn no_module_imports_a_later_one() {
    let mut rank: BTreeMap<&str, usize> = ORDER.iter().enumerate().map(|(at, name)| (*name, at)).collect();
    for (name, like) in BESIDE {
        rank.insert(name, rank[like]);
    }
    let mut turned = Vec::new();
    for (file, text) in all_sources() {
        let module = module_of(&file);
        let Some(own) = rank.get(module) else { continue };
        for import in imports(&text) {
            let allowed = ALLOWED.iter().any(|(from, to, _)| *from == module && *to == import);
            if rank.get(import).is_some_and(|other| other > own) && !allowed {
                turned.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(turned.is_empty(), "{turned:#?}");
}

#[test]
fn skills_never_import_each_other() {
    let mut found = Vec::new();
    for (file, text) in all_sources() {
        let Some(rest) = file.strip_prefix("skills/") else { continue };
        let own = rest.split('/').next().unwrap();
        for (at, _) in text.match_indices("skills::") {
            let other: String = text[at + "skills::".len()..]
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if !other.is_empty() && other != own && own != "mod.rs" {
                found.push(format!("{file} imports skills::{other}"));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn what_only_decides_touches_nothing() {
    const LINE: &str = "#![deny(clippy::disallowed_methods, clippy::disallowed_types)]";
    let missing: Vec<String> = all_sources()
        .into_iter()
        .filter(|(file, _)| {
            let name = Path::new(file).file_name().unwrap().to_str().unwrap();
            let decides = file.starts_with("plan/") || file.starts_with("engine/plan");
            let skill = file.starts_with("skills/") && matches!(name, "spec.rs" | "plan.rs" | "render.rs");
            let compose =
                file.starts_with("skills/stack/compose/") || file.starts_with("skills/stack/render/");
            let modules = file.starts_with("skills/deps/") || file.starts_with("odoo/");
            let effects = file.contains("/observe") || file.contains("/apply");
            let layout = file.starts_with("skills/layout/") && !effects;
            let deps = modules && !file.contains("/observe") && name != "tests.rs";
            (decides || skill || compose || deps || layout) && name != "mod.rs"
        })
        .filter(|(_, text)| !text.contains(LINE))
        .map(|(file, _)| file)
        .collect();
    assert!(missing.is_empty(), "without `{LINE}`: {missing:#?}");
}

#[test]
fn every_file_says_what_it_keeps_true() {
    let silent: Vec<String> = all_sources()
        .into_iter()
        .filter(|(_, text)| !text.starts_with("//!"))
        .map(|(file, _)| file)
        .collect();
    assert!(silent.is_empty(), "no `//!` at the top: {silent:#?}");
}

#[test]
fn no_file_grows_beyond_what_one_can_read() {
    // 400 lines without tests is where the house style stops.
    const LINES_MAX: usize = 400;
    let long: Vec<String> = all_sources()
        .into_iter()
        .map(|(file, text)| (file, text.split("\n#[cfg(test)]\nmod ").next().unwrap().lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(file, lines)| format!("{file}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn no_banned_dependency_and_no_other_source_is_locked() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = fs::read_to_string(root.join("deny.toml")).unwrap();
    let banned: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("{ crate = \"")?.split('"').next())
        .collect();
    assert!(banned.contains(&"openssl-sys"), "deny.toml is read: {banned:?}");
    let lock = fs::read_to_string(root.join("Cargo.lock")).unwrap();
    let values = |key: &'static str| {
        lock.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
    };
    assert!(values("name").count() > 100, "Cargo.lock is read");
    let found: Vec<&str> = values("name").filter(|name| banned.contains(name)).collect();
    assert!(found.is_empty(), "banned by deny.toml: {found:?}");
    let allowed = "registry+https://github.com/rust-lang/crates.io-index";
    let other: Vec<&str> = values("source").filter(|source| *source != allowed).collect();
    assert!(other.is_empty(), "from elsewhere: {other:?}");
}
