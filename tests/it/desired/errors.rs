//! Goldens: a broken desired state in, the text that people read out.
//!
//! Each folder of `tests/fixtures/desired-errors` is a repository; `problems.txt` is what is said about it.

use std::path::Path;

use ipaictl::clients::secrets::{SecretResolver, SecretSettings};
use ipaictl::desired::{At, LoadOptions, Source, SourceSettings, load};

#[tokio::test]
async fn every_error_says_where_why_and_what_to_do() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/desired-errors");
    let state = tempfile::tempdir().unwrap();
    let work = tempfile::tempdir().unwrap();
    let mut cases: Vec<_> = std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 25, "only {} cases", cases.len());
    let mut different = Vec::new();
    for case in cases {
        // Outside of this repository, so that the case is the root of its paths.
        let folder = work.path().join(case.file_name().unwrap());
        copy(&case, &folder);
        let settings = SourceSettings {
            repo: folder.display().to_string(),
            path: "desired-state".into(),
            state_dir: state.path().to_owned(),
            ..SourceSettings::default()
        };
        let source = Source::open(&settings).unwrap();
        let secrets = SecretResolver::new(SecretSettings::default());
        let options = LoadOptions { now: super::now(), fetch: false };
        let loaded = load(&source, &At::WorkingTree, &secrets, &options).await.unwrap();
        let mut text: String = loaded.problems.iter().map(|problem| format!("{problem}\n")).collect();
        text.push_str(if loaded.is_valid() { "valid\n" } else { "invalid\n" });
        let golden = case.join("problems.txt");
        if std::env::var_os("IPAICTL_BLESS").is_some() {
            std::fs::write(&golden, &text).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        if wanted != text {
            different.push(format!("{}:\n--- wanted\n{wanted}--- found\n{text}", case.display()));
        }
    }
    assert!(different.is_empty(), "{}\nrun IPAICTL_BLESS=1 to accept", different.join("\n"));
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
