//! `ipaictl layout verify`, the real program: over the observed tree, over real clones, over hostile files.

mod clones;
mod fixes;
mod hostile;
mod interrupted;
mod observed;
mod plans;
mod scene;
mod steward;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::cli::{Program, Ran, assert_schema};

/// The report of a run that may find anything.
pub fn verify(program: &Program, more: &[&str]) -> (Ran, Value) {
    let mut arguments = vec!["layout", "verify", "checkout", "-o", "json"];
    arguments.extend(more);
    let ran = program.run(arguments);
    assert!(matches!(ran.code, 0 | 1), "{}: {}", ran.code, ran.err);
    assert_schema("layout", &ran.out);
    let report = serde_json::from_str(&ran.out).unwrap();
    (ran, report)
}

/// The check of an id and subject.
pub fn check<'a>(report: &'a Value, id: &str, subject: &str) -> &'a Value {
    let checks = report["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["id"] == id && check["subject"] == subject)
        .unwrap_or_else(|| panic!("no {id} {subject} in {report:#}"))
}

/// All checks of an id.
pub fn all<'a>(report: &'a Value, id: &str) -> Vec<&'a Value> {
    report["checks"].as_array().unwrap().iter().filter(|check| check["id"] == id).collect()
}

/// Asserts a verdict and a part of the cause.
pub fn assert_check(report: &Value, id: &str, subject: &str, verdict: &str, cause: &str) {
    let found = check(report, id, subject);
    assert_eq!(found["verdict"], verdict, "{found:#}");
    assert!(found["cause"].as_str().unwrap().contains(cause), "{found:#}");
}

/// The message of a detail.
pub fn message<'a>(check: &'a Value, subject: &str) -> &'a str {
    let details = check["details"].as_array().unwrap();
    let found = details.iter().find(|detail| detail["subject"] == subject);
    found.unwrap_or_else(|| panic!("no {subject} in {check:#}"))["message"].as_str().unwrap()
}

/// Runs git and requires that it succeeds.
pub fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity =
        ["-c", "user.name=Tester", "-c", "user.email=tester@example.org", "-c", "protocol.file.allow=always"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a file and its folders.
pub fn write(path: &Path, text: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}
