//! A run of Odoo that installs and updates modules: what has to be so before, and what is so afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use super::{EnvironmentContext, EnvironmentError, database, pause};
use crate::clients::postgres::PostgresError;
use crate::engine::apply::{Done, EngineError};
use crate::engine::labels;
use crate::engine::observe::{ContainerStatus, state};
use crate::model::problem::error_chain;
use crate::skills::environment::conf::DATA_DIR;
use crate::skills::environment::facts::{DatabaseFacts, DatabaseState};
use crate::skills::environment::loading;
use crate::skills::environment::observe::{MODULES_CHECKSUMS, STAMP, connect, database_address};
use crate::skills::environment::operation::ModulesRun;

/// How long the database's server may take to answer before a run: it may just have been made.
const DATABASE_PATIENCE: Duration = Duration::from_secs(120);
/// How long a run that took too long may take to end.
const STOP_GRACE: Duration = Duration::from_secs(30);
/// Lines of a run's log that are kept.
const KEPT_LINES: usize = 2_000;
/// Lines of a run's log that an error repeats.
const TOLD_LINES: usize = 100;
/// Characters of a cause that are told.
const CAUSE_MAX: usize = 300;
/// Modules that a text names.
const NAMED_MAX: usize = 5;

/// A run of Odoo that did not do what it was for.
#[derive(Debug)]
pub struct RunFailure {
    /// What is wrong, as a sentence.
    pub why: String,
    /// What state the database is in now.
    pub database: String,
    /// What the log names as the cause, secrets masked.
    pub cause: Option<String>,
    /// The last lines of the log, secrets masked.
    pub log: Vec<String>,
    /// Where the log is kept.
    pub kept: String,
}

impl std::error::Error for RunFailure {}

impl fmt::Display for RunFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.why)?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        write!(f, ". The database: {}", self.database)
    }
}

impl RunFailure {
    /// What to do next.
    pub fn hint(&self) -> String {
        format!(
            "The log is kept in `{}`. It is not tried again by itself until code, image or document change; `ipaictl apply` tries it now.",
            self.kept
        )
    }
}

/// Installs and updates modules.
pub(super) async fn run(
    run: &ModulesRun,
    context: &EnvironmentContext<'_>,
) -> Result<Done, EnvironmentError> {
    let before = database(&run.database, DATABASE_PATIENCE, context).await?;
    if !has_begun(run, context).await? {
        check_before(run, &before)?;
        make_room(run, context).await?;
        begin(run, context).await?;
    }
    let ended = wait(run, context).await?;
    let docker = context.docker;
    let log = docker.log_tail(&run.container, KEPT_LINES).await?.text;
    let log = (context.redact)(&log);
    keep(&run.log, &log)?;
    docker.remove_container(&run.container).await?;
    let after = database(&run.database, DATABASE_PATIENCE, context).await?;
    let wrong = match ended {
        Ended::Late => Some(format!("it did not end within {} s, and was stopped", run.timeout.as_secs())),
        Ended::With(code) => exit(code).or_else(|| unfulfilled(run, &after)).or_else(|| half_loaded(&log)),
    };
    if let Some(why) = wrong {
        let lines: Vec<&str> = log.trim_end().lines().collect();
        let told = &lines[lines.len().saturating_sub(TOLD_LINES)..];
        return Err(EnvironmentError::Run(Box::new(RunFailure {
            why,
            database: compared(&before, &after),
            cause: cause(&lines),
            log: told.iter().map(|line| (*line).to_owned()).collect(),
            kept: run.log.clone(),
        })));
    }
    remember(run, &after, context).await?;
    Ok(Done { said: vec![format!("the log is kept in `{}`", run.log)], ..Done::default() })
}

/// Whether a controller that died began exactly this run: its end is all that is missing.
async fn has_begun(run: &ModulesRun, context: &EnvironmentContext<'_>) -> Result<bool, EnvironmentError> {
    let Some(found) = context.docker.container(&run.container).await? else { return Ok(false) };
    let is_this = label(&found, labels::RUN) == Some(&run.resource)
        && label(&found, labels::OPERATION) == Some(&run.operation_id);
    // One that was only created never ran.
    Ok(is_this && state(&found).status != ContainerStatus::Created)
}

/// Makes the container and starts it.
async fn begin(run: &ModulesRun, context: &EnvironmentContext<'_>) -> Result<(), EnvironmentError> {
    let docker = context.docker;
    docker.create_container(&run.container, None, (*run.body).clone()).await.map_err(|err| {
        match err.is_not_found() {
            true => {
                let reference = run.body.image.clone().unwrap_or_default();
                EnvironmentError::Engine(EngineError::ImageMissing { reference })
            }
            false => err.into(),
        }
    })?;
    if run.initialize {
        let attachments = format!("{}/filestore/{}", DATA_DIR, run.database.name);
        if docker.has_path(&run.container, &attachments).await? {
            docker.remove_container(&run.container).await?;
            return Err(EnvironmentError::FilestoreWithoutDatabase { path: attachments });
        }
    }
    if let Err(err) = docker.start_container(&run.container).await {
        // It never ran, so nothing is to be learned from it.
        docker.remove_container(&run.container).await?;
        return Err(err.into());
    }
    Ok(())
}

fn check_before(run: &ModulesRun, before: &DatabaseFacts) -> Result<(), EnvironmentError> {
    let is_free = matches!(before.state, DatabaseState::Missing | DatabaseState::Empty);
    let why = match (run.initialize, is_free) {
        (true, true) => return Ok(()),
        (true, false) => match &before.state {
            DatabaseState::Refused(why) => {
                return Err(EnvironmentError::Database { name: run.database.name.clone(), why: why.clone() });
            }
            _ => "it is there by now".to_owned(),
        },
        (false, _) => match super::obstacle(before, &run.series) {
            None => return Ok(()),
            Some(why) => why,
        },
    };
    Err(EnvironmentError::Stale { name: run.database.name.clone(), why })
}

/// Removes what an earlier run left. One that still runs, because its controller died, is waited for.
async fn make_room(run: &ModulesRun, context: &EnvironmentContext<'_>) -> Result<(), EnvironmentError> {
    let Some(found) = context.docker.container(&run.container).await? else { return Ok(()) };
    if label(&found, labels::RUN) != Some(&run.resource) {
        let holder = "a container that is not ours".to_owned();
        let name = run.container.clone();
        return Err(EnvironmentError::Engine(EngineError::NameTaken { kind: "container", name, holder }));
    }
    let was_running = is_up(&found);
    if was_running {
        wait(run, context).await?;
    }
    // Nobody read how it ended, which may be why somebody comes to look.
    if let (Some(operation), Some(folder)) = (label(&found, labels::OPERATION), Path::new(&run.log).parent())
    {
        let log = context.docker.log_tail(&run.container, KEPT_LINES).await?.text;
        keep(&folder.join(format!("{operation}.log")).to_string_lossy(), &(context.redact)(&log))?;
    }
    context.docker.remove_container(&run.container).await?;
    match was_running {
        true => {
            let why = "an earlier run ended meanwhile".to_owned();
            Err(EnvironmentError::Stale { name: run.database.name.clone(), why })
        }
        false => Ok(()),
    }
}

fn label<'a>(container: &'a ContainerInspectResponse, name: &str) -> Option<&'a String> {
    container.config.as_ref()?.labels.as_ref()?.get(name)
}

fn is_up(container: &ContainerInspectResponse) -> bool {
    matches!(
        state(container).status,
        ContainerStatus::Running | ContainerStatus::Restarting | ContainerStatus::Paused
    )
}

/// How a run ended.
enum Ended {
    With(i64),
    /// It took too long, and was stopped.
    Late,
}

async fn wait(run: &ModulesRun, context: &EnvironmentContext<'_>) -> Result<Ended, EnvironmentError> {
    let give_up = Instant::now() + run.timeout;
    loop {
        let Some(container) = context.docker.container(&run.container).await? else {
            return Err(EnvironmentError::Engine(EngineError::Vanished { container: run.container.clone() }));
        };
        if !is_up(&container) {
            return Ok(Ended::With(state(&container).exit_code));
        }
        if Instant::now() >= give_up {
            context.docker.stop_container(&run.container, STOP_GRACE).await?;
            return Ok(Ended::Late);
        }
        pause(context, "wait for the run of Odoo, which goes on: the next `ipaictl apply`, or the controller, looks how it ended, and the application is as it was left until then").await?;
    }
}

/// What an exit code says, when it says anything: 0 proves nothing.
fn exit(code: i64) -> Option<String> {
    Some(match code {
        0 => return None,
        255 => "Odoo failed while it loaded the modules (exit code 255)".to_owned(),
        130 | 143 => format!("Odoo was told to end (exit code {code})"),
        137 => "Odoo was killed, by a person or for want of memory (exit code 137)".to_owned(),
        code => format!("Odoo failed (exit code {code})"),
    })
}

/// The last line of the last traceback, or the last error that was logged; without both, what was said outside of the log.
fn cause(lines: &[&str]) -> Option<String> {
    let is_record = |line: &str| line.len() > 10 && line.as_bytes()[..4].iter().all(u8::is_ascii_digit);
    let traceback = lines.iter().rposition(|line| line.starts_with("Traceback "));
    let raised = traceback.and_then(|at| {
        let mut rest = lines[at + 1..].iter();
        rest.find(|line| !line.starts_with(' ') && !line.is_empty()).filter(|line| !is_record(line))
    });
    let logged = || lines.iter().rfind(|line| line.contains(" ERROR ") || line.contains(" CRITICAL "));
    // Before it can log, Odoo complains of options and of a configuration that it can't read.
    let is_silent = !lines.iter().any(|line| is_record(line));
    let said = || lines.iter().rfind(|line| is_silent && !line.trim().is_empty());
    let line = raised.or_else(logged).or_else(said)?;
    Some(line.trim_end().chars().take(CAUSE_MAX).collect())
}

/// What was asked for and is not so.
fn unfulfilled(run: &ModulesRun, after: &DatabaseFacts) -> Option<String> {
    match after.state {
        DatabaseState::Odoo => {}
        DatabaseState::Missing => return Some("Odoo ended well, and there is no database".to_owned()),
        _ => return Some("Odoo ended well, and the database has no modules".to_owned()),
    }
    let state_of = |name: &str| after.modules.get(name).map(|module| module.state.as_str());
    for name in run.install.iter().chain(&run.update) {
        match state_of(name) {
            Some("installed") => {}
            None => return Some(format!("Odoo ended well, and has never heard of module `{name}`")),
            Some(state) => return Some(format!("Odoo ended well, and module `{name}` is `{state}`")),
        }
        let found = after.modules.get(name).map_or("", |module| module.version.as_str());
        if let Some(wanted) = run.versions.get(name).filter(|wanted| *wanted != found) {
            return Some(format!("Odoo ended well, and module `{name}` is at {found}, not at {wanted}"));
        }
    }
    let half: Vec<&str> = after
        .modules
        .iter()
        .filter(|(_, module)| module.state.starts_with("to "))
        .map(|(name, _)| name.as_str())
        .collect();
    (!half.is_empty()).then(|| format!("Odoo ended well, and left {} half done", named(&half)))
}

fn half_loaded(log: &str) -> Option<String> {
    loading::half_loaded(log).map(|line| format!("Odoo ended well, and its log says: {line}"))
}

fn named(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let shown = names.iter().take(NAMED_MAX).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

/// What a run that failed left, compared with what was before.
fn compared(before: &DatabaseFacts, after: &DatabaseFacts) -> String {
    match after.state {
        DatabaseState::Missing => return "was not made".to_owned(),
        DatabaseState::Empty => return "has no table".to_owned(),
        DatabaseState::Odoo => {}
        _ => return "can't be told".to_owned(),
    }
    let mut by_word: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, module) in &after.modules {
        let old = before.modules.get(name);
        let word = match module.state.as_str() {
            "to install" => "half installed",
            "to upgrade" => "marked to be updated",
            "to remove" => "marked to be removed",
            "installed" if old.is_none_or(|old| old.state != "installed") => "newly installed",
            "installed" if old.is_some_and(|old| old.version != module.version) => "already updated",
            _ => continue,
        };
        by_word.entry(word).or_default().push(name);
    }
    if by_word.is_empty() {
        // Odoo writes state and version of a module together with what it does for the next one.
        return "no module shows another state or version; those before the one that failed may be changed all the same"
            .to_owned();
    }
    by_word.iter().map(|(word, names)| format!("{word}: {}", named(names))).collect::<Vec<_>>().join("; ")
}

/// Keeps the log of a run; the last one is kept beside earlier ones.
fn keep(path: &str, log: &str) -> Result<(), EnvironmentError> {
    let path = Path::new(path);
    let failed = |err| EnvironmentError::File { what: "keep the log", path: path.display().to_string(), err };
    if let Some(folder) = path.parent() {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    }
    std::fs::write(path, log).map_err(failed)
}

/// Writes down the checksums of what is installed, so that the next look finds nothing to do.
async fn remember(
    run: &ModulesRun,
    after: &DatabaseFacts,
    context: &EnvironmentContext<'_>,
) -> Result<(), EnvironmentError> {
    let failed = |why: String| EnvironmentError::Database { name: run.database.name.clone(), why };
    let address = database_address(context.docker, &run.database.server).await.map_err(failed)?;
    let connection = connect(&run.database, &address, &run.database.name).await;
    let mut connection = connection.map_err(|err| failed(error_chain(&err)))?;
    let asked: BTreeSet<&String> = run.install.iter().chain(&run.update).collect();
    let mut checksums = after.checksums.clone();
    for (name, checksum) in &run.checksums {
        let is_installed = after.modules.get(name).is_some_and(|module| module.state == "installed");
        if is_installed && (run.is_whole || asked.contains(name)) {
            checksums.insert(name.clone(), Some(checksum.clone()));
        }
    }
    let text = serde_json::to_string(&checksums).expect("a map of texts is JSON");
    let mut written = vec![(MODULES_CHECKSUMS, text)];
    if run.is_whole {
        written.push((STAMP, run.stamp.clone()));
    }
    for (key, value) in written {
        set_parameter(&mut connection, key, &value)
            .await
            .map_err(|err| failed(PostgresError::of(&err, &run.database.name).to_string()))?;
    }
    Ok(())
}

/// Sets a parameter of the system, as the server itself would.
async fn set_parameter(connection: &mut PgConnection, key: &str, value: &str) -> sqlx::Result<()> {
    let updated = sqlx::query(
        "UPDATE ir_config_parameter SET value = $2, write_date = now() AT TIME ZONE 'UTC', write_uid = 1 WHERE key = $1",
    )
    .bind(key)
    .bind(value)
    .execute(&mut *connection)
    .await?;
    if updated.rows_affected() == 0 {
        sqlx::query(
            "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date) \
             VALUES ($1, $2, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')",
        )
        .bind(key)
        .bind(value)
        .execute(connection)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_is_what_was_raised_last_or_else_what_was_logged() {
        let raised = [
            "2026-01-01 10:00:00,000 1 ERROR x odoo.x: one ",
            "Traceback (most recent call last):",
            "  File \"a\", line 1",
            "    raise",
            "ValueError: no such thing",
            "2026-01-01 10:00:01,000 1 INFO x odoo.service.server: Initiating shutdown ",
        ];
        assert_eq!(cause(&raised).as_deref(), Some("ValueError: no such thing"));
        let logged = ["2026-01-01 10:00:00,000 1 ERROR x odoo.modules: Some modules are not loaded: ['a'] "];
        assert!(cause(&logged).unwrap().ends_with("Some modules are not loaded: ['a']"));
        assert_eq!(cause(&["2026-01-01 10:00:00,000 1 INFO x y: z", "more of it"]), None);
        let unreadable = ["usage: odoo", "odoo: error: the config file is not readable", ""];
        assert_eq!(cause(&unreadable).as_deref(), Some("odoo: error: the config file is not readable"));
    }
}
