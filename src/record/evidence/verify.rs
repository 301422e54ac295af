//! Proof that nobody touched the packs: every file, every link, the first and the last.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::chain::{Found, Link, head, order, pack_names, read, read_bounded, read_link};
use super::prune::PRUNED;
use super::{EvidenceError, MANIFEST};
use crate::model::hash::sha256_hex;

/// The largest file of a pack that is read; plans of 100,000 steps stay below.
const FILE_BYTES_MAX: u64 = 256 << 20;

/// What checking all packs showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// How many packs there are.
    pub packs: usize,
    /// The oldest pack with which something is wrong.
    pub first_bad: Option<BadPack>,
}

/// A pack with which something is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BadPack {
    /// Its folder, relative to the folder of all packs.
    pub pack: String,
    /// What, for people.
    pub why: String,
}

/// Checks all packs of a folder; an error only when the folder itself can't be read. Before the first run there is
/// none, and nothing wrong with it.
pub fn verify_packs(root: &Path) -> Result<Checked, EvidenceError> {
    if !root.exists() {
        return Ok(Checked { packs: 0, first_bad: None });
    }
    let names = pack_names(root)?;
    let mut bad = Vec::new();
    let mut found = BTreeMap::new();
    for name in &names {
        match read(root, name) {
            Err(err) => bad.push((name.clone(), format!("its manifest can't be read: {err}"))),
            Ok(pack) => {
                if let Some(why) = wrong_file(root, &pack) {
                    bad.push((name.clone(), why));
                }
                found.insert(name.clone(), pack);
            }
        }
    }
    bad.extend(wrong_links(&found, read_link(&root.join(PRUNED))?.as_ref()));
    bad.extend(wrong_head(&found, head(root)?.as_ref()));
    bad.sort_by_key(|(name, _)| order(name));
    let first_bad = bad.into_iter().next().map(|(pack, why)| BadPack { pack, why });
    Ok(Checked { packs: names.len(), first_bad })
}

/// What is wrong with the files of a pack.
fn wrong_file(root: &Path, pack: &Found) -> Option<String> {
    let folder = root.join(&pack.link.pack);
    let mut there = Vec::new();
    if let Err(err) = list(&folder, "", &mut there) {
        return Some(format!("it can't be read: {err}"));
    }
    for name in &there {
        if name != MANIFEST && !pack.manifest.files.contains_key(name) {
            return Some(format!("`{name}` is not in its manifest"));
        }
    }
    for (name, sha256) in &pack.manifest.files {
        if !there.contains(name) {
            return Some(format!("`{name}` is missing"));
        }
        match read_bounded(&folder.join(name), FILE_BYTES_MAX) {
            Err(err) => return Some(format!("`{name}` can't be read: {err}")),
            Ok(bytes) if sha256_hex(&bytes) != *sha256 => return Some(format!("`{name}` was changed")),
            Ok(_) => {}
        }
    }
    None
}

/// All files below a folder as `a/b`; two levels, which is what a pack has.
fn list(folder: &Path, prefix: &str, names: &mut Vec<String>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() && prefix.is_empty() {
            list(&entry.path(), &format!("{name}/"), names)?;
        } else {
            names.push(name);
        }
    }
    Ok(())
}

/// Packs whose followers say something else of them, or that don't follow what is there.
fn wrong_links(found: &BTreeMap<String, Found>, pruned: Option<&Link>) -> Vec<(String, String)> {
    let mut bad = Vec::new();
    let mut followers: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for (name, pack) in found {
        let previous = pack.manifest.previous.as_ref();
        followers.entry(previous.map(|link| link.pack.as_str())).or_default().push(name);
        let Some(previous) = previous else { continue };
        match found.get(&previous.pack) {
            Some(other) if other.link.sha256 != previous.sha256 => {
                bad.push((
                    previous.pack.clone(),
                    format!("its manifest is not the one that `{name}` follows"),
                ));
            }
            Some(_) => {}
            None if pruned == Some(previous) => {}
            None => bad.push((previous.pack.clone(), format!("it is missing; `{name}` follows it"))),
        }
    }
    if pruned.is_some() {
        // The first pack was removed in order, so another without a predecessor was put in.
        bad.extend(
            followers
                .remove(&None)
                .into_iter()
                .flatten()
                .map(|name| (name.to_owned(), "it follows nothing, but is not the first".to_owned())),
        );
    }
    for (previous, mut names) in followers {
        names.sort_by_key(|name| order(name));
        for name in names.iter().skip(1) {
            let what = previous.map_or("nothing".to_owned(), |previous| format!("`{previous}`"));
            bad.push(((*name).to_owned(), format!("it follows {what}, and so does `{}`", names[0])));
        }
    }
    bad
}

/// Whether the last pack is the one that was written last.
fn wrong_head(found: &BTreeMap<String, Found>, head: Option<&Link>) -> Vec<(String, String)> {
    let Some(head) = head else {
        let last = found.keys().max_by_key(|name| order(name));
        return last
            .map(|name| (name.clone(), "the file that names the last pack is missing".to_owned()))
            .into_iter()
            .collect();
    };
    match found.get(&head.pack) {
        None => vec![(head.pack.clone(), "it is missing, and was the last".to_owned())],
        Some(pack) if pack.link.sha256 != head.sha256 => {
            vec![(head.pack.clone(), "its manifest is not the one that was written last".to_owned())]
        }
        Some(_) => Vec::new(),
    }
}
