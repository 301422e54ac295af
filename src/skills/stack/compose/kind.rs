//! The words in which the shape of a Compose file is written down.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

/// What a field holds.
#[derive(Debug)]
pub(super) enum Kind {
    /// Anything.
    Any,
    /// A string; a number has to be quoted.
    Text,
    /// A string or number, read as text.
    Scalar,
    /// A boolean, or text that spells one.
    Flag,
    /// A boolean only.
    StrictFlag,
    /// A whole number, or text that spells one.
    Integer,
    /// A number, or text that spells one.
    Float,
    /// A size in bytes: a whole number or text such as `512m`.
    Bytes,
    /// A size in bytes as text only.
    BytesText,
    /// A duration such as `1m30s`.
    Duration,
    /// A file mode: a number, or octal text.
    Mode,
    /// How many devices: a number, or `all`.
    Count,
    /// One of some words.
    Choice(&'static [&'static str]),
    /// Text to be split into words, or the list of words; null is a value.
    Words,
    /// A health check's command: text for a shell, or a list.
    Test,
    /// A list of strings.
    Texts,
    /// A string, or a list of them.
    TextOrTexts,
    /// A list of strings and numbers.
    Scalars,
    /// A map, or a list of `NAME=value`; null stays null when true, else it is empty text.
    KeyValues(bool),
    /// A map of scalars.
    Options,
    /// A map with keys that people choose.
    Named(&'static Kind),
    /// A map with keys of any characters.
    Map(&'static Kind),
    /// Host names and addresses: a map or a list.
    Hosts,
    /// A map with known fields.
    Fields(&'static Record),
    /// A list of one kind.
    List(&'static Kind),
    /// The first whose YAML type fits.
    Either(&'static [Kind]),
    /// Null is a value.
    Nullable(&'static Kind),
}

/// A map with known fields.
#[derive(Debug)]
pub(super) struct Record {
    /// Its fields.
    pub fields: &'static [Field],
    /// Whether `x-*` fields are allowed.
    pub extensions: bool,
    /// Fields that have to be there.
    pub required: &'static [&'static str],
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether zero, false and empty are printed.
    pub keep: bool,
    /// What becomes of it.
    pub support: Support,
}

/// What becomes of a field.
#[derive(Debug)]
pub(super) enum Support {
    /// It does what Compose does with it.
    Full,
    /// It is read and has no effect, as in Compose: why.
    Inert(&'static str),
    /// It is dropped with a warning, as Compose drops it without one: why.
    Dropped(&'static str),
    /// It is refused: why.
    Refused(&'static str),
}

/// A field that is printed unless it is zero.
pub(super) const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, keep: false, support: Support::Full }
}

/// A field that is printed even when it is zero.
pub(super) const fn kept(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, keep: true, support: Support::Full }
}

/// A field without effect.
pub(super) const fn inert(name: &'static str, kind: Kind, why: &'static str) -> Field {
    Field { name, kind, keep: false, support: Support::Inert(why) }
}

/// A field that is an error.
pub(super) const fn refused(name: &'static str, why: &'static str) -> Field {
    Field { name, kind: Kind::Any, keep: false, support: Support::Refused(why) }
}

/// A record whose fields are all optional.
pub(super) const fn record(fields: &'static [Field]) -> Record {
    Record { fields, extensions: true, required: &[] }
}
