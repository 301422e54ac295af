//! Whether an application is healthy: questions to it and to its database. Two more are asked elsewhere: the container's own state is
//! the engine's, and what its log says of modules is read beside.

use std::collections::BTreeMap;

use crate::clients::http::{self, Answer};
use crate::model::known::Known;
use crate::skills::environment::facts::{DatabaseFacts, DatabaseState, ProbeFacts};
use crate::skills::environment::modules::BASE;
use crate::skills::environment::operation::ProbeTarget;

/// The text by which a form of Odoo proves that it is alive: the token is made with the database's own secret.
const TOKEN: &str = "name=\"csrf_token\"";
/// Names of modules that an answer lists.
const NAMED_MAX: usize = 3;

/// Asks an application at the addresses of its two ports. What its database says is beside it: [`of_database`].
pub async fn probe(target: &ProbeTarget, http: &str, gevent: &str) -> Vec<ProbeFacts> {
    let sockets = if target.is_evented { gevent } else { http };
    let (health, login, websocket) =
        tokio::join!(health(http), login(http, &target.database.name), websocket(sockets));
    [("health", health), ("login", login), ("websocket", websocket)]
        .into_iter()
        .map(|(name, answer)| fact(name, answer))
        .collect()
}

pub(super) fn fact(name: &str, answer: Result<String, String>) -> ProbeFacts {
    ProbeFacts { name: name.to_owned(), ok: answer.is_ok(), answer: answer.unwrap_or_else(|why| why) }
}

/// Whether a database is there, is Odoo's, of the right series, and nothing in it is half done.
pub fn of_database(facts: &Known<DatabaseFacts>, series: &str) -> ProbeFacts {
    let answer = match facts {
        Known::Known(facts) => judge(facts, series),
        Known::Unknown(why) => Err(why.clone()),
    };
    fact("database", answer)
}

/// `/web/health` answers without a look at the database: it says no more than that the server listens.
async fn health(address: &str) -> Result<String, String> {
    let answer = http::get(address, "/web/health", &[]).await?;
    match (answer.status.as_u16(), answer.body.contains("\"pass\"")) {
        (200, true) => Ok("200, pass".to_owned()),
        (200, false) => Err("200, but no `pass` in it".to_owned()),
        (status, _) => Err(said(status, &answer)),
    }
}

/// The form of the login page is made from the database.
async fn login(address: &str, database: &str) -> Result<String, String> {
    let path = format!(
        "/web/login?db={}",
        percent_encoding::utf8_percent_encode(database, percent_encoding::NON_ALPHANUMERIC)
    );
    let mut answer = http::get(address, &path, &[]).await?;
    // A server selects the database in a session, and answers where to go on.
    if answer.status.is_redirection()
        && let Some(session) = session(&answer)
    {
        answer = http::get(address, &path, &[("Cookie", &session)]).await?;
    }
    match (answer.status.as_u16(), answer.body.contains(TOKEN)) {
        (200, true) => Ok("200, a form with its token".to_owned()),
        (200, false) => Err("200, but no form with a token".to_owned()),
        (status, _) => Err(said(status, &answer)),
    }
}

fn session(answer: &Answer) -> Option<String> {
    let cookies = answer.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let mut sessions = cookies.filter(|cookie| cookie.starts_with("session_id="));
    sessions.next().and_then(|cookie| cookie.split(';').next()).map(str::to_owned)
}

fn said(status: u16, answer: &Answer) -> String {
    let to = answer.headers.get("location").and_then(|value| value.to_str().ok());
    match to {
        Some(to) => format!("{status}, sent on to {to}"),
        None => format!("{status}"),
    }
}

/// What is to be said of a database that a server runs on.
fn judge(facts: &DatabaseFacts, series: &str) -> Result<String, String> {
    match &facts.state {
        DatabaseState::NotRunning => return Err("its server does not run".to_owned()),
        DatabaseState::Refused(why) => return Err(why.clone()),
        DatabaseState::Missing => return Err("there is no such database".to_owned()),
        DatabaseState::Empty => return Err("the database has no table".to_owned()),
        DatabaseState::Foreign => return Err("the database is not Odoo's".to_owned()),
        DatabaseState::Odoo => {}
    }
    let base = facts.modules.get(BASE).cloned().unwrap_or_default();
    if base.state != "installed" {
        return Err(format!("module `base` is `{}`", base.state));
    }
    if !base.version.strip_prefix(series).is_some_and(|rest| rest.starts_with('.')) {
        return Err(format!("the database is {}, and the server is {series}", base.version));
    }
    let mut half: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, module) in facts.modules.iter().filter(|(_, module)| module.state.starts_with("to ")) {
        half.entry(&module.state).or_default().push(name);
    }
    if let Some((state, names)) = half.into_iter().next() {
        let more = names.len().saturating_sub(NAMED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let names: Vec<&str> = names.into_iter().take(NAMED_MAX).collect();
        return Err(format!("`{}`{more} `{state}`", names.join("`, `")));
    }
    let installed = facts.modules.values().filter(|module| module.state == "installed").count();
    Ok(format!("base {}, {installed} modules installed", base.version))
}

/// A server that upgrades to a websocket hears what happens; one that doesn't leaves people with an old page.
async fn websocket(address: &str) -> Result<String, String> {
    let origin = format!("http://{address}");
    let headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "aXBhaWN0bCBwcm9iZSAwMQ=="),
        ("Origin", origin.as_str()),
    ];
    let answer = http::get(address, "/websocket", &headers).await?;
    match answer.status.as_u16() {
        101 => Ok("101, upgraded".to_owned()),
        status => Err(said(status, &answer)),
    }
}
