//! An addons manifest in JSON → a catalogue, or everything that is wrong with it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Catalogue, MUST_HAVE, Repository, is_name, slug};
use crate::clients::git_url::{self, RemoteUrl};
use crate::model::document::parse_within;
use crate::model::problem::{Location, Problem, nearest};

/// Nodes of one file; the longest seen has 200.
const NODES_MAX: usize = 50_000;

/// The file as it is written; other keys are for others.
#[derive(Deserialize)]
struct File {
    #[serde(default)]
    roots: BTreeMap<String, String>,
    #[serde(default)]
    oca_repositories: Vec<Item>,
    #[serde(default)]
    oca_must_have_modules: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    features: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Item {
    name: String,
    url: String,
    path: String,
    #[serde(default)]
    branch: Option<String>,
    #[serde(default, alias = "pin")]
    commit: Option<String>,
}

/// Reads an addons manifest. `file` is its path as the person knows it; `series` is the branch where none is named.
pub fn from_json(file: &str, text: &str, series: &str) -> Result<Catalogue, Vec<Problem>> {
    let content: File = serde_json::from_str(text).map_err(|err| {
        let place = |number: usize| u32::try_from(number.max(1)).unwrap_or(u32::MAX);
        let location =
            Location { file: file.to_owned(), line: place(err.line()), column: place(err.column()) };
        let message = err.to_string();
        let message = message.split(" at line ").next().unwrap_or_default().to_owned();
        vec![Problem::error("invalid-catalogue", message).at(location)]
    })?;
    let mut reader = Reader { wrong: Vec::new() };
    let items = content.oca_repositories.into_iter().enumerate();
    let repositories = items.map(|(index, item)| reader.repository(index, item, series)).collect();
    let mut catalogue = Catalogue { repositories, roots: Vec::new(), features: BTreeMap::new() };
    for (key, modules) in content.oca_must_have_modules {
        let place = pointer(&["oca_must_have_modules", &key]);
        reader.names(&place, &format!("oca_must_have_modules.{key}"), &modules);
        if let Some(known) = catalogue.repositories.iter_mut().find(|known| known.path_or_slug_is(&key)) {
            known.expected = modules;
            continue;
        }
        let near = nearest(&key, catalogue.repositories.iter().map(|known| known.slug.as_str()));
        let hint = near.map(|near| format!("Did you mean `{near}`?"));
        let message = format!("`oca_must_have_modules` names `{key}`, which is not in `oca_repositories`");
        reader.wrong.push(Wrong { hint, ..Wrong::key(place, message) });
    }
    for (key, root) in content.roots {
        reader.path(pointer(&["roots", &key]), &format!("roots.{key}"), &root);
        // The root of all repositories holds repositories, not modules.
        let holds_repositories = |repository: &Repository| repository.path.starts_with(&format!("{root}/"));
        if !catalogue.repositories.iter().any(holds_repositories) {
            catalogue.roots.push(root);
        }
    }
    for (name, modules) in content.features {
        let place = pointer(&["features", &name]);
        if !is_name(&name) {
            reader.wrong.push(Wrong::key(place.clone(), format!("`{name}` is no name for a feature")));
        }
        reader.names(&place, &format!("features.{name}"), &modules);
        catalogue.features.insert(name, modules);
    }
    let expected: Vec<String> =
        catalogue.repositories.iter().flat_map(|found| found.expected.clone()).collect();
    if !expected.is_empty() {
        catalogue.features.entry(MUST_HAVE.to_owned()).or_insert(expected);
    }
    if reader.wrong.is_empty() { Ok(catalogue) } else { Err(reader.problems(file, text)) }
}

/// A place in the document.
fn pointer(parts: &[&str]) -> String {
    parts.iter().map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}

impl Repository {
    fn path_or_slug_is(&self, name: &str) -> bool {
        self.slug == name || self.slug.rsplit('/').next() == Some(name)
    }
}

/// What is wrong at a place.
struct Wrong {
    pointer: String,
    is_key: bool,
    message: String,
    hint: Option<String>,
}

impl Wrong {
    fn key(pointer: String, message: String) -> Self {
        Wrong { pointer, is_key: true, message, hint: None }
    }

    fn value(pointer: String, message: String) -> Self {
        Wrong { pointer, is_key: false, message, hint: None }
    }
}

struct Reader {
    wrong: Vec<Wrong>,
}

impl Reader {
    /// Everything that is wrong, with its place. Lines are not shown: a credential may stand there.
    fn problems(self, file: &str, text: &str) -> Vec<Problem> {
        // JSON is YAML, whose reader knows places; what it can't read begins at the file's first line.
        let parsed = parse_within(file, text.as_bytes(), NODES_MAX);
        let place = |wrong: &Wrong| match parsed.documents.first() {
            Some(root) if wrong.is_key => root.key_place(&wrong.pointer).location(),
            Some(root) => root.at_pointer(&wrong.pointer).place.location(),
            None => Location::of_file(file),
        };
        let problem = |wrong: Wrong| {
            let at = place(&wrong);
            Problem { hint: wrong.hint, ..Problem::error("invalid-catalogue", wrong.message).at(at) }
        };
        self.wrong.into_iter().map(problem).collect()
    }

    fn repository(&mut self, index: usize, item: Item, series: &str) -> Repository {
        let name = &item.name;
        let place = |field: &str| format!("/oca_repositories/{index}/{field}");
        if let Err(why) = RemoteUrl::parse_own(&item.url) {
            self.wrong.push(Wrong::value(place("url"), format!("repository `{name}`: {why}")));
        } else if git_url::has_secret(&item.url) {
            let message =
                format!("repository `{name}`: a URL with credentials, `{}`", git_url::show(&item.url));
            self.wrong.push(Wrong::value(place("url"), message));
        }
        self.path(place("path"), name, &item.path);
        let branch = item.branch.unwrap_or_else(|| series.to_owned());
        if !is_reference(&branch) {
            let message = format!("repository `{name}`: `{branch}` is no name of a branch");
            self.wrong.push(Wrong::value(place("branch"), message));
        }
        let pin = item.commit.filter(|commit| !commit.is_empty());
        let is_commit = |text: &String| {
            matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        if let Some(commit) = pin.as_ref().filter(|commit| !is_commit(commit)) {
            // The old name of the field is another place.
            let message = format!("repository `{name}`: `{commit}` is no full commit");
            self.wrong.push(Wrong::value(format!("/oca_repositories/{index}"), message));
        }
        Repository {
            slug: slug(&item.url),
            url: item.url,
            branch,
            pin,
            path: item.path,
            expected: Vec::new(),
        }
    }

    fn path(&mut self, place: String, owner: &str, path: &str) {
        let leaves = path.split('/').any(|part| part == "..");
        if path.is_empty() || path.starts_with(['/', '-']) || leaves || path.chars().any(char::is_control) {
            let message = format!("`{owner}`: the path `{path}` is not one inside the checkout");
            self.wrong.push(Wrong::value(place, message));
        }
    }

    fn names(&mut self, place: &str, owner: &str, names: &[String]) {
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !is_name(name)) {
            let message = format!("`{owner}`: `{name}` is no name of a module");
            self.wrong.push(Wrong::value(format!("{place}/{index}"), message));
        }
    }
}

/// Whether git takes a text for the name of a branch and never for an option.
pub fn is_reference(text: &str) -> bool {
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '+');
    let is_safe = !text.is_empty() && !text.starts_with(['-', '/', '.']) && text.chars().all(sound);
    is_safe && text != "HEAD" && git2::Reference::is_valid_name(&format!("refs/heads/{text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(field: &str, value: &str) -> String {
        let mut item =
            serde_json::json!({"name": "x", "url": "https://example.org/OCA/x.git", "path": "addons/oca/x"});
        item[field] = value.into();
        let text = serde_json::json!({"oca_repositories": [item]}).to_string();
        match from_json("m.json", &text, "18.0") {
            Ok(_) => String::new(),
            Err(problems) => problems[0].to_string(),
        }
    }

    #[test]
    fn hostile_values_are_refused_and_credentials_not_repeated() {
        assert_eq!(one("branch", "feature/x-1"), "");
        assert!(one("branch", "--upload-pack=evil").contains("no name of a branch"));
        assert!(one("path", "/etc").contains("inside the checkout"));
        assert!(one("path", "addons/../../x").contains("inside the checkout"));
        assert!(one("commit", "abc").contains("no full commit"));
        assert!(one("url", "-x").contains("not the address"));
        let leaked = one("url", "https://user:s3cr3t@example.org/OCA/x.git");
        assert!(!leaked.is_empty() && !leaked.contains("s3cr3t"), "{leaked}");
    }

    #[test]
    fn invalid_json_and_wrong_types_have_their_place() {
        let problems = from_json("m.json", "{\n  \"roots\": [", "18.0").unwrap_err();
        assert!(problems[0].to_string().starts_with("m.json:2:"), "{}", problems[0]);
    }

    #[test]
    fn what_is_wrong_has_its_place_and_the_nearest_name() {
        let text = "{\"oca_repositories\": [\n  {\"name\": \"queue\", \"url\": \"https://example.org/OCA/queue.git\", \"path\": \"/x\"}],
\"oca_must_have_modules\": {\"OCA/queeu\": [\"queue_job\", \"a b\"]}}";
        let said: Vec<String> =
            from_json("m.json", text, "18.0").unwrap_err().iter().map(Problem::to_string).collect();
        assert!(said[0].starts_with("m.json:2:73: error: `queue`: the path `/x`"), "{}", said[0]);
        assert!(said[1].starts_with("m.json:3:54: error:") && said[1].contains("`a b`"), "{}", said[1]);
        assert!(
            said[2].starts_with("m.json:3:27: error:") && said[2].contains("Did you mean `OCA/queue`?"),
            "{}",
            said[2]
        );
    }

    #[test]
    fn the_root_of_repositories_is_no_root_of_modules() {
        let text = r#"{"roots": {"a": "addons/oca", "b": "addons/ipai"}, "features": {"f": ["x"]},
            "oca_repositories": [{"name": "queue", "url": "https://example.org/OCA/queue.git", "path": "addons/oca/queue"}],
            "oca_must_have_modules": {"queue": ["queue_job"]}}"#;
        let catalogue = from_json("m.json", text, "18.0").unwrap();
        assert_eq!(catalogue.roots, ["addons/ipai"]);
        let repository = catalogue.repository("queue").unwrap();
        assert_eq!((repository.slug.as_str(), repository.branch.as_str()), ("OCA/queue", "18.0"));
        assert_eq!(catalogue.expecting("queue_job").map(|found| &found.slug), Some(&repository.slug));
    }
}
