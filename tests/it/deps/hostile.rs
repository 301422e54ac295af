//! Input that means harm: nothing panics, hangs or drives the terminal.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;

use super::write_module;
use crate::cli::Program;

#[test]
fn broken_manifests_are_named_with_their_place_and_stop_nobody_else() {
    let program = Program::new();
    let root = program.work().join("addons");
    write_module(&root, "good", "{'depends': []}");
    let cases = [
        ("nul", "{'a': '\0'}".to_owned(), "a NUL byte"),
        ("code", "{'depends': __import__('os').system('touch pwned')}".to_owned(), "`__import__` is a name"),
        ("deep", "[".repeat(100_000), "more than 200 brackets"),
        ("huge", format!("{{'a': '{}'}}", "x".repeat(10 << 20)), "longer than 1024 KiB"),
        ("open", "{'a': '".to_owned(), "a string that never ends"),
        ("escape", "{'a': \u{1b}[31m}".to_owned(), "addons/escape/__manifest__.py:1:7"),
        ("empty", String::new(), "no value at all"),
    ];
    for (name, text, _) in &cases {
        write_module(&root, name, text);
    }
    write_module(&root, "bytes", "");
    fs::write(root.join("bytes/__manifest__.py"), b"{'a': '\xff\xfe'}").unwrap();
    for (name, _, says) in &cases {
        let ran = program.run(["deps", name, "good", "--root", "addons"]);
        assert_eq!(ran.code, 1, "{name}: {}", ran.err);
        assert!(ran.out.contains(says), "{name}: {}", ran.out);
        assert!(ran.out.contains("addons/good") && !ran.out.contains('\u{1b}'), "{name}: {}", ran.out);
    }
    assert!(program.run(["deps", "bytes", "--root", "addons"]).out.contains("is not UTF-8"));
    assert!(!program.work().join("pwned").exists());
}

#[test]
fn names_links_and_files_in_the_way_do_no_harm() {
    let program = Program::new();
    let root = program.work().join("addons");
    write_module(
        &root,
        "good",
        "{'depends': ['evil\\n\\x1b[31mname', '--upload-pack=x', \"<script>&'\\\"\"]}",
    );
    write_module(&root, "evil\n\u{1b}[2Jdirectory", "{'depends': ['good']}");
    fs::create_dir_all(root.join(OsStr::from_bytes(b"not\xfftext"))).unwrap();
    symlink("loop", root.join("loop")).unwrap();
    symlink("..", root.join("up")).unwrap();
    fs::write(root.join("file"), "").unwrap();
    fs::create_dir_all(root.join("odd/__manifest__.py")).unwrap();
    let fifo = std::process::Command::new("mkfifo").arg(root.join("odd/__openerp__.py")).status();
    assert!(fifo.is_ok_and(|status| status.success()));
    for more in [
        vec![],
        vec!["--tree"],
        vec!["--reverse"],
        vec!["--install"],
        vec!["-o", "dot"],
        vec!["-o", "mermaid"],
        vec!["-o", "svg"],
    ] {
        let mut arguments = vec!["deps", "good", "loop", "odd", "--root", "addons"];
        arguments.extend(&more);
        let ran = program.run(&arguments);
        assert_eq!(ran.code, 1, "{more:?}: {}", ran.err);
        assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{more:?}: {}", ran.out);
        assert!(!more.contains(&"svg") || !ran.out.contains("<script"), "{more:?}");
        assert!(!ran.out.contains("--upload-pack=x\n  --upload"), "{more:?}");
    }
}

#[test]
fn a_cache_that_was_damaged_or_can_not_be_written_changes_no_answer() {
    let program = Program::new();
    write_module(&program.work().join("addons"), "good", "{'depends': []}");
    let run = || program.run(["deps", "good", "--root", "addons", "-o", "json"]);
    let first = run();
    assert_eq!(first.code, 0, "{}", first.err);
    let folder = program.work().join("../.cache/ipaictl/deps");
    let file = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    for damage in [b"".as_slice(), b"{}", b"ipaictl-deps-cache-1 0\n{\"written\": 1, \"stored\": []}"] {
        fs::write(&file, damage).unwrap();
        assert_eq!(run().out, first.out);
    }
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let ran = run();
    assert_eq!((ran.code, ran.out), (0, first.out));
}

#[test]
fn a_change_of_the_same_length_within_the_same_second_is_seen() {
    let program = Program::new();
    let root = program.work().join("addons");
    write_module(&root, "b", "{}");
    write_module(&root, "c", "{}");
    for round in 0..6 {
        let needs = if round % 2 == 0 { "b" } else { "c" };
        write_module(&root, "a", &format!("{{'depends': ['{needs}']}}"));
        let ran = program.run(["deps", "a", "--root", "addons", "--tree"]);
        assert_eq!(ran.out, format!("a\n  {needs}\n"));
    }
}
