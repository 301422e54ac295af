//! Modules, what they need and what is missing: the reader against Python, the graph against manifestoo, the real program.

mod command;
mod database;
mod hostile;
mod literals;
mod manifests;
mod peers;
pub mod python;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A module of the fixture.
pub struct Known {
    pub name: String,
    pub path: String,
    pub source: String,
    pub facts: Value,
}

/// The folder of the fixture, or a word about what is skipped.
pub fn fixture() -> Option<PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = std::env::var_os("IPAICTL_SHARED").map_or_else(|| package.join("../shared"), PathBuf::from);
    let fixture = root.join("fixtures/ipai-repo");
    if fixture.is_dir() {
        return Some(fixture);
    }
    println!("skipped: {} does not exist (IPAICTL_SHARED names the folder)", fixture.display());
    None
}

/// All modules of the fixture.
pub fn known() -> Option<Vec<Known>> {
    let text = fs::read_to_string(fixture()?.join("modules.json")).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    let word = |facts: &Value, key: &str| facts[key].as_str().unwrap().to_owned();
    let known = |facts: Value| Known {
        name: word(&facts, "name"),
        path: word(&facts, "path"),
        source: word(&facts, "source"),
        facts,
    };
    Some(all.into_iter().map(known).collect())
}

/// What a script of `scripts/lib` prints; `None` when it can't, and then says why.
pub fn script(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lib").join(name);
    let output = Command::new(path).output().ok()?;
    if !output.status.success() {
        println!("skipped: scripts/lib/{name}: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(PathBuf::from(String::from_utf8(output.stdout).ok()?.trim()))
}

/// Writes a module with a manifest and the file that makes it a package.
pub fn write_module(root: &Path, name: &str, manifest: &str) {
    let folder = root.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("__manifest__.py"), manifest).unwrap();
    fs::write(folder.join("__init__.py"), "").unwrap();
}

/// The tree of the fixture: `core/…`, `ipai/…` and `oca/…`, each module rendered as a manifest in the style that its number gives.
pub fn write_tree(root: &Path, known: &[Known], style: impl Fn(usize) -> usize) {
    for (number, module) in known.iter().enumerate() {
        let path = tree_path(module);
        let (folder, name) = path.rsplit_once('/').unwrap();
        write_module(&root.join(folder), name, &python::manifest(&module.facts, style(number)));
    }
}

/// Where a module is in the tree.
pub fn tree_path(module: &Known) -> String {
    let part = match module.source.as_str() {
        "core-18.0" => "core",
        source if source.starts_with("ipai") => "ipai",
        _ => "oca",
    };
    format!("{part}/{}", module.path)
}
