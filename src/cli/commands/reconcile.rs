//! `reconcile`: asks the running controller to look at a resource now.

use std::time::Duration;

use chrono::Utc;
use serde::Serialize;

use super::stored;
use crate::cli::args::{Format, ReconcileArgs};
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::model::condition::{ConditionType, Status};
use crate::record::requests::Request;

/// How often the store is asked for the answer.
const POLL_EVERY: Duration = Duration::from_millis(250);

/// What `reconcile -o json` prints; `docs/schemas/request.schema.json` describes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Asked {
    request: Request,
    ready: Option<Status>,
}

pub fn run(session: &mut Session, args: &ReconcileArgs) -> Result<Exit, Error> {
    let asked = block_on(1, ask(session, args))?;
    let request = &asked.request;
    match session.ui.format {
        Format::Text | Format::Markdown => {
            let answer = if request.answered.is_some() { request.answer.as_str() } else { "asked" };
            let line = format!("{}: {answer} (request {})", args.resource, request.token);
            session.ui.data(&crate::model::problem::printable(&line))?;
        }
        Format::Json | Format::Yaml => session.ui.value(&asked)?,
    }
    Ok(match (args.wait, request.answered, asked.ready) {
        (false, ..) | (true, Some(_), Some(Status::True)) => Exit::Done,
        (true, Some(_), _) => Exit::Failed,
        (true, None, _) => Exit::Unclear,
    })
}

async fn ask(session: &Session, args: &ReconcileArgs) -> Result<Asked, Error> {
    let id = &args.resource;
    let store = stored::open(session).await?;
    let holder = session.settings()?.holder;
    let known = store.statuses().await?;
    let suspended = known.iter().find(|status| status.id == *id).and_then(|status| {
        stored::condition(status, ConditionType::Suspended)
            .filter(|suspended| suspended.status == Status::True)
    });
    if let Some(suspended) = suspended {
        let message = format!("`{id}` is suspended: {}", suspended.message);
        return Err(Error::Refused { message, hint: "Remove `suspend` from its specification.".to_owned() });
    }
    stored::select(known, std::slice::from_ref(id))?;
    let is_running = stored::say_freshness(session, &store).await?;
    let token = store.request(Some(id), &holder, Utc::now()).await?.ok_or_else(|| {
        Error::usage("too many requests wait already", "Is a controller running? See `ipaictl doctor`.")
    })?;
    if !is_running {
        session.ui.notice("The request is kept; a controller takes it up when it starts.");
    }
    let begun = tokio::time::Instant::now();
    loop {
        let request = store.read_request(&token).await?.ok_or_else(|| {
            Error::usage(format!("the request {token} is gone from the store"), "Ask again.")
        })?;
        let is_over = request.answered.is_some() || begun.elapsed() >= args.timeout;
        if !args.wait || is_over {
            if args.wait && request.answered.is_none() {
                session.ui.notice("No answer within the time to wait; the request stays.");
            }
            let status = store.status(id).await?;
            let ready = status.map(|status| stored::answer(&status, ConditionType::Ready));
            return Ok(Asked { request, ready });
        }
        tokio::time::sleep(POLL_EVERY).await;
    }
}
