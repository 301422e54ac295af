//! Puts the controller's own checkout right after others changed files in it. Loses none of what they wrote.
//!
//! What is there is copied aside before anything else. Then each file gets its committed content in place, in the same
//! inode, because a container that mounts the file alone would go on seeing the old one; git does the rest.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chrono::Utc;
use git2::{FileMode, Repository};

use super::apply::CheckoutError;
use super::observe::changed_files;
use crate::clients::git::Git;

/// How many sets of changed files are kept of a checkout: whoever changes it this often should say so in git.
const KEPT_MAX: usize = 100;
/// The most bytes that one set may hold: settings are small, and a set must not fill the disk.
const KEPT_BYTES_MAX: u64 = 64 << 20;

/// Keeps what others changed in a checkout in a folder of `kept`, and brings all tracked files back to HEAD.
pub(super) async fn restore(git: &Git, path: &Path, kept: &Path) -> Result<(), CheckoutError> {
    let (checkout, folder) = (path.to_owned(), kept.to_owned());
    let work = tokio::task::spawn_blocking(move || keep_and_rewrite(&checkout, &folder));
    work.await.map_err(|err| CheckoutError::Unknown(err.to_string()))??;
    // Without this, git would take files whose content is right again for changed ones and replace them.
    let refresh = git.local(Some(path)).args(["update-index", "-q", "--refresh"]);
    git.run("looking at the files", &refresh, None).await?;
    let reset = git.local(Some(path)).args(["reset", "--quiet", "--hard", "HEAD", "--"]);
    git.run("undoing changes of others", &reset, None).await?;
    Ok(())
}

fn keep_and_rewrite(path: &Path, kept: &Path) -> Result<(), CheckoutError> {
    let unreadable = |err: git2::Error| CheckoutError::Unknown(err.message().to_owned());
    let repository = Repository::open(path).map_err(unreadable)?;
    let changed = changed_files(&repository).map_err(unreadable)?;
    let mut places: Vec<PathBuf> =
        changed.iter().filter_map(|file| in_the_way(path, Path::new(file))).collect();
    places.sort();
    places.dedup();
    if !places.is_empty() {
        keep(path, kept, &places)?;
    }
    for file in &changed {
        // What can't be written so, git writes.
        let _ = rewrite(&repository, path, Path::new(file));
    }
    Ok(())
}

/// What is at the place of a tracked file, or of one of its folders; relative. `None` when nothing is.
fn in_the_way(root: &Path, file: &Path) -> Option<PathBuf> {
    let mut place = PathBuf::new();
    for part in file {
        place.push(part);
        let is_folder = fs::symlink_metadata(root.join(&place)).ok()?.is_dir();
        if !is_folder {
            return Some(place);
        }
    }
    Some(place)
}

fn keep(root: &Path, kept: &Path, places: &[PathBuf]) -> Result<(), CheckoutError> {
    let failed = |err| CheckoutError::Folder { path: kept.to_owned(), err };
    make_folder(kept).map_err(failed)?;
    let sets = fs::read_dir(kept).map_err(failed)?.count();
    if sets >= KEPT_MAX {
        return Err(CheckoutError::Kept { path: kept.to_owned(), why: format!("holds {sets} sets already") });
    }
    let set = kept.join(Utc::now().format("%Y%m%d-%H%M%S%3f").to_string());
    let mut left = KEPT_BYTES_MAX;
    for place in places {
        copy(&root.join(place), &set.join(place), &mut left)
            .map_err(|err| CheckoutError::Kept { path: set.clone(), why: err.to_string() })?;
    }
    tracing::warn!(checkout = %root.display(), kept = %set.display(), "files that others changed were put aside");
    Ok(())
}

fn copy(from: &Path, to: &Path, left: &mut u64) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        make_folder(parent)?;
    }
    let metadata = fs::symlink_metadata(from)?;
    if metadata.is_symlink() {
        return std::os::unix::fs::symlink(fs::read_link(from)?, to);
    }
    if metadata.is_dir() {
        make_folder(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), left)?;
        }
        return Ok(());
    }
    if !metadata.is_file() {
        return Err(io::Error::other(format!("`{}` is not a file", from.display())));
    }
    *left = left
        .checked_sub(metadata.len())
        .ok_or_else(|| io::Error::other(format!("more than {} MiB were changed", KEPT_BYTES_MAX >> 20)))?;
    let mut source = fs::File::open(from)?;
    let mut target = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}

fn make_folder(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes the committed content into a regular file without replacing it.
fn rewrite(repository: &Repository, root: &Path, file: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let entry = repository.head()?.peel_to_tree()?.get_path(file)?;
    let mode = match entry.filemode() {
        mode if mode == i32::from(FileMode::Blob) => 0o644,
        mode if mode == i32::from(FileMode::BlobExecutable) => 0o755,
        _ => return Ok(()),
    };
    let path = root.join(file);
    // Never through a link: that may lead anywhere.
    if in_the_way(root, file).as_deref() != Some(file) || !fs::symlink_metadata(&path)?.is_file() {
        return Ok(());
    }
    let object = entry.to_object(repository)?;
    let content = object.as_blob().ok_or("not a file")?.content();
    fs::write(&path, content)?;
    let now = fs::metadata(&path)?.permissions().mode() & 0o7777;
    if (now & 0o111 != 0) != (mode == 0o755) {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}
