//! Real manifests, and those of the fixture in every style, give the facts that Python reads from them.

use std::collections::BTreeMap;
use std::fs;

use ipaictl::odoo::knowledge::{Knowledge, Verdict, short};
use ipaictl::odoo::manifest::{AutoInstall, Manifest, read};
use serde_json::{Value, json};

use super::{fixture, known, python, script};

/// A manifest's facts in the words of the fixture.
fn facts(manifest: &Manifest) -> Value {
    let external: BTreeMap<&str, &Vec<String>> =
        manifest.external.iter().map(|(kind, names)| (kind.as_str(), names)).collect();
    json!({
        "depends": manifest.depends,
        "external_dependencies": external,
        "version": manifest.version,
        "installable": manifest.installable,
        "license": manifest.license,
    })
}

#[test]
fn every_module_of_the_fixture_is_read_in_every_style() {
    let Some(known) = known() else { return };
    assert_eq!(known.len(), 1_173);
    for module in &known {
        let mut expected = module.facts.clone();
        let auto = expected["auto_install"].take();
        let auto = match &auto {
            Value::Bool(false) => AutoInstall::Never,
            Value::Bool(true) => {
                AutoInstall::When(serde_json::from_value(expected["depends"].clone()).unwrap())
            }
            names => AutoInstall::When(serde_json::from_value(names.clone()).unwrap()),
        };
        let external = expected["external_dependencies"].as_object_mut().unwrap();
        // Kinds without names say nothing.
        external.retain(|_, names| !names.as_array().is_none_or(Vec::is_empty));
        for style in 0..python::STYLES {
            let text = python::manifest(&module.facts, style);
            let read = read("__manifest__.py", text.as_bytes());
            let manifest =
                read.manifest.unwrap_or_else(|| panic!("{}: {:?}\n{text}", module.path, read.problems));
            let found = facts(&manifest);
            for key in ["depends", "external_dependencies", "version", "installable", "license"] {
                assert_eq!(found[key], expected[key], "{} in style {style}: {key}", module.path);
            }
            let sorted = |auto: &AutoInstall| match auto {
                AutoInstall::Never => None,
                AutoInstall::When(names) => {
                    let mut names = names.clone();
                    names.sort();
                    Some(names)
                }
            };
            assert_eq!(sorted(&manifest.auto_install), sorted(&auto), "{}", module.path);
        }
    }
}

#[test]
fn the_manifests_of_real_wheels_are_read() {
    let Some(folder) = script("odoo-addons") else { return };
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path().join("__manifest__.py");
        let read = read(&path.display().to_string(), &fs::read(&path).unwrap());
        let manifest = read.manifest.unwrap_or_else(|| panic!("{:?}", read.problems));
        assert!(manifest.installable && manifest.version.starts_with("18.0."), "{}", path.display());
        assert!(!manifest.depends.is_empty(), "{}", path.display());
        count += 1;
    }
    assert!(count >= 60, "{count} wheels");
}

#[test]
fn the_must_have_modules_get_the_verdicts_of_the_fixture() {
    let Some(fixture) = fixture() else { return };
    let text = fs::read_to_string(fixture.join("extracted/must-have-status.json")).unwrap();
    let status: Value = serde_json::from_str(&text).unwrap();
    let knowledge = Knowledge::built_in();
    let modules = status["modules"].as_array().unwrap();
    assert_eq!(modules.len(), 66);
    for expected in modules {
        let name = expected["module"].as_str().unwrap();
        let verdict = match knowledge.verdict(name, expected["listed_repo"].as_str().unwrap(), "18.0") {
            Verdict::Ok => "ok",
            Verdict::OtherRepository => "other_repo",
            Verdict::ByPackageIndexOnly => "ok_by_package_index_only",
            Verdict::NotOnSeries => "not_on_18.0",
        };
        let homes: Vec<&str> = knowledge.homes(name, "18.0").into_iter().map(short).collect();
        let entry = knowledge.entry(name).unwrap();
        let replaced: Vec<String> = entry
            .replaced_by
            .iter()
            .map(|new| match &new.repository {
                Some(repository) => format!("{} ({})", new.module, short(repository)),
                None => new.module.clone(),
            })
            .collect();
        let found = json!({
            "listed_repo": expected["listed_repo"],
            "module": name,
            "verdict": verdict,
            "found_on_18_0_in": homes,
            "newest_series_in_snapshots": entry.last_series,
            "newest_series_repo": entry.last_repository.as_deref().map(short),
            "newest_major_in_package_index": entry.index_major,
            "replaced_by": replaced,
        });
        assert_eq!(&found, expected, "{name}");
    }
}
