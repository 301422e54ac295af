//! `serve`: the controller. Wires the store, the loop and the health endpoints, and waits.

use std::sync::Arc;

use chrono::Utc;
use tokio_util::sync::CancellationToken;

use crate::cli::args::{Global, ServeArgs};
use crate::cli::{Session, block_on};
use crate::config::{ConfigError, Environment, Settings};
use crate::daemon::vitals::Vitals;
use crate::daemon::{self, Stopped};
use crate::desired::source::SourceError;
use crate::error::{Error, Exit};
use crate::model::problem::error_chain;
use crate::reconcile::{Access, Context};
use crate::record::process::ProcessId;
use crate::record::serving::claim;
use crate::record::store::parse_location;
use crate::telemetry::{self, Metrics};
use crate::web;

/// Threads of the runtime: the loop waits for others nearly always, and each thread costs memory.
const THREADS: usize = 2;

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
    telemetry::start_logging(settings.log_format, &filter, false)?;
    block_on(THREADS, serve(settings, environment, global))
}

async fn serve(settings: Settings, environment: Environment, global: Global) -> Result<Exit, Error> {
    // Bound first: a wrong address is said before anything is touched.
    let listener = web::bind(settings.listen).await?;
    let metrics = Metrics::install()?;
    let listen = settings.listen;
    let context = Arc::new(Context::open(settings, &environment, Access::Write).await?);
    let store = context.store.clone().expect("a context for acting has a store");
    let serving = claim(&parse_location(&context.settings.store_url())?, &context.holder)?;
    must_be_repository(&context)?;
    let controller = ProcessId::current().text();
    let vitals = Arc::new(Vitals::new());
    let stop = CancellationToken::new();
    tokio::spawn(web::serve(listener, web::router(vitals.clone(), metrics), stop.clone()));
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %listen, source = context.source.name(), "serving");
    let reload = Box::new(move || Session::settings_of(&environment, &global).map_err(|err| explain(&err)));
    store.beat(&controller, Utc::now()).await?;
    let stopped = daemon::serve(context, store.clone(), vitals, reload).await?;
    stop.cancel();
    // Readers know at once; that it can't be noted is said by the age of the last beat.
    if let Err(err) = store.end_beat(&controller, Utc::now()).await {
        tracing::warn!("the end could not be noted: {}", error_chain(&err));
    }
    store.close().await;
    drop(serving);
    tracing::info!(how = ?stopped, "stopped");
    Ok(match stopped {
        Stopped::Gracefully => Exit::Done,
        Stopped::AtTheLimit | Stopped::AtOnce => Exit::Failed,
    })
}

/// A folder that is no git repository when we start is a wrong setting. Whatever happens to a repository later, or to
/// one elsewhere, is waited out.
fn must_be_repository(context: &Context) -> Result<(), Error> {
    if context.source.is_remote() {
        return Ok(());
    }
    match context.source.resolve(None) {
        Err(err @ SourceError::NotARepository { .. }) => Err(err.into()),
        _ => Ok(()),
    }
}

/// Settings that can't be read, in one line.
fn explain(err: &Error) -> String {
    match err {
        Error::Config(ConfigError::Invalid(problems)) => {
            problems.iter().map(|problem| problem.message.clone()).collect::<Vec<_>>().join("; ")
        }
        other => error_chain(other),
    }
}
