//! The addons of an Environment at its commit: the roots are there, and the wanted modules in them.

use super::tree::Tree;
use super::typed::Described;
use crate::model::problem::{Problem, nearest};
use crate::odoo::knowledge::Knowledge;
use crate::skills::environment::spec::EnvironmentSpec;

/// A path as trees know it.
pub fn inner(source: &str) -> &str {
    let source = source.trim_start_matches("./").trim_end_matches('/');
    if source == "." { "" } else { source }
}

/// Roots that are folders of the code have to be in it.
pub fn check_roots(environment: &Described<EnvironmentSpec>, tree: &Tree, problems: &mut Vec<Problem>) {
    for (index, root) in environment.resource.spec.odoo.addons.iter().enumerate() {
        let is_bad = root.source.starts_with('/') || root.source.split('/').any(|part| part == "..");
        if is_bad || matches!(tree.folder_digest(inner(&root.source)), Ok(Some(_))) {
            continue;
        }
        let place = environment.value(&format!("/spec/odoo/addons/{index}/source"));
        let siblings = tree.siblings(inner(&root.source));
        let near = nearest(inner(&root.source), siblings.iter().map(String::as_str));
        let mut problem =
            place.error("missing-folder", format!("the source has no folder `{}`", root.source));
        problem.hint = near.map(|near| format!("Did you mean `{near}`?"));
        problems.push(problem);
    }
}

/// Modules that are wanted have to be in a root or Odoo's own; what an image brings beside its own is not known.
pub fn check_modules(environment: &Described<EnvironmentSpec>, tree: &Tree, problems: &mut Vec<Problem>) {
    let odoo = &environment.resource.spec.odoo;
    let knowledge = Knowledge::built_in();
    if odoo.build.is_some() || odoo.addons.iter().any(|root| root.source.starts_with('/')) {
        return;
    }
    let Some(core) = knowledge.core(&odoo.version) else { return };
    let mut names: Vec<String> = Vec::new();
    for root in &odoo.addons {
        let folder = inner(&root.source);
        let child = |name: &str| if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        let found = tree.siblings(&child("_")).into_iter();
        names.extend(found.filter_map(|path| path.rsplit('/').next().map(str::to_owned)));
    }
    for (index, name) in odoo.modules.install.iter().enumerate() {
        // What is no name at all is told as such.
        let is_name =
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name || name == "all" || names.contains(name) || core.binary_search(name).is_ok() {
            continue;
        }
        let place = environment.value(&format!("/spec/odoo/modules/install/{index}"));
        let message = format!("module `{name}` is in no addons root, and none of Odoo {}", odoo.version);
        let near = nearest(name, names.iter().map(String::as_str).chain(core.iter().map(String::as_str)));
        problems.push(place.warning("unknown-module", message).with_hint(match near {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "Add it to a root of `odoo.addons`, or remove the line.".to_owned(),
        }));
    }
}
