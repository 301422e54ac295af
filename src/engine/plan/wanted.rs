//! What a service asks of each of its containers, worked out once for all of them.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::time::Duration;

use bollard::models::RestartPolicyNameEnum;
use serde_json::Value;

use super::ProjectRequest;
use crate::engine::fields::{Fields, container_wanted, overlay};
use crate::engine::hash::{content_hash, secret_hash, spec_hash_of};
use crate::engine::spec::ServiceSpec;
use crate::model::known::Known;
use crate::model::time::parse_duration;

/// The engine's interval between health checks when nobody says one.
const HEALTH_INTERVAL_DEFAULT: Duration = Duration::from_secs(30);
/// How long a start without a health check takes, roughly.
const START_SECONDS: u64 = 1;

/// The image that a service's reference means on this engine.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ImageWanted {
    /// It is there, with this id.
    Present(String),
    /// The engine has none of that reference.
    Missing,
    /// It could not be read.
    Unknown(String),
}

/// What a service asks of each of its containers.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The service.
    pub service: &'a ServiceSpec,
    /// Its fields, with what the image adds when the image is known.
    pub fields: Fields,
    /// Whether the image's part of the fields is known.
    pub image_known: bool,
    /// The image.
    pub image: ImageWanted,
    /// See `engine::hash`.
    pub spec_hash: String,
    /// See `engine::hash`.
    pub secret_hash: Known<Option<String>>,
    /// See `engine::hash`.
    pub content_hash: Known<Option<String>>,
}

impl<'a> Wanted<'a> {
    /// Works out what a service asks for.
    pub fn new(request: &ProjectRequest<'a>, service: &'a ServiceSpec) -> Self {
        let own = container_wanted(service);
        let spec_hash = spec_hash_of(service, &own);
        let facts = request.facts.images.get(&service.image);
        let (fields, image_known, image) = match facts {
            Some(Known::Known(Some(image))) => {
                (overlay(&image.config, &own), true, ImageWanted::Present(image.id.clone()))
            }
            Some(Known::Known(None)) => (own, false, ImageWanted::Missing),
            Some(Known::Unknown(why)) => (own, false, ImageWanted::Unknown(why.clone())),
            None => (own, false, ImageWanted::Unknown("it was not looked up".to_owned())),
        };
        Wanted {
            service,
            fields,
            image_known,
            image,
            spec_hash,
            secret_hash: secret_hash(service, &request.facts.files, request.masking.key),
            content_hash: content_hash(service, &request.facts.files),
        }
    }

    /// Whether the containers have a health check, as far as is known.
    pub fn has_health_check(&self) -> bool {
        let test = self.fields.0.get("healthcheck.test").and_then(Value::as_array);
        test.is_some_and(|words| words.first().is_some_and(|first| first != "NONE"))
    }

    /// Whether an end with exit code 0 is what the service is for: nothing restarts it, nobody can reach it, and
    /// no health check watches it.
    pub fn may_complete(&self) -> bool {
        let host = self.service.container.host_config.as_ref();
        let policy = host.and_then(|host| host.restart_policy.as_ref()).and_then(|policy| policy.name);
        let restarts =
            matches!(policy, Some(RestartPolicyNameEnum::ALWAYS | RestartPolicyNameEnum::UNLESS_STOPPED));
        !restarts && !self.has_health_check() && !self.fields.0.contains_key("ports")
    }

    /// How long the service is away when it is replaced: the grace of the stop, then the start and the first check.
    pub fn downtime_seconds(&self) -> u64 {
        let start = match self.has_health_check() {
            false => START_SECONDS,
            true => {
                let interval = self.fields.0.get("healthcheck.interval").and_then(Value::as_str);
                interval.and_then(parse_duration).unwrap_or(HEALTH_INTERVAL_DEFAULT).as_secs().max(1)
            }
        };
        self.service.stop_grace_period.as_secs() + start
    }

    /// Parts of the specification that the engine never returns, so that only the hash can tell of them.
    pub fn has_invisible_parts(&self) -> bool {
        !self.service.injected.is_empty()
            || self.service.attachments.iter().any(|attachment| {
                let endpoint = &attachment.endpoint;
                endpoint.driver_opts.as_ref().is_some_and(|options| !options.is_empty())
                    || endpoint.links.as_ref().is_some_and(|links| !links.is_empty())
                    || endpoint.mac_address.is_some()
            })
    }
}
