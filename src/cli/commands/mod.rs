//! One file a verb.

mod completions;
mod diff;
mod init;
mod man;
mod plan;
mod schema;
mod serve;
mod validate;

pub use self::serve::ServeFailure;
use super::Session;
use super::args::Command;
use crate::error::{Error, Exit};

/// Runs the verb.
pub fn run(session: &mut Session, command: Command) -> Result<Exit, Error> {
    match command {
        Command::Init(args) => init::run(session, &args),
        Command::Validate(args) => validate::run(session, &args),
        Command::Schema(args) => schema::run(session, &args),
        Command::Diff(args) => diff::run(session, &args),
        Command::Plan(args) => plan::run(session, &args),
        Command::Serve(args) => serve::run(session, &args),
        Command::Completions(args) => completions::run(session, &args),
        Command::Man(args) => man::run(session, &args),
        _ => {
            session.settings()?;
            Err(Error::usage("this build does not know this command yet", ""))
        }
    }
}
