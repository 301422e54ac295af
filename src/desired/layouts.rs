//! What an AddonsLayout declares: its manifest and pins at the wanted commit of its Repository.

use serde_json::json;

use super::state::LayoutDesired;
use super::tree::Tree;
use super::typed::Described;
use crate::model::hash::canonical_hash;
use crate::model::problem::{Problem, nearest};
use crate::odoo::catalogue::from_json;
use crate::skills::layout::declared::{Form, inside};
use crate::skills::layout::read::read;
use crate::skills::layout::spec::LayoutSpec;
use crate::skills::layout::wanted::{WantedLayout, first_error};
use crate::skills::stack::compose::{FileRead, Refusal};

/// Where the checkout of a layout is, and what it has to hold.
pub struct LayoutPlace<'a> {
    /// Its files at the wanted commit.
    pub tree: &'a Tree,
    /// The absolute folder.
    pub checkout: &'a str,
    /// Whether the folder is the controller's own.
    pub is_own: bool,
    /// The host.
    pub host: &'a str,
}

/// Puts a layout together. What its files say wrong is unknown, and makes no revision invalid: they are another repository's.
pub fn load_layout(
    layout: &Described<LayoutSpec>,
    place: Result<LayoutPlace<'_>, String>,
    allow: &[String],
    problems: &mut Vec<Problem>,
) -> LayoutDesired {
    let mut resource = layout.resource.clone();
    let spec = &resource.spec;
    let (mut host, mut checkout, mut is_own, mut devcontainer) = (None, String::new(), false, None);
    let of_place = |why| Undeclared { field: "repository", why, hint: None };
    let wanted = place.map_err(of_place).and_then(|place| {
        host = Some(place.host.to_owned());
        place.checkout.clone_into(&mut checkout);
        is_own = place.is_own;
        devcontainer = spec.devcontainer.as_ref().and_then(|file| text(place.tree, file).ok());
        declared(spec, place.tree, allow)
    });
    let wanted = wanted.map_err(|undeclared| {
        let message = format!("what it declares is not known: {}", undeclared.why);
        // A file under its usual name is named by nobody.
        let is_named = layout.node.at_pointer("/spec").get(undeclared.field).is_some();
        let field = if is_named { undeclared.field } else { "repository" };
        let problem = layout.value(&format!("/spec/{field}")).warning("layout-unknown", message);
        problems.push(Problem { hint: undeclared.hint, ..problem });
        undeclared.why
    });
    if let Ok(wanted) = &wanted {
        for (path, why) in &wanted.refused {
            let message = format!("`{path}` can't be cloned: {why}");
            problems.push(layout.value("/spec/repository").warning("layout-refused", message));
        }
    }
    resource.digest = canonical_hash(&json!({
        "spec": serde_json::to_value(spec).expect("a spec is JSON"),
        "clones": wanted.as_ref().ok().map(|wanted| &wanted.clones),
        "roots": wanted.as_ref().ok().map(|wanted| &wanted.roots),
    }));
    LayoutDesired { resource, host, checkout, is_own, wanted, devcontainer }
}

/// Why it is not known what a layout declares: the field of the document that leads there.
struct Undeclared {
    field: &'static str,
    why: String,
    hint: Option<String>,
}

impl Undeclared {
    fn of(field: &'static str, problems: &[Problem]) -> Self {
        let hint = problems.iter().find(|problem| problem.is_error()).and_then(|error| error.hint.clone());
        Undeclared { field, why: first_error(problems).unwrap_or_default(), hint }
    }

    fn check(field: &'static str, problems: &[Problem]) -> Result<(), Self> {
        match problems.iter().any(Problem::is_error) {
            true => Err(Undeclared::of(field, problems)),
            false => Ok(()),
        }
    }
}

fn declared(spec: &LayoutSpec, tree: &Tree, allow: &[String]) -> Result<WantedLayout, Undeclared> {
    let field_text = |field, file: &str| {
        text(tree, file).map_err(|why| {
            let siblings = inside(file).map(|path| tree.siblings(&path)).unwrap_or_default();
            let near = nearest(file, siblings.iter().map(String::as_str));
            Undeclared { field, why, hint: near.map(|near| format!("Did you mean `{near}`?")) }
        })
    };
    let manifest = field_text("manifest", &spec.manifest)?;
    let mut sources = vec![read(&spec.manifest, &manifest)];
    Undeclared::check("manifest", &sources[0].problems)?;
    if let Some(pins) = &spec.pins {
        let source = read(pins, &field_text("pins", pins)?);
        Undeclared::check("pins", &source.problems)?;
        sources.push(source);
    }
    if sources[0].form != Form::Manifest {
        let why = format!("`{}` has no `oca_repositories`", spec.manifest);
        return Err(Undeclared { field: "manifest", why, hint: None });
    }
    let catalogue = from_json(&spec.manifest, &manifest, &spec.series)
        .map_err(|problems| Undeclared::of("manifest", &problems))?;
    Ok(WantedLayout::new(spec, &sources, &catalogue, allow))
}

fn text(tree: &Tree, file: &str) -> Result<String, String> {
    let path = inside(file).ok_or_else(|| format!("`{file}` is not a path inside the checkout"))?;
    match tree.read(&path) {
        FileRead::Bytes(bytes) => String::from_utf8(bytes).map_err(|_| format!("`{file}` is not UTF-8")),
        FileRead::Missing => Err(format!("`{file}` is not there")),
        FileRead::Refused(Refusal { why, .. }) => Err(format!("`{file}` {why}")),
        FileRead::Unknown(why) => Err(format!("`{file}`: {why}")),
    }
}
