//! Addresses of repositories: which ones git may be given, and how they are shown.
//!
//! Says nothing about what a host name resolves to; see `git.rs`.

use crate::model::hash::sha256_hex;
use crate::model::problem::printable;

/// The transport that a URL uses; the only one that git may use for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `https://`
    Https,
    /// `ssh://` and `git@host:path`
    Ssh,
    /// `http://`, where the settings allow it.
    Http,
    /// `git://`, where the settings allow it.
    Git,
    /// `file://` and paths, where the settings allow them.
    File,
}

impl Protocol {
    /// git's name for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Protocol::Https => "https",
            Protocol::Ssh => "ssh",
            Protocol::Http => "http",
            Protocol::Git => "git",
            Protocol::File => "file",
        }
    }
}

/// The address of a repository that may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteUrl {
    text: String,
    protocol: Protocol,
}

impl RemoteUrl {
    /// Reads a URL that a document names: `https` and `ssh`, and what is allowed by transport (`file`) or prefix.
    pub fn parse(text: &str, allow: &[String]) -> Result<Self, String> {
        let url = RemoteUrl::parse_own(text)?;
        if matches!(url.protocol, Protocol::Https | Protocol::Ssh) || url.is_allowed(allow) {
            return Ok(url);
        }
        Err(format!("`{}` is not allowed: only `https` and `ssh`, and what `git.allow` lists", show(text)))
    }

    /// Reads a URL or an absolute path that the operator names.
    pub fn parse_own(text: &str) -> Result<Self, String> {
        let shown = show(text);
        let refuse = |why: &str| Err(format!("`{shown}` {why}"));
        if text.is_empty() || text.starts_with('-') || text.chars().any(|c| c.is_control() || c == ' ') {
            return refuse("is not the address of a repository");
        }
        let make = |protocol| Ok(RemoteUrl { text: text.to_owned(), protocol });
        if let Some((scheme, rest)) = text.split_once("://") {
            let protocol = match scheme {
                "https" => Protocol::Https,
                "ssh" => Protocol::Ssh,
                "http" => Protocol::Http,
                "git" => Protocol::Git,
                "file" if rest.starts_with('/') && !rest.split('/').any(|part| part == "..") => {
                    return make(Protocol::File);
                }
                _ => return refuse("uses a transport that is not supported"),
            };
            if rest.contains(['?', '#']) {
                return refuse("has a query, which no repository needs and a token may stand in");
            }
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let (user, host) =
                authority.rsplit_once('@').map_or(("", authority), |(user, host)| (user, host));
            if user.contains(':') || (!user.is_empty() && protocol != Protocol::Ssh) {
                return refuse("contains a credential; use `credentialFrom`");
            }
            if host.is_empty() || host.starts_with('-') || user.starts_with('-') || path.is_empty() {
                return refuse("names no repository");
            }
            return make(protocol);
        }
        if text.contains("::") {
            return refuse("uses a transport that is not supported");
        }
        if text.starts_with('/') {
            if text.split('/').any(|part| part == "..") {
                return refuse("contains `..`");
            }
            return make(Protocol::File);
        }
        // The short form of ssh: user@host:path.
        match text.split_once(':') {
            Some((host, path)) if !host.contains('@') && path.contains('@') => {
                refuse("contains a credential; use `credentialFrom`")
            }
            Some((host, path)) if !host.contains('/') && !path.is_empty() && !path.starts_with('-') => {
                make(Protocol::Ssh)
            }
            _ => refuse("is neither a URL nor an absolute path"),
        }
    }

    /// The URL as it was given; it contains no credential.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The folder name of its copy.
    pub fn hash(&self) -> String {
        sha256_hex(self.text.as_bytes())[..16].to_owned()
    }

    /// Whether the settings list it, by transport (`file`) or by prefix (`https://git.lan/`).
    pub fn is_allowed(&self, allow: &[String]) -> bool {
        allow.iter().any(|entry| entry == self.protocol.as_str() || has_url_prefix(&self.text, entry))
    }

    /// The machine and port that it leads to; `None` for files.
    pub fn host(&self) -> Option<(String, u16)> {
        let default = match self.protocol {
            Protocol::Https => 443,
            Protocol::Ssh => 22,
            Protocol::Http => 80,
            Protocol::Git => 9418,
            Protocol::File => return None,
        };
        let authority = match self.text.split_once("://") {
            Some((_, rest)) => rest.split('/').next()?,
            None => return Some((self.text.split_once(':')?.0.rsplit('@').next()?.to_owned(), default)),
        };
        let host = authority.rsplit('@').next()?;
        if let Some((address, rest)) = host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            let port = rest.strip_prefix(':').and_then(|port| port.parse().ok());
            return Some((address.to_owned(), port.unwrap_or(default)));
        }
        match host.split_once(':') {
            Some((host, port)) => Some((host.to_owned(), port.parse().unwrap_or(default))),
            None => Some((host.to_owned(), default)),
        }
    }

    /// Its transport.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// `https://host/`, the part of a URL that a credential is for.
    pub fn origin(&self) -> Option<String> {
        let (scheme, rest) = self.text.split_once("://")?;
        Some(format!("{scheme}://{}/", rest.split('/').next()?))
    }
}

fn has_url_prefix(url: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    !prefix.is_empty()
        && url.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Characters of a URL that a message shows.
const SHOWN_MAX: usize = 200;

/// A URL without its userinfo and its query, for messages.
pub fn show(url: &str) -> String {
    without_secrets(&printable(url)).chars().take(SHOWN_MAX).collect()
}

/// Whether something in a URL may be a secret.
pub fn has_secret(url: &str) -> bool {
    without_secrets(url) != url
}

fn without_secrets(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_once('/').map_or((rest, None), |(a, p)| (a, Some(p)));
            let host = match authority.rsplit_once('@') {
                Some((user, host)) if user.contains(':') || scheme.starts_with("http") => host,
                _ => authority,
            };
            let shown =
                path.map_or_else(|| format!("{scheme}://{host}"), |path| format!("{scheme}://{host}/{path}"));
            match shown.split_once(['?', '#']) {
                Some((before, _)) => format!("{before}?…"),
                None => shown,
            }
        }
        // The short form of ssh with a password: `user:password@host:path`.
        None => match url.split_once(':') {
            Some((user, rest)) if !user.contains(['/', '@']) && rest.contains('@') => {
                rest.rsplit_once('@').map_or_else(String::new, |(_, place)| place.to_owned())
            }
            _ => url.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_may_name_https_and_ssh_only() {
        for url in [
            "https://github.com/a/b.git",
            "ssh://git@github.com/a/b",
            "git@github.com:a/b.git",
            "ssh://git@host:2222/a",
        ] {
            assert!(RemoteUrl::parse(url, &[]).is_ok(), "{url}");
        }
        for url in [
            "ext::sh -c id",
            "file:///etc",
            "/etc",
            "--upload-pack=x",
            "-oProxyCommand=x:y",
            "https://user:pw@host/a",
            "https://token@host/a",
            "ssh://-oProxyCommand=x/a",
            "http://host/a",
            "git://host/a",
            "https://",
            "https://host/a.git?access_token=x",
            "u:secret@host:a.git",
            "a\nb",
            "relative/path",
            "fd::3",
        ] {
            assert!(RemoteUrl::parse(url, &[]).is_err(), "{url}");
        }
    }

    #[test]
    fn an_allowed_prefix_ends_at_a_slash() {
        let allow = ["file:///srv/git/".to_owned(), "git://127.0.0.1:9418".to_owned()];
        assert!(RemoteUrl::parse("file:///srv/git/a", &allow).is_ok());
        assert!(RemoteUrl::parse("git://127.0.0.1:9418/a", &allow).is_ok());
        assert!(RemoteUrl::parse("/srv/x", &["file".to_owned()]).is_ok());
        assert!(RemoteUrl::parse("http://host/x", &["file".to_owned()]).is_err());
        for url in
            ["file:///srv/git-evil/a", "file:///srv/git/../../etc", "git://127.0.0.1:94180/a", "/srv/git/a"]
        {
            assert!(RemoteUrl::parse(url, &allow).is_err(), "{url}");
        }
    }

    #[test]
    fn no_message_shows_a_credential() {
        let err = RemoteUrl::parse("https://user:hunter2@host/a", &[]).unwrap_err();
        assert!(!err.contains("hunter2"), "{err}");
        assert_eq!(show("ssh://git@host/a"), "ssh://git@host/a");
    }
}
