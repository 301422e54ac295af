//! What `layout` reads before it decides: the files, the folders, the roots in their order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::args::LayoutVerifyArgs;
use crate::cli::file_error;
use crate::error::Error;
use crate::odoo::catalogue::{Catalogue, from_json};
use crate::odoo::observe::RootRequest;
use crate::odoo::universe::RootKind;
use crate::skills::layout::checks::pin;
use crate::skills::layout::declared::{Form, Source, inside};
use crate::skills::layout::facts::Facts;
use crate::skills::layout::observe::{Wanted, observe, read_bounded, read_source};
use crate::skills::layout::view::{Entry, Mapping, View};

/// Files that are read where they exist.
const WELL_KNOWN: &[&str] = &[
    "addons.manifest.json",
    ".devcontainer/devcontainer.json",
    ".devcontainer.json",
    ".devcontainer/docker-compose.yml",
    "oca.lock.json",
    "addons/oca/oca.lock.json",
    ".gitmodules",
    "repos.yaml",
    "repos.yml",
    "oca-aggregate.yml",
    "config/oca-repos.yaml",
    "addons/oca/OCA_PINS.yaml",
    "oca/oca_modules.yaml",
    "compose.yaml",
    "docker-compose.yml",
    "docker-compose.dev.yml",
    "odoo.conf",
    "config/odoo.conf",
];

/// Everything that was read.
pub struct Inputs {
    /// The files, the manifest first.
    pub sources: Vec<Source>,
    /// The manifest, for questions about modules.
    pub catalogue: Catalogue,
    /// What is on disk.
    pub facts: Facts,
    /// Roots to read: Odoo's own, the server's, all others.
    pub requests: Vec<RootRequest>,
    /// How many of them the server sees.
    pub in_view: usize,
    /// How many are Odoo's own.
    pub core: usize,
    /// The server's roots.
    pub view: View,
}

impl Inputs {
    pub fn read(args: &LayoutVerifyArgs) -> Result<Self, Error> {
        let checkout = &args.checkout;
        if !checkout.is_dir() {
            let hint = "Name the folder of a checkout.".to_owned();
            return Err(Error::usage(format!("`{}` is not a folder", checkout.display()), hint));
        }
        let (sources, catalogue) = read_files(args)?;
        let view = view(args, &sources, &catalogue)?;
        let declared = &sources[0].repositories;
        let repositories = declared
            .iter()
            .filter_map(|found| Some((found.path.clone()?, pin(&sources, found).map(str::to_owned))))
            .collect::<Vec<_>>();
        let mut references = args.hook.clone();
        for source in &sources {
            references.extend(source.references.iter().map(|(path, _)| path.clone()));
            references.extend(source.mounts.iter().map(|mount| mount.source.clone()));
        }
        let facts = observe(
            checkout,
            &Wanted { repositories, roots: catalogue.roots.clone(), references, owner: args.owner },
        );
        let mut inputs = Inputs {
            sources,
            catalogue,
            facts,
            requests: Vec::new(),
            in_view: 0,
            core: args.core.len(),
            view,
        };
        inputs.roots(args);
        Ok(inputs)
    }

    fn roots(&mut self, args: &LayoutVerifyArgs) {
        for path in &args.core {
            let shown = path.display().to_string();
            self.requests.push(RootRequest {
                path: path.clone(),
                shown,
                kind: RootKind::Core,
                repository: None,
            });
        }
        for root in self.view.roots.clone() {
            self.add(&args.checkout, &root);
        }
        self.in_view = self.requests.len();
        for root in self.others(args) {
            self.add(&args.checkout, &root);
        }
    }

    /// Folders that may hold modules though the server does not look into them.
    fn others(&self, args: &LayoutVerifyArgs) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let paths: Vec<&str> =
            self.sources[0].repositories.iter().filter_map(|item| item.path.as_deref()).collect();
        let roots = || paths.iter().copied().chain(self.catalogue.roots.iter().map(String::as_str));
        found.extend(roots().map(str::to_owned));
        let parents: BTreeSet<&str> = roots().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
        found.extend(parents.into_iter().map(str::to_owned));
        for source in &self.sources {
            for path in &source.addons_paths {
                let service = path.service.as_deref().map(|service| (source.file.as_str(), service));
                let mapping = Mapping::new(&args.mount, &self.sources, service);
                found.extend(path.entries.iter().filter_map(|entry| match mapping.entry(entry) {
                    Entry::Root(root) => Some(root),
                    _ => None,
                }));
            }
        }
        found
    }

    fn add(&mut self, checkout: &Path, root: &str) {
        let path: PathBuf = checkout.join(root);
        if self.requests[self.core..].iter().any(|known| known.shown == root) || !path.is_dir() {
            return;
        }
        let slug = self
            .catalogue
            .repositories
            .iter()
            .find(|found| found.path == root)
            .map(|found| found.slug.clone());
        let (shown, kind) = (root.to_owned(), RootKind::Addons);
        self.requests.push(RootRequest { path, shown, kind, repository: slug });
    }
}

fn read_files(args: &LayoutVerifyArgs) -> Result<(Vec<Source>, Catalogue), Error> {
    let checkout = &args.checkout;
    let named = args.file.iter().chain(&args.odoo_conf);
    for file in named.clone().chain([&args.manifest]).chain(&args.hook) {
        if inside(file).as_deref() != Some(file) {
            let hint = "Files are named by their path relative to the checkout.".to_owned();
            return Err(Error::usage(format!("`{file}` is not a path inside the checkout"), hint));
        }
    }
    let path = checkout.join(&args.manifest);
    let text = read_bounded(&path).map_err(|err| file_error("read", &path, err))?;
    let manifest = crate::skills::layout::read::read(&args.manifest, &text);
    if manifest.problems.iter().any(crate::model::problem::Problem::is_error)
        || manifest.form != Form::Manifest
    {
        return Err(Error::Catalogue { file: args.manifest.clone(), problems: manifest.problems });
    }
    let catalogue = from_json(&args.manifest, &text, &args.series)
        .map_err(|problems| Error::Catalogue { file: args.manifest.clone(), problems })?;
    let mut sources = vec![manifest];
    for file in named {
        let path = checkout.join(file);
        let missing = || file_error("read", &path, std::io::ErrorKind::NotFound.into());
        sources.push(read_source(checkout, file).ok_or_else(missing)?);
    }
    for file in WELL_KNOWN {
        if !sources.iter().any(|source| source.file == *file) {
            sources.extend(read_source(checkout, file));
        }
    }
    Ok((sources, catalogue))
}

/// The roots of the server: those of the named settings, else the manifest's.
fn view(args: &LayoutVerifyArgs, sources: &[Source], catalogue: &Catalogue) -> Result<View, Error> {
    let Some(file) = &args.odoo_conf else {
        let repositories = catalogue.repositories.iter().map(|found| found.path.clone());
        let roots = repositories.chain(catalogue.roots.iter().cloned()).collect();
        return Ok(View { from: args.manifest.clone(), roots });
    };
    let source = sources.iter().find(|source| source.file == *file && source.form == Form::OdooConf);
    let Some(source) = source else {
        let hint = "The name of Odoo's settings ends in .conf.".to_owned();
        return Err(Error::usage(format!("`{file}` is no odoo.conf"), hint));
    };
    let mapping = Mapping::new(&args.mount, sources, None);
    let entries = source.addons_paths.iter().flat_map(|path| &path.entries);
    let roots = entries.filter_map(|entry| match mapping.entry(entry) {
        Entry::Root(root) => Some(root),
        _ => None,
    });
    Ok(View { from: file.clone(), roots: roots.collect() })
}
