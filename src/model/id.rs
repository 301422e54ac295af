//! Names of things: kinds, resources, revisions, runs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The API group and version that every resource document carries.
pub const API_VERSION: &str = "ipai.dev/v1alpha1";

/// Kinds that the design names but this version does not implement; refused by name.
pub const KINDS_LATER: &[&str] =
    &["BackupPolicy", "MailRoute", "Pipeline", "CommandTemplate", "Monitor", "Policy"];

/// A kind of resource, in the order in which resources depend on one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// A machine that runs containers.
    Host,
    /// Code, wherever a resource needs a checkout of it.
    Repository,
    /// The addons of a checkout: repositories, branches, roots and mounts.
    AddonsLayout,
    /// A set of containers from Compose files.
    Stack,
    /// One Odoo.
    Environment,
}

impl Kind {
    /// All kinds of this version, in dependency order.
    pub const ALL: &'static [Kind] =
        &[Kind::Host, Kind::Repository, Kind::AddonsLayout, Kind::Stack, Kind::Environment];

    /// The kind as it is written in a document.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Host => "Host",
            Kind::Repository => "Repository",
            Kind::AddonsLayout => "AddonsLayout",
            Kind::Stack => "Stack",
            Kind::Environment => "Environment",
        }
    }

    /// The plural used by the CustomResourceDefinition and accepted on the command line.
    pub fn plural(self) -> &'static str {
        match self {
            Kind::Host => "hosts",
            Kind::Repository => "repositories",
            Kind::AddonsLayout => "addonslayouts",
            Kind::Stack => "stacks",
            Kind::Environment => "environments",
        }
    }

    /// Reads a kind in any case, singular or plural.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str().eq_ignore_ascii_case(text) || kind.plural().eq_ignore_ascii_case(text))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The identity of a resource; also its queue key and its lock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceId {
    /// The resource's kind.
    pub kind: Kind,
    /// Its name, unique within the kind.
    pub name: String,
}

impl ResourceId {
    /// Makes an identity of a kind and a name.
    pub fn new(kind: Kind, name: impl Into<String>) -> Self {
        ResourceId { kind, name: name.into() }
    }

    /// Reads `Kind/name` (the kind in any case, singular or plural).
    pub fn parse(text: &str) -> Option<ResourceId> {
        let (kind, name) = text.split_once('/')?;
        let kind = Kind::parse(kind)?;
        is_valid_name(name).then(|| ResourceId::new(kind, name))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.kind, self.name))
    }
}

impl Serialize for ResourceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        ResourceId::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not of the form Kind/name")))
    }
}

/// A name's longest length in bytes: a DNS label, as in Kubernetes.
pub const NAME_LENGTH_MAX: usize = 63;

/// Whether a resource name is a DNS label: lower case letters, digits and inner hyphens.
pub fn is_valid_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-';
    !bytes.is_empty()
        && bytes.len() <= NAME_LENGTH_MAX
        && bytes.iter().all(inner)
        && bytes[0] != b'-'
        && bytes[bytes.len() - 1] != b'-'
}

/// The commit that a desired state was read at, or the working tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// The branch, tag or revision expression that was asked for.
    pub reference: String,
    /// The full commit id; `None` for a working tree.
    pub commit: Option<String>,
}

impl Revision {
    /// The first seven characters of the commit, or `working tree`.
    pub fn short(&self) -> &str {
        match &self.commit {
            Some(commit) => &commit[..commit.len().min(7)],
            None => "working tree",
        }
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.commit {
            Some(_) => write!(f, "{} {}", self.reference, self.short()),
            None => f.write_str("working tree"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_in_any_case_and_number() {
        assert_eq!(Kind::parse("stacks"), Some(Kind::Stack));
        assert_eq!(Kind::parse("REPOSITORY"), Some(Kind::Repository));
        assert_eq!(Kind::parse("addonslayout"), Some(Kind::AddonsLayout));
        assert_eq!(Kind::parse("BackupPolicy"), None);
    }

    #[test]
    fn a_name_is_a_dns_label() {
        assert!(is_valid_name("odoo-prod-01"));
        for name in ["", "-a", "a-", "A", "a_b", "a/b", &"a".repeat(64)] {
            assert!(!is_valid_name(name), "{name}");
        }
    }
}
