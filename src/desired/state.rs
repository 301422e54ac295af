//! The desired state of one revision, typed and checked.

use std::collections::BTreeMap;

use crate::clients::EngineKeys;
use crate::engine::spec::ProjectSpec;
use crate::model::id::{ResourceId, Revision};
use crate::model::problem::Problem;
use crate::model::resource::{CommonSpec, Resource};
use crate::model::secret::Redactor;
use crate::skills::environment::operation::DatabaseTarget;
use crate::skills::environment::render::Rendered;
use crate::skills::environment::spec::EnvironmentSpec;
use crate::skills::host::spec::HostSpec;
use crate::skills::layout::spec::LayoutSpec;
use crate::skills::layout::wanted::WantedLayout;
use crate::skills::repository::checkout::CheckoutDesired;
use crate::skills::repository::spec::RepositorySpec;
use crate::skills::stack::spec::StackSpec;

/// Everything that one revision asks for. Exists only when the revision has no error.
#[derive(Debug, Clone)]
pub struct DesiredState {
    /// Where it was read.
    pub revision: Revision,
    /// Machines by name.
    pub hosts: BTreeMap<String, Resource<HostSpec>>,
    /// What opens engines that want to know who we are, by endpoint.
    pub engine_keys: EngineKeys,
    /// Repositories by name.
    pub repositories: BTreeMap<String, RepositoryDesired>,
    /// Layouts by name.
    pub layouts: BTreeMap<String, LayoutDesired>,
    /// Stacks by name.
    pub stacks: BTreeMap<String, StackDesired>,
    /// Environments by name.
    pub environments: BTreeMap<String, EnvironmentDesired>,
    /// Warnings and what is not enforced by this version.
    pub warnings: Vec<Problem>,
    /// Canonical hash over the digests of all resources.
    pub digest: String,
    /// Knows every secret value that was resolved while loading.
    pub redactor: Redactor,
}

/// A Repository with the commit that its reference means.
#[derive(Debug, Clone)]
pub struct RepositoryDesired {
    /// The document.
    pub resource: Resource<RepositorySpec>,
    /// The commit, or why it could not be found out.
    pub commit: Result<String, String>,
    /// The checkout on its host, when it has one and the commit is known.
    pub checkout: Option<CheckoutDesired>,
}

/// An AddonsLayout with what the files of its Repository declare.
#[derive(Debug, Clone)]
pub struct LayoutDesired {
    /// The document.
    pub resource: Resource<LayoutSpec>,
    /// The host of the checkout, when it is known.
    pub host: Option<String>,
    /// The absolute folder of the checkout; empty when it is not known.
    pub checkout: String,
    /// Whether the checkout is the controller's own.
    pub is_own: bool,
    /// What is declared at the wanted commit, or why that is not known.
    pub wanted: Result<WantedLayout, String>,
    /// The devcontainer at the wanted commit.
    pub devcontainer: Option<String>,
}

/// A Stack with what its Compose files mean.
#[derive(Debug, Clone)]
pub struct StackDesired {
    /// The document.
    pub resource: Resource<StackSpec>,
    /// The services, networks and volumes; or why they are not known (a repository that can't be
    /// reached, a secret without a value). Errors in the files themselves make the revision invalid.
    pub project: Result<ProjectSpec, StackUnknown>,
    /// The checkout of the state repository that relative binds need, when the stack has no Repository and needs files.
    pub checkout: Option<CheckoutDesired>,
}

/// An Environment with what it is.
#[derive(Debug, Clone)]
pub struct EnvironmentDesired {
    /// The document.
    pub resource: Resource<EnvironmentSpec>,
    /// Its containers, networks, volumes and files; or why they are not known.
    pub rendered: Result<Rendered, StackUnknown>,
    /// Its database.
    pub database: DatabaseTarget,
    /// The commit that has to run; `None` for a working tree, or when it is not known.
    pub commit: Option<String>,
    /// Where its modules are read: a git directory, or a folder when there is no commit.
    pub objects: String,
    /// The absolute folder of its code on the Host.
    pub code: String,
    /// The absolute folder of its own files on the Host.
    pub files: String,
    /// Its own checkout.
    pub checkout: Option<CheckoutDesired>,
}

impl EnvironmentDesired {
    /// Its containers, networks and volumes, when they are known.
    pub fn project(&self) -> Option<&ProjectSpec> {
        self.rendered.as_ref().ok().map(|rendered| &rendered.project)
    }
}

/// Why a stack's content is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackUnknown {
    /// Whether it is a secret that is missing (terminal until the input changes) or a source that can't be read (retried).
    pub secret_missing: bool,
    /// For people.
    pub why: String,
}

impl DesiredState {
    /// The identities of all resources in dependency order.
    pub fn ids(&self) -> Vec<ResourceId> {
        let hosts = self.hosts.values().map(|host| host.id.clone());
        let repositories = self.repositories.values().map(|repository| repository.resource.id.clone());
        let layouts = self.layouts.values().map(|layout| layout.resource.id.clone());
        let stacks = self.stacks.values().map(|stack| stack.resource.id.clone());
        let environments = self.environments.values().map(|environment| environment.resource.id.clone());
        hosts.chain(repositories).chain(layouts).chain(stacks).chain(environments).collect()
    }

    /// What every kind accepts, of one resource.
    pub fn common(&self, id: &ResourceId) -> Option<&CommonSpec> {
        use crate::model::id::Kind;
        match id.kind {
            Kind::Host => self.hosts.get(&id.name).map(|host| &host.common),
            Kind::Repository => self.repositories.get(&id.name).map(|repository| &repository.resource.common),
            Kind::AddonsLayout => self.layouts.get(&id.name).map(|layout| &layout.resource.common),
            Kind::Stack => self.stacks.get(&id.name).map(|stack| &stack.resource.common),
            Kind::Environment => self.environments.get(&id.name).map(|it| &it.resource.common),
        }
    }

    /// The canonical hash of one resource.
    pub fn digest_of(&self, id: &ResourceId) -> Option<&str> {
        use crate::model::id::Kind;
        match id.kind {
            Kind::Host => self.hosts.get(&id.name).map(|host| host.digest.as_str()),
            Kind::Repository => {
                self.repositories.get(&id.name).map(|repository| repository.resource.digest.as_str())
            }
            Kind::AddonsLayout => self.layouts.get(&id.name).map(|layout| layout.resource.digest.as_str()),
            Kind::Stack => self.stacks.get(&id.name).map(|stack| stack.resource.digest.as_str()),
            Kind::Environment => self.environments.get(&id.name).map(|it| it.resource.digest.as_str()),
        }
    }

    /// The name of the host that a resource acts on.
    pub fn host_of(&self, id: &ResourceId) -> Option<&str> {
        use crate::model::id::Kind;
        match id.kind {
            Kind::Host => self.hosts.get_key_value(&id.name).map(|(name, _)| name.as_str()),
            Kind::Repository => self.repositories.get(&id.name)?.resource.spec.host.as_deref(),
            Kind::AddonsLayout => self.layouts.get(&id.name)?.host.as_deref(),
            Kind::Stack => self.stacks.get(&id.name).map(|stack| stack.resource.spec.host.as_str()),
            Kind::Environment => self.environments.get(&id.name).map(|it| it.resource.spec.host.as_str()),
        }
    }

    /// What runs of one resource, when it is a kind that runs something and that is known.
    pub fn project(&self, id: &ResourceId) -> Option<&ProjectSpec> {
        use crate::model::id::Kind;
        match id.kind {
            Kind::Host | Kind::Repository | Kind::AddonsLayout => None,
            Kind::Stack => self.stacks.get(&id.name)?.project.as_ref().ok(),
            Kind::Environment => self.environments.get(&id.name)?.project(),
        }
    }

    /// Why it is not known what a resource is to run.
    pub fn unknown(&self, id: &ResourceId) -> Option<&StackUnknown> {
        use crate::model::id::Kind;
        match id.kind {
            Kind::Host | Kind::Repository | Kind::AddonsLayout => None,
            Kind::Stack => self.stacks.get(&id.name)?.project.as_ref().err(),
            Kind::Environment => self.environments.get(&id.name)?.rendered.as_ref().err(),
        }
    }
}
