//! `completions`: what a shell needs to complete our command line.

use clap::CommandFactory as _;

use crate::cli::Session;
use crate::cli::args::{CommandLine, CompletionsArgs};
use crate::error::{Error, Exit};

pub fn run(session: &mut Session, args: &CompletionsArgs) -> Result<Exit, Error> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut CommandLine::command(), "ipaictl", &mut script);
    session.ui.data(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
