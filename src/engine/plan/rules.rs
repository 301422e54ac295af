//! Which field paths are not compared: one rule set for what is shown and what is done.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// Field paths such as `services.web.mem_limit` or `services.*.labels.com.example`; `*` stands for one part.
#[derive(Debug, Clone, Default)]
pub struct IgnoreRules {
    patterns: Vec<Vec<String>>,
}

impl IgnoreRules {
    /// Reads the patterns.
    pub fn new(patterns: &[String]) -> Self {
        let split = |pattern: &String| pattern.split('.').map(str::to_owned).collect();
        IgnoreRules { patterns: patterns.iter().map(split).collect() }
    }

    /// Whether a field of a service, network or volume is left out: `group` is `services`, `networks` or `volumes`.
    ///
    /// A pattern covers everything below it, so `services.web.labels` covers all labels.
    pub fn covers(&self, group: &str, name: &str, field: &str) -> bool {
        self.patterns.iter().any(|pattern| {
            let mut path = [group, name].into_iter().chain(field.split('.'));
            pattern.iter().all(|part| path.next().is_some_and(|own| part == "*" || part == own))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_is_below_it() {
        let rules = IgnoreRules::new(&["services.*.labels.com.example".to_owned(), "networks.x".to_owned()]);
        assert!(rules.covers("services", "web", "labels.com.example.owner"));
        assert!(rules.covers("services", "web", "labels.com.example"));
        assert!(!rules.covers("services", "web", "labels.com.examples"));
        assert!(!rules.covers("services", "web", "labels.com"));
        assert!(rules.covers("networks", "x", "driver"));
    }
}
