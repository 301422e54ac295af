//! The fields of networks and volumes.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::HashMap;

use bollard::models::{Ipam, Network, NetworkCreateRequest, Volume, VolumeCreateRequest};
use serde_json::{Map, Value};

use super::Fields;
use crate::engine::labels;

/// The fields that a network asks for.
pub fn network_wanted(request: &NetworkCreateRequest) -> Fields {
    let mut fields = Fields::default();
    add_driver(&mut fields, request.driver.as_deref(), "bridge");
    fields.map("driver_opts", request.options.iter().flatten());
    fields.flag("internal", request.internal);
    fields.flag("attachable", request.attachable);
    fields.flag("enable_ipv6", request.enable_ipv6);
    add_labels(&mut fields, request.labels.as_ref());
    add_ipam(&mut fields, request.ipam.as_ref());
    fields
}

/// The fields of a network as the engine answers.
///
/// Of our own networks a label says whether address ranges were asked for; of others, a range from the engine's
/// own pools counts as chosen by the engine.
pub fn network_observed(network: &Network) -> Fields {
    let mut fields = Fields::default();
    add_driver(&mut fields, network.driver.as_deref(), "bridge");
    fields.map("driver_opts", network.options.iter().flatten());
    fields.flag("internal", network.internal);
    fields.flag("attachable", network.attachable);
    fields.flag("enable_ipv6", network.enable_ipv6);
    add_labels(&mut fields, network.labels.as_ref());
    add_ipam(&mut fields, network.ipam.as_ref());
    let label = |name: &str| network.labels.as_ref().and_then(|labels| labels.get(name));
    let engine_chose = match label(labels::RESOURCE) {
        Some(_) => label(labels::ASKED).is_none(),
        None => network.ipam.as_ref().is_some_and(is_from_default_pool),
    };
    if engine_chose {
        fields.0.remove("ipam.config");
    }
    fields
}

/// Whether the engine chose an address range: one of its own pools, with the first address as the gateway.
fn is_from_default_pool(ipam: &Ipam) -> bool {
    let Some([range]) = ipam.config.as_deref() else { return false };
    let (Some(subnet), Some(gateway)) = (&range.subnet, &range.gateway) else { return false };
    let Some((network, width)) = subnet.split_once('/') else { return false };
    let second: Option<u8> =
        network.strip_prefix("172.").and_then(|rest| rest.split('.').next()?.parse().ok());
    let is_pool = match width {
        "16" => second.is_some_and(|second| (17..=31).contains(&second)),
        "20" => network.starts_with("192.168."),
        _ => false,
    };
    is_pool && network.strip_suffix('0').is_some_and(|prefix| gateway == &format!("{prefix}1"))
}

/// The fields that a volume asks for.
pub fn volume_wanted(request: &VolumeCreateRequest) -> Fields {
    let mut fields = Fields::default();
    add_driver(&mut fields, request.driver.as_deref(), "local");
    fields.map("driver_opts", request.driver_opts.iter().flatten());
    add_labels(&mut fields, request.labels.as_ref());
    fields
}

/// The fields of a volume as the engine answers.
pub fn volume_observed(volume: &Volume) -> Fields {
    let mut fields = Fields::default();
    add_driver(&mut fields, Some(&volume.driver), "local");
    fields.map("driver_opts", volume.options.iter());
    add_labels(&mut fields, Some(&volume.labels));
    fields
}

fn add_driver(fields: &mut Fields, driver: Option<&str>, default: &str) {
    fields.text("driver", driver.filter(|driver| !matches!(*driver, "default") && *driver != default));
}

fn add_labels(fields: &mut Fields, all: Option<&HashMap<String, String>>) {
    let own = |name: &String| {
        !name.starts_with(labels::PREFIX)
            && !name.starts_with(labels::COMPOSE_PREFIX)
            && name != "com.docker.volume.anonymous"
    };
    fields.map("labels", all.into_iter().flatten().filter(|(name, _)| own(name)));
}

fn add_ipam(fields: &mut Fields, ipam: Option<&Ipam>) {
    let Some(ipam) = ipam else { return };
    fields.text("ipam.driver", ipam.driver.as_deref().filter(|driver| *driver != "default"));
    fields.map("ipam.options", ipam.options.iter().flatten());
    let ranges = ipam.config.iter().flatten().filter_map(|range| {
        let mut text = Map::new();
        for (name, value) in
            [("subnet", &range.subnet), ("ip_range", &range.ip_range), ("gateway", &range.gateway)]
        {
            if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
                text.insert(name.to_owned(), Value::from(value));
            }
        }
        for (name, value) in range.auxiliary_addresses.iter().flatten() {
            text.insert(format!("aux_addresses.{name}"), Value::from(value.as_str()));
        }
        (!text.is_empty()).then(|| crate::model::hash::canonical_json(&Value::Object(text)))
    });
    fields.set("ipam.config", ranges);
}
