//! Packs as a run leaves them: complete, chained, told apart from touched ones, and in git without waking anybody.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use chrono::{TimeDelta, Utc};
use ipaictl::desired::At;
use ipaictl::record::evidence::commit::commit_pack;
use ipaictl::record::evidence::{prune, verify_packs};
use ipaictl::record::runs::HistoryFilter;

use super::{World, apply, service};

fn compose(greeting: &str) -> String {
    format!("services:\n{}", service("web", &format!(", environment: {{GREETING: {greeting}}}")))
}

/// A world with several packs.
async fn packed(count: usize) -> (World, Vec<String>) {
    let world = World::new(&compose("0"));
    let context = world.context().await;
    let mut packs = Vec::new();
    for number in 0..count {
        world.change(&compose(&format!("g{number}")));
        packs.push(apply(&context).await.unwrap().evidence.unwrap());
    }
    (world, packs)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_leaves_a_pack_that_says_what_happened() {
    let (world, packs) = packed(2).await;
    let root = world.state().join("evidence");
    let pack = root.join(&packs[1]);
    for name in ["plan.txt", "plan.json", "outcomes.json", "before.json", "after.json", "health.json"] {
        assert!(pack.join(name).exists(), "{name}");
        assert_eq!(fs::metadata(pack.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(fs::metadata(&pack).unwrap().permissions().mode() & 0o777, 0o700);
    let read = |name: &str| -> serde_json::Value {
        serde_json::from_slice(&fs::read(pack.join(name)).unwrap()).unwrap()
    };
    let manifest = read("evidence.json");
    assert_eq!(manifest["previous"]["pack"], packs[0]);
    assert_eq!(manifest["hosts"][0], "local");
    assert!(manifest["images"]["local"]["ipaictl/busybox:1"]["id"].as_str().unwrap().starts_with("sha256:"));
    let greeting = |world: &serde_json::Value| {
        world["hosts"]["local"]["containers"][0]["fields"]["known"]["environment.GREETING"].clone()
    };
    assert_eq!(greeting(&read("before.json")), "g0");
    assert_eq!(greeting(&read("after.json")), "g1");
    assert_eq!(read("outcomes.json")["steps"][0]["status"], "done");
    let runs = world.store().await.history(&HistoryFilter::default(), 1).await.unwrap();
    assert_eq!(runs[0].evidence.as_deref(), Some(packs[1].as_str()));
    assert!(runs[0].id.starts_with(packs[1].split('/').next().unwrap()));
    let checked = verify_packs(&root).unwrap();
    assert_eq!((checked.packs, checked.first_bad), (2, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_touched_is_named() {
    let (world, packs) = packed(3).await;
    let root = world.state().join("evidence");
    let copy = |name: &str| {
        let folder = world.lab.folder.path().join(name);
        let status = std::process::Command::new("cp").arg("-a").arg(&root).arg(&folder).status().unwrap();
        assert!(status.success());
        folder
    };
    let bad = |root: &std::path::Path| {
        let bad = verify_packs(root).unwrap().first_bad.expect("something is wrong");
        (bad.pack, bad.why)
    };
    assert_eq!(verify_packs(&copy("untouched")).unwrap().first_bad, None);

    let edited = copy("edited");
    let plan = edited.join(&packs[1]).join("plan.txt");
    fs::write(&plan, "nothing happened\n").unwrap();
    assert_eq!(bad(&edited), (packs[1].clone(), "`plan.txt` was changed".to_owned()));

    // Whoever edits the manifest too is given away by the next pack.
    let covered = copy("covered");
    let manifest = covered.join(&packs[1]).join("evidence.json");
    let text = fs::read_to_string(&manifest).unwrap().replace("\"correlation\": \"", "\"correlation\": \"x");
    fs::write(&manifest, text).unwrap();
    let (pack, why) = bad(&covered);
    assert_eq!(pack, packs[1]);
    assert!(why.contains("is not the one that"), "{why}");

    // The last one has no next; the head does the same for it.
    let last = copy("last");
    let manifest = last.join(&packs[2]).join("evidence.json");
    let text = fs::read_to_string(&manifest).unwrap().replace("\"correlation\": \"", "\"correlation\": \"x");
    fs::write(&manifest, text).unwrap();
    assert_eq!(bad(&last).0, packs[2]);

    let truncated = copy("truncated");
    fs::remove_dir_all(truncated.join(&packs[2])).unwrap();
    assert_eq!(bad(&truncated), (packs[2].clone(), "it is missing, and was the last".to_owned()));

    let gap = copy("gap");
    fs::remove_dir_all(gap.join(&packs[1])).unwrap();
    assert_eq!(bad(&gap).0, packs[1]);

    let beheaded = copy("beheaded");
    fs::remove_dir_all(beheaded.join(&packs[0])).unwrap();
    assert_eq!(bad(&beheaded).0, packs[0]);

    let added = copy("added");
    fs::write(added.join(&packs[0]).join("note.txt"), "x").unwrap();
    assert_eq!(bad(&added), (packs[0].clone(), "`note.txt` is not in its manifest".to_owned()));

    let doubled = copy("doubled");
    let twin = doubled.join("29991231-2359/all");
    fs::create_dir_all(twin.parent().unwrap()).unwrap();
    let status =
        std::process::Command::new("cp").arg("-a").arg(doubled.join(&packs[1])).arg(&twin).status().unwrap();
    assert!(status.success());
    assert_eq!(bad(&doubled).0, "29991231-2359/all");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_packs_go_from_the_oldest_on_and_the_rest_is_still_one_chain() {
    let (world, packs) = packed(3).await;
    let root = world.state().join("evidence");
    assert_eq!(prune(&world.state(), TimeDelta::days(1), Utc::now()).unwrap(), 0);
    let later = Utc::now() + TimeDelta::days(2);
    assert_eq!(prune(&world.state(), TimeDelta::days(1), later).unwrap(), 2, "the last one stays");
    assert!(!root.join(&packs[0]).exists() && root.join(&packs[2]).exists());
    let checked = verify_packs(&root).unwrap();
    assert_eq!((checked.packs, checked.first_bad), (1, None));
    world.change(&compose("later"));
    apply(&world.context().await).await.unwrap();
    assert_eq!(verify_packs(&root).unwrap().first_bad, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pack_that_was_published_before_a_crash_is_followed() {
    let (world, packs) = packed(2).await;
    let root = world.state().join("evidence");
    // As if the crash had come between publishing the second pack and naming it the last.
    let first = serde_json::from_slice::<serde_json::Value>(
        &fs::read(root.join(&packs[1]).join("evidence.json")).unwrap(),
    )
    .unwrap()["previous"]
        .clone();
    fs::write(root.join("head.json"), first.to_string()).unwrap();
    fs::create_dir(root.join(".new-1")).unwrap();
    world.change(&compose("next"));
    let third = apply(&world.context().await).await.unwrap().evidence.unwrap();
    let manifest = fs::read_to_string(root.join(third).join("evidence.json")).unwrap();
    assert!(manifest.contains(&packs[1]), "{manifest}");
    assert!(!root.join(".new-1").exists());
    assert_eq!(verify_packs(&root).unwrap().first_bad, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn evidence_in_the_state_repository_wakes_nobody() {
    let (world, packs) = packed(1).await;
    let context = world.context().await;
    let before = context.source.resolve(None).unwrap();
    let repo = world.lab.repo();
    let commit = commit_pack(&world.state(), &packs[0], "20261122-2350-1", &repo, "main").unwrap();
    assert_eq!(world.lab.git(&["rev-parse", "main"]), commit);
    assert_eq!(world.lab.git(&["status", "--porcelain"]), "", "the work tree has the files too");
    assert!(repo.join("docs/evidence").join(&packs[0]).join("plan.txt").exists());
    assert!(world.lab.git(&["log", "-1", "--format=%s"]).contains("20261122-2350-1"));

    // The newest revision is still the one that a person made, and the commit itself can be named.
    assert_eq!(context.source.resolve(None).unwrap(), before);
    assert_eq!(context.source.resolve(Some("main")).unwrap().commit, before.commit);
    assert_eq!(context.source.resolve(Some(&commit)).unwrap().commit, Some(commit.clone()));
    let again = commit_pack(&world.state(), &packs[0], "20261122-2350-1", &repo, "main").unwrap();
    assert_eq!(again, commit, "committing it again changes nothing");

    // A person's commit on top counts, also one that touches evidence among other things.
    world.lab.write("docs/evidence/note.txt", "x");
    let mixed = world.change(&compose("new"));
    assert_eq!(context.source.resolve(None).unwrap().commit, Some(mixed.clone()));
    let git = git2::Repository::open(&repo).unwrap();
    let only = |old: &str, new: &str| {
        let id = |text: &str| git2::Oid::from_str(text).unwrap();
        ipaictl::record::evidence::commit::is_evidence_only(&git, id(old), id(new)).unwrap()
    };
    assert!(only(before.commit.as_ref().unwrap(), &commit));
    assert!(!only(&commit, &mixed));
    let loaded = context.load_desired(&At::Revision(context.source.resolve(None).unwrap()), false).await;
    assert!(loaded.unwrap().state.is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packs_are_committed_where_the_settings_say() {
    let (world, _) = packed(1).await;
    let bare = world.lab.folder.path().join("proof.git");
    super::super::desired::git(
        world.lab.folder.path(),
        &["clone", "--quiet", "--bare", world.lab.repo().to_str().unwrap(), bare.to_str().unwrap()],
    );
    let url = format!("file://{}", bare.display());
    world.lab.write(
        "desired-state/proof.yaml",
        &format!(
            "apiVersion: ipai.dev/v1alpha1\nkind: Repository\nmetadata: {{name: proof}}\nspec: {{url: \"{url}\"}}\n"
        ),
    );
    world.change(&compose("committed"));
    let mut context = world.context().await;
    let mut settings = context.settings.clone();
    settings.evidence.commit_to = Some("proof".to_owned());
    settings.git_allow = vec![format!("file://{}/", world.lab.folder.path().display())];
    context = ipaictl::reconcile::Context::open(
        settings,
        &ipaictl::config::Environment::read(),
        ipaictl::reconcile::Access::Write,
    )
    .await
    .unwrap();
    let pack = apply(&context).await.unwrap().evidence.unwrap();
    let files = super::super::desired::git(&bare, &["ls-tree", "-r", "--name-only", "main"]);
    assert!(files.contains(&format!("docs/evidence/{pack}/evidence.json")), "{files}");
}
