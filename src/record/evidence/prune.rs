//! Removes packs that are older than they are kept, from the oldest on, and remembers where the rest begins.

use std::fs;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::chain::{head, pack_names, read, turn, write_link};
use super::{EvidenceError, FOLDER, file};

/// The file that names the last pack that was removed: the first that is left follows it.
pub(super) const PRUNED: &str = "pruned.json";

/// Removes packs that ended longer ago than `keep`; returns how many. The last pack always stays.
///
/// Stops at the first that is young enough, so that what is left is one chain. Blocking.
pub fn prune(state_folder: &Path, keep: TimeDelta, now: DateTime<Utc>) -> Result<usize, EvidenceError> {
    let root = state_folder.join(FOLDER);
    if !root.exists() {
        return Ok(0);
    }
    let _turn = turn(&root)?;
    let last = head(&root)?;
    let mut removed = 0;
    for name in pack_names(&root)? {
        // One that can't be read is evidence of something: nothing from it on is removed.
        let Ok(pack) = read(&root, &name) else { break };
        if last.as_ref().is_none_or(|last| last.pack == name) || pack.manifest.ended > now - keep {
            break;
        }
        write_link(&root, PRUNED, &pack.link)?;
        let folder = root.join(&name);
        fs::remove_dir_all(&folder).map_err(file("remove", &folder))?;
        // The folder of its minute has only this pack, unless somebody put something else there.
        let _ = folder.parent().map(fs::remove_dir);
        removed += 1;
    }
    Ok(removed)
}
