//! The options that an Odoo 18.0 server knows in the section `options`.
//!
//! Source: `odoo/tools/config.py` of Odoo Community 18.0, and the places in its code that read an option which that file does not name
//! (`bin_path`, `import_image_*`, `proxy_access_token`, `registry_lru_size`, …); read on 2026-11-26.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::SECTION;

/// What a value is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Any text; `False` and `None` mostly stand for nothing.
    Text,
    /// `True` or `False`. The server takes every other text that isn't empty for true.
    Bool,
    /// A whole number; `0x`, `0b` and a leading `0` are hexadecimal, binary and octal.
    Int,
    /// A number.
    Float,
    /// Folders or files, with commas between.
    Paths,
    /// Names, with commas between.
    Names,
    /// One of these.
    Choice(&'static [&'static str]),
}

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name in the file.
    pub name: &'static str,
    /// What its value is read as.
    pub sort: Sort,
    /// What holds without it, as it would be written; empty for nothing.
    pub default: &'static str,
}

const LEVELS: &[&str] = &[
    "info",
    "debug_rpc",
    "warn",
    "test",
    "critical",
    "runbot",
    "debug_sql",
    "error",
    "debug",
    "debug_rpc_answer",
    "notset",
];
const TLS_MODES: &[&str] = &["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

const fn of(name: &'static str, sort: Sort, default: &'static str) -> Setting {
    Setting { name, sort, default }
}

/// Every option, by its name.
pub const OPTIONS: &[Setting] = &[
    of("addons_path", Sort::Paths, ""),
    of("admin_passwd", Sort::Text, "admin"),
    of("bin_path", Sort::Text, ""),
    of("csv_internal_sep", Sort::Text, ","),
    of("data_dir", Sort::Text, ""),
    of("db_host", Sort::Text, "False"),
    of("db_maxconn", Sort::Int, "64"),
    of("db_maxconn_gevent", Sort::Int, "False"),
    of("db_name", Sort::Names, "False"),
    of("db_password", Sort::Text, "False"),
    of("db_port", Sort::Int, "False"),
    of("db_replica_host", Sort::Text, "False"),
    of("db_replica_port", Sort::Int, "False"),
    of("db_sslmode", Sort::Choice(TLS_MODES), "prefer"),
    of("db_template", Sort::Text, "template0"),
    of("db_user", Sort::Text, "False"),
    of("dbfilter", Sort::Text, ""),
    of("default_productivity_apps", Sort::Bool, "False"),
    of("dev_mode", Sort::Names, ""),
    of("email_from", Sort::Text, "False"),
    of("from_filter", Sort::Text, "False"),
    of("geoip_city_db", Sort::Text, "/usr/share/GeoIP/GeoLite2-City.mmdb"),
    of("geoip_country_db", Sort::Text, "/usr/share/GeoIP/GeoLite2-Country.mmdb"),
    of("gevent_port", Sort::Int, "8072"),
    of("http_enable", Sort::Bool, "True"),
    of("http_interface", Sort::Text, ""),
    of("http_port", Sort::Int, "8069"),
    of("import_image_maxbytes", Sort::Int, ""),
    of("import_image_regex", Sort::Text, ""),
    of("import_image_timeout", Sort::Int, ""),
    of("import_partial", Sort::Text, ""),
    of("language", Sort::Text, ""),
    of("limit_memory_hard", Sort::Int, "2684354560"),
    of("limit_memory_hard_gevent", Sort::Int, "False"),
    of("limit_memory_soft", Sort::Int, "2147483648"),
    of("limit_memory_soft_gevent", Sort::Int, "False"),
    of("limit_request", Sort::Int, "65536"),
    of("limit_time_cpu", Sort::Int, "60"),
    of("limit_time_real", Sort::Int, "120"),
    of("limit_time_real_cron", Sort::Int, "-1"),
    of("limit_time_worker_cron", Sort::Int, "0"),
    of("list_db", Sort::Bool, "True"),
    of("log_db", Sort::Text, "False"),
    of("log_db_level", Sort::Text, "warning"),
    of("log_handler", Sort::Names, ":INFO"),
    of("log_level", Sort::Choice(LEVELS), "info"),
    of("logfile", Sort::Text, ""),
    of("max_cron_threads", Sort::Int, "2"),
    of("osv_memory_count_limit", Sort::Int, "0"),
    of("overwrite_existing_translations", Sort::Bool, "False"),
    of("pg_path", Sort::Text, ""),
    of("pidfile", Sort::Text, ""),
    of("pre_upgrade_scripts", Sort::Paths, ""),
    of("proxy_access_token", Sort::Text, ""),
    of("proxy_mode", Sort::Bool, "False"),
    of("publisher_warranty_url", Sort::Text, "http://services.odoo.com/publisher-warranty/"),
    of("registry_lru_size", Sort::Int, ""),
    of("reportgz", Sort::Bool, "False"),
    of("screencasts", Sort::Text, ""),
    of("screenshots", Sort::Text, ""),
    of("server_wide_modules", Sort::Names, "base,web"),
    of("smtp_password", Sort::Text, "False"),
    of("smtp_port", Sort::Int, "25"),
    of("smtp_server", Sort::Text, "localhost"),
    of("smtp_ssl", Sort::Bool, "False"),
    of("smtp_ssl_certificate_filename", Sort::Text, "False"),
    of("smtp_ssl_private_key_filename", Sort::Text, "False"),
    of("smtp_user", Sort::Text, "False"),
    of("syslog", Sort::Bool, "False"),
    of("test_file", Sort::Text, "False"),
    of("test_tags", Sort::Text, ""),
    of("transient_age_limit", Sort::Float, "1.0"),
    of("translate_in", Sort::Text, ""),
    of("translate_out", Sort::Text, ""),
    of("unaccent", Sort::Bool, "False"),
    of("upgrade_path", Sort::Paths, ""),
    of("websocket_keep_alive_timeout", Sort::Int, "3600"),
    of("websocket_rate_limit_burst", Sort::Int, "10"),
    of("websocket_rate_limit_delay", Sort::Float, "0.2"),
    of("without_demo", Sort::Text, "False"),
    of("workers", Sort::Int, "0"),
    of("x_sendfile", Sort::Bool, "False"),
];

/// Old names that the server still takes for the present ones.
const TAKEN: &[(&str, &str)] = &[
    ("geoip_database", "geoip_city_db"),
    ("osv_memory_age_limit", "transient_age_limit"),
    ("xmlrpc", "http_enable"),
    ("xmlrpc_interface", "http_interface"),
    ("xmlrpc_port", "http_port"),
];

/// Old names that do nothing any more, and what stands for them.
pub(super) const IGNORED: &[(&str, &str)] = &[
    ("longpolling_port", "gevent_port"),
    ("netrpc", ""),
    ("netrpc_interface", ""),
    ("netrpc_port", ""),
    ("xmlrpcs", ""),
    ("xmlrpcs_interface", ""),
    ("xmlrpcs_port", ""),
];

/// Options of the command line that a file can't set: the server overwrites them.
pub(super) const COMMAND_LINE: &[&str] = &[
    "config",
    "demo",
    "init",
    "load_language",
    "root_path",
    "save",
    "stop_after_init",
    "test_enable",
    "update",
];

/// The present name of an option of the section `options`.
pub fn present_name(name: &str) -> &str {
    TAKEN.iter().find(|(old, _)| *old == name).map_or(name, |(_, present)| *present)
}

/// The option of that name; old names that are still taken included.
pub fn setting(name: &str) -> Option<&'static Setting> {
    let name = present_name(name);
    OPTIONS.iter().find(|setting| setting.name == name)
}

/// Whether the value is one that nothing may show: of a known secret, or of a name that looks like one's.
pub fn is_secret(section: &str, name: &str) -> bool {
    let parts = ["passw", "secret", "token", "api_key", "apikey", "private_key"];
    let is_file = section == SECTION && name.ends_with("_filename");
    !is_file && parts.iter().any(|part| name.contains(part))
}
