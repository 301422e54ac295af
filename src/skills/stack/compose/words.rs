//! Splits the text form of `command` and `entrypoint` into words, as Compose does: quotes and
//! backslashes count, a shell is not involved.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// The words of a command line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Words {
    /// The words.
    pub words: Vec<String>,
    /// What follows a shell operator and is dropped, the operator included.
    pub dropped: Option<String>,
}

/// Splits a command line; `None` when a quote, bracket or backslash is not closed.
pub(super) fn split(line: &str) -> Option<Words> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut open = false;
    let mut quotes = Quotes::default();
    for (index, c) in line.char_indices() {
        if quotes.escaped {
            word.push(match c {
                't' => '\t',
                'n' => '\n',
                c => c,
            });
            (quotes.escaped, open) = (false, true);
            continue;
        }
        match c {
            '\\' if quotes.single => word.push(c),
            '\\' => quotes.escaped = true,
            ' ' | '\t' | '\r' | '\n' => {
                if quotes.any() {
                    word.push(c);
                } else if open {
                    words.push(std::mem::take(&mut word));
                    open = false;
                }
            }
            '"' if !quotes.single && !quotes.dollar => (quotes.double, open) = (!quotes.double, true),
            '\'' if !quotes.double && !quotes.dollar => (quotes.single, open) = (!quotes.single, true),
            '(' if !quotes.single && !quotes.double && !quotes.back => {
                if quotes.dollar || !word.ends_with('$') {
                    return None;
                }
                quotes.dollar = true;
                word.push(c);
            }
            ';' | '&' | '|' | '<' | '>' if !quotes.any() => {
                // `2>` : the digit belongs to the redirection, not to the command.
                let redirected = c == '>' && word.starts_with(|c: char| c.is_ascii_digit());
                if open && !redirected {
                    words.push(word);
                }
                return Some(Words { words, dropped: Some(line[index..].to_owned()) });
            }
            c => {
                match c {
                    '`' if !quotes.single && !quotes.double && !quotes.dollar => quotes.back = !quotes.back,
                    ')' if !quotes.single && !quotes.double && !quotes.back => quotes.dollar = !quotes.dollar,
                    _ => {}
                }
                word.push(c);
                open = true;
            }
        }
    }
    if open {
        words.push(word);
    }
    (!quotes.escaped && !quotes.any()).then_some(Words { words, dropped: None })
}

#[derive(Default)]
struct Quotes {
    escaped: bool,
    single: bool,
    double: bool,
    back: bool,
    dollar: bool,
}

impl Quotes {
    fn any(&self) -> bool {
        self.single || self.double || self.back || self.dollar
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Vec<String>> {
        split(line).map(|words| words.words)
    }

    #[test]
    fn quotes_and_backslashes_keep_words_together() {
        assert_eq!(words(r#"sh -c 'a b' "c \"d" e\ f"#).unwrap(), ["sh", "-c", "a b", "c \"d", "e f"]);
        assert_eq!(words("  a\n  b '' ").unwrap(), ["a", "b", ""]);
        assert_eq!(words("$(x y) z").unwrap(), ["$(x y)", "z"]);
        assert_eq!(words(""), Some(vec![]));
    }

    #[test]
    fn an_open_quote_is_no_command() {
        for line in ["'a", "\"a", "a\\", "a (b)", "a)"] {
            assert_eq!(words(line), None, "{line}");
        }
    }

    #[test]
    fn what_follows_a_shell_operator_is_reported_as_dropped() {
        let split = split("a b && c").unwrap();
        assert_eq!(split, Words { words: vec!["a".into(), "b".into()], dropped: Some("&& c".into()) });
    }
}
