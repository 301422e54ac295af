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
    let mut pages = vec![("ipaictl.1".to_owned(), page(program.clone())?)];
    for command in program.get_subcommands() {
        let name = format!("ipaictl-{}", command.get_name());
        for inner in command.get_subcommands() {
            let name = format!("{name}-{}", inner.get_name());
            pages.push((format!("{name}.1"), page(inner.clone().name(name))?));
        }
        pages.push((format!("{name}.1"), page(command.clone().name(name))?));
    }
    Ok(pages)
}

/// One page. The examples are written here: clap_mangen calls them EXTRA, and takes three dots at the beginning of a line for a request.
fn page(command: clap::Command) -> Result<String, Error> {
    let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let synopsis = synopsis(&command);
    let mut text = Vec::new();
    clap_mangen::Man::new(command.after_help("")).render(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    Ok(with_synopsis(&text, &synopsis) + &example_section(&examples) + &exit_status())
}

/// How the command is called, with the values that its options take.
fn synopsis(command: &clap::Command) -> String {
    let usage = command.clone().render_usage().to_string();
    // The usage of a subcommand that stands alone names it with the hyphen of its page.
    let usage = usage.trim_start_matches("Usage:").trim();
    let usage = usage.replace(command.get_name(), &command.get_name().replace('-', " "));
    let mut out = roff(&usage);
    for option in command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_long().is_some()) {
        let long = option.get_long().unwrap_or_default();
        let values = option.get_value_names().filter(|_| option.get_action().takes_values());
        let value =
            values.and_then(|names| names.first()).map_or_else(String::new, |name| format!(" {name}"));
        out.push_str(&format!("\n[{}]", roff(&format!("--{long}{value}"))));
    }
    out
}

fn with_synopsis(page: &str, synopsis: &str) -> String {
    let mut out = String::new();
    let mut skips = false;
    for line in page.lines() {
        if line.starts_with(".SH") {
            skips = matches!(line, ".SH SYNOPSIS" | ".SH EXTRA");
            if line == ".SH EXTRA" {
                continue;
            }
            out.push_str(line);
            out.push('\n');
            if skips {
                out.push_str(synopsis);
                out.push('\n');
            }
        } else if !skips {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn example_section(help: &str) -> String {
    let mut text = String::from(".SH EXAMPLES\n.nf\n");
    for line in help.lines().skip(1) {
        text.push_str(&roff(line.trim_start_matches("  ")));
        text.push('\n');
    }
    text.push_str(".fi\n");
    text
}

/// Text that roff takes for text: hyphens that can be copied, no line that begins with a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn exit_status() -> String {
    let mut text = String::from(".SH \"EXIT STATUS\"\n");
    for (code, meaning) in EXIT_CODES {
        text.push_str(&format!(".TP\n\\fB{code}\\fR\n{}\n", roff(&meaning.replace('`', ""))));
    }
    text
}
