//! Values in an Environment that follow the schema and still can't be meant: ports, names that are taken, places that
//! are used already.

use std::net::IpAddr;
use std::time::Duration;

use super::typed::Described;
use crate::model::problem::Problem;
use crate::model::time::{parse_bytes, parse_duration};
use crate::odoo::conf::is_kept;
use crate::skills::environment::conf::DATA_DIR;
use crate::skills::environment::render::CONF_TARGET;
use crate::skills::environment::spec::{ConfigValue, EnvironmentSpec, ManagedDatabase};

/// Databases that every server has for itself.
const TAKEN_DATABASES: &[&str] = &["postgres", "template0", "template1"];
/// The role as which Odoo refuses to work.
const REFUSED_ROLE: &str = "postgres";
/// The least processes and threads with which a server starts: itself, its threads, and the probes beside it.
const PIDS_MIN: u32 = 32;
/// The least memory in which a server starts.
const MEMORY_MIN: u64 = 256 << 20;
/// The longest time that anything is waited for.
const WAIT_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
/// The series that this version knows.
const SERIES: &str = "18.0";
/// Settings that the image makes itself, and finds its server by.
const IMAGE_SETTINGS: &[&str] = &[
    "config_file",
    "data_directory",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "listen_addresses",
    "port",
    "unix_socket_directories",
];
/// The most processes and connections that anybody means.
const COUNT_MAX: u32 = 10_000;

/// Checks values.
pub fn check(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    check_ports(environment, problems);
    check_database(environment, problems);
    check_places(environment, problems);
    check_options(environment, problems);
    check_filter(environment, problems);
    check_sizes(environment, problems);
    let odoo = &environment.resource.spec.odoo;
    if odoo.version != SERIES {
        let message = format!(
            "this version knows Odoo {SERIES}: options and modules of {} are not checked against it",
            odoo.version
        );
        problems.push(environment.value("/spec/odoo/version").warning("series-not-known", message));
    }
    let managed = environment.resource.spec.database.managed.as_ref().map(|managed| &managed.image);
    let images = [("/spec/odoo/image", odoo.image.as_ref()), ("/spec/database/managed/image", managed)];
    for (pointer, image) in images {
        let Some(image) = image.filter(|image| !is_reference(image)) else { continue };
        let message = format!("`{image}` is no reference of an image");
        let problem = environment.value(pointer).error("invalid-value", message);
        problems.push(
            problem.with_hint("Such as `odoo:18.0` or `registry.example/odoo@sha256:…`, in lower case."),
        );
    }
}

/// What an engine takes for the name of an image.
fn is_reference(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._/:@-".contains(c);
    let name = text.split('@').next().unwrap_or(text);
    let name = name.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(name, |(name, _)| name);
    let path =
        name.split_once('/').filter(|(host, _)| host.contains(['.', ':'])).map_or(name, |(_, path)| path);
    let is_lower = !path.chars().any(|c| c.is_ascii_uppercase());
    text.chars().all(is_part) && is_lower && !path.is_empty()
}

fn check_ports(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let publish = environment.resource.spec.publish.clone().unwrap_or_default();
    let mut seen: Vec<(String, u32)> = Vec::new();
    for (field, text) in [("http", &publish.http), ("gevent", &publish.gevent)] {
        let Some(text) = text else { continue };
        let place = environment.value(&format!("/spec/publish/{field}"));
        let (address, port) = text.rsplit_once(':').unwrap_or(("127.0.0.1", text));
        let number = port.parse::<u32>().unwrap_or(0);
        if !(1..=65_535).contains(&number) {
            problems
                .push(place.error("invalid-value", format!("`{port}` is no port: they go from 1 to 65535")));
        }
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<IpAddr>().is_err() {
            problems.push(place.error("invalid-value", format!("`{address}` is no address")));
        }
        let own = (bare.to_owned(), number);
        if seen.contains(&own) {
            problems.push(place.error("port-claimed-twice", format!("`{text}` is published twice")));
        }
        seen.push(own);
    }
}

fn check_database(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let spec = &environment.resource.spec;
    let database = &spec.database;
    let (sort, name, user) = match (&database.external, &database.managed) {
        (Some(external), _) => ("external", &external.name, &external.user),
        (None, Some(managed)) => ("managed", &managed.name, &managed.user),
        (None, None) => return,
    };
    if TAKEN_DATABASES.contains(&name.as_str()) {
        let message = format!("`{name}` is a database of the server itself");
        let problem =
            environment.value(&format!("/spec/database/{sort}/name")).error("invalid-value", message);
        problems.push(problem.with_hint("Name one that is Odoo's alone."));
    }
    if user == REFUSED_ROLE {
        let message = format!("Odoo refuses to work as the role `{REFUSED_ROLE}`");
        let place = environment.key(&format!("/spec/database/{sort}/user"));
        problems.push(place.error("invalid-value", message).with_hint("Use a role of its own."));
    }
    let Some(managed) = &database.managed else { return };
    if managed.volume == spec.filestore.volume {
        let message = format!("`{}` can't hold both the database and the filestore", managed.volume);
        problems.push(environment.value("/spec/filestore/volume").error("volume-claimed-twice", message));
    }
    for name in managed.settings.keys() {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.".contains(c);
        if name.is_empty() || !name.chars().all(is_name) {
            let pointer =
                format!("/spec/database/managed/settings/{}", name.replace('~', "~0").replace('/', "~1"));
            let message = format!("`{}` is no setting of PostgreSQL", name.escape_debug());
            problems.push(environment.key(&pointer).error("invalid-value", message));
        } else if IMAGE_SETTINGS.contains(&name.as_str()) {
            let message = format!("`{name}` is the image's own: the server would not be found any more");
            let place = environment.key(&format!("/spec/database/managed/settings/{name}"));
            problems.push(place.error("invalid-value", message).with_hint("Remove the line."));
        } else if name == "max_connections" && connections(managed).is_none() {
            let message = "`max_connections` is a number of connections, from 10 to 10000";
            let place = environment.value("/spec/database/managed/settings/max_connections");
            problems.push(place.error("invalid-value", message));
        }
    }
}

/// The connections that a managed server is told to take.
fn connections(managed: &ManagedDatabase) -> Option<u32> {
    let number = managed.settings.get("max_connections")?.to_string().parse().ok()?;
    (10..=COUNT_MAX).contains(&number).then_some(number)
}

/// Mistakes in a regular expression that are some to Python, too, in the words of our library.
const BROKEN_PATTERNS: &[&str] = &[
    "unclosed group",
    "unopened group",
    "unclosed character class",
    "repetition operator missing expression",
    "incomplete escape sequence",
    "invalid character class range",
];

/// A filter that can't match the database leaves a server that finds none.
fn check_filter(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let spec = &environment.resource.spec;
    let Some(ConfigValue::Text(filter)) = spec.odoo.config.get("dbfilter") else { return };
    // What stands for the host name is known by the request alone.
    if filter.is_empty() {
        return;
    }
    if filter.contains('%') {
        let message = "what `dbfilter` takes of the host name (`%h`, `%d`) tells databases of one server apart: an environment has one, and its probes ask without a name";
        let place = environment.value("/spec/odoo/config/dbfilter");
        let hint = format!("Such as `^{}$`, or remove the line.", spec.database_name());
        problems.push(place.error("odoo-conf-value", message).with_hint(hint));
        return;
    }
    let place = environment.value("/spec/odoo/config/dbfilter");
    let name = spec.database_name();
    match regex::Regex::new(&format!("^(?:{filter})")) {
        Ok(pattern) if pattern.is_match(name) => {}
        Ok(_) => {
            let message =
                format!("`{filter}` does not match the database `{name}`: the server would find none");
            problems.push(place.error("odoo-conf-value", message).with_hint(format!("Such as `^{name}$`.")));
        }
        // Python's expressions are not all ours: what we can't read is the server's to judge.
        Err(err) => {
            let text = err.to_string();
            let broken = BROKEN_PATTERNS.iter().find(|broken| text.contains(**broken));
            if let Some(broken) = broken {
                let message = format!("`{filter}` is no regular expression: {broken}");
                let hint = format!("Such as `^{name}$`.");
                problems.push(place.error("odoo-conf-value", message).with_hint(hint));
            }
        }
    }
}

/// A root is mounted where nothing else is.
fn check_places(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    for (index, root) in environment.resource.spec.odoo.addons.iter().enumerate() {
        let path = format!("{}/", root.mount_path.trim_end_matches('/'));
        let hides = [CONF_TARGET, DATA_DIR].into_iter().find(|taken| {
            let taken = format!("{taken}/");
            path.starts_with(&taken) || taken.starts_with(&path)
        });
        if let Some(taken) = hides {
            let message = format!("`{}` would hide or be hidden by `{taken}`", root.mount_path);
            let place = environment.value(&format!("/spec/odoo/addons/{index}/mountPath"));
            problems.push(place.error("invalid-path", message).with_hint("Such as `/mnt/extra-addons`."));
        }
    }
}

/// Whether a text can be the name of an option.
pub fn is_option(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    !name.is_empty() && name.chars().all(is_part)
}

fn check_options(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    for (option, value) in &environment.resource.spec.odoo.config {
        let pointer = format!("/spec/odoo/config/{}", option.replace('~', "~0").replace('/', "~1"));
        if !is_option(option) {
            let message = format!("`{}` is no name of an option", option.escape_debug());
            let problem = environment.key(&pointer).error("odoo-conf-option", message);
            problems.push(problem.with_hint("Lower case letters, digits and `_`."));
            continue;
        }
        if let ConfigValue::Text(text) = value
            && !is_kept(text)
        {
            let message = format!(
                "the value of `{option}` has a line end or a blank at an end: odoo.conf can't hold it"
            );
            problems.push(environment.value(&pointer).error("odoo-conf-value", message));
            continue;
        }
        let is_count =
            matches!(option.as_str(), "workers" | "max_cron_threads" | "db_maxconn" | "db_maxconn_gevent");
        if let ("db_maxconn", ConfigValue::Text(text)) = (option.as_str(), value)
            && text.parse::<i128>().is_ok_and(|number| number == 0)
        {
            let message = "option `db_maxconn`: without a connection no request is answered";
            problems.push(environment.value(&pointer).error("odoo-conf-value", message));
        }
        if let (true, ConfigValue::Text(text)) = (is_count, value)
            && let Ok(number) = text.parse::<i128>()
            && !(0..=i128::from(COUNT_MAX)).contains(&number)
        {
            let message = format!("option `{option}`: `{text}` is not between 0 and {COUNT_MAX}");
            problems.push(environment.value(&pointer).error("odoo-conf-value", message));
        }
    }
}

fn check_sizes(environment: &Described<EnvironmentSpec>, problems: &mut Vec<Problem>) {
    let spec = &environment.resource.spec;
    let memory = spec.resources.as_ref().and_then(|resources| resources.memory.as_deref());
    if let Some(text) = memory.filter(|text| parse_bytes(text).is_none_or(|bytes| bytes < MEMORY_MIN)) {
        let message = format!("no server starts in `{text}`; the least is {} MiB", MEMORY_MIN >> 20);
        problems.push(environment.value("/spec/resources/memory").error("invalid-value", message));
    }
    let pids = spec.resources.as_ref().and_then(|resources| resources.pids);
    if let Some(count) = pids.filter(|count| *count < PIDS_MIN) {
        let message = format!("no server starts with {count} processes and threads; the least is {PIDS_MIN}");
        problems.push(environment.value("/spec/resources/pids").error("invalid-value", message));
    }
    if let Some(external) = &spec.database.external {
        let host = external.host.trim_matches(['[', ']']);
        let is_loopback =
            host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback());
        if is_loopback {
            let message = format!("`{}` is the container itself to the application", external.host);
            let problem = environment.value("/spec/database/external/host").error("invalid-value", message);
            problems.push(problem.with_hint(
                "Name an address of the server that containers reach, such as that of the Docker bridge.",
            ));
        }
    }
    let health = &spec.health;
    for (field, text) in [("timeout", &health.timeout), ("updateTimeout", &health.update_timeout)] {
        let Some(text) = text else { continue };
        let is_sound = parse_duration(text).is_some_and(|time| !time.is_zero() && time <= WAIT_MAX);
        if !is_sound {
            let message = format!("`{text}` is not a time between nothing and seven days");
            problems
                .push(environment.value(&format!("/spec/health/{field}")).error("invalid-value", message));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_other_texts() {
        for sound in
            ["odoo:18.0", "odoo", "registry.example:5000/a/odoo:X1", "Registry.example/odoo@sha256:aa"]
        {
            assert!(is_reference(sound), "{sound}");
        }
        for wrong in ["ODOO:18.0", "odoo 18", "", ":18.0", "odoo:18.0\n"] {
            assert!(!is_reference(wrong), "{wrong:?}");
        }
    }
}
