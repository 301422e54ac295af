//! The schemas of the kinds, made from their Rust types: for editors, for `kubectl`, and for our own validation.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Value, json};

use crate::model::id::{API_VERSION, Kind};
use crate::model::resource::Metadata;
use crate::skills::host::spec::HostSpec;
use crate::skills::repository::spec::RepositorySpec;
use crate::skills::stack::spec::StackSpec;

/// The JSON Schema (draft 2020-12) of a kind's whole document.
pub fn json_schema(kind: Kind) -> Value {
    let spec = match kind {
        Kind::Host => spec_schema::<HostSpec>(),
        Kind::Repository => spec_schema::<RepositorySpec>(),
        Kind::Stack => spec_schema::<StackSpec>(),
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.as_str(),
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind.as_str()},
            "metadata": spec_schema::<Metadata>(),
            "spec": spec,
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
    })
}

/// The CustomResourceDefinition of a kind, in YAML.
pub fn crd(kind: Kind) -> String {
    serde_json::to_string_pretty(&json_schema(kind)).expect("a schema is JSON")
}

fn spec_schema<S: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    SchemaGenerator::new(settings).into_root_schema_for::<S>().to_value()
}
