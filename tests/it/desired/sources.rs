//! Real git servers and repositories: what moves, what goes away, what is broken and mended.

use std::net::TcpListener;
use std::process::Command;
use std::time::{Duration, Instant};

use ipaictl::desired::source::SourceError;
use ipaictl::desired::{At, Source, SourceSettings};
use ipaictl::skills::repository::apply::{CheckoutError, Moved, move_checkout};
use ipaictl::skills::repository::checkout::CheckoutTarget;
use ipaictl::skills::repository::observe::observe_checkout;

use crate::git_daemon::Daemon;

use super::{Lab, git, host, load_at, rules};

fn url(daemon: &Daemon) -> String {
    format!("git://127.0.0.1:{}/repo", daemon.port)
}

fn remote_source(lab: &Lab, url: &str, branch: Option<&str>) -> Source {
    let settings =
        SourceSettings { repo: url.to_owned(), branch: branch.map(str::to_owned), ..lab.settings() };
    Source::open(&settings).unwrap()
}

#[tokio::test]
async fn a_local_repository_is_read_at_a_commit_and_in_its_working_tree() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("one"));
    let commit = lab.commit("one");
    lab.write("desired-state/a.yaml", &host("two"));
    let source = lab.source();
    let revision = source.resolve(None).unwrap();
    assert_eq!((revision.reference.as_str(), revision.commit.as_deref()), ("main", Some(commit.as_str())));
    let committed = load_at(&source, &At::Revision(revision)).await.state.unwrap();
    assert!(committed.hosts.contains_key("one"));
    let written = load_at(&source, &At::WorkingTree).await.state.unwrap();
    assert!(written.hosts.contains_key("two"));
    for reference in ["HEAD", &commit[..8], "main"] {
        assert_eq!(source.resolve(Some(reference)).unwrap().commit, Some(commit.clone()), "{reference}");
    }
    assert!(!lab.folder.path().join("state").exists(), "reading wrote into the state folder");
}

#[tokio::test]
async fn a_bad_revision_is_told_and_the_next_good_one_loads() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("one"));
    lab.commit("good");
    let good = lab.load_head().await.state.unwrap();
    lab.write("desired-state/a.yaml", "kind: [Host\n");
    lab.write("desired-state/b.yaml", &host("two").replace("spec", "spek"));
    lab.commit("bad");
    let bad = lab.load_head().await;
    assert!(bad.state.is_none());
    assert_eq!(rules(&bad), ["yaml-syntax", "missing-field", "unknown-field"]);
    lab.write("desired-state/a.yaml", &host("one"));
    lab.write("desired-state/b.yaml", &host("two"));
    lab.commit("mended");
    let mended = lab.load_head().await.state.unwrap();
    assert_eq!(mended.hosts["one"].digest, good.hosts["one"].digest);
    assert_ne!(mended.digest, good.digest);
}

#[tokio::test]
async fn comments_quotes_and_key_order_change_no_digest() {
    let lab = Lab::with_repository();
    let text = "apiVersion: ipai.dev/v1alpha1\nkind: Host\nmetadata: {name: a}\nspec:\n  address: x\n  protect: true\n";
    lab.write("desired-state/a.yaml", text);
    lab.commit("one");
    let one = lab.load_head().await.state.unwrap();
    lab.write(
        "desired-state/a.yaml",
        "# why\nspec: {protect: true, \"address\": 'x', drift: {}}\nmetadata:\n  name: \"a\"\nkind: Host\napiVersion: ipai.dev/v1alpha1\n",
    );
    lab.commit("two");
    assert_eq!(lab.load_head().await.state.unwrap().digest, one.digest);
}

#[tokio::test]
async fn a_remote_that_cannot_be_reached_leaves_the_last_revision() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("one"));
    let first = lab.commit("one");
    let daemon = Daemon::serve(lab.folder.path());
    let source = remote_source(&lab, &url(&daemon), None);
    assert!(matches!(source.resolve(None), Err(SourceError::NeverFetched { .. })));
    source.fetch().await.unwrap();
    let revision = source.resolve(None).unwrap();
    assert_eq!((revision.reference.as_str(), revision.commit), ("main", Some(first.clone())));
    drop(daemon);
    let err = source.fetch().await.unwrap_err();
    assert!(matches!(err, SourceError::Unavailable { .. }), "{err}");
    let revision = source.resolve(None).unwrap();
    assert_eq!(revision.commit, Some(first));
    assert!(load_at(&source, &At::Revision(revision)).await.is_valid());
}

#[tokio::test]
async fn a_forced_push_is_seen_and_the_old_commit_stays_readable() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("one"));
    let base = lab.commit("base");
    lab.write("desired-state/a.yaml", &host("two"));
    let old = lab.commit("old");
    let daemon = Daemon::serve(lab.folder.path());
    let source = remote_source(&lab, &url(&daemon), Some("main"));
    source.fetch().await.unwrap();
    lab.git(&["reset", "--quiet", "--hard", &base]);
    lab.write("desired-state/a.yaml", &host("three"));
    let new = lab.commit("new");
    lab.git(&["reflog", "expire", "--expire=now", "--all"]);
    lab.git(&["gc", "--quiet", "--prune=now"]);
    source.fetch().await.unwrap();
    let revision = source.resolve(None).unwrap();
    assert_eq!(revision.commit.as_ref(), Some(&new));
    assert!(!source.is_descendant(&old, &new).unwrap());
    assert!(source.is_descendant(&base, &new).unwrap() && source.is_descendant(&new, &new).unwrap());
    assert!(!source.is_descendant(&"0".repeat(40), &new).unwrap(), "an unknown commit is no ancestor");
    let rolled_back = source.resolve(Some(&old)).unwrap();
    assert!(load_at(&source, &At::Revision(rolled_back)).await.state.unwrap().hosts.contains_key("two"));
}

#[tokio::test]
async fn a_deleted_branch_is_named_with_the_one_that_may_be_meant() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("one"));
    lab.commit("one");
    lab.git(&["branch", "production"]);
    let url = format!("file://{}", lab.repo().display());
    let source = remote_source(&lab, &url, Some("production"));
    source.fetch().await.unwrap();
    assert!(source.resolve(None).is_ok());
    lab.git(&["branch", "--quiet", "-D", "production"]);
    lab.git(&["branch", "productoin"]);
    source.fetch().await.unwrap();
    let err = source.resolve(None).unwrap_err();
    assert_eq!(err.hint().as_deref(), Some("Did you mean `productoin`?"), "{err}");
    let err = source.resolve(Some("--upload-pack=x")).unwrap_err();
    assert!(matches!(err, SourceError::UnknownReference { .. }));
}

#[tokio::test]
async fn a_damaged_copy_is_made_anew() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("one"));
    lab.commit("one");
    let url = format!("file://{}", lab.repo().display());
    let source = remote_source(&lab, &url, None);
    source.fetch().await.unwrap();
    let copy = source.git_dir().unwrap().to_owned();
    for file in ["packed-refs", "refs/heads/main"] {
        if copy.join(file).exists() {
            std::fs::write(copy.join(file), "garbage").unwrap();
        }
    }
    lab.write("desired-state/a.yaml", &host("two"));
    let commit = lab.commit("two");
    source.fetch().await.unwrap();
    assert_eq!(source.resolve(None).unwrap().commit, Some(commit));
}

#[tokio::test]
async fn a_damaged_object_is_named_and_no_document_is_taken_for_deleted() {
    let lab = Lab::with_repository();
    lab.write("desired-state/a.yaml", &host("one"));
    lab.write("desired-state/b.yaml", &host("two"));
    lab.commit("one");
    let blob = lab.git(&["rev-parse", "HEAD:desired-state/b.yaml"]);
    let object = lab.repo().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    std::fs::remove_file(&object).unwrap();
    let gone = lab.load_head().await;
    assert_eq!(rules(&gone), ["unreadable"]);
    assert!(gone.problems[0].message.contains(&blob), "{}", gone.problems[0]);
    std::fs::write(&object, "garbage").unwrap();
    assert_eq!(rules(&lab.load_head().await), ["unreadable"]);
}

#[test]
fn what_is_no_repository_is_said_so() {
    let lab = Lab::new();
    std::fs::create_dir_all(lab.repo()).unwrap();
    assert!(matches!(lab.source().resolve(None), Err(SourceError::NotARepository { .. })));
    let lab = Lab::with_repository();
    assert!(matches!(lab.source().resolve(None), Err(SourceError::Empty { .. })));
    lab.write("desired-stat/a.yaml", &host("one"));
    lab.commit("one");
    let source = lab.source();
    let at = At::Revision(source.resolve(None).unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let secrets = ipaictl::clients::secrets::SecretResolver::new(Default::default());
    let options = ipaictl::desired::LoadOptions { now: super::now(), fetch: false };
    let err = runtime.block_on(ipaictl::desired::load(&source, &at, &secrets, &options)).unwrap_err();
    assert_eq!(err.hint().as_deref(), Some("Did you mean `desired-stat`?"), "{err}");
    let outside = SourceSettings { path: "../x".into(), ..lab.settings() };
    assert!(matches!(Source::open(&outside), Err(SourceError::Invalid { .. })));
}

#[tokio::test]
async fn ten_thousand_files_load() {
    let lab = Lab::with_repository();
    for index in 0..10_000 {
        let folder = index / 100;
        lab.write(&format!("desired-state/{folder}/{index}.yaml"), &host(&format!("host-{index}")));
    }
    lab.commit("many");
    lab.git(&["gc", "--quiet"]);
    let start = Instant::now();
    let loaded = lab.load_head().await;
    eprintln!("10,000 files in {:?} (debug build)", start.elapsed());
    assert_eq!(loaded.state.unwrap().hosts.len(), 10_000);
    // Debug builds are about ten times slower than what is promised for release builds.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_repository_document_is_fetched_and_its_commit_wanted() {
    let lab = Lab::with_repository();
    let code = Lab::with_repository();
    code.write("x.txt", "1");
    let commit = code.commit("one");
    let repository = format!(
        "{}---\napiVersion: ipai.dev/v1alpha1\nkind: Repository\nmetadata: {{name: code}}\nspec:\n  url: file://{}\n  host: local\n",
        host("local"),
        code.repo().display()
    );
    lab.write("desired-state/a.yaml", &repository);
    lab.commit("one");
    assert_eq!(rules(&lab.load_head().await), ["url-not-allowed"]);
    let allowed = SourceSettings { allow: vec!["file".into()], ..lab.settings() };
    let source = Source::open(&allowed).unwrap();
    let at = At::Revision(source.resolve(None).unwrap());
    let state = load_at(&source, &at).await.state.unwrap();
    let known = &state.repositories["code"];
    assert_eq!(known.commit, Ok(commit));
    let checkout = known.checkout.as_ref().unwrap();
    assert!(checkout.path.ends_with("state/checkouts/code"), "{}", checkout.path);
    let digest = known.resource.digest.clone();
    code.write("x.txt", "2");
    code.commit("two");
    let state = load_at(&source, &at).await.state.unwrap();
    assert_ne!(state.repositories["code"].resource.digest, digest, "a new commit is a change");
    // A reference that isn't there is the document's fault; a server that isn't there is nobody's.
    lab.write("desired-state/a.yaml", &repository.replace("  host:", "  ref: mian\n  host:"));
    lab.commit("two");
    let at = At::Revision(source.resolve(None).unwrap());
    let wrong = load_at(&source, &at).await;
    assert_eq!(rules(&wrong), ["unknown-ref"]);
    std::fs::rename(code.repo(), code.folder.path().join("gone")).unwrap();
    let gone = load_at(&source, &at).await;
    assert!(gone.state.unwrap().repositories["code"].commit.is_err());
}

fn target(lab: &Lab, path: &std::path::Path, commit: &str, from: Option<&str>) -> CheckoutTarget {
    CheckoutTarget {
        kept: None,
        path: path.display().to_string(),
        commit: commit.to_owned(),
        objects: lab.repo().join(".git").display().to_string(),
        url: Some("https://example.org/code.git".into()),
        from: from.map(str::to_owned),
        written: Default::default(),
    }
}

#[tokio::test]
async fn a_checkout_is_made_moved_and_verified() {
    let lab = Lab::with_repository();
    lab.write("a.txt", "1");
    let one = lab.commit("one");
    lab.write("a.txt", "2");
    lab.write("sub/b.txt", "b");
    let two = lab.commit("two");
    let git_program = lab.source().git().clone();
    let path = lab.folder.path().join("deep/checkout");
    assert_eq!(move_checkout(&git_program, &target(&lab, &path, &one, None)).await.unwrap(), Moved::Created);
    let facts = observe_checkout(path.to_str().unwrap()).await;
    let facts = facts.known().unwrap();
    assert_eq!(facts.commit.as_ref(), Some(&one));
    assert_eq!(facts.url.as_deref(), Some("https://example.org/code.git"));
    assert!(facts.repository && facts.dirty.is_empty());
    assert_eq!(
        move_checkout(&git_program, &target(&lab, &path, &one, None)).await.unwrap(),
        Moved::Unchanged
    );
    // A commit that came later, and is in no branch of the checkout.
    lab.write("a.txt", "3");
    let three = lab.commit("three");
    assert_eq!(
        move_checkout(&git_program, &target(&lab, &path, &three, Some(&one))).await.unwrap(),
        Moved::Moved
    );
    assert_eq!(std::fs::read_to_string(path.join("a.txt")).unwrap(), "3");
    let stale = move_checkout(&git_program, &target(&lab, &path, &two, Some(&one))).await;
    assert!(matches!(stale, Err(CheckoutError::Stale { .. })));
}

#[tokio::test]
async fn work_in_a_checkout_is_never_lost() {
    let lab = Lab::with_repository();
    lab.write("a.txt", "1");
    lab.write(".gitignore", "ignored.txt\n");
    let one = lab.commit("one");
    lab.write("a.txt", "2");
    lab.write("new.txt", "theirs");
    std::fs::write(lab.repo().join(".gitignore"), "").unwrap();
    lab.write("ignored.txt", "theirs");
    let two = lab.commit("two");
    let git_program = lab.source().git().clone();
    let path = lab.folder.path().join("checkout");
    move_checkout(&git_program, &target(&lab, &path, &one, None)).await.unwrap();
    let to_two = target(&lab, &path, &two, Some(&one));

    std::fs::write(path.join("a.txt"), "mine").unwrap();
    let dirty = move_checkout(&git_program, &to_two).await;
    assert!(matches!(&dirty, Err(CheckoutError::Dirty { files, .. }) if files == &["a.txt"]), "{dirty:?}");
    std::fs::write(path.join("a.txt"), "1").unwrap();

    for name in ["new.txt", "ignored.txt"] {
        std::fs::write(path.join(name), "mine").unwrap();
        let refused = move_checkout(&git_program, &to_two).await;
        assert!(matches!(refused, Err(CheckoutError::Git(_))), "{name}: {refused:?}");
        assert_eq!(std::fs::read_to_string(path.join(name)).unwrap(), "mine");
        std::fs::remove_file(path.join(name)).unwrap();
    }

    // A commit that only this checkout has.
    std::fs::write(path.join("a.txt"), "mine").unwrap();
    git(&path, &["commit", "--quiet", "--all", "--message", "mine"]);
    let mine = git(&path, &["rev-parse", "HEAD"]);
    move_checkout(&git_program, &target(&lab, &path, &two, Some(&mine))).await.unwrap();
    assert!(git(&path, &["for-each-ref", "--contains", &mine]).contains("refs/ipaictl/kept/"));

    let other = lab.folder.path().join("other");
    std::fs::create_dir_all(&other).unwrap();
    std::fs::write(other.join("x"), "mine").unwrap();
    let occupied = move_checkout(&git_program, &target(&lab, &other, &two, None)).await;
    assert!(matches!(occupied, Err(CheckoutError::Occupied { .. })));
}

#[tokio::test]
async fn hooks_filters_and_local_configuration_of_others_do_not_run() {
    let lab = Lab::with_repository();
    lab.write("a.txt", "1");
    let one = lab.commit("one");
    lab.write("a.txt", "2");
    let two = lab.commit("two");
    let git_program = lab.source().git().clone();
    let path = lab.folder.path().join("checkout");
    move_checkout(&git_program, &target(&lab, &path, &one, None)).await.unwrap();
    let mark = lab.folder.path().join("ran");
    let hook = path.join(".git/hooks/post-checkout");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", mark.display())).unwrap();
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    move_checkout(&git_program, &target(&lab, &path, &two, Some(&one))).await.unwrap();
    assert!(!mark.exists(), "a hook ran");
}

#[tokio::test]
async fn a_credential_reaches_the_server_and_nothing_else() {
    use std::io::{Read as _, Write as _};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    // A server that keeps what it is asked, looks at the arguments of all processes, and says no.
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = vec![0; 8192];
        let count = stream.read(&mut request).unwrap();
        let arguments: Vec<u8> = std::fs::read_dir("/proc")
            .unwrap()
            .filter_map(|entry| std::fs::read(entry.unwrap().path().join("cmdline")).ok())
            .flatten()
            .collect();
        let body = "Bearer c4n4ry-token is wrong";
        write!(stream, "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
            .unwrap();
        (
            String::from_utf8_lossy(&request[..count]).into_owned(),
            String::from_utf8_lossy(&arguments).into_owned(),
        )
    });
    let lab = Lab::new();
    let settings = SourceSettings {
        repo: format!("http://127.0.0.1:{port}/a.git"),
        credential: Some("c4n4ry-token".to_owned().into()),
        ..lab.settings()
    };
    let err = Source::open(&settings).unwrap().fetch().await.unwrap_err();
    let (request, arguments) = server.join().unwrap();
    // `x-access-token:c4n4ry-token` in base64.
    let header = "eC1hY2Nlc3MtdG9rZW46YzRuNHJ5LXRva2Vu";
    assert!(request.contains(header), "{request}");
    assert!(!arguments.contains("c4n4ry") && !arguments.contains(header));
    let mut text = format!("{err:?} {settings:?}");
    let mut source: Option<&dyn std::error::Error> = Some(&err);
    while let Some(err) = source {
        text.push_str(&err.to_string());
        source = err.source();
    }
    assert!(!text.contains("c4n4ry") && !text.contains(header), "{text}");
    let kept =
        Command::new("grep").args(["-rlaE", "c4n4ry|eC1hY2Nlc3M"]).arg(lab.folder.path()).output().unwrap();
    assert!(kept.stdout.is_empty(), "{}", String::from_utf8_lossy(&kept.stdout));
}

#[tokio::test]
async fn a_redirect_to_another_server_is_not_followed() {
    use std::io::{Read as _, Write as _};
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    other.set_nonblocking(true).unwrap();
    let elsewhere = other.local_addr().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 8192]).unwrap();
        write!(stream, "HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/x.git/info/refs?service=git-upload-pack\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
    });
    let lab = Lab::new();
    let settings = SourceSettings { repo: format!("http://127.0.0.1:{port}/a.git"), ..lab.settings() };
    assert!(Source::open(&settings).unwrap().fetch().await.is_err());
    server.join().unwrap();
    assert!(other.accept().is_err(), "somebody came to the other server");
}

#[tokio::test]
async fn the_controllers_own_checkout_is_put_right_in_place_and_nothing_is_lost() {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let lab = Lab::with_repository();
    for name in ["a.conf", "b.conf", "folder/c.conf", "gone.conf", "link.conf"] {
        lab.write(name, "committed");
    }
    let one = lab.commit("one");
    lab.write("a.conf", "committed later");
    let two = lab.commit("two");
    let git_program = lab.source().git().clone();
    let path = lab.folder.path().join("checkout");
    let kept = lab.folder.path().join("kept");
    let own = |commit: &str, from: Option<&str>| {
        let target = target(&lab, &path, commit, from);
        CheckoutTarget { kept: Some(kept.display().to_string()), ..target }
    };
    move_checkout(&git_program, &own(&one, None)).await.unwrap();
    let inode = |name: &str| std::fs::metadata(path.join(name)).unwrap().ino();
    let (before, outside) = (inode("a.conf"), lab.folder.path().join("outside"));
    std::fs::write(&outside, "of somebody else").unwrap();

    std::fs::write(path.join("a.conf"), "mine").unwrap();
    std::fs::set_permissions(path.join("b.conf"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::remove_dir_all(path.join("folder")).unwrap();
    std::fs::write(path.join("folder"), "mine in the way").unwrap();
    std::fs::remove_file(path.join("gone.conf")).unwrap();
    std::fs::remove_file(path.join("link.conf")).unwrap();
    std::os::unix::fs::symlink(&outside, path.join("link.conf")).unwrap();
    std::fs::write(path.join("untracked"), "mine too").unwrap();
    let moved = move_checkout(&git_program, &own(&one, Some(&one))).await.unwrap();
    assert_eq!(moved, Moved::Moved);
    for name in ["a.conf", "b.conf", "folder/c.conf", "gone.conf", "link.conf"] {
        assert_eq!(std::fs::read_to_string(path.join(name)).unwrap(), "committed", "{name}");
    }
    assert_eq!(inode("a.conf"), before, "a container that mounts it alone sees the committed content");
    assert_eq!(std::fs::metadata(path.join("b.conf")).unwrap().permissions().mode() & 0o111, 0);
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "of somebody else");
    assert_eq!(std::fs::read_to_string(path.join("untracked")).unwrap(), "mine too");
    let set = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap().path();
    assert_eq!(std::fs::read_to_string(set.join("a.conf")).unwrap(), "mine");
    assert_eq!(std::fs::read_to_string(set.join("folder")).unwrap(), "mine in the way");
    assert_eq!(std::fs::read_link(set.join("link.conf")).unwrap(), outside);

    // A newer commit does not wait for a person either, and what cannot be kept is not overwritten.
    std::fs::write(path.join("b.conf"), "mine again").unwrap();
    move_checkout(&git_program, &own(&two, Some(&one))).await.unwrap();
    assert_eq!(std::fs::read_to_string(path.join("a.conf")).unwrap(), "committed later");
    assert_eq!(std::fs::read_dir(&kept).unwrap().count(), 2);
    std::fs::remove_dir_all(&kept).unwrap();
    std::fs::write(&kept, "not a folder").unwrap();
    std::fs::write(path.join("b.conf"), "mine at last").unwrap();
    move_checkout(&git_program, &own(&two, Some(&two))).await.unwrap_err();
    assert_eq!(std::fs::read_to_string(path.join("b.conf")).unwrap(), "mine at last");
}

#[tokio::test]
async fn a_full_disk_is_named_when_git_fails_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = crate::disk::SmallDisk::at(folder.path(), "1m") else {
        println!("skipped: a tmpfs can't be mounted here");
        return;
    };
    let program = ipaictl::clients::git::Git::new(&disk.0);
    let init = |name: &str| program.local(Some(&disk.0)).args(["init", "--quiet", "--bare", name]);
    program.run("making a repository", &init("one"), None).await.unwrap();
    disk.fill();
    let err = program.run("making a repository", &init("two"), None).await.unwrap_err();
    assert!(err.to_string().contains("; no space is left in `"), "{err}");
    disk.free();
    let wrong = program.local(Some(&disk.0)).args(["rev-parse", "--verify", "nothing"]);
    let err = program.run("asking", &wrong, None).await.unwrap_err();
    assert!(!err.to_string().contains("no space"), "{err}");
}
