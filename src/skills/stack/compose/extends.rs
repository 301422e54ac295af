//! `extends`: a service on top of another one, of the same file or of another.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, HashMap};

use crate::model::document::{Node, NodeValue, Place, Size};
use crate::model::problem::nearest;

use super::context::Context;
use super::files::{self, Scope};
use super::{merge, resolve, tree};

/// Services that extend each other; real ones reach 3.
const EXTENDS_DEPTH_MAX: usize = 16;
/// Nodes that `extends` may copy in one document; bounds many services on one huge base.
const COPIED_NODES_MAX: usize = 200_000;
/// Bytes of text that `extends` may copy in one document, for the same reason.
const COPIED_BYTES_MAX: usize = 16 << 20;

/// Replaces each service of a document that extends another.
pub(super) fn apply(context: &mut Context, document: &mut Node, file: &str, scope: &Scope) {
    let extending = |service: &Node| service.get("extends").is_some();
    let Some(services) = document.get("services").and_then(Node::entries) else { return };
    if !services.iter().any(|entry| extending(&entry.value)) {
        return;
    }
    let own = services.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect();
    let names: Vec<String> =
        services.iter().filter(|entry| extending(&entry.value)).map(|entry| entry.key.clone()).collect();
    let mut resolver = Resolver {
        scope,
        own_file: file,
        files: HashMap::from([(file.to_owned(), own)]),
        copied: Size::default(),
    };
    for name in names {
        let mut chain = Vec::new();
        let resolved = resolver.resolve(context, file, &name, &mut chain);
        let Some(service) = tree::get_mut(document, "services").and_then(|node| tree::get_mut(node, &name))
        else {
            continue;
        };
        match resolved {
            Some(resolved) => *service = resolved,
            None => {
                context.mark_broken("services", &name);
                tree::take(service, "extends");
            }
        }
    }
}

type Services = BTreeMap<String, Node>;

struct Resolver<'a> {
    scope: &'a Scope<'a>,
    own_file: &'a str,
    files: HashMap<String, Services>,
    copied: Size,
}

impl Resolver<'_> {
    /// A service with everything that it extends.
    fn resolve(
        &mut self,
        context: &mut Context,
        file: &str,
        name: &str,
        chain: &mut Vec<(String, String)>,
    ) -> Option<Node> {
        let service = self.files.get(file)?.get(name)?.clone();
        let Some(extends) = service.get("extends").filter(|node| !node.is_null()).cloned() else {
            return Some(service);
        };
        let link = (file.to_owned(), name.to_owned());
        let looped = chain.contains(&link);
        chain.push(link);
        if looped || chain.len() > EXTENDS_DEPTH_MAX {
            let steps: Vec<String> = chain.iter().map(|(file, name)| format!("{name} ({file})")).collect();
            let message = if looped {
                format!("service `{name}` extends itself: {}", steps.join(" → "))
            } else {
                format!("services extend each other more than {EXTENDS_DEPTH_MAX} deep")
            };
            context.report(
                extends.place.error("extends-cycle", message).with_hint("Remove one of the `extends`."),
            );
            return None;
        }
        let base_name = self.required_service(context, &extends, name)?;
        let base_file = self.base_file(context, file, &extends)?;
        if !self.files.contains_key(&base_file) {
            let place = extends.get("file").map_or(&extends.place, |node| &node.place);
            let services = self.load(context, &base_file, place)?;
            self.files.insert(base_file.clone(), services);
        }
        self.known_service(context, &base_file, &base_name, name, &extends)?;
        let mut base = self.resolve(context, &base_file, &base_name, chain)?;
        chain.pop();
        self.copied.add(base.size());
        self.copied.add(service.size());
        if self.copied.exceeds(COPIED_NODES_MAX, COPIED_BYTES_MAX) {
            let message = format!(
                "`extends` copies more than {COPIED_NODES_MAX} values or {COPIED_BYTES_MAX} bytes of text"
            );
            context.report(extends.place.error("extends-too-large", message));
            return None;
        }
        tree::take(&mut base, "extends");
        let mut over = service;
        tree::take(&mut over, "extends");
        if base.is_null() {
            base = tree::map(Vec::new(), over.place.clone());
        }
        merge::merge_service(context, name, &mut base, over);
        self.files.get_mut(file)?.insert(name.to_owned(), base.clone());
        Some(base)
    }

    fn required_service(&self, context: &mut Context, extends: &Node, name: &str) -> Option<String> {
        let service = tree::text_of(extends, "service");
        if service.is_none() {
            let message = format!("`services.{name}.extends` has no `service`");
            context.report(extends.place.error("missing-field", message));
        }
        service.map(str::to_owned)
    }

    /// The file of the extended service: relative to the project in the first file, to the file itself in others.
    fn base_file(&self, context: &mut Context, file: &str, extends: &Node) -> Option<String> {
        let Some(node) = extends.get("file").filter(|node| !node.is_null()) else {
            return Some(file.to_owned());
        };
        let own = files::directory_of(file);
        let directory = if file == self.own_file { self.scope.directory } else { &own };
        context.file_inside(directory, node)
    }

    /// The services of another file, with its relative paths resolved.
    fn load(&self, context: &mut Context, file: &str, place: &Place) -> Option<Services> {
        let documents = context.documents(file, Some(place))?;
        let mut model: Option<Node> = None;
        for document in documents {
            let Some(mut document) = files::prepare(context, document, self.scope.variables) else {
                continue;
            };
            match &mut model {
                Some(model) => merge::merge_files(context, model, document),
                None => {
                    merge::settle(&mut document);
                    model = Some(document);
                }
            }
        }
        let mut model = model?;
        merge::unite_file(&mut model);
        resolve::paths(context, &mut model, &files::directory_of(file));
        let services = tree::take(&mut model, "services").map(|entry| entry.value.value);
        match services {
            Some(NodeValue::Mapping(entries)) => {
                Some(entries.into_iter().map(|entry| (entry.key, entry.value)).collect())
            }
            _ => Some(Services::new()),
        }
    }

    fn known_service(
        &self,
        context: &mut Context,
        file: &str,
        wanted: &str,
        name: &str,
        extends: &Node,
    ) -> Option<()> {
        let services = self.files.get(file)?;
        if services.contains_key(wanted) {
            return Some(());
        }
        let node = extends.get("service").unwrap_or(extends);
        let message = format!("service `{name}` extends `{wanted}`, which `{file}` does not describe");
        let problem = node.place.error("undefined-service", message);
        context.report(match nearest(wanted, services.keys().map(String::as_str)) {
            Some(near) => problem.with_hint(format!("Did you mean `{near}`?")),
            None => problem,
        });
        None
    }
}
