//! Connections to engines that all passes share.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex as StdMutex};

use tokio::sync::Mutex;

use super::docker::{Docker, DockerError, EngineTls};

/// By endpoint: what opens it, or why that is not known.
pub type EngineKeys = BTreeMap<String, Result<EngineTls, String>>;

/// Open connections to engines, one per endpoint.
#[derive(Clone, Default)]
pub struct Clients {
    engines: Arc<Mutex<HashMap<String, Docker>>>,
    keys: Arc<StdMutex<EngineKeys>>,
}

impl Clients {
    /// Takes over what opens the engines of a desired state. A connection that was opened with other keys is given up.
    pub async fn use_keys(&self, keys: &EngineKeys) {
        let changed: Vec<String> = {
            let mut known = self.keys.lock().expect("no holder of this lock panics");
            let changed = keys.iter().filter(|(endpoint, key)| known.get(*endpoint) != Some(*key));
            let changed = changed.map(|(endpoint, _)| endpoint.clone()).collect();
            known.clone_from(keys);
            changed
        };
        let mut engines = self.engines.lock().await;
        for endpoint in changed {
            engines.remove(&endpoint);
        }
    }

    /// The engine at an endpoint; connects when there is no connection yet or its tunnel ended.
    pub async fn docker(&self, endpoint: &str) -> Result<Docker, DockerError> {
        let known = self.engines.lock().await.get(endpoint).cloned();
        if let Some(docker) = known.filter(Docker::is_open) {
            return Ok(docker);
        }
        let docker = self.connect(endpoint).await?;
        self.engines.lock().await.insert(endpoint.to_owned(), docker.clone());
        Ok(docker)
    }

    /// A connection of the caller's own.
    pub async fn connect(&self, endpoint: &str) -> Result<Docker, DockerError> {
        let key = self.keys.lock().expect("no holder of this lock panics").get(endpoint).cloned();
        let key =
            key.transpose().map_err(|why| DockerError::Endpoint { endpoint: endpoint.to_owned(), why })?;
        Docker::connect(endpoint, key.as_ref()).await
    }
}
