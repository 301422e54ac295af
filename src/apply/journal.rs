//! What the journal is told of a step: each operation before it is asked for, and its answer after.
//!
//! The end of one operation and the start of the next are one commit, so that a step costs one more than it has
//! operations.

use chrono::Utc;
use serde_json::Value;

use super::dispatch::intent;
use crate::model::secret::Redactor;
use crate::plan::step::{Operation, Step};
use crate::record::inventory::InventoryChange;
use crate::record::journal::{OperationEnd, OperationKey, OperationResult, OperationStart, Permission};
use crate::record::store::{Store, StoreError};

/// The most characters of an answer that the journal keeps.
const DETAIL_MAX: usize = 2_000;

/// The journal of one step of one run.
pub struct StepJournal<'a> {
    store: &'a Store,
    redactor: &'a Redactor,
    run: &'a str,
    step: &'a Step,
    fencing: i64,
    ended: Option<OperationEnd>,
}

impl<'a> StepJournal<'a> {
    /// A journal that has nothing to say yet.
    pub fn new(store: &'a Store, redactor: &'a Redactor, run: &'a str, step: &'a Step, fencing: i64) -> Self {
        StepJournal { store, redactor, run, step, fencing, ended: None }
    }

    /// Writes that an operation begins, and how the last one ended; both are on disk when it returns.
    pub async fn begin(&mut self, position: usize, operation: &Operation) -> Result<Permission, StoreError> {
        let text = serde_json::to_value(operation).expect("operations are plain JSON");
        let start = OperationStart {
            key: self.key(position),
            resource: self.step.resource.clone(),
            host: self.step.host.clone(),
            subject: self.step.subject.to_string(),
            operation: redact_value(self.redactor, text),
            fencing: self.fencing,
            inventory: intent(self.step, operation),
        };
        let permission = self.store.advance(self.ended.as_ref(), Some(&start), Utc::now()).await?;
        self.ended = None;
        Ok(permission)
    }

    /// Notes how the operation ended, to be written with the next one or by [`StepJournal::flush`].
    pub fn end(
        &mut self,
        position: usize,
        result: OperationResult,
        detail: &str,
        inventory: Option<InventoryChange>,
    ) {
        let detail = detail.chars().take(DETAIL_MAX).collect();
        self.ended = Some(OperationEnd { key: self.key(position), result, detail, inventory });
    }

    /// Writes what was noted.
    pub async fn flush(&mut self) -> Result<(), StoreError> {
        if self.ended.is_some() {
            self.store.advance(self.ended.as_ref(), None, Utc::now()).await?;
            self.ended = None;
        }
        Ok(())
    }

    fn key(&self, position: usize) -> OperationKey {
        OperationKey { run: self.run.to_owned(), step: small(self.step.id), position: small(position) }
    }
}

fn small(number: usize) -> u32 {
    u32::try_from(number).expect("a plan has fewer than four billion operations")
}

/// Masks known secrets in every text of a value; within the parsed value, because JSON escapes hide them.
pub fn redact_value(redactor: &Redactor, value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(redactor.redact_kept(&text)),
        Value::Array(items) => items.into_iter().map(|item| redact_value(redactor, item)).collect(),
        Value::Object(map) => map
            .into_iter()
            .map(|(key, value)| (redactor.redact_kept(&key), redact_value(redactor, value)))
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_with_quotes_is_masked_in_json() {
        let mut redactor = Redactor::default();
        redactor.learn(r#"pa"ss\word"#);
        let value = serde_json::json!({"a": [r#"x pa"ss\word y"#], r#"pa"ss\word"#: 1});
        assert_eq!(redact_value(&redactor, value).to_string(), r#"{"a":["x (secret) y"],"(secret)":1}"#);
    }
}
