//! What an AddonsLayout must keep beyond its schema.

use chrono_tz::Tz;

use super::typed::Described;
use crate::model::problem::{Problem, error_chain, nearest};
use crate::model::schedule::Schedule;
use crate::odoo::catalogue::is_name;
use crate::skills::layout::declared::inside;
use crate::skills::layout::spec::{Fix, LayoutSpec};

/// Checks one document.
pub fn check(layout: &Described<LayoutSpec>, problems: &mut Vec<Problem>) {
    let spec = &layout.resource.spec;
    let named = [
        ("/spec/manifest", Some(&spec.manifest)),
        ("/spec/mounts", spec.mounts.as_ref()),
        ("/spec/pins", spec.pins.as_ref()),
        ("/spec/devcontainer", spec.devcontainer.as_ref()),
        ("/spec/odooConf", spec.odoo_conf.as_ref()),
    ];
    let mut paths: Vec<(String, &String)> =
        named.into_iter().filter_map(|(pointer, file)| Some((pointer.to_owned(), file?))).collect();
    paths.extend(spec.hooks.iter().enumerate().map(|(at, hook)| (format!("/spec/hooks/{at}"), hook)));
    for (pointer, path) in paths {
        if inside(path).as_deref() != Some(path) {
            let message = format!("`{path}` is not a path inside the checkout");
            let hint = "Files are named by their path relative to the checkout, without `..` and `./`.";
            problems.push(layout.value(&pointer).error("invalid-path", message).with_hint(hint));
        }
    }
    for (feature, modules) in &spec.features {
        let place = layout.key(&format!("/spec/features/{feature}"));
        if let Some(bad) = std::iter::once(feature).chain(modules).find(|name| !is_name(name)) {
            problems
                .push(place.error("invalid-module", format!("`{bad}` is no name of a module or feature")));
        }
        if modules.is_empty() {
            problems.push(place.warning("empty-feature", format!("feature `{feature}` has no module")));
        }
    }
    if spec.allows(Fix::Devcontainer) && spec.devcontainer.is_none() {
        problems.push(
            layout
                .key("/spec/fix")
                .error("missing-devcontainer", "`fix` lists `devcontainer`, and no `devcontainer` is named")
                .with_hint("Add `devcontainer: .devcontainer/devcontainer.json`, or leave it out of `fix`."),
        );
    }
    schedule(layout, problems);
}

/// One checkout is kept by one layout: to another one its clones would be orphans, or belong elsewhere.
pub fn check_checkouts(layouts: &[Described<LayoutSpec>], problems: &mut Vec<Problem>) {
    for (at, layout) in layouts.iter().enumerate() {
        let repository = &layout.resource.spec.repository;
        let first = layouts[..at].iter().find(|other| other.resource.spec.repository == *repository);
        if let Some(first) = first.filter(|first| first.resource.id != layout.resource.id) {
            let message =
                format!("`{}` keeps the checkout of `Repository/{repository}` already", first.resource.id);
            let problem = layout.value("/spec/repository").error("kept-twice", message);
            let related = first.value("/spec/repository").location();
            problems.push(
                problem
                    .with_related(related, "kept here")
                    .with_hint("Put both into one, or name another Repository."),
            );
        }
    }
}

fn schedule(layout: &Described<LayoutSpec>, problems: &mut Vec<Problem>) {
    let schedule = &layout.resource.spec.schedule;
    let zones = || chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
    let zone = schedule.time_zone.parse::<Tz>();
    if zone.is_err() {
        let place = layout.value("/spec/schedule/timeZone");
        let message = format!("`{}` is no time zone", schedule.time_zone);
        let hint = match nearest(&schedule.time_zone, zones()) {
            Some(near) => format!("Did you mean `{near}`?"),
            None => "Write an IANA name such as `Asia/Singapore`.".to_owned(),
        };
        problems.push(place.error("unknown-time-zone", message).with_hint(hint));
    }
    if let Err(err) = Schedule::parse(&schedule.cron, zone.unwrap_or(Tz::UTC)) {
        let place = layout.value("/spec/schedule/cron");
        let hint = "Write five fields such as `0 2 * * *`.";
        problems.push(place.error("invalid-schedule", error_chain(&err)).with_hint(hint));
    }
}
