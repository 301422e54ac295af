//! The short form of a service's `volumes`: `[source:]target[:options]`.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use super::paths;

/// One mount.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mount {
    /// A host path, a volume's name, or nothing for an anonymous volume.
    pub source: Option<String>,
    /// Where it is mounted.
    pub target: String,
    /// Whether the container only reads it.
    pub read_only: bool,
    /// Whether a new volume stays empty.
    pub nocopy: bool,
    /// How mounts below it propagate.
    pub propagation: Option<String>,
    /// `z` or `Z`.
    pub selinux: Option<String>,
    /// Options that do nothing on Linux.
    pub inert: Vec<String>,
}

/// Reads the short form; the error is a fragment for people.
pub(super) fn parse(text: &str) -> Result<Mount, String> {
    if text.is_empty() {
        return Err("it is empty".to_owned());
    }
    let parts = split(text);
    if parts.iter().any(|part| part.is_empty()) {
        return Err("nothing stands between two colons".to_owned());
    }
    let mut mount = Mount::default();
    let options = match parts.as_slice() {
        [target] => {
            mount.target = target.clone();
            return Ok(cleaned(mount));
        }
        [source, target] => {
            (mount.source, mount.target) = (Some(source.clone()), target.clone());
            return Ok(cleaned(mount));
        }
        [source, target, options] => {
            (mount.source, mount.target) = (Some(source.clone()), target.clone());
            options
        }
        _ => return Err("it has too many colons".to_owned()),
    };
    for option in options.split(',') {
        match option {
            "ro" => mount.read_only = true,
            "rw" => mount.read_only = false,
            "nocopy" => mount.nocopy = true,
            "z" | "Z" => mount.selinux = Some(option.to_owned()),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                mount.propagation = Some(option.to_owned());
            }
            "cached" | "delegated" | "consistent" => mount.inert.push(option.to_owned()),
            _ => return Err(format!("`{option}` is no mount option")),
        }
    }
    Ok(cleaned(mount))
}

fn cleaned(mut mount: Mount) -> Mount {
    mount.target = paths::clean(&mount.target);
    mount
}

/// Splits at colons but not after a single letter, which is a Windows drive.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    for c in text.chars() {
        let last = parts.last_mut().expect("there is always a part");
        let drive = last.len() <= 4 && last.chars().count() == 1 && last.starts_with(char::is_alphabetic);
        if c == ':' && !drive {
            parts.push(String::new());
        } else {
            last.push(c);
        }
    }
    parts
}

/// Whether a source is a path on the host rather than a volume's name.
pub(super) fn is_path(source: &str) -> bool {
    source.starts_with(['.', '/', '~'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_read() {
        let mount = parse("./a:/b/:ro,Z,rshared").unwrap();
        assert_eq!(
            (mount.source.as_deref(), mount.target.as_str(), mount.read_only),
            (Some("./a"), "/b", true)
        );
        assert_eq!((mount.selinux.as_deref(), mount.propagation.as_deref()), (Some("Z"), Some("rshared")));
        assert_eq!(parse("/data").unwrap().source, None);
        assert!(parse("data:/x:nocopy").unwrap().nocopy);
        for text in ["", ":/a", "ab::c", "ab:cd:ef:gh", "ab:/b:what", "ab:"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
