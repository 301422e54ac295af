//! Where the paths of what will run lead: never out of the repository, whether by `..` or by a link, and to something
//! that is there.
//!
//! Judged for services that run, because what a profile leaves out may well lie elsewhere. Absolute paths out of the
//! repository stay the business of the host; a bind's source may be missing, as the engine makes it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;

use crate::model::document::{Node, Place};

use super::context::Context;
use super::paths::{FilePath, clean_absolute, file_path};
use super::reading::{Look, Refusal};
use super::tree;

/// Folders in which the kernel shows its own state: nothing in them is configuration.
const KERNEL_FOLDERS: &[&str] = &["/proc", "/sys", "/dev"];
/// Paths of one stack that are looked for in the repository; each costs a look at a few trees.
const LOOKS_MAX: usize = 5_000;

/// What has to be at a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Anything,
    File,
    FileOrFolder,
    Folder,
}

/// Checks the paths of a model's services, configs, secrets and volumes.
pub(super) fn check(context: &mut Context, model: &Node) {
    let mut reach = Reach { looks: HashMap::new() };
    for entry in model.get("services").and_then(Node::entries).unwrap_or_default() {
        if let Some(build) = entry.value.get("build") {
            reach.build(context, build);
        }
        for mount in entry.value.get("volumes").and_then(Node::items).unwrap_or_default() {
            let source = mount.get("source").filter(|_| tree::text_of(mount, "type") == Some("bind"));
            if let Some(source) = source {
                reach.path(context, "bind", source, Wanted::Anything);
            }
        }
    }
    for (section, what) in [("configs", "config"), ("secrets", "secret")] {
        for entry in model.get(section).and_then(Node::entries).unwrap_or_default() {
            let Some(file) = entry.value.get("file") else { continue };
            if file.text().is_some_and(is_kernel_path) {
                let refusal = Refusal::not_a_file("it belongs to the kernel");
                context.report_refused(file.text().unwrap_or(""), &refusal, Some(&file.place));
            } else {
                reach.path(context, what, file, Wanted::FileOrFolder);
            }
        }
    }
    for entry in model.get("volumes").and_then(Node::entries).unwrap_or_default() {
        let device = entry.value.get("driver_opts").and_then(|options| options.get("device"));
        if let Some(device) = device.filter(|device| context.is_outside(&device.place)) {
            outside(context, &device.place, "volume");
        }
    }
}

struct Reach {
    looks: HashMap<String, Look>,
}

impl Reach {
    fn build(&mut self, context: &mut Context, build: &Node) {
        let Some(directory) = build.get("context").or(Some(build)).filter(|node| node.text().is_some())
        else {
            return;
        };
        let Some(root) = directory.text().filter(|text| text.starts_with('/')) else { return };
        if !self.path(context, "build context", directory, Wanted::Folder) {
            return;
        }
        let inline = build.get("dockerfile_inline").is_some();
        let Some(dockerfile) = build.get("dockerfile").filter(|_| !inline) else { return };
        let Some(text) = dockerfile.text().filter(|text| !text.starts_with('/')) else { return };
        let path = clean_absolute(&format!("{root}/{text}"));
        self.place(context, "Dockerfile", &path, &dockerfile.place, Wanted::File);
    }

    fn path(&mut self, context: &mut Context, what: &str, node: &Node, wanted: Wanted) -> bool {
        if context.is_outside(&node.place) {
            outside(context, &node.place, what);
            return false;
        }
        self.place(context, what, node.text().unwrap_or(""), &node.place, wanted)
    }

    /// Whether what is at an absolute path of the host can be used; reports why not.
    fn place(
        &mut self,
        context: &mut Context,
        what: &str,
        path: &str,
        place: &Place,
        wanted: Wanted,
    ) -> bool {
        let inside = match file_path(context.root(), "", path) {
            Ok(FilePath::Inside(inside)) => inside,
            Ok(FilePath::Absolute(absolute)) if absolute == context.root() => String::new(),
            _ => return true,
        };
        match (self.look(context, &inside), wanted) {
            (Look::Refused(refusal), Wanted::Anything) if refusal.rule == "not-a-file" => true,
            (Look::Refused(refusal), _) => {
                let message = format!("{what} `{inside}` can't be used: {}", refusal.why);
                let problem = place.error(refusal.rule, message);
                context.report(problem.with_hint(
                    "What a stack uses has to be in its repository, or be an absolute path on the host.",
                ));
                false
            }
            (Look::Missing, wanted) if wanted != Wanted::Anything => {
                let hint = "Add it to the repository, or write an absolute path on the host.";
                context.report_missing(what, &inside, Some(place), Some(hint));
                false
            }
            (Look::File, Wanted::Folder) => {
                context.report(
                    place.error("not-a-folder", format!("{what} `{inside}` is a file, not a folder")),
                );
                false
            }
            (Look::Folder, Wanted::File) => {
                context.report(place.error("not-a-file", format!("{what} `{inside}` is a folder")));
                false
            }
            _ => true,
        }
    }

    fn look(&mut self, context: &Context, inside: &str) -> Look {
        if let Some(known) = self.looks.get(inside) {
            return known.clone();
        }
        if self.looks.len() >= LOOKS_MAX {
            return Look::Unknown;
        }
        let files = context.request.files;
        // What git ignores may lie in the checkout itself.
        let look = match files.look(inside) {
            Look::Missing => files.look(&format!("{}/{inside}", context.root())),
            look => look,
        };
        self.looks.insert(inside.to_owned(), look.clone());
        look
    }
}

fn outside(context: &mut Context, place: &Place, what: &str) {
    let message = format!("the path of the {what} leads out of the repository");
    let problem = place.error("outside-repository", message);
    context.report(
        problem.with_hint("Write an absolute path if the host has it, or put it into the repository."),
    );
}

fn is_kernel_path(path: &str) -> bool {
    let path = clean_absolute(path);
    KERNEL_FOLDERS
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}
