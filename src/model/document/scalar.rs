//! What a plain scalar means, by YAML's core schema.

use super::ScalarKind;

/// Whether a tag is one of YAML's own, which are resolved instead of kept.
pub(super) fn is_core_tag(tag: &str) -> bool {
    matches!(tag, "" | "str" | "null" | "int" | "bool" | "float" | "map" | "seq" | "merge")
}

/// What a scalar with a tag means; an error holds what it means in spite of its tag.
pub(super) fn tagged_kind(text: &str, tag: Option<&str>, plain: bool) -> Result<ScalarKind, ScalarKind> {
    match tag {
        Some("str") => Ok(ScalarKind::String),
        Some("null") => Ok(ScalarKind::Null),
        Some(tag @ ("int" | "bool" | "float")) => {
            let kind = plain_kind(text);
            let fits = matches!(
                (tag, kind),
                ("int", ScalarKind::Integer(_))
                    | ("bool", ScalarKind::Bool(_))
                    | ("float", ScalarKind::Float(_) | ScalarKind::Integer(_))
            );
            if fits { Ok(kind) } else { Err(kind) }
        }
        _ if plain => Ok(plain_kind(text)),
        _ => Ok(ScalarKind::String),
    }
}

/// What a plain scalar means.
fn plain_kind(text: &str) -> ScalarKind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return ScalarKind::Null,
        "true" | "True" | "TRUE" => return ScalarKind::Bool(true),
        "false" | "False" | "FALSE" => return ScalarKind::Bool(false),
        ".inf" | ".Inf" | ".INF" | "+.inf" => return ScalarKind::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return ScalarKind::Float(f64::NEG_INFINITY),
        ".nan" | ".NaN" | ".NAN" => return ScalarKind::Float(f64::NAN),
        _ => {}
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let radix = |digits: &str, radix| {
        let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_alphanumeric());
        plain.then(|| i64::from_str_radix(digits, radix).ok()).flatten().map(|value| sign * value)
    };
    let integer = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        radix(hex, 16)
    } else if let Some(binary) = digits.strip_prefix("0b").or_else(|| digits.strip_prefix("0B")) {
        radix(binary, 2)
    } else if let Some(octal) = digits.strip_prefix("0o") {
        radix(octal, 8)
    } else if digits.len() > 1 && digits.starts_with('0') {
        radix(&digits[1..], 8)
    } else {
        radix(digits, 10)
    };
    if let Some(value) = integer {
        return ScalarKind::Integer(value);
    }
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().any(|c| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    // A whole number beyond 64 bits is read as Compose reads it; one that begins with a zero is text (`08`).
    let whole = digits.len() > 1 && digits.chars().all(|c| c.is_ascii_digit());
    let text = whole && (digits.starts_with('0') || digits.parse::<u64>().is_ok());
    match digits.parse::<f64>() {
        Ok(value) if numeric && !text => ScalarKind::Float(f64::from(sign as i32) * value),
        _ => ScalarKind::String,
    }
}
