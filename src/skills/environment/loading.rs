//! What a server's log tells of a registry that is not what the database says: it answers all the same.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// By what Odoo says that it left modules out, or found them half done.
const HALF_LOADED: &[&str] = &[
    "Some modules are not loaded",
    "Some modules have inconsistent states",
    "Transient module states were reset",
];
/// Characters of a line that are told.
const LINE_MAX: usize = 300;

/// The first line of a log by which a registry was loaded in part, from what it says on.
pub fn half_loaded(log: &str) -> Option<String> {
    log.lines().find_map(|line| {
        let at = HALF_LOADED.iter().find_map(|text| line.find(text))?;
        Some(line[at..].trim_end().chars().take(LINE_MAX).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_which_modules() {
        let log = "2026-01-01 10:00:00,000 1 INFO x odoo: y\n\
                   2026-01-01 10:00:00,000 1 ERROR x odoo.modules.loading: Some modules are not loaded, some dependencies or manifest may be missing: ['a'] \n";
        let told = "Some modules are not loaded, some dependencies or manifest may be missing: ['a']";
        assert_eq!(half_loaded(log).as_deref(), Some(told));
        assert_eq!(half_loaded("all is well"), None);
    }
}
