//! Compose files are read as the real Docker Compose reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use ipaictl::skills::stack::compose::{ComposeFiles, ComposeLoad, ComposeRequest, FileRead, Refusal, load};
use ipaictl::skills::stack::spec::ComposeSpec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// Files of a directory, as a revision and its checkout have them.
struct Directory(PathBuf);

impl ComposeFiles for Directory {
    fn read(&self, path: &str) -> FileRead {
        let full = if path.starts_with('/') { PathBuf::from(path) } else { self.0.join(path) };
        if !full.starts_with(&self.0) {
            return FileRead::Refused(Refusal::outside("lies outside of the repository"));
        }
        match fs::read(&full) {
            Ok(bytes) => FileRead::Bytes(bytes),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => FileRead::Missing,
            Err(err) => FileRead::Unknown(err.to_string()),
        }
    }
}

/// What one comparison runs with; a fixture says it in comments such as `#! profiles: a b`.
#[derive(Debug, Default, Clone)]
struct Case {
    name: String,
    root: PathBuf,
    files: Vec<String>,
    profiles: Vec<String>,
    services: Vec<String>,
    env_files: Vec<String>,
    variables: BTreeMap<String, String>,
    /// JSON pointers that differ on purpose, with the reason in the fixture.
    differs: Vec<String>,
    /// Compose accepts it and we refuse it, because it is not supported.
    unsupported: bool,
    /// We accept it and Compose 2.40.3 refuses it.
    lenient: bool,
}

impl Case {
    fn directive(&mut self, line: &str) {
        let (key, value) = line.split_once(':').unwrap_or((line, ""));
        let words = || value.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        match key.trim() {
            "files" => self.files = words(),
            "profiles" => self.profiles = words(),
            "services" => self.services = words(),
            "env-files" => self.env_files = words(),
            "variables" => {
                self.variables = words()
                    .iter()
                    .map(|word| word.split_once('=').expect("NAME=value"))
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
            }
            "differs" => self.differs.push(value.split_whitespace().next().expect("a pointer").to_owned()),
            "unsupported" => self.unsupported = true,
            "lenient" => self.lenient = true,
            key => panic!("{}: unknown directive `{key}`", self.name),
        }
    }

    fn ours(&self) -> ComposeLoad {
        let spec = ComposeSpec {
            files: self.files.clone(),
            project: Some("case".to_owned()),
            services: self.services.clone(),
            profiles: self.profiles.clone(),
            env_files: self.env_files.clone(),
        };
        load(&ComposeRequest {
            stack: "case",
            spec: &spec,
            working_dir: self.root.to_str().expect("a UTF-8 path"),
            variables: &self.variables,
            secret_variables: &BTreeSet::new(),
            files: &Directory(self.root.clone()),
            place: &|_| None,
        })
    }

    fn theirs(&self, program: &Path) -> Result<Value, String> {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", "/nonexistent").envs(&self.variables).current_dir(&self.root);
        command.args(["--project-name", "case"]);
        self.env_files.iter().for_each(|file| {
            command.args(["--env-file", file]);
        });
        self.files.iter().for_each(|file| {
            command.args(["-f", file]);
        });
        self.profiles.iter().for_each(|profile| {
            command.args(["--profile", profile]);
        });
        command.args(["config", "--format", "json"]).args(&self.services);
        let output = command.output().expect("Compose runs");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        // What it prints is meant to be read again, so dollar signs are doubled.
        let text = String::from_utf8(output.stdout).expect("UTF-8").replace("$$", "$");
        let mut value: Value = serde_json::from_str(&text).expect("JSON");
        value.as_object_mut().expect("a map").retain(|key, _| !key.starts_with("x-"));
        Ok(value)
    }

    /// Every difference between what we and Compose make of it.
    fn differences(&self, program: &Path) -> Vec<String> {
        let ours = self.ours();
        let theirs = self.theirs(program);
        let problems: Vec<String> = ours.problems.iter().map(ToString::to_string).collect();
        assert_eq!(ours.unknown, None, "{}", self.name);
        match (ours.project, theirs) {
            (Some(_), Ok(_)) if self.unsupported => vec!["is marked unsupported and accepted".to_owned()],
            (Some(ours), Ok(theirs)) => {
                let mut differences = Vec::new();
                compare("", &ours.json, &theirs, &mut differences);
                let unexpected = differences
                    .iter()
                    .filter(|(at, _)| !self.differs.iter().any(|known| at.starts_with(known.as_str())));
                let mut out: Vec<String> = unexpected.map(|(at, text)| format!("{at}: {text}")).collect();
                let stale = self
                    .differs
                    .iter()
                    .filter(|known| !differences.iter().any(|(at, _)| at.starts_with(known.as_str())));
                out.extend(stale.map(|known| format!("{known} is marked as different and agrees")));
                out
            }
            (None, Err(_)) => Vec::new(),
            (None, Ok(_)) if self.unsupported => Vec::new(),
            (None, Ok(_)) => vec![format!("we refuse what Compose accepts:\n{}", problems.join("\n"))],
            (Some(_), Err(_)) if self.lenient => Vec::new(),
            (Some(_), Err(theirs)) => vec![format!("we accept what Compose refuses: {theirs}")],
        }
    }
}

fn compare(at: &str, ours: &Value, theirs: &Value, out: &mut Vec<(String, String)>) {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|key| !a.contains_key(*key))) {
                let at = format!("{at}/{key}");
                match (a.get(key), b.get(key)) {
                    (Some(a), Some(b)) => compare(&at, a, b, out),
                    (a, b) => out.push((at, format!("ours {}, theirs {}", shown(a), shown(b)))),
                }
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{at}/{index}"), a, b, out);
            }
        }
        (a, b) if a == b => {}
        (a, b) => out.push((at.to_owned(), format!("ours {a}, theirs {b}"))),
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or("nothing".to_owned(), ToString::to_string)
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The real Docker Compose, if this machine has it or can get it.
fn peer() -> Option<PathBuf> {
    let output = Command::new(package().join("scripts/lib/compose-v2")).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    if !output.status.success() {
        println!("skipped: no Docker Compose to compare with: {}", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    Some(PathBuf::from(path.trim()))
}

fn shared() -> Option<PathBuf> {
    let root = std::env::var_os("IPAICTL_SHARED").map_or_else(|| package().join("../shared"), PathBuf::from);
    let fixtures = root.join("fixtures/ipai-repo");
    // Without `..` in it, as a checkout's directory is.
    if let Ok(fixtures) = fixtures.canonicalize() {
        return Some(fixtures);
    }
    println!("skipped: {} does not exist (IPAICTL_SHARED names the folder)", fixtures.display());
    None
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let (kind, target) = (entry.file_type().expect("a type"), to.join(entry.file_name()));
        if kind.is_dir() {
            copy_tree(&entry.path(), &target);
        } else if kind.is_file() {
            fs::write(&target, fs::read(entry.path()).expect("a file")).expect("writing");
        }
    }
}

/// The cases of `tests/fixtures/compose`: a file each, or a directory with several.
fn own_cases(copy: &Path) -> Vec<Case> {
    let from = package().join("tests/fixtures/compose");
    copy_tree(&from, copy);
    let mut names: Vec<PathBuf> =
        fs::read_dir(&from).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    names.sort();
    names
        .iter()
        .filter(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let (root, file) = match path.is_dir() {
                true => (copy.join(&name), "compose.yaml".to_owned()),
                false => (copy.to_path_buf(), name.clone()),
            };
            let text = fs::read_to_string(root.join(&file)).expect("a fixture");
            let mut case = Case { name, root, files: vec![file], ..Case::default() };
            text.lines().filter_map(|line| line.strip_prefix("#! ")).for_each(|line| case.directive(line));
            case
        })
        .collect()
}

fn assert_agreement(cases: &[Case]) {
    let Some(program) = peer() else { return };
    let mut report = String::new();
    for case in cases {
        for difference in case.differences(&program) {
            report += &format!("{}: {difference}\n", case.name);
        }
    }
    println!("compared {} cases with Docker Compose", cases.len());
    assert!(report.is_empty(), "\n{report}");
}

#[test]
fn own_files_mean_what_they_mean_to_docker_compose() {
    let copy = tempfile::tempdir().expect("a directory");
    let cases = own_cases(copy.path());
    assert!(cases.len() >= 60, "only {} cases", cases.len());
    assert_agreement(&cases);
}

#[test]
fn every_compose_file_of_the_real_repository_loads_and_means_the_same() {
    let Some(fixtures) = shared() else { return };
    let copy = tempfile::tempdir().expect("a directory");
    copy_tree(&fixtures, copy.path());
    let case = |files: &[&str]| Case {
        name: files.join("+"),
        root: copy.path().to_path_buf(),
        files: files.iter().map(|file| (*file).to_owned()).collect(),
        ..Case::default()
    };
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let mut cases = Vec::new();
    for files in REAL_STACKS {
        known.extend(*files);
        let mut case = case(files);
        case.profiles = vec!["*".to_owned()];
        prepare_real(&mut case);
        let loaded = case.ours();
        let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
        assert!(loaded.project.is_some(), "{}:\n{}", case.name, problems.join("\n"));
        cases.push(case);
    }
    let unlisted: Vec<String> =
        compose_files(copy.path()).into_iter().filter(|file| !known.contains(file.as_str())).collect();
    assert!(unlisted.is_empty(), "not compared: {unlisted:?}");
    assert_agreement(&cases);
}

/// The stacks of the real repository, overrides with their base.
const REAL_STACKS: &[&[&str]] = &[
    &[".devcontainer/docker-compose.yml"],
    &["ci/odoo/docker-compose.ci.yml"],
    &["deploy/docker-compose.ce19.yml"],
    &["deploy/docker-compose.prod.yml"],
    &["docker-compose.dev.yml"],
    &["docker/docker-compose.ce19.yml"],
    &["docker/docker-compose.ci.yml"],
    &["infra/do-oca-stack/docker-compose.yml"],
    &["infra/do-oca-stack/docker-compose.yml", "infra/do-oca-stack/docker-compose.caddy.yml"],
    &["infra/docker-compose.prod.yaml"],
    &["infra/stack/compose.stack.yml"],
    &["odoo/compose/docker-compose.platform.yml"],
    &["sandbox/dev/docker-compose.production.yml"],
    &["sandbox/dev/docker-compose.yml"],
];

/// Gives a stack what the repository leaves to its host: variables, and the env file that git ignores.
fn prepare_real(case: &mut Case) {
    let variables: &[(&str, &str)] = match case.files[0].as_str() {
        "deploy/docker-compose.prod.yml" | "infra/do-oca-stack/docker-compose.yml" => {
            &[("DB_PASSWORD", "p$w")]
        }
        "infra/stack/compose.stack.yml" => {
            let env = "ODOO_IMAGE=odoo:18.0\nN8N_IMAGE=n8n\nREDIS_IMAGE=redis:7\nSUPERSET_IMAGE=superset\nOCR_IMAGE=ocr\n\
                ODOO_CONF_HOST_PATH=deploy/odoo.conf\nDO_PG_PASSWORD='a b'\nN8N_DOMAIN=n8n.example.com\n";
            fs::write(case.root.join("infra/stack/.env"), env).expect("writing");
            &[]
        }
        "infra/docker-compose.prod.yaml" => &[("ODOO_DB_PASSWORD", "secret")],
        _ => &[],
    };
    case.variables =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
}

#[test]
fn what_is_broken_in_the_real_repository_is_reported_with_the_reason() {
    let Some(fixtures) = shared() else { return };
    let case = |files: &[&str]| Case {
        root: fixtures.clone(),
        files: files.iter().map(|file| (*file).to_owned()).collect(),
        ..Case::default()
    };
    let rules = |loaded: &ComposeLoad| -> BTreeSet<(&'static str, String)> {
        let place = |problem: &ipaictl::model::problem::Problem| match &problem.location {
            Some(location) => format!("{}:{}", location.file, location.line),
            None => String::new(),
        };
        loaded.problems.iter().map(|problem| (problem.rule, place(problem))).collect()
    };
    let caddy = "infra/do-oca-stack/docker-compose.caddy.yml";
    let alone = case(&[caddy]).ours();
    assert!(
        alone.project.is_none()
            && rules(&alone).iter().any(|(rule, at)| *rule == "no-image" && at.starts_with(caddy))
    );
    let mut both = case(&["infra/do-oca-stack/docker-compose.yml", caddy]);
    both.variables = BTreeMap::from([("DB_PASSWORD".to_owned(), "x".to_owned())]);
    let both = both.ours();
    let empty = both.problems.iter().find(|problem| problem.rule == "empty-list").expect("a warning");
    assert!(empty.hint.as_deref().is_some_and(|hint| hint.contains("!reset")), "{empty}");
    // The base's one port stays, as Compose itself says of the two files.
    let project = both.project.expect("it loads");
    let ports = project.json["services"]["odoo"]["ports"].as_array().expect("ports");
    let published: Vec<_> =
        ports.iter().map(|port| (&port["host_ip"], &port["published"], &port["target"])).collect();
    assert_eq!(published, [(&json!("127.0.0.1"), &json!("8069"), &json!(8069))]);
    let stack = case(&["infra/stack/compose.stack.yml"]).ours();
    assert!(stack.project.is_none());
    assert!(rules(&stack).iter().any(|(rule, _)| *rule == "missing-file"), "{:?}", rules(&stack));
    let required = case(&["deploy/docker-compose.prod.yml"]).ours();
    assert!(rules(&required).iter().any(|(rule, _)| *rule == "required-variable"));
}

fn compose_files(root: &Path) -> Vec<String> {
    let mut out = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a directory").flatten() {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.contains("compose") && (name.ends_with(".yml") || name.ends_with(".yaml")) {
                out.push(path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned());
            }
        }
    }
    out.sort();
    out
}

#[test]
fn each_error_says_what_is_wrong_where_and_what_to_do() {
    let from = package().join("tests/fixtures/compose-errors");
    let bless = std::env::var_os("IPAICTL_BLESS").is_some();
    let mut report = String::new();
    let mut count = 0;
    let mut names: Vec<PathBuf> =
        fs::read_dir(&from).expect("fixtures").flatten().map(|entry| entry.path()).collect();
    names.sort();
    for path in names.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        count += 1;
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let mut case = Case { name: name.clone(), root: from.clone(), files: vec![name], ..Case::default() };
        let text = fs::read_to_string(path).expect("a fixture");
        text.lines().filter_map(|line| line.strip_prefix("#! ")).for_each(|line| case.directive(line));
        let loaded = case.ours();
        assert!(loaded.project.is_none(), "{} has no error", case.name);
        let found: String = loaded.problems.iter().map(|problem| format!("{problem}\n")).collect();
        let golden = path.with_extension("txt");
        if bless {
            fs::write(&golden, &found).expect("writing");
        }
        let expected = fs::read_to_string(&golden).unwrap_or_default();
        if expected != found {
            report += &format!("--- {}: expected\n{expected}+++ found\n{found}", case.name);
        }
    }
    assert!(count > 0 && report.is_empty(), "{report}\nIPAICTL_BLESS=1 rewrites them");
}

fn load_bytes(files: BTreeMap<String, Vec<u8>>) -> ComposeLoad {
    struct Memory(BTreeMap<String, Vec<u8>>);
    impl ComposeFiles for Memory {
        fn read(&self, path: &str) -> FileRead {
            self.0.get(path).map_or(FileRead::Missing, |bytes| FileRead::Bytes(bytes.clone()))
        }
    }
    let spec = ComposeSpec {
        files: vec!["compose.yaml".to_owned()],
        project: None,
        services: Vec::new(),
        profiles: vec!["*".to_owned()],
        env_files: Vec::new(),
    };
    load(&ComposeRequest {
        stack: "stack",
        spec: &spec,
        working_dir: "/srv/repository",
        variables: &BTreeMap::new(),
        secret_variables: &BTreeSet::new(),
        files: &Memory(files),
        place: &|_| None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn loading_is_total_on_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..400), env in prop::collection::vec(any::<u8>(), 0..100)) {
        let loaded = load_bytes(BTreeMap::from([("compose.yaml".to_owned(), bytes), (".env".to_owned(), env)]));
        prop_assert!(loaded.project.is_some() || loaded.unknown.is_some() || !loaded.problems.is_empty() || loaded.project.is_none());
    }

    #[test]
    fn loading_is_total_on_shuffled_pieces_of_real_files(pieces in prop::collection::vec(piece(), 0..25)) {
        let text: String = pieces.concat();
        let loaded = load_bytes(BTreeMap::from([("compose.yaml".to_owned(), text.clone().into_bytes())]));
        for problem in &loaded.problems {
            prop_assert!(!problem.to_string().is_empty());
        }
        let again = load_bytes(BTreeMap::from([("compose.yaml".to_owned(), text.into_bytes())]));
        prop_assert_eq!(loaded.problems, again.problems);
        prop_assert_eq!(loaded.project.map(|project| project.json), again.project.map(|project| project.json));
    }
}

/// A line of a Compose file, or a scrap that is none.
fn piece() -> impl Strategy<Value = String> {
    let lines = [
        "services:\n",
        "  web:\n",
        "  db: &db\n",
        "    image: x\n",
        "    <<: *db\n",
        "    ports:\n",
        "      - 80\n",
        "      - \"1-3:1-3\"\n",
        "      - {target: 1}\n",
        "    extends: web\n",
        "    extends: {file: compose.yaml, service: db}\n",
        "    environment: [A, B=1]\n",
        "    environment: {A: , B: 1}\n",
        "    command: a 'b'\n",
        "    volumes: [\"a:/b\", \"/c\"]\n",
        "include: [compose.yaml]\n",
        "networks: {n: }\n",
        "volumes: !reset null\n",
        "    depends_on: [web, db]\n",
        "    ports: !override []\n",
        "---\n",
        "x-a: ${A:-${B}}\n",
        "name: $A\n",
        "    deploy: {resources: {limits: {cpus: 1, memory: 1g}}}\n",
        "secrets: {s: {file: x}}\n",
        "    secrets: [s, {source: s}]\n",
        "    networks: [n]\n",
        "    networks: {n: {aliases: [a]}}\n",
        "    healthcheck: {test: [], interval: 1s}\n",
        "    ulimits: {nofile: 1, nproc: {soft: 1}}\n",
        "    extra_hosts: {a: [1, 2]}\n",
        "    extra_hosts: [\"a:b\", \"c=[::1]\"]\n",
        "  ",
        "\n",
        "null\n",
        "- x\n",
    ];
    prop_oneof![
        8 => prop::sample::select(lines.to_vec()).prop_map(str::to_owned),
        1 => "[ -~\n]{0,12}",
    ]
}
