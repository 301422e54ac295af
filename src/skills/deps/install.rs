//! The commands that make what is wanted installable and installed, as a script that changes nothing the second time.
//!
//! The script asks the database again when it runs, because what was found now may not hold then.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::report::Report;
use crate::odoo::catalogue::{Catalogue, Repository};
use crate::odoo::missing::{self, Cause};

/// What the script needs beside the answer.
#[derive(Debug)]
pub struct Install<'a> {
    /// The answer.
    pub report: &'a Report,
    /// What is declared.
    pub catalogue: &'a Catalogue,
    /// The folder that the paths of repositories are relative to.
    pub checkout: &'a str,
    /// The database, without a password.
    pub database: Option<&'a str>,
}

/// Clones a repository, or brings a clone to the pin, or forward on its branch when something is missing in it.
const REPOSITORY: &str = r#"
# repository PATH URL BRANCH COMMIT NEWS: a clone at COMMIT, or of BRANCH when COMMIT is empty
repository() {
  if [ ! -e "$1/.git" ]; then
    if [ -d "$1" ]; then rmdir -- "$1"; fi
    rm -rf -- "$1.part"
    git clone --quiet --filter=blob:none --branch "$3" -- "$2" "$1.part"
    mv -- "$1.part" "$1"
  elif [ -z "$4" ] && [ "$5" = yes ]; then
    free "$1" "$2"
    branch=$(git -C "$1" symbolic-ref --quiet --short HEAD) || branch=
    [ "$branch" = "$3" ] || stop "$1 is not on its branch $3"
    git -C "$1" fetch --quiet origin "+refs/heads/$3:refs/remotes/origin/$3"
    git -C "$1" merge --quiet --ff-only --no-overwrite-ignore "origin/$3"
  fi
  if [ -n "$4" ] && [ "$(git -C "$1" rev-parse HEAD)" != "$4" ]; then
    free "$1" "$2"
    branch=$(git -C "$1" symbolic-ref --quiet --short HEAD) || branch=$3
    [ "$branch" = "$3" ] || stop "$1 is not on its branch $3"
    git -C "$1" cat-file -e "$4^{commit}" 2>/dev/null ||
      git -C "$1" fetch --quiet origin "+$4:refs/ipaictl/pins/$4"
    git -C "$1" checkout --quiet --detach --no-overwrite-ignore "$4"
  fi
}
# free PATH URL: whether nobody works in a clone, and it is one of URL
free() {
  [ "$(name "$(git -C "$1" remote get-url origin)")" = "$(name "$2")" ] || stop "$1 is a clone of something else than $2"
  [ -z "$(git -C "$1" status --porcelain)" ] || stop "$1 has changes of its own"
  [ -z "$(git -C "$1" rev-list --max-count=1 HEAD --not --branches --tags --remotes --glob='refs/ipaictl/pins/*')" ] || stop "$1 has commits on no branch"
}
# name URL: its host and path, which https and ssh have in common
name() {
  printf '%s\n' "${1%/}" | sed -e 's/\.git$//' -e 's#^[a-z+]*://##' -e 's#^[^/@]*@##' -e 's#:#/#' | tr '[:upper:]' '[:lower:]'
}
stop() { echo "$1: nothing was done to it" >&2; exit 1; }
"#;

/// Installs what the database does not have. `$ODOO` may be several words, such as `docker exec odoo odoo`.
const MODULES: &str = r#"
ask() { psql --no-psqlrc --tuples-only --no-align --dbname "$DATABASE" --command "$1"; }
installed=
if [ "$(ask "select to_regclass('ir_module_module') is not null")" = t ]; then
  installed=$(ask "select name from ir_module_module where state in ('installed', 'to upgrade')")
fi
missing=
for module in $wanted; do
  printf '%s\n' "$installed" | grep -Fqx -- "$module" || missing="$missing,$module"
done
if [ -n "$missing" ]; then
  ${ODOO:-odoo} --database "$(ask 'select current_database()')" --init "${missing#,}" --stop-after-init
fi
"#;

/// The script.
pub fn script(install: &Install<'_>) -> String {
    let report = install.report;
    let mut out = format!(
        "#!/bin/sh\n# What series {} needs for: {}\n",
        report.series,
        comment(&report.wanted.join(" "))
    );
    out.push_str("# Running it again changes nothing.\nset -eu\nexport GIT_TERMINAL_PROMPT=0\n");
    let repositories = repositories(install);
    if !repositories.is_empty() {
        let _ = writeln!(out, "cd -- {}", quote(install.checkout));
        out.push_str(REPOSITORY);
        for (repository, news) in repositories {
            let pin = repository.pin.as_deref().unwrap_or_default();
            let words = [&repository.path, &repository.url, &repository.branch].map(|word| quote(word));
            let news = if news { "yes" } else { "no" };
            let _ = writeln!(out, "repository {} {} {news}", words.join(" "), quote(pin));
        }
    }
    modules(install, &mut out);
    out
}

fn modules(install: &Install<'_>, out: &mut String) {
    let report = install.report;
    if !report.complete {
        out.push_str("\n# Not everything is there yet, so nothing is installed.\n");
        for missing in &report.missing {
            let _ = writeln!(out, "#   {}: {}", comment(&missing.name), comment(&missing.message));
        }
        for cycle in &report.cycles {
            let _ = writeln!(out, "#   modules that need each other: {}", comment(&cycle.way.join(" ")));
        }
        if report.missing.iter().any(|missing| matches!(missing.cause, Cause::NotCloned { .. })) {
            out.push_str("# What the new clones need is known once they are there: ask again then.\n");
        }
        return;
    }
    let wanted: Vec<&str> = report
        .modules
        .iter()
        .filter(|module| module.is_installed() != Some(true))
        .map(|module| module.name.as_str())
        .collect();
    if wanted.is_empty() {
        out.push_str("\n# Everything is installed.\n");
        return;
    }
    match install.database {
        Some(database) => {
            let _ = writeln!(out, "\nDATABASE=${{DATABASE:-{}}}", quote(database));
        }
        None => {
            let _ = writeln!(
                out,
                "\n: \"${{DATABASE:?name the database, such as postgresql://odoo@localhost/odoo}}\""
            );
        }
    }
    let _ = write!(out, "wanted={}", quote(&wanted.join(" ")));
    out.push_str(MODULES);
}

/// The declared repositories that are needed, in the order of the catalogue, and whether their clone lacks a module.
fn repositories<'a>(install: &Install<'a>) -> Vec<(&'a Repository, bool)> {
    let mut needed: BTreeSet<&str> = BTreeSet::new();
    let mut lacking: BTreeSet<&str> = BTreeSet::new();
    needed.extend(install.report.modules.iter().filter_map(|module| module.repository.as_deref()));
    for missing in &install.report.missing {
        if let Some(repository) = missing::repository_of(&missing.cause) {
            needed.insert(repository);
            if matches!(missing.cause, Cause::NotInClone { .. }) {
                lacking.insert(repository);
            }
        }
    }
    let slug = |repository: &&Repository| needed.contains(repository.slug.as_str());
    let found = install.catalogue.repositories.iter().filter(slug);
    found.map(|repository| (repository, lacking.contains(repository.slug.as_str()))).collect()
}

/// One word of a shell, whatever is in it.
fn quote(text: &str) -> String {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '@' | '=' | '+');
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Text for a comment: it stays on its line.
fn comment(text: &str) -> String {
    crate::model::problem::printable(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_word_in_a_shell() {
        assert_eq!(quote("addons/oca/queue"), "addons/oca/queue");
        assert_eq!(quote(""), "''");
        assert_eq!(quote("a b;$(x)'"), r"'a b;$(x)'\'''");
    }
}
