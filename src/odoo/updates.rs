//! Which modules have to be installed or updated, and why: wanted modules, what a database says, what is on disk → a decision.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The module that all others need; updating it updates them all.
const BASE: &str = "base";

/// Which installed modules are updated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdatePolicy {
    /// Those whose content is another than when they were last installed or updated.
    #[default]
    Changed,
    /// All of them.
    All,
    /// None.
    None,
}

/// A module on disk, the copy that the server would take.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Present {
    /// The checksum of its content.
    pub checksum: String,
    /// Why the server would refuse it, as a fragment; empty if it wouldn't.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub unusable: String,
    /// The version that a database has once it is installed, such as `18.0.1.0.0`; empty when it is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// What a decision is made from. All maps are by the modules' names.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The modules that shall be installed.
    pub wanted: &'a [String],
    /// Which of the installed are updated.
    pub policy: UpdatePolicy,
    /// `ir_module_module.state` of the modules that the database knows.
    pub states: &'a BTreeMap<String, String>,
    /// The checksums that the database remembers; of a module without files, none.
    pub remembered: &'a BTreeMap<String, Option<String>>,
    /// The modules on disk.
    pub present: &'a BTreeMap<String, Present>,
}

/// Why a module is installed or updated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Reason {
    /// The database has never heard of it.
    NewManifest,
    /// It is known and not installed.
    NotInstalled,
    /// An installation was begun and not finished.
    InstallationUnfinished,
    /// An update was begun and not finished.
    UpdateUnfinished,
    /// Its content changed.
    ContentChanged,
    /// Others are remembered, it is not.
    NotRemembered,
    /// All are updated.
    All,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::NewManifest => "new manifest",
            Reason::NotInstalled => "wanted and not installed",
            Reason::InstallationUnfinished => "its installation was begun and not finished",
            Reason::UpdateUnfinished => "its update was begun and not finished",
            Reason::ContentChanged => "its content changed since it was last updated",
            Reason::NotRemembered => "no checksum of it is remembered",
            Reason::All => "all modules are updated",
        })
    }
}

/// What keeps a module from being what is wanted; a person has to look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Obstacle {
    /// It is wanted and in no root.
    Missing,
    /// It is wanted and the server would refuse it.
    Unusable {
        /// Why, as a fragment.
        why: String,
    },
    /// It is installed and in no root any more.
    Gone,
    /// It is installed and the server would refuse it now.
    NowUnusable {
        /// Why, as a fragment.
        why: String,
    },
    /// Its uninstallation was begun and not finished.
    RemovalUnfinished,
    /// It would be updated, and the policy says none.
    LeftUnfinished,
    /// The database says a state that Odoo doesn't have.
    State {
        /// The state.
        state: String,
    },
}

impl Obstacle {
    /// What a person can do, as a fragment.
    pub fn way_out(&self) -> &'static str {
        match self {
            Obstacle::Missing => "add it to a root, or remove it from `modules.install`",
            Obstacle::Unusable { .. } => "put its manifest right, or remove it from `modules.install`",
            Obstacle::Gone => "bring it back, or uninstall it in Odoo before its code goes",
            Obstacle::NowUnusable { .. } => "put its manifest right, or uninstall it in Odoo before",
            Obstacle::RemovalUnfinished => "uninstall it again in Odoo, with its former code",
            Obstacle::LeftUnfinished => "`modules.update: changed` finishes it",
            Obstacle::State { .. } => "look at it in Odoo's list of modules",
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::Missing => f.write_str("wanted, and in no addons root"),
            Obstacle::Unusable { why } => write!(f, "wanted, and can't be installed: {why}"),
            Obstacle::Gone => f.write_str("installed, and in no addons root any more"),
            Obstacle::NowUnusable { why } => write!(f, "installed, and can't be loaded any more: {why}"),
            Obstacle::RemovalUnfinished => f.write_str("its uninstallation was begun and not finished"),
            Obstacle::LeftUnfinished => f.write_str(
                "its installation or update was begun and not finished, and nothing is to be updated",
            ),
            Obstacle::State { state } => {
                write!(f, "the database says `{state}`, which is no state of Odoo 18")
            }
        }
    }
}

/// What to do. Names are in order, each is in one of the lists only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// For `-i`.
    pub install: BTreeMap<String, Reason>,
    /// For `-u`.
    pub update: BTreeMap<String, Reason>,
    /// For a person.
    pub obstacles: BTreeMap<String, Obstacle>,
    /// Whether changes can't be told because no checksum is remembered at all: what is installed is of unknown age.
    pub is_unremembered: bool,
}

impl Decision {
    /// Whether there is nothing to install or update, and nothing in the way.
    pub fn is_empty(&self) -> bool {
        *self == Decision::default()
    }
}

impl fmt::Display for Decision {
    /// A line for each module: `install sale_x: new manifest`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (word, modules) in [("install", &self.install), ("update", &self.update)] {
            for (name, reason) in modules {
                writeln!(f, "{word} {name}: {reason}")?;
            }
        }
        for (name, obstacle) in &self.obstacles {
            writeln!(f, "look at {name}: {obstacle}")?;
        }
        if self.is_unremembered {
            writeln!(
                f,
                "unknown: no checksums are remembered, so changes since the last update can't be told"
            )?;
        }
        Ok(())
    }
}

/// Decides. The same question has the same answer.
pub fn decide(question: &Question) -> Decision {
    let mut decision = Decision::default();
    for name in question.wanted {
        match question.states.get(name).map(String::as_str) {
            None => install(question, &mut decision, name, Reason::NewManifest),
            Some("uninstalled" | "uninstallable") => {
                install(question, &mut decision, name, Reason::NotInstalled)
            }
            Some(_) => {}
        }
    }
    for (name, state) in question.states {
        installed(question, &mut decision, name, state);
    }
    let has_installed = question.states.values().any(|state| state == "installed");
    decision.is_unremembered =
        has_installed && question.policy == UpdatePolicy::Changed && question.remembered.is_empty();
    if question.policy == UpdatePolicy::All && has_installed {
        decision.update = BTreeMap::from([(BASE.to_owned(), Reason::All)]);
    }
    decision
}

fn install(question: &Question, decision: &mut Decision, name: &str, reason: Reason) {
    let obstacle = match question.present.get(name) {
        None => Obstacle::Missing,
        Some(present) if !present.unusable.is_empty() => Obstacle::Unusable { why: present.unusable.clone() },
        Some(_) => {
            decision.install.insert(name.to_owned(), reason);
            return;
        }
    };
    decision.obstacles.insert(name.to_owned(), obstacle);
}

/// What is to be done about a module that the database has, or was about to have or to lose.
fn installed(question: &Question, decision: &mut Decision, name: &str, state: &str) {
    let reason = match state {
        "uninstalled" | "uninstallable" => return,
        "installed" => changed(question, name),
        "to upgrade" => Some(Reason::UpdateUnfinished),
        "to install" => Some(Reason::InstallationUnfinished),
        other => {
            let obstacle = match other {
                "to remove" => Obstacle::RemovalUnfinished,
                other => Obstacle::State { state: other.to_owned() },
            };
            decision.obstacles.insert(name.to_owned(), obstacle);
            return;
        }
    };
    let obstacle = match (question.present.get(name), reason) {
        (None, _) => Some(Obstacle::Gone),
        (Some(present), _) if !present.unusable.is_empty() => {
            Some(Obstacle::NowUnusable { why: present.unusable.clone() })
        }
        (Some(_), Some(Reason::UpdateUnfinished | Reason::InstallationUnfinished))
            if question.policy == UpdatePolicy::None =>
        {
            Some(Obstacle::LeftUnfinished)
        }
        _ => None,
    };
    match (obstacle, reason) {
        (Some(obstacle), _) => _ = decision.obstacles.insert(name.to_owned(), obstacle),
        (None, Some(reason @ Reason::InstallationUnfinished)) => {
            decision.install.insert(name.to_owned(), reason);
        }
        (None, Some(reason)) => _ = decision.update.insert(name.to_owned(), reason),
        (None, None) => {}
    }
}

/// Why an installed module is updated, if it is.
fn changed(question: &Question, name: &str) -> Option<Reason> {
    if question.policy != UpdatePolicy::Changed || question.remembered.is_empty() {
        return None;
    }
    let present = question.present.get(name)?;
    match question.remembered.get(name).map(Option::as_deref) {
        None => Some(Reason::NotRemembered),
        Some(remembered) if remembered != Some(present.checksum.as_str()) => Some(Reason::ContentChanged),
        Some(_) => None,
    }
}
