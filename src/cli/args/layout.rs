//! What `layout` accepts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::deps::parse_series;

/// Arguments of `layout`.
#[derive(Debug, Args)]
pub struct LayoutArgs {
    /// What to do
    #[command(subcommand)]
    pub command: LayoutCommand,
}

/// The verbs of `layout`.
#[derive(Debug, Subcommand)]
pub enum LayoutCommand {
    /// Check a checkout against what its files declare; one line a check, with its cause
    #[command(after_help = "Examples:\n  ipaictl layout verify\n  \
                            ipaictl layout verify /srv/odoo-ce --core odoo/addons -o json\n  \
                            ipaictl layout verify --odoo-conf deploy/odoo.conf --mount addons:/mnt/extra-addons")]
    Verify(Box<LayoutVerifyArgs>),
    /// Correct what an AddonsLayout allows to correct; the same as apply --only AddonsLayout/NAME
    #[command(after_help = "Examples:\n  ipaictl layout fix\n  ipaictl layout fix oca-ipai --yes")]
    Fix(LayoutFixArgs),
}

/// Arguments of `layout fix`.
#[derive(Debug, Args)]
pub struct LayoutFixArgs {
    /// Name of the AddonsLayout; default: all of them
    #[arg(value_name = "NAME")]
    pub name: Vec<String>,
    /// Do it without asking
    #[arg(short, long)]
    pub yes: bool,
}

/// Arguments of `layout verify`.
#[derive(Debug, Args)]
pub struct LayoutVerifyArgs {
    /// Folder of the checkout
    #[arg(value_name = "FOLDER", default_value = ".")]
    pub checkout: PathBuf,
    /// Manifest that everything is held against, relative to the checkout
    #[arg(long, value_name = "FILE", default_value = "config/addons_manifest.oca_ipai.json")]
    pub manifest: String,
    /// Further file that declares repositories, mounts or roots, beside those with well-known names
    #[arg(long, value_name = "FILE")]
    pub file: Vec<String>,
    /// Odoo's settings, whose addons_path decides what a server sees; default: the manifest's repositories and roots
    #[arg(long, value_name = "FILE")]
    pub odoo_conf: Option<String>,
    /// Where a container sees a folder of the checkout
    #[arg(long, value_name = "FOLDER:PATH", value_parser = parse_mount)]
    pub mount: Vec<(String, String)>,
    /// Folder of Odoo's own modules
    #[arg(long, value_name = "DIR")]
    pub core: Vec<PathBuf>,
    /// User and group that should own the addons, such as 100:101
    #[arg(long, value_name = "UID:GID", value_parser = parse_owner)]
    pub owner: Option<(u32, u32)>,
    /// Script that should be there; never run
    #[arg(long, value_name = "FILE")]
    pub hook: Vec<String>,
    /// Series of the server
    #[arg(long, value_name = "SERIES", default_value = "18.0", value_parser = parse_series)]
    pub series: String,
    /// Show only what is not as declared
    #[arg(long)]
    pub only_differences: bool,
    /// Read every manifest again
    #[arg(long)]
    pub no_cache: bool,
}

/// `FOLDER:PATH` as container path and folder.
fn parse_mount(text: &str) -> Result<(String, String), String> {
    let found = text.split_once(':').and_then(|(folder, path)| {
        let folder = crate::skills::layout::declared::inside(folder)?;
        path.starts_with('/').then(|| (path.to_owned(), folder))
    });
    found.ok_or_else(|| {
        "not of the form FOLDER:PATH, a folder inside the checkout and an absolute path".to_owned()
    })
}

fn parse_owner(text: &str) -> Result<(u32, u32), String> {
    let found =
        text.split_once(':').and_then(|(user, group)| Some((user.parse().ok()?, group.parse().ok()?)));
    found.ok_or_else(|| "not of the form UID:GID, two numbers such as 100:101".to_owned())
}
