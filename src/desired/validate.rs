//! Holds a document against the schema of its kind, and says what is wrong in our own words.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::patterns::words_for;
use super::schema::{is_secret_reference, json_schema};
use crate::model::document::{Node, NodeValue, Place, ScalarKind};
use crate::model::id::{API_VERSION, Kind};
use crate::model::problem::{Problem, nearest};

/// Violations of one document that are reported.
const VIOLATIONS_MAX: usize = 50;

/// How often what breaks a rule is taken out: what is left of it may break another one.
const PRUNINGS_MAX: usize = 4;

/// The schema of a kind, ready to be applied.
struct Checker {
    schema: Value,
    validator: Validator,
}

fn checker(kind: Kind) -> &'static Checker {
    static CHECKERS: OnceLock<BTreeMap<Kind, Checker>> = OnceLock::new();
    let make = || {
        let of_kind = |kind: &Kind| {
            let mut schema = json_schema(*kind);
            // What our schemas say means the same in draft 7, whose own schema is checked in a tenth of the time.
            schema.as_object_mut().expect("a schema is an object").remove("$schema");
            let validator = jsonschema::draft7::options()
                // Times have rules of their own, which say more than a format.
                .should_validate_formats(false)
                .build(&schema)
                .expect("our own schemas are valid");
            (*kind, Checker { schema, validator })
        };
        Kind::ALL.iter().map(of_kind).collect()
    };
    &CHECKERS.get_or_init(make)[&kind]
}

/// Makes the schemas ready on a thread of its own, for one who is about to need them and has to wait for other things
/// first.
pub fn prepare() {
    // Without a thread to spare they are made when they are needed.
    let _ = std::thread::Builder::new().name("schemas".to_owned()).spawn(|| {
        checker(Kind::Host);
    });
}

/// A document as far as it follows its schema.
pub struct Valid {
    /// It as JSON.
    pub json: Value,
    /// The pointers of what was taken out, because it broke a rule and that was said.
    pub broken: Vec<String>,
}

/// The document as far as it follows the schema of its kind; all that is wrong becomes a problem.
///
/// What breaks a rule is taken out of the document too, so that the rest of it is still checked: its references,
/// claims and Compose files. `None` when what is left can't be typed. With `told`, its `apiVersion` was judged before.
pub fn validate(kind: Kind, node: &mut Node, told: bool, problems: &mut Vec<Problem>) -> Option<Valid> {
    let mut broken = Vec::new();
    let checker = checker(kind);
    let json = |node: &Node| {
        let mut json = node.to_json();
        if let Some(document) = json.as_object_mut().filter(|_| told) {
            document.insert("apiVersion".to_owned(), Value::from(API_VERSION));
        }
        json
    };
    for pass in 0..=PRUNINGS_MAX {
        let json = json(node);
        if checker.validator.is_valid(&json) {
            return Some(Valid { json, broken });
        }
        let errors: Vec<_> = checker.validator.iter_errors(&json).take(VIOLATIONS_MAX).collect();
        if pass == 0 {
            problems.extend(errors.iter().flat_map(|error| explain(error, node, &checker.schema)));
        }
        let mut doomed = HashSet::new();
        for error in &errors {
            doomed.extend(offenders(error)?);
        }
        prune(node, &mut String::new(), &doomed);
        broken.extend(doomed);
    }
    None
}

/// The pointers of what breaks a rule; `None` when a document is none without it.
fn offenders(error: &ValidationError<'_>) -> Option<Vec<String>> {
    let pointer = error.instance_path().to_string();
    if let ValidationErrorKind::AdditionalProperties { unexpected } = error.kind() {
        return Some(unexpected.iter().map(|name| format!("{pointer}/{}", escaped(name))).collect());
    }
    let is_vital = matches!(pointer.as_str(), "" | "/spec" | "/metadata" | "/metadata/name" | "/kind");
    (!is_vital).then(|| vec![pointer])
}

/// Takes what is at some pointers out of a tree.
fn prune(node: &mut Node, at: &mut String, doomed: &HashSet<String>) {
    let length = at.len();
    let mut keeps = |name: &str, inner: &mut Node| {
        at.push('/');
        at.push_str(name);
        let keep = !doomed.contains(at.as_str());
        if keep {
            prune(inner, at, doomed);
        }
        at.truncate(length);
        keep
    };
    match &mut node.value {
        NodeValue::Scalar { .. } => {}
        NodeValue::Sequence(items) => {
            let mut index = 0;
            items.retain_mut(|item| {
                index += 1;
                keeps(&(index - 1).to_string(), item)
            });
        }
        NodeValue::Mapping(entries) => {
            entries.retain_mut(|entry| keeps(&escaped(&entry.key), &mut entry.value));
        }
    }
}

/// A key as JSON pointers have it.
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// One violation in our own words; unknown fields become one problem each.
fn explain(error: &ValidationError<'_>, node: &Node, schema: &Value) -> Vec<Problem> {
    let pointer = error.instance_path().to_string();
    let found = node.at_pointer(&pointer);
    let rule_path = error.schema_path().to_string();
    let parent = rule_path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let own = schema.pointer(parent).unwrap_or(&Value::Null);
    let field = field_name(&pointer);
    if is_secret(own) || has_secret_choice(own) {
        return explain_secret(error, node, &pointer, own);
    }
    let problem = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let told = unexpected.iter().take(VIOLATIONS_MAX);
            return told.map(|name| unknown_field(node, &pointer, name, own)).collect();
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            let about = own.pointer(&format!("/properties/{name}/description")).and_then(Value::as_str);
            let place = node.key_place(&pointer);
            let problem = place.error("missing-field", format!("`{field}` has no `{name}`"));
            match about.and_then(|about| about.lines().next()) {
                Some(about) => problem.with_hint(format!("`{name}`: {about}")),
                None => problem,
            }
        }
        ValidationErrorKind::Type { kind } => wrong_type(found, node.key_place(&pointer), &field, kind, own),
        ValidationErrorKind::Enum { options } => unknown_value(found, &field, options),
        ValidationErrorKind::Constant { expected_value } => {
            let wanted = expected_value.as_str().unwrap_or_default();
            found.place.error("unknown-value", format!("`{field}` is not `{wanted}`"))
        }
        ValidationErrorKind::Pattern { pattern } => {
            let text = found.text().unwrap_or_default();
            let words = words_for(pattern);
            let rule = words.map_or_else(|| format!("text that matches `{pattern}`"), str::to_owned);
            found
                .place
                .error("invalid-value", format!("`{text}` is not a valid `{field}`"))
                .with_hint(format!("It takes {rule}."))
        }
        ValidationErrorKind::MinLength { .. } | ValidationErrorKind::MinItems { .. } => {
            let what = if found.items().is_some() { "list" } else { "text" };
            node.key_place(&pointer).error("empty-field", format!("`{field}` is an empty {what}"))
        }
        ValidationErrorKind::AnyOf { .. } => {
            let choices = own.get("anyOf").and_then(Value::as_array).into_iter().flatten();
            let words = choices.filter_map(|choice| Some(type_word(choice.get("type")?.as_str()?)));
            let wanted = words.collect::<Vec<_>>().join(" or ");
            let message = format!("`{field}` takes a {wanted}, not a {}", found.type_name());
            node.key_place(&pointer).error("wrong-type", message)
        }
        other => {
            let message = match (limit(other), found.text()) {
                (Some(limit), Some(text)) => format!("`{field}` is {limit}, not `{text}`"),
                (Some(limit), None) => format!("`{field}` is {limit}"),
                (None, _) => format!("`{field}` breaks the rule `{}` of its schema", other.keyword()),
            };
            found.place.error("invalid-value", message)
        }
    };
    vec![problem]
}

/// What a rule of a number, a length or a choice asks for.
fn limit(kind: &ValidationErrorKind) -> Option<String> {
    Some(match kind {
        ValidationErrorKind::Minimum { limit } => format!("at least {}", number(limit)),
        ValidationErrorKind::Maximum { limit } => format!("at most {}", number(limit)),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("more than {}", number(limit)),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("less than {}", number(limit)),
        ValidationErrorKind::MaxLength { limit } => format!("text of at most {limit} characters"),
        ValidationErrorKind::MaxItems { limit } => format!("a list of at most {limit}"),
        ValidationErrorKind::MinProperties { limit } => format!("a map with at least {limit} entries"),
        ValidationErrorKind::MaxProperties { limit } => format!("a map with at most {limit} entries"),
        ValidationErrorKind::UniqueItems => "a list in which nothing is named twice".to_owned(),
        _ => return None,
    })
}

/// A limit as people write it: `1024`, where the schema has `1024.0`.
fn number(limit: &Value) -> String {
    limit.as_f64().map_or_else(|| limit.to_string(), |number| number.to_string())
}

/// `spec.compose.files[0]` for `/spec/compose/files/0`; `document` for the whole.
fn field_name(pointer: &str) -> String {
    let mut name = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            name.push_str(&format!("[{part}]"));
        } else {
            if !name.is_empty() {
                name.push('.');
            }
            name.push_str(&part);
        }
    }
    if name.is_empty() { "document".to_owned() } else { name }
}

fn unknown_field(node: &Node, pointer: &str, name: &str, own: &Value) -> Problem {
    let place = node.key_place(&format!("{pointer}/{}", escaped(name)));
    let message = match pointer {
        "" => format!("unknown field `{name}`"),
        _ => format!("unknown field `{name}` in `{}`", field_name(pointer)),
    };
    let known: Vec<&str> = own
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().map(String::as_str).collect())
        .unwrap_or_default();
    let other_kind = |kind: &&Kind| {
        let field = format!("{pointer}/{}", escaped(name)).replacen('/', "/properties/", 2);
        checker(**kind).schema.pointer(&field).is_some()
    };
    let elsewhere = Kind::ALL.iter().find(other_kind);
    let hint = match nearest(name, known.iter().copied()) {
        _ if pointer == "/spec" && elsewhere.is_some() => {
            let kind = elsewhere.map_or("", |kind| kind.as_str());
            format!("`{name}` belongs to kind `{kind}`. Known here are: {}.", known.join(", "))
        }
        Some(near) => format!("Did you mean `{near}`?"),
        None => format!("Known are: {}.", known.join(", ")),
    };
    place.error("unknown-field", message).with_hint(hint)
}

fn wrong_type(found: &Node, key: &Place, field: &str, kind: &TypeKind, own: &Value) -> Problem {
    // A bare number where a name belongs only lacks quotes; where a duration belongs it lacks its unit.
    let pattern = own.get("pattern").and_then(Value::as_str).filter(|pattern| pattern.contains("ns|us|ms"));
    let rule = pattern.and_then(words_for);
    let wanted = match kind {
        TypeKind::Single(kind) => type_word(&kind.to_string()).to_owned(),
        TypeKind::Multiple(kinds) => {
            let words: Vec<String> =
                kinds.iter().map(|kind| type_word(&kind.to_string()).to_owned()).collect();
            words.join(" or ")
        }
    };
    if found.is_null() {
        return key
            .error("empty-field", format!("`{field}` has no value; it takes a {wanted}"))
            .with_hint("Give it a value, or remove the line.");
    }
    let problem = match (&found.value, found.text()) {
        (NodeValue::Scalar { .. }, Some(text)) => found.place.error(
            "wrong-type",
            format!("`{field}` takes a {wanted}, not the {} `{text}`", found.type_name()),
        ),
        _ => key.error("wrong-type", format!("`{field}` takes a {wanted}, not a {}", found.type_name())),
    };
    match (&found.value, wanted.as_str()) {
        (NodeValue::Scalar { kind, .. }, "string") if *kind != ScalarKind::String && rule.is_some() => {
            problem.with_hint(format!("It takes {}.", rule.unwrap_or_default()))
        }
        (NodeValue::Scalar { text, kind }, "string") if *kind != ScalarKind::String => {
            problem.with_hint(format!("Put it in quotes: `\"{text}\"`."))
        }
        (NodeValue::Scalar { text, .. }, "boolean")
            if matches!(text.as_str(), "yes" | "on" | "no" | "off") =>
        {
            problem.with_hint("Write `true` or `false`.")
        }
        (NodeValue::Scalar { text, .. }, "list") => problem.with_hint(format!("Write `[{text}]`.")),
        _ => problem,
    }
}

fn type_word(kind: &str) -> &str {
    match kind {
        "object" => "map",
        "array" => "list",
        other => other,
    }
}

fn unknown_value(found: &Node, field: &str, options: &Value) -> Problem {
    let words: Vec<&str> = options.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let text = found.text().unwrap_or(found.type_name());
    let problem = found.place.error("unknown-value", format!("`{field}` can't be `{text}`"));
    let listed = words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    problem.with_hint(match nearest(text, words.iter().copied()) {
        Some(near) => format!("Did you mean `{near}`? It takes one of {listed}."),
        None => format!("It takes one of {listed}."),
    })
}

fn is_secret(own: &Value) -> bool {
    is_secret_reference(own)
}

fn has_secret_choice(own: &Value) -> bool {
    own.get("anyOf").and_then(Value::as_array).is_some_and(|choices| choices.iter().any(is_secret_reference))
}

/// A reference to a secret that is none. The line itself is not shown: a value may stand there.
fn explain_secret(error: &ValidationError<'_>, node: &Node, pointer: &str, own: &Value) -> Vec<Problem> {
    const FORMS: &str = "Write `{env: NAME}`, `{file: /path}` or `{age: path/in/repository.age, key: NAME}`.";
    let field = field_name(pointer);
    let place = node.key_place(pointer);
    let found = node.at_pointer(pointer);
    let hidden =
        |message: String| Problem::error("secret-reference", message).at(place.location()).with_hint(FORMS);
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .take(VIOLATIONS_MAX)
            .map(|name| Problem { snippet: None, ..unknown_field(node, pointer, name, own) })
            .collect(),
        ValidationErrorKind::Type { .. } => {
            vec![hidden(format!("`{field}` takes a reference to a secret, never the value itself"))]
        }
        // The map as a whole was of another type, which is said already.
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::OneOfMultipleValid { .. }
            if found.entries().is_none() =>
        {
            Vec::new()
        }
        ValidationErrorKind::AnyOf { .. } if found.entries().is_none() => {
            vec![hidden(format!(
                "`{field}` takes text or a reference to a secret, not a {}",
                found.type_name()
            ))]
        }
        _ => vec![hidden(format!("`{field}` is not one of the three forms of a reference to a secret"))],
    }
}
