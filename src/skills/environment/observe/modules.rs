//! The modules of the addons roots as the wanted commit has them.

use std::collections::BTreeMap;
use std::path::Path;

use git2::Repository;

use crate::model::known::Known;
use crate::odoo::observe::checksum::{Counted, EXCLUDED, checksum};
use crate::odoo::observe::committed::CommittedRoot;
use crate::odoo::observe::{RootRequest, read_roots};
use crate::odoo::universe::{Root, RootKind, Universe};
use crate::odoo::updates::Present;
use crate::odoo::version::adapt;

/// Which modules to read.
#[derive(Debug, Clone)]
pub struct ModulesRequest {
    /// The roots in order: folders of the source, or absolute ones.
    pub roots: Vec<String>,
    /// The commit, in the git directory `objects`; without it, `objects` is a folder.
    pub commit: Option<String>,
    /// See `commit`.
    pub objects: String,
    /// The series of the server.
    pub series: String,
    /// The files that don't count, when a database says which.
    pub exclude: Option<String>,
    /// The codes of the active languages.
    pub languages: Vec<String>,
}

impl ModulesRequest {
    /// Reads them; blocks. Of a module that several roots have, the first copy counts.
    pub fn read(&self) -> Known<BTreeMap<String, Present>> {
        match self.read_all() {
            Ok(present) => Known::Known(present),
            Err(why) => Known::Unknown(why),
        }
    }

    fn read_all(&self) -> Result<BTreeMap<String, Present>, String> {
        let repository = match &self.commit {
            Some(_) => Some(Repository::open(&self.objects).map_err(|err| err.message().to_owned())?),
            None => None,
        };
        let mut roots: Vec<Root> = Vec::new();
        let mut sources = Vec::new();
        for name in &self.roots {
            let source = self.source(name, repository.as_ref())?;
            roots.push(match &source {
                Source::Committed(root) => {
                    root.root(name).map_err(|err| format!("`{name}`: {}", err.message()))?
                }
                Source::Folder(path) => read_folder(path, name)?,
            });
            sources.push(source);
        }
        let languages = self.languages.iter().map(String::as_str);
        let counted = Counted::new(self.exclude.as_deref().unwrap_or(EXCLUDED), languages);
        let universe = Universe::new(&roots, &self.series);
        let mut present = BTreeMap::new();
        for name in universe.names() {
            let Some(copy) = universe.winner(name) else { continue };
            let checksum = match &sources[copy.root] {
                Source::Committed(root) => root.checksum(name, &counted),
                Source::Folder(path) => checksum(&Path::new(path).join(name), &counted),
            };
            let checksum = checksum.map_err(|err| crate::model::problem::error_chain(&err))?;
            let unusable = copy.unusable.as_ref().map(|why| why.text(&self.series)).unwrap_or_default();
            let version = copy.found.manifest.as_ref().and_then(|it| adapt(&it.version, &self.series));
            present.insert(
                name.to_owned(),
                Present { checksum, unusable, version: version.unwrap_or_default() },
            );
        }
        Ok(present)
    }

    fn source<'r>(&self, name: &str, repository: Option<&'r Repository>) -> Result<Source<'r>, String> {
        if name.starts_with('/') {
            return Ok(Source::Folder(name.to_owned()));
        }
        let inner = name.trim_start_matches("./").trim_end_matches('/');
        let inner = if inner == "." { "" } else { inner };
        match (repository, &self.commit) {
            (Some(repository), Some(commit)) => {
                let root = CommittedRoot::open(repository, commit, inner)
                    .map_err(|err| format!("`{name}` at {commit}: {}", err.message()))?;
                root.map(Source::Committed).ok_or_else(|| format!("{commit} has no folder `{name}`"))
            }
            _ => Ok(Source::Folder(format!("{}/{inner}", self.objects))),
        }
    }
}

/// Where a root is read.
enum Source<'r> {
    Committed(CommittedRoot<'r>),
    Folder(String),
}

fn read_folder(path: &str, shown: &str) -> Result<Root, String> {
    let request =
        RootRequest { path: path.into(), shown: shown.to_owned(), kind: RootKind::Addons, repository: None };
    let roots = read_roots(&[request], None).map_err(|err| crate::model::problem::error_chain(&err))?;
    roots.into_iter().next().ok_or_else(|| format!("`{shown}` can't be read"))
}
