//! Files of an Environment on this machine.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown, lchown};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret as _, SecretString};

use super::EnvironmentError;
use crate::engine::apply::Done;
use crate::skills::environment::operation::READABLE;

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> EnvironmentError + use<> {
    let path = path.display().to_string();
    move |err| EnvironmentError::File { what, path, err }
}

/// Writes a file beside its place and puts it there when it is whole; blocks.
pub(super) fn write(
    path: &str,
    content: &SecretString,
    owner: Option<(u32, u32)>,
    mode: u32,
) -> Result<Done, EnvironmentError> {
    let path = Path::new(path);
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed("make", folder))?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = folder.join(format!(".{name}.new"));
    // What a crash left is nobody's.
    match fs::remove_file(&temporary) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            return Err(failed("remove", &temporary)(err));
        }
        _ => {}
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .map_err(failed("write", &temporary))?;
    file.write_all(content.expose_secret().as_bytes()).map_err(failed("write", &temporary))?;
    let mut done = Done::default();
    let mut mode = mode;
    if let Some((user, group)) = owner {
        match chown(&temporary, Some(user), Some(group)) {
            Ok(()) => {}
            Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
                // A server that can't read its configuration goes on without it, in silence.
                mode = READABLE;
                done.warnings.push(format!("`{}` can't be given to {user}:{group} without root; it is readable within its closed folder", path.display()));
            }
            Err(err) => return Err(failed("give away", &temporary)(err)),
        }
    }
    fs::set_permissions(&temporary, fs::Permissions::from_mode(mode))
        .map_err(failed("set the mode of", &temporary))?;
    file.sync_all().map_err(failed("write", &temporary))?;
    // A folder in its place is what an engine made of a path that was missing.
    if fs::symlink_metadata(path).is_ok_and(|it| it.is_dir()) {
        fs::remove_dir(path).map_err(failed("remove the folder", path))?;
    }
    fs::rename(&temporary, path).map_err(failed("put in place", path))?;
    Ok(done)
}

/// Removes files of the same name from folders beside a file's own, but for those that stay; blocks.
pub(super) fn tidy(path: &str, keeps: &[String]) -> Result<(), EnvironmentError> {
    let path = Path::new(path);
    let (Some(name), Some(own)) = (path.file_name(), path.parent()) else { return Ok(()) };
    let Some(folder) = own.parent() else { return Ok(()) };
    for entry in fs::read_dir(folder).map_err(failed("read", folder))? {
        let other = entry.map_err(failed("read", folder))?.path();
        let file = other.join(name);
        let stays = other == own || keeps.iter().any(|keep| Path::new(keep) == file);
        if stays || !file.is_file() {
            continue;
        }
        fs::remove_file(&file).map_err(failed("remove", &file))?;
        // A folder that holds something else is somebody's.
        let _ = fs::remove_dir(&other);
    }
    Ok(())
}

/// Gives a folder and all in it, `.git` apart, to a user and a group; blocks.
pub(super) fn set_owner(path: &str, (user, group): (u32, u32)) -> Result<Done, EnvironmentError> {
    let mut waiting = vec![PathBuf::from(path)];
    while let Some(path) = waiting.pop() {
        let metadata = fs::symlink_metadata(&path).map_err(failed("read", &path))?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&path).map_err(failed("read", &path))? {
                let entry = entry.map_err(failed("read", &path))?;
                if entry.file_name() != ".git" {
                    waiting.push(entry.path());
                }
            }
        }
        lchown(&path, Some(user), Some(group)).map_err(failed("give away", &path))?;
    }
    Ok(Done::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_put_in_place_whole_over_whatever_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/odoo.conf");
        fs::create_dir_all(&path).unwrap();
        let secret = |text: &str| SecretString::from(text.to_owned());
        write(path.to_str().unwrap(), &secret("one"), None, 0o400).unwrap();
        write(path.to_str().unwrap(), &secret("two"), None, 0o440).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o440);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }
}
