//! The schemas on disk are those of the types, and they tell good documents from bad ones.

use std::path::Path;

use ipaictl::desired::schema::{crd_value, files, json_schema};
use ipaictl::desired::{At, Source, SourceSettings};
use ipaictl::model::document::parse_documents;
use ipaictl::model::id::Kind;
use serde_json::Value;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn no_schema_is_stale() {
    let folder = root().join("crds");
    let mut stale = Vec::new();
    for (name, text) in files() {
        let path = folder.join(&name);
        if std::env::var_os("IPAICTL_BLESS").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "{stale:?} are stale; run IPAICTL_BLESS=1 cargo test --test it no_schema_is_stale"
    );
}

/// Goes through a schema the way the rules of Kubernetes' structural schemas are written.
fn structural_faults(schema: &Value, path: &str, faults: &mut Vec<String>) {
    let Some(object) = schema.as_object() else { return faults.push(format!("{path}: not an object")) };
    for key in ["$ref", "$defs", "const", "anyOf", "title", "$schema"] {
        if object.contains_key(key) {
            faults.push(format!("{path}: `{key}`"));
        }
    }
    let open = object.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    match object.get("type") {
        Some(Value::String(_)) => {}
        None if open => {}
        other => faults.push(format!("{path}: type {other:?}")),
    }
    if object.get("additionalProperties").is_some_and(Value::is_boolean) {
        faults.push(format!("{path}: additionalProperties is a boolean"));
    }
    if object.contains_key("additionalProperties") && object.contains_key("properties") {
        faults.push(format!("{path}: properties beside additionalProperties"));
    }
    if !path.is_empty()
        && !path.ends_with("/metadata")
        && !object.contains_key("description")
        && path.matches('/').count() == 2
    {
        faults.push(format!("{path}: no description"));
    }
    for choice in object.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        let keys: Vec<&String> = choice.as_object().unwrap().keys().collect();
        if !keys.iter().all(|key| ["required", "maxProperties"].contains(&key.as_str())) {
            faults.push(format!("{path}: {keys:?} in oneOf"));
        }
    }
    for (name, inner) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
        structural_faults(inner, &format!("{path}/{name}"), faults);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get(key) {
            structural_faults(inner, &format!("{path}/{key}"), faults);
        }
    }
}

#[test]
fn custom_resource_definitions_are_structural() {
    for kind in Kind::ALL {
        let crd = crd_value(*kind);
        let version = &crd["spec"]["versions"][0];
        let mut faults = Vec::new();
        structural_faults(&version["schema"]["openAPIV3Schema"], "", &mut faults);
        assert!(faults.is_empty(), "{kind}: {faults:#?}");
        assert_eq!(crd["metadata"]["name"], format!("{}.ipai.dev", kind.plural()));
    }
}

#[test]
fn every_field_of_a_schema_has_a_description() {
    fn walk(schema: &Value, path: &str, without: &mut Vec<String>) {
        for (name, inner) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let path = format!("{path}.{name}");
            if inner.get("description").is_none() {
                without.push(path.clone());
            }
            walk(inner, &path, without);
        }
        for choice in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
            walk(choice, path, without);
        }
        if let Some(items) = schema.get("items") {
            walk(items, &format!("{path}[]"), without);
        }
    }
    for kind in Kind::ALL {
        let mut without = Vec::new();
        walk(&json_schema(*kind), kind.as_str(), &mut without);
        assert!(without.is_empty(), "{without:?}");
    }
}

/// Folders whose documents are complete desired states.
const EXAMPLES: &[&str] = &[
    "examples/host",
    "examples/repository",
    "examples/stack",
    "examples/environment",
    "examples/layout/desired-state",
    "desired-state",
];

#[test]
fn editors_accept_the_examples_and_refuse_broken_ones() {
    let mut checked = 0;
    for folder in EXAMPLES {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if !name.ends_with(".yaml") || name == "compose.yaml" {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let line = text.lines().next().unwrap();
            let schema = line.strip_prefix("# yaml-language-server: $schema=").expect("a schema for editors");
            let schema = std::fs::read_to_string(path.parent().unwrap().join(schema)).expect(line);
            let schema: Value = serde_json::from_str(&schema).unwrap();
            let validator = jsonschema::validator_for(&schema).unwrap();
            let (documents, _) = parse_documents(name, text.as_bytes());
            let good = documents[0].to_json();
            assert!(validator.is_valid(&good), "{}", path.display());
            for (pointer, bad) in
                [("kind", Value::from("Hots")), ("apiVersion", Value::from("v1")), ("status", Value::from(1))]
            {
                let mut broken = good.clone();
                broken[pointer] = bad;
                assert!(!validator.is_valid(&broken), "{} with {pointer}", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked >= 6, "only {checked} documents were found");
}

#[tokio::test]
async fn every_example_is_a_valid_desired_state() {
    let state = tempfile::tempdir().unwrap();
    for path in EXAMPLES {
        let settings = SourceSettings {
            repo: root().display().to_string(),
            path: (*path).to_owned(),
            state_dir: state.path().to_owned(),
            ..SourceSettings::default()
        };
        let source = Source::open(&settings).unwrap();
        let secrets = ipaictl::clients::secrets::SecretResolver::new(Default::default());
        let options = ipaictl::desired::LoadOptions { now: super::now(), fetch: false };
        let loaded = ipaictl::desired::load(&source, &At::WorkingTree, &secrets, &options).await.unwrap();
        assert!(loaded.is_valid(), "{path}: {:#?}", loaded.problems);
    }
}
