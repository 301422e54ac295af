//! The first users' stack as this product would keep it, held against what was recorded of their real host; and their
//! fifteen odoo.conf held against what an Environment would render.
//!
//! The recordings are third-party data beside the project: without them the tests say that they skip.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bollard::models::{ContainerInspectResponse, ImageInspect};
use ipaictl::clients::secrets::{SecretResolver, SecretSettings};
use ipaictl::desired::state::DesiredState;
use ipaictl::desired::{At, LoadOptions, Source, SourceSettings, load};
use ipaictl::engine::fields::{container_observed, image_fields};
use ipaictl::engine::observe::{
    ContainerFacts, ContainerStatus, EngineFacts, ImageFacts, StateFacts, VolumeFacts,
};
use ipaictl::model::known::Known;
use ipaictl::model::secret::HmacKey;
use ipaictl::observed::observation::{Observation, checkout_key};
use ipaictl::odoo::conf;
use ipaictl::plan::display;
use ipaictl::plan::memory::Memory;
use ipaictl::plan::planner::{PlanInput, plan};
use ipaictl::skills::layout::facts::Place;
use ipaictl::skills::layout::observed::LayoutFacts;
use ipaictl::skills::repository::checkout::CheckoutFacts;
use serde_json::Value;

use super::copy;
use crate::world::{root, text_of};

/// What was recorded, where it is.
fn recorded() -> Option<PathBuf> {
    let folder = root().parent()?.join("shared/fixtures/ipai-repo");
    if !folder.is_dir() {
        eprintln!("skipped: the recordings of the first users' host are not here");
        return None;
    }
    Some(folder)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=Test", "-c", "user.email=test@example.org"]);
    for name in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
        command.env(name, "2026-01-29T20:00:00Z");
    }
    text_of(command.env("GIT_CONFIG_GLOBAL", "/dev/null").args(arguments));
}

/// `desired-state/` of this project, its code replaced by a small repository that can be reached.
async fn ours(folder: &Path, recorded: Option<&Path>) -> DesiredState {
    let (code, state) = (folder.join("code"), folder.join("state-repository"));
    for module in
        ["ipai_ask_ai_chatter", "ipai_platform_theme", "ipai_theme_tbwa_backend", "ipai_web_theme_chatgpt"]
    {
        let module = code.join("addons").join(module);
        fs::create_dir_all(&module).unwrap();
        fs::write(module.join("__manifest__.py"), "{'name': 'x', 'version': '18.0.1.0.0'}\n").unwrap();
    }
    for file in [
        "config/addons_manifest.oca_ipai.json",
        "addons.manifest.json",
        "oca.lock.json",
        ".devcontainer/devcontainer.json",
    ] {
        let Some(recorded) = recorded else { continue };
        fs::create_dir_all(code.join(file).parent().unwrap()).unwrap();
        fs::copy(recorded.join(file), code.join(file)).unwrap();
    }
    git(folder, &["init", "-q", "-b", "main", "code"]);
    git(&code, &["add", "-A"]);
    git(&code, &["commit", "-q", "-m", "code"]);
    git(&code, &["branch", "develop"]);
    copy(&root().join("desired-state"), &state.join("desired-state"));
    let document = state.join("desired-state/repositories.yaml");
    let text = fs::read_to_string(&document).unwrap();
    let url = format!("file://{}", code.display());
    fs::write(&document, text.replace("https://github.com/jgtolentino/odoo-ce.git", &url)).unwrap();
    let settings = SourceSettings {
        repo: state.display().to_string(),
        path: "desired-state".into(),
        state_dir: folder.join("controller"),
        allow: vec!["file".into()],
        ..SourceSettings::default()
    };
    let source = Source::open(&settings).unwrap();
    let names = ["ODOO_DB_PASSWORD", "ODOO_ADMIN_PASSWD", "N8N_ENCRYPTION_KEY", "SUPERSET_SECRET_KEY"];
    let environment =
        names.iter().map(|name| ((*name).to_owned(), format!("value-of-{name}").into())).collect();
    let secrets =
        SecretResolver::new(SecretSettings { environment, age_identity: None }).with_key(HmacKey::new("aa"));
    let options = LoadOptions { now: crate::desired::now(), fetch: true };
    let loaded = load(&source, &At::WorkingTree, &secrets, &options).await.unwrap();
    let errors: Vec<String> =
        loaded.problems.iter().filter(|it| it.is_error()).map(ToString::to_string).collect();
    loaded.state.unwrap_or_else(|| panic!("{}", errors.join("\n")))
}

/// The host of 2026-01-10: odoo-prod as it was inspected, the others as they were listed.
fn host(recorded: &Path) -> EngineFacts {
    let listed = json(&recorded.join("extracted/containers-2026-01-10.json"));
    let inspected = json(&recorded.join("deploy/runtime/odoo-prod.docker_inspect.json"))[0].clone();
    let inspected: ContainerInspectResponse = serde_json::from_value(inspected).unwrap();
    let image = json(&recorded.join("deploy/runtime/odoo-prod.image_inspect.json"));
    let image: ImageInspect = serde_json::from_value(image.get(0).unwrap_or(&image).clone()).unwrap();
    let mut facts = EngineFacts::default();
    for container in listed["containers"].as_array().unwrap() {
        let text = |field: &str| container[field].as_str().unwrap_or_default().to_owned();
        let mut own = ContainerFacts {
            id: text("name"),
            name: text("name"),
            image: text("image"),
            state: StateFacts { status: ContainerStatus::Running, ..StateFacts::default() },
            ..ContainerFacts::default()
        };
        if own.name == "odoo-prod" {
            own.image_id = inspected.image.clone().unwrap();
            own.fields = Some(Known::Known(container_observed(&inspected)));
        }
        facts.containers.push(own);
    }
    facts.volumes.push(VolumeFacts { name: "deploy_odoo-web-data".into(), ..VolumeFacts::default() });
    let known = ImageFacts {
        id: image.id.clone().unwrap(),
        config: image_fields(image.config.as_ref().unwrap()),
        ..ImageFacts::default()
    };
    facts.images.insert("odoo:18.0".into(), Known::Known(Some(known)));
    facts.images.insert("postgres:16".into(), Known::Known(None));
    facts
}

#[tokio::test]
async fn the_first_users_stack_is_planned_against_what_was_recorded_of_their_host() {
    let folder = tempfile::tempdir().unwrap();
    let recorded = recorded();
    let desired = ours(folder.path(), recorded.as_deref()).await;
    assert_eq!(desired.ids().len(), 9);
    let Some(recorded) = recorded else { return };
    let mut observed = Observation::default();
    observed.hosts.insert("odoo-prod-01".into(), Known::Known(host(&recorded)));
    for (name, environment) in &desired.environments {
        let facts = ipaictl::skills::environment::facts::EnvironmentFacts {
            modules: ipaictl::skills::environment::observe::ModulesRequest {
                roots: vec!["addons".into()],
                commit: environment.commit.clone(),
                objects: environment.objects.clone(),
                series: "18.0".into(),
                exclude: None,
                languages: Vec::new(),
            }
            .read(),
            ..Default::default()
        };
        observed.environments.insert(name.clone(), facts);
        let checkout = environment.checkout.as_ref().unwrap();
        let key = checkout_key(&checkout.host, &checkout.path);
        observed.checkouts.insert(key, Known::Known(Default::default()));
    }
    // Their checkout: two commits behind, and none of nineteen repositories in it.
    for layout in desired.layouts.values() {
        let wanted = layout.wanted.as_ref().unwrap();
        let places = wanted.clones.iter().map(|clone| (clone.path.clone(), Place::Missing)).collect();
        let facts = LayoutFacts { exists: true, places, ..Default::default() };
        observed.layouts.insert(layout.resource.id.name.clone(), Known::Known(facts));
        let facts = CheckoutFacts {
            exists: true,
            repository: true,
            commit: Some("2".repeat(40)),
            url: Some(desired.repositories["odoo-ce-addons"].resource.spec.url.clone()),
            dirty: Vec::new(),
            interrupted: false,
            untracked: Vec::new(),
            written: BTreeMap::new(),
        };
        let key = checkout_key("odoo-prod-01", &layout.checkout);
        observed.checkouts.insert(key, Known::Known(facts));
    }
    let memory = Memory::default();
    let key = HmacKey::new("aa");
    let made = plan(&PlanInput {
        desired: &desired,
        observed: &observed,
        memory: &memory,
        now: crate::desired::now(),
        key: &key,
        only: None,
        scheduled: true,
        manual: true,
        allow_destroy: None,
    });
    let text = display::text(&made, false).replace(&folder.path().display().to_string(), "");
    let golden = root().join("tests/fixtures/adoption-plan.txt");
    if std::env::var_os("IPAICTL_BLESS").is_some() {
        fs::write(&golden, &text).unwrap();
    }
    assert_eq!(text, fs::read_to_string(&golden).unwrap(), "IPAICTL_BLESS=1 accepts");
    assert!(!text.contains("value-of-"), "{text}");
    let touched = made.steps.iter().any(|step| step.resource.name == "production");
    assert!(!touched, "what is to be adopted is only looked at");
}

#[tokio::test]
async fn fifteen_configurations_are_compared_with_what_an_environment_would_render() {
    let folder = tempfile::tempdir().unwrap();
    let desired = ours(folder.path(), None).await;
    let Some(recorded) = recorded() else { return };
    let rendered = desired.environments["production"].rendered.as_ref().unwrap().options.masked().unwrap();
    let ours = conf::parse("odoo.conf", &rendered).unwrap();
    let variants = json(&recorded.join("extracted/odoo-confs.json"));
    let variants = variants.as_array().unwrap();
    assert_eq!(variants.len(), 15);
    let mut said = String::new();
    for variant in variants {
        let mut options: BTreeMap<String, String> =
            serde_json::from_value(variant["options"].clone()).unwrap();
        let roots: Vec<String> = serde_json::from_value(variant["addons_path"].clone()).unwrap();
        if !roots.is_empty() {
            options.insert("addons_path".to_owned(), roots.join(","));
        }
        let theirs = conf::parse("theirs", &conf::render(&options).unwrap()).unwrap();
        said.push_str(&format!("{}\n", variant["file"].as_str().unwrap()));
        // Names alone: the values are theirs. In brackets what comes to the same for the server.
        let names =
            conf::compare(&theirs, &ours).into_iter().map(|difference| match difference.is_same_effect {
                true => format!("({})", difference.name),
                false => difference.name,
            });
        said.push_str(&format!("  {}\n", names.collect::<Vec<_>>().join(" ")));
    }
    assert!(!said.contains("value-of-"), "{said}");
    let golden = root().join("tests/fixtures/odoo-confs.txt");
    if std::env::var_os("IPAICTL_BLESS").is_some() {
        fs::write(&golden, &said).unwrap();
    }
    assert_eq!(said, fs::read_to_string(&golden).unwrap(), "IPAICTL_BLESS=1 accepts");
}
