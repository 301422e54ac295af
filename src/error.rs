//! The edge: any error → how it is printed, its hint and its exit code.
//!
//! Errors are made where things fail; here they only get what a person at a terminal needs.

use std::fmt::Write as _;

use crate::apply::ApplyError;
use crate::apply::lock::LockError;
use crate::clients::odoo_modules::OdooModulesError;
use crate::clients::secrets::KeyError;
use crate::config::ConfigError;
use crate::daemon::ServeError;
use crate::desired::source::SourceError;
use crate::model::problem::{Problem, error_chain, printable};
use crate::odoo::observe::RootError;
use crate::reconcile::saved::SavedPlanError;
use crate::reconcile::{ContextError, PassError};
use crate::record::serving::ServingError;
use crate::record::store::StoreError;
use crate::telemetry::TelemetryError;
use crate::web::WebError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; nothing differs.
    Done,
    /// `diff` or `validate` found differences or problems.
    Found,
    /// It failed.
    Failed,
    /// Usage, or it cannot be told.
    Unclear,
    /// The saved plan is stale.
    Stale,
    /// The lock is held.
    Locked,
    /// Refused by a policy, a window or a check.
    Refused,
    /// Applied, but not healthy.
    Unhealthy,
    /// `diff --detailed-exitcode` found changes.
    DetailedChanges,
}

impl Exit {
    /// The exit code, as `docs/cli.md` lists it.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Found | Exit::Failed => 1,
            Exit::Unclear | Exit::DetailedChanges => 2,
            Exit::Stale => 3,
            Exit::Locked => 4,
            Exit::Refused => 5,
            Exit::Unhealthy => 6,
        }
    }
}

/// The exit codes as `docs/cli.md` and the manual page show them.
pub const EXIT_CODES: &[(u8, &str)] = &[
    (0, "done; nothing differs"),
    (
        1,
        "`diff`, `validate`, `deps`, `layout verify`: differences or problems found; `apply`: failed, or not everything is as wanted: something is \
         held, blocked, only reported, or needs a decision; other commands: failed, such as a file or port that can't be used",
    ),
    (
        2,
        "usage, settings or a name that nobody knows; cannot tell (bad state, something unknown, no answer within \
         `reconcile --timeout`); `apply` without a terminal or `--yes`; an error of our own",
    ),
    (3, "the saved plan is stale"),
    (4, "the lock is held, and by whom; `serve`: another controller serves the store"),
    (5, "refused by a policy, a window or a check"),
    (6, "applied, but not healthy"),
];

/// Anything that ends a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for something that can't be.
    #[error("{message}")]
    Usage {
        /// What.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// Our own settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The desired state has errors.
    #[error("the desired state at {at} is not valid")]
    Invalid {
        /// Which revision.
        at: String,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
    /// A catalogue of addons has errors.
    #[error("the addons manifest `{file}` is not valid")]
    Catalogue {
        /// The file.
        file: String,
        /// Everything that is wrong with it.
        problems: Vec<Problem>,
    },
    /// A folder of modules can't be read.
    #[error(transparent)]
    Root(#[from] RootError),
    /// An Odoo database does not say what is installed.
    #[error(transparent)]
    OdooModules(#[from] OdooModulesError),
    /// The state repository can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is nothing to work with.
    #[error(transparent)]
    Context(#[from] ContextError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A pass could not be made.
    #[error(transparent)]
    Pass(#[from] PassError),
    /// Logging or metrics can't be set up.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// Health and metrics can't be answered.
    #[error(transparent)]
    Web(#[from] WebError),
    /// The controller could not start.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// Another controller serves the store.
    #[error(transparent)]
    Serving(#[from] ServingError),
    /// The starter repository can't be made.
    #[error(transparent)]
    Starter(#[from] crate::desired::starter::StarterError),
    /// A saved plan can't be used.
    #[error(transparent)]
    SavedPlan(#[from] SavedPlanError),
    /// The saved plan, or the one that was shown, is not what would be done now.
    #[error("{why}; nothing was applied")]
    Stale {
        /// Why.
        why: String,
        /// What moved.
        moved: Vec<String>,
    },
    /// A policy, a window or a check refuses.
    #[error("{message}")]
    Refused {
        /// What and why.
        message: String,
        /// What to do next.
        hint: String,
    },
    /// A file of the person's that can't be read or written.
    #[error("failed to {action} `{path}`")]
    File {
        /// `read`, `write`, ….
        action: &'static str,
        /// The file.
        path: String,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// Standard output can't be written, for another reason than that nobody reads it.
    #[error("failed to write to standard output")]
    Output(#[from] std::io::Error),
}

impl Error {
    /// A wrong use of the command line.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Usage { message: message.into(), hint: hint.into() }
    }

    /// How a command with this error ends.
    pub fn exit(&self) -> Exit {
        match self {
            // Not done: something can't be written, bound or started.
            Error::Context(ContextError::StateDir { .. })
            | Error::SavedPlan(SavedPlanError::File { action: "write", .. })
            | Error::Web(WebError::Bind { .. })
            | Error::Serving(ServingError::File { .. })
            | Error::Telemetry(TelemetryError::LoggingTwice(_) | TelemetryError::MetricsTwice(_))
            | Error::Serve(_)
            | Error::Starter(_)
            | Error::File { .. }
            | Error::Output(_) => Exit::Failed,
            // A wrong use or setting, or it can't be told.
            Error::Usage { .. }
            | Error::Config(_)
            | Error::Invalid { .. }
            | Error::Web(WebError::NotLoopback(_))
            | Error::Telemetry(TelemetryError::Filter { .. }) => Exit::Unclear,
            Error::Catalogue { .. } | Error::Root(_) | Error::OdooModules(_) => Exit::Unclear,
            Error::Source(_) | Error::Context(_) | Error::Store(_) | Error::SavedPlan(_) => Exit::Unclear,
            Error::Serving(ServingError::Taken { .. })
            | Error::Pass(PassError::Apply(ApplyError::Lock(LockError::Held(_)))) => Exit::Locked,
            Error::Pass(PassError::Apply(ApplyError::Lock(LockError::Moved(_)))) => Exit::Stale,
            Error::Pass(_) => Exit::Unclear,
            Error::Stale { .. } => Exit::Stale,
            Error::Refused { .. } => Exit::Refused,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Usage { hint, .. } | Error::Refused { hint, .. } => hint.as_str(),
            Error::Source(error) | Error::Context(ContextError::Source(error)) => return source_hint(error),
            Error::Context(ContextError::Key(KeyError::Open { path, .. })) => {
                return Some(format!("Make it yours alone: chmod 600 {}", path.display()));
            }
            Error::Web(WebError::NotLoopback(address)) => {
                let port = address.port();
                return Some(format!("Use `127.0.0.1:{port}`, and a proxy that asks who is there."));
            }
            Error::Web(WebError::Bind { .. }) => {
                "Is another `ipaictl serve` running? Otherwise choose an address with `--listen`."
            }
            Error::Telemetry(TelemetryError::Filter { .. }) => {
                "A level such as `info`, or a filter such as `warn,ipaictl=debug`."
            }
            Error::Root(_) => {
                "Name the folder that holds the folders of modules; roots are not searched below."
            }
            Error::OdooModules(error) => error.hint(),
            Error::Config(ConfigError::Read { .. }) => "Check the path and who may read it.",
            Error::Invalid { .. } => {
                "See all of it with `ipaictl validate`; a running controller stays with the last good revision."
            }
            Error::Context(ContextError::StateDir { .. }) => {
                "Name a folder that you may write with stateDir in the configuration."
            }
            Error::Pass(PassError::Apply(ApplyError::Lock(LockError::Held(_)))) => {
                "Wait for it; a holder that has died loses it within 15 s."
            }
            Error::Store(_) | Error::Context(ContextError::Store(_)) | Error::Pass(PassError::Store(_)) => {
                "Look closer with `ipaictl doctor`."
            }
            Error::Serving(ServingError::Taken { .. }) => {
                "Stop it first, or give this one a store of its own with --store."
            }
            Error::SavedPlan(SavedPlanError::File { action: "write", .. })
            | Error::File { action: "write" | "create", .. }
            | Error::Serving(ServingError::File { .. }) => "Name a place that exists and that you may write.",
            Error::SavedPlan(_) => "Save one with `ipaictl plan --out FILE`.",
            Error::Stale { .. } | Error::Pass(PassError::Apply(ApplyError::Lock(LockError::Moved(_)))) => {
                "Look again with `ipaictl diff`, or save a new plan with `ipaictl plan --out FILE`."
            }
            Error::Context(ContextError::Key(_) | ContextError::Credential(_))
            | Error::Config(ConfigError::Invalid(_))
            | Error::Catalogue { .. }
            | Error::Pass(_)
            | Error::Telemetry(_)
            | Error::Serve(_)
            | Error::Starter(_)
            | Error::File { .. }
            | Error::Output(_) => "",
        };
        Some(text.to_owned()).filter(|text| !text.is_empty())
    }

    /// What is wrong with the input, when that is the error.
    pub fn problems(&self) -> &[Problem] {
        match self {
            Error::Config(ConfigError::Invalid(problems))
            | Error::Invalid { problems, .. }
            | Error::Catalogue { problems, .. } => problems,
            _ => &[],
        }
    }

    /// The error as it is printed once: its problems, its chain of causes, what to do next.
    pub fn render(&self) -> String {
        let mut out = String::new();
        for problem in self.problems() {
            let _ = writeln!(out, "{problem}");
        }
        if let Error::Stale { moved, .. } = self {
            for line in moved {
                let _ = writeln!(out, "  {}", printable(line));
            }
        }
        out.push_str("error: ");
        out.push_str(&error_chain(self));
        if let Some(hint) = self.hint() {
            let _ = write!(out, "\nHint: {}", printable(&hint));
        }
        out
    }
}

/// What to do about a state repository that can't be used.
pub fn source_hint(error: &SourceError) -> Option<String> {
    match error {
        SourceError::NotARepository { path } => {
            let path = path.display();
            Some(format!(
                "Make one with `ipaictl init {path}` or `git init {path}`, or name another with `--repo`."
            ))
        }
        SourceError::Folder { .. } => Some(
            "Name a repository that exists with `--repo`, or make one with `ipaictl init DIR`.".to_owned(),
        ),
        SourceError::PathMissing { nearest: None, .. } => Some(
            "Name the folder of resource documents with `--path`; `ipaictl init DIR` makes a starter."
                .to_owned(),
        ),
        SourceError::Objects { repo, err, .. } if err.code() == git2::ErrorCode::Owner => Some(format!(
            "It belongs to another user: run as that user, or `git config --global --add safe.directory {repo}`."
        )),
        other => other.hint(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_in_the_table() {
        let all = [
            Exit::Done,
            Exit::Found,
            Exit::Failed,
            Exit::Unclear,
            Exit::Stale,
            Exit::Locked,
            Exit::Refused,
            Exit::Unhealthy,
            Exit::DetailedChanges,
        ];
        for exit in all {
            assert!(EXIT_CODES.iter().any(|(code, _)| *code == exit.code()), "{exit:?}");
        }
    }

    #[test]
    fn an_error_is_printed_with_its_causes_and_what_to_do() {
        let error = Error::File {
            action: "read",
            path: "a\u{1b}b".into(),
            err: std::io::Error::from(std::io::ErrorKind::NotFound),
        };
        assert_eq!(error.render(), "error: failed to read `a\\u{1b}b`: entity not found");
    }
}
