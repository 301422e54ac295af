//! Spellings that mean the same, as one.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::time::{parse_bytes, render_bytes};

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
