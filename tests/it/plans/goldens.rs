//! Every case of `tests/plans/`, and what holds for all of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipaictl::plan::display;
use ipaictl::plan::plan::Plan;
use ipaictl::plan::report::conditions;
use serde_json::Value;

use super::case::Case;

/// Rewrites the texts.
const BLESS: &str = "IPAICTL_BLESS";

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plans");
    let folders = |path: &Path| {
        let mut found: Vec<PathBuf> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        found.sort();
        found
    };
    folders(&root).iter().flat_map(|stem| folders(stem)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_gives_its_plan() {
    let cases = cases();
    assert!(cases.len() >= 40, "{} cases", cases.len());
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas/plan.schema.json");
    let schema = Arc::new(serde_json::from_str(&std::fs::read_to_string(schema).unwrap()).unwrap());
    let mut wrong = Vec::new();
    // A task each, so that one case that panics doesn't hide the others.
    let tasks: Vec<_> = cases
        .into_iter()
        .map(|folder| {
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            (name, tokio::spawn(check(folder, Arc::clone(&schema))))
        })
        .collect();
    for (name, task) in tasks {
        match task.await {
            Ok(Ok(())) => {}
            Ok(Err(why)) => wrong.push(format!("{name}: {why}")),
            Err(panic) => wrong.push(format!("{name}: {panic}")),
        }
    }
    assert!(wrong.is_empty(), "{}\n{BLESS}=1 accepts", wrong.join("\n"));
}

async fn check(folder: PathBuf, schema: Arc<Value>) -> Result<(), String> {
    let case = Case::read(&folder).await;
    let plan = case.plan();
    let text = display::text(&plan, false);
    let golden = folder.join("plan.txt");
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&golden, &text).unwrap();
    } else if expected != text {
        return Err(format!("is\n{text}instead of\n{expected}"));
    }
    // A case that has the Markdown too keeps it.
    let golden = folder.join("plan.md");
    if let Ok(expected) = std::fs::read_to_string(&golden) {
        // The hash names this version of the program.
        let markdown = display::markdown(&plan).replace(&plan.hash, "v1:HASH");
        if std::env::var_os(BLESS).is_some() {
            std::fs::write(&golden, &markdown).unwrap();
        } else if expected != markdown {
            return Err(format!("is\n{markdown}instead of\n{expected}"));
        }
    }
    says_its_conditions(&case, &plan)?;
    let json = display::json(&plan);
    // The bytes are compared, not the values: the order of keys is part of the promise.
    let (bytes, again) = (json.to_string(), display::json(&case.plan()).to_string());
    if bytes != again {
        return Err("two plans of the same world differ".to_owned());
    }
    let validator = jsonschema::validator_for(&schema).unwrap();
    if let Some(err) = validator.iter_errors(&json).next() {
        return Err(format!("the schema: {} at {}", err, err.instance_path()));
    }
    shows_no_secret(&case, &[&text, &display::markdown(&plan), &json.to_string()])?;
    if case.world.converges {
        let after = case.plan_after(&plan);
        if !after.steps.is_empty() {
            return Err(format!("left to do after\n{text}\n{}", display::text(&after, false)));
        }
    }
    Ok(())
}

fn says_its_conditions(case: &Case, plan: &Plan) -> Result<(), String> {
    let mut said = std::collections::BTreeMap::new();
    for report in conditions(&case.desired, &case.observed, plan) {
        for one in report.conditions {
            let text = format!("{} {}: {}", one.status, one.reason, one.message);
            said.insert(format!("{} {}", report.id, one.kind), text.trim_end_matches([' ', ':']).to_owned());
        }
    }
    for (key, expected) in &case.world.conditions {
        let is = said.get(key).ok_or_else(|| format!("nothing says `{key}`: {said:#?}"))?;
        if is != expected {
            return Err(format!("`{key}` is\n{is}\ninstead of\n{expected}"));
        }
    }
    Ok(())
}

fn shows_no_secret(case: &Case, outputs: &[&str]) -> Result<(), String> {
    for secret in case.world.secrets.values().chain(case.world.secrets_before.values()) {
        if let Some(output) = outputs.iter().find(|output| output.contains(secret.as_str())) {
            return Err(format!("a secret is shown:\n{output}"));
        }
    }
    Ok(())
}
