//! The YAML of a Host.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::resource::CommonSpec;
use crate::model::secret::SecretRef;

/// A machine that runs containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostSpec {
    /// What every kind accepts.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The machine's address, for people and probes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Other names of the machine.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The container engine.
    #[serde(default)]
    pub engine: EngineSpec,
    /// Names that begin so are never deleted by any plan.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub protected_prefixes: Vec<String>,
    /// The droplet behind the machine. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub droplet: Option<Value>,
    /// The nginx sites of the machine. Not enforced by this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Value>,
    /// What environments and temporary stacks together may use: `memory` is held against their limits, `disk` is not enforced by
    /// this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Value>,
}

/// How the container engine is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EngineSpec {
    /// `unix:///var/run/docker.sock`, `ssh://user@machine`, or `tcp://machine:2376` with `tls`.
    #[serde(default = "default_endpoint")]
    #[schemars(regex(pattern = r"^(unix:///|ssh://|tcp://).+"))]
    pub endpoint: String,
    /// Certificate, key and authority for `tcp://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
}

/// Mutual TLS for an engine that is reached by `tcp://`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TlsSpec {
    /// The authority's certificate in PEM.
    pub ca_from: SecretRef,
    /// Our certificate in PEM.
    pub cert_from: SecretRef,
    /// Our key in PEM.
    pub key_from: SecretRef,
}

fn default_endpoint() -> String {
    "unix:///var/run/docker.sock".to_owned()
}

impl Default for EngineSpec {
    fn default() -> Self {
        EngineSpec { endpoint: default_endpoint(), tls: None }
    }
}
