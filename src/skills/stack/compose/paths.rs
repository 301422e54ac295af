//! Paths as text: relative to the repository for what is read, absolute on the host for what is mounted.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::path;

/// Why a path can't be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PathError {
    /// It leads out of the repository.
    Outside,
    /// It begins with `~`: the host's home directory is not known.
    Home,
}

/// A file that is to be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum FilePath {
    /// In the repository, relative to its root, without `.` and `..`.
    Inside(String),
    /// Absolute, outside of the checkout.
    Absolute(String),
}

impl FilePath {
    /// The path as people know it.
    pub(super) fn text(&self) -> &str {
        match self {
            FilePath::Inside(path) | FilePath::Absolute(path) => path,
        }
    }
}

/// Drops `.`, `..` and double slashes from an absolute path; never rises above the root.
pub(super) fn clean_absolute(text: &str) -> String {
    format!("/{}", path::clean(text))
}

/// Drops `.` and double slashes of any path, and `..` where something is before it.
pub(super) fn clean(path: &str) -> String {
    if path.starts_with('/') {
        return clean_absolute(path);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { ".".to_owned() } else { parts.join("/") }
}

/// A path relative to the repository's root from one relative to a directory in it.
pub(super) fn join_inside(directory: &str, path: &str) -> Result<String, PathError> {
    if path.starts_with('~') {
        return Err(PathError::Home);
    }
    let joined = clean(format!("{directory}/{path}").trim_start_matches('/'));
    match joined.as_str() {
        ".." => Err(PathError::Outside),
        joined if joined.starts_with("../") => Err(PathError::Outside),
        "." => Ok(String::new()),
        joined => Ok(joined.to_owned()),
    }
}

/// Where a file is read, from a path relative to a directory in the repository, or absolute.
pub(super) fn file_path(root: &str, directory: &str, path: &str) -> Result<FilePath, PathError> {
    if !path.starts_with('/') {
        return join_inside(directory, path).map(FilePath::Inside);
    }
    let absolute = clean_absolute(path);
    match absolute.strip_prefix(root).and_then(|rest| rest.strip_prefix('/')) {
        Some(inside) => Ok(FilePath::Inside(inside.to_owned())),
        None => Ok(FilePath::Absolute(absolute)),
    }
}

/// The absolute path on the host of a path relative to a directory in the repository.
pub(super) fn host_path(root: &str, directory: &str, path: &str) -> Result<String, PathError> {
    if path.starts_with('~') {
        return Err(PathError::Home);
    }
    if path.starts_with('/') {
        return Ok(path.to_owned());
    }
    Ok(clean_absolute(&format!("{root}/{directory}/{path}")))
}

/// The directory of a file in the repository; empty for the root.
pub(super) fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_repository_or_are_refused() {
        assert_eq!(join_inside("a/b", "../c.yml"), Ok("a/c.yml".into()));
        assert_eq!(join_inside("", "./c.yml"), Ok("c.yml".into()));
        assert_eq!(join_inside("a", "../../c"), Err(PathError::Outside));
        assert_eq!(join_inside("a", "b/../../../c"), Err(PathError::Outside));
        assert_eq!(join_inside("a", "~/x"), Err(PathError::Home));
        assert_eq!(file_path("/srv/r", "a", "/srv/r/b/c"), Ok(FilePath::Inside("b/c".into())));
        assert_eq!(file_path("/srv/r", "a", "/srv/r/../c"), Ok(FilePath::Absolute("/srv/c".into())));
        assert_eq!(host_path("/srv/r", "a", "../../x"), Ok("/srv/x".into()));
        assert_eq!(directory_of("a/b.yml"), "a");
    }
}
