//! The right to change resources: taken before the first operation, renewed, given back when it is dropped.
//!
//! A lease that could not be renewed in time counts as lost by this process's own clock, before anybody else
//! may take it; the journal reads the fencing number again before every operation.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::model::id::ResourceId;
use crate::record::locks::{Fences, LEASE, LockInfo, LockRequest, Locked};
use crate::record::store::{Store, StoreError};

/// How often a lease is renewed: two thirds of it, so that one slow write does not lose it.
const RENEW_EVERY: Duration = Duration::from_secs(10);
/// How soon a renewal that failed is tried again, and how often a held lock is looked at.
const RETRY_EVERY: Duration = Duration::from_secs(2);

/// Why a lock could not be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else acts on one of the resources.
    #[error("{} is locked by {} since {} ({})", .0.resource, .0.holder, .0.acquired.format("%Y-%m-%dT%H:%M:%SZ"), .0.why)]
    Held(Box<LockInfo>),
    /// Somebody else acted on one of them since it was observed.
    #[error("{0} was changed by another run since it was observed")]
    Moved(ResourceId),
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Locks that are held by this process.
#[derive(Debug)]
pub struct Lease {
    store: Store,
    fences: Arc<Fences>,
    lost: CancellationToken,
    renewal: JoinHandle<()>,
    released: bool,
}

impl Lease {
    /// Takes the locks of all resources or none; waits up to `patience` while others hold one.
    pub async fn acquire(
        store: &Store,
        resources: &BTreeSet<ResourceId>,
        request: &LockRequest<'_>,
        patience: Duration,
    ) -> Result<Lease, LockError> {
        let begun = Instant::now();
        loop {
            match store.lock(resources, request, Utc::now()).await? {
                Locked::Ours(fences) => return Ok(Lease::hold(store.clone(), fences)),
                Locked::Moved(resource) => return Err(LockError::Moved(resource)),
                Locked::Held(info) if begun.elapsed() >= patience => return Err(LockError::Held(info)),
                Locked::Held(_) => {
                    tokio::time::sleep(RETRY_EVERY.min(patience.saturating_sub(begun.elapsed()))).await;
                }
            }
        }
    }

    fn hold(store: Store, fences: Fences) -> Lease {
        let fences = Arc::new(fences);
        let lost = CancellationToken::new();
        let renewal = tokio::spawn(renew(store.clone(), fences.clone(), lost.clone()));
        Lease { store, fences, lost, renewal, released: false }
    }

    /// The fencing number of a resource's lock.
    pub fn fencing(&self, resource: &ResourceId) -> Option<i64> {
        self.fences.get(resource).copied()
    }

    /// Is cancelled when the lease is lost.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    /// Gives the locks back.
    pub async fn release(mut self) -> Result<(), StoreError> {
        self.released = true;
        self.renewal.abort();
        self.store.release(&self.fences).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
        if self.released {
            return;
        }
        // Without a runtime the lease ends by itself, at once if this process ends.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (store, fences) = (self.store.clone(), self.fences.clone());
            runtime.spawn(async move {
                if let Err(err) = store.release(&fences).await {
                    tracing::warn!(%err, "failed to release locks; they end within {} s", LEASE.as_secs());
                }
            });
        }
    }
}

/// Renews until the lease is lost: taken by another, or not renewed within its time by our own clock.
async fn renew(store: Store, fences: Arc<Fences>, lost: CancellationToken) {
    let mut renewed = Instant::now();
    let mut pause = RENEW_EVERY;
    loop {
        let left = LEASE.saturating_sub(renewed.elapsed());
        tokio::time::sleep(pause.min(left)).await;
        let begun = Instant::now();
        if renewed.elapsed() >= LEASE {
            break;
        }
        let left = LEASE.saturating_sub(renewed.elapsed());
        match tokio::time::timeout(left, store.renew(&fences, Utc::now())).await {
            Ok(Ok(true)) => (renewed, pause) = (begun, RENEW_EVERY),
            Ok(Ok(false)) => break,
            Ok(Err(err)) => {
                tracing::warn!(%err, "failed to renew locks");
                pause = RETRY_EVERY;
            }
            Err(_) => break,
        }
    }
    lost.cancel();
}
