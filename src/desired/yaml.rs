//! Writes a JSON value as YAML that people like to read: block style, quotes only where needed.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde_json::Value;

use crate::model::document::{Node, parse_documents};

/// Appends a value as a block, with a final line end.
pub fn write(value: &Value, out: &mut String) {
    write_block(value, 0, out);
}

fn write_block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                out.push_str(&format!("{pad}{}:", scalar(key)));
                write_value(value, indent, out);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        let mut block = String::new();
                        write_block(item, indent + 2, &mut block);
                        out.push_str(&format!("{pad}- {}", block.trim_start()));
                    }
                    Value::Array(items) if !items.is_empty() => {
                        out.push_str(&format!("{pad}-\n"));
                        write_block(item, indent + 2, out);
                    }
                    _ => {
                        out.push_str(&format!("{pad}-"));
                        write_value(item, indent, out);
                    }
                }
            }
        }
        other => out.push_str(&format!("{pad}{}\n", flow(other))),
    }
}

fn write_value(value: &Value, indent: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            write_block(value, indent + 2, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            write_block(value, indent, out);
        }
        Value::String(text) if text.contains('\n') => {
            out.push_str(" |-\n");
            for line in text.lines() {
                let pad = if line.is_empty() { 0 } else { indent + 2 };
                out.push_str(&format!("{}{line}\n", " ".repeat(pad)));
            }
        }
        other => out.push_str(&format!(" {}\n", flow(other))),
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        // Empty maps and lists, numbers, booleans and null are spelled the same in both.
        other => other.to_string(),
    }
}

/// A string, plain when it reads back as the same string, otherwise in double quotes.
fn scalar(text: &str) -> String {
    // Kubernetes' reader still takes these words of YAML 1.1 for booleans.
    const OLD_BOOLEANS: &[&str] = &["y", "n", "yes", "no", "on", "off"];
    let is_simple = !OLD_BOOLEANS.contains(&text.to_ascii_lowercase().as_str())
        && !text.is_empty()
        && !text.contains(['\n', '\t', '"', '\\'])
        && !text.starts_with([
            ' ', '-', '?', ':', '[', ']', '{', '}', ',', '#', '&', '*', '!', '|', '>', '\'', '%', '@', '`',
        ])
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #");
    let reads_back = || {
        let (documents, problems) = parse_documents("", text.as_bytes());
        problems.is_empty() && documents.first().map(Node::to_json) == Some(Value::String(text.to_owned()))
    };
    if is_simple && reads_back() { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let value = json!({
            "a": "x: y", "b": ["1", 1, true, "true", "", "- a", null], "c": {}, "d": [], "e f": "two\nlines\n\nend",
            "list": [{"x": 1, "y": {"z": [1, 2]}}, [1, [2]]], "pattern": "^[a-z]\\.(x|y)$", "null": "~", "s": "`a`"
        });
        let mut text = String::new();
        write(&value, &mut text);
        let (documents, problems) = parse_documents("a.yaml", text.as_bytes());
        assert!(problems.is_empty(), "{problems:#?}\n{text}");
        assert_eq!(documents[0].to_json(), value, "{text}");
    }
}
