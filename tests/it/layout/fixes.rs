//! What is corrected: by `apply`, over real servers, slow, failing and truncated ones included.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::scene::{Line, Scene, age, next_commit};
use super::{git, write};

#[test]
fn a_fresh_machine_gets_its_checkout_and_all_clones_in_one_run() {
    let mut scene = Scene::new(&["web", "queue"]);
    let pin = next_commit(&scene.remote("queue"), "queue");
    next_commit(&scene.remote("queue"), "queue");
    scene.describe(json!({"pins": "oca.lock.json"}));
    let web = git(&scene.remote("web"), &["rev-parse", "HEAD"]);
    let lock = json!({"repositories": {"queue": {"commit": pin, "branch": "18.0"}, "web": {"commit": web, "branch": "18.0"}}});
    scene.commit_code("oca.lock.json", &lock.to_string());
    let diff = scene.diff();
    for line in
        ["+   checkout CHECKOUT  create: missing", "+   checkout CHECKOUT/addons/oca/web  create: missing"]
    {
        let line = line.replace("CHECKOUT", scene.checkout().to_str().unwrap());
        assert!(diff.contains(&line), "{line} in {diff}");
    }
    let ran = scene.applied();
    assert!(ran.out.contains("Applied and verified: 3 done"), "{}", ran.out);
    assert_eq!(scene.head("web"), (web, "HEAD".to_owned()));
    assert_eq!(scene.head("queue"), (pin, "HEAD".to_owned()));
    // A clone is partial, complete to look at, and no program is kept from opening it.
    assert_eq!(git(&scene.clone("web"), &["config", "remote.origin.promisor"]), "true");
    assert_eq!(git(&scene.clone("web"), &["status", "--porcelain"]), "");
    assert_eq!(git(&scene.checkout(), &["status", "--porcelain"]), "");
    // Doing it again is doing nothing.
    let again = scene.applied();
    assert!(!again.out.contains("done"), "{}", again.out);
}

#[test]
fn evidence_says_before_after_commands_and_commits() {
    let scene = Scene::new(&["web"]);
    let ran = scene.applied();
    let folder = ran.out.lines().find_map(|line| line.strip_prefix("Evidence: ")).expect("evidence");
    let read = |file: &str| fs::read_to_string(std::path::Path::new(folder).join(file)).unwrap();
    let (before, after): (Value, Value) = (
        serde_json::from_str(&read("before.json")).unwrap(),
        serde_json::from_str(&read("after.json")).unwrap(),
    );
    assert_eq!(before["layouts"]["oca"]["known"]["exists"], json!(false), "{before:#}");
    let clone = &after["layouts"]["oca"]["known"]["places"]["addons/oca/web"]["clone"];
    assert_eq!(clone["commit"], json!(scene.head("web").0), "{after:#}");
    let said = fs::read_dir(folder)
        .unwrap()
        .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap_or_default());
    let said: String = said.collect();
    assert!(said.contains("cloned `git://") && said.contains(&scene.head("web").0), "{said}");
    assert!(said.contains("ran `git clone --progress --filter=blob:none"), "{said}");
}

#[test]
fn four_are_cloned_at_a_time() {
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let mut scene = Scene::new(&names);
    let proxy = scene.line(&names, Line::Slow(Duration::from_millis(300)));
    scene.applied();
    let most = proxy.most.load(Ordering::SeqCst);
    assert!((2..=4).contains(&most), "{most} at once");
}

#[test]
fn what_is_in_the_way_is_kept() {
    let scene = Scene::new(&["web", "queue", "server-tools", "ai", "social"]);
    scene.run(&["apply", "--yes", "--only", "Repository/code"]);
    // An empty folder, clones that were never completed without and with work, files without a clone, a link out of
    // the checkout.
    fs::create_dir_all(scene.clone("web")).unwrap();
    for name in ["queue", "social"] {
        fs::create_dir_all(scene.clone(name)).unwrap();
        git(&scene.clone(name), &["init", "-q"]);
    }
    write(&scene.clone("queue").join(".git/note.txt"), "mine");
    age(&scene.clone("queue"));
    write(&scene.clone("social").join("note.txt"), "mine");
    write(&scene.clone("server-tools").join("module/__manifest__.py"), "{}");
    symlink("/", scene.clone("ai")).unwrap();
    let ran = scene.apply();
    assert_ne!(ran.code, 0);
    assert!(ran.out.contains("files without a clone: move them away"), "{}", ran.out);
    assert_eq!((scene.head("web").1, scene.head("queue").1), ("18.0".to_owned(), "18.0".to_owned()));
    let aside = scene.checkout().with_file_name(".odoo.ipaictl-quarantine");
    assert_eq!(fs::read_to_string(aside.join("addons/oca/queue/.git/note.txt")).unwrap(), "mine");
    assert!(ran.out.contains("with work in it: note.txt"), "{}", ran.out);
    assert!(scene.clone("social").join("note.txt").exists());
    assert!(scene.clone("server-tools").join("module/__manifest__.py").exists());
    assert!(fs::symlink_metadata(scene.clone("ai")).unwrap().is_symlink());
}

#[test]
fn a_folder_that_leads_out_of_the_checkout_is_never_cloned_into() {
    let scene = Scene::new(&["web"]);
    scene.run(&["apply", "--yes", "--only", "Repository/code"]);
    let elsewhere = scene.program.work().join("elsewhere");
    fs::create_dir_all(&elsewhere).unwrap();
    symlink(&elsewhere, scene.checkout().join("addons/oca")).unwrap();
    let ran = scene.apply();
    assert_ne!(ran.code, 0);
    assert!(ran.out.contains("a link leads out of the checkout"), "{}", ran.out);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

#[test]
fn a_clean_clone_is_brought_to_its_branch_and_its_pin() {
    let mut scene = Scene::new(&["web", "queue"]);
    scene.applied();
    git(&scene.clone("web"), &["checkout", "-q", "-b", "feature"]);
    assert!(scene.diff().contains("update: branch"), "{}", scene.diff());
    scene.applied();
    assert_eq!(scene.head("web").1, "18.0");
    // A pin that was never fetched, then a branch that was never there.
    let pin = next_commit(&scene.remote("web"), "web");
    scene.declare(&["web", "queue"], json!({}));
    scene.describe(json!({"pins": "oca.lock.json"}));
    let queue = scene.head("queue").0;
    let lock = json!({"repositories": {"web": {"commit": pin}, "queue": {"commit": queue}}});
    scene.commit_code("oca.lock.json", &lock.to_string());
    scene.applied();
    assert_eq!(scene.head("web"), (pin.clone(), "HEAD".to_owned()));
    scene.describe(json!({"pinning": "branch"}));
    scene.applied();
    assert_eq!(scene.head("web"), (pin, "18.0".to_owned()));
    scene.declare(&["web", "queue"], json!({"branch": "17.0"}));
    let ran = scene.apply();
    assert!(ran.out.contains("2 that a server of series 18.0 refuses"), "{}", ran.out);
    assert_eq!((scene.head("web").1, scene.head("queue").1), ("17.0".to_owned(), "17.0".to_owned()));
    assert_eq!(git(&scene.clone("web"), &["rev-parse", "--abbrev-ref", "@{upstream}"]), "origin/17.0");
}

#[test]
fn what_somebody_works_on_is_never_moved() {
    let mut scene = Scene::new(&["dirty", "ahead", "detached", "foreign"]);
    scene.applied();
    write(&scene.clone("dirty").join("dirty/new.py"), "work");
    for name in ["ahead", "detached"] {
        if name == "detached" {
            git(&scene.clone(name), &["checkout", "-q", "--detach"]);
        }
        write(&scene.clone(name).join("work.py"), "work");
        git(&scene.clone(name), &["add", "-A"]);
        git(&scene.clone(name), &["commit", "-qm", "work"]);
    }
    git(&scene.clone("foreign"), &["remote", "set-url", "origin", "https://example.org/foreign.git"]);
    let before: Vec<_> = ["dirty", "ahead", "detached", "foreign"].map(|name| scene.head(name)).into();
    scene.declare(&["dirty", "ahead", "detached", "foreign"], json!({"branch": "17.0"}));
    let ran = scene.apply();
    assert_ne!(ran.code, 0);
    for why in [
        "uncommitted work in 1 file: dirty/new.py",
        "1 commit that the remote lacks",
        "a clone of `https://example.org/foreign.git`",
    ] {
        assert!(ran.out.contains(why), "{why} in {}", ran.out);
    }
    let after: Vec<_> = ["dirty", "ahead", "detached", "foreign"].map(|name| scene.head(name)).into();
    assert_eq!(before, after);
    assert_eq!(fs::read_to_string(scene.clone("dirty").join("dirty/new.py")).unwrap(), "work");
}

#[test]
fn a_local_branch_with_commits_of_its_own_is_never_overwritten() {
    let mut scene = Scene::new(&["web"]);
    scene.applied();
    git(&scene.clone("web"), &["checkout", "-q", "-b", "17.0"]);
    write(&scene.clone("web").join("work.py"), "work");
    git(&scene.clone("web"), &["add", "-A"]);
    git(&scene.clone("web"), &["commit", "-qm", "work"]);
    let mine = scene.head("web").0;
    git(&scene.clone("web"), &["checkout", "-q", "18.0"]);
    scene.declare(&["web"], json!({"branch": "17.0"}));
    let ran = scene.apply();
    assert!(ran.out.contains("its branch `17.0` has 2 commits that the remote lacks"), "{}", ran.out);
    assert_eq!(git(&scene.clone("web"), &["rev-parse", "17.0"]), mine);
    assert_eq!(scene.head("web").1, "18.0");
}

#[test]
fn a_truncated_answer_is_asked_for_again_and_nothing_half_is_left() {
    let mut scene = Scene::new(&["web"]);
    let proxy = scene.line(&["web"], Line::Cuts { connections: 2, bytes: 400 });
    scene.applied();
    assert!(proxy.count.load(Ordering::SeqCst) > 2);
    assert_eq!(scene.head("web").1, "18.0");
}

#[test]
fn a_server_that_fails_keeps_no_other_clone_from_being_made() {
    let mut scene = Scene::new(&["web", "queue"]);
    let names = ["web", "queue", "gone"];
    scene.declare(&names, json!({}));
    git(&scene.remote("queue"), &["branch", "-m", "18.0", "18.0-old"]);
    let ran = scene.apply();
    assert_ne!(ran.code, 0);
    assert!(ran.out.contains("Remote branch 18.0 not found"), "{}", ran.out);
    assert_eq!(scene.head("web").1, "18.0");
    let left: Vec<_> = fs::read_dir(scene.checkout().join("addons/oca"))
        .unwrap()
        .flatten()
        .map(|it| it.file_name())
        .collect();
    assert_eq!(left, ["web"], "nothing half is left");
    let message = scene.run(&["status", "AddonsLayout/oca"]).out;
    assert!(message.contains("addons/oca/"), "{message}");
    // What was mended is made by the next.
    git(&scene.remote("queue"), &["branch", "-m", "18.0-old", "18.0"]);
    scene.declare(&["web", "queue"], json!({}));
    scene.applied();
}

#[test]
fn a_fix_that_was_killed_is_completed_by_the_next() {
    let mut scene = Scene::new(&["web", "queue"]);
    let port = scene.port;
    scene.line(&["web", "queue"], Line::Stalls(600));
    let mut child =
        scene.command(&["apply", "--yes", "--only", "Repository/code,AddonsLayout/oca"]).spawn().unwrap();
    let half = scene.checkout().join("addons/oca/.web.ipaictl-new");
    scene.wait_for("a clone under way", || half.exists());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!scene.clone("web").exists());
    scene.port = port;
    scene.declare(&["web", "queue"], json!({}));
    scene.applied();
    assert!(!half.exists() && scene.clone("web").join("web/__manifest__.py").exists());
}

#[test]
fn orphans_are_reported_and_moved_aside_only_when_told_to() {
    let mut scene = Scene::new(&["web"]);
    scene.applied();
    write(&scene.checkout().join("addons/oca/old/module/__manifest__.py"), "{'name': 'Old'}");
    let diff = scene.diff();
    assert!(diff.contains("addons/oca/old"), "{diff}");
    scene.apply();
    assert!(scene.checkout().join("addons/oca/old").exists());
    scene.describe(json!({"orphans": "quarantine"}));
    scene.applied();
    assert!(!scene.checkout().join("addons/oca/old").exists());
    let aside = scene.checkout().with_file_name(".odoo.ipaictl-quarantine").join("addons/oca/old");
    assert!(aside.join("module/__manifest__.py").exists());
    // A second one of the same name gets another.
    write(&scene.checkout().join("addons/oca/old/other.txt"), "2");
    scene.applied();
    assert_eq!(fs::read_to_string(aside.with_file_name("old-2").join("other.txt")).unwrap(), "2");
}

#[test]
fn what_the_commit_holds_and_what_somebody_works_on_are_no_orphans_to_move() {
    let mut scene = Scene::new(&["web", "queue"]);
    write(&scene.code().join("addons/oca/ours/__manifest__.py"), "{'name': 'Ours'}");
    git(&scene.code(), &["add", "-f", "addons/oca/ours"]);
    scene.describe(json!({"orphans": "quarantine"}));
    scene.apply();
    write(&scene.clone("queue").join("new.py"), "mine");
    scene.declare(&["web"], json!({}));
    let ran = scene.applied_with_decisions();
    assert!(
        ran.out.contains("is not moved: a module where repositories belong; the checkout's commit holds it"),
        "{}",
        ran.out
    );
    let ran = scene.applied_with_decisions();
    assert!(ran.out.contains("uncommitted work in 1 file: new.py"), "{}", ran.out);
    assert!(scene.clone("ours").exists() && scene.clone("queue").join("new.py").exists());
    assert_eq!(git(&scene.checkout(), &["status", "--porcelain"]), "");
}

#[test]
fn what_the_wanted_commit_declares_is_no_orphan_of_a_checkout_that_is_behind() {
    let mut scene = Scene::new(&["web", "queue"]);
    scene.declare(&["web"], json!({}));
    scene.describe(json!({"orphans": "quarantine"}));
    scene.applied();
    // Somebody's edit keeps the checkout where it is.
    write(&scene.checkout().join("addons/own/shop/__manifest__.py"), "{'name': 'Mine'}");
    scene.declare(&["web", "queue"], json!({}));
    scene.apply();
    assert!(scene.clone("queue").join(".git").exists());
    let head = fs::metadata(scene.clone("queue")).unwrap().modified().unwrap();
    for _ in 0..2 {
        let ran = scene.run(&["layout", "fix", "--yes"]);
        assert!(ran.out.contains("does not declare `addons/oca/queue` yet"), "{}\n{}", ran.out, ran.err);
    }
    assert_eq!(fs::metadata(scene.clone("queue")).unwrap().modified().unwrap(), head, "it stayed the same");
    assert!(!scene.checkout().with_file_name(".odoo.ipaictl-quarantine").exists());
}

const DEVCONTAINER: &str = "\
{
  // Ours: see docs/dev.md
  \"name\": \"dev\",   \"image\": \"python:3.11\",
  \"mounts\": [
    \"source=${localWorkspaceFolder}/addons/own,target=/w/addons/own,type=bind\", // never moved
    \"source=${localWorkspaceFolder}/addons/oca/gone,target=/w/addons/oca/gone,type=bind\"
  ],
  \"forwardPorts\": [8069,],
}
";

#[test]
fn the_devcontainer_gets_the_mounts_of_the_manifest_and_keeps_every_other_byte() {
    let mut scene = Scene::new(&["web"]);
    scene.commit_code(".devcontainer/devcontainer.json", DEVCONTAINER);
    scene.describe(
        json!({"fix": ["clone", "devcontainer"], "devcontainer": ".devcontainer/devcontainer.json"}),
    );
    scene.apply();
    let file = scene.checkout().join(".devcontainer/devcontainer.json");
    let expected = DEVCONTAINER.replace("addons/oca/gone", "addons/oca/web");
    assert_eq!(fs::read_to_string(&file).unwrap(), expected);
    // Another repository: what we wrote ourselves is ours to write again.
    make_more(&mut scene, &["web", "queue"]);
    // The code itself moves on as well, though the file was written and never committed.
    scene.commit_code(".devcontainer/devcontainer.json", &DEVCONTAINER.replace("\"dev\"", "\"next\""));
    scene.applied();
    let now = fs::read_to_string(&file).unwrap();
    assert!(now.contains("\"next\""), "{now}");
    assert!(now.contains("target=/w/addons/oca/queue,type=bind") && now.contains("// never moved"), "{now}");
}

#[test]
fn a_devcontainer_that_somebody_changes_is_left_to_them() {
    let mut scene = Scene::new(&["web"]);
    scene.commit_code(".devcontainer/devcontainer.json", DEVCONTAINER);
    scene.apply();
    let file = scene.checkout().join(".devcontainer/devcontainer.json");
    let mine = DEVCONTAINER.replace("\"dev\"", "\"mine\"");
    fs::write(&file, &mine).unwrap();
    scene.describe(
        json!({"fix": ["clone", "devcontainer"], "devcontainer": ".devcontainer/devcontainer.json"}),
    );
    let ran = scene.apply();
    assert!(ran.out.contains("it has uncommitted changes: commit or undo them"), "{}", ran.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), mine);
}

#[test]
fn a_devcontainer_that_was_written_here_never_stops_its_checkout() {
    let mut scene = Scene::new(&["web", "queue"]);
    scene.commit_code(".devcontainer/devcontainer.json", DEVCONTAINER);
    scene.describe(
        json!({"fix": ["clone", "devcontainer"], "devcontainer": ".devcontainer/devcontainer.json"}),
    );
    let file = scene.checkout().join(".devcontainer/devcontainer.json");
    let head = |scene: &Scene| git(&scene.checkout(), &["rev-parse", "HEAD"]);
    let wanted = |scene: &Scene| git(&scene.code(), &["rev-parse", "HEAD"]);
    // A folder that leaves the manifest together with its home.
    scene.manifest["roots"]["more"] = json!("addons/more/site");
    write(
        &scene.code().join("addons/more/site/more/__manifest__.py"),
        "{'name': 'More', 'license': 'LGPL-3'}",
    );
    scene.declare(&["web"], json!({}));
    scene.apply();
    assert!(fs::read_to_string(&file).unwrap().contains("target=/w/addons/more/site"));
    scene.manifest["roots"].as_object_mut().unwrap().remove("more");
    scene.declare(&["web"], json!({}));
    scene.apply();
    assert_eq!(head(&scene), wanted(&scene));
    assert!(!fs::read_to_string(&file).unwrap().contains("addons/more/site"));
    // A manifest that can't be used, then no layout at all.
    let manifest = scene.manifest.to_string();
    scene.commit_code("config/addons_manifest.oca_ipai.json", "{");
    scene.apply();
    assert_eq!(head(&scene), wanted(&scene));
    scene.commit_code("config/addons_manifest.oca_ipai.json", &manifest);
    scene.apply();
    assert!(fs::read_to_string(&file).unwrap().contains("addons/oca/web"));
    scene.describe(json!({"fix": ["clone"]}));
    scene.commit_code("README", "more");
    scene.apply();
    assert_eq!(head(&scene), wanted(&scene));
    assert_eq!(fs::read_to_string(&file).unwrap(), DEVCONTAINER);
}

#[test]
fn mounts_that_somebody_edited_or_staged_are_theirs() {
    let mut scene = Scene::new(&["web"]);
    let text = DEVCONTAINER.replace("addons/oca/gone", "addons/oca/web");
    scene.commit_code(".devcontainer/devcontainer.json", &text);
    scene.describe(
        json!({"fix": ["clone", "devcontainer"], "devcontainer": ".devcontainer/devcontainer.json"}),
    );
    scene.apply();
    // Only within the list, and only where the layout has its own mounts.
    let file = scene.checkout().join(".devcontainer/devcontainer.json");
    let mine =
        text.replace("target=/w/addons/oca/web,type=bind", "target=/w/addons/oca/web,type=bind,readonly");
    assert_ne!(mine, text);
    fs::write(&file, &mine).unwrap();
    scene.commit_code("README", "more");
    let ran = scene.applied_with_decisions();
    assert!(ran.out.contains("devcontainer.json"), "{}", ran.out);
    assert_eq!(fs::read_to_string(&file).unwrap(), mine);
    // What lies in the work tree is ours, and what is staged is not.
    git(&scene.checkout(), &["checkout", "-q", "HEAD", "--", ".devcontainer"]);
    make_more(&mut scene, &["web", "queue"]);
    scene.applied();
    let ours = fs::read_to_string(&file).unwrap();
    assert!(ours.contains("addons/oca/queue"), "{ours}");
    fs::write(&file, &mine).unwrap();
    git(&scene.checkout(), &["add", ".devcontainer"]);
    fs::write(&file, &ours).unwrap();
    scene.commit_code("README", "still more");
    scene.applied_with_decisions();
    assert_eq!(git(&scene.checkout(), &["show", ":.devcontainer/devcontainer.json"]), mine.trim());
}

#[test]
fn a_folder_that_no_mount_shows_the_way_to_keeps_no_other_from_being_mounted() {
    let mut scene = Scene::new(&["web"]);
    let text = DEVCONTAINER.replace("/w/addons/own", "/w/own").replace("/w/addons/oca", "/w/oca");
    scene.commit_code(".devcontainer/devcontainer.json", &text);
    scene.manifest["roots"]["more"] = json!("more/site");
    scene.declare(&["web"], json!({}));
    scene.describe(
        json!({"fix": ["clone", "devcontainer"], "devcontainer": ".devcontainer/devcontainer.json"}),
    );
    let ran = scene.applied_with_decisions();
    assert!(ran.out.contains("where its container sees `more/site`: write one"), "{}", ran.out);
    let now = fs::read_to_string(scene.checkout().join(".devcontainer/devcontainer.json")).unwrap();
    assert!(now.contains("addons/oca/web,target=/w/oca/web,type=bind"), "{now}");
}

#[test]
fn what_fix_does_not_list_is_only_reported() {
    let mut scene = Scene::new(&["web"]);
    scene.commit_code(".devcontainer/devcontainer.json", DEVCONTAINER);
    scene.describe(json!({"fix": [], "devcontainer": ".devcontainer/devcontainer.json"}));
    let ran = scene.apply();
    for line in [
        "missing; not corrected: `fix` does not list `clone`",
        "mounts; not corrected: `fix` does not list `devcontainer`",
    ] {
        assert!(ran.out.contains(line), "{line} in {}", ran.out);
    }
    assert!(!scene.clone("web").exists());
}

#[test]
fn layout_fix_is_the_plan_of_the_layout_alone() {
    let scene = Scene::new(&["web"]);
    let ran = scene.run(&["layout", "fix", "--yes"]);
    assert!(ran.out.contains("waits for Repository/code"), "{}{}", ran.out, ran.err);
    scene.run(&["apply", "--yes", "--only", "Repository/code"]);
    let ran = scene.run(&["layout", "fix", "oca", "--yes"]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(scene.head("web").1, "18.0");
    let ran = scene.run(&["layout", "fix", "ocq", "--yes"]);
    assert!(ran.code == 2 && ran.err.contains("Did you mean `AddonsLayout/oca`"), "{} {}", ran.code, ran.err);
}

/// Declares repositories of which some are new.
fn make_more(scene: &mut Scene, names: &[&str]) {
    for name in names.iter().filter(|name| !scene.remote(name).exists()) {
        super::scene::make_remote(&scene.remote(name), name);
    }
    scene.declare(names, json!({}));
}

#[test]
fn features_of_the_document_are_checked_and_known_to_deps() {
    let mut scene = Scene::new(&["web"]);
    scene.describe(json!({"features": {"site": ["web", "shop", "no_such_module"]}}));
    let ran = scene.apply();
    assert!(ran.out.contains("feature: site: 1 of 3 can't be installed: no_such_module"), "{}", ran.out);
    let ran = scene.run(&["deps", "--layout", "oca", "site"]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("no_such_module") && ran.out.contains("addons/oca/web"), "{}", ran.out);
    let ran = scene.run(&["deps", "--layout", "ocb", "site"]);
    assert!(ran.code == 2 && ran.err.contains("Did you mean `oca`?"), "{}", ran.err);
}

#[test]
fn hooks_that_do_not_exist_are_reported_and_never_run() {
    let mut scene = Scene::new(&[]);
    scene.commit_code("scripts/there.sh", "touch /tmp/never; exit 1");
    scene.describe(json!({"hooks": ["scripts/there.sh", "scripts/gone.sh"]}));
    let ran = scene.apply();
    let said = "reference: scripts/gone.sh: unresolved: the list of hooks names it, and it is not there";
    assert!(ran.out.contains(said) && !ran.out.contains("there.sh:"), "{}", ran.out);
}

#[test]
fn what_lies_behind_a_link_out_of_the_checkout_is_not_moved() {
    let mut scene = Scene::new(&["web"]);
    scene.applied();
    // Somebody keeps the clones elsewhere, beside something of their own.
    let elsewhere = scene.program.work().join("elsewhere");
    fs::rename(scene.checkout().join("addons/oca"), &elsewhere).unwrap();
    symlink(&elsewhere, scene.checkout().join("addons/oca")).unwrap();
    write(&elsewhere.join("mine/module/__manifest__.py"), "{'name': 'Mine'}");
    git(&elsewhere.join("web"), &["checkout", "-q", "-b", "feature"]);
    scene.describe(json!({"orphans": "quarantine"}));
    let ran = scene.apply();
    assert_ne!(ran.code, 0);
    for what in [
        "addons/oca/web needs a decision: a",
        "addons/oca/mine needs a decision: is not moved: files that no manifest declares; a",
    ] {
        let said = ran.out.lines().any(|line| {
            line.split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .contains(&format!("{what} link leads out of the checkout"))
        });
        assert!(said, "{what}: {}", ran.out);
    }
    assert!(elsewhere.join("mine/module/__manifest__.py").exists());
    assert_eq!(git(&elsewhere.join("web"), &["rev-parse", "--abbrev-ref", "HEAD"]), "feature");
}

#[test]
fn a_path_in_gits_own_folder_is_never_cloned_into() {
    let mut scene = Scene::new(&["web"]);
    scene.declare(&["web"], json!({"path": ".git/hooks"}));
    let ran = scene.apply();
    assert!(ran.out.contains("`.git/hooks` lies in git's own folder"), "{}", ran.out);
    assert!(!scene.checkout().join(".git/hooks/.git").exists());
}

#[test]
fn a_devcontainer_that_cannot_be_read_is_unknown() {
    let mut scene = Scene::new(&["web"]);
    scene.commit_code(".devcontainer/devcontainer.json", DEVCONTAINER);
    scene.apply();
    let file = scene.checkout().join(".devcontainer/devcontainer.json");
    fs::write(&file, [0xff, 0xfe]).unwrap();
    scene.describe(
        json!({"fix": ["clone", "devcontainer"], "devcontainer": ".devcontainer/devcontainer.json"}),
    );
    let ran = scene.apply();
    assert!(ran.out.contains("it can't be read"), "{}", ran.out);
    assert_eq!(fs::read(&file).unwrap(), [0xff, 0xfe]);
}

#[test]
fn a_clone_that_failed_is_not_mounted() {
    let mut scene = Scene::new(&["web"]);
    scene.commit_code(".devcontainer/devcontainer.json", DEVCONTAINER);
    scene.describe(
        json!({"fix": ["clone", "devcontainer"], "devcontainer": ".devcontainer/devcontainer.json"}),
    );
    scene.declare(&["web", "nowhere"], json!({}));
    assert_ne!(scene.apply().code, 0);
    let now = fs::read_to_string(scene.checkout().join(".devcontainer/devcontainer.json")).unwrap();
    assert!(now.contains("target=/w/addons/oca/web,") && !now.contains("oca/nowhere"), "{now}");
    assert!(!scene.checkout().join("addons/oca/.nowhere.ipaictl-new").exists());
}
