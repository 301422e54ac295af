//! The YAML of an Environment's database.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::secret::SecretRef;

/// Where a database is: exactly one of these.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatabaseSpec {
    /// On a server of somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalDatabase>,
    /// On a server of its own, in a container beside the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedDatabase>,
}

/// A database on a server of somebody else's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalDatabase {
    /// The server's name or address, as application and controller reach it.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.:-]+$"))]
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The database's name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$"))]
    pub name: String,
    /// The role.
    #[schemars(length(min = 1))]
    pub user: String,
    /// Its password.
    pub password_from: SecretRef,
    /// How the connection is encrypted.
    #[serde(default)]
    pub sslmode: SslMode,
}

fn default_port() -> u16 {
    5432
}

/// How a connection is encrypted, in libpq's words.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SslMode {
    /// It is not.
    Disable,
    /// When the server can.
    #[default]
    Prefer,
    /// It is, whoever the server is.
    Require,
}

impl SslMode {
    /// libpq's word.
    pub fn as_str(self) -> &'static str {
        match self {
            SslMode::Disable => "disable",
            SslMode::Prefer => "prefer",
            SslMode::Require => "require",
        }
    }
}

/// A database on a server of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ManagedDatabase {
    /// The image of the server, such as `postgres:16`.
    #[schemars(length(min = 1))]
    pub image: String,
    /// The volume with its data; never removed.
    #[schemars(regex(pattern = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$"))]
    pub volume: String,
    /// The database's name.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$"))]
    pub name: String,
    /// The role that the server is made with.
    #[serde(default = "default_role")]
    #[schemars(regex(pattern = r"^[a-z_][a-z0-9_]{0,62}$"))]
    pub user: String,
    /// Its password; without it, one that is made from the controller's own key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_from: Option<SecretRef>,
    /// Settings of the server, such as `shared_buffers: 256MB`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Setting>,
}

/// The value of a setting of a database server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Setting {
    /// Text, such as `256MB`.
    Text(String),
    /// A number.
    Number(serde_json::Number),
    /// A truth value.
    Flag(bool),
}

impl std::fmt::Display for Setting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Setting::Text(text) => f.write_str(text),
            Setting::Number(number) => write!(f, "{number}"),
            Setting::Flag(flag) => f.write_str(if *flag { "on" } else { "off" }),
        }
    }
}

fn default_role() -> String {
    "odoo".to_owned()
}
