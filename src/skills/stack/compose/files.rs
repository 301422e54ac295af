//! From a list of files to one model in long form: read, fill in, check, include, extend, merge, resolve.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Node, NodeValue, Place};
use crate::model::problem::Problem;

use super::context::{Context, file_problem};
use super::interpolate::Variables;
use super::{canonical, extends, include, merge, paths, resolve, schema, shape, tree};

/// Files that include each other; real ones reach 3.
pub(super) const INCLUDE_DEPTH_MAX: usize = 16;

/// Where and with what a set of files is read.
pub(super) struct Scope<'a> {
    /// The directory of the project in the repository, against which relative paths resolve.
    pub directory: &'a str,
    /// The variables.
    pub variables: &'a Variables,
    /// The files that are being included, outermost first.
    pub included: &'a [String],
}

/// Reads files in order, each laid over those before it; `None` when none could be read.
pub(super) fn load(
    context: &mut Context,
    files: &[String],
    from: Option<&Place>,
    scope: &Scope,
) -> Option<Node> {
    let mut model: Option<Node> = None;
    for file in files {
        let Some(documents) = context.documents(file, |message| missing(file, from, message)) else {
            continue;
        };
        let mut chain = scope.included.to_vec();
        chain.push(file.clone());
        let inner = Scope { directory: scope.directory, variables: scope.variables, included: &chain };
        for document in documents {
            let Some(mut document) = prepare(context, document, scope.variables) else { continue };
            include::apply(context, &mut document, &inner);
            extends::apply(context, &mut document, file, &inner);
            match &mut model {
                Some(model) => merge::merge_files(context, model, document),
                None => {
                    merge::settle(&mut document);
                    model = Some(document);
                }
            }
            model.iter_mut().for_each(merge::unite_file);
        }
    }
    let mut model = model?;
    resolve::fill(context, &mut model, scope.directory);
    resolve::environment(context, &mut model, scope.variables);
    Some(model)
}

fn missing(file: &str, from: Option<&Place>, message: String) -> Problem {
    match from {
        Some(place) => place.error("missing-file", message),
        None => file_problem("missing-file", file, message),
    }
}

/// Fills in variables, checks and rewrites one document.
pub(super) fn prepare(context: &mut Context, mut document: Node, variables: &Variables) -> Option<Node> {
    if !matches!(document.value, NodeValue::Mapping(_)) {
        let message = format!("a Compose file has to be a map, not a {}", document.type_name());
        context.report(document.place.error("wrong-type", message));
        return None;
    }
    for entry in tree::entries_mut(&mut document).into_iter().flatten() {
        if entry.key.starts_with("x-") {
            continue;
        }
        match (entry.key.as_str(), tree::entries_mut(&mut entry.value)) {
            ("services", Some(services)) => {
                for service in services {
                    let before = errors(context);
                    context.interpolate(&mut service.value, variables);
                    if errors(context) > before {
                        context.broken.insert(service.key.clone());
                    }
                }
            }
            _ => context.interpolate(&mut entry.value, variables),
        }
    }
    check(context, &mut document);
    canonical::rewrite(context, &mut document);
    Some(document)
}

fn check(context: &mut Context, document: &mut Node) {
    // Services are checked one by one, to know whose consistency can't be judged afterwards.
    let services = tree::get_mut(document, "services").map(|services| {
        let place = services.place.clone();
        std::mem::replace(services, tree::null(place))
    });
    shape::check(context, document, &schema::ROOT, "");
    let Some(mut services) = services else { return };
    let fine = match tree::entries_mut(&mut services) {
        Some(entries) => {
            entries.retain_mut(|entry| {
                let before = errors(context);
                let path = format!("services.{}", entry.key);
                let keep = shape::check_name(context, entry, "services")
                    && shape::check(context, &mut entry.value, &schema::SERVICE_KIND, &path);
                if errors(context) > before {
                    context.broken.insert(entry.key.clone());
                }
                keep
            });
            true
        }
        None => {
            services.is_null() || shape::check(context, &mut services, &schema::SERVICES_KIND, "services")
        }
    };
    if fine {
        tree::set(document, "services", services);
    } else {
        tree::take(document, "services");
    }
}

fn errors(context: &Context) -> usize {
    context.problems.iter().filter(|problem| problem.is_error()).count()
}

/// The directory of a file in the repository.
pub(super) fn directory_of(file: &str) -> String {
    paths::directory_of(file).to_owned()
}
