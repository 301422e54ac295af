//! What the commands that read the store share: opening it, finding resources in it, saying how fresh it is.

use chrono::{DateTime, Utc};

use crate::cli::Session;
use crate::error::Error;
use crate::model::condition::{Condition, ConditionType, SourceCondition, Status};
use crate::model::id::{ResourceId, Revision};
use crate::model::problem::{nearest, printable};
use crate::record::facts::{Fact, HEARTBEAT, is_alive};
use crate::record::resources::ResourceStatus;
use crate::record::store::{Store, parse_location};

/// Opens the store that the settings name; that there is none yet is an error.
pub async fn open(session: &Session) -> Result<Store, Error> {
    let settings = session.settings()?;
    let path = parse_location(&settings.store_url())?;
    Store::open_existing(&path).await?.ok_or_else(|| {
        Error::usage(
            format!("there is no store at `{}` yet", path.display()),
            "It is made by the first `ipaictl apply` or `ipaictl serve`; name another with --store.",
        )
    })
}

/// Says on stderr when nobody keeps the store up to date. It depends on the time, so it is not part of the data.
pub async fn say_freshness(session: &Session, store: &Store) -> Result<bool, Error> {
    let heartbeat = store.fact(HEARTBEAT).await?;
    let is_running = is_alive(heartbeat.as_ref(), Utc::now());
    if !is_running {
        session.ui.progress(&match heartbeat {
            Some(Fact { noted, .. }) => format!(
                "The controller is not running; it was last alive at {}. What follows is as old as that or as the last apply.",
                time(noted)
            ),
            None => "No controller has run with this store. What follows is as old as the last apply.".to_owned(),
        });
    }
    Ok(is_running)
}

/// The named resources out of all, each of which has to be there; all of them when none is named.
pub fn select(all: Vec<ResourceStatus>, named: &[ResourceId]) -> Result<Vec<ResourceStatus>, Error> {
    for id in named {
        if !all.iter().any(|status| status.id == *id) {
            let known: Vec<String> = all.iter().map(|status| status.id.to_string()).collect();
            return Err(unknown(id, &known));
        }
    }
    Ok(all.into_iter().filter(|status| named.is_empty() || named.contains(&status.id)).collect())
}

/// The error for a resource that nobody has heard of.
pub fn unknown(id: &ResourceId, known: &[String]) -> Error {
    let text = id.to_string();
    let hint = match nearest(&text, known.iter().map(String::as_str)) {
        Some(name) => format!("Did you mean `{name}`?"),
        None => "List what there is with `ipaictl status`.".to_owned(),
    };
    Error::usage(format!("nothing is known of `{text}`"), hint)
}

/// A condition of a resource.
pub fn condition(status: &ResourceStatus, kind: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|condition| condition.kind == kind)
}

/// A condition's answer; `Ready` of a generation that was not judged yet is not known.
pub fn answer(status: &ResourceStatus, kind: ConditionType) -> Status {
    let is_stale = kind == ConditionType::Ready && status.observed_generation < status.generation;
    match condition(status, kind) {
        Some(condition) if is_stale && condition.status == Status::True => Status::Unknown,
        Some(condition) => condition.status,
        None => Status::Unknown,
    }
}

/// What a person should know of a resource in one line: the first condition that is not as it should be.
pub fn headline(status: &ResourceStatus) -> String {
    let wrong = |condition: &&Condition| {
        let good = matches!(condition.kind, ConditionType::Ready | ConditionType::Healthy);
        let expected = if good { Status::True } else { Status::False };
        condition.status != expected
    };
    // Ready sums the others up, so what it is not ready for is the better line.
    let mut others = status.conditions.iter().filter(|condition| condition.kind != ConditionType::Ready);
    let found =
        others.find(wrong).or_else(|| condition(status, ConditionType::Ready).filter(|ready| wrong(ready)));
    match found {
        Some(condition) if condition.message.is_empty() => condition.reason.to_string(),
        Some(condition) => format!("{}: {}", condition.reason, condition.message),
        None => String::new(),
    }
}

/// What is wrong with the state repository and what the controller does about it; empty when nothing is.
pub fn source_lines(source: &SourceCondition) -> Vec<String> {
    if source.status == Status::True {
        return Vec::new();
    }
    let goes_on = match &source.in_use {
        Some(revision) => format!("The controller goes on with {revision}."),
        None => "The controller has no earlier revision to go on with.".to_owned(),
    };
    vec![format!("State repository: {}: {}", source.reason, printable(&source.message)), goes_on]
}

/// A revision in one word.
pub fn revision(revision: Option<&Revision>) -> String {
    revision.map_or_else(|| "-".to_owned(), |revision| revision.short().to_owned())
}

/// A time in UTC, to the second.
pub fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
