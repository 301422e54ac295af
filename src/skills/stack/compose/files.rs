//! From a list of files to one model in long form: read, fill in, check, include, extend, merge, resolve.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Node, NodeValue, Place};

use super::context::Context;
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

/// A file and where it is named.
pub(super) struct NamedFile {
    /// Its path in the repository.
    pub path: String,
    /// Where somebody names it.
    pub place: Option<Place>,
}

/// Reads files in order, each laid over those before it; `None` when none could be read.
pub(super) fn load(context: &mut Context, files: &[NamedFile], scope: &Scope) -> Option<Node> {
    let mut model: Option<Node> = None;
    for NamedFile { path: file, place } in files {
        let Some(documents) = context.documents(file, place.as_ref()) else { continue };
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

/// Fills in variables, checks and rewrites one document.
pub(super) fn prepare(context: &mut Context, mut document: Node, variables: &Variables) -> Option<Node> {
    if !matches!(document.value, NodeValue::Mapping(_)) {
        let message = format!("a Compose file has to be a map, not a {}", document.type_name());
        context.report(document.place.error("wrong-type", message));
        return None;
    }
    tree::entries_mut(&mut document).into_iter().for_each(|entries| {
        entries.retain_mut(|entry| {
            if entry.key.starts_with("x-") {
                return false;
            }
            match (entry.key.as_str(), tree::entries_mut(&mut entry.value)) {
                (section, Some(named)) => {
                    named.retain_mut(|item| {
                        let before = context.errors();
                        let keep = context.interpolate(&mut item.value, variables);
                        if context.errors() > before {
                            context.mark_broken(section, &item.key);
                        }
                        keep
                    });
                    true
                }
                _ => context.interpolate(&mut entry.value, variables),
            }
        })
    });
    shape::check(context, &mut document, &schema::ROOT, "");
    canonical::rewrite(context, &mut document);
    Some(document)
}

/// The directory of a file in the repository.
pub(super) fn directory_of(file: &str) -> String {
    paths::directory_of(file).to_owned()
}
