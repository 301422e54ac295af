//! The command line: parse, run one verb, print the error once.
//!
//! Verbs only wire and print; what they show was decided elsewhere.

pub mod args;
pub mod commands;
pub mod reference;
pub mod ui;

use std::ffi::OsString;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Parser as _;

use self::args::{Command, CommandLine, Global, Output};
use self::ui::{Ui, to_stderr};
use crate::config::{Environment, LogFormat, Settings};
use crate::desired::At;
use crate::desired::state::DesiredState;
use crate::error::{Error, Exit};
use crate::model::known::Known;
use crate::reconcile::{self, Context, Mode, Prepared, Scope};
use crate::telemetry;

/// What every verb gets: the global options, the environment, the terminal.
#[derive(Debug)]
pub struct Session {
    /// The global options.
    pub global: Global,
    /// The environment variables that we honour.
    pub environment: Environment,
    /// The terminal.
    pub ui: Ui,
}

impl Session {
    /// The settings of the files, overruled by the options.
    pub fn settings(&self) -> Result<Settings, Error> {
        Session::settings_of(&self.environment, &self.global)
    }

    /// The same, for `serve`, which reads them again later.
    pub fn settings_of(environment: &Environment, global: &Global) -> Result<Settings, Error> {
        let mut settings = Settings::load(environment, global.config.as_deref())?;
        if let Some(repo) = &global.repo {
            settings.repo = Some(repo.clone());
        }
        if let Some(path) = &global.path {
            settings.path.clone_from(path);
        }
        if let Some(store) = &global.store {
            settings.store = Some(store.clone());
        }
        Ok(settings)
    }

    /// Reads the desired state at the revision that the options name; warnings go to stderr.
    pub async fn load(&self, context: &Context) -> Result<DesiredState, Error> {
        let at = self.at(context).await?;
        self.load_at(context, &at).await
    }

    /// Reads the desired state at a revision; warnings go to stderr.
    pub async fn load_at(&self, context: &Context, at: &At) -> Result<DesiredState, Error> {
        let begun = Instant::now();
        let loaded = context.load_desired(at, true).await?;
        let (repo, took) = (context.source.name(), begun.elapsed().as_millis());
        self.ui.detail(&format!("Read {} of {repo} in {took} ms.", loaded.revision));
        let Some(state) = loaded.state else {
            return Err(Error::Invalid { at: loaded.revision.to_string(), problems: loaded.problems });
        };
        for problem in &loaded.problems {
            self.ui.progress_text(&problem.to_string());
        }
        self.ui.detail(&format!(
            "It declares {}, {}, {}, {}.",
            count(state.hosts.len(), "host", "hosts"),
            count(state.repositories.len(), "repository", "repositories"),
            count(state.stacks.len(), "stack", "stacks"),
            count(state.environments.len(), "environment", "environments")
        ));
        Ok(state)
    }

    /// Observes and plans.
    pub async fn prepare(
        &self,
        context: &Context,
        desired: &DesiredState,
        scope: &Scope,
        mode: Mode,
    ) -> Result<Prepared, Error> {
        let begun = Instant::now();
        let prepared = reconcile::prepare(context, desired, scope, mode).await?;
        for (host, facts) in &prepared.observed.hosts {
            self.ui.detail(&match facts {
                Known::Known(facts) => format!(
                    "Host/{host}: {}, {}, {}, {}.",
                    count(facts.containers.len(), "container", "containers"),
                    count(facts.images.len(), "image", "images"),
                    count(facts.networks.len(), "network", "networks"),
                    count(facts.volumes.len(), "volume", "volumes")
                ),
                _ => format!("Host/{host}: not read."),
            });
        }
        let steps = count(prepared.plan.steps.len(), "step", "steps");
        self.ui.detail(&format!("Observed and planned {steps} in {} ms.", begun.elapsed().as_millis()));
        Ok(prepared)
    }

    /// What the options ask to read. A repository elsewhere is asked for news first.
    async fn at(&self, context: &Context) -> Result<At, Error> {
        if self.global.working_tree {
            return Ok(At::WorkingTree);
        }
        if context.source.is_remote() {
            self.ui.progress(&format!("Fetching {} …", context.source.name()));
            context.source.fetch().await?;
        }
        Ok(At::Revision(context.source.resolve(self.global.revision.as_deref())?))
    }
}

/// Runs one command line, from its arguments to its exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(err) => return explain(&err).code(),
    };
    let environment = Environment::read();
    let ui = Ui::new(&line.global, environment.no_color);
    let mut session = Session { global: line.global, environment, ui };
    let detailed = matches!(&line.command, Command::Diff(args) if args.detailed_exitcode);
    // Acting does not depend on a reader; for all others a reader that left has seen enough.
    let acts = matches!(line.command, Command::Apply(_) | Command::Serve(_));
    if !matches!(line.command, Command::Serve(_)) {
        // The first -v is for `Ui::detail`; the log begins with the second.
        let verbose = session.global.verbose.saturating_sub(1);
        let level = telemetry::level("warn", session.global.quiet, verbose);
        // Nobody logged before us in this process, and our own levels can be read.
        let _ = telemetry::start_logging(LogFormat::Text, level, false);
    }
    let result = check_options(&session.global, &line.command)
        .and_then(|()| commands::run(&mut session, line.command));
    match result {
        Ok(_) if session.ui.is_closed() && !acts => Exit::Done.code(),
        Ok(exit) => exit.code(),
        Err(error) => {
            to_stderr(&error.render());
            if detailed { Exit::Failed.code() } else { error.exit().code() }
        }
    }
}

/// Refuses global options that would have no effect on the command.
fn check_options(global: &Global, command: &Command) -> Result<(), Error> {
    let refuse = |option: &str, hint: &str| {
        Err(Error::usage(format!("this command has no use for `{option}`"), hint.to_owned()))
    };
    let reads = matches!(
        command,
        Command::Validate(_) | Command::Diff(_) | Command::Plan(_) | Command::Apply(_) | Command::Doctor(_)
    );
    if global.revision.is_some() && !reads {
        return refuse("--revision", "The controller follows a branch: set `branch` in the configuration.");
    }
    if global.working_tree && (!reads || matches!(command, Command::Doctor(_))) {
        return refuse(
            "--working-tree",
            "Leave it out; `ipaictl diff --working-tree` previews what is not committed.",
        );
    }
    let has_forms = !matches!(
        command,
        Command::Init(_) | Command::Schema(_) | Command::Serve(_) | Command::Completions(_) | Command::Man(_)
    );
    let has_markdown = matches!(command, Command::Diff(_) | Command::Plan(_) | Command::Status(_));
    let has_graphs = matches!(command, Command::Deps(_));
    match global.output {
        Output::Text => Ok(()),
        _ if !has_forms => refuse("--output", "Leave it out."),
        Output::Markdown if !has_markdown => {
            Err(Error::usage("this command has no Markdown form", "Use -o text, json or yaml."))
        }
        Output::Dot | Output::Mermaid | Output::Svg if !has_graphs => {
            Err(Error::usage("this command shows no graph", "Use -o text, json or yaml."))
        }
        _ => Ok(()),
    }
}

/// Prints what clap has to say: help and version are data, the rest is a wrong use.
fn explain(err: &clap::Error) -> Exit {
    use std::io::Write as _;
    let text = err.render().to_string();
    if err.use_stderr() {
        to_stderr(ui::printable_lines(&text).trim_end());
        return Exit::Unclear;
    }
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(err) if err.kind() != std::io::ErrorKind::BrokenPipe => Exit::Failed,
        _ => Exit::Done,
    }
}

/// Runs a future to its end on a runtime of its own: one thread unless the work needs more.
fn block_on<T>(threads: usize, future: impl Future<Output = T>) -> T {
    let mut builder = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    if threads > 1 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build().expect("the system gives a process its event loop").block_on(future)
}

/// A number and what it counts.
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Writes a file whole.
fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    std::fs::write(path, text).map_err(|err| file_error("write", path, err))
}

fn create_folder(path: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(path).map_err(|err| file_error("create", path, err))
}

fn file_error(action: &'static str, path: &Path, err: std::io::Error) -> Error {
    Error::File { action, path: path.display().to_string(), err }
}

/// A path as a person would write it: relative to the working directory where it lies below.
fn shown(path: &Path) -> PathBuf {
    std::env::current_dir()
        .ok()
        .and_then(|current| path.strip_prefix(current).map(Path::to_owned).ok())
        .filter(|path| !path.as_os_str().is_empty())
        .unwrap_or_else(|| path.to_owned())
}
