//! The ends of the logs of containers that a run changed.

use std::collections::BTreeMap;

use super::facts::Changed;
use crate::clients::Clients;
use crate::observed::observation::Observation;
use crate::plan::plan::Plan;

/// Lines of each log: what a person reads to see whether a start went well.
const LINES: usize = 50;
/// Logs in one pack; a run that changes more is a bulk change whose first containers show the pattern.
const LOGS_MAX: usize = 50;

/// Reads the last lines of every changed container that is there; a log that can't be read says why.
pub async fn tails(
    clients: &Clients,
    endpoints: &BTreeMap<String, String>,
    plan: &Plan,
    before: &Observation,
    after: &Observation,
) -> BTreeMap<String, String> {
    let changed = Changed::new(plan, before, after);
    let mut tails = BTreeMap::new();
    for host in changed.hosts() {
        let Some(facts) = after.hosts.get(&host).and_then(|facts| facts.known()) else { continue };
        let Some(endpoint) = endpoints.get(&host) else { continue };
        let Ok(docker) = clients.docker(endpoint).await else { continue };
        for container in changed.containers(&host, facts) {
            if tails.len() >= LOGS_MAX {
                return tails;
            }
            let text = match docker.log_tail(&container.id, LINES).await {
                Ok(tail) if tail.cut => format!("… (cut)\n{}", tail.text),
                Ok(tail) => tail.text,
                Err(err) => format!("(the log could not be read: {err})"),
            };
            tails.insert(format!("{host}-{}", container.name), text);
        }
    }
    tails
}
