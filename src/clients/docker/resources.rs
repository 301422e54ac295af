//! Networks, volumes and images: questions and changes. Removing volumes or images is not among them.

use bollard::models::{
    EndpointSettings, ImageInspect, Network, NetworkConnectRequest, NetworkCreateRequest,
    NetworkDisconnectRequest, NetworkInspect, Volume, VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateImageOptionsBuilder, InspectNetworkOptions, ListNetworksOptions, ListVolumesOptions,
};
use futures_util::TryStreamExt as _;

use super::containers::found;
use super::{Docker, DockerError, PULL_DEADLINE, READ_DEADLINE, WRITE_DEADLINE};

impl Docker {
    /// All networks.
    pub async fn networks(&self) -> Result<Vec<Network>, DockerError> {
        let call = self.api.list_networks(None::<ListNetworksOptions>);
        self.call("list networks", "", READ_DEADLINE, call).await
    }

    /// One network by id or name, with what is attached to it; `None` when there is none.
    pub async fn network(&self, id: &str) -> Result<Option<NetworkInspect>, DockerError> {
        let what = "inspect network";
        let id = Docker::checked(what, id)?;
        found(
            self.call(what, id, READ_DEADLINE, self.api.inspect_network(id, None::<InspectNetworkOptions>))
                .await,
        )
    }

    /// Makes a network and gives its id.
    pub async fn create_network(&self, request: NetworkCreateRequest) -> Result<String, DockerError> {
        let what = "create network";
        let name = Docker::checked(what, &request.name)?.to_owned();
        Ok(self.call(what, &name, WRITE_DEADLINE, self.api.create_network(request)).await?.id)
    }

    /// Removes a network that nothing uses.
    pub async fn remove_network(&self, id: &str) -> Result<(), DockerError> {
        let what = "remove network";
        let id = Docker::checked(what, id)?;
        self.call(what, id, WRITE_DEADLINE, self.api.remove_network(id)).await
    }

    /// Attaches a container to a network.
    pub async fn connect_network(
        &self,
        network: &str,
        container: &str,
        endpoint: EndpointSettings,
    ) -> Result<(), DockerError> {
        let what = "connect to network";
        let network = Docker::checked(what, network)?;
        let request =
            NetworkConnectRequest { container: container.to_owned(), endpoint_config: Some(endpoint) };
        self.call(what, network, WRITE_DEADLINE, self.api.connect_network(network, request)).await
    }

    /// Detaches a container from a network, also one that does not run.
    pub async fn disconnect_network(&self, network: &str, container: &str) -> Result<(), DockerError> {
        let what = "disconnect from network";
        let network = Docker::checked(what, network)?;
        let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(true) };
        self.call(what, network, WRITE_DEADLINE, self.api.disconnect_network(network, request)).await
    }

    /// All volumes.
    pub async fn volumes(&self) -> Result<Vec<Volume>, DockerError> {
        let call = self.api.list_volumes(None::<ListVolumesOptions>);
        let answer = self.call("list volumes", "", READ_DEADLINE, call).await?;
        Ok(answer.volumes.unwrap_or_default())
    }

    /// One volume by name; `None` when there is none.
    pub async fn volume(&self, name: &str) -> Result<Option<Volume>, DockerError> {
        let what = "inspect volume";
        let name = Docker::checked(what, name)?;
        found(self.call(what, name, READ_DEADLINE, self.api.inspect_volume(name)).await)
    }

    /// Makes a volume. One of that name that exists stays as it is: the engine does not say that it did.
    pub async fn create_volume(&self, request: VolumeCreateRequest) -> Result<Volume, DockerError> {
        let what = "create volume";
        let name = Docker::checked(what, request.name.as_deref().unwrap_or_default())?.to_owned();
        self.call(what, &name, WRITE_DEADLINE, self.api.create_volume(request)).await
    }

    /// One image by reference or id; `None` when the engine has none.
    pub async fn image(&self, reference: &str) -> Result<Option<ImageInspect>, DockerError> {
        let what = "inspect image";
        let reference = Docker::checked(what, reference)?;
        found(self.call(what, reference, READ_DEADLINE, self.api.inspect_image(reference)).await)
    }

    /// Fetches an image; `progress` hears what the engine says.
    pub async fn pull(
        &self,
        reference: &str,
        platform: Option<&str>,
        progress: &(dyn Fn(&str) + Sync),
    ) -> Result<(), DockerError> {
        let what = "pull image";
        // Without a tag the engine would fetch every tag there is.
        let reference = crate::model::reference::normal_reference(Docker::checked(what, reference)?);
        let options = CreateImageOptionsBuilder::default().from_image(&reference);
        let options = options.platform(platform.unwrap_or_default()).build();
        let pull = async {
            let mut answers = std::pin::pin!(self.api.create_image(Some(options), None, None));
            while let Some(answer) = answers.try_next().await? {
                if let Some(status) = answer.status {
                    progress(&status);
                }
            }
            Ok(())
        };
        self.call(what, &reference, PULL_DEADLINE, pull).await
    }
}
