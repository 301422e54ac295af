//! Containers: questions and changes.

use std::time::Duration;

use bollard::body_full;
use bollard::models::{
    ContainerCreateBody, ContainerCreateResponse, ContainerInspectResponse, ContainerSummary,
    ContainerUpdateBody,
};
use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, CreateContainerOptionsBuilder, InspectContainerOptions,
    ListContainersOptionsBuilder, RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder,
    RestartContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
    UploadToContainerOptionsBuilder,
};

use super::{Docker, DockerError, READ_DEADLINE, WRITE_DEADLINE};

impl Docker {
    /// All containers, running or not.
    pub async fn containers(&self) -> Result<Vec<ContainerSummary>, DockerError> {
        // Without sizes: the engine would walk every file of every container.
        let options = ListContainersOptionsBuilder::default().all(true).size(false).build();
        self.call("list containers", "", READ_DEADLINE, self.api.list_containers(Some(options))).await
    }

    /// One container by id or name; `None` when there is none.
    pub async fn container(&self, id: &str) -> Result<Option<ContainerInspectResponse>, DockerError> {
        let what = "inspect container";
        let id = Docker::checked(what, id)?;
        let call = self.api.inspect_container(id, None::<InspectContainerOptions>);
        found(self.call(what, id, READ_DEADLINE, call).await)
    }

    /// Makes a container and gives its id. Without a platform, the engine takes the image as it is.
    pub async fn create_container(
        &self,
        name: &str,
        platform: Option<&str>,
        body: ContainerCreateBody,
    ) -> Result<ContainerCreateResponse, DockerError> {
        let what = "create container";
        let name = Docker::checked(what, name)?;
        let options = CreateContainerOptionsBuilder::default().name(name);
        let options = options.platform(platform.unwrap_or_default()).build();
        self.call(what, name, WRITE_DEADLINE, self.api.create_container(Some(options), body)).await
    }

    /// Starts a container; one that runs stays as it is.
    pub async fn start_container(&self, id: &str) -> Result<(), DockerError> {
        let what = "start container";
        let id = Docker::checked(what, id)?;
        self.call(what, id, WRITE_DEADLINE, self.api.start_container(id, None::<StartContainerOptions>)).await
    }

    /// Stops a container; one that is stopped stays as it is.
    pub async fn stop_container(&self, id: &str, grace: Duration) -> Result<(), DockerError> {
        let what = "stop container";
        let id = Docker::checked(what, id)?;
        let options = StopContainerOptionsBuilder::default().t(seconds(grace)).build();
        self.call(what, id, WRITE_DEADLINE + grace, self.api.stop_container(id, Some(options))).await
    }

    /// Restarts a container.
    pub async fn restart_container(&self, id: &str, grace: Duration) -> Result<(), DockerError> {
        let what = "restart container";
        let id = Docker::checked(what, id)?;
        let options = RestartContainerOptionsBuilder::default().t(seconds(grace)).build();
        self.call(what, id, WRITE_DEADLINE + grace, self.api.restart_container(id, Some(options))).await
    }

    /// Unfreezes a container.
    pub async fn unpause_container(&self, id: &str) -> Result<(), DockerError> {
        let what = "unpause container";
        let id = Docker::checked(what, id)?;
        self.call(what, id, WRITE_DEADLINE, self.api.unpause_container(id)).await
    }

    /// Changes limits or the restart policy of a container in place; what is not set stays.
    pub async fn update_container(&self, id: &str, update: ContainerUpdateBody) -> Result<(), DockerError> {
        let what = "update container";
        let id = Docker::checked(what, id)?;
        self.call(what, id, WRITE_DEADLINE, self.api.update_container(id, update)).await
    }

    /// Removes a stopped container. Its volumes stay, anonymous ones too.
    pub async fn remove_container(&self, id: &str) -> Result<(), DockerError> {
        let what = "remove container";
        let id = Docker::checked(what, id)?;
        let options = RemoveContainerOptionsBuilder::default().v(false).force(false).build();
        self.call(what, id, WRITE_DEADLINE, self.api.remove_container(id, Some(options))).await
    }

    /// Gives a container another name.
    pub async fn rename_container(&self, id: &str, name: &str) -> Result<(), DockerError> {
        let what = "rename container";
        let (id, name) = (Docker::checked(what, id)?, Docker::checked(what, name)?);
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        self.call(what, id, WRITE_DEADLINE, self.api.rename_container(id, options)).await
    }

    /// Whether a path exists in the filesystem of a container, its volumes included; the container need not run.
    pub async fn has_path(&self, id: &str, path: &str) -> Result<bool, DockerError> {
        let what = "look into container";
        let id = Docker::checked(what, id)?;
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        let call = self.api.get_container_archive_info(id, Some(options));
        match self.call(what, id, READ_DEADLINE, call).await {
            Ok(_) => Ok(true),
            Err(err) if err.is_not_found() => Ok(false),
            Err(err) => Err(err),
        }
    }

    /// Unpacks an archive at the root of a container.
    pub async fn copy_into(&self, id: &str, archive: Vec<u8>) -> Result<(), DockerError> {
        let what = "copy files into container";
        let id = Docker::checked(what, id)?;
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        let call = self.api.upload_to_container(id, Some(options), body_full(archive.into()));
        self.call(what, id, WRITE_DEADLINE, call).await
    }
}

/// Nothing instead of an error when the engine has no such thing.
pub(super) fn found<T>(answer: Result<T, DockerError>) -> Result<Option<T>, DockerError> {
    match answer {
        Ok(thing) => Ok(Some(thing)),
        Err(err) if err.is_not_found() => Ok(None),
        Err(err) => Err(err),
    }
}

/// Whole seconds, as the engine counts: rounded up, so that a short grace is not none.
fn seconds(grace: Duration) -> i32 {
    i32::try_from(grace.as_millis().div_ceil(1000)).unwrap_or(i32::MAX)
}
