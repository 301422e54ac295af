//! `ipaictl deps`, the real program, over the fixture and over small trees.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{fixture, known, write_module, write_tree};
use crate::cli::{Program, Ran, assert_schema};

fn json(ran: &Ran) -> Value {
    assert_schema("deps", &ran.out);
    serde_json::from_str(&ran.out).unwrap()
}

fn names(modules: &Value) -> Vec<&str> {
    modules.as_array().unwrap().iter().map(|module| module["name"].as_str().unwrap()).collect()
}

/// `base`, `web`, `sale` and a feature-rich handful around them, in `work/core` and `work/addons`.
fn small() -> Program {
    let program = Program::new();
    let (core, addons) = (program.work().join("core"), program.work().join("addons"));
    write_module(&core, "base", "{'name': 'Base'}");
    write_module(&core, "web", "{'depends': ['base'], 'auto_install': True}");
    write_module(&core, "sale", "{'depends': ['web'], 'license': 'LGPL-3'}");
    write_module(&core, "sale_mail", "{'depends': ['sale', 'base'], 'auto_install': ['sale']}");
    write_module(&core, "sale_be", "{'depends': ['sale'], 'auto_install': True, 'countries': ['be']}");
    write_module(
        &addons,
        "shop",
        "{'depends': ['sale'], 'license': 'AGPL-3', 'external_dependencies': {'python': ['lxml>=5'], 'bin': ['git']}}",
    );
    write_module(&addons, "sale", "{'depends': ['gone']}");
    program
}

fn deps(program: &Program, more: &[&str]) -> Ran {
    let mut arguments = vec!["deps", "--core", "core", "--root", "addons"];
    arguments.extend(more);
    program.run(arguments)
}

#[test]
fn a_closure_is_in_load_order_and_core_wins() {
    let program = small();
    let ran = deps(&program, &["shop", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report = json(&ran);
    assert_eq!(names(&report["modules"]), ["base", "web", "sale", "shop"]);
    assert_eq!(report["modules"][2]["path"], "core/sale");
    assert_eq!(report["modules"][2]["shadows"][0], "addons/sale");
    assert_eq!(report["autoInstalled"], serde_json::json!({"sale_mail": ["sale"]}));
    assert_eq!(report["autoInstalledByCountry"], serde_json::json!({"sale_be": ["be"]}));
    let again = deps(&program, &["shop", "-o", "json"]);
    assert_eq!(again.out, ran.out, "the cache changes nothing");
}

#[test]
fn every_face_shows_the_same_graph() {
    let program = small();
    let out = |more: &[&str]| {
        let ran = deps(&program, more);
        assert_eq!(ran.code, 0, "{more:?}: {}", ran.err);
        ran.out
    };
    assert!(
        out(&["shop"]).contains("3      shop    18.0.1.0  -           addons/shop  wanted"),
        "{}",
        out(&["shop"])
    );
    assert_eq!(out(&["shop", "--tree"]), "shop\n  sale\n    web\n      base\n");
    assert!(out(&["shop", "--external"]).contains("python  lxml>=5  shop"));
    assert!(out(&["shop", "--licenses"]).contains("AGPL-3   1        shop"));
    let reverse = out(&["web", "--reverse"]);
    assert!(
        reverse.contains("sale_mail") && reverse.contains("shop") && !reverse.contains("base"),
        "{reverse}"
    );
    assert!(out(&["shop", "-o", "dot"]).contains("\"shop\" -> \"sale\";"));
    assert!(out(&["shop", "-o", "mermaid"]).contains("m3 --> m2"));
    let svg = out(&["shop", "-o", "svg"]);
    assert!(
        svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>") && svg.matches("<rect ").count() == 4
    );
}

#[test]
fn cycles_are_reported_with_their_files_and_the_rest_is_ordered() {
    let program = small();
    let addons = program.work().join("addons");
    write_module(&addons, "a", "{'depends': ['b', 'sale']}");
    write_module(&addons, "b", "{'depends': ['c']}");
    write_module(&addons, "c", "{'depends': ['a']}");
    write_module(&addons, "above", "{'depends': ['a']}");
    let ran = deps(&program, &["above", "shop", "-o", "json"]);
    assert_eq!(ran.code, 1);
    let report = json(&ran);
    assert_eq!(names(&report["cycles"][0]["members"]), ["a", "b", "c"]);
    assert_eq!(report["cycles"][0]["members"][1]["manifest"], "addons/b/__manifest__.py");
    assert_eq!(names(&report["modules"]), ["base", "web", "sale", "shop", "a", "above", "b", "c"]);
    assert_eq!(report["modules"][5]["blockedBy"][0], "a");
    let text = deps(&program, &["above"]);
    assert!(text.out.contains("Cycle: a → b → c → a\n  addons/a/__manifest__.py"), "{}", text.out);
}

#[test]
fn a_wrong_use_is_explained_and_ends_with_2() {
    let program = small();
    for (arguments, says) in [
        (vec!["deps"], "MODULE|FEATURE"),
        (vec!["deps", "x"], "no folder of modules"),
        (vec!["deps", "x", "--root", "nowhere"], "failed to read the root `nowhere`"),
        (vec!["deps", "x", "--root", "addons", "--series", "next"], "not a series"),
        (vec!["deps", "feature:x", "--root", "addons"], "no feature `x`"),
        (vec!["deps", "a b", "--root", "addons"], "no name of a module"),
        (vec!["deps", "x", "--root", "addons", "--install", "-o", "json"], "text alone"),
        (
            vec!["deps", "x", "--root", "addons", "--database", "mysql://u:s3cr3t@h/d"],
            "not the URL of a PostgreSQL",
        ),
        (vec!["diff", "-o", "svg"], "shows no graph"),
    ] {
        let ran = program.run(&arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says) && !ran.err.contains("s3cr3t"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_misspelled_feature_is_named_beside_the_modules() {
    let program = small();
    let manifest = program.work().join("addons.json");
    fs::write(&manifest, r#"{"oca_repositories": [], "features": {"billing": ["shop"]}}"#).unwrap();
    let ran = deps(&program, &["--manifest", "addons.json", "billign"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("did you mean `billing`?"), "{}", ran.out);
    let ran = deps(&program, &["--manifest", "addons.json", "billing"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// The tree of the fixture with its own addons manifest; `queue` is cloned, the other 18 repositories are not.
fn production() -> Option<Program> {
    let program = Program::new();
    let work = program.work();
    write_tree(&work, &known()?, |number| number);
    fs::create_dir_all(work.join("addons/oca")).unwrap();
    fs::rename(work.join("ipai/addons"), work.join("ours")).unwrap();
    fs::rename(work.join("ours/ipai"), work.join("addons/ipai")).unwrap();
    fs::rename(work.join("oca/addons/oca/queue"), work.join("addons/oca/queue")).unwrap();
    fs::create_dir_all(work.join("addons/ipai/ipai_finance_ppm")).unwrap();
    let manifest = fixture()?.join("config/addons_manifest.oca_ipai.json");
    fs::copy(manifest, work.join("manifest.json")).unwrap();
    Some(program)
}

fn cause(program: &Program, module: &str) -> String {
    let arguments =
        ["--core", "core/odoo/addons", "--core", "core/addons", "--manifest", "manifest.json", "-o", "json"];
    let ran = program.run(["deps", module].iter().chain(&arguments));
    assert_eq!(ran.code, 1, "{module}: {}", ran.err);
    let report = json(&ran);
    let missing = report["missing"].as_array().unwrap();
    let own = missing
        .iter()
        .find(|missing| missing["name"] == module)
        .unwrap_or_else(|| panic!("{module}: {missing:?}"));
    format!("{}: {}", own["cause"]["kind"].as_str().unwrap(), own["message"].as_str().unwrap())
}

#[test]
fn every_cause_of_a_missing_module_is_told_apart() {
    let Some(program) = production() else { return };
    for (module, expected) in [
        ("web_responsive", "notCloned: in OCA/web, which is not cloned to `addons/oca/web`"),
        ("auth_admin_passkey", "otherRepository: lives in OCA/server-auth, which is not in the manifest"),
        (
            "stock_picking_line_sequence",
            "noRepository: in no repository of the manifest that is cloned (18 are not)",
        ),
        ("mass_editing", "renamed: now `server_action_mass_edit` in OCA/server-ux"),
        (
            "account_statement_import",
            "renamed: now `account_statement_import_base` and `account_statement_import_file`",
        ),
        ("web_export_view", "notOnSeries: not on 18.0; last seen on 12.0 of OCA/web"),
        ("sale_invoice_block", "notOnSeries: not on 18.0, nor on any series known"),
        (
            "sale_blanket_order",
            "notCloned: in OCA/sale-workflow, which is not cloned to `addons/oca/sale-workflow`",
        ),
        ("fetchmail", "coreOfOtherSeries: only in core until 16.0, merged into `mail` since"),
        ("ipai_finance_ppm", "notInstallable: `addons/ipai/ipai_finance_ppm`: the folder has no manifest"),
        (
            "base_tier_validation",
            "notCloned: in OCA/server-ux, which is not cloned to `addons/oca/server-ux`; the manifest lists it under OCA/server-tools",
        ),
        ("ipai_workspace_cor", "noRepository: in no repository of the manifest"),
    ] {
        assert!(cause(&program, module).starts_with(expected), "{module}: {}", cause(&program, module));
    }
    fs::remove_dir_all(program.work().join("addons/oca/queue/queue_job")).unwrap();
    assert!(cause(&program, "queue_job").starts_with("notInClone: expected in OCA/queue"));
}

#[test]
fn a_copy_that_hides_a_better_one_is_named() {
    let program = small();
    let (one, two) = (program.work().join("one"), program.work().join("two"));
    write_module(&one, "ipai_ai_rag", "{'installable': False, 'version': '19.0.1.0.0'}");
    write_module(&two, "ipai_ai_rag", "{'depends': ['base'], 'version': '18.0.1.0.0'}");
    write_module(&two, "ipai_foundation", "{'version': '19.0.1.0.0'}");
    let ran = program.run(["deps", "ipai_ai_rag", "ipai_foundation", "--root", "one", "--root", "two"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("`two/ipai_ai_rag` is shadowed by `one/ipai_ai_rag`"), "{}", ran.out);
    assert!(ran.out.contains("its version `19.0.1.0.0` is for series 19.0"), "{}", ran.out);
    let ran = program.run(["deps", "ipai_ai_rag", "--core", "core", "--root", "two", "--root", "one"]);
    assert_eq!(ran.code, 0, "the other order: {}", ran.out);
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=Tester", "-c", "user.email=tester@example.org"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with one module and one commit.
fn queue(program: &Program) -> PathBuf {
    let remote = program.work().join("remotes/OCA/queue");
    write_module(&remote, "queue_job", "{'depends': ['base']}");
    git(&remote, &["init", "-q", "-b", "18.0"]);
    git(&remote, &["add", "-A"]);
    git(&remote, &["commit", "-qm", "one"]);
    remote
}

fn shell(program: &Program, script: &str) -> Ran {
    fs::write(program.work().join("install.sh"), script).unwrap();
    let mut command = Command::new("sh");
    command.arg("install.sh").current_dir(program.work()).env_remove("DATABASE");
    Ran::from(command.output().unwrap())
}

#[test]
fn the_printed_commands_clone_exactly_what_is_needed_at_its_pin_and_do_nothing_twice() {
    let program = small();
    let remote = queue(&program);
    let pin = git(&remote, &["rev-parse", "HEAD"]);
    write_module(&remote, "later", "{'depends': ['base']}");
    git(&remote, &["add", "-A"]);
    git(&remote, &["commit", "-qm", "two"]);
    let url = remote.display();
    let manifest = format!(
        r#"{{"oca_repositories": [
            {{"name": "queue", "url": "{url}", "path": "oca dir/queue", "commit": "{pin}"}},
            {{"name": "web", "url": "https://example.org/OCA/web.git", "path": "oca dir/web"}}],
            "oca_must_have_modules": {{"queue": ["queue_job"]}}}}"#
    );
    fs::write(program.work().join("manifest.json"), manifest).unwrap();
    let install = |names: &[&str]| {
        let mut arguments = vec!["--manifest", "manifest.json", "--install"];
        arguments.extend(names);
        deps(&program, &arguments)
    };
    let first = install(&["must-have"]);
    assert_eq!(first.code, 1, "{}", first.err);
    assert!(!first.out.contains("OCA/web") && !first.out.contains("--init"), "{}", first.out);
    let ran = shell(&program, &first.out);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let clone = program.work().join("oca dir/queue");
    assert_eq!(git(&clone, &["rev-parse", "HEAD"]), pin);
    assert!(!clone.join("later").exists(), "the clone is at its pin");
    let before = fs::metadata(clone.join(".git/HEAD")).unwrap().modified().unwrap();
    let second = shell(&program, &first.out);
    assert_eq!((second.code, second.err.as_str()), (0, ""));
    assert_eq!(fs::metadata(clone.join(".git/HEAD")).unwrap().modified().unwrap(), before);
    let complete = install(&["must-have"]);
    assert_eq!(complete.code, 0, "{}", complete.err);
    assert!(
        complete.out.contains("wanted='base queue_job'") && complete.out.contains("--init"),
        "{}",
        complete.out
    );
    assert_eq!(shell(&program, &complete.out).code, 2, "it asks for the database");
}

#[test]
fn base_is_first_dependents_say_so_and_none_is_no_version() {
    let program = small();
    let root = program.work().join("more");
    write_module(&root, "aaa", "{'depends': []}");
    write_module(&root, "bbb", "{'depends': ['aaa', 'base']}");
    write_module(&root, "none", "{'version': None}");
    write_module(&root, "needs_none", "{'depends': None}");
    let ran = deps(&program, &["bbb", "--root", "more"]);
    let names: Vec<&str> =
        ran.out.lines().skip(1).filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!((ran.code, names), (0, vec!["base", "aaa", "bbb"]), "{}", ran.out);
    let ran = deps(&program, &["aaa", "--root", "more", "--reverse"]);
    assert!(ran.out.contains("needs it") && !ran.out.contains("needed"), "{}", ran.out);
    for (module, why) in [("none", "`version` must be text"), ("needs_none", "`depends` must be a list")] {
        let ran = deps(&program, &[module, "--root", "more"]);
        let said = format!("{}{}", ran.out, ran.err);
        assert!(ran.code == 1 && said.contains(why) && said.contains("Odoo refuses"), "{said}");
    }
}

#[test]
fn the_printed_commands_stop_before_somebodys_work() {
    let program = small();
    let remote = queue(&program);
    let clone = program.work().join("oca/queue");
    git(&program.work(), &["clone", "-q", remote.to_str().unwrap(), clone.to_str().unwrap()]);
    fs::write(remote.join("local.cfg"), "tracked").unwrap();
    git(&remote, &["add", "-A"]);
    git(&remote, &["commit", "-qm", "two"]);
    let pin = git(&remote, &["rev-parse", "HEAD"]);
    let manifest = format!(
        r#"{{"oca_repositories": [{{"name": "queue", "url": "{}", "path": "oca/queue", "commit": "{pin}"}}]}}"#,
        remote.display()
    );
    fs::write(program.work().join("manifest.json"), manifest).unwrap();
    let script =
        deps(&program, &["queue_job", "--root", "oca/queue", "--manifest", "manifest.json", "--install"]).out;
    // The modules need a database, which is asked for at the end.
    let stops = |why: &str| {
        let ran = shell(&program, &script);
        assert!(ran.code == 1 && ran.err.contains(why), "{why}: {} {}", ran.code, ran.err);
    };
    fs::write(clone.join(".git/info/exclude"), "local.cfg\n").unwrap();
    fs::write(clone.join("local.cfg"), "mine").unwrap();
    stops("local.cfg");
    assert_eq!(fs::read_to_string(clone.join("local.cfg")).unwrap(), "mine");
    fs::remove_file(clone.join("local.cfg")).unwrap();
    fs::write(clone.join("new.py"), "mine").unwrap();
    stops("has changes of its own: nothing was done to it");
    git(&clone, &["checkout", "-q", "--detach"]);
    git(&clone, &["add", "new.py"]);
    git(&clone, &["commit", "-qm", "mine"]);
    stops("has commits on no branch: nothing was done to it");
    git(&clone, &["branch", "mine"]);
    git(&clone, &["remote", "set-url", "origin", "https://example.org/OCA/web.git"]);
    stops("is a clone of something else than");
    git(&clone, &["remote", "set-url", "origin", &format!("file://{}", remote.display())]);
    assert_eq!(shell(&program, &script).code, 2, "it goes on to ask for the database");
    assert_eq!(git(&clone, &["rev-parse", "HEAD"]), pin);
}

#[test]
fn the_example_shows_what_its_page_says() {
    let program = Program::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/deps");
    let run = |arguments: &[&str]| {
        Ran::from(program.command().current_dir(&folder).args(arguments).output().unwrap())
    };
    let ran = run(&["deps", "shopping", "--core", "core", "--manifest", "addons.json", "--checkout", "."]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("queue_job: in OCA/queue, which is not cloned to `oca/queue`"), "{}", ran.out);
    let ran = run(&["deps", "sale", "--core", "core", "--tree"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "sale\n  web\n    base\n"));
}
