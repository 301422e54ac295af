//! What `deps` accepts.

use std::path::PathBuf;

use clap::Args;

use super::NAMES_MAX;

/// Arguments of `deps`.
#[derive(Debug, Clone, Args)]
pub struct DepsArgs {
    /// Modules and features; feature:NAME and module:NAME tell them apart
    #[arg(value_name = "MODULE|FEATURE", required = true, num_args = 1..=NAMES_MAX)]
    pub names: Vec<String>,
    /// Folder of Odoo's own modules; comes first, as in the official image
    #[arg(long, value_name = "DIR")]
    pub core: Vec<PathBuf>,
    /// Folder of modules; repeat it in the order of addons_path
    #[arg(long, value_name = "DIR")]
    pub root: Vec<PathBuf>,
    /// Addons manifest in JSON: repositories, roots, features
    #[arg(long, value_name = "FILE")]
    pub manifest: Option<PathBuf>,
    /// AddonsLayout whose checkout, manifest, series and features are taken
    #[arg(long, value_name = "NAME", conflicts_with_all = ["manifest", "checkout"])]
    pub layout: Option<String>,
    /// Folder that the manifest's paths are relative to; default: the git checkout around the manifest
    #[arg(long, value_name = "DIR", requires = "manifest")]
    pub checkout: Option<PathBuf>,
    /// Series of the server
    #[arg(long, value_name = "SERIES", default_value = "18.0", value_parser = parse_series)]
    pub series: String,
    /// Odoo's database, to know what is installed; the password is better left to PGPASSWORD or ~/.pgpass
    #[arg(long, value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Print a script that clones what is needed and installs what is not installed
    #[arg(long, group = "face")]
    pub install: bool,
    /// Show what needs what as a tree
    #[arg(long, group = "face")]
    pub tree: bool,
    /// Show what needs the modules instead
    #[arg(long, group = "face")]
    pub reverse: bool,
    /// Show the Python packages, programs and Debian packages that are needed
    #[arg(long, group = "face")]
    pub external: bool,
    /// Show the licences
    #[arg(long, group = "face")]
    pub licenses: bool,
    /// Read every manifest again
    #[arg(long)]
    pub no_cache: bool,
}

pub(super) fn parse_series(text: &str) -> Result<String, String> {
    match crate::odoo::version::is_series(text) {
        true => Ok(text.to_owned()),
        false => Err("not a series such as 18.0".to_owned()),
    }
}
