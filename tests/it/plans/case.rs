//! One case: its files, the world before, what happened to it, and the plan.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::{DateTime, Utc};
use ipaictl::clients::secrets::{SecretResolver, SecretSettings};
use ipaictl::desired::state::DesiredState;
use ipaictl::desired::{At, LoadOptions, Source, SourceSettings, load};
use ipaictl::engine::labels;
use ipaictl::engine::observe::EngineFacts;
use ipaictl::model::document::parse_documents;
use ipaictl::model::id::ResourceId;
use ipaictl::model::known::Known;
use ipaictl::model::secret::HmacKey;
use ipaictl::observed::observation::{Observation, checkout_key};
use ipaictl::plan::memory::{Applied, Attempts, InventoryEntry, Memory};
use ipaictl::plan::plan::Plan;
use ipaictl::plan::planner::{PlanInput, plan};
use ipaictl::skills::environment::facts::{DatabaseFacts, DatabaseState, EnvironmentFacts};
use ipaictl::skills::environment::observe::ModulesRequest;
use ipaictl::skills::repository::checkout::CheckoutFacts;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::model;
use crate::desired::git;

/// The world of a case unless it says otherwise.
const DEFAULT_DESIRED: &str = "\
apiVersion: ipai.dev/v1alpha1
kind: Host
metadata: {name: machine}
spec: {}
---
apiVersion: ipai.dev/v1alpha1
kind: Stack
metadata: {name: demo}
spec:
  host: machine
  compose: {files: [compose.yaml]}
";
/// The world of a case of `environment/`; its `spec.yaml` is a patch of the specification.
const DEFAULT_ENVIRONMENT: &str = "\
{host: machine, tier: dev,
 odoo: {image: 'odoo:18.0', version: '18.0', addons: [{mountPath: /mnt/extra-addons, source: addons}],
        config: {db_maxconn: 16}, modules: {install: [shop]}},
 database: {managed: {image: 'postgres:16', volume: demo-db, name: odoo_demo}},
 filestore: {volume: demo-files}}";
/// The module of such a case that brings no addons.
const DEFAULT_MODULE: &str =
    "{'name': 'Shop', 'version': '1.0.0', 'depends': ['base'], 'license': 'LGPL-3'}\n";
/// Files of a case that are not part of its repository.
const NOT_COMMITTED: &[&str] = &["observed.yaml", "plan.txt", "plan.md"];

/// The key of fingerprints in all cases.
pub const KEY: &str = "00ff";

/// `observed.yaml`: what happened to the world since the commit before was applied.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct World {
    /// Whether the model engine has applied the commit before; without it, the engine is empty.
    pub applied: bool,
    /// Whether we remember having done so.
    pub remembered: bool,
    /// Images by reference: a patch, `null` for none, a text for why it is not known.
    pub images: Map<String, Value>,
    /// Containers by name: a patch, `null` for removed, `copyOf` for a new one like another.
    pub containers: Map<String, Value>,
    /// Networks by name: a patch, `null` for removed.
    pub networks: Map<String, Value>,
    /// Volumes by name: a patch, `null` for removed.
    pub volumes: Map<String, Value>,
    /// Files by path: the digest, `null` for missing, `{unknown: why}`.
    pub files: Map<String, Value>,
    /// Checkouts by path: a patch, a text for why it is not known.
    pub checkouts: Map<String, Value>,
    /// Environments by name: a patch of what was read of their database, modules and probes.
    pub environments: Map<String, Value>,
    /// Why an engine could not be read, by Host.
    pub unreadable: BTreeMap<String, String>,
    /// A step of the plan that a crash cut off: its subject, and how many of its operations were done.
    pub interrupted: Option<(String, usize)>,
    /// Whether all that the plan would do was done before and changed nothing.
    pub stalled: bool,
    /// How that failed, if it did not seem to succeed.
    pub failed: String,
    /// A patch of what we remember.
    pub memory: Value,
    /// The controller's environment at the commit before, and now.
    pub secrets_before: BTreeMap<String, String>,
    /// The controller's environment now.
    pub secrets: BTreeMap<String, String>,
    /// The time.
    pub now: DateTime<Utc>,
    /// Whether a person asked.
    pub manual: bool,
    /// What a person allowed.
    pub allow_destroy: Vec<ResourceId>,
    /// The resources planned.
    pub only: Option<Vec<ResourceId>>,
    /// Conditions to expect: `Stack/demo Ready` → `False Progressing: container demo-web-1: missing`.
    pub conditions: BTreeMap<String, String>,
    /// Whether applying the plan on the model leaves nothing to do; cases in which something is left say `false`.
    pub converges: bool,
}

impl Default for World {
    fn default() -> Self {
        World {
            applied: true,
            remembered: true,
            images: Map::new(),
            containers: Map::new(),
            networks: Map::new(),
            volumes: Map::new(),
            files: Map::new(),
            checkouts: Map::new(),
            environments: Map::new(),
            unreadable: BTreeMap::new(),
            interrupted: None,
            stalled: false,
            failed: String::new(),
            memory: json!({}),
            secrets_before: BTreeMap::new(),
            secrets: BTreeMap::new(),
            now: "2026-01-29T22:10:00Z".parse().unwrap(),
            manual: false,
            allow_destroy: Vec::new(),
            only: None,
            conditions: BTreeMap::new(),
            converges: true,
        }
    }
}

/// A case, read and loaded.
pub struct Case {
    pub world: World,
    pub desired: DesiredState,
    pub observed: Observation,
    pub memory: Memory,
    pub key: HmacKey,
    _folder: tempfile::TempDir,
}

impl Case {
    /// Reads a case's folder.
    pub async fn read(folder: &Path) -> Case {
        let world = read_world(&folder.join("observed.yaml"));
        let repository = tempfile::tempdir().unwrap();
        let root = repository.path().canonicalize().unwrap();
        git(&root, &["init", "--quiet", "--initial-branch=main"]);
        write_files(folder, &root, true);
        commit(&root, "before");
        let before = load_state(&root, &world.secrets_before).await;
        if write_files(folder, &root, false) {
            commit(&root, "now");
        }
        let desired = load_state(&root, &world.secrets).await;
        let mut case = Case {
            observed: empty_world(&[&before, &desired]),
            memory: Memory::default(),
            key: HmacKey::new(KEY),
            desired,
            world,
            _folder: repository,
        };
        read_environments(&before, &mut case.observed);
        if case.world.applied {
            case.apply_before(&before);
        }
        read_environments(&case.desired, &mut case.observed);
        case.happen();
        if let Some((subject, count)) = case.world.interrupted.clone() {
            let plan = case.plan();
            model::apply_until(&plan, &mut case.observed, &subject, count);
        }
        if case.world.stalled {
            let attempts = Attempts { times: 1, error: case.world.failed.clone() };
            let steps = case.plan().steps;
            case.memory.no_progress =
                steps.into_iter().map(|step| (step.fingerprint, attempts.clone())).collect();
        }
        case
    }

    fn apply_before(&mut self, before: &DesiredState) {
        let memory = Memory::default();
        let input = PlanInput {
            desired: before,
            observed: &self.observed,
            memory: &memory,
            now: self.world.now,
            key: &self.key,
            only: None,
            manual: true,
            scheduled: true,
            allow_destroy: None,
        };
        let plan = plan(&input);
        assert!(plan.complete, "the commit before can't be planned: {:#?}", plan.resources);
        model::apply(&plan, &mut self.observed);
        if self.world.remembered {
            self.memory = remember(before, &self.observed, &plan);
        }
    }

    /// Applies the patches of `observed.yaml`.
    fn happen(&mut self) {
        let mut world = self.world.clone();
        world.files = world.files.into_iter().map(|(path, file)| (self.rendered_path(&path), file)).collect();
        for facts in self.observed.hosts.values_mut() {
            let Known::Known(facts) = facts else { continue };
            patch_named(&mut facts.containers, &world.containers);
            patch_named(&mut facts.networks, &world.networks);
            patch_named(&mut facts.volumes, &world.volumes);
            for (reference, change) in &world.images {
                let known = facts.images.get(reference).and_then(Known::known).cloned().flatten();
                let known = known.unwrap_or_else(|| model::image_of(reference));
                let image = match change {
                    Value::Null => Known::Known(None),
                    Value::String(why) => Known::Unknown(why.clone()),
                    patch => Known::Known(Some(patched(&known, patch))),
                };
                facts.images.insert(reference.clone(), image);
            }
            for (path, change) in &world.files {
                let file = match change {
                    Value::Null => Known::Known(None),
                    Value::String(digest) => {
                        let facts: ipaictl::engine::observe::FileFacts =
                            serde_json::from_value(json!({"digest": digest})).unwrap();
                        Known::Known(Some(facts))
                    }
                    other => Known::Unknown(other["unknown"].as_str().unwrap().to_owned()),
                };
                facts.files.insert(path.clone(), file);
            }
        }
        for (path, change) in &world.checkouts {
            let host = self.desired.hosts.keys().next().unwrap();
            let key = checkout_key(host, path);
            let facts = match (change, self.observed.checkouts.get(&key)) {
                (Value::String(why), _) => Known::Unknown(why.clone()),
                (patch, Some(Known::Known(facts))) => Known::Known(patched(facts, patch)),
                (patch, _) => Known::Known(patched(&CheckoutFacts::default(), patch)),
            };
            self.observed.checkouts.insert(key, facts);
        }
        for (name, patch) in &world.environments {
            let facts = self.observed.environments.get_mut(name).expect("an Environment of the case");
            *facts = patched(facts, patch);
        }
        for (host, why) in &world.unreadable {
            self.observed.hosts.insert(host.clone(), Known::Unknown(why.clone()));
        }
        self.memory = patched(&self.memory, &world.memory);
    }

    /// The path of a file that an Environment renders: `CONF` stands for the folder that its content names.
    fn rendered_path(&self, path: &str) -> String {
        let files = self.desired.environments.values().filter_map(|it| it.rendered.as_ref().ok());
        let folders =
            files.flat_map(|rendered| &rendered.files).filter_map(|file| file.path.rsplit('/').nth(1));
        folders.take(1).fold(path.to_owned(), |path, folder| path.replace("CONF", folder))
    }

    /// The plan of the case.
    pub fn plan(&self) -> Plan {
        self.plan_with(&self.observed, &self.memory)
    }

    /// A plan of the case's desired state in another world.
    pub fn plan_with(&self, observed: &Observation, memory: &Memory) -> Plan {
        let only: Option<BTreeSet<ResourceId>> =
            self.world.only.as_ref().map(|only| only.iter().cloned().collect());
        let allowed: BTreeSet<ResourceId> = self.world.allow_destroy.iter().cloned().collect();
        plan(&PlanInput {
            desired: &self.desired,
            observed,
            memory,
            now: self.world.now,
            key: &self.key,
            only: only.as_ref(),
            manual: self.world.manual,
            scheduled: self.world.manual,
            allow_destroy: Some(&allowed),
        })
    }

    /// Applies the plan on the model and plans again.
    pub fn plan_after(&self, plan: &Plan) -> Plan {
        let mut observed = self.observed.clone();
        model::apply(plan, &mut observed);
        let mut memory = self.memory.clone();
        memory.applied.extend(remember(&self.desired, &observed, plan).applied);
        self.plan_with(&observed, &memory)
    }
}

fn read_world(path: &Path) -> World {
    let Ok(bytes) = std::fs::read(path) else { return World::default() };
    let (documents, problems) = parse_documents(&path.display().to_string(), &bytes);
    assert!(problems.is_empty(), "{problems:?}");
    match documents.first() {
        None => World::default(),
        Some(document) => serde_json::from_value(document.to_json())
            .unwrap_or_else(|err| panic!("{}: {err}", path.display())),
    }
}

/// Writes the files of a case as they were before, or as they are now; says whether there is a difference.
fn write_files(folder: &Path, root: &Path, before: bool) -> bool {
    let mut files: BTreeMap<String, Vec<u8>> =
        BTreeMap::from([("desired.yaml".to_owned(), DEFAULT_DESIRED.into())]);
    let mut former = BTreeMap::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(inner) = waiting.pop() {
        for entry in std::fs::read_dir(inner).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if path.is_dir() {
                waiting.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if NOT_COMMITTED.contains(&name.as_str()) {
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            match name.strip_prefix("before.") {
                Some(name) => former.insert(name.to_owned(), bytes),
                None => files.insert(name, bytes),
            };
        }
    }
    let differs = !former.is_empty();
    let had_addons = files.keys().any(|name| name.starts_with("addons/"));
    if before {
        files.extend(former);
    }
    let is_environment = folder.parent().and_then(Path::file_name).is_some_and(|stem| stem == "environment");
    if is_environment && !folder.join("desired.yaml").is_file() {
        let patch = files.remove("spec.yaml").map(|bytes| yaml(&bytes)).unwrap_or(Value::Null);
        let mut spec = yaml(DEFAULT_ENVIRONMENT.as_bytes());
        if !patch.is_null() {
            merge(&mut spec, &patch);
        }
        let kind = |kind: &str, name: &str, spec: &Value| {
            let about = json!({"apiVersion": "ipai.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
            format!("{about:#}\n")
        };
        let host = kind("Host", "machine", &json!({}));
        let documents = format!("{host}---\n{}", kind("Environment", "demo", &spec));
        files.insert("desired.yaml".to_owned(), documents.into_bytes());
        if !had_addons {
            files.insert("addons/shop/__manifest__.py".to_owned(), DEFAULT_MODULE.into());
        }
    }
    // What is not there any more is gone.
    for entry in
        std::fs::read_dir(root).unwrap().map(Result::unwrap).filter(|entry| entry.file_name() != ".git")
    {
        match entry.file_type().unwrap().is_dir() {
            true => std::fs::remove_dir_all(entry.path()).unwrap(),
            false => std::fs::remove_file(entry.path()).unwrap(),
        }
    }
    for (name, bytes) in files {
        let path =
            if name == "desired.yaml" { root.join("desired-state/desired.yaml") } else { root.join(&name) };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    differs
}

fn yaml(bytes: &[u8]) -> Value {
    let (documents, problems) = parse_documents("spec.yaml", bytes);
    assert!(problems.is_empty(), "{problems:?}");
    documents.first().map_or(Value::Null, |document| document.to_json())
}

/// Commits at a time that never changes, so that the commit's id doesn't either.
fn commit(root: &Path, message: &str) {
    git(root, &["add", "--all"]);
    let output = std::process::Command::new("git")
        .current_dir(root)
        .args(["-c", "user.name=Test", "-c", "user.email=test@example.org"])
        .args(["commit", "--quiet", "--allow-empty", "--message", message])
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", "2026-01-29T20:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-29T20:00:00Z")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn load_state(root: &Path, secrets: &BTreeMap<String, String>) -> DesiredState {
    let settings = SourceSettings {
        repo: root.display().to_string(),
        branch: None,
        path: "desired-state".into(),
        state_dir: "/state".into(),
        allow: Vec::new(),
        credential: None,
    };
    let source = Source::open(&settings).unwrap();
    let at = At::Revision(source.resolve(None).unwrap());
    let environment = secrets.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let resolver =
        SecretResolver::new(SecretSettings { environment, age_identity: None }).with_key(HmacKey::new(KEY));
    let options = LoadOptions { now: crate::desired::now(), fetch: false };
    let loaded = load(&source, &at, &resolver, &options).await.unwrap();
    let problems: Vec<String> = loaded.problems.iter().map(ToString::to_string).collect();
    loaded.state.unwrap_or_else(|| panic!("{}", problems.join("\n")))
}

/// An engine per Host with all images that any of the states names, and nothing else.
fn empty_world(states: &[&DesiredState]) -> Observation {
    let mut observed = Observation::default();
    for state in states {
        for name in state.hosts.keys() {
            observed.hosts.insert(name.clone(), Known::Known(EngineFacts::default()));
        }
    }
    for state in states {
        let of_stacks = state
            .stacks
            .values()
            .filter_map(|stack| Some((stack.resource.spec.host.as_str(), stack.project.as_ref().ok()?)));
        let of_environments = state.environments.values().filter_map(|environment| {
            Some((environment.resource.spec.host.as_str(), environment.project()?))
        });
        let projects = of_stacks.chain(of_environments);
        for (host, project) in projects {
            let Some(Known::Known(facts)) = observed.hosts.get_mut(host) else { continue };
            for service in &project.services {
                let image = Known::Known(Some(model::image_of(&service.image)));
                facts.images.insert(service.image.clone(), image);
                // Files that a resource writes itself are not there before.
                for file in service.files.iter().filter(|file| !file.host_path.starts_with("/state/files/")) {
                    let digest = format!("sha256:{}", "0".repeat(64));
                    let read = serde_json::from_value(json!({"digest": digest})).unwrap();
                    facts.files.entry(file.host_path.clone()).or_insert(Known::Known(Some(read)));
                }
            }
        }
        let of_stacks = state.stacks.values().filter_map(|stack| stack.checkout.as_ref());
        let of_repositories = state.repositories.values().filter_map(|known| known.checkout.as_ref());
        let of_environments = state.environments.values().filter_map(|known| known.checkout.as_ref());
        for checkout in of_stacks.chain(of_repositories).chain(of_environments) {
            let key = checkout_key(&checkout.host, &checkout.path);
            observed.checkouts.entry(key).or_insert(Known::Known(CheckoutFacts::default()));
        }
    }
    observed
}

/// Reads the modules of all Environments at their wanted commits; a database that nobody made yet is nowhere.
fn read_environments(state: &DesiredState, observed: &mut Observation) {
    for (name, environment) in &state.environments {
        let spec = &environment.resource.spec;
        let request = ModulesRequest {
            roots: spec.odoo.addons.iter().map(|root| root.source.clone()).collect(),
            commit: environment.commit.clone(),
            objects: environment.objects.clone(),
            series: spec.odoo.version.clone(),
            exclude: None,
            languages: Vec::new(),
        };
        let facts = observed.environments.entry(name.clone()).or_insert_with(|| {
            let mut facts = EnvironmentFacts::default();
            if spec.database.external.is_some() {
                let missing = DatabaseFacts { state: DatabaseState::Missing, ..DatabaseFacts::default() };
                facts.database = Known::Known(missing);
            }
            facts
        });
        facts.modules = request.read();
    }
}

/// What a store would remember of a plan that was applied.
pub fn remember(desired: &DesiredState, observed: &Observation, plan: &Plan) -> Memory {
    let mut memory = Memory::default();
    for resource in plan.resources.iter().filter(|resource| resource.desired) {
        memory.applied.insert(
            resource.id.clone(),
            Applied {
                digest: resource.digest.clone(),
                commit: desired.revision.commit.clone(),
                subjects: resource.subjects.clone(),
                prune: desired.stacks.get(&resource.id.name).is_some_and(|stack| stack.resource.spec.prune),
            },
        );
    }
    for (host, facts) in &observed.hosts {
        let Known::Known(facts) = facts else { continue };
        let containers = facts.containers.iter().map(|one| ("container", &one.name, &one.id, &one.labels));
        let networks = facts.networks.iter().map(|one| ("network", &one.name, &one.id, &one.labels));
        for (kind, name, id, all) in containers.chain(networks) {
            let Some(resource) = all.get(labels::RESOURCE).and_then(|id| ResourceId::parse(id)) else {
                continue;
            };
            let protect = desired.common(&resource).is_some_and(|common| common.protect);
            memory.inventory.push(InventoryEntry {
                resource,
                host: host.clone(),
                kind: kind.to_owned(),
                name: name.clone(),
                engine_id: id.clone(),
                protect,
            });
        }
    }
    memory
}

/// Puts a JSON merge patch on a value.
fn patched<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T, patch: &Value) -> T {
    let mut json = serde_json::to_value(value).unwrap();
    merge(&mut json, patch);
    serde_json::from_value(json.clone()).unwrap_or_else(|err| panic!("{err}: {json:#}"))
}

fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    let map = value.as_object_mut().unwrap();
    for (key, change) in patch {
        match change {
            Value::Null => {
                map.remove(key);
            }
            change => merge(map.entry(key.clone()).or_insert(Value::Null), change),
        }
    }
}

/// Patches a list whose items have names; `fields` of a container are patched below `known`.
fn patch_named<T: serde::Serialize + serde::de::DeserializeOwned>(
    items: &mut Vec<T>,
    changes: &Map<String, Value>,
) {
    let mut all: Vec<Value> = items.iter().map(|item| serde_json::to_value(item).unwrap()).collect();
    for (name, change) in changes {
        if change.is_null() {
            all.retain(|item| item["name"] != name.as_str());
            continue;
        }
        let mut change = change.clone();
        if let Some(fields) = change.get("fields").filter(|fields| fields.get("unknown").is_none()).cloned()
            && !fields.is_null()
        {
            let is_container = all.first().is_some_and(|item| item.get("imageId").is_some());
            change["fields"] = if is_container { json!({"known": fields}) } else { fields };
        } else if let Some(why) = change["fields"].get("unknown").cloned() {
            // A patch of the known ones would leave both.
            change["fields"] = Value::Null;
            all.iter_mut().filter(|item| item["name"] == name.as_str()).for_each(|item| {
                item["fields"] = json!({"unknown": why});
            });
            change.as_object_mut().unwrap().remove("fields");
        }
        let copy = change.get("copyOf").and_then(Value::as_str).map(str::to_owned);
        change.as_object_mut().unwrap().remove("copyOf");
        let copied = copy.map(|name| all.iter().find(|item| item["name"] == name.as_str()).unwrap().clone());
        match all.iter_mut().find(|item| item["name"] == name.as_str()) {
            Some(item) => merge(item, &change),
            None => {
                let mut item = copied.unwrap_or_else(|| json!({}));
                item["name"] = json!(name);
                if item.get("id").is_some() || change.get("id").is_none() {
                    item["id"] = json!(ipaictl::model::hash::sha256_hex(name.as_bytes()));
                }
                merge(&mut item, &change);
                all.push(item);
            }
        }
    }
    // A new name in the patch renames.
    all.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
    *items = all
        .into_iter()
        .map(|item| serde_json::from_value(item.clone()).unwrap_or_else(|err| panic!("{err}: {item:#}")))
        .collect();
}
