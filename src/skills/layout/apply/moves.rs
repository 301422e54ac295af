//! Moves a clone to the branch or commit where it belongs.

use std::path::Path;

use git2::{BranchType, Oid};

use super::{
    LayoutContext, LayoutDone, LayoutError, conflict, file, has_commit, is_no_link, name, read, remote_url,
    stale, verified,
};
use crate::clients::git::Remote;
use crate::clients::git_address::check_address;
use crate::clients::git_clone::WorkTree;
use crate::clients::git_lock::{locks, put_aside};
use crate::clients::git_moving::{begin, end, give_up, target};
use crate::skills::layout::checks::clones::{Judged, judge};
use crate::skills::layout::facts::{CloneFacts, Place};
use crate::skills::layout::observe::{is_half_moved, look};
use crate::skills::layout::operation::SwitchTarget;

pub(super) async fn switch(
    target: &SwitchTarget,
    context: &LayoutContext<'_>,
) -> Result<LayoutDone, LayoutError> {
    let path = Path::new(&target.path);
    is_no_link(path, Path::new(&target.checkout))?;
    let facts = match look(path, target.commit.as_deref()) {
        Place::Clone(facts) => facts,
        other => return Err(stale(path, format!("now {}", name(&other)))),
    };
    match judge(&target.url, &target.branch, target.commit.as_deref(), &facts) {
        Judged::Sound => return Ok(LayoutDone { already: true, ..LayoutDone::default() }),
        Judged::Conflict(why) => return Err(conflict(path, why)),
        Judged::Movable(_) if facts.commit != target.from => {
            return Err(stale(path, format!("at {}, not at {}", facts.commit, target.from)));
        }
        Judged::Movable(_) => {}
    }
    let (git_dir, left) =
        read(path, |repository| Ok((repository.path().to_owned(), locks(repository).left)))?;
    put_aside(&git_dir, &left).map_err(|err| file("put aside the locks of", path, err))?;
    let is_sound = |facts: &CloneFacts| {
        judge(&target.url, &target.branch, target.commit.as_deref(), facts) == Judged::Sound
    };
    if matches!(look(path, target.commit.as_deref()), Place::Clone(facts) if is_sound(&facts)) {
        return Ok(LayoutDone { already: false, said: vec!["put aside what a git process left".to_owned()] });
    }
    let url = remote_url(&target.url)?;
    let addresses = check_address(&url, context.allow).await.map_err(LayoutError::Address)?;
    let remote = Remote { url: &url, credential: None, addresses: addresses.as_deref() };
    let tree = WorkTree { git: context.git, remote, path, said: context.said, ran: context.ran };
    match &target.commit {
        Some(commit) => {
            if !has_commit(path, commit)? {
                tree.fetch_commit(commit).await?;
            }
            move_to(&tree, path, commit, &["--detach", commit]).await?;
        }
        None => to_branch(&tree, path, &target.branch).await?,
    }
    let now = verified(path, target.commit.as_deref())?;
    match judge(&target.url, &target.branch, target.commit.as_deref(), &now) {
        Judged::Sound => {
            let said = format!("moved from {} to {}", facts.commit, now.commit);
            Ok(LayoutDone { already: false, said: vec![said] })
        }
        Judged::Movable(what) => {
            Err(LayoutError::NotVerified { path: path.to_owned(), why: what.to_owned() })
        }
        Judged::Conflict(why) => Err(LayoutError::NotVerified { path: path.to_owned(), why }),
    }
}

/// Checks a branch out as the remote has it; one that has commits of its own stays as it is.
async fn to_branch(tree: &WorkTree<'_>, path: &Path, branch: &str) -> Result<(), LayoutError> {
    tree.fetch_branch(branch).await?;
    let upstream = format!("origin/{branch}");
    let ahead = read(path, |repository| {
        let Ok(local) = repository.find_branch(branch, BranchType::Local) else { return Ok(None) };
        let remote = repository.refname_to_id(&format!("refs/remotes/{upstream}"))?;
        let local = local.get().peel_to_commit()?.id();
        Ok(Some(repository.graph_ahead_behind(local, remote)?.0))
    })?;
    match ahead {
        Some(0) | None => {}
        Some(count) => {
            let why = format!("its branch `{branch}` has {count} commits that the remote lacks");
            return Err(conflict(path, why));
        }
    }
    // The branch moves forward with the files: one that was only switched to would look as if it had.
    let fetched = read(path, |repository| repository.refname_to_id(&format!("refs/remotes/{upstream}")))?;
    move_to(tree, path, &fetched.to_string(), &["--no-track", "-B", branch, &upstream]).await?;
    if ahead.is_none() {
        read(path, |repository| {
            // A clone of one branch fetches no other one by itself, and git follows only what it fetches.
            let is_fetched = |remote: &git2::Remote<'_>| {
                let name = format!("refs/heads/{branch}");
                remote.refspecs().any(|refspec| refspec.src_matches(&name))
            };
            if !is_fetched(&repository.find_remote("origin")?) {
                let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
                repository.remote_add_fetch("origin", &refspec)?;
            }
            let mut config = repository.config()?;
            config.set_str(&format!("branch.{branch}.remote"), "origin")?;
            config.set_str(&format!("branch.{branch}.merge"), &format!("refs/heads/{branch}"))
        })?;
    }
    Ok(())
}

/// Moves the files to a commit. What a move that was broken off left is in the commit that it was to reach, and in no other:
/// that one is completed first.
async fn move_to(tree: &WorkTree<'_>, path: &Path, commit: &str, how: &[&str]) -> Result<(), LayoutError> {
    let broken_off = read(path, |repository| match is_half_moved(repository)? {
        true => target(repository).map(|target| Some(target.to_string())),
        false => Ok(None),
    })?;
    if let Some(former) = broken_off {
        tree.checkout(&["--quiet", "--force", "--detach", &former]).await?;
        read(path, end)?;
    }
    read(path, |repository| begin(repository, Oid::from_str(commit)?))?;
    let arguments: Vec<&str> = ["--quiet"].iter().chain(how).copied().collect();
    if let Err(err) = tree.checkout(&arguments).await {
        // What git refused before it began left nothing.
        read(path, give_up)?;
        return Err(err.into());
    }
    read(path, end)
}
