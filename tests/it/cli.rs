//! The real program: exit codes, what it says to wrong input, and that its pages are up to date.

mod applied;
mod stored;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The program in a home of its own, so that no setting of the person at this machine matters.
pub struct Program {
    home: tempfile::TempDir,
}

impl Program {
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("ipaictl-cli-").tempdir().unwrap();
        std::fs::create_dir(home.path().join("work")).unwrap();
        Program { home }
    }

    pub fn with_identity() -> Self {
        let program = Program::new();
        let identity = "[user]\n\tname = Tester\n\temail = tester@example.org\n";
        std::fs::write(program.home.path().join(".gitconfig"), identity).unwrap();
        program
    }

    pub fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ipaictl"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("RUST_BACKTRACE", "full")
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran::from(self.command().args(arguments).output().unwrap())
    }

    /// A state repository made by `init`, in `work/state`.
    pub fn starter() -> (Self, PathBuf) {
        let program = Program::with_identity();
        let ran = program.run(["init", "state"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let state = program.work().join("state");
        (program, state)
    }
}

/// What a run of the program gave.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Ran {
            code: output.status.code().expect("not killed"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Checks JSON that the program printed against what `docs/schemas` promises.
pub fn assert_schema(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schemas/{name}.schema.json"));
    let schema = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let value = serde_json::from_str(text).unwrap_or_else(|err| panic!("{name}: {err}: {text}"));
    let validator = jsonschema::validator_for(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{name}: {errors:#?}");
}

const COMMANDS: &[&str] = &[
    "init",
    "validate",
    "schema",
    "diff",
    "plan",
    "apply",
    "serve",
    "status",
    "get",
    "describe",
    "history",
    "reconcile",
    "doctor",
    "deps",
    "layout",
    "completions",
    "man",
];

#[test]
fn every_command_has_help_that_ends_with_an_example() {
    let program = Program::new();
    for name in COMMANDS {
        let ran = program.run([name, "--help"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{name}");
        let last = ran.out.trim_end().rsplit("\n\n").next().unwrap();
        assert!(last.starts_with("Example") && last.contains(&format!("ipaictl {name}")), "{name}:\n{last}");
    }
}

#[test]
fn a_wrong_command_line_is_explained_and_ends_with_2() {
    let program = Program::new();
    for (arguments, says) in [
        (vec![], "Usage:"),
        (vec!["frobnicate"], "unrecognized subcommand"),
        (vec!["dif"], "diff"),
        (vec!["diff", "--unknown"], "unexpected argument"),
        (vec!["diff", "n8n"], "not of the form KIND/NAME"),
        (vec!["diff", "Stak/n8n"], "did you mean Stack?"),
        (vec!["diff", "BackupPolicy/prod"], "not supported by this version"),
        (vec!["diff", "Stack/N8N"], "lower case"),
        (vec!["diff", "-o", "xml"], "text, json, yaml, markdown"),
        (vec!["diff", "--revision", "a", "--working-tree"], "cannot be used with"),
        (vec!["apply", "--allow-destroy", "Stack/db@12"], "first eight digits"),
        (vec!["history", "--limit", "0"], "1..=10000"),
        (vec!["reconcile"], "KIND/NAME"),
        (vec!["status", "--revision", "x"], "no use for `--revision`"),
        (vec!["serve", "--working-tree"], "no use for `--working-tree`"),
        (vec!["init", "x", "-o", "json"], "no use for `--output`"),
        (vec!["history", "-o", "markdown"], "no Markdown form"),
        (vec!["completions", "tcsh"], "bash"),
        (vec!["diff", "\u{1b}[31m/x"], "no such kind"),
    ] {
        let ran = program.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
        assert!(!ran.err.contains('\u{1b}'), "{arguments:?}");
    }
}

#[test]
fn arguments_that_are_no_text_or_endless_are_refused() {
    let program = Program::new();
    let bytes = OsStr::from_bytes(b"Stack/\xff\xfe");
    let ran = program.run([OsStr::new("diff"), bytes]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    let ran = program.run([format!("diff/{}", "x".repeat(100_000))]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.len() < 250_000);
}

#[test]
fn nobody_reading_is_no_error() {
    let program = Program::new();
    for arguments in [["completions", "bash"], ["man", "--no-color"]] {
        let mut child =
            program.command().args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = Ran::from(child.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_names_its_place() {
    let program = Program::new();
    let file = program.work().join("config.yaml");
    std::fs::write(&file, "intervals:\n  gitPol: 5s\n").unwrap();
    let ran = program.run(["--config", "config.yaml", "status"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("config.yaml:2:3: error: unknown setting `intervals.gitPol`"), "{}", ran.err);
    assert!(ran.err.contains("Did you mean `intervals.gitPoll`?"));
    let ran = program.run(["--config", "absent.yaml", "status"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("failed to read configuration `absent.yaml`"), "{}", ran.err);
}

#[test]
fn init_commits_a_starter_and_refuses_a_folder_with_content() {
    let (program, state) = Program::starter();
    assert!(state.join("desired-state/hello.yaml").exists());
    let log = Command::new("git").arg("-C").arg(&state).args(["status", "--porcelain"]).output().unwrap();
    assert_eq!((log.status.success(), log.stdout.len()), (true, 0));
    let before = std::fs::read(state.join("README.md")).unwrap();
    let ran = program.run(["init", "state"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("is not empty"), "{}", ran.err);
    assert_eq!(std::fs::read(state.join("README.md")).unwrap(), before);
}

#[test]
fn init_without_an_identity_says_how_to_commit() {
    let program = Program::new();
    let ran = program.run(["init", "state"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("git config --global user.name"), "{}", ran.err);
}

#[test]
fn manual_pages_and_completions_are_written() {
    let program = Program::new();
    let ran = program.run(["man", "--out", "man"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let page = std::fs::read_to_string(program.work().join("man/ipaictl-diff.1")).unwrap();
    assert!(page.contains("detailed"));
    for name in COMMANDS.iter().map(|name| format!("ipaictl-{name}.1")).chain(["ipaictl.1".to_owned()]) {
        let page = std::fs::read_to_string(program.work().join("man").join(&name)).unwrap();
        for section in [".SH SYNOPSIS\n", ".SH EXAMPLES\n", ".SH \"EXIT STATUS\"\n"] {
            assert_eq!(page.matches(section).count(), 1, "{name}: {section}");
        }
        assert!(!page.contains("EXTRA") && !page.contains("\n..."), "{name}:\n{page}");
    }
    assert!(page.contains("[\\-\\-revision REV]") && page.contains("[KIND/NAME]..."), "{page}");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = program.run(["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("reconcile"), "{shell}");
    }
}

#[test]
fn the_starter_validates_and_problems_are_found_with_their_place() {
    let (program, state) = Program::starter();
    let validate = |arguments: &[&str]| {
        let ran = program.command().current_dir(&state).arg("validate").args(arguments).output().unwrap();
        Ran::from(ran)
    };
    let ran = validate(&["-o", "json"]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert_schema("validation", &ran.out);
    let file = state.join("desired-state/hello.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace("  host: local", "  hots: local");
    std::fs::write(&file, text).unwrap();
    let ran = validate(&[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("desired-state/hello.yaml:") && ran.out.contains("`hots`"), "{}", ran.out);
    let ran = validate(&["-o", "json"]);
    assert_eq!(ran.code, 1);
    assert_schema("validation", &ran.out);
    let ran = validate(&["desired-state/hello.yaml"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    // What is committed is still fine, and `diff` reads that.
    assert_eq!(validate(&["--revision", "main"]).code, 0);
    let ran = validate(&["desired-state", "--revision", "main"]);
    assert_eq!(ran.code, 2);
    let ran = validate(&["-o", "markdown"]);
    assert!(ran.code == 2 && ran.err.contains("no Markdown form"), "{}", ran.err);
    let ran = program.command().current_dir(&state).args(["diff", "--working-tree"]).output().unwrap();
    let ran = Ran::from(ran);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("is not valid") && ran.err.contains("`hots`"), "{}", ran.err);
}

#[test]
fn a_source_that_cannot_be_read_is_explained() {
    let program = Program::new();
    std::fs::write(program.work().join("file"), "x").unwrap();
    let unreachable = ["--repo", "https://127.0.0.1:1/x.git", "diff"];
    for (arguments, says) in [
        (vec!["diff"], "is not a git repository"),
        (vec!["--repo", "absent", "diff"], "failed to read `absent`"),
        (vec!["validate", "absent"], "failed to read `absent`"),
        (unreachable.to_vec(), "can't be reached"),
        (vec!["--repo", "ext::sh -c id", "diff"], "ext::sh"),
        (vec!["--path", "../..", "diff"], "leaves the repository"),
    ] {
        let ran = program.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
    // The same is a wrong setting to the controller, which waits only for what was there or is elsewhere.
    let ran = program.run(["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
    for arguments in
        [vec!["diff"], vec!["serve", "--listen", "127.0.0.1:0"], vec!["--repo", "absent", "diff"]]
    {
        let ran = program.run(&arguments);
        assert!(ran.err.contains("Hint: ") && ran.err.contains("ipaictl init"), "{arguments:?}: {}", ran.err);
    }
    let (program, state) = Program::starter();
    let state = state.to_str().unwrap();
    let ran = program.run(["diff", "--repo", state, "--path", "nope"]);
    assert!(ran.code == 2 && ran.err.contains("Hint: ") && ran.err.contains("--path"), "{}", ran.err);
    for (arguments, says) in [
        (vec!["--revision", "mian"], "Did you mean `main`?"),
        (vec!["--path", "desired-stat"], "desired-state"),
        (vec!["Stack/helo"], "Did you mean `Stack/hello`?"),
    ] {
        let ran = program.run(["diff", "--repo", state].iter().copied().chain(arguments.iter().copied()));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
    let ran = program.run(["diff", "--repo", state, "--revision", "mian", "--detailed-exitcode"]);
    assert_eq!(ran.code, 1);
}

#[test]
fn what_cannot_be_written_or_bound_ends_with_1_and_a_wrong_address_with_2() {
    let (program, state) = Program::starter();
    let state = state.to_str().unwrap();
    // A file stands where a folder is needed, which stops even root.
    std::fs::write(program.work().join("file"), "").unwrap();
    for arguments in
        [vec!["init", "file/state"], vec!["schema", "--out", "file/crds"], vec!["man", "--out", "file/man"]]
    {
        let ran = program.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("Hint: Name a place"), "{arguments:?}: {}", ran.err);
    }
    std::fs::remove_file(Path::new(state).join("desired-state/hello.yaml")).unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.env("HOME", program.home.path()).arg("-C").arg(state).args(arguments);
        assert!(command.status().unwrap().success());
    };
    git(&["commit", "-qam", "no stack"]);
    let ran = program.run(["plan", "--repo", state, "--out", "file/saved.plan"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains("Hint: Name a place"), "{}", ran.err);
    let ran = program.run(["plan", "--repo", state, "--out", "saved.plan"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_schema("saved-plan", &std::fs::read_to_string(program.work().join("saved.plan")).unwrap());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (address, code) in [(address.as_str(), 1), ("0.0.0.0:0", 2)] {
        let ran = program.run(["serve", "--repo", state, "--listen", address]);
        assert_eq!(ran.code, code, "{address}: {}", ran.err);
        assert!(ran.err.contains("Hint: "), "{}", ran.err);
    }
    std::fs::write(program.work().join("config.yaml"), "stateDir: file/state\n").unwrap();
    let ran = program.run(["--config", "config.yaml", "serve", "--repo", state, "--listen", "127.0.0.1:0"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
}

#[test]
fn a_v_says_what_was_read_and_how_long_it_took() {
    let (program, state) = Program::starter();
    let state = state.to_str().unwrap();
    assert!(!program.run(["diff", "--repo", state]).err.contains(" ms"));
    let ran = program.run(["diff", "--repo", state, "-v"]);
    for says in ["Read main ", "1 host, 0 repositories, 1 stack", "Host/local: ", "Observed and planned"] {
        assert!(ran.err.contains(says), "{says}: {}", ran.err);
    }
}

#[test]
fn a_preview_writes_nothing_and_prints_the_same_bytes_twice() {
    let (program, state) = Program::starter();
    let state = state.to_str().unwrap();
    for format in ["text", "json", "yaml", "markdown"] {
        let run = || program.run(["diff", "--repo", state, "-o", format]);
        let (first, second) = (run(), run());
        assert!([0, 1, 2].contains(&first.code), "{}", first.err);
        assert_eq!(first.out, second.out);
        if format == "json" {
            assert_schema("plan", &first.out);
        }
    }
    let entries = std::fs::read_dir(program.home.path()).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, [".gitconfig", "work"], "nothing but what the test made");
}

#[test]
fn doctor_says_how_to_mend_what_is_missing() {
    let (program, state) = Program::starter();
    let state = state.to_str().unwrap();
    let ran = program.run(["doctor", "--repo", state, "-o", "json"]);
    assert_schema("doctor", &ran.out);
    let ran = program.run(["doctor", "--repo", "absent"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("FAIL  state repository") && ran.out.contains("→"), "{}", ran.out);
}

#[test]
fn schemas_are_printed_and_written() {
    let program = Program::new();
    let ran = program.run(["schema", "--format", "jsonschema", "--kind", "stacks"]);
    assert_eq!(ran.code, 0);
    let schema: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(schema["title"], "Stack");
    let ran = program.run(["schema", "--out", "crds"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    for entry in std::fs::read_dir(&committed).unwrap() {
        let name = entry.unwrap().file_name();
        let written = std::fs::read(program.work().join("crds").join(&name)).unwrap();
        assert!(written == std::fs::read(committed.join(&name)).unwrap(), "{name:?}");
    }
    let ran = program.run(["schema", "--out", "one", "--format", "crd", "--kind", "host"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(std::fs::read_dir(program.work().join("one")).unwrap().count(), 1);
}

#[test]
fn the_page_about_the_command_line_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cli.md");
    let page = ipaictl::cli::reference::render();
    if std::env::var_os("IPAICTL_BLESS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/cli.md is stale; run: IPAICTL_BLESS=1 cargo test --test it cli");
}
