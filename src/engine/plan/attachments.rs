//! The networks of one container against those that its service asks for.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::ProjectRequest;
use super::wanted::Wanted;
use crate::engine::observe::{AttachmentFacts, ContainerFacts};
use crate::engine::request::aliases_wanted;
use crate::engine::spec::AttachmentSpec;
use crate::model::change::FieldDiff;

/// How a container's networks differ.
#[derive(Debug, Default)]
pub(super) struct AttachmentDiff<'a> {
    /// Networks it should be attached to and is not.
    pub missing: Vec<&'a AttachmentSpec>,
    /// Networks it is attached to with other aliases or addresses.
    pub different: Vec<&'a AttachmentSpec>,
    /// Networks that were removed and made again under it: its attachment means one that is gone.
    pub stale: Vec<&'a AttachmentSpec>,
    /// Networks it is attached to and should not be.
    pub extra: Vec<String>,
    /// All of it as fields.
    pub fields: Vec<FieldDiff>,
}

impl AttachmentDiff<'_> {
    /// Whether something that is wanted is not so.
    pub fn lacks_something(&self) -> bool {
        !self.missing.is_empty() || !self.different.is_empty() || !self.stale.is_empty()
    }
}

/// Compares the networks of a container, the `number`-th of its service.
pub(super) fn compare<'a>(
    request: &ProjectRequest<'_>,
    wanted: &Wanted<'a>,
    number: u32,
    container: &ContainerFacts,
) -> AttachmentDiff<'a> {
    let mut found = AttachmentDiff::default();
    let service = wanted.service;
    let is_ignored =
        |network: &str| request.ignore.covers("services", &service.name, &format!("networks.{network}"));
    for attachment in service.attachments.iter().filter(|attachment| !is_ignored(&attachment.network)) {
        let field = format!("networks.{}", attachment.network);
        let aliases = aliases_wanted(request.project, service, number, attachment);
        let wish = describe(&aliases, addresses_wanted(attachment));
        match container.networks.get(&attachment.network) {
            None => {
                found.missing.push(attachment);
                found.fields.push(FieldDiff { field, before: None, after: Some(wish), secret: false });
            }
            Some(facts) if is_stale(request, attachment, facts) => {
                found.stale.push(attachment);
                let before = Some("a network that is gone".to_owned());
                found.fields.push(FieldDiff { field, before, after: Some(wish), secret: false });
            }
            Some(facts) => {
                let is = describe(&facts.aliases, (facts.ipv4_address.clone(), facts.ipv6_address.clone()));
                if is != wish {
                    found.different.push(attachment);
                    found.fields.push(FieldDiff {
                        field,
                        before: Some(is),
                        after: Some(wish),
                        secret: false,
                    });
                }
            }
        }
    }
    if !service.attachments.is_empty() {
        let wanted = |name: &String| service.attachments.iter().any(|attachment| attachment.network == *name);
        let extra = container.networks.keys().filter(|name| !wanted(name) && !is_ignored(name));
        found.extra.extend(extra.cloned());
    }
    found
}

fn is_stale(request: &ProjectRequest<'_>, attachment: &AttachmentSpec, facts: &AttachmentFacts) -> bool {
    let networks = request.index.networks(&attachment.network);
    !facts.network_id.is_empty() && networks.iter().all(|network| network.id != facts.network_id)
}

fn addresses_wanted(attachment: &AttachmentSpec) -> (Option<String>, Option<String>) {
    let config = attachment.endpoint.ipam_config.as_ref();
    let text = |address: Option<&String>| address.filter(|text| !text.is_empty()).cloned();
    (
        text(config.and_then(|config| config.ipv4_address.as_ref())),
        text(config.and_then(|c| c.ipv6_address.as_ref())),
    )
}

fn describe(aliases: &[String], (ipv4, ipv6): (Option<String>, Option<String>)) -> String {
    let mut parts = vec![format!("as {}", aliases.join(", "))];
    parts.extend(ipv4.map(|address| format!("at {address}")));
    parts.extend(ipv6.map(|address| format!("at {address}")));
    parts.join(" ")
}
