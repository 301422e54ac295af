//! The folders around declared repositories: neighbours, links, owners and modes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use git2::{ErrorCode, Index, Repository};

use super::clone::look;
use super::half::work_in_references;
use super::{Wanted, is_inside};
use crate::model::problem::printable;
use crate::skills::layout::checks::clones::{OUTSIDE, broken, work};
use crate::skills::layout::facts::{Facts, Kind, Modes, Place, join};

/// Entries of one folder that are listed; the fullest real one has some 700.
const ENTRIES_MAX: usize = 20_000;
/// Folders below an orphan that are looked through for clones.
const FOLDERS_MAX: usize = 20_000;
/// Paths that are named where many are wrong.
const NAMED_MAX: usize = 5;

pub(super) fn list(checkout: &Path, wanted: &Wanted, facts: &mut Facts) {
    let mut folders: BTreeSet<String> = BTreeSet::new();
    let paths = wanted.repositories.iter().map(|(path, _)| path).chain(&wanted.roots);
    for path in paths {
        let mut rest = path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            folders.insert(parent.to_owned());
            rest = parent;
        }
    }
    folders.insert(String::new());
    let root = fs::canonicalize(checkout).unwrap_or_else(|_| checkout.to_owned());
    for folder in &folders {
        list_one(checkout, &root, folder, facts);
    }
    keep(checkout, wanted, facts);
    // What differs from a declared folder by case alone is one with it on other machines, so it is looked into as well.
    for (one, other) in facts.twins() {
        for folder in [one, other] {
            if !facts.listings.contains_key(&folder) {
                list_one(checkout, &root, &folder, facts);
            }
        }
    }
    for path in wanted.roots.iter().chain(wanted.repositories.iter().map(|(path, _)| path)) {
        if let Some(modes) = modes(&checkout.join(path), path, wanted.owner) {
            facts.modes.insert(path.clone(), modes);
        }
    }
}

/// Looks whether somebody would miss what lies among the repositories and is none of them.
fn keep(checkout: &Path, wanted: &Wanted, facts: &mut Facts) {
    let declared: BTreeSet<&str> = wanted.repositories.iter().map(|(path, _)| path.as_str()).collect();
    let homes: BTreeSet<&str> = declared.iter().filter_map(|path| Some(path.rsplit_once('/')?.0)).collect();
    let mut tracked = None;
    for (home, listing) in facts.listings.iter_mut().filter(|(home, _)| homes.contains(home.as_str())) {
        for (name, kind) in listing.iter_mut() {
            let path = join(home, name);
            let Kind::Folder { kept, .. } = kind else { continue };
            if !declared.contains(path.as_str()) {
                let tracked = tracked.get_or_insert_with(|| Tracked::read(checkout));
                *kept = tracked.kept(checkout, &path);
            }
        }
    }
}

/// Why a folder of a checkout is not moved: its commit holds it, or somebody works in it.
pub fn kept(checkout: &Path, path: &str) -> Option<String> {
    Tracked::read(checkout).kept(checkout, path)
}

/// What git keeps of a checkout; `None` outside of git, `Err` where that can't be read.
struct Tracked(Result<Option<Index>, String>);

impl Tracked {
    fn read(checkout: &Path) -> Self {
        let index = Repository::open(checkout).and_then(|repository| repository.index());
        Tracked(match index {
            Ok(index) => Ok(Some(index)),
            Err(err) if err.code() == ErrorCode::NotFound => Ok(None),
            Err(err) => Err(err.message().to_owned()),
        })
    }

    fn kept(&self, checkout: &Path, path: &str) -> Option<String> {
        if !is_inside(checkout, path) {
            return Some(OUTSIDE.to_owned());
        }
        match &self.0 {
            Err(why) => return Some(format!("whether the checkout's commit holds it can't be read: {why}")),
            Ok(Some(index)) => {
                let is_tracked = index.get_path(Path::new(path), 0).is_some()
                    || index.find_prefix(Path::new(&format!("{path}/"))).is_ok();
                if is_tracked {
                    return Some("the checkout's commit holds it".to_owned());
                }
            }
            Ok(None) => {}
        }
        let mut left = FOLDERS_MAX;
        work_below(&checkout.join(path), &mut left)
    }
}

/// Why somebody would miss what lies in a folder: it is a clone that is worked in, or holds one.
fn work_below(path: &Path, left: &mut usize) -> Option<String> {
    *left = left.saturating_sub(1);
    if *left == 0 {
        return Some("it holds too many folders to be looked through".to_owned());
    }
    let git = path.join(".git");
    if fs::symlink_metadata(&git).is_ok_and(|found| !found.is_dir()) {
        return Some("another repository has its work tree here".to_owned());
    }
    if !git.exists() {
        let folders = fs::read_dir(path).into_iter().flatten().flatten();
        let mut folders = folders.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        return folders.find_map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            work_below(&entry.path(), left).map(|why| format!("in `{}`: {why}", printable(&name)))
        });
    }
    match look(path, None) {
        Place::Clone(facts) => work(&facts).or_else(|| match Repository::open(path) {
            Ok(repository) => {
                work_in_references(&repository).unwrap_or_else(|err| Some(err.message().to_owned()))
            }
            Err(err) => Some(err.message().to_owned()),
        }),
        Place::Broken { why, work } => Some(broken(&why, &work)),
        Place::Unreadable(why) => Some(why),
        Place::Missing
        | Place::Empty
        | Place::NotAFolder
        | Place::Outside
        | Place::Plain
        | Place::Half(_) => None,
    }
}

fn list_one(checkout: &Path, root: &Path, folder: &str, facts: &mut Facts) {
    let path = checkout.join(folder);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => return,
        Err(err) => {
            facts.unreadable.insert(folder.to_owned(), err.to_string());
            return;
        }
    };
    let mut listing = BTreeMap::new();
    for entry in entries.flatten() {
        if listing.len() == ENTRIES_MAX {
            let why = format!("more than {ENTRIES_MAX} entries, the rest was not looked at");
            facts.unreadable.insert(folder.to_owned(), why);
            break;
        }
        let name = entry.file_name();
        match name.to_str().filter(|name| !name.chars().any(char::is_control)) {
            Some(name) => drop(listing.insert(name.to_owned(), kind(&entry.path(), root))),
            None => facts.odd_names.push(join(folder, &printable(&name.to_string_lossy()))),
        }
    }
    facts.listings.insert(folder.to_owned(), listing);
}

fn kind(path: &Path, root: &Path) -> Kind {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => {
            let resolved = fs::canonicalize(path);
            let target = fs::read_link(path).map(|target| target.display().to_string()).unwrap_or_default();
            let inside = resolved.as_ref().is_ok_and(|resolved| resolved.starts_with(root));
            Kind::Link { target, leads: resolved.is_ok(), inside }
        }
        Ok(found) if found.is_dir() => Kind::Folder {
            is_module: ["__manifest__.py", "__openerp__.py"].iter().any(|name| path.join(name).is_file()),
            is_clone: path.join(".git").exists(),
            is_empty: fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none()),
            kept: None,
        },
        _ => Kind::File,
    }
}

/// Owner and mode of a root, of its modules and of their manifests.
fn modes(path: &Path, shown: &str, owner: Option<(u32, u32)>) -> Option<Modes> {
    let mut found = Modes::default();
    look_at(path, shown, owner, &mut found)?;
    for entry in fs::read_dir(path).ok()?.take(ENTRIES_MAX).flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let shown = format!("{shown}/{}", printable(&name));
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && look_at(&entry.path(), &shown, owner, &mut found).is_some()
        {
            let manifest = entry.path().join("__manifest__.py");
            let _ = look_at(&manifest, &format!("{shown}/__manifest__.py"), owner, &mut found);
        }
    }
    Some(found)
}

fn look_at(path: &Path, shown: &str, owner: Option<(u32, u32)>, found: &mut Modes) -> Option<()> {
    let metadata = fs::symlink_metadata(path).ok().filter(|metadata| !metadata.is_symlink())?;
    found.seen += 1;
    let name = |list: &mut Vec<String>, text: String| {
        if list.len() < NAMED_MAX {
            list.push(text);
        }
    };
    let is = (metadata.uid(), metadata.gid());
    if owner.is_some_and(|owner| owner != is) {
        found.owners_count += 1;
        name(&mut found.owners, format!("{shown} ({}:{})", is.0, is.1));
    }
    let mode = metadata.permissions().mode();
    let needed = if metadata.is_dir() { 0o005 } else { 0o004 };
    if mode & needed != needed && owner.is_none() {
        name(&mut found.closed, format!("{shown} ({:o})", mode & 0o777));
    }
    if mode & 0o002 != 0 {
        name(&mut found.open, format!("{shown} ({:o})", mode & 0o777));
    }
    Some(())
}
