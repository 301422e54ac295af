//! The shape of a Compose file: which fields there are, what they hold, what is supported.
//!
//! One table for three readers: `shape` checks with it, `canonical` leaves what it describes, `output` prints by it.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::kind::Kind::*;
use super::kind::{Field, Kind, Record, Support, field, inert, kept, record, refused};
use super::schema_service::SERVICE;

const MODELS: &str = "models are not run";

/// The whole file.
pub(super) static FILE: Record = record(&[
    inert("version", Text, "the attribute is obsolete; Compose ignores it"),
    field("name", Text),
    field("include", List(&INCLUDE)),
    field("services", Named(&Fields(&SERVICE))),
    field("networks", Named(&Nullable(&Fields(&NETWORK)))),
    field("volumes", Named(&Nullable(&Fields(&VOLUME)))),
    field("secrets", Named(&Fields(&SECRET))),
    field("configs", Named(&Fields(&CONFIG))),
    refused("models", MODELS),
]);

static INCLUDE: Kind = Either(&[
    Text,
    Fields(&Record {
        fields: &[
            field("path", TextOrTexts),
            field("env_file", TextOrTexts),
            field("project_directory", Text),
        ],
        extensions: false,
        required: &["path"],
    }),
]);

/// `external: {name: …}`, the old form of `external: true` with a name.
static EXTERNAL: Record = record(&[field("name", Text)]);

static NETWORK: Record = record(&[
    field("name", Text),
    field("driver", Text),
    field("driver_opts", Options),
    field("ipam", Fields(&IPAM)),
    field("external", Either(&[Flag, Fields(&EXTERNAL)])),
    field("internal", Flag),
    kept("enable_ipv4", Flag),
    kept("enable_ipv6", Flag),
    field("attachable", Flag),
    field("labels", KeyValues(false)),
]);
static IPAM: Record = record(&[
    field("driver", Text),
    field("config", List(&Fields(&POOL))),
    Field {
        name: "options",
        kind: Options,
        keep: false,
        support: Support::Dropped("Compose does not pass it to the engine"),
    },
]);
static POOL: Record = record(&[
    field("subnet", Text),
    field("gateway", Text),
    field("ip_range", Text),
    field("aux_addresses", Map(&Text)),
]);
static VOLUME: Record = record(&[
    field("name", Text),
    field("driver", Text),
    field("driver_opts", Options),
    field("external", Either(&[Flag, Fields(&EXTERNAL)])),
    field("labels", KeyValues(false)),
]);
const STORE: &str = "it needs Swarm's store";
static SECRET: Record = record(&[
    field("name", Text),
    field("environment", Text),
    field("file", Text),
    refused("external", STORE),
    field("labels", KeyValues(false)),
    refused("driver", STORE),
    refused("driver_opts", STORE),
    refused("template_driver", STORE),
]);
static CONFIG: Record = record(&[
    field("name", Text),
    field("content", Text),
    field("environment", Text),
    field("file", Text),
    refused("external", STORE),
    field("labels", KeyValues(false)),
    refused("template_driver", STORE),
]);

/// The kind of a whole file.
pub(super) static ROOT: Kind = Fields(&FILE);
/// The kind of one service.
pub(super) static SERVICE_KIND: Kind = Fields(&SERVICE);
