//! What an engine's event means: where to look, and whether a person stopped something.
//!
//! 1. A container belongs to the resource that its label names; its networks' events name the container only, so the
//!    labels of what was seen are remembered.
//! 2. `docker stop` sends `kill` with the stop signal, `die` and then `stop`; `docker kill` and a crash send no `stop`. So a
//!    `die` after a gentle signal is looked at a little later: the `stop` that may follow tells whether it is to be honoured.
//! 3. A container that starts or goes away is not stopped any more.
//! 4. An image, a volume or a network that is not one container's concerns all of the host.
//!
//! Whether a stop was our own is not decided here: the journal knows.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::wake::News;
use crate::engine::labels;
use crate::model::id::ResourceId;

/// The actions that can mean something, as the engine filters them; health checks alone would otherwise send three events each.
pub const ACTIONS: &[&str] = &[
    "start",
    "kill",
    "die",
    "stop",
    "pause",
    "unpause",
    "destroy",
    "rename",
    "update",
    "health_status",
    "connect",
    "disconnect",
    "tag",
    "untag",
    "delete",
    "pull",
    "load",
    "import",
];
/// How long after a `die` the engine sends the `stop`: milliseconds, but under load it may take longer.
pub const STOP_FOLLOWS: Duration = Duration::from_millis(500);
/// How many containers are remembered; the engine's list at each connection brings them back.
const CONTAINERS_MAX: usize = 10_000;

/// An event, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event<'a> {
    /// `container`, `network`, `volume` or `image`.
    pub kind: &'a str,
    /// The action, such as `die` or `health_status: healthy`.
    pub action: &'a str,
    /// The engine's id of the thing.
    pub id: &'a str,
    /// Labels and particulars.
    pub attributes: &'a BTreeMap<String, String>,
    /// When.
    pub time: DateTime<Utc>,
}

/// What follows from an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Look at a resource.
    Resource(ResourceId, News),
    /// Look at all of the host.
    Host,
    /// A container of ours was stopped, by a person unless the journal says that it was us.
    Stopped {
        /// Its resource.
        resource: ResourceId,
        /// The engine's id.
        container: String,
        /// Its name.
        name: String,
        /// When.
        time: DateTime<Utc>,
    },
    /// A container of ours was told gently to end: a stop, perhaps.
    Told {
        /// The engine's id.
        container: String,
    },
    /// A container that was told so died; whether it was a stop is said soon.
    Died {
        /// The engine's id.
        container: String,
    },
    /// A container of ours runs again or is gone: no stop holds any more.
    Resumed {
        /// The engine's id.
        container: String,
    },
}

/// What is remembered between events of one host.
#[derive(Debug, Default)]
pub struct Watched {
    containers: BTreeMap<String, Seen>,
}

#[derive(Debug, Clone)]
struct Seen {
    resource: ResourceId,
    /// Whether it was told gently to end and has not ended yet.
    ending: bool,
}

impl Watched {
    /// Takes note of a container that the engine listed.
    pub fn container(&mut self, id: &str, labels: &BTreeMap<String, String>) {
        if let Some(resource) = owner(labels) {
            self.remember(id, resource);
        }
    }

    /// Says what follows from an event.
    pub fn event(&mut self, event: &Event<'_>) -> Vec<Effect> {
        match event.kind {
            "container" => self.container_event(event),
            "network" => self.network_event(event),
            "volume" if event.action == "destroy" => vec![Effect::Host],
            "image" => vec![Effect::Host],
            _ => Vec::new(),
        }
    }

    fn container_event(&mut self, event: &Event<'_>) -> Vec<Effect> {
        // Whoever began it may be gone; what it did is looked at when it ends.
        if let Some(resource) = event.attributes.get(labels::RUN).and_then(|text| ResourceId::parse(text)) {
            let has_ended = event.action == "die";
            return has_ended.then_some(Effect::Resource(resource, News::Worse)).into_iter().collect();
        }
        let Some(resource) = owner(event.attributes).or_else(|| self.owner_of(event.id)) else {
            return Vec::new();
        };
        self.remember(event.id, resource.clone());
        let wake = |news| Effect::Resource(resource.clone(), news);
        let resumed = || Effect::Resumed { container: event.id.to_owned() };
        let seen = self.containers.get_mut(event.id).expect("it was just remembered");
        match event.action {
            "kill" => {
                // Without a word the engine kills with 9, which no `stop` sends first.
                let signal = event.attributes.get("signal").map_or("9", String::as_str);
                if matches!(signal, "9" | "KILL" | "SIGKILL") {
                    return Vec::new();
                }
                seen.ending = true;
                vec![Effect::Told { container: event.id.to_owned() }]
            }
            "die" if std::mem::take(&mut seen.ending) => {
                let died = Effect::Died { container: event.id.to_owned() };
                vec![died, wake(News::WorseUnlessStopped(STOP_FOLLOWS))]
            }
            "die" | "pause" => vec![wake(News::Worse)],
            "stop" => {
                let name = event.attributes.get("name").cloned().unwrap_or_default();
                let (container, time) = (event.id.to_owned(), event.time);
                vec![Effect::Stopped { resource: resource.clone(), container, name, time }, wake(News::Worse)]
            }
            "destroy" => {
                self.containers.remove(event.id);
                vec![resumed(), wake(News::Worse)]
            }
            "start" => {
                seen.ending = false;
                vec![resumed(), wake(News::Other)]
            }
            "health_status: unhealthy" => vec![wake(News::Worse)],
            "unpause" | "rename" | "update" => vec![wake(News::Other)],
            action if action.starts_with("health_status") => vec![wake(News::Other)],
            _ => Vec::new(),
        }
    }

    fn network_event(&self, event: &Event<'_>) -> Vec<Effect> {
        let resource = event.attributes.get("container").and_then(|id| self.owner_of(id));
        match (event.action, resource) {
            ("disconnect", Some(resource)) => vec![Effect::Resource(resource, News::Worse)],
            ("connect", Some(resource)) => vec![Effect::Resource(resource, News::Other)],
            ("destroy", _) => vec![Effect::Host],
            _ => Vec::new(),
        }
    }

    fn owner_of(&self, id: &str) -> Option<ResourceId> {
        self.containers.get(id).map(|seen| seen.resource.clone())
    }

    fn remember(&mut self, id: &str, resource: ResourceId) {
        if self.containers.len() >= CONTAINERS_MAX && !self.containers.contains_key(id) {
            self.containers.pop_first();
        }
        self.containers.entry(id.to_owned()).or_insert(Seen { resource, ending: false });
    }
}

fn owner(labels: &BTreeMap<String, String>) -> Option<ResourceId> {
    labels.get(labels::RESOURCE).and_then(|text| ResourceId::parse(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::Kind;

    #[test]
    fn the_end_of_a_run_wakes_its_environment_and_nothing_else_of_it_does() {
        let mut watched = Watched::default();
        let shop = ResourceId::new(Kind::Environment, "shop");
        let run = [("dev.ipai.run", "Environment/shop")];
        assert_eq!(see(&mut watched, "container", "start", &run), []);
        assert_eq!(see(&mut watched, "container", "die", &run), [Effect::Resource(shop, News::Worse)]);
    }

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn see(watched: &mut Watched, kind: &str, action: &str, attributes: &[(&str, &str)]) -> Vec<Effect> {
        let attributes = map(attributes);
        watched.event(&Event { kind, action, id: "c1", attributes: &attributes, time: DateTime::UNIX_EPOCH })
    }

    fn watched() -> (Watched, ResourceId) {
        let mut watched = Watched::default();
        watched.container("c1", &map(&[("dev.ipai.resource", "Stack/web"), ("name", "web-1")]));
        (watched, ResourceId::new(Kind::Stack, "web"))
    }

    #[test]
    fn a_killed_or_crashed_container_is_looked_at_without_waiting() {
        let (mut watched, web) = watched();
        assert!(see(&mut watched, "container", "kill", &[("signal", "9")]).is_empty());
        assert_eq!(see(&mut watched, "container", "die", &[]), [Effect::Resource(web.clone(), News::Worse)]);
        assert_eq!(see(&mut watched, "container", "die", &[]), [Effect::Resource(web, News::Worse)]);
    }

    #[test]
    fn a_stop_is_told_from_a_kill_by_the_event_that_follows() {
        let (mut watched, web) = watched();
        let told = Effect::Told { container: "c1".into() };
        assert_eq!(see(&mut watched, "container", "kill", &[("signal", "15")]), [told]);
        // A container that ignores the signal is killed with 9 in the end; that changes nothing.
        assert!(see(&mut watched, "container", "kill", &[("signal", "9")]).is_empty());
        let later = News::WorseUnlessStopped(STOP_FOLLOWS);
        assert_eq!(
            see(&mut watched, "container", "die", &[]),
            [Effect::Died { container: "c1".into() }, Effect::Resource(web.clone(), later)]
        );
        let stopped = Effect::Stopped {
            resource: web.clone(),
            container: "c1".into(),
            name: "web-1".into(),
            time: DateTime::UNIX_EPOCH,
        };
        assert_eq!(
            see(&mut watched, "container", "stop", &[("name", "web-1")]),
            [stopped, Effect::Resource(web.clone(), News::Worse)]
        );
        assert_eq!(
            see(&mut watched, "container", "start", &[]),
            [Effect::Resumed { container: "c1".into() }, Effect::Resource(web.clone(), News::Other)]
        );
        assert_eq!(see(&mut watched, "container", "die", &[]), [Effect::Resource(web, News::Worse)]);
    }

    #[test]
    fn a_network_event_wakes_the_resource_of_its_container_only() {
        let (mut watched, web) = watched();
        let cut = see(&mut watched, "network", "disconnect", &[("container", "c1"), ("name", "n")]);
        assert_eq!(cut, [Effect::Resource(web, News::Worse)]);
        assert!(see(&mut watched, "network", "disconnect", &[("container", "of others")]).is_empty());
        assert_eq!(see(&mut watched, "network", "destroy", &[("name", "n")]), [Effect::Host]);
    }

    #[test]
    fn containers_of_others_and_what_means_nothing_wake_nobody() {
        let mut watched = Watched::default();
        for action in ["die", "stop", "destroy", "start"] {
            assert!(see(&mut watched, "container", action, &[("name", "theirs")]).is_empty());
        }
        let ours = [("dev.ipai.resource", "Stack/web")];
        for action in ["exec_create: sh", "create", "attach", "oom"] {
            assert!(see(&mut watched, "container", action, &ours).is_empty(), "{action}");
        }
        assert!(see(&mut watched, "volume", "mount", &[]).is_empty());
    }

    #[test]
    fn images_and_lost_volumes_concern_the_whole_host() {
        let mut watched = Watched::default();
        assert_eq!(see(&mut watched, "image", "tag", &[("name", "web:1")]), [Effect::Host]);
        assert_eq!(see(&mut watched, "volume", "destroy", &[]), [Effect::Host]);
    }

    #[test]
    fn memory_of_containers_is_bounded() {
        let mut watched = Watched::default();
        for i in 0..CONTAINERS_MAX + 10 {
            watched.container(&format!("c{i}"), &map(&[("dev.ipai.resource", "Stack/web")]));
        }
        assert_eq!(watched.containers.len(), CONTAINERS_MAX);
    }
}
