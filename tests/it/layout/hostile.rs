//! Files and names that mean harm, or are only wrong.

use std::fs;

use super::{assert_check, check, message, verify, write};
use crate::cli::{Program, Ran};

const MANIFEST: &str = "config/addons_manifest.oca_ipai.json";

fn with(manifest: &str) -> (Program, Ran) {
    let program = Program::new();
    write(&program.work().join("checkout").join(MANIFEST), manifest);
    let ran = program.run(["layout", "verify", "checkout"]);
    (program, ran)
}

fn with_field(field: &str, value: &str) -> String {
    let mut item =
        serde_json::json!({"name": "x", "url": "https://example.org/OCA/x.git", "path": "addons/oca/x"});
    item[field] = value.into();
    let (_, ran) = with(&serde_json::json!({"oca_repositories": [item]}).to_string());
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{field} {value}");
    assert!(!ran.err.contains('\u{1b}'), "{}", ran.err);
    ran.err
}

#[test]
fn an_unusable_manifest_is_an_error_with_its_place() {
    for (text, says) in [
        ("{\n  \"oca_repositories\": [,]\n}", ":2:24: error: `,` where a value belongs"),
        ("{\"oca_repositories\": {}}", ":1:22: error: `oca_repositories` must be a list, not an object"),
        ("{\"oca_repositories\": [{\"name\": 1}]}", ":1:32: error: `name` must be a text, not a number"),
        ("{\"oca_repositories\": [{\"name\": \"x\"}]}", "needs `url` and `path`"),
        ("[]", ":1:1: error: the file must hold an object, not a list"),
        ("{}", "there is no `oca_repositories`"),
        ("{\"oca_repositoriez\": []}", "is `oca_repositoriez` meant?"),
    ] {
        let (_, ran) = with(text);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{text}: {}", ran.err);
        assert!(ran.err.contains(&format!("{MANIFEST}:")) && ran.err.contains(says), "{text}: {}", ran.err);
    }
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    let (program, _) = with("{}");
    let text = [b"{\n \"\xc3\xb6\": \"".as_slice(), &[0xff, 0xfe], b"\"}"].concat();
    write(&program.work().join("checkout").join(MANIFEST), text);
    let ran = program.run(["layout", "verify", "checkout"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    assert!(ran.err.contains("line 2, column 8 is not UTF-8"), "{}", ran.err);
}

#[test]
fn wrong_types_in_other_files_are_said() {
    let (program, _) = with(r#"{"oca_repositories": []}"#);
    let checkout = program.work().join("checkout");
    for (file, text, says) in [
        ("oca.lock.json", "{\"repositories\": {\"web\": 5}}", "oca.lock.json:1:26"),
        ("repos.yaml", "./x:\n  merges: x\n", "`merges` must be a list, not a string"),
        ("repos.yaml", "./x:\n  remotes: {oca: 5}\n  merges: []\n", "`oca` must be a text, not a"),
        ("repos.yaml", "./x: {merges: []}\n./z: [5]\n", "`./z` must be a map, not a list"),
        ("repos.yaml", "../x:\n  remotes: {}\n", "the path `../x` is not one inside the checkout"),
        (
            "config/oca-repos.yaml",
            "repos: [{repo: OCA/web, branch: [1]}]\n",
            "`branch` must be a text, not a list",
        ),
        ("config/oca-repos.yaml", "repos: [5]\n", "`repo` must be a text, not a"),
        ("config/oca-repos.yaml", "repos: [{repo: {a: 1}}]\n", "`repo` must be a text, not a map"),
        ("compose.yaml", "services: {odoo: {volumes: [5]}}\n", "`volumes` must be a text, not a"),
        ("compose.yaml", "services: {odoo: {volumes: ./x}}\n", "`volumes` must be a list, not a string"),
        ("compose.yaml", "services: {odoo: 5}\n", "`odoo` must be a map, not a"),
    ] {
        write(&checkout.join(file), text);
        let (ran, report) = verify(&program, &[]);
        let said = check(&report, "catalogue", file);
        assert!(ran.code == 1 && said["verdict"] == "conflict", "{text}: {said}");
        assert!(said.to_string().contains(says), "{text}: {said}");
        fs::remove_file(checkout.join(file)).unwrap();
    }
}

#[test]
fn values_that_git_or_a_path_would_misunderstand_are_refused() {
    assert!(
        with_field("branch", "--upload-pack=evil").contains("`--upload-pack=evil` is no name of a branch")
    );
    assert!(with_field("branch", "a\u{1b}[31m\nb").contains("is no name of a branch"));
    assert!(with_field("path", "/etc").contains("`/etc` is not one inside the checkout"));
    assert!(with_field("path", "addons/../../x").contains("is not one inside the checkout"));
    assert!(with_field("commit", "main").contains("`main` is no full commit"));
    assert!(with_field("url", "ext::sh -c id").contains("not the address"));
    assert!(with_field("name", "--x").contains("no name of a repository"));
    for url in [
        "https://user:s3cr3t@example.org/OCA/x.git",
        "https://example.org/OCA/x.git?access_token=s3cr3t",
        "user:s3cr3t@example.org:OCA/x.git",
    ] {
        let leaked = with_field("url", url);
        assert!(leaked.contains("credential") && !leaked.contains("s3cr3t"), "{leaked}");
    }
    for branch in ["HEAD", "a//b", "a/", "18.0.lock"] {
        assert!(with_field("branch", branch).contains("is no name of a branch"), "{branch}");
    }
    let long = format!("https://example.org/OCA/{}.git", "w".repeat(250));
    let item = serde_json::json!({"name": "x", "url": long, "path": "addons/oca/x"});
    let (_, ran) = with(&serde_json::json!({"oca_repositories": [item]}).to_string());
    assert!(ran.code == 1 && !ran.err.contains("credential"), "{}", ran.err);
}

#[test]
fn folders_that_cannot_all_be_clones_are_conflicts() {
    let item = |name: &str, path: &str| serde_json::json!({"name": name, "url": format!("https://example.org/OCA/{name}.git"), "path": path});
    let items = [
        item("a", "addons/oca/a"),
        item("b", "addons/oca/a"),
        item("c", "addons/oca/a/c"),
        item("d", ".git/hooks"),
        item("e", "addons/oca/Web"),
        item("f", "addons/oca/web"),
    ];
    let (program, _) = with(&serde_json::json!({"oca_repositories": items}).to_string());
    let (ran, report) = verify(&program, &[]);
    assert_eq!((ran.code, report["declared"].as_u64()), (1, Some(6)));
    assert_check(&report, "clone", "addons/oca/a/c", "conflict", "lie in one another");
    assert_check(&report, "clone", ".git/hooks", "conflict", "git's own folder");
    assert_check(&report, "case", "addons/oca/web", "conflict", "`addons/oca/Web` and `addons/oca/web`");
    assert!(ran.out.contains("is the folder of another repository, too"), "{}", ran.out);
}

#[test]
fn other_files_that_are_wrong_are_conflicts_with_their_places() {
    let (program, _) = with(r#"{"oca_repositories": []}"#);
    let checkout = program.work().join("checkout");
    write(
        &checkout.join("oca.lock.json"),
        "{\"repositories\": {\"x\": {\"commit\": 3, \"branch\": \"--x\"}}}",
    );
    write(
        &checkout.join(".devcontainer/devcontainer.json"),
        "{ // comment\n \"mounts\": [\"source=${localWorkspaceFolder}/../x,target=/x\", 1,],\n}",
    );
    write(
        &checkout.join("repos.yaml"),
        "./addons/x:\n  remotes: {origin: 'https://u:s3cr3t@example.org/x'}\n  merges: [\"origin 18.0\"]\n",
    );
    write(&checkout.join(".gitmodules"), "[submodule \"x\"]\n\tpath = ../x\n\turl = --upload-pack=evil\n");
    write(&checkout.join("odoo.conf"), [0xff, 0xfe]);
    let (ran, report) = verify(&program, &[]);
    assert_eq!(ran.code, 1);
    let of = |file: &str, place: &str| message(check(&report, "catalogue", file), place).to_owned();
    assert!(of("oca.lock.json", "oca.lock.json:1:35").contains("`commit` must be a text, not a number"));
    assert!(
        of(".devcontainer/devcontainer.json", ".devcontainer/devcontainer.json:2:13")
            .contains("not a folder inside")
    );
    assert!(of("repos.yaml", "repos.yaml:3:12").contains("credentials"));
    assert!(of("odoo.conf", "odoo.conf:1:1").contains("can't be read"));
    let modules = check(&report, "catalogue", ".gitmodules").to_string();
    assert!(modules.contains("not the address") && modules.contains("`../x`"), "{modules}");
    assert!(!ran.out.contains("s3cr3t"));
}

#[test]
fn names_with_line_ends_and_escapes_are_shown_and_drive_no_terminal() {
    let (program, _) = with(
        r#"{"oca_repositories": [{"name": "x", "url": "https://example.org/OCA/x.git", "path": "addons/oca/x"}]}"#,
    );
    let home = program.work().join("checkout/addons/oca");
    fs::create_dir_all(home.join("a\u{1b}[2J\nb")).unwrap();
    let ran = program.run(["layout", "verify", "checkout"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("addons/oca/a\\u{1b}[2J b"), "{}", ran.out);
    assert!(!ran.out.contains('\u{1b}'));
}

#[test]
fn a_mount_that_holds_a_variable_is_not_known_and_is_said() {
    let (program, _) = with(
        r#"{"oca_repositories": [{"name": "x", "url": "https://example.org/OCA/x.git", "path": "addons/oca/x"}]}"#,
    );
    let compose = "services:\n  odoo:\n    volumes:\n      - ${ADDONS:-./addons/oca}:/mnt/addons\n      - ${DATA}/pg:/var/lib/data\n      - ./addons/own:/mnt/own\n";
    write(&program.work().join("checkout/docker-compose.yml"), compose);
    let (_, report) = verify(&program, &[]);
    let mount = "docker-compose.yml: ${ADDONS:-./addons/oca}";
    assert_check(&report, "mount", mount, "unknown", "`--mount FOLDER:/mnt/addons`");
    assert!(!report.to_string().contains("${DATA}"), "{report:#}");
    let (_, report) = verify(&program, &["--mount", "addons/oca:/mnt/addons"]);
    assert_check(&report, "mount", "docker-compose.yml: addons/oca", "drift", "the folder is not there");
    assert_check(&report, "mounts", "docker-compose.yml", "ok", "all that is declared is mounted");
}

#[test]
fn a_pipe_and_an_endless_file_in_the_place_of_a_file_stop_nothing() {
    let (program, _) = with(r#"{"oca_repositories": []}"#);
    let checkout = program.work().join("checkout");
    let made = std::process::Command::new("mkfifo").arg(checkout.join("repos.yaml")).status().unwrap();
    assert!(made.success());
    std::os::unix::fs::symlink("/dev/zero", checkout.join("oca.lock.json")).unwrap();
    write(&checkout.join(".gitmodules"), " ".repeat(1 << 21));
    let (_, report) = verify(&program, &[]);
    for (file, says) in
        [("repos.yaml", "not a file"), ("oca.lock.json", "not a file"), (".gitmodules", "longer than 1 MiB")]
    {
        let said = message(check(&report, "catalogue", file), &format!("{file}:1:1")).to_owned();
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn wrong_use_is_explained() {
    let (program, _) = with(r#"{"oca_repositories": []}"#);
    for (arguments, says) in [
        (vec!["layout"], "verify"),
        (vec!["layout", "verify", "nowhere"], "`nowhere` is not a folder"),
        (vec!["layout", "verify", "checkout", "--file", "../x"], "not a path inside the checkout"),
        (vec!["layout", "verify", "checkout", "--file", "gone.json"], "failed to read `checkout/gone.json`"),
        (
            vec!["layout", "verify", "checkout", "--manifest", "gone.json"],
            "failed to read `checkout/gone.json`",
        ),
        (vec!["layout", "verify", "checkout", "--odoo-conf", MANIFEST], "is no odoo.conf"),
        (vec!["layout", "verify", "checkout", "--mount", "x"], "not of the form FOLDER:PATH"),
        (vec!["layout", "verify", "checkout", "--owner", "odoo"], "not of the form UID:GID"),
        (vec!["layout", "verify", "checkout", "-o", "dot"], "shows no graph"),
    ] {
        let ran = program.run(&arguments);
        assert!(ran.code == 2 && ran.out.is_empty(), "{arguments:?}: {} {}", ran.code, ran.out);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_example_says_what_its_page_says() {
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/layout");
    let program = Program::new();
    let mut command = program.command();
    command.args(["layout", "verify", "checkout", "--core", "../deps/core", "-o", "json"]);
    let ran = Ran::from(command.current_dir(example).output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.err);
    let report = serde_json::from_str(&ran.out).unwrap();
    let mount = ".devcontainer/devcontainer.json: addons/oca/project-agile";
    assert_eq!(check(&report, "mount", mount)["cause"], "in no manifest");
    assert_eq!(check(&report, "visible", "addons/own")["cause"], "1 module");
    let said = message(check(&report, "must-have", "OCA/web"), "web_export_view").to_owned();
    assert!(said.contains("not on 18.0"), "{said}");
}
