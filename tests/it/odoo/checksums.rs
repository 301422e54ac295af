//! Checksums of made-up modules, ours and click-odoo-contrib's; what neither can read.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use ipaictl::odoo::observe::checksum::{Counted, EXCLUDED, checksum};
use ipaictl::odoo::patterns::Patterns;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::deps::script;

const MODULES: usize = 400;
const PATTERNS: usize = 5_000;
/// Always the same cases, so that a failure can be looked at.
const SEED: u64 = 19;

/// Asks the package's own functions; they are in a file that needs nothing of Odoo.
const PYTHON: &str = r#"
import fnmatch, importlib.util, json, sys

spec = importlib.util.spec_from_file_location("addon_hash", sys.argv[1])
package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
asked = json.load(open(sys.argv[2], encoding="utf-8"))
print(json.dumps({
    "hashes": [package.addon_hash(m["folder"], m["excluded"], m["languages"]) for m in asked["modules"]],
    "fits": [fnmatch.fnmatch(name, pattern) for pattern, name in asked["patterns"]],
}))
"#;

struct Maker(StdRng);

impl Maker {
    fn of(&mut self, choices: &[&str]) -> String {
        choices[self.0.random_range(0..choices.len())].to_owned()
    }

    fn number(&mut self, below: usize) -> usize {
        self.0.random_range(0..below)
    }

    fn name(&mut self) -> String {
        let stems = ["a", "fr", "fr_BE", "nl", "sr@latin", "Zé", "__init__", ".hidden", "x y", ""];
        self.of(&stems) + &self.of(&[".py", ".py", ".pyc", ".po", ".pot", ".xml", "", ".PO", "~"])
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        fs::create_dir_all(path).unwrap();
        for _ in 0..self.number(5) {
            let name = self.name();
            let length = self.number(3_000);
            if !matches!(name.as_str(), "" | ".") && !path.join(&name).exists() {
                fs::write(path.join(name), vec![b'x'; length]).unwrap();
            }
        }
        if self.number(6) == 0 {
            let _ = symlink("a.py", path.join("link.py"));
            let _ = symlink("..", path.join("link-to-folder"));
        }
        if !path.join("a.py").exists() {
            let _ = fs::remove_file(path.join("link.py"));
        }
        for _ in 0..if depth < 3 { self.number(4) } else { 0 } {
            let name =
                self.of(&["i18n", "i18n_extra", "static", "tests", "models", "data", "é", "A", "i18n.x"]);
            self.folder(&path.join(name), depth + 1);
        }
    }

    fn pattern(&mut self) -> String {
        let parts = [
            "*", "*", "*", "?", "?", "a", "b", "-", "[", "]", "[]a]", "!", "[a-c]", "[!b]", "[^a]", "[c-a]",
            "[a-]",
        ];
        let more = ["/", "\\", "é", "&&", "[^-b]", "[!!]", "[&&a]", "[\\]"];
        (0..1 + self.number(4))
            .map(|_| if self.number(4) == 0 { self.of(&more) } else { self.of(&parts) })
            .collect()
    }

    fn text(&mut self) -> String {
        let parts = ["a", "a", "a", "b", "c", "-", "^", "!", "/", "]", "é", "&", "\\"];
        (0..self.number(4)).map(|_| self.of(&parts)).collect()
    }
}

#[test]
fn click_odoo_contrib_computes_the_same() {
    let Some(package) = script("click-odoo-contrib") else { return };
    let mut maker = Maker(StdRng::seed_from_u64(SEED));
    let scratch = tempfile::tempdir().unwrap();
    let languages: &[&[&str]] = &[&[], &["en_US"], &["fr_FR", "nl_NL"], &["sr@latin", "fr_BE"]];
    let excluded = [EXCLUDED, "*.xml, models/*", "[!_]*.py", "*"];
    let modules: Vec<Value> = (0..MODULES)
        .map(|number| {
            let folder = scratch.path().join(format!("module{number}"));
            maker.folder(&folder, 0);
            let excluded = excluded[if number % 2 == 0 { 0 } else { maker.number(excluded.len()) }];
            let patterns: Vec<&str> = excluded.split(',').map(str::trim).collect();
            let languages = languages[maker.number(languages.len())];
            json!({"folder": folder, "excluded": patterns, "languages": languages})
        })
        .collect();
    let patterns: Vec<(String, String)> = (0..PATTERNS).map(|_| (maker.pattern(), maker.text())).collect();
    let asked = scratch.path().join("asked.json");
    fs::write(&asked, json!({"modules": modules, "patterns": patterns}).to_string()).unwrap();
    let output = Command::new("python3").args(["-c", PYTHON]).args([&package, &asked]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (module, theirs) in modules.iter().zip(theirs["hashes"].as_array().unwrap()) {
        let texts = |field: &str| -> Vec<String> { serde_json::from_value(module[field].clone()).unwrap() };
        let (excluded, languages) = (texts("excluded"), texts("languages"));
        let counted = Counted::new(&excluded.join(" , "), languages.iter().map(String::as_str));
        let ours = checksum(Path::new(module["folder"].as_str().unwrap()), &counted).unwrap();
        assert_eq!(&json!(ours), theirs, "{module}");
    }
    let fits = theirs["fits"].as_array().unwrap();
    let fitting = fits.iter().filter(|fits| **fits == json!(true)).count();
    assert!(
        (PATTERNS / 20..PATTERNS).contains(&fitting),
        "{fitting} of {PATTERNS} fit: the cases say too little"
    );
    for ((pattern, name), theirs) in patterns.iter().zip(fits) {
        assert_eq!(&json!(Patterns::parse(pattern).matches(name)), theirs, "{pattern:?} {name:?}");
    }
}

#[test]
fn what_would_never_end_or_can_t_be_read_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let counted = Counted::new(EXCLUDED, []);
    let says = |path: &Path| checksum(path, &counted).unwrap_err().to_string();
    assert!(says(&scratch.path().join("none")).contains("failed to read"));
    assert!(Command::new("mkfifo").arg(scratch.path().join("pipe")).status().unwrap().success());
    assert!(says(scratch.path()).ends_with("pipe` is no regular file"));
    fs::remove_file(scratch.path().join("pipe")).unwrap();
    symlink("nowhere", scratch.path().join("broken.py")).unwrap();
    assert!(says(scratch.path()).contains("broken.py"));
    fs::remove_file(scratch.path().join("broken.py")).unwrap();
    fs::create_dir_all(scratch.path().join(vec!["d"; 70].join("/"))).unwrap();
    assert!(says(scratch.path()).contains("more than 64 folders deep"));
}
