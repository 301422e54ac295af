//! Our own settings: what `config.yaml` may say, its defaults, and the environment variables that we honour.
//!
//! The only reader of environment variables but for `{env: …}` references to secrets. A table names every
//! setting once; the reader, the errors and `docs/configuration.md` all follow it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use croner::parser::{CronParser, Seconds};

use crate::model::document::{Node, parse_documents};
use crate::model::problem::{Problem, nearest};
use crate::model::time::{parse_duration, render_duration};

/// The machine's configuration file.
pub const SYSTEM_FILE: &str = "/etc/ipaictl/config.yaml";
/// The largest configuration file that is read: hundreds of times an ordinary one.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// No interval may be shorter: faster loops only load the engine and the git server.
pub const INTERVAL_MIN: Duration = Duration::from_secs(10);
/// No interval may be longer; a week without looking is surely a slip of the unit.
const INTERVAL_MAX: Duration = Duration::from_secs(7 * 86_400);
/// The most resources that are reconciled at once; a host's engine is slower before that.
const CONCURRENCY_MAX: i64 = 64;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The state repository as path or URL; `None` means the working directory's.
    pub repo: Option<String>,
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
    /// Transports and hosts, beyond `https` and `ssh` to public addresses, that git may use.
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
    /// The Repository whose checkout gets them committed under `docs/evidence/`.
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

/// One setting: its name, what it is for, and how it is read.
pub struct Setting {
    /// The name in the file; a dot stands for nesting.
    pub key: &'static str,
    /// What it accepts, in a few words.
    pub accepts: &'static str,
    /// The default, in words.
    pub default: &'static str,
    /// What it does.
    pub about: &'static str,
    read: fn(&mut Settings, &Node, &Path) -> Result<(), String>,
}

/// Every setting, in the order of the documentation.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "repo",
        accepts: "path or URL",
        default: "the repository around the working directory",
        about: "The state repository. A path is relative to the configuration file.",
        read: |settings, node, base| {
            let value = text(node)?;
            let remote = value.contains("://") || is_scp_like(&value);
            settings.repo = Some(if remote { value } else { resolved(base, &value)?.display().to_string() });
            Ok(())
        },
    },
    Setting {
        key: "branch",
        accepts: "branch name",
        default: "the branch that the repository's HEAD names",
        about: "The branch that is followed.",
        read: |settings, node, _| {
            settings.branch = Some(text(node)?);
            Ok(())
        },
    },
    Setting {
        key: "path",
        accepts: "relative path",
        default: "desired-state",
        about: "The folder of the state repository that holds resource documents.",
        read: |settings, node, _| {
            settings.path = text(node)?;
            Ok(())
        },
    },
    Setting {
        key: "stateDir",
        accepts: "path",
        default: "`$STATE_DIRECTORY`, else `$XDG_STATE_HOME/ipaictl`, else `~/.local/state/ipaictl`",
        about: "Where the store, the fingerprint key, copies of repositories and evidence packs lie.",
        read: |settings, node, base| {
            settings.state_dir = resolved(base, &text(node)?)?;
            Ok(())
        },
    },
    Setting {
        key: "store",
        accepts: "path or `sqlite:` URL",
        default: "`ipaictl.db` in the state directory",
        about: "The store of conditions, history, inventory and locks.",
        read: |settings, node, base| {
            let value = text(node)?;
            let url = value.starts_with("sqlite:");
            settings.store = Some(if url { value } else { resolved(base, &value)?.display().to_string() });
            Ok(())
        },
    },
    Setting {
        key: "listen",
        accepts: "address:port",
        default: "127.0.0.1:9180",
        about: "Where `serve` answers `/healthz`, `/readyz` and `/metrics`.",
        read: |settings, node, _| {
            let value = text(node)?;
            settings.listen = value
                .parse()
                .map_err(|_| format!("`{value}` is not an address and port such as `127.0.0.1:9180`"))?;
            Ok(())
        },
    },
    Setting {
        key: "concurrency",
        accepts: "1 to 64",
        default: "4",
        about: "How many resources are reconciled at once.",
        read: |settings, node, _| {
            let value = text(node)?;
            let number = value.parse::<i64>().ok().filter(|number| (1..=CONCURRENCY_MAX).contains(number));
            settings.concurrency = number
                .ok_or_else(|| format!("`{value}` is not a number from 1 to {CONCURRENCY_MAX}"))?
                as usize;
            Ok(())
        },
    },
    Setting {
        key: "intervals.gitPoll",
        accepts: "duration of at least 10s",
        default: "1m",
        about: "How often a remote state repository is asked for news. Local ones are watched.",
        read: |settings, node, _| {
            settings.git_poll = interval(node)?;
            Ok(())
        },
    },
    Setting {
        key: "intervals.driftScan",
        accepts: "duration of at least 10s",
        default: "10m",
        about: "How often every host is read even when nothing happened.",
        read: |settings, node, _| {
            settings.drift_scan = interval(node)?;
            Ok(())
        },
    },
    Setting {
        key: "schedule.cron",
        accepts: "five cron fields",
        default: "0 2 * * *",
        about: "When a full pass over everything runs.",
        read: |settings, node, _| {
            settings.schedule.cron = cron(&text(node)?)?;
            Ok(())
        },
    },
    Setting {
        key: "schedule.timeZone",
        accepts: "IANA time zone",
        default: "Asia/Singapore",
        about: "The time zone of `schedule.cron`.",
        read: |settings, node, _| {
            let value = text(node)?;
            settings.schedule.time_zone = value.parse().map_err(|_| {
                let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
                match nearest(&value, names) {
                    Some(name) => format!("`{value}` is not a time zone; did you mean `{name}`?"),
                    None => format!("`{value}` is not a time zone such as `Europe/Berlin`"),
                }
            })?;
            Ok(())
        },
    },
    Setting {
        key: "evidence.commitTo",
        accepts: "name of a Repository",
        default: "nothing is committed",
        about: "The Repository whose checkout gets evidence packs committed under `docs/evidence/`.",
        read: |settings, node, _| {
            settings.evidence.commit_to = Some(text(node)?);
            Ok(())
        },
    },
    Setting {
        key: "evidence.keep",
        accepts: "duration",
        default: "365d",
        about: "How long evidence packs stay in the state directory.",
        read: |settings, node, _| {
            settings.evidence.keep = duration(node)?;
            Ok(())
        },
    },
    Setting {
        key: "git.allow",
        accepts: "list of transports and hosts",
        default: "none",
        about: "What git may use beyond `https` and `ssh`: `file` for local paths in Repository documents.",
        read: |settings, node, _| {
            let items =
                node.items().ok_or_else(|| format!("expected a list, found a {}", node.type_name()))?;
            settings.git_allow = items.iter().map(text).collect::<Result<_, _>>()?;
            Ok(())
        },
    },
    Setting {
        key: "ageIdentity",
        accepts: "path",
        default: "none; `{age: …}` secrets are then unknown",
        about: "The file with the age identity that opens encrypted files of the state repository.",
        read: |settings, node, base| {
            settings.age_identity = Some(resolved(base, &text(node)?)?);
            Ok(())
        },
    },
    Setting {
        key: "log.format",
        accepts: "`text` or `json`",
        default: "text",
        about: "How `serve` writes log lines.",
        read: |settings, node, _| {
            settings.log_format = match text(node)?.as_str() {
                "text" => LogFormat::Text,
                "json" => LogFormat::Json,
                other => return Err(format!("`{other}` is neither `text` nor `json`")),
            };
            Ok(())
        },
    },
    Setting {
        key: "log.filter",
        accepts: "tracing filter",
        default: "`$IPAICTL_LOG`, else info",
        about: "Which log lines are written, such as `info` or `ipaictl=debug`.",
        read: |settings, node, _| {
            let value = text(node)?;
            tracing_subscriber::EnvFilter::try_new(&value).map_err(|err| format!("`{value}`: {err}"))?;
            settings.log_filter = value;
            Ok(())
        },
    },
    Setting {
        key: "holder",
        accepts: "text",
        default: "the machine's host name",
        about: "Who we are in locks and history.",
        read: |settings, node, _| {
            settings.holder = text(node)?;
            Ok(())
        },
    },
];

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

/// The environment variables that we honour.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `HOME`.
    pub home: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub state_home: Option<PathBuf>,
    /// `STATE_DIRECTORY`, as systemd sets it; the first of several.
    pub state_directory: Option<PathBuf>,
    /// `IPAICTL_LOG`, a `tracing` filter.
    pub log_filter: Option<String>,
    /// Whether `NO_COLOR` is set to anything, or `TERM` is `dumb`.
    pub no_color: bool,
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
            state_directory: std::env::split_paths(&directories).find(|path| path.is_absolute()),
            log_filter: std::env::var("IPAICTL_LOG").ok().filter(|filter| !filter.is_empty()),
            no_color: std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
                || std::env::var_os("TERM").is_some_and(|value| value == "dumb"),
        }
    }

    /// The user's configuration file.
    pub fn user_file(&self) -> Option<PathBuf> {
        let base = self.config_home.clone().or_else(|| Some(self.home.as_ref()?.join(".config")))?;
        Some(base.join("ipaictl/config.yaml"))
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

/// The page that documents every setting, written from the table.
pub fn render_documentation() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         `ipaictl` reads `/etc/ipaictl/config.yaml`, then `$XDG_CONFIG_HOME/ipaictl/config.yaml` (or\n\
         `~/.config/ipaictl/config.yaml`); a setting of the second file replaces that of the first. `--config FILE`\n\
         reads that file alone. A setting that does not exist, or a value that can't be, is an error that names file,\n\
         line and column. Options of the command line (`--repo`, `--path`, `--revision`, `--store`) win over files.\n\n\
         A dot in a name stands for nesting: `intervals.gitPoll` is written\n\n\
         ```yaml\nintervals:\n  gitPoll: 30s\n```\n\n\
         | setting | takes | default | what it does |\n|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        page.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            setting.key, setting.accepts, setting.default, setting.about
        ));
    }
    page.push_str(
        "\n## Environment variables\n\n\
         | variable | what it does |\n|---|---|\n\
         | `STATE_DIRECTORY` | the default of `stateDir`; systemd sets it for a unit with `StateDirectory=` |\n\
         | `XDG_STATE_HOME`, `XDG_CONFIG_HOME`, `HOME` | where the defaults of a user lie |\n\
         | `IPAICTL_LOG` | the default of `log.filter` |\n\
         | `NO_COLOR` | no colors, whatever its value; so does `TERM=dumb` |\n\n\
         References to secrets, `{env: NAME}`, read the variable they name. Compose files never see the\n\
         environment of `ipaictl`.\n",
    );
    page
}

fn known_keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.key)
}

fn text(node: &Node) -> Result<String, String> {
    match node.text() {
        Some("") => Err("expected text, found nothing".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("expected text, found a {}", node.type_name())),
    }
}

fn duration(node: &Node) -> Result<Duration, String> {
    let value = text(node)?;
    parse_duration(&value).ok_or_else(|| format!("`{value}` is not a duration such as `90s` or `15m`"))
}

fn interval(node: &Node) -> Result<Duration, String> {
    let value = duration(node)?;
    if value < INTERVAL_MIN || value > INTERVAL_MAX {
        let (min, max) = (render_duration(INTERVAL_MIN), render_duration(INTERVAL_MAX));
        return Err(format!("`{}` is not between {min} and {max}", render_duration(value)));
    }
    Ok(value)
}

/// Checks a schedule by looking for its next time: `30 Feb` parses and never comes.
fn cron(text: &str) -> Result<String, String> {
    let parser = CronParser::builder().seconds(Seconds::Disallowed).build();
    let schedule = parser.parse(text).map_err(|err| format!("`{text}` is not a schedule: {err}"))?;
    let epoch = chrono::DateTime::<chrono::Utc>::UNIX_EPOCH;
    schedule.find_next_occurrence(&epoch, false).map_err(|_| format!("`{text}` never comes"))?;
    Ok(text.to_owned())
}

fn resolved(base: &Path, text: &str) -> Result<PathBuf, String> {
    if text.starts_with('~') {
        return Err(format!("`{text}`: `~` is not expanded here; write the whole path"));
    }
    Ok(base.join(text))
}

/// Whether a repository is written as `user@host:path`.
fn is_scp_like(text: &str) -> bool {
    text.split_once(':')
        .is_some_and(|(host, _)| !host.is_empty() && !host.contains('/') && host.contains('@'))
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
            "repo: state\nbranch: prod\npath: hosts\nstateDir: /var/lib/x\nstore: sqlite:///x.db\n\
             listen: 0.0.0.0:80\nconcurrency: 2\nintervals: {gitPoll: 30s, driftScan: 1h}\n\
             schedule: {cron: '*/5 * * * *', timeZone: Europe/Berlin}\n\
             evidence: {commitTo: docs, keep: 30d}\ngit: {allow: [file]}\nageIdentity: key.txt\n\
             log: {format: json, filter: debug}\nholder: me\n",
        )
        .unwrap();
        assert_eq!(settings.repo.as_deref(), Some("/etc/ipaictl/state"));
        assert_eq!(settings.git_poll, Duration::from_secs(30));
        assert_eq!(settings.schedule.time_zone, chrono_tz::Europe::Berlin);
        assert_eq!(settings.git_allow, ["file"]);
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
        let page = render_documentation();
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
