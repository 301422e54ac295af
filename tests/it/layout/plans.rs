//! Layout plans as data: YAML in, text out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use ipaictl::model::document::parse_documents;
use ipaictl::model::draft::Draft;
use ipaictl::skills::layout::observed::LayoutFacts;
use ipaictl::skills::layout::operation::LayoutOperation;
use ipaictl::skills::layout::plan::{LayoutRequest, plan_layout};
use ipaictl::skills::layout::spec::LayoutSpec;
use ipaictl::skills::layout::wanted::{WantedClone, WantedLayout};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    spec: Value,
    #[serde(default = "two_clones")]
    clones: Vec<WantedClone>,
    #[serde(default)]
    roots: Vec<String>,
    #[serde(default)]
    refused: BTreeMap<String, String>,
    #[serde(default)]
    remembered: bool,
    #[serde(default)]
    is_own: bool,
    #[serde(default)]
    is_moving: bool,
    #[serde(default)]
    committed: Option<String>,
    #[serde(default = "nothing")]
    facts: Value,
}

fn nothing() -> Value {
    json!({})
}

fn two_clones() -> Vec<WantedClone> {
    let clone = |name: &str| WantedClone {
        path: format!("addons/oca/{name}"),
        url: format!("https://github.com/OCA/{name}.git"),
        branch: "18.0".to_owned(),
        commit: None,
    };
    vec![clone("web"), clone("queue")]
}

impl Case {
    fn plan(&self) -> Draft<LayoutOperation> {
        let mut spec =
            json!({"repository": "code", "series": "18.0", "fix": ["clone", "branch", "devcontainer"]});
        for (key, value) in self.spec.as_object().into_iter().flatten() {
            spec[key] = value.clone();
        }
        let spec: LayoutSpec = serde_json::from_value(spec).unwrap();
        let mut facts = json!({"exists": true});
        facts.as_object_mut().unwrap().extend(self.facts.as_object().unwrap().clone());
        let facts: LayoutFacts = serde_json::from_value(facts).unwrap();
        let refused = self.refused.clone().into_iter().collect();
        let wanted = WantedLayout { clones: self.clones.clone(), roots: self.roots.clone(), refused };
        let mut request = LayoutRequest {
            spec: &spec,
            wanted: &wanted,
            checkout: "/srv/odoo",
            is_own: self.is_own,
            is_moving: self.is_moving,
            committed: self.committed.as_deref(),
            facts: &facts,
            applied: None,
        };
        let applied = plan_layout(&request).subjects;
        if self.remembered {
            request.applied = Some(&applied);
        }
        plan_layout(&request)
    }
}

fn text(draft: &Draft<LayoutOperation>) -> String {
    let mut out = String::new();
    for step in &draft.steps {
        let word = |value: Value| value.to_string().replace(['"', '{', '}'], "");
        let _ = writeln!(
            out,
            "{} {}: {}, {}",
            word(json!(step.action)),
            step.subject,
            step.cause,
            word(json!(step.class))
        );
        for field in &step.fields {
            let side = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            let _ = writeln!(out, "    {}: {} → {}", field.field, side(&field.before), side(&field.after));
        }
        for need in &step.requires {
            let _ = writeln!(out, "    after {need}");
        }
        for operation in &step.operations {
            let _ = writeln!(out, "    {}", json!(operation));
        }
    }
    for note in &draft.notes {
        let subject = note.subject.as_ref().map(|subject| format!("{subject}: ")).unwrap_or_default();
        let _ = writeln!(out, "{}: {subject}{}", json!(note.kind).as_str().unwrap(), note.text);
    }
    if !draft.complete {
        out.push_str("not all is known\n");
    }
    if out.is_empty() { "nothing\n".to_owned() } else { out }
}

#[test]
fn each_case_is_planned_as_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let bytes = std::fs::read(folder.join("layout-plans.yaml")).unwrap();
    let (documents, problems) = parse_documents("layout-plans.yaml", &bytes);
    assert!(problems.is_empty(), "{problems:?}");
    let mut out = String::new();
    for document in documents {
        let case: Case = serde_json::from_value(document.to_json()).unwrap();
        let draft = case.plan();
        let again = case.plan();
        assert_eq!(text(&draft), text(&again), "{}: not the same twice", case.name);
        let _ = writeln!(out, "# {}\n{}", case.name, text(&draft));
    }
    let path = folder.join("layout-plans.txt");
    if std::env::var_os("IPAICTL_BLESS").is_some() {
        std::fs::write(&path, &out).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(out == expected, "{}", similar::TextDiff::from_lines(&expected, &out).unified_diff());
}
