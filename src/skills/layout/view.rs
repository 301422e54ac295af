//! Which folders of the checkout a server looks into: its `addons_path`, seen through the mounts of its container.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::declared::{Source, inside};

/// One entry of an `addons_path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Odoo's own modules.
    Core,
    /// The folder for modules in Odoo's data.
    Data,
    /// A folder of the checkout.
    Root(String),
    /// No mount that is known leads there.
    Elsewhere,
}

/// Mounts by which container paths lead into the checkout.
#[derive(Debug, Default, Clone)]
pub struct Mapping(Vec<(String, String)>);

impl Mapping {
    /// The mounts that a person names, then those of the files, of one service first.
    pub fn new(named: &[(String, String)], sources: &[Source], service: Option<(&str, &str)>) -> Self {
        let mut all = named.to_vec();
        let mounts =
            || sources.iter().flat_map(|source| source.mounts.iter().map(move |mount| (source, mount)));
        let pair = |mount: &super::declared::Mount| (mount.target.clone(), mount.source.clone());
        match service {
            // A container sees its own mounts alone.
            Some((file, service)) => all.extend(
                mounts()
                    .filter(|(source, mount)| {
                        source.file == file && mount.service.as_deref() == Some(service)
                    })
                    .map(|(_, mount)| pair(mount)),
            ),
            None => all
                .extend(mounts().filter(|(_, mount)| !mount.target.is_empty()).map(|(_, mount)| pair(mount))),
        }
        Mapping(all)
    }

    /// What an entry means.
    pub fn entry(&self, path: &str) -> Entry {
        let path = path.trim_end_matches('/');
        let below = |target: &str| {
            let target = target.trim_end_matches('/');
            path.strip_prefix(target)
                .filter(|rest| rest.is_empty() || rest.starts_with('/'))
                .map(str::to_owned)
        };
        let nearest =
            self.0.iter().filter_map(|(target, source)| Some((target.len(), source, below(target)?)));
        // The longest target wins; of equal ones the first.
        let nearest = nearest.reduce(|best, next| if next.0 > best.0 { next } else { best });
        if let Some((_, source, rest)) = nearest {
            return Entry::Root(format!("{source}{rest}"));
        }
        if path.ends_with("odoo/addons") {
            return Entry::Core;
        }
        if path.contains("/addons/") && path.starts_with("/var/lib/odoo") {
            return Entry::Data;
        }
        inside(path).map_or(Entry::Elsewhere, Entry::Root)
    }
}

/// The roots that a server looks into, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// The file that says so.
    pub from: String,
    /// The folders of the checkout.
    pub roots: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn container_paths_are_seen_through_the_nearest_mount() {
        let pair = |target: &str, source: &str| (target.to_owned(), source.to_owned());
        let mapping = Mapping::new(&[pair("/mnt", "all"), pair("/mnt/extra-addons", "addons")], &[], None);
        assert_eq!(mapping.entry("/mnt/extra-addons/"), Entry::Root("addons".into()));
        assert_eq!(mapping.entry("/mnt/extra-addons/oca/web"), Entry::Root("addons/oca/web".into()));
        assert_eq!(mapping.entry("/mnt/extra-addons-2"), Entry::Root("all/extra-addons-2".into()));
        assert_eq!(mapping.entry("/usr/lib/python3/dist-packages/odoo/addons"), Entry::Core);
        assert_eq!(mapping.entry("/var/lib/odoo/addons/18.0"), Entry::Data);
        assert_eq!(mapping.entry("/opt/x"), Entry::Elsewhere);
    }
}
