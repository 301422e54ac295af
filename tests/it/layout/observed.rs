//! The tree of a real installation, made again from the fixture: each finding about it is a test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use serde_json::Value;

use super::{all, assert_check, check, git, message, verify, write};
use crate::cli::Program;
use crate::deps::{Known, fixture, known, python, write_module};

/// Files of the fixture that are no part of the tree.
const NOT_TREE: &[&str] = &["extracted", "layout.json", "modules.json", "README.md"];
const CORE: &[&str] = &["--core", "core/odoo/addons", "--core", "core/addons"];
/// How production sees the tree.
const PRODUCTION: &[&str] = &["--odoo-conf", "deploy/odoo.conf", "--mount", "addons:/mnt/extra-addons"];
const ADDONS_PATH: &str =
    "/usr/lib/python3/dist-packages/odoo/addons,/var/lib/odoo/addons/18.0,/mnt/extra-addons";

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        let name = entry.file_name();
        if NOT_TREE.contains(&name.to_str().unwrap()) {
            continue;
        }
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(name));
        } else {
            write(&to.join(name), fs::read(entry.path()).unwrap());
        }
    }
}

fn module(root: &Path, found: &Known) {
    let (folder, name) = found.path.rsplit_once('/').unwrap();
    write_module(&root.join(folder), name, &python::manifest(&found.facts, 0));
}

/// The observed tree in `work/checkout`, Odoo's own modules in `work/core`; `None` without the fixture.
fn tree() -> Option<Program> {
    let fixture = fixture()?;
    let program = Program::new();
    let (checkout, core) = (program.work().join("checkout"), program.work().join("core"));
    let layout: Value =
        serde_json::from_str(&fs::read_to_string(fixture.join("layout.json")).unwrap()).unwrap();
    fs::create_dir_all(&checkout).unwrap();
    git(&checkout, &["init", "-q"]);
    for entry in layout["entries"].as_array().unwrap() {
        let path = checkout.join(entry["path"].as_str().unwrap());
        match entry["kind"].as_str().unwrap() {
            "dir" => fs::create_dir_all(path).unwrap(),
            "gitlink" => {
                fs::create_dir_all(path).unwrap();
                let link = format!(
                    "160000,{},{}",
                    entry["commit"].as_str().unwrap(),
                    entry["path"].as_str().unwrap()
                );
                git(&checkout, &["update-index", "--add", "--cacheinfo", &link]);
            }
            "symlink" => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                symlink(entry["target"].as_str().unwrap(), path).unwrap();
            }
            _ => write(&path, ""),
        }
    }
    let submodules = layout["submodules"].as_array().unwrap().iter().map(|found| {
        let word = |key: &str| found[key].as_str().unwrap_or("18.0");
        format!(
            "[submodule \"{}\"]\n\tpath = {}\n\turl = {}\n\tbranch = {}\n",
            word("name"),
            word("path"),
            word("url"),
            word("branch")
        )
    });
    write(&checkout.join(".gitmodules"), submodules.collect::<String>());
    write(&checkout.join("deploy/odoo.conf"), format!("[options]\naddons_path = {ADDONS_PATH}\n"));
    copy(&fixture, &checkout);
    for found in known()?.iter() {
        match found.source.as_str() {
            "core-18.0" => module(&core, found),
            source if source.starts_with("ipai") => module(&checkout, found),
            _ => {}
        }
    }
    Some(program)
}

fn report(more: &[&[&str]]) -> Option<(Program, Value)> {
    let program = tree()?;
    let (ran, report) = verify(&program, &more.concat());
    assert_eq!(ran.code, 1, "{}", ran.err);
    Some((program, report))
}

#[test]
fn none_of_nineteen_repositories_is_present_and_an_empty_folder_changes_nothing() {
    let Some((program, report)) = report(&[]) else { return };
    assert_eq!((report["declared"].as_u64(), report["present"].as_u64()), (Some(19), Some(0)));
    let clones = all(&report, "clone");
    assert_eq!(
        clones.iter().filter(|check| check["verdict"] == "drift" && check["cause"] == "missing").count(),
        19
    );
    fs::create_dir(program.work().join("checkout/addons/oca/web")).unwrap();
    let (ran, report) = verify(&program, &[]);
    assert_eq!((ran.code, report["present"].as_u64()), (1, Some(0)));
    assert_check(&report, "clone", "addons/oca/web", "drift", "an empty folder");
    let before = git(&program.work().join("checkout"), &["status", "--porcelain"]);
    verify(&program, &[]);
    assert_eq!(
        git(&program.work().join("checkout"), &["status", "--porcelain"]),
        before,
        "nothing is written"
    );
}

#[test]
fn seven_mounts_of_which_project_agile_is_in_no_manifest() {
    let Some((_, report)) = report(&[]) else { return };
    assert_check(&report, "catalogue", ".devcontainer/devcontainer.json", "ok", "7 mounts");
    for file in ["addons.manifest.json", ".devcontainer/devcontainer.json"] {
        let of_file: Vec<_> = all(&report, "mount")
            .into_iter()
            .filter(|check| check["subject"].as_str().unwrap().starts_with(&format!("{file}: ")))
            .collect();
        assert_eq!(of_file.len(), 7);
        let in_none: Vec<_> = of_file.iter().filter(|check| check["cause"] == "in no manifest").collect();
        assert_eq!(in_none.len(), 1);
        assert_eq!(in_none[0]["subject"], format!("{file}: addons/oca/project-agile"));
        assert_check(&report, "mounts", file, "drift", "14 declared and not mounted");
    }
    let both = "addons.manifest.json, .devcontainer/devcontainer.json";
    assert_check(&report, "mounts", both, "ok", "the same 7 folders");
}

#[test]
fn catalogues_disagree_by_name_and_number() {
    let Some((_, report)) = report(&[]) else { return };
    let six = "lacks 6 of the manifest's: account-invoicing, automation, bank-statement-import, crm, partner-contact, server-env";
    assert_check(
        &report,
        "catalogue",
        "config/addons_manifest.oca_ipai.json",
        "ok",
        "19 repositories; 66 must-have",
    );
    for file in ["oca.lock.json", "addons/oca/oca.lock.json"] {
        assert_check(&report, "catalogue", file, "conflict", "26 repositories");
        assert_check(&report, "catalogue", file, "conflict", six);
        assert_check(&report, "catalogue", file, "conflict", "26 without a commit");
    }
    let roots = "33 repositories (addons/OCA 13, branding 1, external-src 14, vendor/oca 5)";
    assert_check(&report, "catalogue", ".gitmodules", "conflict", roots);
    for (file, count) in [
        ("addons/oca/OCA_PINS.yaml", "16 repositories"),
        ("oca-aggregate.yml", "11 repositories"),
        ("config/oca-repos.yaml", "26 repositories"),
        ("oca/oca_modules.yaml", "15 repositories"),
    ] {
        assert_check(&report, "catalogue", file, "conflict", count);
    }
}

#[test]
fn one_repository_is_pinned_to_three_commits() {
    let Some((_, report)) = report(&[]) else { return };
    let found = check(&report, "pins", "server-tools");
    assert_eq!(found["verdict"], "conflict");
    for commit in ["6df81fe", "42d80c8", "adec64e"] {
        assert!(found["cause"].as_str().unwrap().contains(commit), "{found:#}");
    }
    assert!(message(found, "42d80c8696fb03acbf83355d62ae0a5cf3adde08").starts_with(".gitmodules:"));
}

#[test]
fn two_folders_that_differ_by_case_and_the_link_in_one_of_them() {
    let Some((_, report)) = report(&[]) else { return };
    assert_check(&report, "case", "addons/oca", "conflict", "beside `addons/OCA`");
    let link = "a link to `../../external-src/account-financial-tools`";
    assert_check(&report, "link", "addons/OCA/account-financial-tools", "ok", link);
    assert_check(&report, "mount", "docker-compose.dev.yml: addons/OCA", "conflict", "by case alone");
}

#[test]
fn production_sees_thirty_five_modules_and_two_folders_that_only_hold_modules() {
    let Some((_, report)) = report(&[CORE, PRODUCTION]) else { return };
    assert_check(&report, "visible", "addons", "ok", "35 modules and 2 folders that only hold modules");
    assert_check(&report, "visible", "deploy/odoo.conf", "ok", "a server sees 35 modules and 2 folders");
    let found = check(&report, "addons-path", "deploy/odoo.conf");
    assert_eq!(found["verdict"], "drift");
    assert!(message(found, "declared").starts_with("20 declared and not searched"), "{found:#}");
    let mut flat: Vec<&str> =
        all(&report, "orphan").iter().map(|check| check["subject"].as_str().unwrap()).collect();
    flat.sort_unstable();
    let reused =
        ["account_asset_management", "account_financial_report", "account_reconcile_oca", "hr_expense"];
    assert_eq!(flat, reused.map(|name| format!("addons/oca/{name}")));
}

#[test]
fn five_names_are_there_twice_with_both_paths_and_the_order_decides() {
    let names =
        ["ipai_ai_agent_builder", "ipai_ai_rag", "ipai_ai_tools", "ipai_platform_theme", "ipai_theme_tbwa"];
    for (view, wins) in [(&[][..], "addons/ipai/"), (PRODUCTION, "addons/")] {
        let Some((_, report)) = report(&[CORE, view]) else { return };
        let ours: Vec<_> =
            all(&report, "duplicate").into_iter().filter(|check| check["subject"] != "hr_expense").collect();
        assert_eq!(ours.iter().map(|check| check["subject"].as_str().unwrap()).collect::<Vec<_>>(), names);
        for (check, name) in ours.iter().zip(names) {
            let cause = check["cause"].as_str().unwrap();
            for path in [format!("`addons/{name}`"), format!("`addons/ipai/{name}`")] {
                assert!(cause.contains(&path), "{cause}");
            }
            assert!(cause.ends_with(&format!("a server sees `{wins}{name}`")), "{cause}");
        }
        let rag = check(&report, "duplicate", "ipai_ai_rag");
        assert!(message(rag, "addons/ipai/ipai_ai_rag").contains("not installable"), "{rag:#}");
        assert_check(
            &report,
            "duplicate",
            "hr_expense",
            "conflict",
            "a server sees `core/addons/hr_expense`",
        );
    }
}

#[test]
fn manifests_that_a_server_refuses_and_names_that_nobody_has() {
    let Some((_, report)) = report(&[CORE, PRODUCTION]) else { return };
    assert_check(&report, "manifests", "all modules", "conflict", "78 manifests, 23 of them not installable");
    let found = check(&report, "manifests", "all modules");
    assert!(message(found, "addons/ipai/ipai_foundation").contains("`19.0.1.0.0` is for series 19.0"));
    let needs = check(&report, "dependencies", "all modules");
    assert!(needs["cause"].as_str().unwrap().starts_with("5 needed and not there"), "{needs:#}");
    assert!(message(needs, "ipai_finance_ppm").contains("the folder has no manifest"));
    assert!(message(needs, "fetchmail").contains("only in core until 16.0"));
    let users = "ipai_finance_workflow, ipai_vertical_media, ipai_vertical_retail";
    assert!(message(needs, "ipai_workspace_core").ends_with(&format!("needed by {users}")));
}

#[test]
fn must_have_modules_have_their_causes() {
    let Some((_, report)) = report(&[CORE]) else { return };
    let of = |slug: &str| check(&report, "must-have", slug).clone();
    assert_eq!(all(&report, "must-have").len(), 14);
    let tools = of("OCA/server-tools");
    assert_eq!(tools["verdict"], "conflict");
    assert!(message(&tools, "mass_editing").contains("now `server_action_mass_edit` in OCA/server-ux"));
    assert!(
        message(&tools, "auth_admin_passkey")
            .contains("lives in OCA/server-auth, which is not in the manifest")
    );
    assert!(message(&of("OCA/web"), "web_export_view").contains("last seen on 12.0"));
    assert_eq!(of("OCA/queue")["verdict"], "drift");
    assert_check(
        &report,
        "closure",
        "the must-have modules that are there",
        "drift",
        "none of them is there",
    );
}

#[test]
fn a_command_line_with_a_root_without_modules_ends_odoo() {
    let Some((_, report)) = report(&[CORE, &["--file", "ci/odoo/docker-compose.ci.yml"]]) else { return };
    for (subject, entry) in [
        ("docker-compose.dev.yml: odoo", "/mnt/extra-addons/OCA"),
        ("ci/odoo/docker-compose.ci.yml: odoo", "/mnt/repo/oca"),
    ] {
        let found = check(&report, "addons-path", subject);
        assert_eq!(found["verdict"], "drift");
        assert!(message(found, entry).ends_with("Odoo ends"), "{found:#}");
    }
}

#[test]
fn settings_with_variables_and_scripts_that_are_named_and_missing_are_reported() {
    let Some(program) = tree() else { return };
    write(&program.work().join("checkout/x.conf"), "[options]\naddons_path = ${ODOO_ADDONS_PATH}\n");
    let hook = "scripts/clone_missing_oca_repos.sh";
    let (_, report) = verify(&program, &["--file", "x.conf", "--hook", hook]);
    assert_check(&report, "catalogue", "x.conf", "conflict", "1 problem");
    assert!(message(check(&report, "catalogue", "x.conf"), "x.conf:2:1").contains("expands no variables"));
    assert_check(&report, "reference", hook, "drift", "unresolved");
    assert_check(&report, "reference", "scripts/verify-addons-mounts.sh", "drift", "addons.manifest.json:");
    // A script that is there and says all is well is not believed.
    write(&program.work().join("checkout").join(hook), "#!/bin/sh\nexit 0\n");
    let (ran, report) = verify(&program, &["--hook", hook]);
    assert_check(&report, "reference", hook, "ok", "named by");
    assert_eq!((ran.code, report["present"].as_u64()), (1, Some(0)));
}

#[test]
fn owner_and_mode_are_part_of_the_layout() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(program) = tree() else { return };
    let open = program.work().join("checkout/addons/ipai/ipai_theme_tbwa");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    let (_, report) = verify(&program, &["--owner", "4000:101"]);
    assert_check(&report, "ownership", "addons/ipai", "drift", "are not owned by 4000:101");
    assert_check(
        &report,
        "ownership",
        "addons/ipai",
        "drift",
        "everybody can write addons/ipai/ipai_theme_tbwa (777)",
    );
}

#[test]
fn all_nineteen_cloned_are_told_apart_and_remembered_manifests_change_nothing() {
    let Some(program) = tree() else { return };
    let checkout = program.work().join("checkout");
    for found in known().unwrap() {
        if found.source.starts_with("oca") {
            let repository = found.facts["repo"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let folder = checkout.join("addons/oca").join(repository);
            write_module(&folder, &found.name, &python::manifest(&found.facts, 0));
        }
    }
    let manifest: Value = serde_json::from_str(
        &fs::read_to_string(checkout.join("config/addons_manifest.oca_ipai.json")).unwrap(),
    )
    .unwrap();
    for repository in manifest["oca_repositories"].as_array().unwrap() {
        let folder = checkout.join(repository["path"].as_str().unwrap());
        write(&folder.join("README.md"), "x");
        git(&folder, &["init", "-q", "-b", "18.0"]);
        git(&folder, &["add", "-A"]);
        git(&folder, &["commit", "-qm", "all"]);
        git(&folder, &["remote", "add", "origin", repository["url"].as_str().unwrap()]);
    }
    let (_, report) = verify(&program, CORE);
    assert_eq!(report["present"], 19);
    for path in ["automation", "account-reconcile", "bank-statement-import", "account-invoicing", "crm"] {
        assert_check(&report, "modules", &format!("addons/oca/{path}"), "drift", "has no modules yet");
    }
    assert_check(&report, "must-have", "OCA/queue", "ok", "all 2 there");
    // All repositories are there, and what is there needs another one.
    let closure = check(&report, "closure", "the must-have modules that are there");
    assert_ne!(closure["verdict"], "ok", "{closure:#}");
    assert!(closure["cause"].as_str().unwrap().contains("needed and not there"), "{closure:#}");
    // What is remembered of manifests changes nothing of what is said.
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    fs::remove_dir_all(program.work().join("../.cache/ipaictl/layout")).unwrap();
    let (_, cold) = verify(&program, CORE);
    let (_, warm) = verify(&program, CORE);
    assert_eq!(cold, warm);
}
