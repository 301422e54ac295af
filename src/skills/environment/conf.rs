//! The odoo.conf of an Environment: what the document says, what follows from the rest of it, and safe values for what nobody said.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use secrecy::{ExposeSecret as _, SecretString};

use super::spec::{ConfigValue, EnvironmentSpec};
use crate::model::secret::{HmacKey, MASK};
use crate::odoo::conf;

/// Where the server keeps attachments and sessions.
pub const DATA_DIR: &str = "/var/lib/odoo";
/// Connections of one process when nobody says how many.
const MAXCONN_DEFAULT: u32 = 64;
/// Threads or processes for jobs when nobody says how many.
const CRON_DEFAULT: u32 = 2;

/// What stands before the names of the secrets in a file of ours.
const SECRETS: &str = "# secret: ";
/// What stands before a fingerprint.
pub const FINGERPRINT: &str = "hmac ";

/// Options that follow from other fields, and from which.
pub const DERIVED: &[(&str, &str)] = &[
    ("addons_path", "odoo.addons"),
    ("data_dir", "filestore"),
    ("db_host", "database"),
    ("db_name", "database"),
    ("db_password", "database"),
    ("db_port", "database"),
    ("db_sslmode", "database"),
    ("db_user", "database"),
    ("gevent_port", "publish"),
    ("http_port", "publish"),
];

/// The values of the secrets that an Environment needs.
#[derive(Debug, Clone)]
pub struct Secrets {
    /// The database's password.
    pub database: SecretString,
    /// The master password, unless `odoo.config` has one.
    pub admin: SecretString,
    /// Those of `odoo.config`, by option.
    pub config: BTreeMap<String, SecretString>,
}

/// The options of an odoo.conf.
#[derive(Debug, Clone, Default)]
pub struct Options {
    values: BTreeMap<String, String>,
    secret: BTreeSet<String>,
    /// What nobody said and was chosen, as `list_db = False`; secrets by their names only.
    pub chosen: Vec<String>,
}

impl Options {
    /// Puts the options of an Environment together.
    pub fn of(spec: &EnvironmentSpec, secrets: &Secrets) -> Self {
        let mut options = Options::default();
        for (name, value) in &spec.odoo.config {
            match value {
                ConfigValue::Text(text) => options.set(name, as_python(text)),
                ConfigValue::Secret(_) => {
                    if let Some(value) = secrets.config.get(name) {
                        options.set_secret(name, value);
                    }
                }
            }
        }
        options.derive(spec, secrets);
        options.choose(spec, secrets);
        options
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.values.insert(name.to_owned(), value.into());
        if conf::is_secret(conf::SECTION, name) {
            self.secret.insert(name.to_owned());
        }
    }

    fn set_secret(&mut self, name: &str, value: &SecretString) {
        self.values.insert(name.to_owned(), value.expose_secret().to_owned());
        self.secret.insert(name.to_owned());
    }

    fn derive(&mut self, spec: &EnvironmentSpec, secrets: &Secrets) {
        let roots: Vec<&str> = spec.odoo.addons.iter().map(|root| root.mount_path.as_str()).collect();
        if !roots.is_empty() {
            self.set("addons_path", roots.join(","));
        }
        self.set("data_dir", DATA_DIR);
        self.set("db_name", spec.database_name());
        self.set_secret("db_password", &secrets.database);
        match (&spec.database.external, &spec.database.managed) {
            (Some(external), _) => {
                self.set("db_host", &*external.host);
                self.set("db_port", external.port.to_string());
                self.set("db_user", &*external.user);
                self.set("db_sslmode", external.sslmode.as_str());
            }
            (None, Some(managed)) => {
                self.set("db_host", super::render::DATABASE_SERVICE);
                self.set("db_port", "5432");
                self.set("db_user", &*managed.user);
            }
            (None, None) => {}
        }
    }

    /// What a server must not be left to choose: its own defaults show the list of databases and open their manager.
    fn choose(&mut self, spec: &EnvironmentSpec, secrets: &Secrets) {
        if !self.values.contains_key("admin_passwd") {
            self.set_secret("admin_passwd", &secrets.admin);
            self.chosen.push("admin_passwd (generated)".to_owned());
        }
        let filter = format!("^{}$", escaped(spec.database_name()));
        let proxy = if spec.ingress.is_some() { "True" } else { "False" };
        for (name, value) in [
            ("dbfilter", filter.as_str()),
            ("list_db", "False"),
            ("proxy_mode", proxy),
            ("without_demo", "all"),
        ] {
            if !self.values.contains_key(name) {
                self.set(name, value);
                self.chosen.push(format!("{name} = {value}"));
            }
        }
    }

    /// The value of an option.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    /// Processes that answer requests; 0 when threads do.
    pub fn workers(&self) -> u32 {
        self.number("workers").unwrap_or(0)
    }

    /// Whether an option is said to be true.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !matches!(value, "" | "False" | "false" | "0"))
    }

    /// The most connections to the database that all processes together open.
    pub fn connections(&self) -> Connections {
        let each = self.number("db_maxconn").unwrap_or(MAXCONN_DEFAULT);
        let processes = match self.workers() {
            0 => 1,
            workers => workers + self.number("max_cron_threads").unwrap_or(CRON_DEFAULT),
        };
        let evented = match self.workers() {
            0 => 0,
            _ => self.number("db_maxconn_gevent").filter(|count| *count > 0).unwrap_or(each),
        };
        Connections { each, processes: processes + u32::from(evented > 0), most: processes * each + evented }
    }

    /// The file's text; the name of an option whose value a file can't hold.
    pub fn text(&self) -> Result<SecretString, String> {
        let text = conf::render(&self.values).map_err(str::to_owned)?;
        Ok(SecretString::from(format!("{}{text}", self.heading())))
    }

    /// Says in the file itself which values are secrets, so that whoever compares it later shows none of them.
    fn heading(&self) -> String {
        let names: Vec<&str> = self.secret.iter().map(String::as_str).collect();
        format!("# Written by ipaictl; changes are undone.\n{SECRETS}{}\n", names.join(" "))
    }

    /// The same with the values of secrets hidden.
    pub fn masked(&self) -> Result<String, String> {
        let values = self
            .values
            .iter()
            .map(|(name, value)| {
                let value = if self.secret.contains(name) { MASK.to_owned() } else { value.clone() };
                (name.clone(), value)
            })
            .collect();
        Ok(format!("{}{}", self.heading(), conf::render(&values).map_err(str::to_owned)?))
    }
}

/// The options of a file of ours as they may be shown: secrets as the first digits of their fingerprints. `None` for a
/// file that is not ours or can't be read.
pub fn shown(text: &str, key: &HmacKey) -> Option<BTreeMap<String, String>> {
    let secret: BTreeSet<&str> =
        text.lines().find_map(|line| line.strip_prefix(SECRETS))?.split(' ').collect();
    let conf = conf::parse("odoo.conf", text).ok()?;
    let options = conf.options().into_iter().map(|(name, written)| {
        let is_secret = secret.contains(name) || conf::is_secret(conf::SECTION, name);
        let value = match is_secret {
            true => format!("{FINGERPRINT}{}", key.short(written.value.as_bytes())),
            false => written.value.clone(),
        };
        (name.to_owned(), value)
    });
    Some(options.collect())
}

/// How many connections an application opens at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// `db_maxconn`.
    pub each: u32,
    /// Processes, the evented one included.
    pub processes: u32,
    /// All of them together.
    pub most: u32,
}

/// Truth values as Python writes them.
fn as_python(text: &str) -> &str {
    match text {
        "true" => "True",
        "false" => "False",
        text => text,
    }
}

/// A name as a regular expression that matches it alone.
fn escaped(name: &str) -> String {
    name.replace('.', "\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(spec: &str) -> Options {
        let spec: EnvironmentSpec = serde_yaml::from_str(spec).unwrap();
        let secret = |value: &str| SecretString::from(value.to_owned());
        Options::of(
            &spec,
            &Secrets { database: secret("pass-1"), admin: secret("pass-2"), config: BTreeMap::new() },
        )
    }

    const SPEC: &str = "
tier: dev
host: h
odoo: {image: 'odoo:18.0', version: '18.0', addons: [{mountPath: /mnt/a, source: a}, {mountPath: /mnt/b, source: b}], config: CONFIG}
database: {managed: {image: 'postgres:16', volume: v, name: odoo.dev}}
filestore: {volume: f}
";

    #[test]
    fn what_nobody_said_is_safe_and_told() {
        let options = options(&SPEC.replace("CONFIG", "{}"));
        assert_eq!(
            options.masked().unwrap(),
            "# Written by ipaictl; changes are undone.\n# secret: admin_passwd db_password\n[options]\naddons_path = /mnt/a,/mnt/b\nadmin_passwd = (secret)\ndata_dir = /var/lib/odoo\ndb_host = db\n\
             db_name = odoo.dev\ndb_password = (secret)\ndb_port = 5432\ndb_user = odoo\ndbfilter = ^odoo\\.dev$\n\
             list_db = False\nproxy_mode = False\nwithout_demo = all\n"
        );
        assert_eq!(options.chosen.len(), 5);
        assert!(!options.chosen.join(" ").contains("pass-"));
        assert!(options.text().unwrap().expose_secret().contains("admin_passwd = pass-2"));
    }

    #[test]
    fn a_file_is_shown_without_its_secrets() {
        let text = options(&SPEC.replace("CONFIG", "{workers: '4'}")).text().unwrap();
        let shown = shown(text.expose_secret(), &HmacKey::new("aa")).unwrap();
        assert_eq!(shown["workers"], "4");
        assert!(shown["db_password"].starts_with("hmac ") && shown["admin_passwd"].starts_with("hmac "));
        assert_eq!(
            super::shown("[options]\nworkers = 4\n", &HmacKey::new("aa")),
            None,
            "nobody says what is secret"
        );
    }

    #[test]
    fn what_is_said_is_kept_in_pythons_spelling() {
        let options =
            options(&SPEC.replace("CONFIG", "{list_db: 'true', workers: '4', db_maxconn: '8', dbfilter: x}"));
        assert_eq!((options.get("list_db"), options.get("dbfilter")), (Some("True"), Some("x")));
        assert_eq!(options.connections(), Connections { each: 8, processes: 7, most: 56 });
        assert_eq!(options.chosen.len(), 3);
    }
}
