//! The series in a module's version, as an Odoo server reads it.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// Whether a text names a series, such as `18.0`.
pub fn is_series(text: &str) -> bool {
    let digits =
        |part: &str| !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once('.').is_some_and(|(major, minor)| digits(major) && digits(minor))
}

/// The version as a server of the series shows it, or `None` when the server refuses the manifest.
///
/// A server takes `x.y`, `x.y.z` and the same after its own series. So `1.0.0` is sound everywhere, and `19.0.1.0.0` is
/// refused by 18.0, not because it is newer but because it has too many parts.
pub fn adapt(version: &str, series: &str) -> Option<String> {
    let own = version.strip_prefix(series).and_then(|rest| rest.strip_prefix('.'));
    let base = own.unwrap_or(version);
    let parts: Vec<&str> = base.split('.').collect();
    let sound = matches!(parts.len(), 2 | 3)
        && parts.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    sound.then(|| format!("{series}.{base}"))
}

/// The series that a version begins with, when it has the five parts of one.
pub fn series_of(version: &str) -> Option<&str> {
    let parts = version.split('.').count();
    let end = version.match_indices('.').nth(1).map(|(at, _)| at)?;
    let series = &version[..end];
    (parts >= 4 && is_series(series)).then_some(series)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_takes_its_own_series_and_versions_without_one() {
        for (version, expected) in [
            ("18.0.1.0.0", Some("18.0.1.0.0")),
            ("18.0.1.0", Some("18.0.1.0")),
            ("1.0.0", Some("18.0.1.0.0")),
            ("1.0", Some("18.0.1.0")),
            ("18.0", Some("18.0.18.0")),
            ("19.0.1", Some("18.0.19.0.1")),
            ("19.0.1.0.0", None),
            ("17.0.1.0.0", None),
            ("18.0.1.0.0.1", None),
            ("1", None),
            ("1.0a", None),
            ("", None),
            ("18.0.", None),
            ("18.0x.1", None),
        ] {
            assert_eq!(adapt(version, "18.0").as_deref(), expected, "{version}");
        }
        assert_eq!(series_of("19.0.1.0.0"), Some("19.0"));
        assert_eq!(series_of("1.0.0"), None);
    }
}
