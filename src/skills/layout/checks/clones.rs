//! `clone`, `remote`, `branch`, `pin`, `clean`, `modules`: each declared repository.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::catalogues::same_address;
use super::{Input, number, pin};
use crate::clients::git_url::{has_secret, show};
use crate::skills::layout::declared::{Declared, is_within};
use crate::skills::layout::facts::{CloneFacts, Facts, Place};
use crate::skills::layout::report::{Checks, Verdict};

/// What is said of a path below a link that leads elsewhere.
pub const OUTSIDE: &str = "a link leads out of the checkout";

pub(super) fn check(input: &Input<'_>, checks: &mut Checks) {
    let mut earlier = Vec::new();
    for declared in input.declared() {
        let Some(path) = declared.path.as_deref() else { continue };
        if let Some(why) = misplaced(path, &earlier) {
            checks.add("clone", path, Verdict::Conflict, why);
            continue;
        }
        earlier.push(path);
        let (verdict, cause) = match input.facts.places.get(path) {
            Some(Place::Clone(facts)) => {
                checks.add("clone", path, Verdict::Ok, short(&facts.commit));
                one(input, declared, path, facts, checks);
                continue;
            }
            Some(Place::Missing) => (Verdict::Drift, "missing".to_owned()),
            Some(Place::Empty) => (Verdict::Drift, "an empty folder, no clone".to_owned()),
            Some(Place::Half(why)) => (Verdict::Drift, format!("a clone that was never completed: {why}")),
            Some(Place::Broken { why, work }) => (Verdict::Conflict, broken(why, work)),
            Some(Place::Outside) => (Verdict::Conflict, OUTSIDE.to_owned()),
            Some(Place::NotAFolder) => (Verdict::Conflict, "not a folder: move it away".to_owned()),
            Some(Place::Plain) => (Verdict::Conflict, "files without a clone: move them away".to_owned()),
            Some(Place::Unreadable(why)) => (Verdict::Unknown, why.clone()),
            None => (Verdict::Unknown, "it was not looked at".to_owned()),
        };
        checks.add("clone", path, verdict, cause);
    }
}

/// Why no clone can be at a path, given those before it.
pub fn misplaced(path: &str, earlier: &[&str]) -> Option<String> {
    if path.split('/').any(|part| part.eq_ignore_ascii_case(".git")) {
        return Some(format!("`{path}` lies in git's own folder"));
    }
    let other = earlier.iter().find(|other| is_within(other, path) || is_within(path, other))?;
    Some(match *other == path {
        true => format!("`{path}` is the folder of another repository, too"),
        false => format!("`{path}` and `{other}` lie in one another"),
    })
}

/// Whether what is declared is there: a complete clone, and not of something else.
pub(super) fn is_present(facts: &Facts, declared: &Declared) -> bool {
    let place = declared.path.as_ref().and_then(|path| facts.places.get(path));
    let Some(Place::Clone(found)) = place else { return false };
    declared.url.as_deref().is_none_or(|url| same_remote(url, found).is_ok())
}

/// Why an incomplete clone is left to a person.
pub fn broken(why: &str, work: &str) -> String {
    format!("an incomplete clone ({why}) with work in it: {work}")
}

fn short(commit: &str) -> String {
    format!("at {}", commit.get(..7).unwrap_or(commit))
}

/// What is to be done about a clone that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// Nothing.
    Sound,
    /// It can be brought to where it belongs; what differs: `branch`, `commit`, or only what an `interrupted` git left.
    Movable(&'static str),
    /// A person must decide, and why.
    Conflict(String),
}

/// Holds a clone against what is declared of it.
pub fn judge(url: &str, branch: &str, pin: Option<&str>, facts: &CloneFacts) -> Judged {
    if let Err(why) = same_remote(url, facts) {
        return Judged::Conflict(why);
    }
    let is_on = facts.branch.as_deref() == Some(branch);
    let cause = match pin {
        Some(pin) if pin != facts.commit => "commit",
        Some(_) if is_on || facts.branch.is_none() => "",
        None if is_on => "",
        Some(_) | None => "branch",
    };
    let cause = match (cause, &facts.interrupted) {
        ("", None) => return Judged::Sound,
        ("", Some(_)) => "interrupted",
        (cause, _) => cause,
    };
    match work(facts) {
        Some(work) => {
            let wanted = pin.map_or_else(|| format!("on `{branch}`"), short);
            Judged::Conflict(format!("it belongs {wanted} and is not moved: {work}"))
        }
        None => Judged::Movable(cause),
    }
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
    match same_remote(wanted, facts) {
        Ok(()) => checks.add("remote", path, Verdict::Ok, wanted.clone()),
        Err(why) => checks.add("remote", path, Verdict::Conflict, why),
    }
}

fn same_remote(wanted: &str, facts: &CloneFacts) -> Result<(), String> {
    match &facts.url {
        None => Err("it has no remote `origin`".to_owned()),
        Some(is) if same_address(is) != same_address(wanted) => {
            Err(format!("a clone of `{}`, not of `{}`", show(is), show(wanted)))
        }
        Some(is) if has_secret(is) => Err(format!("`origin` is `{}` with a credential in it", show(is))),
        Some(_) => Ok(()),
    }
}

fn clean(path: &str, facts: &CloneFacts, checks: &mut Checks) {
    match (work(facts), &facts.interrupted) {
        (None, None) => checks.add("clean", path, Verdict::Ok, "no uncommitted work"),
        (None, Some(left)) => checks.add("clean", path, Verdict::Drift, left.clone()),
        (Some(work), _) => checks.add("clean", path, Verdict::Conflict, work),
    }
}

/// What somebody would miss.
pub fn work(facts: &CloneFacts) -> Option<String> {
    let mut causes = Vec::new();
    if facts.dirty_count > 0 {
        let more = if facts.dirty_count > facts.dirty.len() { ", …" } else { "" };
        let files = number(facts.dirty_count, "file", "files");
        causes.push(format!("uncommitted work in {files}: {}{more}", facts.dirty.join(", ")));
    }
    if let Some(operation) = &facts.operation {
        causes.push(format!("in the middle of {operation}"));
    }
    if facts.ahead > 0 {
        causes.push(format!("{} that the remote lacks", number(facts.ahead, "commit", "commits")));
    }
    (!causes.is_empty()).then(|| causes.join("; "))
}
