//! One file a verb.

mod apply;
mod completions;
mod deps;
mod describe;
mod diff;
mod doctor;
mod get;
mod history;
mod init;
mod layout;
mod left;
mod man;
mod plan;
mod reconcile;
mod schema;
mod serve;
mod status;
mod stored;
mod validate;

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
        Command::Apply(args) => apply::run(session, &args),
        Command::Serve(args) => serve::run(session, &args),
        Command::Status(args) => status::run(session, &args),
        Command::Get(args) => get::run(session, &args),
        Command::Describe(args) => describe::run(session, &args),
        Command::History(args) => history::run(session, &args),
        Command::Reconcile(args) => reconcile::run(session, &args),
        Command::Doctor(args) => doctor::run(session, &args),
        Command::Deps(args) => deps::run(session, &args),
        Command::Layout(args) => layout::run(session, &args),
        Command::Completions(args) => completions::run(session, &args),
        Command::Man(args) => man::run(session, &args),
    }
}
