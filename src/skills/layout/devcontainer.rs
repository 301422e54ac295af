//! The mounts of a devcontainer → those of the manifest. All other bytes stay as they are.
//!
//! A new mount takes the form of one that is there, because nothing else says where a container wants to see a folder.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::ops::Range;

use super::declared::is_within;
use super::jsonc::{self, Json, JsonKind};
use super::read::{mounted_folder, mounted_target};

/// What has to be mounted.
#[derive(Clone, Copy)]
pub struct WantedMounts<'a> {
    /// Folders of the checkout, in the order of the manifest.
    pub folders: &'a [String],
    /// Folders that lead to them: whatever else is mounted of these is the layout's as well.
    pub homes: &'a [String],
    /// Whether a folder is there.
    pub is_present: &'a dyn Fn(&str) -> bool,
    /// Whether one that should be mounted is there, or will be: a container does not start without it.
    pub is_mountable: &'a dyn Fn(&str) -> bool,
}

impl WantedMounts<'_> {
    /// Whether a mounted folder is the layout's, in no manifest, and not there: it only keeps the container from starting.
    fn is_stale(&self, folder: &str) -> bool {
        let is_wanted =
            self.folders.iter().any(|wanted| is_within(wanted, folder) || is_within(folder, wanted));
        let is_ours = self.homes.iter().any(|home| folder != home && is_within(folder, home));
        is_ours && !is_wanted && !(self.is_present)(folder)
    }
}

/// A devcontainer with other mounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The whole text.
    pub text: String,
    /// Folders that are mounted now.
    pub added: Vec<String>,
    /// Folders that are mounted no more.
    pub removed: Vec<String>,
    /// Folders that should be mounted, and no mount shows where the container would see them.
    pub unknown: Vec<String>,
}

/// Writes the mounts anew, as far as they can be told; `None` when they are right. `Err` says why none can be written.
pub fn with_mounts(file: &str, text: &str, wanted: &WantedMounts<'_>) -> Result<Option<Edit>, String> {
    let root = jsonc::parse(file, text).map_err(|problem| problem.to_string())?;
    let list = root.get("mounts").ok_or("it has no `mounts` whose form a new one could take")?;
    let JsonKind::List(items) = &list.kind else {
        return Err(format!("its `mounts` is {}, not a list", list.type_name()));
    };
    let folders: Vec<Option<String>> = items.iter().map(mounted_folder).collect();
    let is_stale = |at: usize| folders[at].as_deref().is_some_and(|folder| wanted.is_stale(folder));
    let is_covered = |folder: &str| {
        let stays = (0..items.len()).filter(|at| !is_stale(*at));
        stays.filter_map(|at| folders[at].as_deref()).any(|mounted| is_within(folder, mounted))
    };
    let is_lacking = |folder: &&String| !is_covered(folder) && (wanted.is_mountable)(folder);
    let lacking: Vec<String> = wanted.folders.iter().filter(is_lacking).cloned().collect();
    let removed: Vec<String> =
        (0..items.len()).filter(|at| is_stale(*at)).filter_map(|at| folders[at].clone()).collect();
    if lacking.is_empty() && removed.is_empty() {
        return Ok(None);
    }
    let mut parts = Parts::split(text, list, items);
    let forms: Vec<Form> = (0..items.len())
        .filter_map(|at| Form::of(at, folders[at].as_deref()?, &mounted_target(&items[at])?))
        .collect();
    let (mut new, mut added, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for folder in lacking {
        let like = |form: &Form| parts.entries[form.at].like(form, &folder);
        match nearest(&forms, &folder).into_iter().find_map(like) {
            Some(entry) => {
                new.push(entry);
                added.push(folder);
            }
            None => unknown.push(folder),
        }
    }
    let behind = forms.last().map(|form| form.at);
    parts.change(is_stale, behind, new);
    let text = format!("{}{}{}", &text[..list.span.start], parts.join(), &text[list.span.end..]);
    jsonc::parse(file, &text).map_err(|problem| format!("it would be broken afterwards: {problem}"))?;
    Ok(Some(Edit { text, added, removed, unknown }))
}

/// A mount from which another one follows: the container sees the folder under the end of its path.
struct Form {
    at: usize,
    folder: String,
    target: String,
    /// How many bytes of the folder the target does not repeat, and of the target the folder.
    heads: (usize, usize),
}

impl Form {
    fn of(at: usize, folder: &str, target: &str) -> Option<Form> {
        let parts = folder.rsplit('/').zip(target.rsplit('/'));
        let tail: Vec<&str> = parts.take_while(|(one, other)| one == other).map(|(part, _)| part).collect();
        let length = tail.iter().map(|part| part.len() + 1).sum::<usize>().checked_sub(1)?;
        let heads = (folder.len() - length, target.len().checked_sub(length)?);
        Some(Form { at, folder: folder.to_owned(), target: target.to_owned(), heads })
    }

    /// Where the container would see another folder; `None` when the form says nothing of it.
    fn target(&self, folder: &str) -> Option<String> {
        let rest = folder.strip_prefix(&self.folder[..self.heads.0])?;
        Some(format!("{}{rest}", &self.target[..self.heads.1]))
    }
}

/// The mounts that say where another folder belongs, first whose own shares most with it; of equal ones the last.
fn nearest<'a>(forms: &'a [Form], folder: &str) -> Vec<&'a Form> {
    let shared = |form: &&Form| {
        form.folder.split('/').zip(folder.split('/')).take_while(|(one, other)| one == other).count()
    };
    let mut found: Vec<&Form> = forms.iter().rev().filter(|form| form.target(folder).is_some()).collect();
    found.sort_by_key(|form| std::cmp::Reverse(shared(form)));
    found
}

/// An item of a list with all that belongs to it, so that joining gives the same bytes again.
#[derive(Clone)]
struct Entry {
    /// Line ends, blanks and comments before it.
    lead: String,
    raw: String,
    /// What stands between it and its comma.
    gap: String,
    has_comma: bool,
    /// What stands behind its comma on the same line.
    tail: String,
}

impl Entry {
    /// The same for another folder; `None` when its text does not show what has to be replaced.
    fn like(&self, form: &Form, folder: &str) -> Option<Entry> {
        let blank = self.lead.rfind('\n').map_or(" ", |at| {
            let from = if self.lead[..at].ends_with('\r') { at - 1 } else { at };
            self.lead[from..].trim_end_matches(|c: char| !c.is_whitespace())
        });
        // A comment may stand between the line end and the item.
        let blank = blank.split("/*").next().unwrap_or_default();
        let target = form.target(folder)?;
        let raw =
            self.with_value(&form.target, &target, |item| mounted_target(item).as_ref() == Some(&target))?;
        let raw = Entry { raw, ..self.clone() }.with_value(&form.folder, folder, |item| {
            // Read again, it has to say just this: the folder's name may stand elsewhere, too, or be written otherwise.
            mounted_folder(item).as_deref() == Some(folder) && mounted_target(item).as_ref() == Some(&target)
        })?;
        let none = String::new;
        Some(Entry { lead: blank.to_owned(), raw, gap: none(), has_comma: false, tail: none() })
    }
}

impl Entry {
    /// The item with one value replaced at the one place where reading it again gives what is wanted.
    fn with_value(&self, from: &str, to: &str, is_wanted: impl Fn(&Json) -> bool) -> Option<String> {
        self.raw.match_indices(from).find_map(|(at, _)| {
            let raw = format!("{}{to}{}", &self.raw[..at], &self.raw[at + from.len()..]);
            jsonc::parse("", &raw).is_ok_and(|item| is_wanted(&item)).then_some(raw)
        })
    }
}

/// A list, taken apart.
struct Parts {
    /// The bracket, and what stands behind it on its line.
    open: String,
    entries: Vec<Entry>,
    /// Whether a comma follows the last item.
    has_last_comma: bool,
    /// What stands before the closing bracket, and that.
    close: String,
}

impl Parts {
    fn split(text: &str, list: &Json, items: &[Json]) -> Parts {
        let inner = list.span.start + 1..list.span.end - 1;
        let end = |at: usize| items.get(at).map_or(inner.end, |item| item.span.start);
        let (open, mut lead) = split_line(&text[inner.start..end(0)], !items.is_empty());
        let mut parts = Parts {
            open: format!("[{open}"),
            entries: Vec::new(),
            has_last_comma: false,
            close: String::new(),
        };
        for (at, item) in items.iter().enumerate() {
            let between = &text[item.span.end..end(at + 1)];
            let is_last = at + 1 == items.len();
            let (gap, rest) = match comma(between) {
                Some(at) => (&between[..at], Some(&between[at + 1..])),
                None => (between, None),
            };
            let (gap, (tail, next)) = match rest {
                Some(rest) => (gap, split_line(rest, true)),
                // The last item without a comma: what stands on its line is its own.
                None => (split_line(gap, true).0, ("", split_line(gap, true).1)),
            };
            parts.has_last_comma = is_last && rest.is_some();
            let raw = text[Range::clone(&item.span)].to_owned();
            let (gap, tail, has_comma) = (gap.to_owned(), tail.to_owned(), rest.is_some());
            parts.entries.push(Entry { lead: lead.to_owned(), raw, gap, has_comma, tail });
            lead = next;
        }
        parts.close = format!("{lead}]");
        parts
    }

    /// Leaves items out, and puts others behind one.
    fn change(&mut self, is_gone: impl Fn(usize) -> bool, behind: Option<usize>, new: Vec<Entry>) {
        let mut new = Some(new);
        let mut comments = String::new();
        let old = std::mem::take(&mut self.entries);
        // Whoever comes first stands where the first one stood.
        let lead = old.first().filter(|_| is_gone(0)).map(|first| comment_free(&first.lead).to_owned());
        for (at, mut entry) in old.into_iter().enumerate() {
            if is_gone(at) {
                // Comments on lines of their own may be about what follows.
                comments.push_str(comment_lines(&entry.lead));
            } else {
                entry.lead.insert_str(0, &std::mem::take(&mut comments));
                self.entries.push(entry);
            }
            if behind == Some(at) {
                self.entries.extend(new.take().unwrap_or_default());
            }
        }
        self.close.insert_str(0, &comments);
        if let (Some(lead), Some(first)) = (lead, self.entries.first_mut())
            && !first.lead.contains("//")
            && !first.lead.contains("/*")
        {
            first.lead = lead;
        }
    }

    fn join(&self) -> String {
        let mut text = self.open.clone();
        for (at, Entry { lead, raw, gap, has_comma, tail }) in self.entries.iter().enumerate() {
            let needs_comma = at + 1 < self.entries.len() || self.has_last_comma;
            // A comment to the end of the line would swallow a comma that is new behind it.
            match (needs_comma, has_comma) {
                (true, true) => text.extend([lead, raw, gap, ",", tail]),
                (true, false) => text.extend([lead, raw, ",", gap, tail]),
                (false, _) => text.extend([lead, raw, gap, "", tail]),
            }
        }
        text.push_str(&self.close);
        text
    }
}

/// What stands on the first line, and the rest with its line end; without a line end all is the rest, or the line.
fn split_line(text: &str, is_rest: bool) -> (&str, &str) {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => text.split_at(at - 1),
        Some(at) => text.split_at(at),
        None if is_rest => ("", text),
        None => (text, ""),
    }
}

/// The lines of a lead that hold comments, with the line ends before them.
fn comment_lines(lead: &str) -> &str {
    let end = lead
        .rfind("*/")
        .map(|at| at + 2)
        .max(lead.rfind("//").map(|at| lead[at..].find('\n').map_or(lead.len(), |end| at + end)));
    &lead[..end.unwrap_or(0)]
}

/// The last line of a lead, when comments stand before it.
fn comment_free(lead: &str) -> &str {
    &lead[comment_lines(lead).len()..]
}

/// Where the comma is among blanks and comments.
fn comma(text: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(',') {
            return Some(at);
        }
        at += match () {
            () if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            () if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            () => rest.chars().next().map_or(1, char::len_utf8),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(text: &str, folders: &[&str], present: &[&str]) -> Result<Option<Edit>, String> {
        let folders: Vec<String> = folders.iter().map(|folder| (*folder).to_owned()).collect();
        let is_present = |folder: &str| present.contains(&folder);
        let wanted = WantedMounts {
            folders: &folders,
            homes: &["addons/oca".to_owned()],
            is_present: &is_present,
            is_mountable: &|_| true,
        };
        with_mounts("devcontainer.json", text, &wanted)
    }

    fn mount(folder: &str) -> String {
        format!("\"source=${{localWorkspaceFolder}}/{folder},target=/w/{folder},type=bind\"")
    }

    #[test]
    fn a_new_mount_takes_the_form_and_place_of_its_neighbours_and_all_else_stays() {
        let (web, queue, own) = (mount("addons/oca/web"), mount("addons/oca/queue"), mount("addons/ipai"));
        let text = format!(
            "{{ // the container\n\t\"a\" : 1,\n  \"mounts\": [ // ours\n    {own}, // never moved\n    /* OCA */ {web}\n  ],\n  \"b\":[],}}\n"
        );
        let found =
            edit(&text, &["addons/oca/web", "addons/oca/queue", "addons/ipai"], &[]).unwrap().unwrap();
        let expected = text.replace(&format!("{web}\n"), &format!("{web},\n    {queue}\n"));
        assert_eq!(found.text, expected);
        assert_eq!((found.added, found.removed), (vec!["addons/oca/queue".to_owned()], vec![]));
        assert_eq!(edit(&expected, &["addons/oca/web", "addons/oca/queue", "addons/ipai"], &[]), Ok(None));
    }

    #[test]
    fn a_mount_that_is_in_no_manifest_goes_only_when_nothing_is_there() {
        let (web, old) = (mount("addons/oca/web"), mount("addons/oca/project-agile"));
        let text = format!("{{\"mounts\": [\n  // the site\n  {web},\n  // boards\n  {old} // gone?\n]}}");
        assert_eq!(edit(&text, &["addons/oca/web"], &["addons/oca/project-agile"]), Ok(None));
        let found = edit(&text, &["addons/oca/web"], &[]).unwrap().unwrap();
        assert_eq!(found.text, format!("{{\"mounts\": [\n  // the site\n  {web}\n  // boards\n]}}"));
        assert_eq!(found.removed, ["addons/oca/project-agile"]);
    }

    #[test]
    fn lists_on_one_line_objects_windows_line_ends_and_last_commas_keep_their_form() {
        let (web, queue) = (mount("addons/oca/web"), mount("addons/oca/queue"));
        let wanted = ["addons/oca/web", "addons/oca/queue"];
        let line = format!("{{\"mounts\": [{web}]}}");
        assert_eq!(
            edit(&line, &wanted, &[]).unwrap().unwrap().text,
            format!("{{\"mounts\": [{web}, {queue}]}}")
        );
        let windows = format!("{{\"mounts\": [\r\n\t{web}, // x\r\n]}}");
        assert_eq!(
            edit(&windows, &wanted, &[]).unwrap().unwrap().text,
            format!("{{\"mounts\": [\r\n\t{web}, // x\r\n\t{queue},\r\n]}}")
        );
        let object = |folder: &str| {
            format!(
                "{{\"source\": \"${{localWorkspaceFolder}}/{folder}\", \"target\": \"/w/{folder}\", \"type\": \"bind\"}}"
            )
        };
        let objects = format!("{{\"mounts\": [ {} ]}}", object("addons/oca/web"));
        assert_eq!(
            edit(&objects, &wanted, &[]).unwrap().unwrap().text,
            format!("{{\"mounts\": [ {}, {} ]}}", object("addons/oca/web"), object("addons/oca/queue"))
        );
    }

    #[test]
    fn a_container_may_see_only_the_end_of_a_path() {
        let at = |folder: &str, target: &str| {
            format!("\"source=${{localWorkspaceFolder}}/{folder},target={target},type=bind\"")
        };
        let (web, queue) = (at("addons/oca/web", "/oca/web"), at("addons/oca/queue", "/oca/queue"));
        let text = format!("{{\"mounts\": [{web}]}}");
        let found = edit(&text, &["addons/oca/web", "addons/oca/queue"], &[]).unwrap().unwrap();
        assert_eq!(found.text, format!("{{\"mounts\": [{web}, {queue}]}}"));
        // What lies elsewhere, it says nothing of.
        let found = edit(&text, &["addons/oca/web", "addons/oca/queue", "more/own"], &[]).unwrap().unwrap();
        assert_eq!((found.added.len(), found.unknown), (1, vec!["more/own".to_owned()]));
        let (web, own) = (at("oca/web", "/mnt/web"), at("own/site", "/mnt/site"));
        let text = format!("{{\"mounts\": [{web}]}}");
        let found = edit(&text, &["oca/web", "own/site"], &[]).unwrap().unwrap();
        assert_eq!(
            (found.text, found.unknown),
            (text, vec!["own/site".to_owned()]),
            "{own} would be a guess"
        );
    }

    #[test]
    fn a_comment_to_the_end_of_the_line_swallows_no_comma() {
        let (web, queue) = (mount("addons/oca/web"), mount("addons/oca/queue"));
        let text = format!("{{\"mounts\": [\n  {web} // last\n]}}");
        let found = edit(&text, &["addons/oca/web", "addons/oca/queue"], &[]).unwrap().unwrap();
        assert_eq!(found.text, format!("{{\"mounts\": [\n  {web}, // last\n  {queue}\n]}}"));
    }

    #[test]
    fn a_folder_that_holds_the_wanted_ones_covers_them_and_what_has_no_form_is_refused() {
        let all = format!("{{\"mounts\": [{}]}}", mount("addons"));
        assert_eq!(edit(&all, &["addons/oca/web"], &[]), Ok(None));
        for text in ["{}", "{\"mounts\": {}}"] {
            assert!(edit(text, &["addons/oca/web"], &[]).is_err(), "{text}");
        }
        for text in ["{\"mounts\": []}", "{\"mounts\": [\"source=x,target=/x\"]}"] {
            let found = edit(text, &["addons/oca/web"], &[]).unwrap().unwrap();
            assert_eq!((found.text.as_str(), found.unknown.len()), (text, 1));
        }
    }

    #[test]
    fn only_the_value_is_replaced_and_what_is_written_otherwise_is_no_form() {
        let text = "{\"mounts\": [\"type=bind,src=${localWorkspaceFolder}/src,dst=/mnt/src\"]}";
        let found = edit(text, &["src", "own"], &[]).unwrap().unwrap();
        let own = "\"type=bind,src=${localWorkspaceFolder}/own,dst=/mnt/own\"";
        assert_eq!(found.text, text.replace("]}", &format!(", {own}]}}")));
        let object =
            "{\"source\": \"${localWorkspaceFolder}/src\", \"x\": \"see src\", \"target\": \"/src\"}";
        let found = edit(&format!("{{\"mounts\": [{object}]}}"), &["src", "own"], &[]).unwrap().unwrap();
        let own = "{\"source\": \"${localWorkspaceFolder}/own\", \"x\": \"see src\", \"target\": \"/own\"}";
        assert_eq!(found.text, format!("{{\"mounts\": [{object}, {own}]}}"));
        let escaped =
            r#"{"mounts": ["source=${localWorkspaceFolder}\/addons\/oca\/web,target=/w/addons/oca/web"]}"#;
        let found = edit(escaped, &["addons/oca/web", "addons/oca/queue"], &[]).unwrap().unwrap();
        assert_eq!((found.text.as_str(), found.unknown), (escaped, vec!["addons/oca/queue".to_owned()]));
    }
}
