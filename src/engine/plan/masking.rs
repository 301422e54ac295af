//! How values of fields are shown: secrets as keyed fingerprints, everything else as text.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::change::FieldDiff;
use crate::model::secret::{HmacKey, Redactor, is_secret_name};

/// The longest text of a value that is shown on one side, in characters; a diff is read by people.
const VALUE_LENGTH_MAX: usize = 2_000;
/// Fields of which the last part names a variable, and so can say that the value is a secret.
const NAMED_GROUPS: &[&str] =
    &["environment.", "labels.", "logging.options.", "driver_opts.", "annotations.", "storage_opt."];

/// Fields that hold what people wrote freely, values of variables among it.
const FREE_TEXT: &[&str] = &[
    "command",
    "entrypoint",
    "healthcheck",
    "labels.",
    "annotations.",
    "logging.",
    "driver_opts.",
    "storage_opt.",
    "sysctls.",
];

/// How values of fields are shown.
#[derive(Debug, Clone, Copy)]
pub struct Masking<'a> {
    /// The key of fingerprints.
    pub key: &'a HmacKey,
    /// Knows the values of secrets.
    pub redactor: &'a Redactor,
}

impl Masking<'_> {
    /// One field that differs, safe to show.
    pub fn diff(
        &self,
        field: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        secrets: &BTreeSet<String>,
    ) -> FieldDiff {
        let clear =
            |value: Option<&Value>| value.filter(|value| !value.is_null()).map(|value| text(field, value));
        let (before, after) = (clear(before), clear(after));
        let is_secret = is_secret_field(field, secrets)
            || [&before, &after].into_iter().flatten().any(|text| self.shows_secret(field, text));
        let show = |text: String| match is_secret {
            true => format!("hmac {}", self.key.short(text.as_bytes())),
            false => cut(&text),
        };
        FieldDiff {
            field: field.to_owned(),
            before: before.map(show),
            after: after.map(show),
            secret: is_secret,
        }
    }

    /// Whether a text holds a known secret, or credentials in a URL. A value that is a secret by its variable's name
    /// counts only where people write free text: it may well be a word that is used elsewhere, too.
    fn shows_secret(&self, field: &str, text: &str) -> bool {
        let is_free = FREE_TEXT.iter().any(|part| field.starts_with(part));
        let safe = if is_free { self.redactor.redact_kept(text) } else { self.redactor.redact(text) };
        safe != text || has_url_credentials(text)
    }

    /// A text for people, known secrets masked.
    pub fn redact(&self, text: &str) -> String {
        self.redactor.redact(text)
    }
}

fn is_secret_field(field: &str, secrets: &BTreeSet<String>) -> bool {
    if field.strip_prefix("environment.").is_some_and(|name| secrets.contains(name)) {
        return true;
    }
    NAMED_GROUPS.iter().any(|group| field.strip_prefix(group).is_some_and(is_secret_name))
}

/// Whether a text has `scheme://user:password@`.
fn has_url_credentials(text: &str) -> bool {
    text.match_indices("://").any(|(at, found)| {
        let rest = &text[at + found.len()..];
        let end = rest.find(['/', '?', '#', ' ', '"', '\'', '\n']).unwrap_or(rest.len());
        rest[..end]
            .rsplit_once('@')
            .is_some_and(|(user, _)| user.split_once(':').is_some_and(|(_, p)| !p.is_empty()))
    })
}

/// A value as people write it: lists of words by commas, commands as JSON because their spaces matter.
fn text(field: &str, value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if !matches!(field, "command" | "entrypoint" | "healthcheck.test") => {
            let items: Vec<String> = items.iter().map(|item| text(field, item)).collect();
            items.join(", ")
        }
        other => other.to_string(),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_LENGTH_MAX {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(VALUE_LENGTH_MAX).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn diff(field: &str, before: Value, after: Value) -> FieldDiff {
        let key = HmacKey::new("aa");
        let mut redactor = Redactor::default();
        redactor.learn("hunter22");
        redactor.suspect("sesame77");
        let masking = Masking { key: &key, redactor: &redactor };
        let secrets = BTreeSet::from(["QUIET".to_owned()]);
        masking.diff(field, Some(&before), Some(&after), &secrets)
    }

    #[test]
    fn secrets_are_fingerprints_whatever_field_they_hide_in() {
        for (field, before, after) in [
            ("environment.QUIET", json!("a"), json!("b")),
            ("environment.DB_PASSWORD", json!("a"), json!("b")),
            ("command", json!(["--p=old"]), json!(["--p=hunter22"])),
            ("command", json!(["--p=old"]), json!(["--p=sesame77"])),
            ("labels.note", json!("old"), json!("it is sesame77")),
            ("environment.BROKER", json!("amqp://u:old@h/"), json!("amqp://u:new@h/")),
        ] {
            let diff = diff(field, before, after);
            let text = format!("{diff:?}");
            assert!(diff.secret && text.contains("hmac "), "{text}");
            assert!(!text.contains("old") && !text.contains("hunter22"), "{text}");
            assert!(!text.contains("sesame77"), "{text}");
        }
        assert!(!diff("image", json!("sesame77:1"), json!("sesame77:2")).secret);
        assert!(!diff("environment.TZ", json!("UTC"), json!("Asia/Manila")).secret);
    }

    #[test]
    fn lists_read_like_lists_and_commands_like_commands() {
        let ports = diff("ports", json!(["80:80/tcp", "81:81/tcp"]), json!([]));
        assert_eq!(ports.before.as_deref(), Some("80:80/tcp, 81:81/tcp"));
        let command = diff("command", json!(["sh", "-c", "a b"]), json!(null));
        assert_eq!((command.before.as_deref(), command.after), (Some(r#"["sh","-c","a b"]"#), None));
    }
}
