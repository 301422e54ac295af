//! `init`: a starter state repository.

use crate::cli::args::InitArgs;
use crate::cli::{Session, shown};
use crate::desired::starter::{self, Commit, StarterError};
use crate::error::{Error, Exit};

pub fn run(session: &mut Session, args: &InitArgs) -> Result<Exit, Error> {
    let directory = std::path::absolute(&args.directory)?;
    if directory.is_file() {
        let message = format!("`{}` is a file, and a state repository is a folder", args.directory.display());
        return Err(Error::usage(message, "Name a folder that is empty or doesn't exist."));
    }
    let made = starter::create(&directory).map_err(|error| match error {
        StarterError::NotEmpty { .. } => Error::usage(
            error.to_string(),
            "Name a folder that is empty or doesn't exist; nothing was changed.",
        ),
        StarterError::File { path, err } => crate::cli::file_error("write", &path, err),
        StarterError::Git(_) => Error::Starter(error),
    })?;
    let place = shown(&directory);
    let place = place.display();
    let files: Vec<String> = made.files.iter().map(|file| format!("{place}/{file}")).collect();
    session.ui.data(&files.join("\n"))?;
    match made.commit {
        Commit::Made(commit) => session.ui.progress(&format!("Committed as {}.", &commit[..7])),
        Commit::NoIdentity => session.ui.notice(&format!(
            "git doesn't know who you are, so nothing is committed. Commit it yourself:\n  \
             git config --global user.name 'Your Name' && git config --global user.email you@example.org\n  \
             git -C {place} commit -m 'feat: first state'"
        )),
        Commit::InsideRepository => session.ui.notice(
            "The folder lies within a git repository, so none was made. Commit it there; name it with --path.",
        ),
    }
    session.ui.progress(&format!("Next: cd {place} && ipaictl validate && ipaictl diff"));
    Ok(Exit::Done)
}
