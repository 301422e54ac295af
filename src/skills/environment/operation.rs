//! What is done for an Environment beside what the engine is asked for: files, owners, runs of Odoo, proofs of health.
//!
//! Each carries every value it needs; doing it twice is doing it once.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::spec::SslMode;

/// The permission bits of a file whose owner can't be given: the folder above is closed to everybody else.
pub const READABLE: u32 = 0o444;

/// One thing to do.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum EnvironmentOperation {
    /// Writes a file of the Environment on its Host, whole or not at all.
    WriteFile {
        /// Its absolute path.
        path: String,
        /// The whole content; never written anywhere else.
        #[serde(skip)]
        content: SecretString,
        /// The numbers of user and group that it belongs to; `None` for the controller's own.
        #[serde(skip_serializing_if = "Option::is_none")]
        owner: Option<(u32, u32)>,
        /// The permission bits.
        mode: u32,
        /// Of a file in a folder of its own beside others: which of those stay, as absolute paths. All others hold secrets of
        /// yesterday, and go. `None` where there are no others.
        #[serde(skip_serializing_if = "Option::is_none")]
        keeps: Option<Vec<String>>,
    },
    /// Gives a folder and all in it to a user and a group. Symbolic links are not followed.
    SetOwner {
        /// Its absolute path.
        path: String,
        /// The numbers of user and group.
        owner: (u32, u32),
    },
    /// Goes on only when the database is there and Odoo's: a server that is started without its database makes a new one.
    RequireDatabase {
        /// Which.
        database: DatabaseTarget,
        /// The series that it has to be of, such as `18.0`.
        series: String,
        /// When to give up.
        timeout: Duration,
    },
    /// Installs and updates modules in a container of its own, and looks what became of them.
    RunModules(Box<ModulesRun>),
    /// Waits until the application is healthy: all probes pass.
    Probe {
        /// What is probed.
        probe: ProbeTarget,
        /// When to give up.
        timeout: Duration,
    },
}

/// A database and how it is reached.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatabaseTarget {
    /// Its server.
    pub server: DatabaseServer,
    /// Its name.
    pub name: String,
    /// The role.
    pub user: String,
    /// The role's password; never written anywhere.
    #[serde(skip)]
    pub password: SecretString,
}

/// A database's server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DatabaseServer {
    /// A container of ours, by its name.
    Container(String),
    /// One of somebody else's.
    Address {
        /// Its name or address.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is encrypted.
        sslmode: SslMode,
    },
}

impl std::fmt::Display for DatabaseServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DatabaseServer::Container(name) => f.write_str(name),
            DatabaseServer::Address { host, port, .. } => write!(f, "{host}:{port}"),
        }
    }
}

/// A run of Odoo that installs and updates modules, and ends.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModulesRun {
    /// The Environment, as `Environment/name`.
    pub resource: String,
    /// The name of the container that it runs in.
    pub container: String,
    /// What the engine is asked to create: the application's image, mounts and network, another command.
    #[serde(skip)]
    pub body: Box<ContainerCreateBody>,
    /// Our operation label's value.
    pub operation_id: String,
    /// The database.
    pub database: DatabaseTarget,
    /// Whether the database is to be made or filled first: it has to be missing or empty then, and Odoo's otherwise.
    pub initialize: bool,
    /// For `-i`.
    pub install: Vec<String>,
    /// For `-u`.
    pub update: Vec<String>,
    /// Checksums to remember of those that are installed afterwards.
    pub checksums: BTreeMap<String, String>,
    /// The versions that the modules of the roots have afterwards.
    pub versions: BTreeMap<String, String>,
    /// Whether checksums of modules that the run did not name are remembered too: with `update: none` they are not current.
    pub is_whole: bool,
    /// What the image and all checksums are together.
    pub stamp: String,
    /// The series that the database has to be of afterwards.
    pub series: String,
    /// How long it may take.
    pub timeout: Duration,
    /// Where the log of the run is kept on the controller's machine.
    pub log: String,
}

/// What a run is for, as its container says it: its controller may die before it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunIntent {
    /// The fingerprint of the step: database, document, code and image.
    pub fingerprint: String,
    /// Whether the database was to be made or filled.
    pub initialize: bool,
    /// For `-i`.
    pub install: Vec<String>,
    /// For `-u`.
    pub update: Vec<String>,
    /// The commit that the code was at before it was moved for this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<String>,
}

/// What is probed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeTarget {
    /// The application's container.
    pub container: String,
    /// Its database.
    pub database: DatabaseTarget,
    /// The series that the database has to be of.
    pub series: String,
    /// Whether websockets are at the evented port.
    pub is_evented: bool,
}
