//! Connections to engines that all passes share.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Mutex;

use super::docker::{Docker, DockerError};

/// Open connections to engines, one per endpoint.
#[derive(Clone, Default)]
pub struct Clients {
    engines: Arc<Mutex<HashMap<String, Docker>>>,
}

impl Clients {
    /// The engine at an endpoint; connects when there is no connection yet or its tunnel ended.
    pub async fn docker(&self, endpoint: &str) -> Result<Docker, DockerError> {
        let known = self.engines.lock().await.get(endpoint).cloned();
        if let Some(docker) = known.filter(Docker::is_open) {
            return Ok(docker);
        }
        let docker = Docker::connect(endpoint).await?;
        self.engines.lock().await.insert(endpoint.to_owned(), docker.clone());
        Ok(docker)
    }
}
