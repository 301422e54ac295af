//! `serve`: the controller. Wires the store, the loop and the health endpoints, and waits.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::cli::args::{Global, ServeArgs};
use crate::cli::{Session, block_on};
use crate::config::{ConfigError, Environment, Settings};
use crate::daemon::vitals::Vitals;
use crate::daemon::{self, ServeError, Stopped};
use crate::error::{Error, Exit};
use crate::reconcile::{Access, Context};
use crate::telemetry::{self, Metrics, TelemetryError};
use crate::web::{self, WebError};

/// Threads of the runtime: the loop waits for others nearly always, and each thread costs memory.
const THREADS: usize = 2;

/// Why the controller could not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeFailure {
    /// Logging or metrics.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The health endpoints.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The loop.
    #[error(transparent)]
    Loop(#[from] ServeError),
}

impl ServeFailure {
    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        match self {
            ServeFailure::Web(WebError::NotLoopback(address)) => {
                Some(format!("Use `127.0.0.1:{}`, and a proxy that asks who is there.", address.port()))
            }
            ServeFailure::Web(WebError::Bind { .. }) => Some(
                "Is another `ipaictl serve` running? Otherwise choose an address with `--listen`.".to_owned(),
            ),
            ServeFailure::Telemetry(TelemetryError::Filter { .. }) => {
                Some("A level such as `info`, or a filter such as `warn,ipaictl=debug`.".to_owned())
            }
            _ => None,
        }
    }
}

/// Runs the controller until a signal ends it.
pub fn run(session: &mut Session, args: &ServeArgs) -> Result<Exit, Error> {
    let mut settings = session.settings()?;
    if let Some(listen) = args.listen {
        settings.listen = listen;
    }
    let (global, environment) = (session.global.clone(), session.environment.clone());
    let filter = match (global.quiet, global.verbose) {
        (false, 0) => settings.log_filter.clone(),
        (quiet, verbose) => telemetry::level("info", quiet, verbose).to_owned(),
    };
    telemetry::start_logging(settings.log_format, &filter, false).map_err(ServeFailure::from)?;
    block_on(THREADS, serve(settings, environment, global))
}

async fn serve(settings: Settings, environment: Environment, global: Global) -> Result<Exit, Error> {
    // Bound first: a second controller on this machine ends here, before it touches anything.
    let listener = web::bind(settings.listen).await.map_err(ServeFailure::from)?;
    let metrics = Metrics::install().map_err(ServeFailure::from)?;
    let listen = settings.listen;
    let context = Arc::new(Context::open(settings, &environment, Access::Write).await?);
    let store = context.store.clone().expect("a context for acting has a store");
    let vitals = Arc::new(Vitals::new());
    let stop = CancellationToken::new();
    tokio::spawn(web::serve(listener, web::router(vitals.clone(), metrics), stop.clone()));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %listen, source = context.source.name(), "serving");
    let reload = Box::new(move || Session::settings_of(&environment, &global).map_err(|err| explain(&err)));
    let stopped = daemon::serve(context, store.clone(), vitals, reload).await.map_err(ServeFailure::from)?;
    stop.cancel();
    store.close().await;
    tracing::info!(how = ?stopped, "stopped");
    Ok(match stopped {
        Stopped::Gracefully => Exit::Done,
        Stopped::AtTheLimit | Stopped::AtOnce => Exit::Failed,
    })
}

/// Settings that can't be read, in one line.
fn explain(err: &Error) -> String {
    match err {
        Error::Config(ConfigError::Invalid(problems)) => {
            problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
        }
        other => daemon::revision::chain(other),
    }
}
