//! Holds a checkout against its files: reads the files, the folders and the roots in their order, then makes all checks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{Wanted, observe, read_bounded, read_source};
use crate::model::problem::Problem;
use crate::odoo::catalogue::{Catalogue, from_json};
use crate::odoo::observe::{CacheFile, RootError, RootRequest, read_roots};
use crate::odoo::universe::RootKind;
use crate::skills::layout::checks::{Input, pin, verify};
use crate::skills::layout::declared::{Form, Source, inside};
use crate::skills::layout::facts::Facts;
use crate::skills::layout::read::read;
use crate::skills::layout::report::Report;
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

/// What is verified.
#[derive(Debug, Clone, Default)]
pub struct VerifyRequest {
    /// The checkout.
    pub checkout: PathBuf,
    /// The manifest that everything is held against, relative to the checkout.
    pub manifest: String,
    /// Further files that declare something.
    pub files: Vec<String>,
    /// Odoo's settings, whose `addons_path` decides what a server sees.
    pub odoo_conf: Option<String>,
    /// Where a container sees a folder of the checkout: container path and folder.
    pub mounts: Vec<(String, String)>,
    /// Folders of Odoo's own modules.
    pub core: Vec<PathBuf>,
    /// The owner that everything should have.
    pub owner: Option<(u32, u32)>,
    /// Scripts that should be there.
    pub hooks: Vec<String>,
    /// The series of the server.
    pub series: String,
    /// Named lists of modules beside those of the manifest.
    pub features: BTreeMap<String, Vec<String>>,
    /// The folder of what is remembered of manifests that did not change.
    pub cache: Option<PathBuf>,
}

/// Why nothing can be verified.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is no checkout.
    #[error("`{}` is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A file is named that is none of the checkout.
    #[error("`{0}` is not a path inside the checkout")]
    Outside(String),
    /// A file can't be read.
    #[error("failed to read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// The manifest has errors.
    #[error("`{file}` can't be used")]
    Manifest {
        /// The file.
        file: String,
        /// All of them.
        problems: Vec<Problem>,
    },
    /// Odoo's settings are something else.
    #[error("`{0}` is no odoo.conf")]
    NotConf(String),
    /// A root can't be listed.
    #[error(transparent)]
    Root(#[from] RootError),
}

/// Makes all checks of a checkout; blocks.
pub fn verify_checkout(request: &VerifyRequest) -> Result<(Report, Facts), VerifyError> {
    let inputs = Inputs::read(request)?;
    let cache = request.cache.as_ref().map(|folder| {
        let roots: Vec<PathBuf> =
            inputs.requests.iter().filter_map(|root| std::path::absolute(&root.path).ok()).collect();
        CacheFile::new(folder, roots.iter().map(PathBuf::as_path))
    });
    let roots = read_roots(&inputs.requests, cache.as_ref())?;
    let report = verify(&Input {
        checkout: &request.checkout.display().to_string(),
        series: &request.series,
        sources: &inputs.sources,
        catalogue: &inputs.catalogue,
        facts: &inputs.facts,
        roots: &roots,
        in_view: inputs.in_view,
        core: inputs.core,
        view: &inputs.view,
        mounts: &request.mounts,
        hooks: &request.hooks,
        owner: request.owner,
    });
    Ok((report, inputs.facts))
}

/// Everything that was read.
struct Inputs {
    /// The files, the manifest first.
    sources: Vec<Source>,
    /// The manifest, for questions about modules.
    catalogue: Catalogue,
    /// What is on disk.
    facts: Facts,
    /// Roots to read: Odoo's own, the server's, all others.
    requests: Vec<RootRequest>,
    /// How many of them the server sees.
    in_view: usize,
    /// How many are Odoo's own.
    core: usize,
    /// The server's roots.
    view: View,
}

impl Inputs {
    fn read(args: &VerifyRequest) -> Result<Self, VerifyError> {
        let checkout = &args.checkout;
        if !checkout.is_dir() {
            return Err(VerifyError::NotAFolder(checkout.clone()));
        }
        let (sources, catalogue) = read_files(args)?;
        let view = view(args, &sources, &catalogue)?;
        let declared = &sources[0].repositories;
        let repositories = declared
            .iter()
            .filter_map(|found| Some((found.path.clone()?, pin(&sources, found).map(str::to_owned))))
            .collect::<Vec<_>>();
        let mut references = args.hooks.clone();
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

    fn roots(&mut self, args: &VerifyRequest) {
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
    fn others(&self, args: &VerifyRequest) -> Vec<String> {
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
                let mapping = Mapping::new(&args.mounts, &self.sources, service);
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

fn read_files(args: &VerifyRequest) -> Result<(Vec<Source>, Catalogue), VerifyError> {
    let checkout = &args.checkout;
    let named = args.files.iter().chain(&args.odoo_conf);
    for file in named.clone().chain([&args.manifest]).chain(&args.hooks) {
        if inside(file).as_deref() != Some(file) {
            return Err(VerifyError::Outside(file.clone()));
        }
    }
    let path = checkout.join(&args.manifest);
    let text = read_bounded(&path).map_err(|err| VerifyError::Read { path: path.clone(), err })?;
    let manifest = read(&args.manifest, &text);
    if manifest.problems.iter().any(Problem::is_error) || manifest.form != Form::Manifest {
        return Err(VerifyError::Manifest { file: args.manifest.clone(), problems: manifest.problems });
    }
    let mut catalogue = from_json(&args.manifest, &text, &args.series)
        .map_err(|problems| VerifyError::Manifest { file: args.manifest.clone(), problems })?;
    catalogue.features.extend(args.features.clone());
    let mut sources = vec![manifest];
    for file in named {
        let path = checkout.join(file);
        let missing = || VerifyError::Read { path: path.clone(), err: std::io::ErrorKind::NotFound.into() };
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
fn view(args: &VerifyRequest, sources: &[Source], catalogue: &Catalogue) -> Result<View, VerifyError> {
    let Some(file) = &args.odoo_conf else {
        let repositories = catalogue.repositories.iter().map(|found| found.path.clone());
        let roots = repositories.chain(catalogue.roots.iter().cloned()).collect();
        return Ok(View { from: args.manifest.clone(), roots });
    };
    let source = sources.iter().find(|source| source.file == *file && source.form == Form::OdooConf);
    let Some(source) = source else {
        return Err(VerifyError::NotConf(file.clone()));
    };
    let mapping = Mapping::new(&args.mounts, sources, None);
    let entries = source.addons_paths.iter().flat_map(|path| &path.entries);
    let roots = entries.filter_map(|entry| match mapping.entry(entry) {
        Entry::Root(root) => Some(root),
        _ => None,
    });
    Ok(View { from: file.clone(), roots: roots.collect() })
}
