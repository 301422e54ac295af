//! What a trigger tells the driver.

use std::time::Duration;

use crate::model::id::ResourceId;
use crate::record::requests::Request;
use crate::telemetry::Trigger;

/// How many wakes may wait for the driver; more than a restart of an engine with a hundred containers sends at once.
/// A full channel holds the trigger up, and with it the engine's stream: nothing is lost and nothing grows.
pub const WAKES_MAX: usize = 1024;

/// One reason to look somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wake {
    /// The state repository may have moved.
    Source(Trigger),
    /// Something happened to a resource's container.
    Resource {
        /// The resource.
        id: ResourceId,
        /// What happened.
        news: News,
    },
    /// Something happened on a host that may concern all that is on it.
    Host(String),
    /// A host's event stream was opened (again); events before it are lost.
    Connected(String),
    /// A minute passed by the wall clock.
    Heartbeat,
    /// Persons asked through the store.
    Requests(Vec<Request>),
}

/// What an event says of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    /// Something that ran stopped, or was taken away.
    Worse,
    /// The same, but the event that tells whether a person did it may follow within this time.
    WorseUnlessStopped(Duration),
    /// Something started or changed, as our own operations do too.
    Other,
}
