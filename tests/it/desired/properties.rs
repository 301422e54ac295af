//! What holds for every input: loading ends with an answer, and a digest says what is meant, not how it is written.

use ipaictl::desired::parse::parse_files;
use ipaictl::desired::typed::type_documents;
use ipaictl::model::document::parse_documents;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

/// Checks the bytes as a document file; must return whatever they are.
fn read(bytes: &[u8]) -> usize {
    let mut problems = Vec::new();
    let documents = parse_files(&[("a.yaml".to_owned(), bytes.to_vec())], &mut problems);
    let typed = type_documents(documents, &[], super::now(), &mut problems);
    ipaictl::desired::references::check(&typed, false, &mut problems);
    // What is shown must not be able to drive a terminal either.
    for problem in &problems {
        assert!(problem.to_string().chars().all(|c| c == '\n' || !c.is_control()), "{problem:?}");
    }
    problems.len()
}

/// One of several spellings of a scalar, and of what surrounds it.
#[derive(Debug, Clone)]
struct Spelling {
    quotes: u8,
    comment: bool,
    flow: bool,
    reversed: bool,
}

fn spelling() -> impl Strategy<Value = Spelling> {
    (0..3u8, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(quotes, comment, flow, reversed)| Spelling { quotes, comment, flow, reversed })
}

fn document(labels: &[(String, String)], address: &str, spelling: &Spelling) -> String {
    let scalar = |text: &str| match spelling.quotes {
        0 => format!("\"{text}\""),
        1 => format!("'{text}'"),
        // Plain text would be a number or a word of YAML's where a string is meant.
        _ if text.starts_with(|c: char| c.is_ascii_alphabetic())
            && !["null", "true", "false", "y", "n"].contains(&text) =>
        {
            text.to_owned()
        }
        _ => format!("\"{text}\""),
    };
    let comment = if spelling.comment { " # a comment" } else { "" };
    let mut pairs: Vec<String> =
        labels.iter().map(|(key, value)| format!("{}: {}", scalar(key), scalar(value))).collect();
    if spelling.reversed {
        pairs.reverse();
    }
    let spec = format!("address: {}", scalar(address));
    let mut parts = match spelling.flow {
        true => vec![format!("spec: {{{spec}, protect: true}}{comment}")],
        false => vec![format!("spec:{comment}\n  protect: true\n  {spec}{comment}")],
    };
    parts.push(match spelling.flow {
        true => format!("metadata: {{name: a, labels: {{{}}}}}", pairs.join(", ")),
        false if pairs.is_empty() => "metadata: {name: a, labels: {}}".to_owned(),
        false => format!("metadata:\n  labels:\n    {}\n  name: a", pairs.join("\n    ")),
    });
    parts.push("kind: Host".to_owned());
    parts.push("apiVersion: ipai.dev/v1alpha1".to_owned());
    if spelling.reversed {
        parts.reverse();
    }
    format!("{}\n", parts.join("\n"))
}

fn digest_of(text: &str) -> (String, Vec<(String, String)>) {
    let mut problems = Vec::new();
    let documents = parse_files(&[("a.yaml".to_owned(), text.as_bytes().to_vec())], &mut problems);
    let typed = type_documents(documents, &[], super::now(), &mut problems);
    // A name by chance may look like that of a secret, which is a warning.
    problems.retain(|problem| problem.rule != "plain-secret");
    assert!(problems.is_empty(), "{problems:#?}\n{text}");
    let host = &typed.hosts[0].resource;
    (host.digest.clone(), host.metadata.labels.clone().into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn loading_is_total_on_arbitrary_bytes(bytes in vec(any::<u8>(), 0..2000)) {
        read(&bytes);
    }

    #[test]
    fn loading_is_total_on_text_that_looks_like_yaml(text in "[a-z:\\-\\[\\]{}&*!|>'\"#%@`,? \n\t0-9~<]{0,400}") {
        read(text.as_bytes());
    }

    #[test]
    fn loading_is_total_on_documents_with_broken_parts(
        kind in "Host|Stack|Repository|Hots|Environment",
        spec in "[a-zA-Z:\\-\\[\\]{}\"', \n0-9/]{0,200}",
        cut in 0..400usize,
    ) {
        let text = format!("apiVersion: ipai.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec:\n  {spec}\n");
        read(text.as_bytes());
        read(&text.as_bytes()[..cut.min(text.len())]);
    }

    #[test]
    fn a_digest_is_stable_under_key_order_comments_and_quoting(
        labels in btree_map("[a-z][a-z0-9]{0,8}", "[a-z0-9][a-z0-9.]{0,8}", 0..5),
        address in "[a-z0-9][a-z0-9.]{0,12}",
        one in spelling(),
        other in spelling(),
    ) {
        let labels: Vec<(String, String)> = labels.into_iter().collect();
        let first = digest_of(&document(&labels, &address, &one));
        prop_assert_eq!(&first, &digest_of(&document(&labels, &address, &other)));
        let changed = digest_of(&document(&labels, &format!("{address}x"), &other));
        prop_assert_ne!(first.0, changed.0);
    }

    #[test]
    fn what_the_writer_writes_reads_back_the_same(text in "\\PC{0,40}", key in "[a-zA-Z0-9 :#-]{1,12}") {
        let value = serde_json::json!({ key: [text, { "n": 1 }, []] });
        let mut out = String::new();
        ipaictl::desired::yaml::write(&value, &mut out);
        let (documents, problems) = parse_documents("a.yaml", out.as_bytes());
        prop_assert!(problems.is_empty(), "{:?}\n{}", problems, out);
        prop_assert_eq!(documents[0].to_json(), value);
    }
}
