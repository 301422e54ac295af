//! Names with `*`, `?` and `[…]`, as Python's `fnmatch` takes them: a star goes over slashes, too.

#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// Patterns of which one has to fit.
#[derive(Debug, Clone)]
pub struct Patterns(Vec<Vec<Part>>);

#[derive(Debug, Clone)]
enum Part {
    Any,
    One,
    Char(char),
    Set { ranges: Vec<(char, char)>, is_not: bool },
}

impl Patterns {
    /// Patterns with commas between; blanks around each don't count.
    pub fn parse(text: &str) -> Self {
        Patterns(text.split(',').map(|pattern| parts(pattern.trim())).collect())
    }

    /// Whether one of them fits the whole name.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        self.0.iter().any(|parts| fits(parts, &name))
    }
}

fn parts(pattern: &str) -> Vec<Part> {
    let text: Vec<char> = pattern.chars().collect();
    let (mut parts, mut at) = (Vec::new(), 0);
    while let Some(c) = text.get(at) {
        at += 1;
        parts.push(match c {
            '*' => Part::Any,
            '?' => Part::One,
            '[' => match set(&text[at..]) {
                Some((part, length)) => {
                    at += length;
                    part
                }
                None => Part::Char('['),
            },
            c => Part::Char(*c),
        });
    }
    parts
}

/// What stands after `[`, and its length with the closing bracket; none if nothing closes it.
fn set(text: &[char]) -> Option<(Part, usize)> {
    let is_not = text.first() == Some(&'!');
    let begin = usize::from(is_not);
    // A bracket that comes first is one of the set.
    let from = begin + usize::from(text.get(begin) == Some(&']'));
    let end = from + text.get(from..)?.iter().position(|c| *c == ']')?;
    let (inner, mut ranges, mut at) = (&text[begin..end], Vec::new(), 0);
    while let Some(first) = inner.get(at) {
        match (inner.get(at + 1), inner.get(at + 2)) {
            (Some('-'), Some(last)) => {
                ranges.push((*first, *last));
                at += 3;
            }
            _ => {
                ranges.push((*first, *first));
                at += 1;
            }
        }
    }
    Some((Part::Set { ranges, is_not }, end + 1))
}

/// Whether the parts fit the whole name. Going back to the last star only keeps it from taking exponential time.
fn fits(parts: &[Part], name: &[char]) -> bool {
    let (mut part, mut at, mut back) = (0, 0, None);
    while at < name.len() {
        match parts.get(part) {
            Some(Part::Any) => {
                part += 1;
                back = Some((part, at));
            }
            Some(found) if fits_one(found, name[at]) => {
                part += 1;
                at += 1;
            }
            _ => {
                let Some((after, from)) = back else { return false };
                back = Some((after, from + 1));
                (part, at) = (after, from + 1);
            }
        }
    }
    parts[part..].iter().all(|part| matches!(part, Part::Any))
}

fn fits_one(part: &Part, c: char) -> bool {
    match part {
        Part::Any | Part::One => true,
        Part::Char(wanted) => *wanted == c,
        Part::Set { ranges, is_not } => {
            ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != *is_not
        }
    }
}
