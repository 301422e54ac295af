//! A beat each minute by the wall clock, at its full minute.
//!
//! tokio-cron-scheduler in UTC, and nothing more of it: its time zones get daylight saving wrong, so what is due is
//! decided by `schedule` when the beat comes. A beat that is missed while the machine sleeps is made up for by the next.

use tokio::sync::mpsc::Sender;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

use super::wake::Wake;

/// Starts the beat; it ends when the answer is dropped and shut down.
pub async fn start(wakes: Sender<Wake>) -> Result<JobScheduler, JobSchedulerError> {
    let scheduler = JobScheduler::new().await?;
    let job = Job::new("0 * * * * *", move |_, _| {
        // A full channel means that the driver has enough to do; the next beat makes up for this one.
        let _ = wakes.try_send(Wake::Heartbeat);
    })?;
    scheduler.add(job).await?;
    scheduler.start().await?;
    Ok(scheduler)
}
