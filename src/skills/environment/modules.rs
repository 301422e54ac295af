//! What is to be done about the database and the modules of an Environment.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use super::facts::{DatabaseFacts, DatabaseState};
use super::spec::{EnvironmentSpec, Tier, UpdateWhich};
use crate::model::hash::sha256_hex;
use crate::odoo::knowledge::Knowledge;
use crate::odoo::updates::{Decision, Obstacle, Present, Question, Reason, UpdatePolicy, decide};

/// The module that every database has.
pub const BASE: &str = "base";

/// What a decision about modules is made from.
#[derive(Debug, Clone, Copy)]
pub struct ModulesQuestion<'a> {
    /// The document.
    pub spec: &'a EnvironmentSpec,
    /// What was read of the database.
    pub database: &'a DatabaseFacts,
    /// The modules in the addons roots at the wanted commit.
    pub present: &'a BTreeMap<String, Present>,
    /// What the image is: its digest or, without one, its reference.
    pub image: &'a str,
    /// Whether the database was seen as Odoo's when the Environment was last applied.
    pub was_there: bool,
}

/// What is to be done, and what a person has to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// What is to be done.
    pub verdict: Verdict,
    /// Modules that a person has to look at.
    pub obstacles: BTreeMap<String, Obstacle>,
    /// Whether nothing tells how old the installed modules are.
    pub is_unremembered: bool,
    /// Installed modules of which other content will be there, and that are not to be updated: a server that runs has the old.
    pub stale: Vec<String>,
    /// What makes all modules be updated.
    pub occasion: Option<String>,
}

/// What is to be done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing, and nothing is in the way.
    #[default]
    Current,
    /// It has to be looked at again once its server runs.
    Later,
    /// The database is made or filled.
    Initialize(Decision),
    /// Modules are installed or updated.
    Change(Decision),
    /// A person has to look; the application is not started meanwhile.
    Refuse(String),
}

/// Decides about the database and its modules.
pub fn judge(question: &ModulesQuestion<'_>) -> Judgement {
    let nothing = |verdict| Judgement { verdict, ..Judgement::default() };
    let ModulesQuestion { spec, database, .. } = question;
    let name = spec.database_name();
    match &database.state {
        DatabaseState::NotRunning => nothing(Verdict::Later),
        DatabaseState::Refused(why) => nothing(Verdict::Refuse(format!(
            "the server refuses the role or its password: {why}. A password is changed in the server first, by `ALTER ROLE … PASSWORD …`"
        ))),
        DatabaseState::Foreign => nothing(Verdict::Refuse(format!(
            "`{name}` has tables, and none of them is Odoo's: name another database"
        ))),
        DatabaseState::Missing if question.was_there => nothing(Verdict::Refuse(format!(
            "`{name}` was there and is gone: restore it, or name another one to begin again"
        ))),
        DatabaseState::Missing => match unsure(spec, database) {
            Some(why) => nothing(Verdict::Refuse(why)),
            None => initialize(question),
        },
        DatabaseState::Empty if question.was_there => nothing(Verdict::Refuse(format!(
            "`{name}` was Odoo's and has no table any more: restore it, or name another one to begin again"
        ))),
        DatabaseState::Empty => initialize(question),
        DatabaseState::Odoo => match wrong_series(spec, database) {
            Some(why) => nothing(Verdict::Refuse(why)),
            None => change(question),
        },
    }
}

/// Why a missing database is rather a wrong name than a new one.
fn unsure(spec: &EnvironmentSpec, database: &DatabaseFacts) -> Option<String> {
    let name = spec.database_name();
    let others = || database.others.iter().map(|other| format!("`{other}`")).collect::<Vec<_>>().join(", ");
    if spec.database.managed.is_some() && !database.others.is_empty() {
        return Some(format!(
            "the server has no `{name}`, but {}: correct the name, or make the database by hand",
            others()
        ));
    }
    if spec.database.external.is_some() && spec.tier == Tier::Production {
        let there =
            if database.others.is_empty() { String::new() } else { format!(" (there are {})", others()) };
        return Some(format!(
            "the server has no `{name}`{there}, and none is made on somebody else's server for production: make an empty one by hand"
        ));
    }
    None
}

/// Why a database is none that this server may touch.
pub fn wrong_series(spec: &EnvironmentSpec, database: &DatabaseFacts) -> Option<String> {
    let version = database.modules.get(BASE).map(|base| base.version.as_str()).unwrap_or_default();
    let is_same = version.strip_prefix(spec.odoo.version.as_str()).is_some_and(|rest| rest.starts_with('.'));
    (!is_same).then(|| {
        let found = if version.is_empty() { "of no known version" } else { version };
        format!(
            "`{}` is {found}, and the server is {}: it is not touched",
            spec.database_name(),
            spec.odoo.version
        )
    })
}

fn initialize(question: &ModulesQuestion<'_>) -> Judgement {
    let states = BTreeMap::new();
    let present = with_image(question, &states);
    let mut decision = decide(&Question {
        wanted: &question.spec.odoo.modules.install,
        policy: UpdatePolicy::None,
        states: &states,
        remembered: &BTreeMap::new(),
        present: &present,
    });
    let obstacles = std::mem::take(&mut decision.obstacles);
    if !obstacles.is_empty() {
        // A database without what it is for would look like one that is done.
        let names: Vec<String> = obstacles.iter().map(|(name, why)| format!("`{name}`: {why}")).collect();
        let why = format!("no database is made while {}", names.join("; "));
        return Judgement { verdict: Verdict::Refuse(why), ..Judgement::default() };
    }
    decision.install.entry(BASE.to_owned()).or_insert(Reason::NotInstalled);
    Judgement { verdict: Verdict::Initialize(decision), ..Judgement::default() }
}

fn change(question: &ModulesQuestion<'_>) -> Judgement {
    let ModulesQuestion { spec, database, .. } = question;
    let states: BTreeMap<String, String> =
        database.modules.iter().map(|(name, module)| (name.clone(), module.state.clone())).collect();
    let present = with_image(question, &states);
    let remembered = remembered(question, &present);
    let ask = |policy| {
        decide(&Question {
            wanted: &spec.odoo.modules.install,
            policy,
            states: &states,
            remembered: &remembered,
            present: &present,
        })
    };
    let mut occasion = None;
    let mut decision = match spec.odoo.modules.update {
        UpdateWhich::None => ask(UpdatePolicy::None),
        UpdateWhich::Changed => ask(UpdatePolicy::Changed),
        UpdateWhich::All => {
            let changed = ask(UpdatePolicy::Changed);
            let is_other =
                database.stamp.as_deref() != Some(stamp(question.image, question.present).as_str());
            match is_other || !changed.update.is_empty() {
                true => {
                    occasion = Some(occasion_of(&changed));
                    ask(UpdatePolicy::All)
                }
                false => Decision { is_unremembered: false, ..changed },
            }
        }
    };
    let obstacles = std::mem::take(&mut decision.obstacles);
    let unremembered = std::mem::take(&mut decision.is_unremembered) && has_own(database, question.present);
    let verdict = if decision.is_empty() { Verdict::Current } else { Verdict::Change(decision) };
    let stale = match spec.odoo.modules.update {
        UpdateWhich::None => ask(UpdatePolicy::Changed).update.into_keys().collect(),
        UpdateWhich::Changed | UpdateWhich::All => Vec::new(),
    };
    Judgement { verdict, obstacles, is_unremembered: unremembered, stale, occasion }
}

/// Whether any module of the addons roots is installed.
fn has_own(database: &DatabaseFacts, present: &BTreeMap<String, Present>) -> bool {
    database.modules.iter().any(|(name, module)| module.state == "installed" && present.contains_key(name))
}

/// The modules of the roots and those of the image, of which nothing but their names is known: they count as unchanged.
///
/// A module that the database remembers a checksum of, and that is none of Odoo's own, was in a root once.
fn with_image(
    question: &ModulesQuestion<'_>,
    states: &BTreeMap<String, String>,
) -> BTreeMap<String, Present> {
    let knowledge = Knowledge::built_in();
    let series = &question.spec.odoo.version;
    let mut present = question.present.clone();
    let remembered = &question.database.checksums;
    // Of a series that nobody listed, every name may be one of Odoo's own.
    let is_core = |name: &str| knowledge.is_core(name, series).unwrap_or(true);
    let wanted = question.spec.odoo.modules.install.iter();
    let of_image = states
        .keys()
        .filter(|name| is_core(name) || !remembered.contains_key(*name))
        // Nobody knows what a built image brings; the run finds out.
        .chain(wanted.filter(|name| is_core(name) || question.spec.odoo.build.is_some()));
    for name in of_image {
        let checksum = remembered.get(name).cloned().flatten().unwrap_or_default();
        present.entry(name.clone()).or_insert(Present { checksum, ..Present::default() });
    }
    present
}

/// What the database remembers, and of modules of the image what was put down for them: they count as unchanged. A
/// database that remembers nothing at all stays so: how old its modules are is not known.
fn remembered(
    question: &ModulesQuestion<'_>,
    present: &BTreeMap<String, Present>,
) -> BTreeMap<String, Option<String>> {
    let mut remembered = question.database.checksums.clone();
    if !remembered.is_empty() {
        let of_image = present.iter().filter(|(name, _)| !question.present.contains_key(*name));
        remembered.extend(of_image.map(|(name, module)| (name.clone(), Some(module.checksum.clone()))));
    }
    remembered
}

/// Why all modules are updated.
fn occasion_of(changed: &Decision) -> String {
    let mut named = changed.update.iter().map(|(name, reason)| format!("{name}: {reason}"));
    match (named.next(), changed.update.len()) {
        (None, _) => "another image, or other modules, than at the last update".to_owned(),
        (Some(first), 1) => first,
        (Some(first), count) => format!("{first}, and {} more", count - 1),
    }
}

/// What an image and the modules beside it are together.
pub fn stamp(image: &str, present: &BTreeMap<String, Present>) -> String {
    let mut text = image.to_owned();
    for (name, module) in present {
        text.push_str(&format!("\n{name} {}", module.checksum));
    }
    sha256_hex(text.as_bytes())
}
