//! What git said, as one reason: ssh's own words where the network failed, never a credential.

use secrecy::{ExposeSecret as _, SecretString};

use super::git::basic;
use super::process::Output;
use crate::model::problem::printable;
use crate::model::secret::Redactor;

/// The longest message of git's that an error repeats.
const MESSAGE_CHARS_MAX: usize = 600;

/// git's reason in one line: what ssh said, then the lines that begin with `fatal:` or `error:`, else the last ones.
pub(super) fn message(output: &Output, credential: Option<&SecretString>) -> String {
    let text = reason(output.stderr.trim(), credential.is_some());
    let mut redactor = Redactor::default();
    if let Some(credential) = credential {
        redactor.learn(credential.expose_secret());
        redactor.learn(&basic(credential.expose_secret()));
    }
    let text = redactor.redact(&text);
    let text = match text.is_empty() {
        true => format!("git ended with {}", output.status),
        false => text,
    };
    printable(&text).chars().take(MESSAGE_CHARS_MAX).collect()
}

/// git's words about the network, before which ssh says what really went wrong.
const UNREACHED: &str = "Could not read from remote repository";
/// Lines of ssh's that are repeated; more are a banner.
const SSH_LINES_MAX: usize = 2;

fn reason(said: &str, has_credential: bool) -> String {
    let fatal = |line: &str| {
        let line = line.trim_start_matches("remote: ");
        line.strip_prefix("fatal: ").or_else(|| line.strip_prefix("error: ")).map(str::to_owned)
    };
    let mut reasons: Vec<String> = said.lines().filter_map(fatal).collect();
    // Lines that are indented belong to the reason before them: files, for one.
    if let Some(reason) = reasons.last_mut() {
        let files: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix('\t')).collect();
        if reason.ends_with(':') && !files.is_empty() {
            *reason = format!("{reason} {}", files.join(", "));
        }
    }
    if reasons.iter().any(|reason| reason.contains("askpass") || reason.contains("could not read Username")) {
        return match has_credential {
            true => "the remote doesn't take the credential".to_owned(),
            false => "the remote asks for a credential: name one in `credentialFrom`".to_owned(),
        };
    }
    if reasons.iter().any(|reason| reason.contains("returned error: 30")) {
        reasons.push("it has moved, and redirects are not followed: name its new address".to_owned());
    }
    if reasons.iter().any(|reason| reason.starts_with(UNREACHED)) {
        let is_told = |line: &&str| !line.trim().is_empty() && !line.starts_with(['@', '#']);
        let before: Vec<&str> =
            said.lines().take_while(|line| fatal(line).is_none()).filter(is_told).collect();
        let told = before[before.len().saturating_sub(SSH_LINES_MAX)..].join(" ");
        if !told.is_empty() {
            reasons = vec![told];
        }
    }
    let last = || {
        let lines: Vec<&str> = said.lines().collect();
        lines[lines.len().saturating_sub(3)..].join(" ")
    };
    let text = if reasons.is_empty() { last() } else { reasons.join("; ") };
    match text.contains("Host key verification failed") || text.contains("host key is known") {
        true => format!("{text} Add the host's key to the `known_hosts` of the account that runs ipaictl"),
        false => text,
    }
}

/// Whether git's words mean that our copy, not the remote, is broken.
pub(super) fn is_damage(message: &str) -> bool {
    const SIGNS: &[&str] = &[
        "not a git repository",
        "corrupt",
        "bad object",
        "unable to read",
        "unable to parse",
        "is empty",
        "did not match pack",
        "bad signature",
        "unable to resolve reference",
        "cannot lock ref",
        "missing blob",
        "missing tree",
        "missing commit",
    ];
    /// What is said of the network and of credentials, whatever else it sounds like.
    const ELSEWHERE: &[&str] =
        &["could not read from remote", "askpass", "credential", "username", "authentication", "host key"];
    let message = message.to_ascii_lowercase();
    !ELSEWHERE.iter().any(|sign| message.contains(sign)) && SIGNS.iter().any(|sign| message.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_failure_is_told_and_is_no_damage() {
        let end = "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\nand the repository exists.";
        for (said, wanted) in [
            (
                format!("ssh: connect to host h port 22: Connection refused\r\n{end}"),
                "ssh: connect to host h port 22: Connection refused",
            ),
            (
                format!("No ED25519 host key is known for h and you have requested strict checking.\r\nHost key verification failed.\r\n{end}"),
                "Host key verification failed. Add the host's key to the `known_hosts`",
            ),
            (format!("git@h: Permission denied (publickey).\r\n{end}"), "git@h: Permission denied (publickey)."),
            (
                "error: unable to read askpass response from '/bin/false'\nfatal: could not read Username for 'https://h': terminal prompts disabled".to_owned(),
                "the remote asks for a credential: name one in `credentialFrom`",
            ),
            ("fatal: couldn't find remote ref x".to_owned(), "couldn't find remote ref x"),
        ] {
            let reason = reason(said.trim(), false);
            assert!(reason.contains(wanted), "{reason}");
            assert!(!is_damage(&reason), "{reason}");
        }
        assert_eq!(
            reason("error: unable to read askpass response", true),
            "the remote doesn't take the credential"
        );
        assert!(is_damage("unable to read tree 1234") && is_damage("object file x is empty"));
    }
}
