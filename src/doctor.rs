//! What ipaictl needs, checked one by one, each with how to mend it.
//!
//! Changes nothing but our own copy of a state repository elsewhere. A check that can't be made is a warning, never "ok".

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::clients::Clients;
use crate::clients::process::{self, Invocation};
use crate::config::{Environment, Settings};
use crate::desired::state::DesiredState;
use crate::desired::{At, LoadOptions, Source, load};
use crate::error::source_hint;
use crate::model::id::ResourceId;
use crate::model::problem::error_chain as chain;
use crate::reconcile::{KEY_FILE, resolver, source_settings};
use crate::record::facts::{Fact, HEARTBEAT, is_alive};
use crate::record::store::{Store, parse_location};

/// git below this lacks options that fetching uses.
const GIT_VERSION_MIN: (u32, u32) = (2, 31);
/// Engines below this are not tested.
const ENGINE_VERSION_MIN: (u32, u32) = (20, 10);
/// How long `git --version` may take.
const GIT_TIME_MAX: Duration = Duration::from_secs(10);
/// A clock that is further behind than this makes schedules and leases wrong.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(5);
/// The beginning of 2026: a clock before this was never set.
const CLOCK_MIN: i64 = 1_767_225_600;
/// The endpoint that is checked when no desired state names one.
const DEFAULT_ENDPOINT: &str = "unix:///var/run/docker.sock";

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it has to be.
    Ok,
    /// Works, or could not be found out; somebody should look.
    Warn,
    /// Does not work.
    Fail,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mend: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Check {
        Check { name: name.into(), verdict: Verdict::Ok, detail: detail.into(), mend: None }
    }

    fn warn(name: impl Into<String>, detail: impl Into<String>, mend: impl Into<String>) -> Check {
        Check { verdict: Verdict::Warn, mend: Some(mend.into()), ..Check::ok(name, detail) }
    }

    fn fail(name: impl Into<String>, detail: impl Into<String>, mend: impl Into<String>) -> Check {
        Check { verdict: Verdict::Fail, mend: Some(mend.into()), ..Check::ok(name, detail) }
    }
}

/// Checks everything, in the order in which it is needed.
pub async fn examine(settings: &Settings, environment: &Environment, at: Option<&str>) -> Vec<Check> {
    let mut checks = vec![git().await];
    let (desired, mut found) = desired(settings, environment, at).await;
    checks.append(&mut found);
    let clients = Clients::default();
    match &desired {
        Some(state) if !state.hosts.is_empty() => {
            clients.use_keys(&state.engine_keys).await;
            for (name, host) in &state.hosts {
                let endpoint = &host.spec.engine.endpoint;
                checks.push(engine(&clients, &format!("engine of Host/{name}"), endpoint).await);
            }
        }
        _ => checks.push(engine(&clients, "engine of this machine", DEFAULT_ENDPOINT).await),
    }
    checks.push(state_dir(&settings.state_dir));
    checks.push(key(&settings.state_dir.join(KEY_FILE)));
    let (heartbeat, check) = store(settings).await;
    checks.push(check);
    let is_running = is_alive(heartbeat.as_ref(), Utc::now());
    let heartbeat = heartbeat.map(|fact| fact.noted);
    checks.push(controller(heartbeat, is_running));
    checks.push(port(settings.listen, is_running));
    checks.push(clock(Utc::now(), heartbeat));
    checks
}

async fn git() -> Check {
    const NAME: &str = "git program";
    const MEND: &str = "Install git 2.31 or newer: apt-get install git";
    let invocation = Invocation::new("git", GIT_TIME_MAX).args(["--version"]);
    match process::run(&invocation).await {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match version(&text) {
                Some(found) if found >= GIT_VERSION_MIN => Check::ok(NAME, text),
                Some(_) => Check::fail(NAME, format!("{text} is too old"), MEND),
                None => Check::warn(NAME, format!("it says `{text}`"), MEND),
            }
        }
        Err(err) => Check::fail(NAME, chain(&err), MEND),
    }
}

/// The first two numbers of a text such as `git version 2.39.5`.
fn version(text: &str) -> Option<(u32, u32)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let mut numbers = text[start..].split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

async fn desired(
    settings: &Settings,
    environment: &Environment,
    at: Option<&str>,
) -> (Option<DesiredState>, Vec<Check>) {
    const REPOSITORY: &str = "state repository";
    const DESIRED: &str = "desired state";
    let secrets = resolver(settings, environment);
    let source = match source_settings(settings, &secrets).map(|settings| Source::open(&settings)) {
        Ok(Ok(source)) => source,
        Ok(Err(err)) => {
            let mend = source_hint(&err).unwrap_or_else(|| "Name it with --repo.".to_owned());
            return (None, vec![Check::fail(REPOSITORY, chain(&err), mend)]);
        }
        Err(err) => return (None, vec![Check::fail(REPOSITORY, chain(&err), "Check credentialFrom.")]),
    };
    let resolved = match source.fetch().await {
        Ok(()) => source.resolve(at),
        Err(err) => Err(err),
    };
    let revision = match resolved {
        Ok(revision) => revision,
        Err(err) => {
            let mend = source_hint(&err).unwrap_or_else(|| "Check the address and the network.".to_owned());
            return (None, vec![Check::fail(REPOSITORY, chain(&err), mend)]);
        }
    };
    let mut checks = vec![Check::ok(REPOSITORY, format!("{} at {revision}", source.name()))];
    let options = LoadOptions { now: Utc::now(), fetch: true };
    let loaded = match load(&source, &At::Revision(revision), &secrets, &options).await {
        Ok(loaded) => loaded,
        Err(err) => {
            let mend = source_hint(&err).unwrap_or_else(|| "Check the repository.".to_owned());
            checks.push(Check::fail(DESIRED, chain(&err), mend));
            return (None, checks);
        }
    };
    let errors = loaded.problems.iter().filter(|problem| problem.is_error()).count();
    const MEND: &str = "See all of it with `ipaictl validate`.";
    checks.push(match (&loaded.state, loaded.problems.len()) {
        (None, _) => Check::fail(DESIRED, format!("not valid: {}", count(errors, "error")), MEND),
        (Some(state), 0) => Check::ok(DESIRED, format!("valid: {}", count(state.ids().len(), "resource"))),
        (Some(_), warnings) => {
            Check::warn(DESIRED, format!("valid, with {}", count(warnings, "warning")), MEND)
        }
    });
    if let Some(state) = &loaded.state {
        checks.push(secrets_check(state));
    }
    (loaded.state, checks)
}

fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

fn secrets_check(state: &DesiredState) -> Check {
    const NAME: &str = "secrets";
    let missing = |id: &ResourceId| {
        let unknown = state.unknown(id).filter(|unknown| unknown.secret_missing)?;
        Some(format!("{id}: {}", unknown.why))
    };
    let unknown: Vec<String> = state.ids().iter().filter_map(missing).collect();
    if unknown.is_empty() {
        Check::ok(NAME, "all that stacks and environments need have a value")
    } else {
        let mend = "Set them where the controller runs: in its environment, a file, or the age identity.";
        Check::fail(NAME, unknown.join("; "), mend)
    }
}

async fn engine(clients: &Clients, name: &str, endpoint: &str) -> Check {
    match clients.connect(endpoint).await {
        Ok(docker) => match version(&docker.version()) {
            Some(found) if found >= ENGINE_VERSION_MIN => {
                Check::ok(name, format!("Docker {} at {endpoint}", docker.version()))
            }
            _ => Check::warn(
                name,
                format!("Docker {} at {endpoint} is older than what is tested", docker.version()),
                "Upgrade to Docker Engine 20.10 or newer.",
            ),
        },
        Err(err) => Check::fail(name, chain(&err), mend_engine(endpoint)),
    }
}

fn mend_engine(endpoint: &str) -> String {
    let Some(socket) = endpoint.strip_prefix("unix://") else {
        return format!("Check that `{endpoint}` can be reached from here as this user.");
    };
    match std::os::unix::net::UnixStream::connect(socket) {
        Err(err) if err.kind() == std::io::ErrorKind::PermissionDenied => {
            format!("This user may not use `{socket}`: usermod -aG docker USER, then log in again.")
        }
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            "Install and start the engine: apt-get install docker.io && systemctl start docker".to_owned()
        }
        _ => "Start the engine: systemctl start docker".to_owned(),
    }
}

fn state_dir(path: &Path) -> Check {
    const NAME: &str = "state directory";
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            Check::warn(NAME, format!("`{shown}` doesn't exist yet"), "The first apply or serve makes it.")
        }
        Err(err) => Check::fail(NAME, format!("`{shown}`: {err}"), "Name another with stateDir."),
        Ok(found) if !found.is_dir() => {
            Check::fail(NAME, format!("`{shown}` is no folder"), "Name another with stateDir.")
        }
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let mode = found.permissions().mode() & 0o777;
            let detail = format!("`{shown}` may be read by others (mode {mode:o})");
            Check::warn(NAME, detail, format!("chmod 700 {shown}"))
        }
        Ok(_) => Check::ok(NAME, format!("`{shown}`")),
    }
}

fn key(path: &Path) -> Check {
    const NAME: &str = "fingerprint key";
    let shown = path.display();
    match std::fs::metadata(path) {
        Err(err) if err.kind() == std::io::ErrorKind::NotFound => {
            Check::warn(NAME, format!("`{shown}` doesn't exist yet"), "The first apply or serve makes it.")
        }
        Err(err) => Check::warn(NAME, format!("`{shown}`: {err}"), "Run as the user of the controller."),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let mode = found.permissions().mode() & 0o777;
            Check::fail(
                NAME,
                format!("`{shown}` may be read by others (mode {mode:o})"),
                format!("chmod 600 {shown}"),
            )
        }
        Ok(_) => Check::ok(NAME, format!("`{shown}`")),
    }
}

/// Checks the store; says when a controller was last alive.
async fn store(settings: &Settings) -> (Option<Fact>, Check) {
    const NAME: &str = "store";
    let path = match parse_location(&settings.store_url()) {
        Ok(path) => path,
        Err(err) => return (None, Check::fail(NAME, chain(&err), "Correct `store`.")),
    };
    let shown = path.display();
    let store = match Store::open_existing(&path).await {
        Ok(Some(store)) => store,
        Ok(None) => {
            let mend = "The first apply or serve makes it.";
            return (None, Check::warn(NAME, format!("`{shown}` doesn't exist yet"), mend));
        }
        Err(err) => {
            let mend = "Run as the user of the controller, or put the file aside: it is rebuilt from git and labels.";
            return (None, Check::fail(NAME, chain(&err), mend));
        }
    };
    let heartbeat = store.fact(HEARTBEAT).await.ok().flatten();
    let check = match store.check().await {
        Ok(()) => Check::ok(NAME, format!("`{shown}` is sound")),
        Err(err) => {
            let mend = "Stop the controller and put the file aside: it is rebuilt from git and labels.";
            Check::fail(NAME, chain(&err), mend)
        }
    };
    store.close().await;
    (heartbeat, check)
}

fn controller(heartbeat: Option<DateTime<Utc>>, is_running: bool) -> Check {
    const NAME: &str = "controller";
    const MEND: &str = "Start it with `ipaictl serve` when hosts are to be kept as declared.";
    match heartbeat {
        Some(noted) if is_running => {
            Check::ok(NAME, format!("alive at {}", noted.format("%Y-%m-%dT%H:%M:%SZ")))
        }
        Some(noted) => Check::warn(
            NAME,
            format!("not running; last alive at {}", noted.format("%Y-%m-%dT%H:%M:%SZ")),
            MEND,
        ),
        None => Check::warn(NAME, "has never run with this store", MEND),
    }
}

fn port(address: std::net::SocketAddr, is_running: bool) -> Check {
    const NAME: &str = "port of health and metrics";
    match TcpListener::bind(address) {
        Ok(_) if is_running => {
            let mend = "The running controller listens elsewhere; give doctor the same configuration.";
            Check::warn(NAME, format!("nobody listens at {address}"), mend)
        }
        Ok(_) => Check::ok(NAME, format!("{address} is free")),
        Err(err) if err.kind() == std::io::ErrorKind::AddrInUse && is_running => {
            Check::ok(NAME, format!("{address} is taken by the running controller"))
        }
        Err(err) => Check::fail(NAME, format!("{address}: {err}"), "Name another address with `listen`."),
    }
}

fn clock(now: DateTime<Utc>, heartbeat: Option<DateTime<Utc>>) -> Check {
    const NAME: &str = "clock";
    const MEND: &str = "Set the clock, and keep it right: timedatectl set-ntp true";
    let shown = now.format("%Y-%m-%dT%H:%M:%SZ");
    // The heartbeat is the latest time that this machine has certainly seen.
    match heartbeat {
        Some(noted) if now + CLOCK_SLACK < noted => {
            Check::fail(NAME, format!("{shown} lies before the controller's last sign of life"), MEND)
        }
        _ if now.timestamp() < CLOCK_MIN => Check::fail(NAME, format!("{shown} lies in the past"), MEND),
        _ => Check::ok(NAME, shown.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_programs_say() {
        assert_eq!(version("git version 2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(version("20.10.24+dfsg1"), Some((20, 10)));
        assert_eq!(version("none"), None);
    }

    #[test]
    fn a_clock_before_what_was_seen_already_is_wrong() {
        let now = Utc::now();
        assert_eq!(clock(now, Some(now - TimeDelta::minutes(1))).verdict, Verdict::Ok);
        assert_eq!(clock(now, Some(now + TimeDelta::hours(1))).verdict, Verdict::Fail);
        assert_eq!(clock(DateTime::UNIX_EPOCH, None).verdict, Verdict::Fail);
    }

    #[test]
    fn a_key_that_others_may_read_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(KEY_FILE);
        assert_eq!(key(&path).verdict, Verdict::Warn);
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(key(&path).verdict, Verdict::Fail);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(key(&path).verdict, Verdict::Ok);
    }

    #[test]
    fn a_taken_port_is_fine_only_for_a_running_controller() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        assert_eq!(port(address, false).verdict, Verdict::Fail);
        assert_eq!(port(address, true).verdict, Verdict::Ok);
    }
}
