//! Mistakes of people: each is refused or put right before anything is lost.

use std::fs;

use super::{Shop, copy};
use crate::lab::odoo::image;
use crate::world::{docker, root};

#[test]
fn a_document_that_is_renamed_makes_no_second_server_on_the_volume() {
    let shop = Shop::new("renamed", "lab_plain", "");
    shop.world.apply();
    shop.sql("create table kept (id int)");
    let renamed = format!("{}-two", shop.name());
    shop.world.edit(
        "desired-state/app.yaml",
        &format!("{{name: {}}}", shop.name()),
        &format!("{{name: {renamed}}}"),
    );
    shop.world.commit("feat: another name");
    let said = shop.apply_fails();
    assert!(said.out.contains("two servers on one data directory destroy it"), "{}", said.out);
    let made = docker(&["ps", "-a", "--format", "{{.Names}}", "--filter", &format!("name={renamed}")]);
    assert_eq!(made, "");
    assert_eq!(shop.sql("select count(*) from kept"), "0");
}

#[test]
fn an_environment_that_comes_back_gets_no_empty_database_or_filestore() {
    let shop = Shop::new("back", "lab_plain", "");
    shop.world.apply();
    shop.world.edit("desired-state/app.yaml", "  tier: dev\n", "  tier: dev\n  run: absent\n");
    shop.world.commit("feat: absent");
    shop.world.apply();
    shop.expect("Healthy", "True", "InSync", "absent, as its document says");
    let volume = format!("{}-db", shop.name());
    shop.world.edit("desired-state/app.yaml", "  run: absent\n", "");
    shop.world.edit("desired-state/app.yaml", &format!("volume: {volume},"), &format!("volume: {volume}x,"));
    shop.world.commit("feat: back, with a mistake");
    let said = shop.apply_fails();
    assert!(said.out.contains("was there and is gone"), "{}", said.out);
    let volumes = docker(&["volume", "ls", "--format", "{{.Name}}"]);
    assert!(!volumes.lines().any(|name| name == format!("{volume}x")), "{volumes}");
    shop.expect("Healthy", "False", "DependencyNotReady", "waits for a decision about its data");
    // The same of the filestore.
    shop.world.edit("desired-state/app.yaml", &format!("volume: {volume}x,"), &format!("volume: {volume},"));
    let files = format!("{}-files", shop.name());
    shop.world.edit(
        "desired-state/app.yaml",
        &format!("filestore: {{volume: {files}}}"),
        &format!("filestore: {{volume: {files}x}}"),
    );
    shop.world.commit("feat: another mistake");
    shop.world.run(&["apply", "--yes"]);
    let said = shop.apply_fails();
    assert!(said.out.contains(&format!("belong into volume `{files}x`, which is not there")), "{}", said.out);
    shop.world.edit("desired-state/app.yaml", &format!("volume: {files}x}}"), &format!("volume: {files}}}"));
    shop.world.commit("fix: the name");
    shop.world.apply();
    assert_eq!(shop.module("lab_plain"), "installed 18.0.1.0.0");
}

#[test]
fn an_image_that_cannot_be_had_leaves_the_former_code_and_its_owner() {
    let shop = Shop::new("built", "lab_plain", "");
    // A build that works, from the image of the lab; then one that fails, with the next revision of a module.
    shop.world.write("Dockerfile", &format!("FROM {}\n", image()));
    shop.world.edit(
        "desired-state/app.yaml",
        &format!("    image: {}\n", image()),
        "    build: {context: .}\n",
    );
    shop.world.edit("desired-state/app.yaml", "source: addons}", "source: addons, owner: \"100:101\"}");
    shop.world.commit("feat: a build");
    shop.world.apply();
    // Another image under the name of the build is not the commit's.
    let name = shop.world.inspect("odoo", "{{.Config.Image}}");
    let name = name.split('@').next().unwrap().to_owned();
    let id = shop.world.inspect("odoo", "{{.Image}}");
    docker(&["tag", &image(), &name]);
    let preview = shop.world.differences();
    assert!(preview.contains("build: what has its name was built from something else"), "{preview}");
    shop.world.apply();
    shop.world.assert_in_sync();
    assert_eq!(shop.world.inspect("odoo", "{{.Image}}"), id, "another image than the build's runs");
    shop.world.write("Dockerfile", &format!("FROM {}\nRUN false\n", image()));
    copy(&root().join("tests/lab/addons-next/lab_plain"), &shop.world.repository().join("addons/lab_plain"));
    shop.world.commit("feat: a build that fails");
    let said = shop.apply_fails();
    assert!(said.out.contains("what was there before was put back"), "{}{}", said.out, said.err);
    let manifest = "/mnt/extra-addons/lab_plain/__manifest__.py";
    let seen = docker(&["exec", &shop.container("odoo"), "cat", manifest]);
    assert!(seen.contains("18.0.1.0.0") && !seen.contains("18.0.1.1.0"), "{seen}");
    let owner = docker(&["exec", &shop.container("odoo"), "stat", "-c", "%u:%g", manifest]);
    assert_eq!(owner.trim(), "100:101");
    assert_eq!(shop.module("lab_plain"), "installed 18.0.1.0.0");
    let _ = std::process::Command::new("docker").args(["image", "prune", "-f"]).output();
}

#[test]
fn code_that_was_edited_on_the_host_is_put_right_in_the_process_too() {
    let shop = Shop::new("edited-code", "lab_plain", "");
    shop.world.apply();
    let started = shop.world.inspect("odoo", "{{.State.StartedAt}}");
    let checkout = shop.world.state().join(format!("checkouts/_environment-{}", shop.name()));
    let file = checkout.join("addons/lab_plain/__init__.py");
    fs::write(&file, "# mine\n").unwrap();
    shop.world.apply();
    assert_ne!(fs::read_to_string(&file).unwrap(), "# mine\n");
    assert_ne!(shop.world.inspect("odoo", "{{.State.StartedAt}}"), started);
    shop.expect("Ready", "True", "InSync", "");
    // A module that no commit has, the server would see all the same.
    fs::create_dir(checkout.join("addons/by_hand")).unwrap();
    fs::write(checkout.join("addons/by_hand/__manifest__.py"), "{'name': 'By hand'}").unwrap();
    let preview = shop.world.differences();
    assert!(preview.contains("no commit has `addons/by_hand/`"), "{preview}");
}

#[test]
fn the_configuration_of_yesterday_keeps_no_secrets() {
    let shop = Shop::new("rotated", "", "");
    let secret = shop.world.path("smtp");
    let option = |value: &str| {
        fs::write(&secret, value).unwrap();
        shop.world.commit("feat: a secret");
        shop.world.apply();
    };
    let reference = format!("db_maxconn: 8, smtp_password: {{file: {}}}", secret.display());
    shop.world.edit("desired-state/app.yaml", "db_maxconn: 8", &reference);
    option("first-secret");
    // What is written is named after all but the secrets, so another option moves it.
    for (workers, value) in [("0", "second-secret"), ("1", "third-secret")] {
        let before = if workers == "0" {
            "db_maxconn: 8,".to_owned()
        } else {
            "db_maxconn: 8, workers: 0,".to_owned()
        };
        shop.world.edit("desired-state/app.yaml", &before, &format!("db_maxconn: 8, workers: {workers},"));
        option(value);
    }
    let mut text = String::new();
    super::walk(&shop.files(), &mut |path| text.push_str(&fs::read_to_string(path).unwrap_or_default()));
    assert!(text.contains("third-secret") && !text.contains("first-secret"), "{text}");
}
