//! What is read of an Environment beside its containers: its database, its addons, who its files belong to, its probes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::known::Known;
use crate::odoo::updates::Present;

/// What was read of one Environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentFacts {
    /// Its database.
    pub database: Known<DatabaseFacts>,
    /// The modules in its addons roots at the wanted commit, the copies that the server would take.
    pub modules: Known<BTreeMap<String, Present>>,
    /// Who the files of its addons roots belong to, by the folder's path on the Host.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub folders: BTreeMap<String, Known<FolderFacts>>,
    /// The options of the odoo.conf that its application mounts, secrets as fingerprints; nothing when there is none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conf: BTreeMap<String, String>,
    /// Roots of the source whose files are others at the wanted commit than where the code is now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved_roots: Vec<String>,
    /// What its probes answered; none when its application doesn't run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeFacts>,
}

impl Default for EnvironmentFacts {
    fn default() -> Self {
        EnvironmentFacts {
            database: Known::Known(DatabaseFacts::default()),
            modules: Known::Known(BTreeMap::new()),
            folders: BTreeMap::new(),
            conf: BTreeMap::new(),
            moved_roots: Vec::new(),
            probes: Vec::new(),
        }
    }
}

/// What was read of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DatabaseFacts {
    /// What is there.
    pub state: DatabaseState,
    /// The server's version, such as `16.4`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// How many connections the server takes, those for superusers included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_connections: Option<u32>,
    /// The other databases of the server that this role can see, without templates and `postgres`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<String>,
    /// The modules that the database has heard of.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, ModuleFacts>,
    /// The checksums that it remembers; `None` of a module that had no files.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checksums: BTreeMap<String, Option<String>>,
    /// What image and modules were together when all were last updated; written by us.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stamp: Option<String>,
}

/// What is at the place of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseState {
    /// Its server, a container of ours, doesn't run: nobody knows.
    #[default]
    NotRunning,
    /// The server refuses role or password, in its own words.
    Refused(String),
    /// The server has no database of that name.
    Missing,
    /// It has no table.
    Empty,
    /// It has tables, and none of them is Odoo's list of modules.
    Foreign,
    /// It is one of Odoo's.
    Odoo,
}

/// What a database says of a module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleFacts {
    /// Odoo's word, such as `installed` or `to upgrade`.
    pub state: String,
    /// The version that was last installed or updated, such as `18.0.1.0.0`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
}

/// Who the files below a folder belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FolderFacts {
    /// Whether it is there.
    pub exists: bool,
    /// How many files and folders belong to whom, by `user:group`.
    pub owners: BTreeMap<String, u64>,
}

/// What one probe answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeFacts {
    /// Its name: `health`, `login`, `database`, `websocket`.
    pub name: String,
    /// Whether the answer is the one of a healthy server.
    pub ok: bool,
    /// The answer, for people.
    pub answer: String,
}
