//! The merged model as the JSON that `docker compose config --format json` prints.
//!
//! Total: what can't be printed was reported before and is left out.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde_json::{Map, Number, Value, json};

use crate::model::document::{Node, NodeValue, ScalarKind};

use super::kind::{Kind, Record};
use super::schema_service::BLKIO_RATE;
use super::{schema, tree, units, value};

/// The JSON of a model without `name`, its keys sorted.
pub(super) fn model(model: &Node) -> Map<String, Value> {
    let mut out = match value(model, &schema::ROOT) {
        Value::Object(out) => out,
        _ => Map::new(),
    };
    out.remove("include");
    out.remove("version");
    out.entry("services").or_insert_with(|| json!({}));
    if let Some(Value::Object(services)) = out.get_mut("services") {
        for service in services.values_mut().filter_map(Value::as_object_mut) {
            for key in ["command", "entrypoint"] {
                service.entry(key).or_insert(Value::Null);
            }
            service.sort_keys();
        }
    }
    out.sort_keys();
    out
}

fn value(node: &Node, kind: &Kind) -> Value {
    let text = || tree::value_text(node).map_or(Value::Null, Value::String);
    match kind {
        Kind::Nullable(inner) if !node.is_null() => value(node, inner),
        _ if node.is_null() => Value::Null,
        Kind::Any | Kind::Nullable(_) => node.to_json(),
        Kind::Either(kinds) => either(node, kinds),
        Kind::Text | Kind::Scalar | Kind::Choice(_) => text(),
        Kind::Flag | Kind::StrictFlag => value::truth(node).map_or(Value::Null, Value::Bool),
        Kind::Integer => value::integer(node).map_or(Value::Null, Value::from),
        Kind::Count => value::device_count(node).map_or(Value::Null, Value::from),
        Kind::Float => value::float(node).map_or(Value::Null, float),
        Kind::Bytes | Kind::BytesText => {
            value::byte_size(node).map_or(Value::Null, |size| Value::String(size.to_string()))
        }
        Kind::Duration => node
            .text()
            .and_then(units::duration)
            .map_or(Value::Null, |nanos| Value::String(units::duration_text(nanos))),
        Kind::Mode => mode(node),
        Kind::Words | Kind::Test | Kind::Texts | Kind::TextOrTexts | Kind::Scalars => texts(node),
        Kind::Hosts => {
            let Value::Array(mut hosts) = texts(node) else { return Value::Null };
            hosts.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            Value::Array(hosts)
        }
        Kind::KeyValues(keep_null) => pairs(node, *keep_null),
        Kind::Options => pairs(node, false),
        Kind::Named(inner) | Kind::Map(inner) => named(node, inner),
        Kind::Fields(record) => fields(node, record),
        Kind::List(inner) => {
            Value::Array(node.items().unwrap_or_default().iter().map(|item| value(item, inner)).collect())
        }
    }
}

/// The kind that the long form has.
fn either(node: &Node, kinds: &[Kind]) -> Value {
    let fits = |kind: &&Kind| match &node.value {
        NodeValue::Mapping(_) => matches!(kind, Kind::Fields(_) | Kind::Named(_)),
        NodeValue::Sequence(_) => matches!(kind, Kind::List(_) | Kind::Texts),
        NodeValue::Scalar { .. } => {
            matches!(kind, Kind::Text | Kind::Scalar | Kind::Integer | Kind::Flag | Kind::Choice(_))
        }
    };
    kinds.iter().find(fits).map_or(Value::Null, |kind| value(node, kind))
}

fn fields(node: &Node, record: &Record) -> Value {
    let mut out = Map::new();
    for entry in node.entries().unwrap_or_default() {
        let Some(field) = record.fields.iter().find(|field| field.name == entry.key) else { continue };
        let printed = value(&entry.value, &field.kind);
        let words = matches!(field.kind, Kind::Words);
        let empty_record =
            matches!(printed, Value::Object(ref map) if map.is_empty()) && is_record(&field.kind);
        let empty = is_zero(&printed) || is_zero_size(&printed, &field.kind);
        if words || field.keep && !printed.is_null() || empty_record || !empty {
            out.insert(entry.key.clone(), printed);
        }
    }
    if std::ptr::eq(record, &BLKIO_RATE)
        || record.fields.iter().map(|field| field.name).eq(["path", "weight"])
    {
        out = out.into_iter().map(|(key, value)| (capital(&key), value)).collect();
    }
    out.sort_keys();
    Value::Object(out)
}

fn is_record(kind: &Kind) -> bool {
    match kind {
        Kind::Fields(_) => true,
        Kind::Nullable(inner) => is_record(inner),
        Kind::Either(kinds) => kinds.iter().any(is_record),
        _ => false,
    }
}

/// What Go leaves out: zero, false, empty text, lists and maps.
fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

/// A size is printed as text and is a number all the same; any other text of `0`, such as a user's, is a value.
fn is_zero_size(value: &Value, kind: &Kind) -> bool {
    matches!(kind, Kind::Bytes | Kind::BytesText) && value.as_str() == Some("0")
}

fn capital(key: &str) -> String {
    key[..1].to_ascii_uppercase() + &key[1..]
}

fn float(value: f32) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        return Value::from(value as i64);
    }
    // Through text, so that 0.1 stays 0.1 and is not what is nearest to it in 32 bits.
    let exact = value.to_string().parse().ok().and_then(Number::from_f64);
    exact.map_or(Value::Null, Value::Number)
}

fn mode(node: &Node) -> Value {
    let mode = match &node.value {
        NodeValue::Scalar { kind: ScalarKind::Integer(value), .. } => Some(*value),
        _ => node.text().and_then(|text| i64::from_str_radix(text, 8).ok()),
    };
    mode.map_or(Value::Null, |mode| Value::String(format!("0{mode:o}")))
}

fn texts(node: &Node) -> Value {
    let items = node.items().unwrap_or_default();
    Value::Array(items.iter().filter_map(tree::value_text).map(Value::String).collect())
}

fn pairs(node: &Node, keep_null: bool) -> Value {
    let mut out = Map::new();
    for entry in node.entries().unwrap_or_default() {
        let printed = match tree::value_text(&entry.value) {
            Some(text) => Value::String(text),
            None if keep_null => Value::Null,
            None => Value::String(String::new()),
        };
        out.insert(entry.key.clone(), printed);
    }
    out.sort_keys();
    Value::Object(out)
}

fn named(node: &Node, inner: &Kind) -> Value {
    let mut out = Map::new();
    for entry in node.entries().unwrap_or_default() {
        out.insert(entry.key.clone(), value(&entry.value, inner));
    }
    out.sort_keys();
    Value::Object(out)
}
