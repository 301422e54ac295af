//! What is masked in evidence: known secrets, values of variables that hold secrets, passwords in addresses.
//!
//! Former values are not known to the desired state any more; they are learned from what was observed, so that
//! they are masked in logs too.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::desired::state::DesiredState;
use crate::model::problem::printable;
use crate::model::secret::{HmacKey, MASK, Redactor, is_secret_name};
use crate::observed::observation::Observation;

/// How the environment is named among the fields of a container.
const ENVIRONMENT: &str = "environment.";

/// `scheme://user:password@host`: the password.
static ADDRESS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?P<head>[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:)[^/\s@]+@").expect("the pattern is constant")
});

/// Masks secrets in everything that evidence shows.
#[derive(Clone)]
pub struct Masker {
    redactor: Redactor,
    key: HmacKey,
    names: BTreeSet<String>,
}

impl Masker {
    /// Knows the secrets of a desired state, and which variables hold secrets.
    pub fn new(desired: &DesiredState, key: &HmacKey) -> Self {
        let projects = desired.stacks.values().filter_map(|stack| stack.project.as_ref().ok());
        let services = projects.flat_map(|project| &project.services);
        let names = services.flat_map(|service| service.secret_environment.iter().cloned()).collect();
        Masker { redactor: desired.redactor.clone(), key: key.clone(), names }
    }

    /// A masker that knows these secrets only.
    pub fn of(redactor: Redactor, key: HmacKey) -> Self {
        Masker { redactor, key, names: BTreeSet::new() }
    }

    /// Learns the values of variables that hold secrets from what was observed; not those that are also the name
    /// of a container or image, which hide nothing.
    pub fn learn(&mut self, world: &Observation) {
        let engines = world.hosts.values().filter_map(|facts| facts.known());
        let containers: Vec<_> = engines.flat_map(|facts| &facts.containers).collect();
        for container in &containers {
            let Some(fields) = container.fields.as_ref().and_then(|fields| fields.known()) else { continue };
            for (name, value) in &fields.0 {
                let Some(text) = value.as_str().filter(|_| self.is_secret(name)) else { continue };
                let is_name = |other: &&crate::engine::observe::ContainerFacts| {
                    other.name.contains(text) || other.image.contains(text)
                };
                if is_secret_name(name.trim_start_matches(ENVIRONMENT)) && !containers.iter().any(is_name) {
                    self.redactor.suspect(text);
                }
            }
        }
    }

    fn is_secret(&self, field: &str) -> bool {
        field.strip_prefix(ENVIRONMENT).is_some_and(|name| self.names.contains(name) || is_secret_name(name))
    }

    /// A text without secrets.
    pub fn text(&self, text: &str) -> String {
        let text = self.redactor.redact_kept(text);
        ADDRESS.replace_all(&text, format!("${{head}}{MASK}@")).into_owned()
    }

    /// A log without secrets, in which control characters are visible.
    pub fn log(&self, text: &str) -> String {
        let mut log = String::new();
        for line in self.text(text).lines() {
            log.push_str(&printable(line));
            log.push('\n');
        }
        log
    }

    /// A value without secrets: within the parsed value, because JSON escapes would hide them.
    pub fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(map) => map
                .into_iter()
                .map(|(key, value)| match (self.is_secret(&key), &value) {
                    (true, Value::String(text)) => {
                        let short = self.key.short(text.as_bytes());
                        (key, Value::String(format!("(secret, hmac {short})")))
                    }
                    _ => (self.text(&key), self.value(value)),
                })
                .collect(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn masker() -> Masker {
        let mut redactor = Redactor::default();
        redactor.learn("c4n4ry");
        Masker::of(redactor, HmacKey::new("aa"))
    }

    #[test]
    fn values_of_secret_variables_and_known_secrets_are_masked() {
        let masked = masker().value(json!({
            "environment.DB_PASSWORD": "abc",
            "environment.TZ": "UTC",
            "labels": {"note": "has c4n4ry in it"},
        }));
        let hmac = HmacKey::new("aa").short(b"abc");
        assert_eq!(masked["environment.DB_PASSWORD"], format!("(secret, hmac {hmac})"));
        assert_eq!(masked["environment.TZ"], "UTC");
        assert_eq!(masked["labels"]["note"], "has (secret) in it");
    }

    #[test]
    fn passwords_in_addresses_are_masked_and_controls_are_visible_in_logs() {
        let log = masker().log("to postgres://odoo:hunter2@db/odoo\u{1b}[2J\nc4n4ry");
        assert_eq!(log, "to postgres://odoo:(secret)@db/odoo\\u{1b}[2J\n(secret)\n");
    }
}
