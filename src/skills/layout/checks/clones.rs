//! `clone`, `remote`, `branch`, `pin`, `clean`, `modules`: each declared repository.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::catalogues::same_address;
use super::{Input, number, pin};
use crate::clients::git_url::show;
use crate::skills::layout::declared::Declared;
use crate::skills::layout::facts::{CloneFacts, Place};
use crate::skills::layout::report::{Checks, Verdict};

pub(super) fn check(input: &Input<'_>, checks: &mut Checks) {
    for declared in input.declared() {
        let Some(path) = declared.path.as_deref() else { continue };
        let (verdict, cause) = match input.facts.places.get(path) {
            Some(Place::Clone(facts)) => {
                checks.add("clone", path, Verdict::Ok, short(&facts.commit));
                one(input, declared, path, facts, checks);
                continue;
            }
            Some(Place::Missing) => (Verdict::Drift, "missing".to_owned()),
            Some(Place::Empty) => (Verdict::Drift, "an empty folder, no clone".to_owned()),
            Some(Place::Half(why)) => (Verdict::Drift, format!("a clone that was never completed: {why}")),
            Some(Place::NotAFolder) => (Verdict::Conflict, "not a folder: move it away".to_owned()),
            Some(Place::Plain) => (Verdict::Conflict, "files without a clone: move them away".to_owned()),
            Some(Place::Unreadable(why)) => (Verdict::Unknown, why.clone()),
            None => (Verdict::Unknown, "it was not looked at".to_owned()),
        };
        checks.add("clone", path, verdict, cause);
    }
}

fn short(commit: &str) -> String {
    format!("at {}", commit.get(..7).unwrap_or(commit))
}

fn one(input: &Input<'_>, declared: &Declared, path: &str, facts: &CloneFacts, checks: &mut Checks) {
    remote(declared, path, facts, checks);
    let is_free = facts.dirty_count == 0 && facts.operation.is_none() && facts.ahead == 0;
    // What somebody works on is theirs to move.
    let movable = if is_free { Verdict::Drift } else { Verdict::Conflict };
    let wanted = declared.branch.as_deref().unwrap_or(input.series);
    let pin = pin(input.sources, declared);
    match (&facts.branch, pin) {
        (Some(branch), _) if branch == wanted => checks.add("branch", path, Verdict::Ok, wanted),
        (None, Some(pin)) if pin == facts.commit => {
            checks.add("branch", path, Verdict::Ok, "detached at its pin")
        }
        (Some(branch), _) => checks.add("branch", path, movable, format!("on `{branch}`, not on `{wanted}`")),
        (None, _) => checks.add(
            "branch",
            path,
            movable,
            format!("detached {}, not on `{wanted}`", short(&facts.commit)),
        ),
    }
    if let Some(pin) = pin {
        let (verdict, cause) = match (pin == facts.commit, facts.shallow, facts.has_pin) {
            (true, _, _) => (Verdict::Ok, short(pin)),
            (false, true, false) => {
                (movable, format!("shallow {}, without its pin {}", short(&facts.commit), short(pin)))
            }
            (false, _, false) => {
                (movable, format!("{}, and its pin was never fetched: {}", short(&facts.commit), short(pin)))
            }
            (false, _, true) => (movable, format!("{}, its pin is {}", short(&facts.commit), short(pin))),
        };
        checks.add("pin", path, verdict, cause);
    }
    clean(path, facts, checks);
    match input.root(path).map(|root| root.modules.len()) {
        Some(0) => checks.add("modules", path, Verdict::Drift, "the branch exists and has no modules yet"),
        Some(found) => checks.add("modules", path, Verdict::Ok, number(found, "module", "modules")),
        None => checks.add("modules", path, Verdict::Unknown, "its modules can't be listed"),
    }
}

fn remote(declared: &Declared, path: &str, facts: &CloneFacts, checks: &mut Checks) {
    let Some(wanted) = &declared.url else { return };
    let (verdict, cause) = match &facts.url {
        None => (Verdict::Conflict, "it has no remote `origin`".to_owned()),
        Some(is) if same_address(is) != same_address(wanted) => {
            (Verdict::Conflict, format!("a clone of `{}`, not of `{wanted}`", show(is)))
        }
        Some(is) if show(is) != *is && is.contains('@') => {
            (Verdict::Conflict, format!("`origin` is `{}` with a credential in it", show(is)))
        }
        Some(_) => (Verdict::Ok, wanted.clone()),
    };
    checks.add("remote", path, verdict, cause);
}

fn clean(path: &str, facts: &CloneFacts, checks: &mut Checks) {
    let mut causes = Vec::new();
    if facts.dirty_count > 0 {
        let more = if facts.dirty_count > facts.dirty.len() { ", …" } else { "" };
        let files = number(facts.dirty_count, "file", "files");
        causes.push(format!("uncommitted work in {files}: {}{more}", facts.dirty.join(", ")));
    }
    if let Some(operation) = facts.operation {
        causes.push(format!("in the middle of {operation}"));
    }
    if facts.ahead > 0 {
        causes.push(format!("{} that the remote lacks", number(facts.ahead, "commit", "commits")));
    }
    match causes.is_empty() {
        true => checks.add("clean", path, Verdict::Ok, "no uncommitted work"),
        false => checks.add("clean", path, Verdict::Conflict, causes.join("; ")),
    }
}
