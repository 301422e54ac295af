//! `get`: the resources of a kind.

use super::{status, stored};
use crate::cli::args::{Format, GetArgs};
use crate::cli::ui::table;
use crate::cli::{Session, block_on};
use crate::error::{Error, Exit};
use crate::model::id::{ResourceId, is_valid_name};

pub fn run(session: &mut Session, args: &GetArgs) -> Result<Exit, Error> {
    let named: Vec<ResourceId> = match &args.name {
        Some(name) if !is_valid_name(name) => {
            let message = format!("`{name}` is not the name of a resource");
            return Err(Error::usage(
                message,
                "A name has lower case letters, digits and inner hyphens, at most 63.",
            ));
        }
        Some(name) => vec![ResourceId::new(args.kind, name.as_str())],
        None => Vec::new(),
    };
    let mut resources = block_on(1, async {
        let store = stored::open(session).await?;
        let resources = stored::select(store.statuses().await?, &named)?;
        stored::say_freshness(session, &store).await?;
        Ok::<_, Error>(resources)
    })?;
    resources.retain(|resource| resource.id.kind == args.kind);
    match (session.ui.format, resources.as_slice()) {
        (Format::Text | Format::Markdown, _) => {
            let rows: Vec<Vec<String>> = resources
                .iter()
                .map(|resource| {
                    let mut row = status::row(resource);
                    row[0].clone_from(&resource.id.name);
                    row
                })
                .collect();
            let header = ["NAME", "READY", "HEALTHY", "DRIFTED", "REVISION", "LAST RUN", "MESSAGE"];
            session.ui.data(&table(&header, &rows))?;
        }
        (_, [resource]) if args.name.is_some() => session.ui.value(resource)?,
        (_, resources) => session.ui.value(&resources)?,
    }
    Ok(Exit::Done)
}
