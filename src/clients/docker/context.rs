//! A build's context as an archive: what `.dockerignore` leaves of a directory.
//!
//! Symbolic links are packed as links and never followed, so that nothing outside the directory gets in.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::model::path::clean;

/// Files in one context; a repository with ten thousand files is a large one.
const FILES_MAX: usize = 200_000;
/// Bytes in one context.
const BYTES_MAX: u64 = 4 << 30;
/// Directories within each other.
const DEPTH_MAX: usize = 64;
/// The largest `.dockerignore` that is read.
const IGNORE_BYTES_MAX: u64 = 1 << 20;
/// The name under which an inline Dockerfile travels.
pub(super) const INLINE_DOCKERFILE: &str = ".ipaictl.Dockerfile";

/// Writes the archive of a context.
pub(super) fn write_context(
    directory: &Path,
    dockerfile: &str,
    inline: Option<&str>,
    out: impl Write,
) -> io::Result<()> {
    let ignore = Ignore::read(directory, dockerfile)?;
    let mut archive = tar::Builder::new(out);
    archive.follow_symlinks(false);
    let mut packing = Packing { ignore, dockerfile: clean(dockerfile), files: 0, bytes: 0 };
    packing.pack(&mut archive, directory, "", 0)?;
    if let Some(text) = inline {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, INLINE_DOCKERFILE, text.as_bytes())?;
    }
    archive.into_inner()?.flush()
}

struct Packing {
    ignore: Ignore,
    dockerfile: String,
    files: usize,
    bytes: u64,
}

impl Packing {
    fn pack(
        &mut self,
        archive: &mut tar::Builder<impl Write>,
        root: &Path,
        folder: &str,
        depth: usize,
    ) -> io::Result<()> {
        if depth > DEPTH_MAX {
            return Err(io::Error::other(format!(
                "`{folder}` is nested deeper than {DEPTH_MAX} directories"
            )));
        }
        let mut entries: Vec<PathBuf> = std::fs::read_dir(root.join(folder))?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()?;
        entries.sort_unstable();
        for path in entries {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                return Err(io::Error::other(format!("`{}` is not a name in UTF-8", path.display())));
            };
            let relative = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let kind = std::fs::symlink_metadata(&path)?;
            // The builder itself reads both, whatever the ignore file says.
            let needed = relative == self.dockerfile || relative == ".dockerignore";
            let ignored = !needed && self.ignore.matches(&relative);
            if kind.is_dir() {
                if !ignored {
                    archive.append_dir(&relative, &path)?;
                }
                if !ignored
                    || self.ignore.has_exceptions
                    || self.dockerfile.starts_with(&format!("{relative}/"))
                {
                    self.pack(archive, root, &relative, depth + 1)?;
                }
            } else if !ignored && (kind.is_file() || kind.is_symlink()) {
                self.files += 1;
                self.bytes += if kind.is_file() { kind.len() } else { 0 };
                if self.files > FILES_MAX || self.bytes > BYTES_MAX {
                    let limits = format!("{FILES_MAX} files or {} GiB", BYTES_MAX >> 30);
                    return Err(io::Error::other(format!("the context is larger than {limits}")));
                }
                archive.append_path_with_name(&path, &relative)?;
            }
        }
        Ok(())
    }
}

/// The rules of a `.dockerignore`.
#[derive(Default)]
struct Ignore {
    /// Patterns in order, and whether each is an exception; the last that matches decides.
    rules: Vec<(Regex, bool)>,
    has_exceptions: bool,
}

impl Ignore {
    /// Reads `<Dockerfile>.dockerignore` if there is one, else `.dockerignore`.
    fn read(directory: &Path, dockerfile: &str) -> io::Result<Ignore> {
        for name in [format!("{dockerfile}.dockerignore"), ".dockerignore".to_owned()] {
            let path = directory.join(name);
            match std::fs::symlink_metadata(&path) {
                Ok(kind) if kind.is_file() && kind.len() <= IGNORE_BYTES_MAX => {
                    return Ok(Ignore::parse(&std::fs::read_to_string(&path)?));
                }
                Ok(kind) if kind.is_file() => {
                    return Err(io::Error::other(format!("`{}` is larger than 1 MiB", path.display())));
                }
                _ => {}
            }
        }
        Ok(Ignore::default())
    }

    fn parse(text: &str) -> Ignore {
        let mut ignore = Ignore::default();
        for line in text.trim_start_matches('\u{feff}').lines() {
            if line.starts_with('#') {
                continue;
            }
            let line = line.trim();
            let (pattern, exception) = match line.strip_prefix('!') {
                Some(pattern) => (pattern.trim(), true),
                None => (line, false),
            };
            let pattern = clean(pattern);
            if pattern.is_empty() {
                continue;
            }
            if let Ok(rule) = Regex::new(&expression(&pattern)) {
                ignore.has_exceptions |= exception;
                ignore.rules.push((rule, exception));
            }
        }
        ignore
    }

    /// Whether a path, or a directory above it, is left out.
    fn matches(&self, path: &str) -> bool {
        let mut ignored = false;
        for (rule, exception) in &self.rules {
            if *exception != ignored {
                continue;
            }
            let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
            if ends.into_iter().any(|end| rule.is_match(&path[..end])) {
                ignored = !exception;
            }
        }
        ignored
    }
}

/// A pattern of `.dockerignore` as a regular expression: `*` and `?` within one part, `**` over parts.
fn expression(pattern: &str) -> String {
    let mut out = String::from("^");
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '*' if rest.peek() == Some(&'*') => {
                rest.next();
                if rest.peek() == Some(&'/') {
                    rest.next();
                    out.push_str("(?:.*/)?");
                } else {
                    out.push_str(".*");
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => out.push('['),
            ']' => out.push(']'),
            '\\' => {
                if let Some(next) = rest.next() {
                    out.push_str(&regex::escape(&next.to_string()));
                }
            }
            '^' | '-' => out.push(c),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(archive: &[u8]) -> Vec<String> {
        let mut archive = tar::Archive::new(archive);
        let entries = archive.entries().unwrap();
        entries.map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
    }

    #[test]
    fn the_ignore_file_decides_and_its_last_matching_rule_wins() {
        let ignore = Ignore::parse("# all\n*.log\nnode_modules\n**/cache\n!keep.log\n/docs/*\n!docs/a.md\n");
        for (path, left_out) in [
            ("a.log", true),
            ("sub/a.log", false),
            ("keep.log", false),
            ("node_modules/x/y", true),
            ("a/b/cache/c", true),
            ("docs/b.md", true),
            ("docs/a.md", false),
            ("src/main.rs", false),
        ] {
            assert_eq!(ignore.matches(path), left_out, "{path}");
        }
    }

    #[test]
    fn a_context_holds_what_is_not_ignored_and_never_what_a_link_points_at() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir_all(root.join("sub/deep")).unwrap();
        for (name, text) in
            [("Dockerfile", "FROM x"), (".dockerignore", "sub\n!sub/deep/keep\nDockerfile"), ("a", "1")]
        {
            std::fs::write(root.join(name), text).unwrap();
        }
        std::fs::write(root.join("sub/drop"), "2").unwrap();
        std::fs::write(root.join("sub/deep/keep"), "3").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", root.join("link")).unwrap();
        let mut archive = Vec::new();
        write_context(root, "Dockerfile", Some("FROM y"), &mut archive).unwrap();
        assert_eq!(
            names(&archive),
            [".dockerignore", "Dockerfile", "a", "link", "sub/deep/keep", INLINE_DOCKERFILE]
        );
        let text = String::from_utf8_lossy(&archive);
        assert!(!text.contains("root:"), "the link was followed");
    }
}
