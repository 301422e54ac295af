//! A plan that a person saved to apply later: what it promised, and what moved since.
//!
//! Holds no request bodies and no secrets, and is never executed itself: `apply FILE` plans again and compares.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::id::{ResourceId, Revision};
use crate::plan::plan::Plan;

/// The form of the file; another number is another form.
const VERSION: u32 = 1;
/// The largest file that is read: a plan of 10,000 steps is a tenth of it.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// How long a saved plan may be applied: whoever approved it has looked at that day's world.
const AGE_MAX: TimeDelta = TimeDelta::hours(24);
/// A clock that was set back by this much is no reason to refuse a plan.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(5);
/// How many differences are named; one is enough to see that the world moved.
const MOVED_MAX: usize = 20;

/// What was promised.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedPlan {
    version: u32,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// The state repository, for people.
    pub repository: String,
    /// The folder of resource documents.
    pub path: String,
    /// The commit that was planned for.
    pub revision: Revision,
    /// The resources that were named; `None` for all.
    pub scope: Option<Vec<ResourceId>>,
    /// The plan's hash.
    pub hash: String,
    /// Its steps as `diff -o json` shows them.
    steps: Vec<Value>,
}

/// Why a saved plan can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    /// The file can't be read or written.
    #[error("failed to {action} `{path}`")]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        err: io::Error,
    },
    /// It is something else.
    #[error("`{path}` is not a saved plan")]
    Form {
        /// The file.
        path: String,
        /// Why.
        #[source]
        err: serde_json::Error,
    },
    /// A later program wrote it.
    #[error("`{path}` is a saved plan of version {version}; this program knows {VERSION}")]
    Version {
        /// The file.
        path: String,
        /// Its version.
        version: u32,
    },
}

impl SavedPlan {
    /// A promise of a plan.
    pub fn new(
        plan: &Plan,
        repository: String,
        path: String,
        scope: Option<Vec<ResourceId>>,
        now: DateTime<Utc>,
    ) -> Self {
        SavedPlan {
            version: VERSION,
            created: now,
            repository,
            path,
            revision: plan.revision.clone(),
            scope,
            hash: plan.hash.clone(),
            steps: steps(plan),
        }
    }

    /// Writes it to a file that its owner alone may read.
    pub fn write(&self, path: &Path) -> Result<(), SavedPlanError> {
        let error = |err| SavedPlanError::File { action: "write", path: path.display().to_string(), err };
        let text = serde_json::to_string_pretty(self).expect("a plan has text keys only");
        // Written beside and renamed, so that an existing file's mode doesn't matter and no half file appears.
        let name = path.file_name().ok_or_else(|| error(io::ErrorKind::InvalidInput.into()))?;
        let temporary = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let written = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
            .and_then(|()| std::fs::rename(&temporary, path));
        if written.is_err() {
            let _ = std::fs::remove_file(&temporary);
        }
        written.map_err(error)
    }

    /// Reads one.
    pub fn read(path: &Path) -> Result<Self, SavedPlanError> {
        let name = || path.display().to_string();
        let error = |err| SavedPlanError::File { action: "read", path: name(), err };
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(error)?;
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(error)?;
        let form = |err| SavedPlanError::Form { path: name(), err };
        #[derive(Deserialize)]
        struct Head {
            version: u32,
        }
        let Head { version } = serde_json::from_str(&text).map_err(form)?;
        if version != VERSION {
            return Err(SavedPlanError::Version { path: name(), version });
        }
        serde_json::from_str(&text).map_err(form)
    }

    /// Why the plan may not be applied at this time, if so.
    pub fn expired(&self, now: DateTime<Utc>) -> Option<String> {
        if now - self.created > AGE_MAX {
            Some(format!(
                "it was made at {}, more than 24 hours ago",
                self.created.format("%Y-%m-%dT%H:%M:%SZ")
            ))
        } else if self.created - now > CLOCK_SLACK {
            Some("it was made in the future; check the clocks".to_owned())
        } else {
            None
        }
    }

    /// What a plan that was made now does otherwise, for people; empty when it is the same.
    pub fn moved(&self, plan: &Plan) -> Vec<String> {
        if plan.hash == self.hash {
            return Vec::new();
        }
        let (before, after) = (by_name(&self.steps), by_name(&steps(plan)));
        let mut lines = Vec::new();
        for (name, step) in &before {
            match after.get(name) {
                None => lines.push(format!("no longer needed: {name}")),
                Some(other) if other != step => lines.push(format!("changed: {name}")),
                Some(_) => {}
            }
        }
        lines.extend(
            after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!("new: {name}")),
        );
        if lines.is_empty() {
            lines.push("the specification, this program or the file itself changed".to_owned());
        }
        let more = lines.len().saturating_sub(MOVED_MAX);
        lines.truncate(MOVED_MAX);
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines
    }
}

fn steps(plan: &Plan) -> Vec<Value> {
    let value = serde_json::to_value(&plan.steps).expect("a plan has text keys only");
    match value {
        Value::Array(steps) => steps,
        _ => Vec::new(),
    }
}

/// Steps by what people call them; their numbers don't matter.
fn by_name(steps: &[Value]) -> BTreeMap<String, Value> {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut named = BTreeMap::new();
    for step in steps {
        let subject = &step["subject"];
        let name = format!(
            "{}: {} {} {}",
            word(&step["resource"]),
            word(&step["action"]),
            word(&subject["kind"]),
            word(&subject["name"])
        );
        let mut step = step.clone();
        if let Some(map) = step.as_object_mut() {
            map.shift_remove("id");
            map.shift_remove("needs");
            map.shift_remove("after");
        }
        named.insert(name, step);
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn empty_plan(hash: &str) -> Plan {
        let revision = Revision { reference: "main".into(), commit: Some("a".repeat(40)) };
        Plan { revision, resources: Vec::new(), steps: Vec::new(), complete: true, hash: hash.into() }
    }

    fn saved(hash: &str) -> SavedPlan {
        SavedPlan::new(&empty_plan(hash), "repo".into(), "path".into(), None, Utc::now())
    }

    #[test]
    fn a_saved_plan_is_read_back_and_belongs_to_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        std::fs::write(&path, "old").unwrap();
        saved("v1:1").write(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(SavedPlan::read(&path).unwrap().moved(&empty_plan("v1:1")).is_empty());
        assert_eq!(SavedPlan::read(&path).unwrap().moved(&empty_plan("v1:2")).len(), 1);
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p");
        for text in ["", "{}", "[1", "{\"version\":2}"] {
            std::fs::write(&path, text).unwrap();
            assert!(SavedPlan::read(&path).is_err(), "{text}");
        }
    }

    #[test]
    fn a_plan_lives_for_a_day() {
        let plan = saved("v1:1");
        assert!(plan.expired(plan.created + TimeDelta::hours(23)).is_none());
        assert!(plan.expired(plan.created + TimeDelta::hours(25)).is_some());
        assert!(plan.expired(plan.created - TimeDelta::hours(1)).is_some());
    }
}
