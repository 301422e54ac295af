//! Checks one document against the shape: unknown and unsupported fields, types, values.
//!
//! What is wrong is reported and taken out, so that the steps after it find only what they can read and
//! one load tells everything that is wrong.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use crate::model::document::{Entry, Node, NodeValue, ScalarKind};
use crate::model::problem::{Problem, nearest};

use super::context::Context;
use super::kind::{Field, Kind, Record, Support};
use super::value::{byte_size, device_count, float, integer};
use super::{tree, units, words};

const DURATION: &str = "a duration";
const DURATION_HINT: &str = "Write a number and a unit, such as `30s` or `1m30s`.";

/// Checks a node and everything under it; false when it has to be taken out.
pub(super) fn check(context: &mut Context, node: &mut Node, kind: &'static Kind, path: &str) -> bool {
    if context.exhausted() {
        return false;
    }
    if let Some(tag) = node.tag.as_deref().filter(|tag| !matches!(*tag, "reset" | "override")) {
        let problem = node.place.error("unknown-tag", format!("unknown tag `!{tag}` at `{path}`"));
        context.report(problem.with_hint("Compose knows `!reset` and `!override`."));
        return false;
    }
    // A null may be filled by another file; what is left of them is judged once all are merged.
    if node.is_null() || node.tag.as_deref() == Some("reset") {
        return true;
    }
    match kind {
        Kind::Any => true,
        Kind::Nullable(inner) => check(context, node, inner, path),
        Kind::Either(kinds) => match kinds.iter().find(|kind| fits(node, kind)) {
            Some(kind) => check(context, node, kind, path),
            None => wrong_type(context, node, kind, path),
        },
        Kind::Fields(record) => check_record(context, node, record, path),
        Kind::Named(inner) | Kind::Map(inner) => {
            let named = matches!(kind, Kind::Named(_));
            if !matches!(node.value, NodeValue::Mapping(_)) {
                return wrong_type(context, node, kind, path);
            }
            retain_entries(node, |entry| {
                let (before, inside) = (context.errors(), format!("{path}.{}", entry.key));
                let keep = (!named || check_name(context, entry, path))
                    && check(context, &mut entry.value, inner, &inside);
                if context.errors() > before {
                    context.broken.insert(inside);
                }
                keep
            });
            true
        }
        Kind::List(inner) => {
            if !matches!(node.value, NodeValue::Sequence(_)) {
                return wrong_type(context, node, kind, path);
            }
            retain_items(node, |index, item| {
                let path = format!("{path}[{index}]");
                not_null(context, item, &path) && check(context, item, inner, &path)
            });
            true
        }
        Kind::Texts | Kind::TextOrTexts | Kind::Scalars | Kind::Test | Kind::Words
            if matches!(node.value, NodeValue::Sequence(_)) =>
        {
            let item_kind = if matches!(kind, Kind::Scalars) { &Kind::Scalar } else { &Kind::Text };
            retain_items(node, |index, item| {
                let path = format!("{path}[{index}]");
                not_null(context, item, &path) && check(context, item, item_kind, &path)
            });
            true
        }
        Kind::KeyValues(_) | Kind::Hosts | Kind::Options => check_pairs(context, node, kind, path),
        _ => check_scalar(context, node, kind, path),
    }
}

/// Whether a node's YAML type is one that a kind can be written in.
fn fits(node: &Node, kind: &Kind) -> bool {
    match kind {
        Kind::Any => true,
        Kind::Nullable(inner) => fits(node, inner),
        Kind::Either(kinds) => kinds.iter().any(|kind| fits(node, kind)),
        Kind::Fields(_) | Kind::Named(_) | Kind::Map(_) | Kind::Options => {
            matches!(node.value, NodeValue::Mapping(_))
        }
        Kind::List(_) | Kind::Texts | Kind::Scalars => matches!(node.value, NodeValue::Sequence(_)),
        Kind::KeyValues(_) | Kind::Hosts => !matches!(node.value, NodeValue::Scalar { .. }),
        Kind::Words | Kind::Test | Kind::TextOrTexts => !matches!(node.value, NodeValue::Mapping(_)),
        _ => matches!(node.value, NodeValue::Scalar { .. }),
    }
}

fn check_record(context: &mut Context, node: &mut Node, record: &'static Record, path: &str) -> bool {
    if !matches!(node.value, NodeValue::Mapping(_)) {
        return wrong_type_named(context, node, "a map", path);
    }
    retain_entries(node, |entry| {
        let shown = if path.is_empty() { entry.key.clone() } else { format!("{path}.{}", entry.key) };
        if record.extensions && entry.key.starts_with("x-") {
            return false;
        }
        let Some(field) = record.fields.iter().find(|field| field.name == entry.key) else {
            context.report(unknown_field(entry, record, path));
            return false;
        };
        supported(context, entry, field, &shown) && check(context, &mut entry.value, &field.kind, &shown)
    });
    true
}

fn unknown_field(entry: &Entry, record: &Record, path: &str) -> Problem {
    let inside = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
    let problem = entry.key_place.error("unknown-field", format!("unknown field `{}`{inside}", entry.key));
    match nearest(&entry.key, record.fields.iter().map(|field| field.name)) {
        Some(name) => problem.with_hint(format!("Did you mean `{name}`?")),
        None if record.extensions => {
            problem.with_hint("Remove it, or begin its name with `x-` to keep a note of your own.")
        }
        None => problem,
    }
}

fn supported(context: &mut Context, entry: &Entry, field: &Field, path: &str) -> bool {
    match field.support {
        Support::Full => true,
        Support::Inert(why) => {
            let rule = if field.name == "version" { "obsolete-version" } else { "no-effect" };
            let problem = entry.key_place.warning(rule, format!("`{path}` does nothing: {why}"));
            context.report(problem.with_hint("Remove it."));
            true
        }
        Support::Dropped(why) => {
            let problem = entry.key_place.warning("no-effect", format!("`{path}` does nothing: {why}"));
            context.report(problem.with_hint("Remove it."));
            false
        }
        Support::Refused(why) => {
            let problem = entry.key_place.error("not-supported", format!("`{path}` is not supported: {why}"));
            context.report(problem.with_hint(format!("Remove `{}`.", field.name)));
            false
        }
    }
}

fn check_name(context: &mut Context, entry: &Entry, path: &str) -> bool {
    let fine = !entry.key.is_empty()
        && entry.key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if !fine {
        let problem =
            entry.key_place.error("bad-name", format!("`{}` can't be a name in `{path}`", entry.key));
        context.report(problem.with_hint("Use letters, digits, `.`, `_` and `-`."));
    }
    fine
}

/// Checks maps and lists of pairs: environment, labels, options, host names.
fn check_pairs(context: &mut Context, node: &mut Node, kind: &'static Kind, path: &str) -> bool {
    match &node.value {
        NodeValue::Mapping(_) => retain_entries(node, |entry| {
            let path = format!("{path}.{}", entry.key);
            let list_of_addresses = matches!(kind, Kind::Hosts) && entry.value.items().is_some();
            if list_of_addresses {
                return check(context, &mut entry.value, &Kind::Texts, &path);
            }
            let host = matches!(kind, Kind::Hosts);
            let fine = match &entry.value.value {
                NodeValue::Scalar { kind: ScalarKind::String, .. } => true,
                NodeValue::Scalar { .. } => !host,
                _ => false,
            };
            fine || wrong_type_named(
                context,
                &entry.value,
                if host { "text" } else { "text or a number" },
                &path,
            )
        }),
        NodeValue::Sequence(_) if !matches!(kind, Kind::Options) => retain_items(node, |index, item| {
            let path = format!("{path}[{index}]");
            if !not_null(context, item, &path) || !check(context, item, &Kind::Text, &path) {
                return false;
            }
            check_pair(context, item, kind, &path)
        }),
        _ => return wrong_type(context, node, kind, path),
    }
    true
}

fn check_pair(context: &mut Context, item: &Node, kind: &Kind, path: &str) -> bool {
    let text = item.text().unwrap_or("");
    match kind {
        Kind::Hosts if !text.contains(['=', ':']) => {
            let problem = item.place.error("bad-value", format!("`{path}`: `{text}` has no address"));
            context.report(problem.with_hint("Write `name=address`."));
            false
        }
        Kind::KeyValues(_)
            if text.split('=').next().is_some_and(|name| name.ends_with(char::is_whitespace)) =>
        {
            let problem =
                item.place.error("bad-value", format!("`{path}`: the name before `=` ends in white space"));
            context.report(problem.with_hint("Remove the space before `=`."));
            false
        }
        _ => true,
    }
}

fn check_scalar(context: &mut Context, node: &Node, kind: &'static Kind, path: &str) -> bool {
    let NodeValue::Scalar { text, kind: scalar } = &node.value else {
        return wrong_type(context, node, kind, path);
    };
    let is_text = *scalar == ScalarKind::String;
    let is_integer = matches!(scalar, ScalarKind::Integer(_));
    let is_number = is_integer || matches!(scalar, ScalarKind::Float(_));
    let typed = match kind {
        Kind::Text
        | Kind::BytesText
        | Kind::Duration
        | Kind::Choice(_)
        | Kind::Test
        | Kind::TextOrTexts
        | Kind::Words => is_text,
        Kind::Flag => is_text || matches!(scalar, ScalarKind::Bool(_)),
        Kind::StrictFlag => matches!(scalar, ScalarKind::Bool(_)),
        Kind::Bytes | Kind::Mode => is_text || is_integer,
        _ => is_text || is_number,
    };
    if !typed {
        return wrong_type(context, node, kind, path);
    }
    let complaint = match kind {
        Kind::Flag if is_text => match units::truth(text) {
            Some((value, true)) => {
                let problem = node
                    .place
                    .warning("old-boolean", format!("`{path}`: `{text}` is no boolean of YAML 1.2"));
                context.report(problem.with_hint(format!("Write `{value}`.")));
                None
            }
            Some(_) => None,
            None => Some(("no boolean", "Write `true` or `false`.".to_owned())),
        },
        Kind::Count if device_count(node).is_none() => {
            Some(("no number", "Write a number or `all`.".to_owned()))
        }
        Kind::Integer if integer(node).is_none() => Some(("no whole number", String::new())),
        Kind::Float if float(node).is_none() => Some(("no number", String::new())),
        Kind::Bytes | Kind::BytesText if byte_size(node).is_none() => {
            Some(("no size", "Write a number and `b`, `k`, `m` or `g`, such as `512m`.".to_owned()))
        }
        Kind::Duration if units::duration(text).is_none() => Some(("no duration", DURATION_HINT.to_owned())),
        Kind::Mode if is_text && i64::from_str_radix(text, 8).is_err() => {
            Some(("no file mode", "Write an octal number, such as `0440`.".to_owned()))
        }
        Kind::Choice(words) if !words.contains(&text.as_str()) => {
            let hint = match nearest(text, words.iter().copied()) {
                Some(word) => format!("Did you mean `{word}`?"),
                None => format!("It is one of: {}.", words.join(", ")),
            };
            Some(("not one of its values", hint))
        }
        Kind::Words => return check_words(context, node, text, path),
        _ => None,
    };
    let Some((what, hint)) = complaint else { return true };
    let problem = node.place.error("bad-value", format!("`{path}`: `{text}` is {what}"));
    context.report(if hint.is_empty() { problem } else { problem.with_hint(hint) });
    false
}

fn check_words(context: &mut Context, node: &Node, text: &str, path: &str) -> bool {
    match words::split(text) {
        None => {
            let problem = node
                .place
                .error("bad-value", format!("`{path}` has a quote, bracket or backslash that is not closed"));
            context.report(problem.with_hint("Quote it, or write the command as a list."));
            false
        }
        Some(words) => {
            if let Some(dropped) = words.dropped {
                let problem = node.place.warning(
                    "shell-operator",
                    format!("`{path}`: `{dropped}` is dropped: no shell reads the command"),
                );
                context.report(problem.with_hint("Write `sh -c \"…\"` for a shell, or quote the character."));
            }
            true
        }
    }
}

fn not_null(context: &mut Context, node: &Node, path: &str) -> bool {
    if node.is_null() && node.tag.is_none() {
        context.report(
            node.place.error("no-value", format!("`{path}` has no value")).with_hint("Remove the item."),
        );
        return false;
    }
    true
}

fn wrong_type(context: &mut Context, node: &Node, kind: &Kind, path: &str) -> bool {
    wrong_type_named(context, node, type_name(kind), path)
}

fn wrong_type_named(context: &mut Context, node: &Node, expected: &str, path: &str) -> bool {
    let what = if path.is_empty() { "the file".to_owned() } else { format!("`{path}`") };
    let message = format!("{what} has to be {expected}, not {}", with_article(node));
    let problem = node.place.error("wrong-type", message);
    let written = node.text().filter(|_| expected == "text");
    context.report(match written {
        _ if expected == DURATION => problem.with_hint(DURATION_HINT),
        Some(text) => problem.with_hint(format!("Quote it: `\"{text}\"`.")),
        None => problem,
    });
    false
}

fn with_article(node: &Node) -> String {
    match node.type_name() {
        "null" => "null".to_owned(),
        "integer" => "an integer".to_owned(),
        name => format!("a {name}"),
    }
}

fn type_name(kind: &Kind) -> &'static str {
    match kind {
        Kind::Any => "a value",
        Kind::Duration => DURATION,
        Kind::BytesText => "a size as text, such as `512m`",
        Kind::Text | Kind::Choice(_) => "text",
        Kind::Scalar | Kind::Mode => "text or a number",
        Kind::Flag | Kind::StrictFlag => "`true` or `false`",
        Kind::Integer | Kind::Count => "a whole number",
        Kind::Float => "a number",
        Kind::Bytes => "a size such as `512m`",
        Kind::Words | Kind::Test | Kind::TextOrTexts => "text or a list of texts",
        Kind::Texts | Kind::Scalars | Kind::List(_) => "a list",
        Kind::KeyValues(_) | Kind::Hosts => "a map or a list of `NAME=value`",
        Kind::Options | Kind::Named(_) | Kind::Map(_) | Kind::Fields(_) => "a map",
        Kind::Nullable(inner) => type_name(inner),
        Kind::Either(kinds) => match (kinds.first(), kinds.get(1)) {
            (Some(Kind::Texts), _) => "a map or a list",
            (Some(Kind::Text), Some(Kind::List(_))) => "text or a list",
            (Some(Kind::Text | Kind::Scalar), _) => "text or a map",
            (Some(Kind::Flag), _) => "`true` or `false`",
            (Some(Kind::Choice(_)), _) => "`all` or a list",
            _ => "a number or a map",
        },
    }
}

fn retain_entries(node: &mut Node, keep: impl FnMut(&mut Entry) -> bool) {
    if let Some(entries) = tree::entries_mut(node) {
        entries.retain_mut(keep);
    }
}

fn retain_items(node: &mut Node, mut keep: impl FnMut(usize, &mut Node) -> bool) {
    if let Some(items) = tree::items_mut(node) {
        let mut index = 0;
        items.retain_mut(|item| {
            index += 1;
            keep(index - 1, item)
        });
    }
}
