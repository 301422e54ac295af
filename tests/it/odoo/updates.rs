//! Wanted modules, states, checksums and files → what is installed and updated; cases in `tests/fixtures/odoo-updates.yaml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ipaictl::odoo::updates::{Present, Question, UpdatePolicy, decide};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    wanted: Vec<String>,
    #[serde(default)]
    policy: UpdatePolicy,
    #[serde(default)]
    states: BTreeMap<String, String>,
    #[serde(default)]
    remembered: BTreeMap<String, Option<String>>,
    #[serde(default)]
    present: BTreeMap<String, Present>,
    /// The decision's text.
    decision: String,
}

#[test]
fn each_case_has_its_decision() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/odoo-updates.yaml");
    let cases: Vec<Case> = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() >= 25, "{}", cases.len());
    for case in &cases {
        let question = Question {
            wanted: &case.wanted,
            policy: case.policy,
            states: &case.states,
            remembered: &case.remembered,
            present: &case.present,
        };
        let decision = decide(&question);
        assert_eq!(decision.to_string(), case.decision, "{}", case.name);
        assert_eq!(decision.is_empty(), case.decision.is_empty(), "{}", case.name);
        assert_eq!(decide(&question), decision, "{}: the same question, the same answer", case.name);
        let listed = decision.install.len() + decision.update.len() + decision.obstacles.len();
        let mut names: Vec<&String> =
            decision.install.keys().chain(decision.update.keys()).chain(decision.obstacles.keys()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), listed, "{}: a module is in two lists", case.name);
    }
}
