//! The page about the command line, `docs/cli.md`, written from the definitions that the program parses with.

use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::args::CommandLine;
use crate::error::EXIT_CODES;

const HEAD: &str = "# The command line

One program, `ipaictl`. Reading is the default; only `apply`, `serve` and `reconcile` change anything, and only `init`, `schema --out`,
`plan --out` and `man --out` write files. Data goes to standard output, everything else to standard error. `-o json` is a contract, by the schemas in
[schemas/](schemas/). Two runs over the same world print the same bytes. Kinds are case-insensitive, singular or plural.

Settings that the options overrule are in [configuration.md](configuration.md).

";

/// The page, in Markdown.
pub fn render() -> String {
    let mut program = CommandLine::command();
    program.build();
    let mut page = HEAD.to_owned();
    page.push_str("## Exit codes\n\n| code | meaning |\n|---|---|\n");
    for (code, meaning) in EXIT_CODES {
        page.push_str(&format!("| {code} | {meaning} |\n"));
    }
    page.push_str(
        "\n`diff --detailed-exitcode` gives Terraform's instead: 0 no changes, 1 an error, 2 changes.\n",
    );
    page.push_str("\n## Global options\n\n| option | what it does |\n|---|---|\n");
    for option in program.get_arguments().filter(|arg| arg.is_global_set()) {
        page.push_str(&row(option));
    }
    for option in program.get_arguments().filter(|arg| !arg.is_global_set() && arg.get_long().is_some()) {
        page.push_str(&row(option));
    }
    for command in program.get_subcommands() {
        page.push_str(&section(command, command.get_name()));
    }
    page
}

fn section(command: &Command, name: &str) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string);
    let mut out = format!("\n## {name}\n\n{}.\n\n```text\n{usage}\n```\n", about.unwrap_or_default());
    let own: Vec<&Arg> = command
        .get_arguments()
        .filter(|arg| {
            !arg.is_global_set()
                && !matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpLong | ArgAction::HelpShort)
        })
        .collect();
    if !own.is_empty() {
        out.push_str("\n| argument | what it does |\n|---|---|\n");
        out.extend(own.into_iter().map(row));
    }
    if let Some(help) = command.get_after_help() {
        let help = help.to_string();
        let lines: Vec<&str> = help.lines().skip(1).map(|line| line.trim_start_matches("  ")).collect();
        out.push_str(&format!("\n```sh\n{}\n```\n", lines.join("\n")));
    }
    for inner in command.get_subcommands() {
        out.push_str(&section(inner, &format!("{name} {}", inner.get_name())));
    }
    out
}

fn row(arg: &Arg) -> String {
    let value =
        arg.get_value_names().filter(|_| arg.get_action().takes_values()).and_then(|names| names.first());
    let mut name = match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (None, Some(long)) => format!("--{long}"),
        _ => value.map_or_else(|| arg.get_id().to_string(), ToString::to_string),
    };
    if let (Some(value), Some(_)) = (value, arg.get_long()) {
        name.push_str(&format!(" {value}"));
    }
    let mut help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|_| arg.get_action().takes_values())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if !choices.is_empty() {
        help.push_str(&format!(": {}", choices.join(", ")));
    }
    let defaults = arg.get_default_values().iter().filter(|_| arg.get_action().takes_values());
    let defaults: Vec<String> = defaults.map(|value| format!("`{}`", value.to_string_lossy())).collect();
    if !defaults.is_empty() {
        help.push_str(&format!("; default: {}", defaults.join(", ")));
    }
    format!("| `{}` | {} |\n", name.replace('|', "\\|"), help.replace('|', "\\|"))
}
