//! What apply does to a real engine. Each test ends the same way: a second diff is empty.

mod checkout;

use std::process::Command;

use crate::world::{World, docker, eventually, free_port, root, text_of};

const TWO: &str = "services:
  one:
    image: ipaictl/busybox:1
    command: [/bin/pause]
    environment: {COLOR: blue}
    stop_grace_period: 1s
  two:
    image: ipaictl/busybox:1
    command: [/bin/pause]
    stop_grace_period: 1s
";

#[test]
fn a_new_stack_is_made_and_a_second_apply_does_nothing() {
    let world = World::new("create", TWO);
    let preview = world.differences();
    assert!(preview.contains("2 to add") || preview.contains("3 to add"), "{preview}");
    world.apply();
    world.assert_in_sync();
    let id = world.id("one");
    world.apply();
    assert_eq!(world.id("one"), id, "an apply without differences replaced a container");
}

#[test]
fn each_kind_of_change_is_applied_to_the_changed_service_only() {
    let world = World::new("change", TWO);
    world.apply();
    let other = world.id("two");
    for (from, to, template, expected) in [
        ("COLOR: blue", "COLOR: green", "{{index .Config.Env 0}}", "COLOR=green"),
        (
            "{COLOR: green}",
            "{COLOR: green}\n    labels: {com.example.a: b}",
            "{{index .Config.Labels \"com.example.a\"}}",
            "b",
        ),
        ("{COLOR: green}", "{COLOR: green}\n    mem_limit: 32m", "{{.HostConfig.Memory}}", "33554432"),
        (
            "{COLOR: green}",
            "{COLOR: green}\n    restart: unless-stopped",
            "{{.HostConfig.RestartPolicy.Name}}",
            "unless-stopped",
        ),
        ("{COLOR: green}", "{COLOR: green}\n    hostname: elsewhere", "{{.Config.Hostname}}", "elsewhere"),
        (
            "{COLOR: green}",
            "{COLOR: green}\n    cap_drop: [NET_RAW]",
            "{{index .HostConfig.CapDrop 0}}",
            "CAP_NET_RAW",
        ),
        ("{COLOR: green}", "{COLOR: green}\n    user: www", "{{.Config.User}}", "www"),
    ] {
        let before = world.id("one");
        world.edit("compose.yaml", from, to);
        world.commit("feat: change");
        let preview = world.differences();
        assert!(preview.contains("recreate"), "{preview}");
        world.apply();
        assert_eq!(world.inspect("one", template), expected);
        assert_ne!(world.id("one"), before);
        assert_eq!(world.id("two"), other, "an unchanged service was replaced");
        world.assert_in_sync();
    }
}

#[test]
fn a_recreated_database_keeps_its_rows() {
    let compose = "services:
  db:
    image: ipaictl/postgres:15
    environment: {POSTGRES_PASSWORD: first, POSTGRES_USER: shop, POSTGRES_DB: shop}
    volumes: [data:/var/lib/postgresql/data]
    healthcheck: {test: [CMD, pg_isready, -U, shop, -d, shop], interval: 1s, timeout: 3s, retries: 60}
volumes:
  data:
";
    let world = World::new("rows", compose);
    world.apply();
    let sql = |statement: &str| {
        docker(&["exec", &world.container("db"), "psql", "-U", "shop", "-d", "shop", "-Atc", statement])
            .trim()
            .to_owned()
    };
    // Healthy over the socket can precede the final server start of a first initialization.
    eventually(30, "the database answers", || {
        Command::new("docker")
            .args(["exec", &world.container("db"), "psql", "-U", "shop", "-d", "shop", "-Atc", "select 1"])
            .output()
            .unwrap()
            .status
            .success()
    });
    sql("create table kept (n int); insert into kept select generate_series(1, 1000)");
    let before = world.id("db");
    world.edit(
        "compose.yaml",
        "POSTGRES_DB: shop}",
        "POSTGRES_DB: shop}\n    command: [postgres, -c, max_connections=42]",
    );
    world.commit("feat: fewer connections");
    world.apply();
    assert_ne!(world.id("db"), before);
    eventually(30, "the database answers again", || {
        Command::new("docker")
            .args(["exec", &world.container("db"), "psql", "-U", "shop", "-d", "shop", "-Atc", "select 1"])
            .output()
            .unwrap()
            .status
            .success()
    });
    assert_eq!(sql("select count(*) from kept"), "1000");
    assert_eq!(sql("show max_connections"), "42");
    world.assert_in_sync();
}

#[test]
fn what_happened_behind_our_back_is_seen_and_put_right() {
    let world = World::new("drift", TWO);
    world.apply();
    let name = world.container("one");
    let cases: &[(&str, &[&[&str]], &str)] = &[
        ("killed", &[&["kill", &name]], "one"),
        ("removed", &[&["rm", "-f", &name]], "missing"),
        ("updated", &[&["update", "--memory", "48m", "--memory-swap", "96m", &name]], "mem"),
        ("paused", &[&["pause", &name]], "paused"),
        ("cut off", &[&["network", "disconnect", &format!("{}_default", world.project), &name]], "network"),
    ];
    for (what, commands, word) in cases {
        for arguments in *commands {
            docker(arguments);
        }
        let preview = world.differences();
        assert!(preview.contains(word), "{what}: {preview}");
        let said = world.apply();
        let names = docker(&[
            "ps",
            "-a",
            "--format",
            "{{.Names}} {{.Status}}",
            "--filter",
            &format!("label=com.docker.compose.project={}", world.project),
        ]);
        assert!(names.contains(&format!("{name} Up")), "{what}: {preview}\n{said}\n{names}");
        assert_eq!(world.inspect("one", "{{.State.Running}} {{.State.Paused}}"), "true false", "{what}");
        world.assert_in_sync();
    }
}

#[test]
fn another_name_is_only_reported_until_the_document_has_it_corrected() {
    let world = World::new("rename", TWO);
    world.apply();
    let (name, id) = (world.container("one"), world.id("one"));
    docker(&["rename", &name, &format!("{name}-away")]);
    let preview = world.differences();
    assert!(preview.contains(&format!("{name}-away")) && preview.contains("reported only"), "{preview}");
    world.apply();
    assert_eq!(docker(&["inspect", "-f", "{{.Id}}", &format!("{name}-away")]).trim(), id);
    world.stack("  drift: {mode: correct}\n");
    world.commit("feat: correct all drift");
    world.apply();
    assert_eq!(world.inspect("one", "{{.State.Running}}"), "true");
    world.assert_in_sync();
}

#[test]
fn an_image_that_its_tag_left_is_replaced() {
    let tag = format!("ipaictl-it-{}:retag", std::process::id());
    docker(&["tag", "ipaictl/web:1", &tag]);
    let world =
        World::new("retag", &format!("services:\n  web:\n    image: {tag}\n    stop_grace_period: 1s\n"));
    world.apply();
    docker(&["tag", "ipaictl/web:2", &tag]);
    let preview = world.differences();
    assert!(preview.contains("image"), "{preview}");
    world.apply();
    let wanted = docker(&["image", "inspect", "-f", "{{.Id}}", "ipaictl/web:2"]);
    assert_eq!(world.inspect("web", "{{.Image}}"), wanted.trim());
    world.assert_in_sync();
    drop(world);
    docker(&["rmi", &tag]);
}

#[test]
fn a_changed_mounted_file_replaces_the_container_that_reads_it() {
    let compose = "services:
  reader:
    image: ipaictl/busybox:1
    command: [/bin/pause]
    volumes: [./settings.txt:/settings.txt:ro]
  other:
    image: ipaictl/busybox:1
    command: [/bin/pause]
";
    let world = World::new("file", compose);
    world.write("settings.txt", "one\n");
    world.commit("feat: settings");
    world.apply();
    let other = world.id("other");
    let read = || docker(&["exec", &world.container("reader"), "cat", "/settings.txt"]);
    assert_eq!(read(), "one\n");
    world.write("settings.txt", "two\n");
    world.commit("feat: other settings");
    let preview = world.differences();
    assert!(preview.contains("settings.txt"), "{preview}");
    world.apply();
    assert_eq!(read(), "two\n");
    assert_eq!(world.id("other"), other);
    world.assert_in_sync();
}

#[test]
fn a_missing_image_is_pulled_from_a_registry() {
    let port = free_port();
    let folder = tempfile::tempdir().unwrap();
    let script = root().join("scripts/lib/registry");
    text_of(Command::new(&script).arg(port.to_string()).arg(folder.path()));
    let image = format!("localhost:{port}/it/web:1");
    docker(&["tag", "ipaictl/web:1", &image]);
    docker(&["push", "-q", &image]);
    docker(&["rmi", &image]);
    let world =
        World::new("pull", &format!("services:\n  web:\n    image: {image}\n    stop_grace_period: 1s\n"));
    let preview = world.differences();
    assert!(preview.contains(&image), "{preview}");
    world.apply();
    world.assert_in_sync();
    drop(world);
    docker(&["rmi", &image]);
    text_of(Command::new(&script).arg("--stop").arg(port.to_string()).arg(folder.path()));
}

#[test]
fn an_image_that_is_nowhere_fails_its_service_and_no_other() {
    let world = World::new(
        "nowhere",
        &TWO.replace("  two:\n    image: ipaictl/busybox:1", "  two:\n    image: localhost:1/nowhere:1"),
    );
    let said = world.run(&["apply", "--yes"]);
    assert_eq!(said.code, 1, "{}\n{}", said.out, said.err);
    assert!(
        format!("{}{}", said.out, said.err).contains("localhost:1/nowhere:1"),
        "{}\n{}",
        said.out,
        said.err
    );
    assert_eq!(world.inspect("one", "{{.State.Running}}"), "true");
}

#[test]
fn a_taken_port_names_its_holder_and_harms_nothing_else() {
    let port = free_port();
    let holder = format!("ipaictl-it-{}-holder", std::process::id());
    let publish = format!("127.0.0.1:{port}:8080");
    docker(&["run", "-d", "--name", &holder, "-p", &publish, "ipaictl/busybox:1", "/bin/pause"]);
    let world =
        World::new("port", &TWO.replace("environment: {COLOR: blue}", &format!("ports: [\"{publish}\"]")));
    let said = world.run(&["apply", "--yes"]);
    let all = format!("{}{}", said.out, said.err);
    let running = world.inspect("two", "{{.State.Running}}");
    docker(&["rm", "-f", &holder]);
    assert_ne!(said.code, 0, "{all}");
    assert!(all.contains("needs a decision"), "{all}");
    assert!(all.contains(&holder) && all.contains(&port.to_string()), "{all}");
    assert_eq!(running, "true");
    world.apply();
    world.assert_in_sync();
}

#[test]
fn services_that_left_the_files_go_only_with_prune_and_volumes_never() {
    let compose = "services:
  keep: {image: 'ipaictl/busybox:1', command: [/bin/pause]}
  leave: {image: 'ipaictl/busybox:1', command: [/bin/pause], volumes: ['data:/data']}
volumes: {data: {}}
";
    let world = World::new("prune", compose);
    world.apply();
    world.write("compose.yaml", "services:\n  keep: {image: 'ipaictl/busybox:1', command: [/bin/pause]}\n");
    world.commit("feat: one leaves");
    let said = world.run(&["diff"]);
    assert!(said.out.contains("leave"), "an orphan is reported: {}", said.out);
    world.run(&["apply", "--yes"]);
    assert_eq!(world.inspect("leave", "{{.State.Running}}"), "true");
    let volumes = docker(&[
        "volume",
        "ls",
        "-q",
        "--filter",
        &format!("label=com.docker.compose.project={}", world.project),
    ]);
    assert!(volumes.contains("data"), "{volumes}");
}

#[test]
fn a_stack_can_be_stopped_and_be_absent_and_its_volume_stays() {
    let compose = "services:
  app: {image: 'ipaictl/busybox:1', command: [/bin/pause], volumes: ['data:/data']}
volumes: {data: {}}
";
    let world = World::new("run", compose);
    world.apply();
    world.stack("  run: stopped\n");
    world.commit("feat: stop");
    world.apply();
    assert_eq!(world.inspect("app", "{{.State.Running}}"), "false");
    world.assert_in_sync();
    world.stack("  run: absent\n");
    world.commit("feat: away");
    world.apply();
    world.assert_in_sync();
    let filter = format!("label=com.docker.compose.project={}", world.project);
    assert_eq!(docker(&["ps", "-aq", "--filter", &filter]), "");
    assert!(!docker(&["volume", "ls", "-q", "--filter", &filter]).is_empty());
    world.stack("");
    world.commit("feat: back");
    world.apply();
    world.assert_in_sync();
}

#[test]
fn dependencies_start_in_order_and_a_failed_one_stops_only_its_dependents() {
    let compose = "services:
  migrate: {image: 'ipaictl/busybox:1', command: [sh, -c, 'exit 3']}
  app:
    image: ipaictl/busybox:1
    command: [/bin/pause]
    depends_on: {migrate: {condition: service_completed_successfully}}
  free: {image: 'ipaictl/busybox:1', command: [/bin/pause]}
";
    let world = World::new("depends", compose);
    let said = world.run(&["apply", "--yes"]);
    assert_ne!(said.code, 0, "{}\n{}", said.out, said.err);
    assert_eq!(world.inspect("free", "{{.State.Running}}"), "true");
    let app = Command::new("docker")
        .args(["inspect", "-f", "{{.State.Running}}", &world.container("app")])
        .output()
        .unwrap();
    assert_ne!(String::from_utf8_lossy(&app.stdout).trim(), "true");
    let history: serde_json::Value =
        serde_json::from_str(&world.run(&["history", "-o", "json"]).out).unwrap();
    let counts = &history[0]["counts"];
    assert_eq!((&counts["failed"], &counts["skipped"]), (&1.into(), &1.into()), "{history:#}");
    assert!(history[0]["message"].as_str().unwrap().contains("migrate"), "{history:#}");
    world.edit("compose.yaml", "exit 3", "exit 0");
    world.commit("fix: migrate");
    world.apply();
    assert_eq!(world.inspect("app", "{{.State.Running}}"), "true");
    world.assert_in_sync();
}

#[test]
fn a_state_folder_that_was_lost_is_rebuilt_without_touching_anything() {
    let world = World::new("lost", TWO);
    world.apply();
    let ids = (world.id("one"), world.id("two"));
    std::fs::remove_dir_all(world.state()).unwrap();
    world.apply();
    assert_eq!(ids, (world.id("one"), world.id("two")));
    world.assert_in_sync();
}

#[test]
fn no_secret_is_in_anything_the_product_wrote() {
    let canary = format!("canary-{}-Zq7x/+9", std::process::id());
    let world = World::new(
        "secret",
        "services:
  app:
    image: ipaictl/busybox:1
    command: [/bin/pause]
    environment: {DB_PASSWORD: '${DB_PASSWORD}', OTHER: 'x-${DB_PASSWORD}-y'}
",
    );
    std::fs::write(world.path("password"), &canary).unwrap();
    let stack = format!("  variables:\n    DB_PASSWORD: {{file: {}}}\n", world.path("password").display());
    world.stack(&stack);
    world.commit("feat: a secret");
    let mut said = String::new();
    let mut tell = |arguments: &[&str]| {
        let run = world.run(arguments);
        said.push_str(&run.out);
        said.push_str(&run.err);
    };
    tell(&["diff"]);
    tell(&["-vv", "apply", "--yes"]);
    assert!(world.inspect("app", "{{.Config.Env}}").contains(&canary), "the container has the value");
    let second = format!("{canary}-2");
    std::fs::write(world.path("password"), &second).unwrap();
    for arguments in [
        &["diff"][..],
        &["diff", "-o", "json"],
        &["diff", "-o", "markdown"],
        &["-vv", "apply", "--yes"],
        &["status", "-o", "json"],
        &["describe", "Stack/app"],
        &["get", "stacks", "-o", "json"],
        &["history", "-o", "json"],
    ] {
        tell(arguments);
    }
    assert!(world.inspect("app", "{{.Config.Env}}").contains(&second), "the container has the new value");
    assert!(said.contains("hmac"), "a changed secret shows its fingerprints: {said}");
    assert!(!said.contains(&canary), "the secret was printed");
    let labels = world.inspect("app", "{{json .Config.Labels}}");
    assert!(!labels.contains(&canary), "{labels}");
    let found = Command::new("grep").args(["-rlF", &canary]).arg(world.state()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "the secret was written");
    world.assert_in_sync();
}
