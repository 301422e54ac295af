//! `deps`: what modules and features need, in load order; what is missing and why.

mod inputs;
mod text;

use std::collections::BTreeMap;
use std::path::Path;

use self::inputs::Inputs;
use crate::cli::args::{DepsArgs, Output};
use crate::cli::{Session, block_on};
use crate::clients::odoo_modules::OdooDatabase;
use crate::desired::state::LayoutDesired;
use crate::error::{Error, Exit};
use crate::model::problem::{nearest, printable};
use crate::odoo::catalogue::{Catalogue, is_name};
use crate::odoo::observe::read_roots;
use crate::odoo::universe::Universe;
use crate::reconcile::{Access, Context};
use crate::skills::deps::install::{Install, script};
use crate::skills::deps::picture::{Picture, svg};
use crate::skills::deps::report::{Query, Report, answer};
use crate::skills::deps::tree::tree;

pub fn run(session: &mut Session, args: &DepsArgs) -> Result<Exit, Error> {
    check_face(session, args)?;
    let (mut args, mut features) = (args.clone(), BTreeMap::new());
    if let Some(name) = args.layout.clone() {
        let LayoutDesired { resource, checkout, .. } = layout(session, &name)?;
        let spec = resource.spec;
        args.manifest = Some(Path::new(&checkout).join(&spec.manifest));
        args.checkout = Some(checkout.into());
        (args.series, features) = (spec.series, spec.features);
    }
    let args = &args;
    let mut inputs = Inputs::read(args, &session.environment)?;
    inputs.catalogue.features.extend(features);
    for absent in &inputs.absent {
        session.ui.notice(&format!("warning: the root `{absent}` of the manifest does not exist"));
    }
    let roots = read_roots(&inputs.requests, inputs.cache.as_ref())?;
    let universe = Universe::new(&roots, &args.series);
    let (wanted, features) = wanted(&args.names, &inputs.catalogue, &universe)?;
    let database = args.database.as_deref().map(OdooDatabase::parse).transpose()?;
    let states: Option<BTreeMap<String, String>> = match &database {
        Some(database) => Some(block_on(1, database.module_states())?),
        None => None,
    };
    let report = answer(&Query {
        universe: &universe,
        catalogue: &inputs.catalogue,
        cloned: &inputs.cloned,
        wanted: &wanted,
        features: &features,
        states: states.as_ref(),
        reverse: args.reverse,
    });
    if args.install {
        let (report, catalogue, checkout) = (&report, &inputs.catalogue, inputs.checkout.as_str());
        let shown = database.as_ref().map(OdooDatabase::shown);
        session.ui.data(&script(&Install { report, catalogue, checkout, database: shown }))?;
    } else {
        print(session, args, &report)?;
    }
    say_rest(session, args, &report);
    Ok(if report.complete { Exit::Done } else { Exit::Found })
}

/// An AddonsLayout of the desired state.
fn layout(session: &mut Session, name: &str) -> Result<LayoutDesired, Error> {
    let settings = session.settings()?;
    let mut desired = block_on(1, async {
        let context = Context::open(settings, &session.environment, Access::Read).await?;
        session.load(&context).await
    })?;
    if let Some(layout) = desired.layouts.remove(name) {
        return match &layout.wanted {
            Ok(_) => Ok(layout),
            Err(why) => Err(Error::usage(
                format!("the checkout of AddonsLayout/{name} is not known: {why}"),
                "`ipaictl validate` says more.",
            )),
        };
    }
    let names = desired.layouts.keys().map(String::as_str);
    let hint = match nearest(name, names) {
        Some(near) => format!("Did you mean `{near}`?"),
        None => "`ipaictl get addonslayouts` lists them.".to_owned(),
    };
    Err(Error::usage(format!("there is no AddonsLayout `{name}`"), hint))
}

/// Refuses forms that a face does not have.
fn check_face(session: &Session, args: &DepsArgs) -> Result<(), Error> {
    let text_alone = args.install || args.tree || args.external || args.licenses;
    match session.global.output {
        Output::Text => Ok(()),
        Output::Json | Output::Yaml if !args.install && !args.tree => Ok(()),
        Output::Dot | Output::Mermaid | Output::Svg if !text_alone => Ok(()),
        _ => Err(Error::usage(
            "this face is text alone",
            "Leave out -o, or leave out the face; JSON holds all of it.",
        )),
    }
}

/// The modules that are asked for, each once, and the features among the names.
fn wanted(
    names: &[String],
    catalogue: &Catalogue,
    universe: &Universe<'_>,
) -> Result<(Vec<String>, Vec<String>), Error> {
    let (mut wanted, mut features): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for written in names {
        let (kind, name) = match written.split_once(':') {
            Some((kind @ ("feature" | "module"), name)) => (Some(kind), name),
            _ => (None, written.as_str()),
        };
        if !is_name(name) {
            return Err(Error::usage(
                format!("`{written}` is no name of a module or feature"),
                "A name has letters, digits, underscores, hyphens and points.",
            ));
        }
        let feature = catalogue.features.get(name).filter(|_| kind != Some("module"));
        match (kind, feature) {
            (None, Some(_)) if universe.winner(name).is_some() => {
                let hint = format!("Write feature:{name} or module:{name}.");
                return Err(Error::usage(format!("`{name}` is both a feature and a module"), hint));
            }
            (Some("feature"), None) => {
                let known: Vec<&str> = catalogue.features.keys().map(String::as_str).collect();
                let hint = match known.is_empty() {
                    true => "The manifest has no features.".to_owned(),
                    false => format!("There are {}.", known.join(", ")),
                };
                return Err(Error::usage(format!("there is no feature `{name}`"), hint));
            }
            (_, Some(modules)) => {
                wanted.extend(modules.iter().cloned());
                features.push(name.to_owned());
            }
            (_, None) => wanted.push(name.to_owned()),
        }
    }
    let mut seen = std::collections::HashSet::new();
    wanted.retain(|name| seen.insert(name.clone()));
    Ok((wanted, features))
}

fn print(session: &mut Session, args: &DepsArgs, report: &Report) -> Result<(), Error> {
    let data = match session.global.output {
        Output::Json | Output::Yaml => return Ok(session.ui.value(report)?),
        Output::Dot => Picture::of(report).dot(),
        Output::Mermaid => Picture::of(report).mermaid(),
        Output::Svg => svg(&Picture::of(report)).map_err(|boxes| {
            Error::usage(format!("a picture of {boxes} modules is too large"), "Use -o dot and Graphviz.")
        })?,
        Output::Text | Output::Markdown => match (args.tree, args.external, args.licenses) {
            (true, _, _) => tree(report),
            (_, true, _) => text::external(report),
            (_, _, true) => text::licenses(report),
            _ => text::modules(report),
        },
    };
    Ok(session.ui.data(&data)?)
}

/// What belongs beside the data: warnings, and what a face other than the whole one leaves out.
fn say_rest(session: &Session, args: &DepsArgs, report: &Report) {
    for warning in &report.warnings {
        session.ui.progress_text(&warning.to_string());
    }
    if matches!(session.global.output, Output::Json | Output::Yaml) {
        return;
    }
    let whole = session.global.output == Output::Text
        && !(args.install || args.tree || args.external || args.licenses || args.reverse);
    if !whole {
        for missing in &report.missing {
            session.ui.notice(&format!("missing: {}: {}", printable(&missing.name), missing.message));
        }
        for cycle in &report.cycles {
            session.ui.notice(&format!("cycle: {}", text::way(cycle)));
        }
    }
    session.ui.progress(&text::summary(report));
}
