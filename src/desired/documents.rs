//! The document files of a folder of a tree: every `.yaml` and `.yml` in it, nothing that leads elsewhere.

use git2::Oid;

use super::tree::{ENTRIES_MAX, Entry, FOLDERS_DEPTH_MAX, Tree, is_document, join};
use crate::model::document::FILE_BYTES_MAX;
use crate::model::problem::{Location, Problem, printable};

/// Files of documents in one revision: twice the largest repository that is promised to load.
pub const FILES_MAX: usize = 20_000;
/// Bytes of documents in one revision; ten thousand ordinary documents are 3 MB.
pub const BYTES_MAX: usize = 32 << 20;
/// The document files of a folder.
#[derive(Debug, Default)]
pub struct Documents {
    /// Paths relative to the root, sorted, with their content.
    pub files: Vec<(String, Vec<u8>)>,
    /// What was not read.
    pub problems: Vec<Problem>,
    /// Whether the folder or file exists at all.
    pub exists: bool,
    bytes: usize,
}

impl Tree {
    /// Reads all document files of a folder, or one file.
    pub fn documents(&self, path: &str) -> Documents {
        let mut documents = Documents::default();
        match self.entry(path) {
            Ok(Entry::File { size, id }) => {
                documents.exists = true;
                self.take_file(path, size, id, &mut documents);
            }
            Ok(Entry::Folder) => {
                documents.exists = true;
                self.walk(path, 0, &mut 0, &mut documents);
            }
            Ok(Entry::Missing) => {}
            Ok(_) => {
                documents.exists = true;
                documents.problems.push(not_followed(path, "neither a folder nor a file"));
            }
            Err(why) => {
                documents.exists = true;
                documents.problems.push(unreadable(path, &why));
            }
        }
        documents
    }

    fn walk(&self, folder: &str, depth: usize, seen: &mut usize, documents: &mut Documents) {
        if depth > FOLDERS_DEPTH_MAX {
            let message = format!("folders are nested deeper than {FOLDERS_DEPTH_MAX} levels");
            documents.problems.push(Problem::error("too-deep", message).at(Location::of_file(folder)));
            return;
        }
        let entries = match self.list(folder) {
            Ok(entries) => entries,
            Err(why) => return documents.problems.push(unreadable(folder, &why)),
        };
        for (name, entry) in entries {
            *seen += 1;
            if *seen > ENTRIES_MAX {
                if *seen == ENTRIES_MAX + 1 {
                    let message = format!("the folder has more than {ENTRIES_MAX} entries");
                    documents
                        .problems
                        .push(Problem::error("too-many-files", message).at(Location::of_file(folder)));
                }
                return;
            }
            let path = join(folder, &name);
            match entry {
                Entry::Folder if name == ".git" => {}
                Entry::Folder => self.walk(&path, depth + 1, seen, documents),
                Entry::File { size, id } if is_document(&name) => self.take_file(&path, size, id, documents),
                Entry::File { .. } | Entry::Missing => {}
                Entry::Link(target) => {
                    let target = printable(&target);
                    documents.problems.push(
                        not_followed(&path, &format!("a symbolic link to `{target}`")).with_hint(
                            "Put the file itself there: links in the folder of documents are not followed.",
                        ),
                    );
                }
                Entry::Submodule => documents.problems.push(
                    not_followed(&path, "a submodule")
                        .with_hint("Name other repositories with kind `Repository`."),
                ),
                Entry::Other(what) => {
                    if is_document(&name) {
                        documents.problems.push(not_followed(&path, what));
                    }
                }
            }
        }
    }

    fn take_file(&self, path: &str, size: u64, id: Option<Oid>, documents: &mut Documents) {
        if size > FILE_BYTES_MAX as u64 {
            let message = format!("the file has {size} bytes; at most {FILE_BYTES_MAX} are read");
            documents.problems.push(
                Problem::error("file-too-large", message)
                    .at(Location::of_file(path))
                    .with_hint("Split it, or move what is not a document elsewhere."),
            );
            return;
        }
        documents.bytes += size as usize;
        if documents.files.len() >= FILES_MAX || documents.bytes > BYTES_MAX {
            let full = documents.problems.iter().any(|problem| problem.rule == "too-many-files");
            if !full {
                let message = format!("the documents have more than {FILES_MAX} files or {BYTES_MAX} bytes");
                documents
                    .problems
                    .push(Problem::error("too-many-files", message).at(Location::of_file(path)));
            }
            return;
        }
        match self.bytes(path, id) {
            Ok(bytes) => documents.files.push((path.to_owned(), bytes)),
            Err(why) => documents.problems.push(unreadable(path, &why)),
        }
    }
}

fn not_followed(path: &str, what: &str) -> Problem {
    Problem::error("not-a-file", format!("`{path}` is {what}")).at(Location::of_file(path))
}

fn unreadable(path: &str, why: &str) -> Problem {
    Problem::error("unreadable", format!("`{path}` can't be read: {why}")).at(Location::of_file(path))
}
