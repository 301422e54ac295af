//! The forms that are lines: git's submodules and Odoo's settings.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::problem::{Location, Problem};
use crate::odoo::conf;
use crate::skills::layout::declared::{AddonsPath, Declared, Form, Source, name_of};

fn place(file: &str, line: usize) -> Location {
    Location { file: file.to_owned(), line: u32::try_from(line + 1).unwrap_or(u32::MAX), column: 1 }
}

/// Sections `[submodule "NAME"]` with `path`, `url` and `branch`.
pub(super) fn gitmodules(file: &str, text: &str) -> Source {
    let mut source = Source::new(file, Form::Gitmodules);
    let mut open: Option<Declared> = None;
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        let place = place(file, number);
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if line.starts_with('[') {
            finish(&mut source, open.take());
            let name = line.strip_prefix("[submodule \"").and_then(|rest| rest.strip_suffix("\"]"));
            match name {
                Some(_) => {
                    let name = String::new();
                    open = Some(Declared { name, url: None, path: None, branch: None, commit: None, place });
                }
                None => source.wrong(&place, format!("`{line}` is no section of a submodule")),
            }
            continue;
        }
        let (Some((key, value)), Some(found)) = (line.split_once('='), open.as_mut()) else {
            source.wrong(&place, format!("`{line}` is no setting of a submodule"));
            continue;
        };
        let value = value.trim().trim_matches('"').to_owned();
        match key.trim() {
            "path" => found.path = Some(value),
            "url" => found.url = Some(value),
            "branch" => found.branch = Some(value),
            _ => {}
        }
    }
    finish(&mut source, open);
    source
}

fn finish(source: &mut Source, found: Option<Declared>) {
    let Some(mut found) = found else { return };
    match &found.url {
        Some(url) => found.name = name_of(url),
        None => return source.wrong(&found.place, "a submodule without `url`"),
    }
    source.declare(found);
}

/// The `addons_path` of Odoo's settings, as Odoo's own reader takes it: no variable is expanded.
pub(super) fn odoo_conf(file: &str, text: &str) -> Source {
    let mut source = Source::new(file, Form::OdooConf);
    let conf = match conf::parse(file, text) {
        Ok(conf) => conf,
        Err(problems) => {
            source.problems = problems;
            return source;
        }
    };
    let options = conf.options();
    let Some(written) = options.get("addons_path") else { return source };
    let place = Location { file: file.to_owned(), line: written.line, column: written.column };
    let entries: Vec<String> = conf.addons_path().into_iter().map(str::to_owned).collect();
    for entry in entries.iter().filter(|entry| entry.contains("${")) {
        let message = format!("`{entry}` in `addons_path`: Odoo expands no variables in this file");
        source.problems.push(Problem::error("unexpanded-variable", message).at(place.clone()));
    }
    source.addons_paths.push(AddonsPath { entries, service: None, place });
    source
}
