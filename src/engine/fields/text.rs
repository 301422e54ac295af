//! Spellings that mean the same, as one.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::time::{parse_bytes, render_bytes};

/// An image reference in its familiar short form, the tag written out: `docker.io/library/redis` is `redis:latest`.
pub fn normal_reference(reference: &str) -> String {
    let short = ["docker.io/library/", "index.docker.io/library/", "docker.io/", "index.docker.io/"]
        .iter()
        .find_map(|prefix| reference.strip_prefix(prefix))
        .unwrap_or(reference);
    let is_id = reference.starts_with("sha256:")
        || (reference.len() == 64 && reference.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let last_part = short.rsplit('/').next().unwrap_or(short);
    if is_id || last_part.contains(':') || last_part.contains('@') {
        short.to_owned()
    } else {
        format!("{short}:latest")
    }
}

/// A capability in upper case without `CAP_`.
pub(super) fn normal_capability(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    name.strip_prefix("CAP_").unwrap_or(&name).to_owned()
}

/// A security option as `name=value`; `no-new-privileges` without a value when it is on.
pub(super) fn normal_security_option(option: &str) -> String {
    let option = match (option.find('='), option.find(':')) {
        (None, Some(colon)) => format!("{}={}", &option[..colon], &option[colon + 1..]),
        _ => option.to_owned(),
    };
    if option == "no-new-privileges=true" { "no-new-privileges".to_owned() } else { option }
}

/// A further host as `name:address`, whichever separator was used.
pub(super) fn normal_extra_host(entry: &str) -> String {
    let separator = entry.find([':', '=']).filter(|at| entry.as_bytes()[*at] == b'=');
    let (name, address) = match separator {
        Some(at) => (&entry[..at], &entry[at + 1..]),
        None => entry.split_once(':').unwrap_or((entry, "")),
    };
    format!("{name}:{}", address.trim_start_matches('[').trim_end_matches(']'))
}

/// An absolute path without doubled or trailing slashes.
pub(super) fn normal_path(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.starts_with('/') { format!("/{}", parts.join("/")) } else { parts.join("/") }
}

/// Mount options of a tmpfs, sorted, its size in the largest exact unit.
pub(super) fn normal_tmpfs_options(options: &str) -> String {
    let mut options: Vec<String> = options
        .split(',')
        .filter(|option| !option.is_empty())
        .map(|option| match option.split_once('=') {
            Some(("size", size)) if parse_bytes(size).is_some() => {
                format!("size={}", render_bytes(parse_bytes(size).unwrap_or_default()))
            }
            Some(("mode", mode)) => format!("mode={}", mode.trim_start_matches('0')),
            _ => option.to_owned(),
        })
        .collect();
    options.sort_unstable();
    options.join(",")
}

/// A port with its protocol: `80` is `80/tcp`.
pub(super) fn normal_port(port: &str) -> String {
    if port.contains('/') { port.to_ascii_lowercase() } else { format!("{port}/tcp") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_that_mean_the_same_image_are_equal() {
        for (written, normal) in [
            ("redis", "redis:latest"),
            ("docker.io/library/redis:7", "redis:7"),
            ("docker.io/n8nio/n8n", "n8nio/n8n:latest"),
            ("localhost:5000/a/b", "localhost:5000/a/b:latest"),
            ("localhost:5000/a/b:1", "localhost:5000/a/b:1"),
            ("a@sha256:ab", "a@sha256:ab"),
            ("sha256:ab", "sha256:ab"),
        ] {
            assert_eq!(normal_reference(written), normal, "{written}");
        }
    }

    #[test]
    fn spellings_of_options_are_one() {
        assert_eq!(normal_capability("cap_net_admin"), "NET_ADMIN");
        assert_eq!(normal_security_option("no-new-privileges:true"), "no-new-privileges");
        assert_eq!(normal_security_option("seccomp:unconfined"), "seccomp=unconfined");
        assert_eq!(normal_security_option("label=user:USER"), "label=user:USER");
        assert_eq!(normal_extra_host("db=::1"), "db:::1");
        assert_eq!(normal_extra_host("db:10.0.0.1"), "db:10.0.0.1");
        assert_eq!(normal_tmpfs_options("size=65536k,mode=0700"), "mode=700,size=64MiB");
        assert_eq!(normal_path("/data//x/"), "/data/x");
        assert_eq!(normal_port("80"), "80/tcp");
    }
}
