//! The modules of a folder at a commit, read from git's objects: what a checkout will hold once it is moved.

use std::sync::Arc;

use git2::{ObjectType, Repository, Tree};

use super::MANIFEST_NAMES;
use super::checksum::{ChecksumError, Counted, Folder, checksum_of};
use crate::odoo::manifest;
use crate::odoo::universe::{Found, Root, RootKind};

/// A link as git stores it.
const MODE_LINK: i32 = 0o120000;

/// The modules of one folder of a commit.
pub struct CommittedRoot<'r> {
    repository: &'r Repository,
    tree: Tree<'r>,
}

impl<'r> CommittedRoot<'r> {
    /// Opens a folder of a commit; `Ok(None)` when the commit has none of that name.
    pub fn open(repository: &'r Repository, commit: &str, folder: &str) -> Result<Option<Self>, git2::Error> {
        let tree = repository.revparse_single(commit)?.peel_to_commit()?.tree()?;
        let tree = match folder.is_empty() {
            true => tree,
            false => match tree.get_path(std::path::Path::new(folder)) {
                Ok(entry) if entry.kind() == Some(ObjectType::Tree) => repository.find_tree(entry.id())?,
                Ok(_) => return Ok(None),
                Err(err) if err.code() == git2::ErrorCode::NotFound => return Ok(None),
                Err(err) => return Err(err),
            },
        };
        Ok(Some(CommittedRoot { repository, tree }))
    }

    /// Its modules, as a server would find them in a checkout.
    pub fn root(&self, shown: &str) -> Result<Root, git2::Error> {
        let mut root = Root {
            path: shown.to_owned(),
            kind: RootKind::Addons,
            repository: None,
            modules: Vec::new(),
            bare: Vec::new(),
        };
        for entry in self.tree.iter().filter(|entry| entry.kind() == Some(ObjectType::Tree)) {
            let Ok(name) = std::str::from_utf8(entry.name_bytes()) else { continue };
            if name.starts_with('.') {
                continue;
            }
            let module = self.repository.find_tree(entry.id())?;
            let manifest = MANIFEST_NAMES.iter().find_map(|file| {
                Some((*file, module.get_name(file).filter(|it| it.kind() == Some(ObjectType::Blob))?.id()))
            });
            let Some((file, id)) = manifest else {
                root.bare.push(name.to_owned());
                continue;
            };
            let blob = self.repository.find_blob(id)?;
            let read =
                manifest::read(&format!("{}/{name}/{file}", shown.trim_end_matches('/')), blob.content());
            root.modules.push(Found {
                name: name.to_owned(),
                file,
                manifest: read.manifest.map(Arc::new),
                problems: read.problems,
            });
        }
        root.modules.sort_by(|a, b| a.name.cmp(&b.name));
        root.bare.sort_unstable();
        Ok(root)
    }

    /// The checksum of a module, the same as that of its folder in a checkout.
    pub fn checksum(&self, module: &str, counted: &Counted) -> Result<String, ChecksumError> {
        let id = self
            .tree
            .get_name(module)
            .map(|entry| entry.id())
            .ok_or_else(|| damaged(module, "is missing"))?;
        let folder = Committed {
            repository: self.repository,
            tree: self.tree_of(id, module)?,
            shown: module.to_owned(),
        };
        checksum_of(&folder, counted)
    }

    fn tree_of(&self, id: git2::Oid, shown: &str) -> Result<Tree<'r>, ChecksumError> {
        self.repository.find_tree(id).map_err(|err| damaged(shown, err.message()))
    }
}

fn damaged(path: &str, why: &str) -> ChecksumError {
    ChecksumError::Read { path: path.into(), err: std::io::Error::other(why.to_owned()) }
}

struct Committed<'r> {
    repository: &'r Repository,
    tree: Tree<'r>,
    shown: String,
}

impl Folder for Committed<'_> {
    fn names(&self) -> Result<(Vec<String>, Vec<String>), ChecksumError> {
        let (mut files, mut folders) = (Vec::new(), Vec::new());
        for entry in self.tree.iter() {
            let name = std::str::from_utf8(entry.name_bytes())
                .map_err(|_| ChecksumError::Name { path: self.shown.clone().into() })?;
            match entry.kind() {
                Some(ObjectType::Tree) => folders.push(name.to_owned()),
                // A module that is a repository of its own has no content here.
                Some(ObjectType::Commit) => {}
                _ => files.push(name.to_owned()),
            }
        }
        Ok((files, folders))
    }

    fn inner(&self, name: &str) -> Result<Box<dyn Folder + '_>, ChecksumError> {
        let shown = format!("{}/{name}", self.shown);
        let entry = self.tree.get_name(name).ok_or_else(|| damaged(&shown, "is missing"))?;
        let tree = self.repository.find_tree(entry.id()).map_err(|err| damaged(&shown, err.message()))?;
        Ok(Box::new(Committed { repository: self.repository, tree, shown }))
    }

    fn add(&self, name: &str, add: &mut dyn FnMut(&[u8])) -> Result<(), ChecksumError> {
        let shown = format!("{}/{name}", self.shown);
        let entry = self.tree.get_name(name).ok_or_else(|| damaged(&shown, "is missing"))?;
        if entry.filemode() == MODE_LINK {
            // What it leads to may lie anywhere; nobody should have to guess.
            return Err(ChecksumError::NoFile { path: shown.into() });
        }
        let blob = self.repository.find_blob(entry.id()).map_err(|err| damaged(&shown, err.message()))?;
        add(blob.content());
        Ok(())
    }
}
