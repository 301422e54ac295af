//! What an Environment's document must keep beyond its schema: by itself, and as its tier demands.

use super::environment_values;
use super::typed::Described;
use crate::model::document::Place;
use crate::model::problem::Problem;
use crate::model::secret::is_secret_name;
use crate::model::time::parse_bytes;
use crate::odoo::conf;
use crate::skills::environment::conf::{DERIVED, Options, Secrets};
use crate::skills::environment::spec::{ConfigValue, EnvironmentSpec, Tier};
use crate::skills::host::spec::HostSpec;

/// Memory that a worker has to be given: four in five serve light requests (150 MB), one a heavy one (1 GB).
const WORKER_BYTES: u64 = (8 * 150 + 2 * 1000) * 1_000_000 / 10;
/// The longest name: containers are named after it, and their names become host names.
const NAME_MAX: usize = 40;

/// Checks an Environment.
pub fn check(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let spec = &environment.resource.spec;
    if environment.resource.id.name.len() > NAME_MAX {
        let message = format!("the name of an Environment has at most {NAME_MAX} characters");
        let problem = environment.value("/metadata/name").error("invalid-value", message);
        problems.push(problem.with_hint("Its containers are named after it."));
    }
    environment_values::check(environment, problems);
    check_choices(environment, problems);
    check_paths(environment, problems);
    check_config(environment, problems);
    check_modules(environment, problems);
    check_tier(environment, problems);
    check_memory(environment, problems);
    for (field, is_set) in [
        ("data", spec.data.is_some()),
        ("gates", spec.gates.is_some()),
        ("ingress", spec.ingress.is_some()),
        ("lifetime", spec.lifetime.is_some()),
        ("mail", spec.mail.is_some()),
        ("network", spec.network.is_some()),
    ] {
        if is_set {
            let message = format!("`spec.{field}` is not enforced by this version");
            problems.push(environment.key(&format!("/spec/{field}")).warning("not-enforced", message));
        }
    }
    if spec.adopt.is_some() {
        let message = "adoption is not supported by this version: the environment is only observed";
        problems.push(
            environment
                .key("/spec/adopt")
                .warning("not-enforced", message)
                .with_hint("Remove `adopt` to let ipaictl change what runs."),
        );
    }
}

/// Exactly one of two.
fn check_choices(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let spec = &environment.resource.spec;
    for (pointer, field, one, other) in [
        (
            "/spec/odoo",
            "spec.odoo",
            ("image", spec.odoo.image.is_some()),
            ("build", spec.odoo.build.is_some()),
        ),
        (
            "/spec/database",
            "spec.database",
            ("external", spec.database.external.is_some()),
            ("managed", spec.database.managed.is_some()),
        ),
    ] {
        if one.1 == other.1 && (one.1 || !environment.is_broken_below(pointer)) {
            let what = if one.1 { "not both" } else { "and has neither" };
            let message = format!("`{field}` takes `{}` or `{}`, {what}", one.0, other.0);
            problems.push(environment.key(pointer).error("one-of", message));
        }
    }
    if spec.source.repository.is_none() && spec.source.reference.is_some() {
        let message = "`spec.source.ref` needs `spec.source.repository`: the state repository is read at its own revision";
        problems.push(environment.key("/spec/source/ref").error("missing-field", message));
    }
}

fn check_paths(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let odoo = &environment.resource.spec.odoo;
    let leaves = |path: &str| path.split('/').any(|part| part == "..");
    for (index, root) in odoo.addons.iter().enumerate() {
        for (field, path) in [("source", &root.source), ("mountPath", &root.mount_path)] {
            if leaves(path) {
                let place = environment.value(&format!("/spec/odoo/addons/{index}/{field}"));
                problems.push(place.error("invalid-path", format!("the path `{path}` contains `..`")));
            }
        }
        if root.mount_path.contains([',', '\n']) {
            let place = environment.value(&format!("/spec/odoo/addons/{index}/mountPath"));
            problems.push(place.error("invalid-path", "`addons_path` can't hold a path with a comma"));
        }
        let place = environment.value(&format!("/spec/odoo/addons/{index}/mountPath"));
        let others = &odoo.addons[..index];
        if others.iter().any(|other| folder(&other.mount_path) == folder(&root.mount_path)) {
            let message = format!("`{}` is mounted twice", root.mount_path);
            problems.push(place.error("mounted-twice", message));
        } else if let Some(other) = others.iter().find(|other| overlap(&other.mount_path, &root.mount_path)) {
            let message = format!("`{}` and `{}` lie in one another", root.mount_path, other.mount_path);
            let hint = "Roots are mounted read-only, so that nothing can be mounted within one: put them side by side.";
            problems.push(place.error("invalid-path", message).with_hint(hint));
        }
        let owned = others.iter().find(|other| {
            let has_both = other.owner.is_some() && root.owner.is_some();
            has_both && other.owner != root.owner && overlap(&other.source, &root.source)
        });
        if let Some(other) = owned {
            let message = format!(
                "`{}` and `{}` hold the same files, and give them to two owners",
                root.source, other.source
            );
            let place = environment.value(&format!("/spec/odoo/addons/{index}/owner"));
            problems.push(place.error("two-owners", message));
        }
    }
    if let Some(build) = &odoo.build {
        for (field, path) in [("context", &build.context), ("dockerfile", &build.dockerfile)] {
            if path.starts_with('/') || leaves(path) {
                let place = environment.value(&format!("/spec/odoo/build/{field}"));
                let message = format!("the path `{path}` leaves the source");
                problems.push(place.error("invalid-path", message));
            }
        }
    }
}

/// A path that ends in a slash, so that one begins with another only when it lies in it.
fn folder(path: &str) -> String {
    let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
    parts.fold(if path.starts_with('/') { "/".to_owned() } else { String::new() }, |text, part| {
        text + part + "/"
    })
}

fn overlap(one: &str, other: &str) -> bool {
    let (one, other) = (folder(one), folder(other));
    one.starts_with(&other) || other.starts_with(&one)
}

fn check_config(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    for (option, value) in &environment.resource.spec.odoo.config {
        let pointer = format!("/spec/odoo/config/{}", option.replace('~', "~0").replace('/', "~1"));
        let key = environment.key(&pointer);
        let name = conf::present_name(option);
        if let Some((_, field)) = DERIVED.iter().find(|(derived, _)| *derived == name) {
            let message = format!("`{option}` follows from `spec.{field}`");
            let problem = key.error("odoo-conf-derived", message);
            problems.push(problem.with_hint("Remove the line."));
        }
        check_reach(name, value, key, problems);
        let is_text = conf::setting(name).is_none_or(|setting| matches!(setting.sort, conf::Sort::Text));
        if matches!(value, ConfigValue::Secret(_)) && (!is_text || OPEN.contains(&name)) {
            let message = format!("`{option}` is no secret, and what it says must be known to be checked");
            problems.push(key.error("odoo-conf-secret", message).with_hint("Write its value."));
        }
        if let ConfigValue::Text(text) = value
            && !text.is_empty()
            && !matches!(text.as_str(), "False" | "false")
            && (is_secret_name(option) || option == "admin_passwd")
        {
            let message = format!("`{option}` is a secret, and its value is in the repository");
            // The line is not shown: it holds the value.
            let location = environment.key(&pointer).location();
            problems.push(Problem::warning("plain-secret", message).at(location).with_hint(
                "Refer to it: `{env: NAME}`, `{file: /path}` or `{age: path, key: NAME}`; and change the value, it has been published.",
            ));
        }
    }
}

/// Texts that decide who sees what, or what the server does at all.
const OPEN: &[&str] = &["dbfilter", "dev_mode", "http_interface"];

/// A server that nobody reaches is never healthy, and one whose log nobody reads tells nothing.
fn check_reach(name: &str, value: &ConfigValue, key: &Place, problems: &mut Vec<Problem>) {
    let ConfigValue::Text(text) = value else { return };
    let is_false = matches!(text.as_str(), "" | "False" | "false" | "0");
    if name == "logfile" && !is_false && text != "None" {
        let message = format!("the server's log goes to `{text}` and leaves the container's output empty");
        let hint = "Remove the line; `docker logs`, and whatever collects logs of containers, has it then.";
        problems.push(key.warning("odoo-conf-log", message).with_hint(hint));
        return;
    }
    let message = match name {
        "syslog" if !is_false => {
            "there is no syslog in a container, and how a module run ended is read in its log".to_owned()
        }
        "http_enable" if is_false => "a server without HTTP never becomes healthy".to_owned(),
        "http_interface" if !is_false && !matches!(text.as_str(), "0.0.0.0" | "::" | "None") => {
            format!("nobody outside of its container reaches a server that listens on `{text}` alone")
        }
        _ => return,
    };
    problems.push(key.error("odoo-conf-unreachable", message).with_hint("Remove the line."));
}

fn check_modules(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let install = &environment.resource.spec.odoo.modules.install;
    for (index, name) in install.iter().enumerate() {
        let place = environment.value(&format!("/spec/odoo/modules/install/{index}"));
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            let message = format!("`{name}` is no name of a module");
            problems.push(place.error("invalid-value", message).with_hint("Letters, digits and `_`."));
        } else if name == "all" {
            let message = "`all` is no module: to Odoo it means every one there is";
            problems.push(place.error("invalid-value", message).with_hint("Name the modules."));
        } else if name == "base" {
            let message = format!("`{name}` is in every database");
            problems.push(place.error("invalid-value", message).with_hint("Remove the line."));
        } else if install[..index].contains(name) {
            problems.push(place.warning("named-twice", format!("`{name}` is named twice")));
        }
    }
}

/// What the tier demands. A production that is not protected, or not what it says, is a warning; one that shows its
/// databases to everybody is refused.
fn check_tier(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let spec = &environment.resource.spec;
    let is_production = spec.tier == Tier::Production;
    let is_true = |option: &str| {
        let value = spec.odoo.config.get(option);
        matches!(value, Some(ConfigValue::Text(text)) if !matches!(text.as_str(), "" | "False" | "false" | "0"))
    };
    if is_true("list_db") {
        let message = "`list_db` shows the names of the databases and opens their manager to whoever reaches the server";
        let place = environment.key("/spec/odoo/config/list_db");
        let problem = match is_production {
            true => place.error("production-list-db", message),
            false => place.warning("list-db", message),
        };
        problems.push(problem.with_hint("Remove the line: it is `False` then."));
    }
    if matches!(spec.odoo.config.get("admin_passwd"), Some(ConfigValue::Text(text)) if text == "admin") {
        let message = "`admin_passwd: admin` is Odoo's own default, which everybody knows";
        let problem = environment.key("/spec/odoo/config/admin_passwd").error("admin-passwd", message);
        problems.push(problem.with_hint("Remove the line: one is generated then."));
    }
    let publish = spec.publish.clone().unwrap_or_default();
    for (field, address) in [("http", &publish.http), ("gevent", &publish.gevent)] {
        let is_open = |text: &String| text.starts_with("0.0.0.0:") || text.starts_with("[::]:");
        if address.as_ref().is_some_and(is_open) {
            let message = format!(
                "`publish.{field}` is open to all networks, past the proxy in front and its encryption"
            );
            let place = environment.value(&format!("/spec/publish/{field}"));
            problems.push(place.warning("published-to-all", message).with_hint("Publish it on 127.0.0.1."));
        }
    }
    if !is_production {
        return;
    }
    if let Some(image) = spec.odoo.image.as_ref().filter(|image| !image.contains("@sha256:")) {
        let message =
            format!("the image `{image}` has no digest: another one may be behind the same name tomorrow");
        let hint = "Name it as `image:tag@sha256:…`; `docker image inspect` shows the digest.";
        problems.push(
            environment.value("/spec/odoo/image").warning("image-without-digest", message).with_hint(hint),
        );
    }
    if let Some(managed) = spec.database.managed.as_ref().filter(|it| !it.image.contains("@sha256:")) {
        let message = format!(
            "the image `{}` has no digest: another one may be behind the same name tomorrow",
            managed.image
        );
        let place = environment.value("/spec/database/managed/image");
        problems.push(place.warning("image-without-digest", message));
    }
    if !spec.common.protect {
        let message = "a production without `protect: true`: nothing but its document says that what it made is to be kept";
        let place = environment.key("/spec/tier");
        problems.push(place.warning("production-unprotected", message).with_hint("Add `protect: true`."));
    }
    if is_true("dev_mode") {
        let message = "`dev_mode` in production reloads code, and shows more than it should";
        problems.push(environment.key("/spec/odoo/config/dev_mode").warning("production-dev-mode", message));
    }
}

/// Whether the workers fit into the memory that the container has.
fn check_memory(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let spec = &environment.resource.spec;
    let Some(memory) = spec.resources.as_ref().and_then(|it| it.memory.as_deref()).and_then(parse_bytes)
    else {
        return;
    };
    let nothing =
        Secrets { database: String::new().into(), admin: String::new().into(), config: Default::default() };
    let workers = u64::from(Options::of(spec, &nothing).workers());
    let asked = workers * WORKER_BYTES;
    if asked > memory {
        let message = format!(
            "{workers} workers need some {} MB (a fifth of them with a heavy request), and the container has {} MB",
            asked / 1_000_000,
            memory / 1_000_000
        );
        let fits = (memory / WORKER_BYTES).max(1);
        let problem = environment.key("/spec/odoo/config/workers").warning("memory-of-workers", message);
        problems.push(problem.with_hint(format!("`workers: {fits}` fit.")));
    }
}

/// Whether all Environments of each Host fit into its budget.
pub fn check_budgets(
    hosts: &[Described<HostSpec>],
    environments: &[Described<EnvironmentSpec>],
    problems: &mut Vec<Problem>,
) {
    for host in hosts {
        let budget = host.resource.spec.budget.as_ref().and_then(|budget| budget.get("memory"));
        let Some(budget) = budget.and_then(|memory| memory.as_str()).and_then(parse_bytes) else { continue };
        let name = &host.resource.id.name;
        let of_host = environments.iter().filter(|it| it.resource.spec.host == *name);
        let limits = of_host.map(|it| {
            let resources = it.resource.spec.resources.as_ref();
            (it, resources.and_then(|resources| resources.memory.as_deref()).and_then(parse_bytes))
        });
        let mut sum = 0;
        for (environment, memory) in limits {
            match memory {
                None => {
                    let message = format!(
                        "without `resources.memory` nothing keeps it within the budget of `{}`",
                        host.resource.id
                    );
                    problems.push(environment.key("/spec/host").warning("memory-without-limit", message));
                }
                Some(memory) => {
                    sum += memory;
                    if sum > budget {
                        let message = format!(
                            "the environments of `{}` may use {} MiB so far, and its budget is {} MiB",
                            host.resource.id,
                            sum >> 20,
                            budget >> 20
                        );
                        problems.push(
                            environment
                                .key("/spec/resources/memory")
                                .warning("budget-exceeded", message)
                                .with_related(host.key("/spec/budget").location(), "the budget is here"),
                        );
                        break;
                    }
                }
            }
        }
    }
}
