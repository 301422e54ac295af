//! The content of the Repositories that documents name: our copies of them, and the commits that are wanted.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::StreamExt as _;
use git2::Repository;

use super::revision::{resolve_head, resolve_reference};
use super::source::{Source, SourceError};
use super::tree::Tree;
use super::typed::Described;
use crate::clients::git::Remote;
use crate::clients::git_address::check_address;
use crate::clients::git_url::RemoteUrl;
use crate::clients::secrets::{SecretError, SecretResolver};
use crate::skills::repository::spec::RepositorySpec;

/// Fetches at the same time; more would only share the same line.
const FETCHES_MAX: usize = 4;

/// What is known of a repository's content.
pub struct Content {
    /// The wanted commit, or why it is not known.
    pub commit: Result<String, String>,
    /// Our copy of the objects.
    pub objects: PathBuf,
    /// Whether a reference that doesn't exist is the reason: the document is wrong, not the network.
    pub unknown_reference: Option<String>,
}

/// One fetch to make.
struct Fetch {
    name: String,
    url: RemoteUrl,
    credential: Result<Option<secrecy::SecretString>, SecretError>,
}

/// Brings the copies of all repositories up to date, and answers why some could not be.
pub async fn fetch_all(
    source: &Source,
    repositories: &[Described<RepositorySpec>],
    secrets: &SecretResolver,
    state: Tree,
) -> BTreeMap<String, String> {
    let fetches: Vec<Fetch> = repositories
        .iter()
        .filter_map(|repository| {
            let spec = &repository.resource.spec;
            let url = RemoteUrl::parse(&spec.url, &source.settings().allow).ok()?;
            let credential =
                spec.credential_from.as_ref().map(|from| secrets.resolve(from, &state)).transpose();
            Some(Fetch { name: repository.resource.id.name.clone(), url, credential })
        })
        .collect();
    // The tree is libgit2's and stays on this thread: gone before anything is awaited.
    drop(state);
    futures_util::stream::iter(fetches)
        .map(|fetch| async move {
            let credential = match &fetch.credential {
                Ok(credential) => credential.as_ref(),
                Err(err) => return Some((fetch.name, format!("its credential has no value: {err}"))),
            };
            let addresses = match check_address(&fetch.url, &source.settings().allow).await {
                Ok(addresses) => addresses,
                Err(why) => return Some((fetch.name, why)),
            };
            let remote = Remote { url: &fetch.url, credential, addresses: addresses.as_deref() };
            let fetched = source.git().fetch_mirror(remote).await;
            fetched.err().map(|err| (fetch.name, err.to_string()))
        })
        .buffer_unordered(FETCHES_MAX)
        .filter_map(std::future::ready)
        .collect()
        .await
}

/// Reads the wanted commit of a repository from our copy.
///
/// `failed` says why the last fetch failed: then the branch may have moved, and the commit is not known. A
/// commit that is named by its id never moves.
pub fn content(source: &Source, repository: &Described<RepositorySpec>, failed: Option<&String>) -> Content {
    let spec = &repository.resource.spec;
    let Ok(url) = RemoteUrl::parse(&spec.url, &source.settings().allow) else {
        return Content {
            commit: Err("its URL is not allowed".to_owned()),
            objects: PathBuf::new(),
            unknown_reference: None,
        };
    };
    let objects = source.git().mirror_path(&url);
    let unknown =
        |why: String| Content { commit: Err(why), objects: objects.clone(), unknown_reference: None };
    let copy = match Repository::open_bare(&objects) {
        Ok(copy) => copy,
        Err(_) => {
            let why = failed.cloned().unwrap_or_else(|| "it was never fetched".to_owned());
            return unknown(why);
        }
    };
    let name = &repository.resource.id.name;
    let found = match &spec.reference {
        Some(reference) => resolve_reference(&copy, reference, name),
        None => resolve_head(&copy, name),
    };
    let is_fixed = |commit: &str| spec.reference.as_ref().is_some_and(|reference| commit == reference);
    match (found, failed) {
        (Ok(revision), failed) => {
            let commit = revision.commit.unwrap_or_default();
            match failed {
                Some(why) if !is_fixed(&commit) => unknown(why.clone()),
                _ => Content { commit: Ok(commit), objects, unknown_reference: None },
            }
        }
        (Err(_), Some(why)) => unknown(why.clone()),
        (Err(err), None) => {
            let hint = err.hint();
            let is_unknown = matches!(err, SourceError::UnknownReference { .. });
            Content {
                commit: Err(err.to_string()),
                objects,
                unknown_reference: is_unknown.then(|| hint.unwrap_or_default()),
            }
        }
    }
}
