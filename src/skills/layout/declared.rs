//! What files declare: repositories with branch and pin, mounts, roots. Each with the line that says so.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use serde::Serialize;

use crate::clients::git_url;
use crate::model::problem::{Location, Problem};
use crate::odoo::catalogue::is_reference;

/// The form of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// `oca_repositories`, `oca_must_have_modules`, `roots`: the one that the others are held against.
    Manifest,
    /// A list of `mounts` with a `source` each.
    Mounts,
    /// A devcontainer.
    Devcontainer,
    /// A Compose file.
    Compose,
    /// `repositories` by name, with commits.
    Lock,
    /// git's submodules.
    Gitmodules,
    /// git-aggregator's file.
    Aggregate,
    /// Any other YAML with `repo` or `repos`.
    Pins,
    /// An `odoo.conf`.
    OdooConf,
}

/// A repository that a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its name without owner, in lower case as GitHub compares it.
    pub name: String,
    /// Where it is cloned from, when the file says.
    pub url: Option<String>,
    /// Its folder relative to the checkout, when the file says.
    pub path: Option<String>,
    /// The branch, when the file says.
    pub branch: Option<String>,
    /// The commit, when the file says.
    pub commit: Option<String>,
    /// Where it says so.
    pub place: Location,
}

/// A folder that a container sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The folder relative to the checkout, without `./`; as written when it is elsewhere.
    pub source: String,
    /// Where the container sees it; empty when the file leaves that open.
    pub target: String,
    /// The service, of a Compose file.
    pub service: Option<String>,
    /// Where it says so.
    pub place: Location,
}

/// An `addons_path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddonsPath {
    /// Its entries, in order.
    pub entries: Vec<String>,
    /// The service whose command line it is; there every entry must hold a module, or Odoo ends.
    pub service: Option<String>,
    /// Where it says so.
    pub place: Location,
}

/// Everything that a file declares.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its path relative to the checkout.
    pub file: String,
    /// Its form.
    pub form: Form,
    /// The repositories, in the order of the file.
    pub repositories: Vec<Declared>,
    /// The mounts.
    pub mounts: Vec<Mount>,
    /// Mounts of a Compose file whose folder holds a variable, as written: their folder is the machine's to say.
    pub open_mounts: Vec<Mount>,
    /// The search paths.
    pub addons_paths: Vec<AddonsPath>,
    /// Files of the checkout that it names.
    pub references: Vec<(String, Location)>,
    /// What is wrong or odd.
    pub problems: Vec<Problem>,
}

impl Source {
    /// A file that declares nothing yet.
    pub fn new(file: &str, form: Form) -> Self {
        Source {
            file: file.to_owned(),
            form,
            repositories: Vec::new(),
            mounts: Vec::new(),
            open_mounts: Vec::new(),
            addons_paths: Vec::new(),
            references: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Records what is wrong at a place.
    pub fn wrong(&mut self, place: &Location, message: impl Into<String>) {
        self.problems.push(Problem::error("invalid-catalogue", message).at(place.clone()));
    }

    /// Takes a repository if all that is said of it can be given to git; what can't is reported and left out.
    pub fn declare(&mut self, mut found: Declared) {
        let place = found.place.clone();
        if let Some(url) = found.url.take() {
            match checked_url(&url) {
                Ok(()) => found.url = Some(url),
                Err(why) => self.wrong(&place, why),
            }
        }
        if let Some(path) = found.path.take() {
            match inside(&path) {
                Some(path) => found.path = Some(path),
                None => self.wrong(&place, format!("the path `{path}` is not one inside the checkout")),
            }
        }
        if let Some(branch) = found.branch.take() {
            match is_reference(&branch) {
                true => found.branch = Some(branch),
                false => self.wrong(&place, format!("`{branch}` is no name of a branch")),
            }
        }
        if let Some(commit) = found.commit.take().filter(|commit| !commit.is_empty()) {
            match is_commit(&commit) {
                true => found.commit = Some(commit.to_ascii_lowercase()),
                false => self.wrong(&place, format!("`{commit}` is no full commit")),
            }
        }
        match is_repository_name(&found.name) {
            true => {
                found.name = found.name.to_ascii_lowercase();
                self.repositories.push(found);
            }
            false => self.wrong(&place, format!("`{}` is no name of a repository", found.name)),
        }
    }
}

fn checked_url(url: &str) -> Result<(), String> {
    if git_url::has_secret(url) {
        return Err(format!("a URL with credentials, `{}`", git_url::show(url)));
    }
    git_url::RemoteUrl::parse_own(url).map(|_| ())
}

/// Whether a text is a whole commit.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_repository_name(text: &str) -> bool {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    !text.is_empty() && text.len() <= 100 && !text.starts_with(['-', '.']) && text.chars().all(sound)
}

/// A path as one inside the checkout, without `./` and final `/`; `None` when it leads elsewhere.
pub fn inside(path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with(['/', '-', '~']) || path.chars().any(char::is_control) {
        return None;
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let is_sound = !parts.is_empty() && !parts.contains(&"..");
    is_sound.then(|| parts.join("/"))
}

/// Whether a path is a folder or lies in it; the checkout itself is the empty folder.
pub fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty()
        || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path that a file in `folder` names relative to itself, relative to the checkout; `None` when it leads elsewhere.
pub fn resolve(folder: &str, path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with(['/', '~', '$']) || path.chars().any(char::is_control) {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The name of a repository in its URL, or in `owner/name`.
pub fn name_of(url: &str) -> String {
    let path = url.trim_end_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    path.rsplit(['/', ':']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_checkout_are_none() {
        assert_eq!(inside("./addons/oca/"), Some("addons/oca".into()));
        for path in ["/etc", "a/../b", "..", "", "-x", "~/x", "a\nb", "."] {
            assert_eq!(inside(path), None, "{path:?}");
        }
        assert_eq!(resolve("ci/odoo", "../../addons"), Some("addons".into()));
        assert_eq!(resolve("ci", "../../addons"), None);
        assert_eq!(resolve("", "${HOME}/x"), None);
    }

    #[test]
    fn hostile_values_are_reported_and_left_out() {
        let place = Location::of_file("m.json");
        let mut source = Source::new("m.json", Form::Manifest);
        source.declare(Declared {
            name: "x".into(),
            url: Some("https://user:s3cr3t@example.org/x.git".into()),
            path: Some("../x".into()),
            branch: Some("--upload-pack=evil".into()),
            commit: Some("abc".into()),
            place,
        });
        let said: String = source.problems.iter().map(ToString::to_string).collect();
        assert_eq!(source.problems.len(), 4, "{said}");
        assert!(!said.contains("s3cr3t") && said.contains("--upload-pack=evil"), "{said}");
        let kept = &source.repositories[0];
        assert!(kept.url.is_none() && kept.path.is_none() && kept.branch.is_none() && kept.commit.is_none());
    }
}
