//! Why an operation failed, and what a person can do about it.

use regex::Regex;

use crate::clients::docker::{Docker, DockerError};
use crate::engine::operation::WaitCondition;
use crate::engine::spec::ShareKind;

/// Why an operation on an engine failed.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine refused, or did not answer.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// A name is taken by something that this operation did not make.
    #[error("the {kind} name `{name}` is taken by {holder}")]
    NameTaken {
        /// `container`, `network` or `volume`.
        kind: &'static str,
        /// The name.
        name: String,
        /// Who has it, as a fragment.
        holder: String,
    },
    /// A port is taken.
    #[error("can't start `{container}`: port `{port}` is taken by {}", holder.as_deref().map_or("a program outside of Docker".to_owned(), |name| format!("container `{name}`")))]
    PortTaken {
        /// The container that should have started.
        container: String,
        /// The port, with its address when the engine named one.
        port: String,
        /// The container that publishes it, when it is one.
        holder: Option<String>,
    },
    /// The image to create from is not there.
    #[error("image `{reference}` is not on the engine")]
    ImageMissing {
        /// Its reference.
        reference: String,
    },
    /// The engine is too old for a field.
    #[error("`{field}` needs an engine with API {needs}; this one has {has}")]
    NotSupported {
        /// The field, in Compose's words.
        field: &'static str,
        /// The API version it came with.
        needs: String,
        /// The engine's.
        has: String,
    },
    /// A container whose namespace or volumes are to be shared is not there.
    #[error("can't share the {kind:?} of `{container}`: there is no such container")]
    ShareMissing {
        /// What was to be shared.
        kind: ShareKind,
        /// The container's name.
        container: String,
    },
    /// A container to wait for is not there.
    #[error("container `{container}` does not exist any more")]
    Vanished {
        /// Its name.
        container: String,
    },
    /// A container ended instead of becoming what was waited for.
    #[error("container `{container}` ended with exit code {exit_code}{}", last_words(output))]
    Ended {
        /// Its name.
        container: String,
        /// Its exit code.
        exit_code: i64,
        /// The end of its log, cut; may contain secrets, so redact it.
        output: String,
    },
    /// A wait took too long.
    #[error("container `{container}` was not {condition:?} within {seconds} s{}", last_words(output))]
    TimedOut {
        /// Its name.
        container: String,
        /// What was waited for.
        condition: WaitCondition,
        /// How long.
        seconds: u64,
        /// The last output of its health check; may contain secrets, so redact it.
        output: String,
    },
    /// A health was waited for that nothing checks.
    #[error("container `{container}` has no health check to wait for")]
    NoHealthCheck {
        /// Its name.
        container: String,
    },
    /// It was broken off because something newer is to be done.
    #[error("gave up to {what} `{which}`: cancelled")]
    Cancelled {
        /// What was under way.
        what: &'static str,
        /// On what.
        which: String,
    },
    /// Files could not be packed for a container.
    #[error("failed to pack files for a container")]
    Archive(#[source] std::io::Error),
}

impl EngineError {
    /// Whether trying again can help although nothing of ours changes.
    pub fn is_transient(&self) -> bool {
        match self {
            EngineError::Docker(err) => err.is_transient(),
            EngineError::PortTaken { .. }
            | EngineError::Vanished { .. }
            | EngineError::TimedOut { .. }
            | EngineError::Ended { .. }
            | EngineError::ShareMissing { .. } => true,
            _ => false,
        }
    }

    /// Whether it ended early because it was told to.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, EngineError::Cancelled { .. })
    }

    /// What to do next, as a sentence.
    pub fn hint(&self) -> Option<String> {
        match self {
            EngineError::NameTaken { kind: "container", name, .. } => Some(format!(
                "Look at it with `docker inspect {name}`; remove or rename it, or choose another name."
            )),
            EngineError::NameTaken { kind: "network" | "volume", .. } => {
                Some("Mark it `external: true` to use it as it is, or choose another name.".to_owned())
            }
            EngineError::PortTaken { holder: None, port, .. } => {
                Some(format!("Find the program with `ss -ltnup 'sport = :{}'`.", port.rsplit(':').next()?))
            }
            EngineError::PortTaken { .. } => Some("Publish another port, or stop that container.".to_owned()),
            EngineError::NotSupported { .. } => Some("Leave the field out, or update the engine.".to_owned()),
            EngineError::NoHealthCheck { .. } => {
                Some("Give the service a `healthcheck`, or wait for `service_started`.".to_owned())
            }
            EngineError::Docker(DockerError::Refused { what: PULL, message, .. })
                if is_registry_unreachable(message) =>
            {
                Some(
                    "The engine can't reach the registry: check its network, or bring the image there with `docker load`, \
                     or name one that it has."
                        .to_owned(),
                )
            }
            _ => None,
        }
    }
}

/// What the client calls a pull.
const PULL: &str = "pull image";

/// Whether the engine's words for a failed pull mean that nobody answered, rather than that the image is not there.
fn is_registry_unreachable(message: &str) -> bool {
    const WORDS: &[&str] = &[
        "dial tcp",
        "no such host",
        "i/o timeout",
        "Client.Timeout exceeded",
        "connection refused",
        "no route to host",
        "network is unreachable",
        "context deadline exceeded",
    ];
    WORDS.iter().any(|word| message.contains(word))
}

fn last_words(output: &str) -> String {
    if output.trim().is_empty() { String::new() } else { format!("; it last said: {}", output.trim()) }
}

/// Makes of a refused start a port that is taken, when it is that.
pub(super) async fn explain_start(docker: &Docker, id: &str, err: DockerError) -> EngineError {
    let DockerError::Refused { message, .. } = &err else { return err.into() };
    let Some(port) = taken_port(message) else { return err.into() };
    let containers = docker.containers().await.unwrap_or_default();
    let number = port.rsplit(':').next().unwrap_or_default();
    let name = |names: &Option<Vec<String>>| {
        names.as_ref().and_then(|names| names.first()).map(|name| name.trim_start_matches('/').to_owned())
    };
    let publishes = |container: &&bollard::models::ContainerSummary| {
        let ports = container.ports.as_deref().unwrap_or_default();
        ports.iter().any(|other| other.public_port.is_some_and(|other| other.to_string() == number))
    };
    let holder = containers.iter().find(publishes).and_then(|container| name(&container.names));
    let own = containers.iter().find(|container| container.id.as_deref() == Some(id));
    let container = own.and_then(|container| name(&container.names)).unwrap_or_else(|| id.to_owned());
    EngineError::PortTaken { container, port, holder }
}

/// The port in the engine's words for one that is taken.
fn taken_port(message: &str) -> Option<String> {
    let words = Regex::new(r"(?:for |tcp4? |udp4? |tcp6 |udp6 )?(\S*:\d+)(?: failed: port is already allocated|: bind: address already in use)")
        .expect("a fixed expression");
    Some(words.captures(message)?[1].to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_without_a_network_says_what_to_do() {
        let pull = |message: &str| {
            let (which, message) = ("busybox:1.37".to_owned(), message.to_owned());
            EngineError::Docker(DockerError::Refused { what: "pull image", which, status: 500, message })
                .hint()
        };
        let offline =
            "Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host";
        assert!(pull(offline).unwrap().contains("docker load"));
        assert_eq!(pull("manifest for busybox:1.37 not found: manifest unknown"), None);
    }

    #[test]
    fn a_taken_port_is_read_from_the_engines_words() {
        let docker = "driver failed programming external connectivity on endpoint a (bc): Bind for 0.0.0.0:8080 failed: port is already allocated";
        assert_eq!(taken_port(docker).as_deref(), Some("0.0.0.0:8080"));
        let other = "driver failed programming external connectivity on endpoint a (bc): Error starting userland proxy: listen tcp4 127.0.0.1:22: bind: address already in use";
        assert_eq!(taken_port(other).as_deref(), Some("127.0.0.1:22"));
        assert_eq!(taken_port("no such container"), None);
    }
}
