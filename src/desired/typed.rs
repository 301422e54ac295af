//! Documents that follow their schema, as typed resources that still know their places.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::parse::Document;
use super::validate::{Valid, validate};
use super::{environment_rules, layout_rules, rules};
use crate::model::document::{Node, Place};
use crate::model::hash::canonical_hash;
use crate::model::id::{Kind, ResourceId};
use crate::model::problem::Problem;
use crate::model::resource::{CommonSpec, Metadata, Resource};
use crate::skills::environment::spec::EnvironmentSpec;
use crate::skills::host::spec::HostSpec;
use crate::skills::layout::spec::LayoutSpec;
use crate::skills::repository::spec::RepositorySpec;
use crate::skills::stack::spec::StackSpec;

/// A resource with its document.
#[derive(Debug)]
pub struct Described<S> {
    /// The resource.
    pub resource: Resource<S>,
    /// Its document, for places.
    pub node: Node,
    /// The pointers of what it lacks, because it broke a rule and that was said.
    pub broken: Vec<String>,
}

impl<S> Described<S> {
    /// Whether something below a field was taken out of the document, so that its absence says nothing.
    pub fn is_broken_below(&self, pointer: &str) -> bool {
        let is_below =
            |broken: &String| broken.strip_prefix(pointer).is_some_and(|rest| rest.starts_with('/'));
        self.broken.iter().any(is_below)
    }

    /// The place of a field's key, such as `/spec/host`.
    pub fn key(&self, pointer: &str) -> &Place {
        self.node.key_place(pointer)
    }

    /// The place of a field's value.
    pub fn value(&self, pointer: &str) -> &Place {
        &self.node.at_pointer(pointer).place
    }
}

/// All resources of a revision that could be read, in the order of the files; identities may repeat.
#[derive(Debug, Default)]
pub struct Typed {
    /// Machines.
    pub hosts: Vec<Described<HostSpec>>,
    /// Repositories.
    pub repositories: Vec<Described<RepositorySpec>>,
    /// Layouts.
    pub layouts: Vec<Described<LayoutSpec>>,
    /// Stacks.
    pub stacks: Vec<Described<StackSpec>>,
    /// Environments.
    pub environments: Vec<Described<EnvironmentSpec>>,
    /// Identities of documents that are there but broken: references to them are not dangling.
    pub broken: Vec<ResourceId>,
}

/// Checks all documents one by one, and types those that follow their schema.
pub fn type_documents(
    documents: Vec<Document>,
    allow: &[String],
    now: DateTime<Utc>,
    problems: &mut Vec<Problem>,
) -> Typed {
    let mut typed = Typed::default();
    for Document { kind, mut node, header_told } in documents {
        let Some(valid) = validate(kind, &mut node, header_told, problems) else {
            typed.broken.extend(name_of(&node).map(|name| ResourceId::new(kind, name)));
            continue;
        };
        let id = match kind {
            Kind::Host => match described::<HostSpec>(kind, node, valid, |spec| &spec.common) {
                Ok(host) => {
                    rules::check_common(&host, now, problems);
                    rules::check_host(&host, problems);
                    typed.hosts.push(host);
                    continue;
                }
                Err(failed) => failed,
            },
            Kind::Repository => match described::<RepositorySpec>(kind, node, valid, |spec| &spec.common) {
                Ok(repository) => {
                    rules::check_common(&repository, now, problems);
                    rules::check_repository(&repository, allow, problems);
                    typed.repositories.push(repository);
                    continue;
                }
                Err(failed) => failed,
            },
            Kind::AddonsLayout => match described::<LayoutSpec>(kind, node, valid, |spec| &spec.common) {
                Ok(layout) => {
                    rules::check_common(&layout, now, problems);
                    layout_rules::check(&layout, problems);
                    typed.layouts.push(layout);
                    continue;
                }
                Err(failed) => failed,
            },
            Kind::Stack => match described::<StackSpec>(kind, node, valid, |spec| &spec.common) {
                Ok(stack) => {
                    rules::check_common(&stack, now, problems);
                    rules::check_stack(&stack, problems);
                    typed.stacks.push(stack);
                    continue;
                }
                Err(failed) => failed,
            },
            Kind::Environment => match described::<EnvironmentSpec>(kind, node, valid, |spec| &spec.common) {
                Ok(environment) => {
                    rules::check_common(&environment, now, problems);
                    environment_rules::check(&environment, problems);
                    typed.environments.push(environment);
                    continue;
                }
                Err(failed) => failed,
            },
        };
        let (name, problem) = *id;
        problems.push(problem);
        typed.broken.extend(name.map(|name| ResourceId::new(kind, name)));
    }
    typed
}

fn name_of(node: &Node) -> Option<String> {
    node.get("metadata")?.get("name")?.text().map(str::to_owned)
}

/// What can't be typed: its name, if it has one, and why.
type Failed = Box<(Option<String>, Problem)>;

fn described<S: DeserializeOwned + Serialize>(
    kind: Kind,
    node: Node,
    Valid { mut json, broken }: Valid,
    common: impl Fn(&S) -> &CommonSpec,
) -> Result<Described<S>, Failed> {
    write_variables_as_text(&node, &mut json);
    let fail = |err: serde_json::Error, pointer: &str| {
        // The schema is stricter than the types but for times; whatever else comes here is said in serde's words.
        let (pointer, message) = match node.at_pointer("/spec/suspend/until").text() {
            Some(until) if until.parse::<DateTime<Utc>>().is_err() => {
                ("/spec/suspend/until", format!("`{until}` is not a time such as `2026-01-31T18:00:00Z`"))
            }
            _ => (pointer, format!("`{}` can't be read: {err}", pointer.trim_start_matches('/'))),
        };
        Box::new((name_of(&node), node.at_pointer(pointer).place.error("invalid-value", message)))
    };
    let metadata: Metadata =
        serde_json::from_value(json["metadata"].take()).map_err(|err| fail(err, "/metadata"))?;
    let spec: S = serde_json::from_value(json["spec"].take()).map_err(|err| fail(err, "/spec"))?;
    let digest = canonical_hash(&serde_json::to_value(&spec).expect("a spec is JSON"));
    let resource = Resource {
        id: ResourceId::new(kind, metadata.name.clone()),
        metadata,
        common: common(&spec).clone(),
        spec,
        place: node.key_place("/metadata/name").clone(),
        digest,
    };
    Ok(Described { resource, node, broken })
}

/// Values that end in a file are the text as it was written, quoted or not: `1.10` stays `1.10`.
fn write_variables_as_text(node: &Node, json: &mut Value) {
    for pointer in ["/spec/variables", "/spec/odoo/config"] {
        let Some(Value::Object(variables)) = json.pointer_mut(pointer) else { continue };
        for entry in node.at_pointer(pointer).entries().unwrap_or_default() {
            if let (Some(text), Some(value)) = (entry.value.text(), variables.get_mut(&entry.key)) {
                *value = Value::String(text.to_owned());
            }
        }
    }
}
