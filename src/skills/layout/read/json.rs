//! The forms in JSON: the manifest, the list of mounts, the devcontainer, the lock.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::problem::{Location, nearest};
use crate::skills::layout::declared::{Declared, Form, Mount, Source, inside, name_of, resolve};
use crate::skills::layout::jsonc::{self, Json, JsonKind};

/// What a devcontainer calls the checkout.
const WORKSPACE: &str = "${localWorkspaceFolder}";

pub(super) fn read(file: &str, text: &str) -> Source {
    let is_devcontainer = file.ends_with("devcontainer.json");
    let form = if is_devcontainer { Form::Devcontainer } else { Form::Manifest };
    let root = match jsonc::parse(file, text) {
        Ok(root) => root,
        Err(problem) => return super::unreadable(file, form, *problem),
    };
    let form = match () {
        () if is_devcontainer => Form::Devcontainer,
        () if root.get("oca_repositories").is_some() => Form::Manifest,
        () if root.get("repositories").is_some() => Form::Lock,
        () if root.get("mounts").is_some() => Form::Mounts,
        () => Form::Manifest,
    };
    let mut reader = Reader { text, source: Source::new(file, form) };
    if !matches!(root.kind, JsonKind::Object(_)) {
        reader.wrong(&root, format!("the file must hold an object, not {}", root.type_name()));
        return reader.source;
    }
    match form {
        Form::Lock => reader.lock(&root),
        Form::Mounts => reader.mounts(&root),
        Form::Devcontainer => reader.devcontainer(&root),
        _ => reader.manifest(&root),
    }
    reader.source
}

struct Reader<'a> {
    text: &'a str,
    source: Source,
}

impl Reader<'_> {
    fn place(&self, value: &Json) -> Location {
        jsonc::locate(&self.source.file, self.text, value.span.start)
    }

    fn wrong(&mut self, value: &Json, message: impl Into<String>) {
        let place = self.place(value);
        self.source.wrong(&place, message);
    }

    /// The items of a list; anything else but nothing is wrong.
    fn list<'j>(&mut self, of: &'j Json, key: &str) -> &'j [Json] {
        match of.get(key).map(|value| (value, &value.kind)) {
            None | Some((_, JsonKind::Null)) => &[],
            Some((_, JsonKind::List(items))) => items,
            Some((value, _)) => {
                self.wrong(value, format!("`{key}` must be a list, not {}", value.type_name()));
                &[]
            }
        }
    }

    /// The text of a key; anything else but nothing is wrong.
    fn text(&mut self, of: &Json, key: &str) -> Option<String> {
        match of.get(key).map(|value| (value, &value.kind)) {
            None | Some((_, JsonKind::Null)) => None,
            Some((_, JsonKind::Text(text))) => Some(text.clone()),
            Some((value, _)) => {
                self.wrong(value, format!("`{key}` must be a text, not {}", value.type_name()));
                None
            }
        }
    }

    fn manifest(&mut self, root: &Json) {
        if root.get("oca_repositories").is_none() {
            let keys = match &root.kind {
                JsonKind::Object(members) => members.iter().map(|member| member.key.as_str()).collect(),
                _ => Vec::new(),
            };
            let meant = nearest("oca_repositories", keys).map(|key| format!("; is `{key}` meant?"));
            self.wrong(root, format!("there is no `oca_repositories`{}", meant.unwrap_or_default()));
        }
        for item in self.list(root, "oca_repositories") {
            let (url, path) = (self.text(item, "url"), self.text(item, "path"));
            let Some(name) = self.text(item, "name").or_else(|| url.as_deref().map(name_of)) else {
                self.wrong(item, "a repository needs `name`, `url` and `path`");
                continue;
            };
            if url.is_none() || path.is_none() {
                self.wrong(item, format!("repository `{name}` needs `url` and `path`"));
            }
            let branch = self.text(item, "branch");
            let commit = self.text(item, "commit").or_else(|| self.text(item, "pin"));
            let place = self.place(item);
            self.source.declare(Declared { name, url, path, branch, commit, place });
        }
    }

    fn lock(&mut self, root: &Json) {
        let Some(repositories) = root.get("repositories") else { return };
        if !matches!(repositories.kind, JsonKind::Object(_)) {
            let found = repositories.type_name();
            self.wrong(repositories, format!("`repositories` must be an object, not {found}"));
        }
        for member in repositories.members() {
            let value = &member.value;
            if !matches!(value.kind, JsonKind::Object(_)) {
                self.wrong(value, format!("`{}` must be an object, not {}", member.key, value.type_name()));
                continue;
            }
            let (url, branch) = (self.text(value, "url"), self.text(value, "branch"));
            let (commit, path) = (self.text(value, "commit"), self.text(value, "path"));
            let place = jsonc::locate(&self.source.file, self.text, member.key_span.start);
            self.source.declare(Declared { name: member.key.clone(), url, path, branch, commit, place });
        }
    }

    fn mounts(&mut self, root: &Json) {
        for item in self.list(root, "mounts") {
            let Some(source) = self.text(item, "source") else {
                self.wrong(item, "a mount needs a `source`");
                continue;
            };
            let place = item.get("source").map_or_else(|| self.place(item), |value| self.place(value));
            self.mount(&source, String::new(), place);
        }
        let Some(metadata) = root.get("metadata") else { return };
        let references = metadata.get("references").map(Json::members).unwrap_or_default();
        let named = metadata.get("validation_tool").into_iter();
        let named = named.chain(references.iter().map(|member| &member.value));
        for value in named {
            // Beside paths there are sentences.
            let Some(path) = value.text().filter(|text| text.contains('/') && !text.contains(' ')) else {
                continue;
            };
            if let Some(path) = inside(path) {
                self.source.references.push((path, self.place(value)));
            }
        }
    }

    fn mount(&mut self, source: &str, target: String, place: Location) {
        match inside(source) {
            Some(source) => self.source.mounts.push(Mount { source, target, service: None, place }),
            None => self.source.wrong(&place, format!("`{source}` is not a folder inside the checkout")),
        }
    }

    fn devcontainer(&mut self, root: &Json) {
        for item in self.list(root, "mounts") {
            let place = self.place(item);
            let (source, target) = match &item.kind {
                JsonKind::Text(text) => {
                    (option(text, &["source", "src"]), option(text, &["target", "dst", "destination"]))
                }
                JsonKind::Object(_) => (self.text(item, "source"), self.text(item, "target")),
                _ => {
                    self.wrong(item, format!("a mount is a text or an object, not {}", item.type_name()));
                    continue;
                }
            };
            let source = source.unwrap_or_default();
            // Volumes, and folders of the machine that are none of the checkout, are not the layout's.
            if let Some(path) = source.strip_prefix(WORKSPACE) {
                self.mount(path.trim_start_matches('/'), target.unwrap_or_default(), place);
            }
        }
        let folder = self.source.file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let Some(files) = root.get("dockerComposeFile") else { return };
        let files = match &files.kind {
            JsonKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(files),
        };
        for value in files {
            let place = self.place(value);
            match value.text().and_then(|path| resolve(&folder, path)) {
                Some(path) => self.source.references.push((path, place)),
                None => self.source.wrong(&place, "`dockerComposeFile` names no file inside the checkout"),
            }
        }
    }
}

/// The folders of the checkout that a devcontainer mounts; none when it can't be read.
pub fn mounted_folders(file: &str, text: &str) -> Vec<String> {
    let Ok(root) = jsonc::parse(file, text) else { return Vec::new() };
    match root.get("mounts").map(|list| &list.kind) {
        Some(JsonKind::List(items)) => items.iter().filter_map(mounted_folder).collect(),
        _ => Vec::new(),
    }
}

/// The folder of the checkout that a mount of a devcontainer is of; `None` for volumes and other folders.
pub fn mounted_folder(item: &Json) -> Option<String> {
    let source = match &item.kind {
        JsonKind::Text(text) => option(text, &["source", "src"])?,
        _ => item.get("source")?.text()?.to_owned(),
    };
    inside(source.strip_prefix(WORKSPACE)?.trim_start_matches('/'))
}

/// Where the container of a devcontainer sees a mount.
pub fn mounted_target(item: &Json) -> Option<String> {
    match &item.kind {
        JsonKind::Text(text) => option(text, &["target", "dst", "destination"]),
        _ => Some(item.get("target")?.text()?.to_owned()),
    }
}

/// The value of an option of `source=…,target=…,type=bind`.
fn option(text: &str, names: &[&str]) -> Option<String> {
    let mut options = text.split(',').filter_map(|part| part.trim().split_once('='));
    options.find(|(name, _)| names.contains(name)).map(|(_, value)| value.to_owned())
}
