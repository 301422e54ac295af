//! Where the modules are: roots that are named, and those of an addons manifest.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::cli::args::DepsArgs;
use crate::cli::file_error;
use crate::config::Environment;
use crate::error::Error;
use crate::odoo::catalogue::{CATALOGUE_BYTES_MAX, Catalogue, from_json};
use crate::odoo::observe::{CacheFile, RootRequest};
use crate::odoo::universe::RootKind;

/// Folders between a manifest and its checkout; nobody nests deeper.
const ANCESTORS_MAX: usize = 64;

/// Everything that is read before modules are.
pub struct Inputs {
    /// What is declared.
    pub catalogue: Catalogue,
    /// The folder that the catalogue's paths are relative to.
    pub checkout: String,
    /// The roots, in order.
    pub requests: Vec<RootRequest>,
    /// The paths of declared repositories that are there.
    pub cloned: BTreeSet<String>,
    /// Declared roots that are not there.
    pub absent: Vec<String>,
    /// The cache of manifests.
    pub cache: Option<CacheFile>,
    /// Device and inode of each root, to know one by two names.
    places: Vec<Option<(u64, u64)>>,
}

impl Inputs {
    pub fn read(args: &DepsArgs, environment: &Environment) -> Result<Self, Error> {
        if args.core.is_empty() && args.root.is_empty() && args.manifest.is_none() {
            return Err(Error::usage(
                "there is no folder of modules to look into",
                "Name them with --core, --root, --manifest or --layout.",
            ));
        }
        let (catalogue, checkout) = match &args.manifest {
            Some(file) => {
                let checkout = args.checkout.clone().unwrap_or_else(|| checkout_of(file));
                (read_catalogue(file, &args.series)?, checkout)
            }
            None => (Catalogue::default(), PathBuf::from(".")),
        };
        let mut inputs = Inputs {
            catalogue,
            checkout: absolute(&checkout).display().to_string(),
            requests: Vec::new(),
            cloned: BTreeSet::new(),
            absent: Vec::new(),
            cache: None,
            places: Vec::new(),
        };
        for (paths, kind) in [(&args.core, RootKind::Core), (&args.root, RootKind::Addons)] {
            for path in paths {
                let shown = path.display().to_string();
                inputs.add(RootRequest { path: path.clone(), shown, kind, repository: None });
            }
        }
        inputs.add_declared(&checkout);
        if let Some(folder) = environment.cache_dir().filter(|_| !args.no_cache) {
            let roots: Vec<PathBuf> = inputs.requests.iter().map(|request| absolute(&request.path)).collect();
            inputs.cache = Some(CacheFile::new(&folder.join("deps"), roots.iter().map(PathBuf::as_path)));
        }
        Ok(inputs)
    }

    fn add_declared(&mut self, checkout: &Path) {
        let repositories = self.catalogue.repositories.iter();
        let declared: Vec<(String, Option<String>)> = repositories
            .map(|repository| (repository.path.clone(), Some(repository.slug.clone())))
            .chain(self.catalogue.roots.iter().map(|root| (root.clone(), None)))
            .collect();
        for (shown, repository) in declared {
            let path = checkout.join(&shown);
            // An empty folder is what a submodule leaves that was never fetched.
            let is_there = fs::read_dir(&path).is_ok_and(|mut entries| entries.next().is_some());
            match (is_there, &repository) {
                (true, Some(_)) => {
                    self.cloned.insert(shown.clone());
                }
                (false, Some(_)) => continue,
                (false, None) => {
                    self.absent.push(shown);
                    continue;
                }
                (true, None) => {}
            }
            self.add(RootRequest { path, shown, kind: RootKind::Addons, repository });
        }
    }

    /// Adds a root that is not among them yet; of one that is, what it belongs to is taken over.
    fn add(&mut self, request: RootRequest) {
        let place = fs::metadata(&request.path).map(|found| (found.dev(), found.ino())).ok();
        match self.places.iter().position(|known| place.is_some() && *known == place) {
            Some(at) => {
                let known = &mut self.requests[at];
                known.repository = known.repository.take().or(request.repository);
            }
            None => {
                self.requests.push(request);
                self.places.push(place);
            }
        }
    }
}

fn read_catalogue(file: &Path, series: &str) -> Result<Catalogue, Error> {
    let shown = file.display().to_string();
    let mut text = String::new();
    let opened = fs::File::open(file).map_err(|err| file_error("read", file, err))?;
    opened
        .take(CATALOGUE_BYTES_MAX as u64 + 1)
        .read_to_string(&mut text)
        .map_err(|err| file_error("read", file, err))?;
    if text.len() > CATALOGUE_BYTES_MAX {
        return Err(file_error("read", file, std::io::Error::other("it is longer than 1 MiB")));
    }
    from_json(&shown, &text, series).map_err(|problems| Error::Catalogue { file: shown, problems })
}

/// The git checkout around a file, or the file's folder.
fn checkout_of(file: &Path) -> PathBuf {
    let file = absolute(file);
    let mut ancestors = file.ancestors().skip(1).take(ANCESTORS_MAX);
    let folder = file.parent().unwrap_or(Path::new(".")).to_owned();
    ancestors.find(|folder| folder.join(".git").exists()).map_or(folder, Path::to_owned)
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
