//! Where what is there differs from what is declared, and why. Decides alone; everything was read before.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

mod catalogues;
pub mod clones;
mod modules;
mod mounts;
mod tree;

use std::collections::BTreeSet;

use super::declared::{Declared, Form, Source};
use super::facts::Facts;
use super::report::{Checks, Report, count};
use super::view::View;
use crate::odoo::catalogue::Catalogue;
use crate::odoo::universe::{Root, Universe};

/// Everything that is compared.
#[derive(Debug)]
pub struct Input<'a> {
    /// The checkout's path as the person knows it.
    pub checkout: &'a str,
    /// The series of the server.
    pub series: &'a str,
    /// What the files say, the manifest first.
    pub sources: &'a [Source],
    /// The manifest, for questions about modules.
    pub catalogue: &'a Catalogue,
    /// What is on disk.
    pub facts: &'a Facts,
    /// Odoo's own roots, then the server's, then all others.
    pub roots: &'a [Root],
    /// How many of the roots the server sees.
    pub in_view: usize,
    /// How many of the roots are Odoo's own.
    pub core: usize,
    /// The server's roots.
    pub view: &'a View,
    /// Mounts that a person named: container path and folder.
    pub mounts: &'a [(String, String)],
    /// Scripts that should be there.
    pub hooks: &'a [String],
    /// Whether an owner was asked for.
    pub owner: Option<(u32, u32)>,
}

impl Input<'_> {
    /// The repositories that the manifest declares.
    pub fn declared(&self) -> &[Declared] {
        self.sources
            .first()
            .filter(|source| source.form == Form::Manifest)
            .map_or(&[], |source| &source.repositories)
    }

    /// The folders that hold declared repositories.
    fn homes(&self) -> BTreeSet<&str> {
        let paths = self.declared().iter().filter_map(|found| found.path.as_deref());
        paths.filter_map(|path| Some(path.rsplit_once('/')?.0)).collect()
    }

    /// The modules in a folder of the checkout, if that was read.
    fn root(&self, path: &str) -> Option<&Root> {
        self.roots.iter().skip(self.core).find(|root| root.path == path)
    }
}

/// The commit at which a repository is kept: the manifest's, else the first lock's.
pub fn pin<'a>(sources: &'a [Source], declared: &'a Declared) -> Option<&'a str> {
    let locks = sources.iter().filter(|source| source.form == Form::Lock);
    let mut locked = locks.flat_map(|lock| &lock.repositories).filter(|found| found.name == declared.name);
    declared.commit.as_deref().or_else(|| locked.find_map(|found| found.commit.as_deref()))
}

/// Makes all checks.
pub fn verify(input: &Input<'_>) -> Report {
    let mut checks = Checks::default();
    let seen = Universe::new(&input.roots[..input.in_view], input.series);
    let all = Universe::new(input.roots, input.series);
    catalogues::check(input, &mut checks);
    clones::check(input, &mut checks);
    mounts::check(input, &mut checks);
    modules::check(input, &seen, &all, &mut checks);
    tree::check(input, &mut checks);
    let checks = checks.into_vec();
    Report {
        checkout: input.checkout.to_owned(),
        series: input.series.to_owned(),
        declared: input.declared().len(),
        present: input.declared().iter().filter(|found| clones::is_present(input.facts, found)).count(),
        count: count(&checks),
        checks,
    }
}

/// The first names of a list, and how many more there are.
fn some(names: &[&str]) -> String {
    const NAMED_MAX: usize = 12;
    let shown = names.iter().take(NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(NAMED_MAX + 1) {
        Some(more) => format!("{shown} and {} more", more + 1),
        None => shown,
    }
}

/// A number and its noun.
fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
