//! Compose's own commands work on what we made.

use serde_json::Value;

use super::lab::Lab;

const FILE: &str = "
services:
  first:
    image: ipaictl/busybox:1
    command: [sh, -c, 'echo a line of the log; exec /bin/pause']
  second:
    image: ipaictl/busybox:1
    command: /bin/pause
    depends_on: [first]
    volumes: ['kept:/kept']
    networks: [default, extra]
networks: {extra: }
volumes: {kept: }
";

fn states(lab: &Lab) -> Vec<(String, String)> {
    // One JSON object a line.
    let text = lab.compose(&["ps", "-a", "--format", "json"]);
    let mut states: Vec<_> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|one| (one["Service"].as_str().unwrap().to_owned(), one["State"].as_str().unwrap().to_owned()))
        .collect();
    states.sort();
    states
}

fn all(state: &str) -> Vec<(String, String)> {
    ["first", "second"].map(|service| (service.to_owned(), state.to_owned())).to_vec()
}

#[tokio::test]
async fn ls_ps_logs_stop_start_and_down_work_on_what_we_made() {
    let lab = Lab::new("commands", FILE).await;
    let project = lab.project();
    lab.create(&project).await;
    lab.start(&project).await;

    let listed: Value = serde_json::from_str(&lab.compose(&["ls", "--format", "json"])).unwrap();
    let own = listed.as_array().unwrap().iter().find(|one| one["Name"] == lab.name.as_str()).unwrap();
    assert_eq!(own["Status"], "running(2)");
    assert_eq!(own["ConfigFiles"], lab.file.to_str().unwrap());
    assert_eq!(states(&lab), all("running"));
    assert!(lab.compose(&["logs", "first"]).contains("a line of the log"));
    lab.compose(&["stop"]);
    assert_eq!(states(&lab), all("exited"));
    lab.compose(&["start"]);
    assert_eq!(states(&lab), all("running"));
    lab.compose(&["restart", "first"]);
    assert_eq!(states(&lab), all("running"));
    lab.compose(&["down"]);
    assert_eq!(states(&lab), []);
    let filter = format!("label=com.docker.compose.project={}", lab.name);
    assert_eq!(super::lab::docker(&["network", "ls", "-q", "--filter", &filter]), "");
    assert_ne!(super::lab::docker(&["volume", "ls", "-q", "--filter", &filter]), "", "volumes stay");
}

#[tokio::test]
async fn down_without_the_file_removes_in_the_order_of_dependencies() {
    let lab = Lab::new("nofile", FILE).await;
    let project = lab.project();
    lab.create(&project).await;
    lab.start(&project).await;
    let output = super::lab::run(super::lab::compose_program(), &["-p", &lab.name, "down", "-t", "1"]);
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let at = |name: &str| {
        text.find(&format!("{}-{name}-1  Removed", lab.name)).unwrap_or_else(|| panic!("{text}"))
    };
    assert!(at("second") < at("first"), "{text}");
    assert_eq!(lab.inspect_or_nothing(), 0);
}
