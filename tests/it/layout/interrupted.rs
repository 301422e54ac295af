//! Moves of clones that were killed: what they left is told from somebody's work, and completed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::scene::{Scene, next_commit};
use super::{git, write};

/// A clone on `17.0` that belongs on `18.0`, and both commits.
struct Halfway {
    scene: Scene,
    clone: PathBuf,
    old: String,
    new: String,
}

impl Halfway {
    fn new() -> Halfway {
        let mut scene = Scene::new(&["web"]);
        let new = next_commit(&scene.remote("web"), "web");
        scene.declare(&["web"], json!({"branch": "17.0"}));
        scene.apply();
        scene.declare(&["web"], json!({}));
        let (clone, old) = (scene.clone("web"), scene.head("web").0);
        Halfway { scene, clone, old, new }
    }

    /// What is left by a move that was killed: its target under a name of ours, and the first files.
    fn move_half(&self) {
        git(&self.clone, &["fetch", "-q", "origin", "+refs/heads/18.0:refs/remotes/origin/18.0"]);
        git(&self.clone, &["update-ref", "refs/ipaictl/moving", &self.new]);
        git(&self.clone, &["update-ref", "refs/ipaictl/moving-from", &self.old]);
        let module = git(&self.clone, &["show", &format!("{}:web/__manifest__.py", self.new)]);
        write(&self.clone.join("web/__manifest__.py"), module);
    }

    fn lock(&self) -> PathBuf {
        left_lock(&self.clone)
    }

    fn is_through(&self) {
        self.scene.applied();
        assert_eq!(self.scene.head("web"), (self.new.clone(), "18.0".to_owned()));
        assert_eq!(git(&self.clone, &["status", "--porcelain"]), "");
        assert_eq!(
            git(&self.clone, &["for-each-ref", "refs/ipaictl/moving", "refs/ipaictl/moving-from"]),
            ""
        );
        assert!(!self.scene.applied().out.contains("done"));
    }
}

/// The lock of a git that was killed an hour ago; the index is older.
fn left_lock(clone: &Path) -> PathBuf {
    let ago = |hours: u64| SystemTime::now() - Duration::from_secs(3600 * hours);
    let lock = clone.join(".git/index.lock");
    File::create(&lock).unwrap().set_modified(ago(1)).unwrap();
    File::options().write(true).open(clone.join(".git/index")).unwrap().set_modified(ago(2)).unwrap();
    if let Ok(from) = File::open(clone.join(".git/refs/ipaictl/moving-from")) {
        from.set_modified(ago(1)).unwrap();
    }
    lock
}

#[test]
fn a_move_that_was_killed_between_two_files_is_completed() {
    let halfway = Halfway::new();
    halfway.move_half();
    let lock = halfway.lock();
    halfway.is_through();
    assert!(lock.with_extension("ipaictl-old").exists(), "the lock was put aside, not removed");
}

#[test]
fn a_move_that_was_killed_before_head_is_completed() {
    let halfway = Halfway::new();
    halfway.move_half();
    git(&halfway.clone, &["read-tree", &halfway.new]);
    // The branch is written before HEAD.
    git(&halfway.clone, &["update-ref", "refs/heads/18.0", &halfway.new]);
    halfway.is_through();
}

#[test]
fn a_file_that_was_being_written_is_the_beginning_of_what_it_was_to_be() {
    let halfway = Halfway::new();
    halfway.move_half();
    write(&halfway.clone.join("web/__manifest__.py"), "{'na");
    halfway.lock();
    halfway.is_through();
}

#[test]
fn work_beside_a_move_that_was_killed_is_a_conflict() {
    let halfway = Halfway::new();
    halfway.move_half();
    halfway.lock();
    write(&halfway.clone.join("web/mine.py"), "mine");
    let ran = halfway.scene.applied_with_decisions();
    assert!(ran.out.contains("uncommitted work in 2 files"), "{}", ran.out);
    fs::remove_file(halfway.clone.join("web/mine.py")).unwrap();
    // What git ignores and a later commit holds: the move that was broken off is completed, the next one is refused.
    write(&halfway.clone.join(".git/info/exclude"), "*.cfg");
    write(&halfway.scene.remote("web").join("local.cfg"), "tracked");
    next_commit(&halfway.scene.remote("web"), "web");
    write(&halfway.clone.join("local.cfg"), "secret settings");
    for _ in 0..2 {
        let ran = halfway.scene.apply();
        assert!(ran.code != 0 && ran.out.contains("local.cfg"), "{}", ran.out);
        assert_eq!(fs::read_to_string(halfway.clone.join("local.cfg")).unwrap(), "secret settings");
        assert_eq!(halfway.scene.head("web").0, halfway.new);
    }
}

#[test]
fn what_somebody_does_after_a_move_is_never_taken_for_its_rest() {
    let halfway = Halfway::new();
    write(&halfway.scene.remote("web").join("web/long.py"), "1\n2\n3\n");
    let new = next_commit(&halfway.scene.remote("web"), "web");
    // One that was refused, and one that a person completed: nothing of it is left to be completed.
    write(&halfway.clone.join(".git/info/exclude"), "long.py");
    write(&halfway.clone.join("web/long.py"), "in the way");
    assert!(halfway.scene.apply().out.contains("web/long.py"));
    assert_eq!(git(&halfway.clone, &["for-each-ref", "refs/ipaictl/moving"]), "");
    fs::remove_file(halfway.clone.join("web/long.py")).unwrap();
    git(&halfway.clone, &["update-ref", "refs/ipaictl/moving", &new]);
    git(&halfway.clone, &["update-ref", "refs/ipaictl/moving-from", &halfway.old]);
    git(&halfway.clone, &["checkout", "-q", "-B", "18.0", "origin/18.0"]);
    halfway.scene.applied();
    write(&halfway.clone.join("web/long.py"), "1\n");
    let is_left = |work: &str| {
        let ran = halfway.scene.applied_with_decisions();
        assert!(ran.out.contains(&format!("uncommitted work in 1 file: {work}")), "{}", ran.out);
    };
    is_left("web/long.py");
    // Where it began, a file that both commits have alike is nobody's but theirs, and so is one without git's lock.
    git(&halfway.clone, &["checkout", "-q", "--force", "17.0"]);
    fs::write(halfway.clone.join("web/__manifest__.py"), "{").unwrap();
    is_left("web/__manifest__.py");
    let manifest = git(&halfway.clone, &["show", "HEAD:web/__manifest__.py"]);
    fs::write(halfway.clone.join("web/__manifest__.py"), manifest).unwrap();
    write(&halfway.clone.join("README"), "mine");
    halfway.lock();
    is_left("README");
}

#[test]
fn a_lock_that_was_left_is_put_aside_and_one_that_is_held_is_not() {
    let halfway = Halfway::new();
    let held = File::create(halfway.clone.join(".git/index.lock")).unwrap();
    let ran = halfway.scene.applied_with_decisions();
    assert!(
        ran.out.contains("a command of git, or one ended less than 10 minutes ago: `index.lock`"),
        "{}",
        ran.out
    );
    drop(held);
    halfway.lock();
    halfway.is_through();
    let lock = halfway.lock();
    let diff = halfway.scene.diff();
    assert!(diff.contains("interrupted") && diff.contains("drift"), "{diff}");
    let ran = halfway.scene.run(&["layout", "fix", "--yes"]);
    assert!(!lock.exists() && ran.out.contains("1 done"), "{}", ran.out);
}

#[test]
fn a_file_in_the_way_is_named_and_nothing_looks_as_if_it_had_moved() {
    let halfway = Halfway::new();
    write(&halfway.scene.remote("web").join("local.cfg"), "tracked");
    next_commit(&halfway.scene.remote("web"), "web");
    write(&halfway.clone.join(".git/info/exclude"), "*.cfg");
    write(&halfway.clone.join("local.cfg"), "mine");
    for _ in 0..2 {
        let ran = halfway.scene.apply();
        assert!(ran.code != 0 && ran.out.contains("local.cfg"), "{}\n{}", ran.out, ran.err);
        assert_eq!(fs::read_to_string(halfway.clone.join("local.cfg")).unwrap(), "mine");
        assert_eq!(halfway.scene.head("web"), (halfway.old.clone(), "17.0".to_owned()));
    }
}

#[test]
fn a_checkout_whose_move_was_killed_is_completed_and_keeps_other_files() {
    let scene = Scene::new(&["web"]);
    scene.applied();
    write(&scene.checkout().join("note.txt"), "mine");
    scene.commit_code("addons/own/shop/later.py", "x = 1\n");
    scene.commit_code("addons/own/shop/__manifest__.py", "{'name': 'Later', 'license': 'LGPL-3'}");
    let new = git(&scene.code(), &["rev-parse", "HEAD"]);
    let moving = || {
        git(&scene.checkout(), &["fetch", "-q", scene.code().to_str().unwrap(), "+main:refs/ipaictl/moving"]);
        git(&scene.checkout(), &["update-ref", "refs/ipaictl/moving-from", "HEAD"]);
        left_lock(&scene.checkout());
    };
    moving();
    write(&scene.checkout().join("addons/own/shop/later.py"), "x = 1\n");
    write(&scene.checkout().join("addons/own/shop/__manifest__.py"), "{'na");
    scene.applied();
    assert_eq!(git(&scene.checkout(), &["rev-parse", "HEAD"]), new);
    assert_eq!(git(&scene.checkout(), &["status", "--porcelain"]), "?? note.txt");
    // Somebody's edit beside it is theirs to decide about.
    scene.commit_code("addons/own/shop/__manifest__.py", "{'name': 'Last', 'license': 'LGPL-3'}");
    moving();
    write(&scene.checkout().join("addons/own/shop/later.py"), "x = 2\n");
    assert!(scene.apply().out.contains("later.py"));
    assert_eq!(fs::read_to_string(scene.checkout().join("addons/own/shop/later.py")).unwrap(), "x = 2\n");
}

#[test]
fn an_index_that_was_written_since_and_what_git_does_not_look_at_are_somebodys() {
    let halfway = Halfway::new();
    halfway.move_half();
    halfway.lock();
    // A person tidied up and goes on: the index is newer than the lock.
    let index = halfway.clone.join(".git/index");
    File::options().write(true).open(&index).unwrap().set_modified(SystemTime::now()).unwrap();
    let ran = halfway.scene.applied_with_decisions();
    assert!(ran.out.contains("uncommitted work in 1 file: web/__manifest__.py"), "{}", ran.out);
    let halfway = Halfway::new();
    write(&halfway.clone.join("web/local.py"), "x");
    git(&halfway.clone, &["update-index", "--assume-unchanged", "web/__manifest__.py"]);
    fs::remove_file(halfway.clone.join("web/local.py")).unwrap();
    halfway.move_half();
    write(&halfway.clone.join("web/__manifest__.py"), "{'name': 'local settings'}");
    halfway.lock();
    halfway.scene.apply();
    let now = fs::read_to_string(halfway.clone.join("web/__manifest__.py")).unwrap();
    assert_eq!(now, "{'name': 'local settings'}");
}

#[test]
fn a_file_below_what_becomes_a_link_is_in_the_way() {
    let mut halfway = Halfway::new();
    let remote = halfway.scene.remote("web");
    git(&remote, &["checkout", "-q", "17.0"]);
    write(&remote.join("lib/a.txt"), "a");
    git(&remote, &["add", "-A"]);
    git(&remote, &["commit", "-qm", "a folder"]);
    git(&remote, &["checkout", "-q", "18.0"]);
    std::os::unix::fs::symlink("web", remote.join("lib")).unwrap();
    halfway.new = next_commit(&remote, "web");
    git(&halfway.clone, &["pull", "-q", "--ff-only", "origin", "17.0"]);
    halfway.old = git(&halfway.clone, &["rev-parse", "HEAD"]);
    halfway.move_half();
    write(&halfway.clone.join(".git/info/exclude"), "*.cfg");
    write(&halfway.clone.join("lib/local.cfg"), "secret settings");
    halfway.lock();
    halfway.scene.apply();
    assert_eq!(fs::read_to_string(halfway.clone.join("lib/local.cfg")).unwrap(), "secret settings");
}

#[test]
fn a_checkout_that_goes_back_after_its_move_was_killed_is_put_right() {
    let scene = Scene::new(&["web"]);
    scene.applied();
    let old = git(&scene.checkout(), &["rev-parse", "HEAD"]);
    scene.commit_code("addons/own/shop/__manifest__.py", "{'name': 'Later', 'license': 'LGPL-3'}");
    git(&scene.checkout(), &["fetch", "-q", scene.code().to_str().unwrap(), "+main:refs/ipaictl/moving"]);
    git(&scene.checkout(), &["update-ref", "refs/ipaictl/moving-from", "HEAD"]);
    write(&scene.checkout().join("addons/own/shop/__manifest__.py"), "{'na");
    left_lock(&scene.checkout());
    git(&scene.code(), &["reset", "-q", "--hard", &old]);
    assert!(scene.diff().contains("a move that was broken off"), "{}", scene.diff());
    scene.applied();
    assert_eq!(git(&scene.checkout(), &["rev-parse", "HEAD"]), old);
    assert_eq!(git(&scene.checkout(), &["status", "--porcelain"]), "");
}
