//! The schemas of the kinds, made from their Rust types: for editors, for `kubectl`, and for our own validation.
//!
//! One form serves all three: closed objects, no references, no `null`, a reference to a secret as one
//! object with three shapes. A CustomResourceDefinition is the same schema in Kubernetes' narrower dialect.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::model::id::{API_VERSION, Kind};
use crate::model::resource::Metadata;
use crate::skills::environment::spec::EnvironmentSpec;
use crate::skills::host::spec::HostSpec;
use crate::skills::layout::spec::LayoutSpec;
use crate::skills::repository::spec::RepositorySpec;
use crate::skills::stack::spec::StackSpec;

/// What editors say about `apiVersion`.
const ABOUT_VERSION: &str = "The version of the format.";
/// What editors say about `kind`.
const ABOUT_KIND: &str = "What the document describes.";

/// The JSON Schema (draft 2020-12) of a kind's whole document.
pub fn json_schema(kind: Kind) -> Value {
    let spec = spec_schema(kind);
    let about = spec.get("description").cloned().unwrap_or_default();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.as_str(),
        "description": about,
        "type": "object",
        "properties": {
            "apiVersion": {"description": ABOUT_VERSION, "type": "string", "const": API_VERSION},
            "kind": {"description": ABOUT_KIND, "type": "string", "const": kind.as_str()},
            "metadata": schema_of::<Metadata>(),
            "spec": spec,
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
    })
}

/// The CustomResourceDefinition (apiextensions v1) of a kind.
pub fn crd_value(kind: Kind) -> Value {
    let mut spec = spec_schema(kind);
    make_structural(&mut spec);
    let about = spec.get("description").cloned().unwrap_or_default();
    let singular = kind.as_str().to_lowercase();
    let columns: Vec<Value> = columns(kind)
        .iter()
        .map(|(name, path)| json!({"name": name, "type": "string", "jsonPath": path}))
        .chain([json!({"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"})])
        .collect();
    let (group, version) = API_VERSION.split_once('/').expect("an API version is group/version");
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{}.{group}", kind.plural())},
        "spec": {
            "group": group,
            "names": {
                "kind": kind.as_str(),
                "listKind": format!("{}List", kind.as_str()),
                "plural": kind.plural(),
                "singular": singular,
            },
            "scope": "Cluster",
            "versions": [{
                "name": version,
                "served": true,
                "storage": true,
                "additionalPrinterColumns": columns,
                "schema": {"openAPIV3Schema": {
                    "description": about,
                    "type": "object",
                    "properties": {
                        "apiVersion": {"description": ABOUT_VERSION, "type": "string"},
                        "kind": {"description": ABOUT_KIND, "type": "string"},
                        "metadata": {"type": "object"},
                        "spec": spec,
                    },
                    "required": ["spec"],
                }},
            }],
        },
    })
}

/// The CustomResourceDefinition of a kind, as a YAML file.
pub fn crd(kind: Kind) -> String {
    let mut text = String::from("# Written by `ipaictl schema`; do not edit.\n");
    super::yaml::write(&crd_value(kind), &mut text);
    text
}

/// The names and contents of the files under `crds/`.
pub fn files() -> Vec<(String, String)> {
    let of_kind = |kind: &Kind| {
        let stem = kind.as_str().to_lowercase();
        let schema = serde_json::to_string_pretty(&json_schema(*kind)).expect("a schema is JSON");
        [(format!("{stem}.yaml"), crd(*kind)), (format!("{stem}.schema.json"), format!("{schema}\n"))]
    };
    Kind::ALL.iter().flat_map(of_kind).collect()
}

fn columns(kind: Kind) -> &'static [(&'static str, &'static str)] {
    match kind {
        Kind::Host => &[("Address", ".spec.address"), ("Endpoint", ".spec.engine.endpoint")],
        Kind::Repository => &[("URL", ".spec.url"), ("Ref", ".spec.ref"), ("Host", ".spec.host")],
        Kind::AddonsLayout => {
            &[("Repository", ".spec.repository"), ("Series", ".spec.series"), ("Pinning", ".spec.pinning")]
        }
        Kind::Stack => &[("Host", ".spec.host"), ("Repository", ".spec.repository"), ("Run", ".spec.run")],
        Kind::Environment => &[("Tier", ".spec.tier"), ("Host", ".spec.host"), ("Run", ".spec.run")],
    }
}

fn spec_schema(kind: Kind) -> Value {
    match kind {
        Kind::Host => schema_of::<HostSpec>(),
        Kind::Repository => schema_of::<RepositorySpec>(),
        Kind::AddonsLayout => schema_of::<LayoutSpec>(),
        Kind::Stack => schema_of::<StackSpec>(),
        Kind::Environment => schema_of::<EnvironmentSpec>(),
    }
}

fn schema_of<S: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = SchemaGenerator::new(settings).into_root_schema_for::<S>().to_value();
    normalize(&mut schema);
    schema
}

/// Brings what schemars writes into our one form, from the leaves up.
fn normalize(schema: &mut Value) {
    if *schema == Value::Bool(true) {
        *schema = json!({"type": "object", "additionalProperties": true});
        return;
    }
    let Some(object) = schema.as_object_mut() else { return };
    object.remove("$schema");
    object.remove("title");
    for key in ["properties"] {
        if let Some(Value::Object(properties)) = object.get_mut(key) {
            properties.values_mut().for_each(normalize);
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key).filter(|inner| inner.is_object() || key == "items") {
            normalize(inner);
        }
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(choices)) = object.get_mut(key) {
            choices.iter_mut().for_each(normalize);
        }
    }
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    drop_null(object);
    join_words(object);
    join_secret_forms(object);
    open_variables(object);
    let is_any = !["type", "anyOf", "oneOf", "enum", "const"].iter().any(|key| object.contains_key(*key));
    if is_any {
        object.insert("type".to_owned(), json!("object"));
        object.insert("additionalProperties".to_owned(), json!(true));
    }
    if object.contains_key("properties") && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".to_owned(), json!(false));
    }
}

/// An optional field is left out, never `null`.
fn drop_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    choices.retain(|choice| choice != &json!({"type": "null"}));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        for (key, value) in only {
            // The field's own description says more than its type's.
            object.entry(key).or_insert(value);
        }
    }
}

/// Words with a description each become one `enum` whose description lists them.
fn join_words(object: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = object.get("oneOf") else { return };
    let words: Option<Vec<(String, String)>> = choices
        .iter()
        .map(|choice| {
            let word = choice.get("const")?.as_str()?.to_owned();
            let about = choice.get("description").and_then(Value::as_str).unwrap_or_default();
            Some((word, about.to_owned()))
        })
        .collect();
    let Some(words) = words else { return };
    let mut about = object.get("description").and_then(Value::as_str).unwrap_or_default().to_owned();
    for (word, text) in &words {
        about.push_str(&format!("\n- `{word}`: {text}"));
    }
    object.remove("oneOf");
    object.insert("type".to_owned(), json!("string"));
    object.insert("enum".to_owned(), words.into_iter().map(|(word, _)| Value::String(word)).collect());
    object.insert("description".to_owned(), Value::String(about));
}

/// The three forms of a reference to a secret become one object, so that an error can name the field.
fn join_secret_forms(object: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = object.get("anyOf") else { return };
    let mut properties = Map::new();
    for choice in choices {
        let Some(Value::Object(own)) = choice.get("properties") else { return };
        properties.extend(own.clone());
    }
    if !is_secret_reference(&json!({ "properties": properties })) {
        return;
    }
    object.remove("anyOf");
    object.insert("type".to_owned(), json!("object"));
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("additionalProperties".to_owned(), json!(false));
    object.insert(
        "oneOf".to_owned(),
        json!([
            {"required": ["env"], "maxProperties": 1},
            {"required": ["file"], "maxProperties": 1},
            {"required": ["age", "key"], "maxProperties": 2},
        ]),
    );
}

/// Whether a schema is that of a reference to a secret.
pub(super) fn is_secret_reference(schema: &Value) -> bool {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.is_some_and(|properties| {
        properties.len() == 4 && ["env", "file", "age", "key"].iter().all(|key| properties.contains_key(*key))
    })
}

/// Text that is interpolated may be written without quotes, as in Compose's `environment`.
fn open_variables(object: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else { return };
    let has_secret = choices.iter().any(is_secret_reference);
    if let Some(text) = choices.iter_mut().find(|choice| choice.get("type") == Some(&json!("string")))
        && has_secret
    {
        text["type"] = json!(["string", "number", "boolean"]);
    }
}

/// Rewrites a schema in the dialect that Kubernetes calls structural.
fn make_structural(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else { return };
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.values_mut().for_each(make_structural);
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = object.get_mut(key).filter(|inner| inner.is_object()) {
            make_structural(inner);
        }
    }
    match object.get("additionalProperties") {
        Some(Value::Bool(true)) => {
            object.remove("additionalProperties");
            object.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
        }
        // Closed is what a structural schema is anyway: unknown fields are pruned or refused.
        Some(Value::Bool(false)) => {
            object.remove("additionalProperties");
        }
        _ => {}
    }
    // Text or an object has no structural form.
    if object.remove("anyOf").is_some() {
        object.insert("x-kubernetes-preserve-unknown-fields".to_owned(), json!(true));
    }
}
