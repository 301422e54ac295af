//! Hashes that don't depend on how a document was written.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Prefix of every canonical hash; a new way of hashing gets a new prefix, and never recreates anything.
pub const HASH_VERSION: &str = "v1";

/// Writes a value as canonical JSON: keys sorted, no insignificant space.
///
/// Numbers keep their integer form; a float with an integral value is written as that integer.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_canonical(value, &mut out);
    out
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(key, out);
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Number(number) => match number.as_f64() {
            // 9e15 is below 2^53, so the cast is exact.
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9e15 => {
                out.push_str(&(float as i64).to_string());
            }
            _ => out.push_str(&number.to_string()),
        },
        Value::String(text) => write_text(text, out),
        other => out.push_str(&other.to_string()),
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::to_string(text).expect("text is JSON"));
}

/// The versioned SHA-256 of a value's canonical JSON, as `v1:<64 hex>`.
pub fn canonical_hash(value: &Value) -> String {
    format!("{HASH_VERSION}:{}", sha256_hex(canonical_json(value).as_bytes()))
}

/// The SHA-256 of bytes in hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn key_order_and_float_spelling_do_not_change_the_hash() {
        let a = json!({"b": [1, {"y": 2.0, "x": null}], "a": "é"});
        let b = json!({"a": "é", "b": [1.0, {"x": null, "y": 2}]});
        assert_eq!(canonical_json(&a), r#"{"a":"é","b":[1,{"x":null,"y":2}]}"#);
        assert_eq!(canonical_hash(&a), canonical_hash(&b));
    }
}
