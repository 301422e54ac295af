//! `$NAME` and `${NAME…}` in text, by Compose's rules.
//!
//! Pure and total: gives the text, what was used and what is wrong. Who asks decides where that is reported.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::BTreeMap;

/// Nested `${A:-${B:-…}}` in one text; real files reach 3. Bounds the recursion.
const NESTING_MAX: usize = 16;
/// The longest text that one scalar may become: no environment variable or label is longer.
pub(super) const EXPANDED_BYTES_MAX: usize = 1 << 20;

/// Text of defaults that one scalar may make on the way.
const WORK_BYTES_MAX: usize = 4 * EXPANDED_BYTES_MAX;

/// Variables without a value that are told of one text; the same fault is behind all of them.
const UNSET_TOLD_MAX: usize = 20;

/// A variable's value and whether it may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// The text.
    pub text: String,
    /// Whether it came from a secret or an env file.
    pub secret: bool,
}

/// The variables that files are read with.
pub(super) type Variables = BTreeMap<String, Value>;

/// What a text means.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Expansion {
    /// The text.
    pub text: String,
    /// Whether a value in it may be a secret.
    pub secret: bool,
    /// Bytes that were written, those of defaults that are not used included.
    pub work: usize,
    /// Variables without a value or default, which became empty text.
    pub unset: Vec<String>,
}

/// Why a text has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpandError {
    /// A `${` that does not hold a name and an operator.
    #[error("`{0}` is no variable reference")]
    Malformed(String),
    /// `${NAME:?reason}` without a value.
    #[error("variable `{name}` has no value{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    Required {
        /// The variable.
        name: String,
        /// What its author says.
        reason: String,
    },
    /// Defaults within defaults.
    #[error("variable references nest deeper than {NESTING_MAX}")]
    TooDeep,
    /// More text than any field needs.
    #[error("the text is longer than {EXPANDED_BYTES_MAX} bytes with its variables filled in")]
    TooLong,
}

/// Fills in the variables of a text.
pub(super) fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<Value>) -> Result<Expansion, ExpandError> {
    let mut out = Expansion::default();
    expand_into(text, lookup, &mut out, 0)?;
    out.work += out.text.len();
    Ok(out)
}

fn expand_into(
    text: &str,
    lookup: &dyn Fn(&str) -> Option<Value>,
    out: &mut Expansion,
    depth: usize,
) -> Result<(), ExpandError> {
    if depth > NESTING_MAX {
        return Err(ExpandError::TooDeep);
    }
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        out.text.push_str(&rest[..dollar]);
        let after = &rest[dollar + 1..];
        rest = if let Some(tail) = after.strip_prefix('$') {
            out.text.push('$');
            tail
        } else if let Some(braced) = after.strip_prefix('{') {
            braced_reference(&rest[dollar..], braced, lookup, out, depth)?
        } else {
            let length = name_length(after);
            if length == 0 {
                // A `$` before anything else is text: `$5`, `a$ b`.
                out.text.push('$');
            } else {
                insert(&after[..length], lookup(&after[..length]), out);
            }
            &after[length..]
        };
        if out.text.len() > EXPANDED_BYTES_MAX {
            return Err(ExpandError::TooLong);
        }
    }
    out.text.push_str(rest);
    if out.text.len() > EXPANDED_BYTES_MAX { Err(ExpandError::TooLong) } else { Ok(()) }
}

/// Fills in one `${…}`; gives what follows it.
fn braced_reference<'a>(
    whole: &'a str,
    braced: &'a str,
    lookup: &dyn Fn(&str) -> Option<Value>,
    out: &mut Expansion,
    depth: usize,
) -> Result<&'a str, ExpandError> {
    let malformed = || {
        let shown: String = whole.lines().next().unwrap_or("").chars().take(60).collect();
        ExpandError::Malformed(shown)
    };
    let length = name_length(braced);
    let end = closing_brace(braced).ok_or_else(malformed)?;
    if length == 0 {
        return Err(malformed());
    }
    let (name, operation, tail) = (&braced[..length], &braced[length..end], &braced[end + 1..]);
    let value = lookup(name);
    if operation.is_empty() {
        insert(name, value, out);
        return Ok(tail);
    }
    let (empty_counts, operation) = match operation.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, operation),
    };
    let mut operator = operation.chars();
    let kind = operator.next().filter(|kind| "-?+".contains(*kind)).ok_or_else(malformed)?;
    // Evaluated even where it is not used, as Compose does: an error in it is an error.
    let mut word = Expansion::default();
    expand_into(operator.as_str(), lookup, &mut word, depth + 1)?;
    out.work += word.text.len() + word.work;
    if out.work > WORK_BYTES_MAX {
        return Err(ExpandError::TooLong);
    }
    let set = value.as_ref().is_some_and(|value| !(empty_counts && value.text.is_empty()));
    match (kind, set) {
        ('-', false) | ('+', true) => {
            out.text.push_str(&word.text);
            out.secret |= word.secret;
            word.unset.iter().for_each(|name| note_unset(name, &mut out.unset));
        }
        ('?', false) => return Err(ExpandError::Required { name: name.to_owned(), reason: word.text }),
        ('+', false) => {}
        _ => insert(name, value, out),
    }
    Ok(tail)
}

fn insert(name: &str, value: Option<Value>, out: &mut Expansion) {
    match value {
        Some(value) => {
            out.text.push_str(&value.text);
            out.secret |= value.secret;
        }
        None => note_unset(name, &mut out.unset),
    }
}

/// Each name once, and no more names than anybody reads.
fn note_unset(name: &str, unset: &mut Vec<String>) {
    if unset.len() < UNSET_TOLD_MAX && !unset.iter().any(|known| known == name) {
        unset.push(name.to_owned());
    }
}

fn name_length(text: &str) -> usize {
    let named = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !named {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Where the brace that is already open closes; on the same line only.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1;
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => open += 1,
            b'}' => open -= 1,
            b'\n' => return None,
            _ => {}
        }
        if open == 0 {
            return Some(index);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<Expansion, ExpandError> {
        expand(text, &|name| match name {
            "A" => Some(Value { text: "a".into(), secret: false }),
            "E" => Some(Value { text: String::new(), secret: false }),
            "S" => Some(Value { text: "s".into(), secret: true }),
            _ => None,
        })
    }

    #[test]
    fn every_form_means_what_compose_means() {
        for (text, expected) in [
            ("$A-${A}", "a-a"),
            ("${U:-d}${U-d}${E:-d}${E-d}", "ddd"),
            ("${A:+x}${E:+x}${E+x}${U+x}", "xx"),
            ("${A:?e}${E?e}", "a"),
            ("${U:-${V:-${A}}}/x", "a/x"),
            ("${U:-{\"k\": {}}}", "{\"k\": {}}"),
            ("$$A $${A} $5 a$ $", "$A ${A} $5 a$ $"),
            ("${U:-a-b:?c}", "a-b:?c"),
        ] {
            assert_eq!(run(text).map(|out| out.text), Ok(expected.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_unset_or_secret_is_told() {
        let out = run("$U ${V} $S").unwrap();
        assert_eq!(
            (out.text.as_str(), out.secret, out.unset),
            ("  s", true, vec!["U".to_owned(), "V".to_owned()])
        );
        assert!(!run("${A:-$S}").unwrap().secret);
    }

    #[test]
    fn malformed_and_required_references_are_errors() {
        for text in ["${", "${A", "${}", "${1}", "${A!}", "${A:x}", "${A:-\n}", "${A b}"] {
            assert!(matches!(run(text), Err(ExpandError::Malformed(_))), "{text}");
        }
        assert_eq!(run("${U:?why}").unwrap_err().to_string(), "variable `U` has no value: why");
        assert_eq!(run("${E:?}").unwrap_err().to_string(), "variable `E` has no value");
        assert!(run("${A:-${U:?why}}").is_err());
    }

    #[test]
    fn nesting_and_growth_are_bounded() {
        assert_eq!(run(&("${A:-".repeat(50) + &"}".repeat(50))), Err(ExpandError::TooDeep));
        let long = Value { text: "x".repeat(1000), secret: false };
        let text = "$X".repeat(2000);
        assert_eq!(expand(&text, &|_| Some(long.clone())), Err(ExpandError::TooLong));
    }
}
