//! What the command line accepts. Only reads and validates; `commands` does.

mod deps;
mod layout;
mod output;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::id::{Kind, ResourceId};

pub use self::deps::DepsArgs;
pub use self::layout::{LayoutArgs, LayoutCommand, LayoutFixArgs, LayoutVerifyArgs};
pub use self::output::{Format, Output};

/// The most values of one kind that a command line may name; a person names a handful.
pub const NAMES_MAX: usize = 1_000;

/// Keep Docker hosts the way a git repository says
#[derive(Debug, Parser)]
#[command(
    name = "ipaictl",
    version,
    max_term_width = 110,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    infer_subcommands = false
)]
#[command(after_help = "Example:\n  ipaictl init state && cd state && ipaictl diff\n\n\
                        Reading is the default; only apply, serve and reconcile change anything.")]
pub struct CommandLine {
    /// What all commands accept.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What all commands accept.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// State repository; default: the one around the working directory
    #[arg(long, global = true, value_name = "PATH|URL", help_heading = "Global options")]
    pub repo: Option<String>,
    /// Folder of resource documents in it [default: desired-state]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub path: Option<String>,
    /// Branch, tag or commit to read; default: the branch's head
    #[arg(
        long,
        global = true,
        value_name = "REV",
        conflicts_with = "working_tree",
        help_heading = "Global options"
    )]
    pub revision: Option<String>,
    /// Read what is not committed yet
    #[arg(long, global = true, help_heading = "Global options")]
    pub working_tree: bool,
    /// Form of what goes to stdout; markdown for diff, plan and status, pictures for deps only
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Text, help_heading = "Global options")]
    pub output: Output,
    /// Never use colors
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Say nothing but data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global options")]
    pub quiet: bool,
    /// Say on stderr what was read and how long it took; twice to log what the program does
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Global options")]
    pub verbose: u8,
    /// Configuration file, instead of the machine's and the user's
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Store, as path or sqlite: URL; default: ipaictl.db in the state directory
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub store: Option<String>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a commented starter state repository
    #[command(after_help = "Example:\n  ipaictl init my-state")]
    Init(InitArgs),
    /// Check resource documents and the Compose files they name; report all problems
    #[command(
        after_help = "Examples:\n  ipaictl validate\n  ipaictl validate desired-state/n8n.yaml -o json"
    )]
    Validate(ValidateArgs),
    /// Print or write the schemas of all kinds
    #[command(
        after_help = "Examples:\n  ipaictl schema --out crds\n  ipaictl schema --format jsonschema --kind stack"
    )]
    Schema(SchemaArgs),
    /// Show what apply would do, field by field; change nothing
    #[command(after_help = "Examples:\n  ipaictl diff\n  ipaictl diff Stack/n8n --revision my-branch\n  \
                            ipaictl diff --detailed-exitcode -o markdown > comment.md")]
    Diff(DiffArgs),
    /// Save what apply would do
    #[command(after_help = "Example:\n  ipaictl plan --out tonight.plan && ipaictl apply tonight.plan")]
    Plan(PlanArgs),
    /// Make the world as declared, after showing what that takes
    #[command(after_help = "Examples:\n  ipaictl apply\n  ipaictl apply --only Stack/n8n --yes\n  \
                            ipaictl apply tonight.plan --yes")]
    Apply(ApplyArgs),
    /// Run the controller
    #[command(after_help = "Example:\n  ipaictl serve --repo /srv/state --config /etc/ipaictl/config.yaml")]
    Serve(ServeArgs),
    /// Show whether everything is as declared
    #[command(after_help = "Examples:\n  ipaictl status\n  ipaictl status Stack/n8n -o json")]
    Status(StatusArgs),
    /// List resources of a kind
    #[command(after_help = "Examples:\n  ipaictl get stacks\n  ipaictl get stack n8n -o yaml")]
    Get(GetArgs),
    /// Show everything that is known of a resource
    #[command(after_help = "Example:\n  ipaictl describe Stack/n8n")]
    Describe(DescribeArgs),
    /// List what was done
    #[command(after_help = "Examples:\n  ipaictl history\n  ipaictl history Stack/n8n --limit 5 -o json")]
    History(HistoryArgs),
    /// Ask the controller to look at a resource now
    #[command(after_help = "Example:\n  ipaictl reconcile Stack/n8n --wait")]
    Reconcile(ReconcileArgs),
    /// Check what ipaictl needs, and say how to mend it
    #[command(after_help = "Example:\n  ipaictl doctor")]
    Doctor(DoctorArgs),
    /// Show which modules a module or feature needs, in load order; what is missing and why
    #[command(after_help = "Examples:\n  ipaictl deps sale_management --core odoo/addons --root addons\n  \
                            ipaictl deps must-have --manifest config/addons.json --install > install.sh\n  \
                            ipaictl deps sale_management --core odoo/addons -o svg > graph.svg")]
    Deps(DepsArgs),
    /// Hold repositories, branches, roots and mounts of a checkout against what its files declare
    #[command(
        subcommand_required = true,
        arg_required_else_help = true,
        after_help = "Example:\n  ipaictl layout verify --core odoo/addons"
    )]
    Layout(LayoutArgs),
    /// Print a completion script
    #[command(after_help = "Example:\n  ipaictl completions bash > /etc/bash_completion.d/ipaictl")]
    Completions(CompletionsArgs),
    /// Print or write manual pages
    #[command(after_help = "Example:\n  ipaictl man --out /usr/local/share/man/man1")]
    Man(ManArgs),
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Folder to write; must be empty or absent
    #[arg(default_value = ".", value_name = "DIR")]
    pub directory: PathBuf,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct ValidateArgs {
    /// Folder of resource documents, or one file; default: the working tree's
    #[arg(value_name = "PATH")]
    pub target: Option<PathBuf>,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct SchemaArgs {
    /// Write one file a kind and format into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Which form; default: both with --out, crd otherwise
    #[arg(long, value_enum)]
    pub format: Option<SchemaFormat>,
    /// Only this kind
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    pub kind: Option<Kind>,
}

/// Form of a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFormat {
    /// CustomResourceDefinition in YAML
    Crd,
    /// JSON Schema, for editors
    Jsonschema,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Resources to look at; default: all
    #[arg(value_name = "KIND/NAME", value_parser = parse_resource)]
    pub resources: Vec<ResourceId>,
    /// Exit with 0 for no changes, 1 for an error, 2 for changes
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Resources to plan for; default: all
    #[arg(value_name = "KIND/NAME", value_parser = parse_resource)]
    pub resources: Vec<ResourceId>,
    /// File to write, readable by you alone
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Plan saved by plan --out; refused when the world or the commit moved since
    #[arg(value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Do it without asking
    #[arg(short, long)]
    pub yes: bool,
    /// Only these resources
    #[arg(long, value_name = "KIND/NAME", value_parser = parse_resource, value_delimiter = ',', conflicts_with = "plan")]
    pub only: Vec<ResourceId>,
    /// Permit steps that could lose data, of this resource in exactly this plan
    #[arg(long, value_name = "KIND/NAME@PLANHASH", value_parser = parse_permission)]
    pub allow_destroy: Vec<DestroyPermission>,
}

/// Permission for one resource's steps of risk `data`, in one plan alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestroyPermission {
    /// The resource.
    pub id: ResourceId,
    /// The plan's hash, or its beginning of at least eight digits.
    pub plan_hash: String,
}

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address and port of health and metrics [default: 127.0.0.1:9180]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<std::net::SocketAddr>,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Resources to show; default: all
    #[arg(value_name = "KIND/NAME", value_parser = parse_resource)]
    pub resources: Vec<ResourceId>,
}

/// Arguments of `get`.
#[derive(Debug, Args)]
pub struct GetArgs {
    /// Kind, singular or plural in any case
    #[arg(value_name = "KIND", value_parser = parse_kind)]
    pub kind: Kind,
    /// Only this one
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
}

/// Arguments of `describe`.
#[derive(Debug, Args)]
pub struct DescribeArgs {
    /// The resource
    #[arg(value_name = "KIND/NAME", value_parser = parse_resource)]
    pub resource: ResourceId,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Resources to list; default: all
    #[arg(value_name = "KIND/NAME", value_parser = parse_resource)]
    pub resources: Vec<ResourceId>,
    /// The most runs to list, the newest first
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub limit: u32,
}

/// Arguments of `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArgs {
    /// The resource
    #[arg(value_name = "KIND/NAME", value_parser = parse_resource)]
    pub resource: ResourceId,
    /// Wait until the controller has done it
    #[arg(long)]
    pub wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_wait, requires = "wait")]
    pub timeout: std::time::Duration,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Write one page a command into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| unknown_kind(text))
}

fn unknown_kind(text: &str) -> String {
    if let Some(later) = crate::model::id::KINDS_LATER.iter().find(|kind| kind.eq_ignore_ascii_case(text)) {
        return format!("kind {later} is not supported by this version");
    }
    let names = Kind::ALL.iter().map(|kind| kind.as_str());
    match crate::model::problem::nearest(text, names.clone()) {
        Some(name) => format!("no such kind; did you mean {name}?"),
        None => format!("no such kind; there are {}", names.collect::<Vec<_>>().join(", ")),
    }
}

fn parse_resource(text: &str) -> Result<ResourceId, String> {
    let (kind, name) = text.split_once('/').ok_or("not of the form KIND/NAME, such as Stack/n8n")?;
    let kind = Kind::parse(kind).ok_or_else(|| unknown_kind(kind))?;
    if !crate::model::id::is_valid_name(name) {
        return Err("a name has lower case letters, digits and inner hyphens, at most 63".to_owned());
    }
    Ok(ResourceId::new(kind, name))
}

fn parse_permission(text: &str) -> Result<DestroyPermission, String> {
    let (id, hash) = text.split_once('@').ok_or("not of the form KIND/NAME@PLANHASH")?;
    let digits = hash.strip_prefix("v1:").unwrap_or(hash);
    if digits.len() < 8 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(
            "PLANHASH has at least the first eight digits of the plan's hash, as diff prints it".to_owned()
        );
    }
    Ok(DestroyPermission { id: parse_resource(id)?, plan_hash: digits.to_owned() })
}

fn parse_wait(text: &str) -> Result<std::time::Duration, String> {
    /// No wait in a terminal is meant to be longer.
    const WAIT_MAX: std::time::Duration = std::time::Duration::from_secs(86_400);
    crate::model::time::parse_duration(text)
        .filter(|wait| *wait <= WAIT_MAX)
        .ok_or_else(|| "not a duration such as 90s or 5m, at most 24h".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn every_command_ends_its_help_with_an_example() {
        for command in CommandLine::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("ipaictl {}", command.get_name())), "{}", command.get_name());
        }
    }

    #[test]
    fn kinds_and_names_are_read_as_people_write_them() {
        let id = |text: &str| parse_resource(text).map(|id| id.to_string());
        assert_eq!(id("stacks/n8n").as_deref(), Ok("Stack/n8n"));
        assert_eq!(id("Stak/n8n").unwrap_err(), "no such kind; did you mean Stack?");
        assert_eq!(id("BackupPolicy/x").unwrap_err(), "kind BackupPolicy is not supported by this version");
        assert!(id("n8n").is_err() && id("Stack/").is_err() && id("Stack/N8N").is_err());
    }

    #[test]
    fn a_permission_names_the_plan() {
        assert!(parse_permission("Stack/db@v1:0123456789ab").is_ok());
        assert!(parse_permission("Stack/db@0123").is_err());
        assert!(parse_permission("Stack/db").is_err());
    }
}
