//! Requests that a person wrote into the store with `ipaictl reconcile`.
//!
//! The store is asked once a second: one indexed read of a table that is nearly always empty. A signal would need the
//! writer to know our process and to be allowed to signal it; a file watch sees SQLite's own housekeeping.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

use super::wake::Wake;
use crate::record::store::Store;

/// How often the store is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How often it is asked after it could not be read.
const EVERY_AFTER_ERROR: Duration = Duration::from_secs(10);

/// Asks until told to stop.
pub async fn watch(store: Store, wakes: Sender<Wake>, stop: CancellationToken) {
    let mut pause = EVERY;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = EVERY;
        match store.pending_requests().await {
            Ok(requests) if requests.is_empty() => {}
            Ok(requests) => {
                if wakes.send(Wake::Requests(requests)).await.is_err() {
                    return;
                }
            }
            Err(err) => {
                tracing::warn!(error = &err as &dyn std::error::Error, "requests can't be read");
                pause = EVERY_AFTER_ERROR;
            }
        }
    }
}
