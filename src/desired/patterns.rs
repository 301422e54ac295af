//! What the patterns of our schemas mean, in words.

/// Pattern, and the rule for people.
const PATTERNS: &[(&str, &str)] = &[
    (
        r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$",
        "lower case letters, digits and inner hyphens, at most 63 characters",
    ),
    (r"^(unix:///|ssh://|tcp://).+", "`unix:///path`, `ssh://user@machine` or `tcp://machine:2376`"),
    (r"^[A-Za-z_][A-Za-z0-9_]*$", "letters, digits and underscores, not beginning with a digit"),
    (r"^/", "an absolute path"),
    (
        r"^[A-Za-z0-9_][A-Za-z0-9_./+-]*$",
        "the name of a branch or tag, or a commit: letters, digits and `_./+-`, not beginning with a sign",
    ),
    (r"^([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h|d))+$", "a duration such as `90s`, `15m` or `1h30m`"),
    (r"^[0-9]{1,9}:[0-9]{1,9}$", "the numbers of a user and a group, such as `100:101`"),
    (r"^[0-9]+\.[0-9]+$", "a series such as `18.0`"),
    (r"^[0-9]{2}\.[0-9]$", "a series such as `18.0`"),
    (r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$", "the name of a domain, such as `erp.example.org`"),
    (r"^[0-9a-fA-F.:]+(/[0-9]{1,3})?$", "a network such as `10.0.0.0/8`"),
    (r"^[A-Za-z0-9.-]+:[0-9]{1,5}$", "a machine and a port, such as `github.com:443`"),
    (r"^[0-9]+:[0-9]+$", "the numbers of a user and a group, such as `100:101`"),
    (r"^[^/-].*devcontainer\.json$", "the path of a `devcontainer.json`, relative to the checkout"),
    (r"^[^/-].*\.conf$", "the path of a file that ends in `.conf`, relative to the checkout"),
    (r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$", "letters, digits and `_.-`, at most 63"),
    (r"^[a-zA-Z0-9][a-zA-Z0-9_.-]+$", "the name of a volume: letters, digits and `_.-`, at least two"),
    (r"^[a-z_][a-z0-9_]{0,62}$", "the name of a role: lower case letters, digits and `_`"),
    (r"^[0-9]+(\.[0-9]+)?\s*([bBkKmMgGtT][iI]?[bB]?)?$", "a size such as `512m` or `4Gi`"),
    (
        r"^((\d{1,3}\.){3}\d{1,3}:|\[[0-9a-fA-F:]+\]:)?[0-9]{1,5}$",
        "a port, or an address and a port, such as `127.0.0.1:8069`",
    ),
    (r"^[a-z0-9][a-z0-9_-]*$", "lower case letters, digits, `-` and `_`, beginning with a letter or digit"),
];

/// The rule of a pattern, with an example.
pub fn words_for(pattern: &str) -> Option<&'static str> {
    PATTERNS.iter().find(|(known, _)| *known == pattern).map(|(_, words)| *words)
}
