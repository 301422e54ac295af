//! Every setting once: its name, what it accepts, its default, what it does and how it is read.
//!
//! The reader, its errors and `docs/configuration.md` all follow this table.

use std::path::{Path, PathBuf};
use std::time::Duration;

use croner::parser::{CronParser, Seconds};

use super::{LogFormat, Settings};
use crate::model::document::Node;
use crate::model::problem::nearest;
use crate::model::secret::{EnvSecret, FileSecret, SecretRef};
use crate::model::time::{parse_duration, render_duration};

/// No interval may be shorter: faster loops only load the engine and the git server.
pub const INTERVAL_MIN: Duration = Duration::from_secs(10);
/// No interval may be longer; a week without looking is surely a slip of the unit.
const INTERVAL_MAX: Duration = Duration::from_secs(7 * 86_400);
/// The most resources that are reconciled at once; a host's engine is slower before that.
const CONCURRENCY_MAX: i64 = 64;

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
    pub(super) read: fn(&mut Settings, &Node, &Path) -> Result<(), String>,
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
        key: "credentialFrom",
        accepts: "`{env: NAME}` or `{file: PATH}`",
        default: "none",
        about: "The token or password of a state repository that is reached by `https://`.",
        read: |settings, node, base| {
            settings.credential = Some(secret(node, base)?);
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
        about: "The Repository on this machine (`file://`) whose branch gets evidence packs committed under `docs/evidence/`.",
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
        accepts: "list of URL prefixes",
        default: "none",
        about: "Beginnings of other URLs that Repository documents may use, such as `file:///srv/git/` or `http://git.lan/`.",
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
         | `NO_COLOR` | no colors, unless it is empty; so does `TERM=dumb` |\n\n\
         References to secrets, `{env: NAME}`, read the variable they name. Compose files never see the\n\
         environment of `ipaictl`.\n",
    );
    page
}

pub(super) fn known_keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|setting| setting.key)
}

fn text(node: &Node) -> Result<String, String> {
    match node.text() {
        Some("") => Err("expected text, found nothing".to_owned()),
        Some(text) => Ok(text.to_owned()),
        None => Err(format!("expected text, found a {}", node.type_name())),
    }
}

fn secret(node: &Node, base: &Path) -> Result<SecretRef, String> {
    let [entry] = node.entries().unwrap_or_default() else {
        return Err(format!("expected a map with one key, found a {}", node.type_name()));
    };
    match entry.key.as_str() {
        "env" => Ok(SecretRef::Env(EnvSecret { env: text(&entry.value)? })),
        "file" => {
            let file = resolved(base, &text(&entry.value)?)?.display().to_string();
            Ok(SecretRef::File(FileSecret { file }))
        }
        other => Err(format!("`{other}` is neither `env` nor `file`")),
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
