//! odoo.conf: the reader against Python's own, and the fifteen variants of the first users.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use ipaictl::odoo::conf::{OdooConf, check, compare, parse, render};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::deps::fixture;

const CASES: usize = 5_000;
/// Always the same cases, so that a failure can be looked at.
const SEED: u64 = 18;

/// Reads all files in one process, as the server does; writes all sections, or `null` for a file that is refused.
const PYTHON: &str = r#"
import configparser, json, pathlib, sys

out = []
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    reader = configparser.RawConfigParser()
    try:
        reader.read([path], encoding="utf-8")
        out.append({name: dict(reader.items(name)) for name in reader.sections()})
    except configparser.Error:
        out.append(None)
print(json.dumps(out))
"#;

fn dump(conf: &OdooConf) -> Value {
    let section = |name| {
        let options = conf.section(name);
        options.into_iter().map(|(name, written)| (name.to_owned(), json!(written.value))).collect::<Value>()
    };
    conf.sections().map(|name| (name.to_owned(), section(name))).collect()
}

/// A file of few different words, so that they meet: sections, options, depths, comments, line ends, odd blanks.
fn file(random: &mut StdRng) -> String {
    let mut of = |choices: &[&str]| choices[random.random_range(0..choices.len())].to_owned();
    let mut text =
        of(&["[options]\n", "[options]\n", "[options]\r\n", "; first\n[options]\n", "", "\u{feff}"]);
    for _ in 0..of(&["1", "3", "6", "10"]).parse().unwrap() {
        text += &of(&["", "", "", "", " ", "  ", "\t", "\u{1f}", "\u{a0}"]);
        text += &match of(&["option", "option", "option", "option", "words", "section", "blank", "comment"])
            .as_str()
        {
            "option" => {
                let names: Vec<String> = (0..20).map(|number| format!("name{number}")).collect();
                let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
                names.extend(["A", "É", "two words", "", "a=b", "[x", "x]"]);
                of(&names)
                    + &of(&["=", " = ", ":", " :\t", "\u{1c}=\u{a0}"])
                    + &of(&[
                        "",
                        "1",
                        "True",
                        "a = b",
                        "x ; no comment",
                        "# none",
                        "[z]",
                        "%(a)s ${b}",
                        "é\u{2028}é ",
                    ])
            }
            "words" => of(&["words", "/a,", ",/b", "more = less", "]", "x : y"]),
            "section" => of(&["[b]", "[DEFAULT]", "[c] d", "[]", "[]]", "[ b ]", "[d]e]", "[default]"]),
            "blank" => String::new(),
            _ => of(&["# x = y", ";", "#[b]", "; é"]),
        };
        text += &of(&["\n", "\n", "\n", "\n", "\r\n", "\r", "\n\n", "\n \n"]);
    }
    text
}

#[test]
fn python_s_own_reader_agrees_on_every_file() {
    if Command::new("python3").arg("--version").output().is_err() {
        return println!("skipped: python3 is not installed");
    }
    let mut random = StdRng::seed_from_u64(SEED);
    let texts: Vec<String> = (0..CASES).map(|_| file(&mut random)).collect();
    let folder = tempfile::tempdir().unwrap();
    for (number, text) in texts.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:05}")), text).unwrap();
    }
    let output = Command::new("python3").args(["-c", PYTHON]).arg(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(theirs.len(), CASES);
    let read = theirs.iter().filter(|value| !value.is_null()).count();
    assert!((CASES / 5..CASES).contains(&read), "{read} of {CASES} can be read: the cases say too little");
    for (text, theirs) in texts.iter().zip(&theirs) {
        let ours = parse("odoo.conf", text).map_or(Value::Null, |conf| dump(&conf));
        assert_eq!(&ours, theirs, "{text:?}");
    }
}

/// The variants as the fixture tells of them: the file's path and what it says.
fn variants() -> Option<Vec<(String, OdooConf)>> {
    let text = fs::read_to_string(fixture()?.join("extracted/odoo-confs.json")).unwrap();
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    let variant = |facts: &Value| {
        let mut options: BTreeMap<String, String> = serde_json::from_value(facts["options"].clone()).unwrap();
        let roots: Vec<String> = serde_json::from_value(facts["addons_path"].clone()).unwrap();
        if !roots.is_empty() {
            options.insert("addons_path".to_owned(), roots.join(","));
        }
        let file = facts["file"].as_str().unwrap().to_owned();
        let conf = parse(&file, &render(&options).unwrap()).unwrap();
        assert_eq!(conf.addons_path(), roots, "{file}");
        (file, conf)
    };
    Some(all.iter().map(variant).collect())
}

#[test]
fn all_variants_of_the_first_users_are_read_and_what_does_nothing_in_them_is_said() {
    let Some(variants) = variants() else { return };
    assert_eq!(variants.len(), 15);
    let with = |what: &str| -> Vec<&str> {
        let says = |(file, conf): &&(String, OdooConf)| {
            check(file, conf).iter().any(|problem| problem.to_string().contains(what))
        };
        variants.iter().filter(says).map(|(file, _)| file.as_str()).collect()
    };
    let uses = |name: &str, test: &dyn Fn(&str) -> bool| -> Vec<&str> {
        let says = |(_, conf): &&(String, OdooConf)| conf.get(name).is_some_and(test);
        variants.iter().filter(says).map(|(file, _)| file.as_str()).collect()
    };
    let old = with("`longpolling_port` does nothing any more");
    assert_eq!(old, uses("longpolling_port", &|_| true));
    assert!(!old.is_empty());
    let unexpanded = uses("db_host", &|value| value.contains("${"));
    assert_eq!(with("is taken as it stands"), unexpanded);
    assert!(unexpanded.contains(&"infra/odoo.conf"));
    assert_eq!(with("is none of Odoo 18.0's"), [""; 0], "their names are all known");
}

#[test]
fn a_variant_differs_from_another_by_name_and_from_itself_in_nothing() {
    let Some(variants) = variants() else { return };
    for (file, conf) in &variants {
        assert_eq!(compare(conf, conf), [], "{file}");
    }
    let conf = |wanted: &str| &variants.iter().find(|(file, _)| file == wanted).unwrap().1;
    let differences = compare(conf("deploy/odoo.conf"), conf("infra/odoo.conf"));
    assert!(differences.iter().any(|difference| !difference.is_same_effect));
}
