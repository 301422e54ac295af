//! Our own settings: what `config.yaml` may say, its defaults, and the environment variables that we honour.
//!
//! The only reader of environment variables but for `{env: …}` references to secrets. A table names every
//! setting once; the reader, the errors and `docs/configuration.md` all follow it.

pub mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use self::table::{SETTINGS, known_keys};
use crate::model::document::{Node, parse_documents};
use crate::model::problem::{Problem, nearest};
use crate::model::secret::SecretRef;

/// The machine's configuration file.
pub const SYSTEM_FILE: &str = "/etc/ipaictl/config.yaml";
/// The largest configuration file that is read: hundreds of times an ordinary one.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The state repository as path or URL; `None` means the working directory's.
    pub repo: Option<String>,
    /// Where the token or password of a state repository by `https://` is.
    pub credential: Option<SecretRef>,
    /// The branch that is followed; `None` means the repository's own HEAD.
    pub branch: Option<String>,
    /// The folder of the state repository that holds resource documents.
    pub path: String,
    /// Where everything that we keep lies.
    pub state_dir: PathBuf,
    /// The store, as path or `sqlite:` URL; `None` means `ipaictl.db` in the state directory.
    pub store: Option<String>,
    /// Where `serve` answers health and metrics.
    pub listen: std::net::SocketAddr,
    /// How many resources are reconciled at once.
    pub concurrency: usize,
    /// How often a remote state repository is asked for news.
    pub git_poll: Duration,
    /// How often every host is read without a reason.
    pub drift_scan: Duration,
    /// Where evidence is kept beside the state directory, and for how long.
    pub evidence: EvidenceSettings,
    /// Beginnings of URLs, beyond `https` and `ssh` ones, that Repository documents may use.
    pub git_allow: Vec<String>,
    /// The file with the age identity that opens `{age: …}` secrets.
    pub age_identity: Option<PathBuf>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written, as a `tracing` filter.
    pub log_filter: String,
    /// Who we are in locks and history.
    pub holder: String,
    /// When everything is looked at, however quiet it was.
    pub schedule: ScheduleSettings,
}

/// What happens to evidence packs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// The Repository on this machine whose branch gets them committed under `docs/evidence/`.
    pub commit_to: Option<String>,
    /// How long packs stay in the state directory.
    pub keep: Duration,
}

/// When the full pass runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSettings {
    /// Five fields, as in cron.
    pub cron: String,
    /// An IANA time zone.
    pub time_zone: chrono_tz::Tz,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file exists and can't be read, or was named and doesn't exist.
    #[error("failed to read configuration `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        err: std::io::Error,
    },
    /// The files were read and say something that can't be.
    #[error("the configuration is not valid")]
    Invalid(Vec<Problem>),
}

/// The process's environment: the variables that we honour, and all of them for `{env: NAME}`.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<PathBuf>,
    /// `STATE_DIRECTORY`, as systemd sets it; the first of several.
    pub state_directory: Option<PathBuf>,
    /// `IPAICTL_LOG`, a `tracing` filter.
    pub log_filter: Option<String>,
    /// Whether `NO_COLOR` has a value, or `TERM` is `dumb`.
    pub no_color: bool,
    variables: BTreeMap<String, SecretString>,
}

impl Environment {
    /// Reads the process's environment.
    pub fn read() -> Self {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let directories = std::env::var_os("STATE_DIRECTORY").unwrap_or_default();
        Environment {
            home: absolute("HOME"),
            config_home: absolute("XDG_CONFIG_HOME"),
            state_home: absolute("XDG_STATE_HOME"),
            cache_home: absolute("XDG_CACHE_HOME"),
            state_directory: std::env::split_paths(&directories).find(|path| path.is_absolute()),
            log_filter: std::env::var("IPAICTL_LOG").ok().filter(|filter| !filter.is_empty()),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
                || std::env::var_os("TERM").is_some_and(|value| value == "dumb"),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?.into()))
                })
                .collect(),
        }
    }

    /// Every variable that is text, for references to secrets.
    pub fn variables(&self) -> BTreeMap<String, SecretString> {
        self.variables.clone()
    }

    /// The user's configuration file.
    pub fn user_file(&self) -> Option<PathBuf> {
        let base = self.config_home.clone().or_else(|| Some(self.home.as_ref()?.join(".config")))?;
        Some(base.join("ipaictl/config.yaml"))
    }

    /// Where what can be computed again is kept; `None` when nobody has a home.
    pub fn cache_dir(&self) -> Option<PathBuf> {
        let base = self.cache_home.clone().or_else(|| Some(self.home.as_ref()?.join(".cache")))?;
        Some(base.join("ipaictl"))
    }

    fn state_dir(&self) -> PathBuf {
        if let Some(directory) = &self.state_directory {
            return directory.clone();
        }
        let base = self.state_home.clone().or_else(|| Some(self.home.as_ref()?.join(".local/state")));
        base.unwrap_or_else(|| PathBuf::from("/var/lib")).join("ipaictl")
    }
}

impl Settings {
    /// The settings when no file says anything.
    pub fn defaults(environment: &Environment) -> Self {
        Settings {
            repo: None,
            credential: None,
            branch: None,
            path: "desired-state".to_owned(),
            state_dir: environment.state_dir(),
            store: None,
            listen: std::net::SocketAddr::from(([127, 0, 0, 1], 9180)),
            concurrency: 4,
            git_poll: Duration::from_secs(60),
            drift_scan: Duration::from_secs(600),
            evidence: EvidenceSettings { commit_to: None, keep: Duration::from_secs(365 * 86_400) },
            git_allow: Vec::new(),
            age_identity: None,
            log_format: LogFormat::Text,
            log_filter: environment.log_filter.clone().unwrap_or_else(|| "info".to_owned()),
            holder: host_name(),
            schedule: ScheduleSettings {
                cron: "0 2 * * *".to_owned(),
                time_zone: chrono_tz::Asia::Singapore,
            },
        }
    }

    /// The settings of the machine's file and then the user's, or of the one file that was named.
    pub fn load(environment: &Environment, named: Option<&Path>) -> Result<Self, ConfigError> {
        let mut settings = Settings::defaults(environment);
        let files = match named {
            Some(path) => vec![(path.to_owned(), true)],
            None => {
                let user = environment.user_file().into_iter();
                std::iter::once(PathBuf::from(SYSTEM_FILE)).chain(user).map(|path| (path, false)).collect()
            }
        };
        let mut problems = Vec::new();
        for (path, required) in files {
            let bytes = match read_bounded(&path) {
                Ok(bytes) => bytes,
                Err(err) if !required && is_absent(&err) => continue,
                Err(err) => return Err(ConfigError::Read { path, err }),
            };
            problems.extend(settings.read_file(&path, &bytes));
        }
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Where the store is, as `Store::open` takes it.
    pub fn store_url(&self) -> String {
        self.store.clone().unwrap_or_else(|| self.state_dir.join("ipaictl.db").display().to_string())
    }

    /// Takes over what a file says; answers everything that is wrong with it.
    fn read_file(&mut self, path: &Path, bytes: &[u8]) -> Vec<Problem> {
        let name = path.display().to_string();
        let base = std::path::absolute(path).ok().and_then(|path| path.parent().map(Path::to_owned));
        let base = base.unwrap_or_else(|| PathBuf::from("/"));
        let (documents, mut problems) = parse_documents(&name, bytes);
        match documents.as_slice() {
            [] => {}
            [root] => self.read_map(root, "", &base, &mut problems),
            [_, second, ..] => {
                let message = "a configuration file is one document".to_owned();
                problems.push(second.place.error("one-document", message));
            }
        }
        problems
    }

    fn read_map(&mut self, node: &Node, prefix: &str, base: &Path, problems: &mut Vec<Problem>) {
        let Some(entries) = node.entries() else {
            let message = format!("expected a map of settings, found a {}", node.type_name());
            problems.push(node.place.error("wrong-type", message));
            return;
        };
        for entry in entries {
            let key = format!("{prefix}{}", entry.key);
            let group = format!("{key}.");
            if let Some(setting) = SETTINGS.iter().find(|setting| setting.key == key) {
                if let Err(message) = (setting.read)(self, &entry.value, base) {
                    let problem = entry.value.place.error("invalid-setting", message);
                    problems.push(problem.with_hint(format!("`{key}` takes: {}.", setting.accepts)));
                }
            } else if SETTINGS.iter().any(|setting| setting.key.starts_with(&group)) {
                self.read_map(&entry.value, &group, base, problems);
            } else {
                let problem = entry.key_place.error("unknown-setting", format!("unknown setting `{key}`"));
                problems.push(problem.with_hint(match nearest(&key, known_keys()) {
                    Some(name) => format!("Did you mean `{name}`?"),
                    None => format!("Known are: {}.", known_keys().collect::<Vec<_>>().join(", ")),
                }));
            }
        }
    }
}

fn is_absent(err: &std::io::Error) -> bool {
    matches!(err.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory)
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("larger than {FILE_BYTES_MAX} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, message));
    }
    Ok(bytes)
}

/// The machine's host name, `localhost` where the system doesn't say.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(yaml: &str) -> Result<Settings, Vec<String>> {
        let mut settings = Settings::defaults(&Environment::default());
        let problems = settings.read_file(Path::new("/etc/ipaictl/config.yaml"), yaml.as_bytes());
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems.iter().map(|problem| problem.to_string()).collect())
        }
    }

    #[test]
    fn every_setting_is_read() {
        let settings = read(
            "repo: state\ncredentialFrom: {env: TOKEN}\nbranch: prod\npath: hosts\nstateDir: /var/lib/x\nstore: sqlite:///x.db\n\
             listen: 0.0.0.0:80\nconcurrency: 2\nintervals: {gitPoll: 30s, driftScan: 1h}\n\
             schedule: {cron: '*/5 * * * *', timeZone: Europe/Berlin}\n\
             evidence: {commitTo: docs, keep: 30d}\ngit: {allow: [\"file:///srv/\"]}\nageIdentity: key.txt\n\
             log: {format: json, filter: debug}\nholder: me\n",
        )
        .unwrap();
        assert_eq!(settings.repo.as_deref(), Some("/etc/ipaictl/state"));
        assert!(matches!(&settings.credential, Some(SecretRef::Env(secret)) if secret.env == "TOKEN"));
        assert_eq!(settings.git_poll, Duration::from_secs(30));
        assert_eq!(settings.schedule.time_zone, chrono_tz::Europe::Berlin);
        assert_eq!(settings.git_allow, ["file:///srv/"]);
        assert_eq!(settings.age_identity.as_deref(), Some(Path::new("/etc/ipaictl/key.txt")));
        assert_eq!(settings.log_format, LogFormat::Json);
        // Every key of the table was in the text above, so none is read into nothing.
        let defaults = Settings::defaults(&Environment::default());
        assert_ne!(settings.evidence, defaults.evidence);
        assert_ne!(settings.listen, defaults.listen);
    }

    #[test]
    fn an_unknown_setting_is_an_error_with_place_and_nearest() {
        let problems = read("repo: x\nintervals:\n  gitpol: 30s\n").unwrap_err();
        assert_eq!(
            problems,
            ["/etc/ipaictl/config.yaml:3:3: error: unknown setting `intervals.gitpol` [unknown-setting]\n  \
              3 |   gitpol: 30s\n    |   ^^^^^^\n  Hint: Did you mean `intervals.gitPoll`?"]
        );
    }

    #[test]
    fn values_out_of_bounds_are_all_reported() {
        let yaml = "concurrency: 0\nintervals: {gitPoll: 1s}\nlisten: here\nschedule: {cron: 0 0 30 2 *, \
                    timeZone: Asia/Singapur}\nlog: {format: xml}\ngit: {allow: file}\nrepo: {}\nstateDir: ~/x\n";
        let problems = read(yaml).unwrap_err();
        assert_eq!(problems.len(), 9, "{problems:#?}");
        assert!(problems.iter().any(|problem| problem.contains("did you mean `Asia/Singapore`")));
    }

    #[test]
    fn urls_stay_urls_and_paths_follow_the_file() {
        for url in ["https://example.org/x.git", "git@example.org:x.git", "file:///x"] {
            assert_eq!(read(&format!("repo: {url}")).unwrap().repo.as_deref(), Some(url));
        }
    }

    #[test]
    fn the_state_directory_follows_the_environment() {
        let mut environment = Environment::default();
        assert_eq!(environment.state_dir(), Path::new("/var/lib/ipaictl"));
        environment.home = Some("/home/a".into());
        assert_eq!(environment.state_dir(), Path::new("/home/a/.local/state/ipaictl"));
        environment.state_home = Some("/s".into());
        assert_eq!(environment.state_dir(), Path::new("/s/ipaictl"));
        environment.state_directory = Some("/run/d".into());
        assert_eq!(environment.state_dir(), Path::new("/run/d"));
    }

    #[test]
    fn the_page_about_settings_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        let page = table::render_documentation();
        if std::env::var_os("IPAICTL_BLESS").is_some() {
            std::fs::write(&path, &page).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == page,
            "docs/configuration.md is stale; run: IPAICTL_BLESS=1 cargo test --lib config"
        );
    }
}
