//! `man`: manual pages, one a command.

use clap::CommandFactory as _;

use crate::cli::args::{CommandLine, ManArgs};
use crate::cli::{Session, create_folder, write_file};
use crate::error::{EXIT_CODES, Error, Exit};

pub fn run(session: &mut Session, args: &ManArgs) -> Result<Exit, Error> {
    let pages = pages()?;
    let Some(folder) = &args.out else {
        session.ui.data(&pages[0].1)?;
        return Ok(Exit::Done);
    };
    create_folder(folder)?;
    for (name, text) in &pages {
        write_file(&folder.join(name), text)?;
    }
    session.ui.progress(&format!("Wrote {} manual pages to {}.", pages.len(), folder.display()));
    Ok(Exit::Done)
}

/// The pages by file name, the program's own first.
fn pages() -> Result<Vec<(String, String)>, Error> {
    let mut program = CommandLine::command();
    program.build();
    let mut pages = vec![("ipaictl.1".to_owned(), page(program.clone())? + &exit_status())];
    for command in program.get_subcommands() {
        let name = format!("ipaictl-{}", command.get_name());
        pages.push((format!("{name}.1"), page(command.clone().name(name))?));
    }
    Ok(pages)
}

fn page(command: clap::Command) -> Result<String, Error> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn exit_status() -> String {
    let mut text = String::from(".SH \"EXIT STATUS\"\n");
    for (code, meaning) in EXIT_CODES {
        text.push_str(&format!(".TP\n\\fB{code}\\fR\n{}\n", meaning.replace('`', "").replace('-', "\\-")));
    }
    text
}
