//! Real clones in every state that is told apart.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::scene::age;
use super::{assert_check, git, verify, write};
use crate::cli::Program;

/// A remote with two commits on 18.0 and one on 17.0, and a checkout that declares it, pinned when told to.
struct Scene {
    program: Program,
    remote: PathBuf,
    first: String,
}

impl Scene {
    fn new() -> Self {
        let program = Program::new();
        let remote = program.work().join("OCA/queue");
        write(&remote.join("queue_job/__manifest__.py"), "{'name': 'Queue'}");
        git(&remote, &["init", "-q", "-b", "18.0"]);
        git(&remote, &["add", "-A"]);
        git(&remote, &["commit", "-qm", "one"]);
        git(&remote, &["branch", "17.0"]);
        let first = git(&remote, &["rev-parse", "HEAD"]);
        write(&remote.join("later/__manifest__.py"), "{'name': 'Later'}");
        git(&remote, &["add", "-A"]);
        git(&remote, &["commit", "-qm", "two"]);
        let scene = Scene { program, remote, first };
        scene.declare("");
        scene
    }

    fn declare(&self, more: &str) {
        let url = self.remote.display();
        let text = format!(
            r#"{{"oca_repositories": [{{"name": "queue", "url": "{url}", "path": "addons/oca/queue"{more}}}]}}"#
        );
        write(&self.checkout().join("config/addons_manifest.oca_ipai.json"), text);
    }

    fn checkout(&self) -> PathBuf {
        self.program.work().join("checkout")
    }

    fn folder(&self) -> PathBuf {
        self.checkout().join("addons/oca/queue")
    }

    fn clone(&self, more: &[&str]) {
        let _ = fs::remove_dir_all(self.folder());
        let url = format!("file://{}", self.remote.display());
        let folder = self.folder();
        let mut arguments = vec!["clone", "-q"];
        arguments.extend(more);
        arguments.extend([url.as_str(), folder.to_str().unwrap()]);
        git(&self.program.work(), &arguments);
        git(&folder, &["remote", "set-url", "origin", self.remote.to_str().unwrap()]);
    }

    fn verify(&self) -> Value {
        verify(&self.program, &[]).1
    }

    fn says(&self, id: &str, verdict: &str, cause: &str) {
        assert_check(&self.verify(), id, "addons/oca/queue", verdict, cause);
    }
}

#[test]
fn a_sound_clone_is_ok_in_every_respect() {
    let scene = Scene::new();
    scene.clone(&[]);
    let (ran, report) = verify(&scene.program, &[]);
    assert_eq!((ran.code, report["present"].as_u64()), (0, Some(1)), "{report:#}");
    for id in ["clone", "remote", "branch", "clean", "modules"] {
        scene.says(id, "ok", "");
    }
    let ran = scene.program.run(["layout", "verify", "checkout"]);
    assert!(ran.err.contains("1 of 1 repositories present."), "{}", ran.err);
}

#[test]
fn what_is_no_complete_clone_is_told_apart() {
    let scene = Scene::new();
    scene.says("clone", "drift", "missing");
    fs::create_dir_all(scene.folder()).unwrap();
    scene.says("clone", "drift", "an empty folder");
    git(&scene.folder(), &["init", "-q", "-b", "18.0"]);
    scene.says("clone", "conflict", "somebody may be making it, less than 10 minutes ago");
    age(&scene.folder());
    scene.says("clone", "drift", "never completed: nothing was ever checked out");
    fs::remove_dir_all(scene.folder()).unwrap();
    scene.clone(&["--no-checkout"]);
    age(&scene.folder());
    scene.says("clone", "drift", "never completed: its files were never written");
    fs::create_dir(scene.folder().join("queue_job")).unwrap();
    fs::write(scene.folder().join("queue_job/__manifest__.py"), "{'na").unwrap();
    scene.says("clone", "drift", "never completed: its files were never written");
    fs::remove_dir_all(scene.folder().join(".git/refs")).unwrap();
    fs::remove_dir_all(scene.folder().join("queue_job")).unwrap();
    fs::remove_file(scene.folder().join(".git/packed-refs")).unwrap();
    age(&scene.folder());
    scene.says("clone", "drift", "never completed: git does not take it for a repository");
    fs::remove_dir_all(scene.folder()).unwrap();
    write(&scene.folder().join("README"), "x");
    scene.says("clone", "conflict", "files without a clone");
    fs::remove_dir_all(scene.folder()).unwrap();
    write(&scene.folder(), "x");
    scene.says("clone", "conflict", "not a folder");
    fs::remove_file(scene.folder()).unwrap();
    symlink("nowhere", scene.folder()).unwrap();
    scene.says("clone", "conflict", "not a folder");
    scene.says("link", "drift", "where nothing is");
}

#[test]
fn a_wrong_remote_a_wrong_branch_and_a_detached_head_are_told_apart() {
    let scene = Scene::new();
    scene.clone(&["-b", "17.0"]);
    scene.says("branch", "drift", "on `17.0`, not on `18.0`");
    git(&scene.folder(), &["checkout", "-q", "--detach"]);
    scene.says("branch", "drift", "detached at ");
    git(&scene.folder(), &["remote", "set-url", "origin", "https://user:s3cr3t@example.org/other.git"]);
    let report = scene.verify();
    assert_check(
        &report,
        "remote",
        "addons/oca/queue",
        "conflict",
        "a clone of `https://example.org/other.git`",
    );
    assert!(!report.to_string().contains("s3cr3t"));
    git(&scene.folder(), &["remote", "remove", "origin"]);
    scene.says("remote", "conflict", "no remote");
}

#[test]
fn a_pin_that_is_not_there_and_a_shallow_clone_are_told_apart() {
    let scene = Scene::new();
    scene.clone(&[]);
    let pin = format!(r#", "commit": "{}""#, scene.first);
    scene.declare(&pin);
    scene.says("pin", "drift", ", its pin is at ");
    git(&scene.folder(), &["checkout", "-q", &scene.first]);
    scene.says("pin", "ok", "");
    scene.says("branch", "ok", "detached at its pin");
    scene.clone(&["--depth", "1"]);
    scene.says("pin", "drift", "shallow at ");
}

#[test]
fn what_somebody_works_on_is_a_conflict_and_never_drift() {
    let scene = Scene::new();
    scene.clone(&["-b", "17.0"]);
    write(&scene.folder().join("new.py"), "x");
    write(&scene.folder().join("queue_job/__manifest__.py"), "{'name': 'Mine'}");
    scene.says("clean", "conflict", "uncommitted work in 2 files: new.py, queue_job/__manifest__.py");
    scene.says("branch", "conflict", "on `17.0`");
    git(&scene.folder(), &["add", "-A"]);
    git(&scene.folder(), &["commit", "-qm", "mine"]);
    scene.says("clean", "conflict", "1 commit that the remote lacks");
    assert!(scene.folder().join("new.py").exists());
}

#[test]
fn an_incomplete_clone_with_work_in_it_is_a_conflict() {
    let scene = Scene::new();
    let is_left = |work: &str| scene.says("clone", "conflict", &format!("with work in it: {work}"));
    // A branch without commits, begun in a clone that is complete.
    scene.clone(&[]);
    git(&scene.folder(), &["checkout", "-q", "--orphan", "fresh"]);
    is_left("later");
    git(&scene.folder(), &["rm", "-rfq", "."]);
    age(&scene.folder());
    scene.says("clone", "drift", "never completed: nothing was ever checked out");
    write(&scene.folder().join("new.py"), "x");
    git(&scene.folder(), &["add", "new.py"]);
    fs::remove_file(scene.folder().join("new.py")).unwrap();
    is_left("new.py");
    // Commits, stashed work, and files beside an index that was lost.
    scene.clone(&[]);
    git(&scene.folder(), &["commit", "-q", "--allow-empty", "-m", "mine"]);
    fs::remove_file(scene.folder().join(".git/index")).unwrap();
    is_left("commits that no remote has on `18.0`");
    scene.clone(&[]);
    write(&scene.folder().join("queue_job/__manifest__.py"), "{'name': 'Mine'}");
    git(&scene.folder(), &["stash", "-q"]);
    fs::remove_file(scene.folder().join(".git/index")).unwrap();
    is_left("stashed work");
    scene.clone(&[]);
    write(&scene.folder().join("queue_job/__manifest__.py"), "{'name': 'Mine'}");
    fs::remove_file(scene.folder().join(".git/index")).unwrap();
    is_left("queue_job/__manifest__.py");
    // What a disk left of a clone that was full.
    scene.clone(&[]);
    fs::write(scene.folder().join(".git/HEAD"), "").unwrap();
    is_left("later");
}

#[test]
fn commits_of_a_branch_that_no_remote_has_are_somebodys_work() {
    let scene = Scene::new();
    scene.clone(&[]);
    git(&scene.folder(), &["checkout", "-q", "-b", "feature"]);
    scene.says("branch", "drift", "on `feature`");
    git(&scene.folder(), &["commit", "-q", "--allow-empty", "-m", "mine"]);
    scene.says("clean", "conflict", "1 commit that the remote lacks");
    scene.says("branch", "conflict", "on `feature`");
}

#[test]
fn orphans_are_told_by_what_they_are() {
    let scene = Scene::new();
    scene.clone(&[]);
    let home: &Path = &scene.checkout().join("addons/oca");
    fs::create_dir(home.join("empty")).unwrap();
    write(&home.join("files/x"), "x");
    git(home, &["clone", "-q", scene.remote.to_str().unwrap(), "other"]);
    symlink("/", home.join("away")).unwrap();
    let report = scene.verify();
    for (name, cause) in
        [("empty", "an empty folder"), ("files", "files that no"), ("other", "a clone that no")]
    {
        assert_check(&report, "orphan", &format!("addons/oca/{name}"), "drift", cause);
    }
    assert_check(&report, "link", "addons/oca/away", "conflict", "outside the checkout");
}

#[test]
fn what_cannot_be_told_is_neither_sound_nor_different() {
    let scene = Scene::new();
    write(&scene.remote.join("queue_job/__manifest__.py"), "{'name': 'Queue', 'depends': ['base']}");
    git(&scene.remote, &["commit", "-qam", "three"]);
    scene.clone(&[]);
    let ran = scene.program.run(["layout", "verify", "checkout", "-v"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    let says = "1 name may be Odoo's own, which `--core` names";
    let line = ran.out.lines().find(|line| line.contains("dependencies")).unwrap();
    assert!(line.starts_with("unknown") && line.contains(says), "{line}");
    write(&scene.program.work().join("core/base/__manifest__.py"), "{'name': 'Base'}");
    let ran = scene.program.run(["layout", "verify", "checkout", "--core", "core"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.lines().all(|line| line.starts_with("ok ")), "{}", ran.out);
}

#[test]
fn roots_in_another_order_than_the_manifest_are_a_conflict() {
    let scene = Scene::new();
    scene.clone(&[]);
    let text = format!(
        r#"{{"roots": {{"own": "addons/own"}}, "oca_repositories": [{{"name": "queue", "url": "{}", "path": "addons/oca/queue"}}]}}"#,
        scene.remote.display()
    );
    write(&scene.checkout().join("config/addons_manifest.oca_ipai.json"), text);
    write(&scene.checkout().join("addons/own/queue_job/__manifest__.py"), "{'name': 'Mine'}");
    let conf = "[options]\naddons_path = /mnt/x/own, /mnt/x/oca/queue\n";
    write(&scene.checkout().join("odoo.conf"), conf);
    let options = ["--odoo-conf", "odoo.conf", "--mount", "addons:/mnt/x"];
    let (ran, report) = verify(&scene.program, &options);
    assert_eq!(ran.code, 1);
    assert_check(&report, "addons-path", "odoo.conf", "conflict", "order: the order is not the manifest's");
    assert_check(&report, "duplicate", "queue_job", "conflict", "a server sees `addons/own/queue_job`");
    assert_check(
        &report,
        "visible",
        "addons/oca/queue",
        "ok",
        "2 modules; 1 of them hidden by earlier roots: queue_job",
    );
    assert_check(&report, "visible", "odoo.conf", "ok", "a server sees 2 modules");
}

#[test]
fn an_orphan_that_holds_somebodys_work_is_a_conflict() {
    let scene = Scene::new();
    scene.clone(&[]);
    let home = scene.checkout().join("addons/oca");
    let url = format!("file://{}", scene.remote.display());
    for name in ["stashed", "branched", "group/deep", "clean"] {
        git(&home, &["clone", "-q", &url, name]);
    }
    write(&home.join("stashed/queue_job/__manifest__.py"), "{'name': 'Mine'}");
    git(&home.join("stashed"), &["stash", "-q"]);
    git(&home.join("branched"), &["checkout", "-q", "-b", "mine"]);
    git(&home.join("branched"), &["commit", "-q", "--allow-empty", "-m", "mine"]);
    git(&home.join("branched"), &["checkout", "-q", "18.0"]);
    write(&home.join("group/deep/new.py"), "mine");
    git(&home.join("clean"), &["worktree", "add", "-q", "../linked", "-b", "linked"]);
    let report = scene.verify();
    for (name, verdict, why) in [
        ("stashed", "conflict", "stashed work"),
        ("branched", "conflict", "commits that no remote has on `mine`"),
        ("group", "conflict", "in `deep`: uncommitted work in 1 file: new.py"),
        ("linked", "conflict", "another repository has its work tree here"),
        ("clean", "conflict", "other work trees hang on it"),
    ] {
        assert_check(&report, "orphan", &format!("addons/oca/{name}"), verdict, why);
    }
    // A stash is no name for a commit of a detached HEAD.
    git(&scene.folder(), &["checkout", "-q", "--detach"]);
    git(&scene.folder(), &["commit", "-q", "--allow-empty", "-m", "mine"]);
    write(&scene.folder().join("queue_job/__manifest__.py"), "{'name': 'Mine'}");
    git(&scene.folder(), &["stash", "-q"]);
    scene.says("clean", "conflict", "1 commit that the remote lacks");
}
