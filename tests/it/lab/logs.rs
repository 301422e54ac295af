//! Log lines: every one has the format, and none has a shape that the recorded runs of a real Odoo do not have.

use std::collections::BTreeSet;
use std::fs;

use regex::Regex;

use super::odoo::{Odoo, image, recordings};
use super::server::Server;

/// One record: level, logger and message; continuation lines are left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shape(String);

fn line() -> Regex {
    Regex::new(
        r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ (?P<lvl>DEBUG|INFO|WARNING|ERROR|CRITICAL) (?P<db>\S+) (?P<logger>[^\s:]+): (?P<msg>.*?)(?: (?:(?P<q>\d+) (?P<sql>\d+\.\d{3}) (?P<py>\d+\.\d{3})|- - -)(?: (?P<mode>rw|ro|ro->rw|-))?)? ?$",
    )
    .unwrap()
}

/// The shapes of a log's records, in order: names, numbers and times become signs.
fn shapes(log: &str) -> Vec<Shape> {
    let (record, signs) = (line(), signs());
    log.lines().filter_map(|text| record.captures(text)).map(|found| shape(&found, &signs)).collect()
}

fn shape(found: &regex::Captures<'_>, signs: &[(Regex, &str)]) -> Shape {
    let mut message = found["msg"].to_owned();
    for (pattern, sign) in signs {
        message = pattern.replace_all(&message, *sign).into_owned();
    }
    let times = if found.name("q").is_some() { " +times" } else { "" };
    Shape(format!("{} {}: {message}{times}", &found["lvl"], &found["logger"]))
}

fn signs() -> Vec<(Regex, &'static str)> {
    let signs = [
        (r"^addons paths: .*", "addons paths: LIST"),
        (r"^database: \S+", "database: WHERE"),
        (r"^loading \w+/\S+$", "loading FILE"),
        (r"odule \w+ loaded", "odule M loaded"),
        (r"oading module \w+", "oading module M"),
        (r"^module \w+:", "module M:"),
        (r"^Module \w+:", "Module M:"),
        (r"Couldn't load module \w+", "Couldn't load module M"),
        (r"on \[.*\] to user", "on LIST to user"),
        (r"invalid module names, ignored: .*", "invalid module names, ignored: LIST"),
        (r"running on \S+:\d+", "running on WHERE"),
        (r"^\S+ - - \[[^\]]+\]", "CLIENT - - [TIME]"),
        (r"`[^`]*`", "`X`"),
        (r#""(GET|POST) \S+ HTTP/1.\d" \d+ -"#, "REQUEST"),
        (r"login:\S+ from \S+", "login:X from WHERE"),
        (r"db:\S+", "db:X"),
        (r"\d+(\.\d+)?", "N"),
    ];
    signs.into_iter().map(|(pattern, sign)| (Regex::new(pattern).unwrap(), sign)).collect()
}

fn recorded(name: &str) -> Option<String> {
    fs::read_to_string(recordings().join(name)).ok()
}

/// What depends on the machine and not on the run: the file of settings, and programs that an image may have.
fn comparable(shapes: Vec<Shape>) -> Vec<Shape> {
    let skip = ["Using configuration file", "Wkhtmlto"];
    shapes.into_iter().filter(|one| !skip.iter().any(|words| one.0.contains(words))).collect()
}

#[test]
fn an_update_of_an_unknown_module_logs_what_was_recorded_record_by_record() {
    let Some(text) = recorded("odoo18-run-unknown-module.log") else { return };
    let odoo = Odoo::new();
    let ran = odoo.once(&["-u", "no_such_module"]);
    assert_eq!(comparable(shapes(&ran.log)), comparable(shapes(&text)));
}

#[test]
fn an_update_whose_code_does_not_parse_logs_what_was_recorded_record_by_record() {
    let Some(text) = recorded("odoo18-run-syntax-error.log") else { return };
    let odoo = Odoo::new();
    odoo.write("lab_child/__init__.py", "def (\n");
    let ran = odoo.once(&["-u", "lab_child"]);
    assert_eq!(ran.code, 255);
    assert_eq!(comparable(shapes(&ran.log)), comparable(shapes(&text)));
}

#[test]
fn every_line_is_a_record_or_belongs_to_the_record_before_it() {
    let odoo = Odoo::new();
    odoo.take("addons-next");
    let ran = odoo.once(&["-u", "lab_plain"]);
    let record = line();
    let mut before = None;
    for text in ran.log.lines().skip_while(|text| !record.is_match(text)) {
        if let Some(found) = record.captures(text) {
            assert!(found.name("q").is_none() && text.ends_with(' '), "{text:?}");
            before = Some(found["lvl"].to_owned());
        } else {
            // Only a record with a traceback goes on, or a font that a real image has not.
            assert!(before.as_deref() == Some("CRITICAL") || text.starts_with("Warn:"), "{text:?}");
        }
    }
    let pid = Regex::new(r"^\S+ \S+ (\d+) ").unwrap();
    assert_eq!(&pid.captures(ran.log.lines().find(|text| record.is_match(text)).unwrap()).unwrap()[1], "1");
}

#[test]
fn requests_end_with_their_times_and_the_rest_does_not() {
    let odoo = Odoo::new();
    let server = Server::start(&odoo, &["-d", &odoo.database, "--max-cron-threads=0"]);
    assert_eq!(server.get("/web/login").status, 200);
    let log = server.log();
    let record = line();
    for text in log.lines() {
        if let Some(found) = record.captures(text) {
            assert_eq!(found.name("q").is_some(), &found["logger"] == "werkzeug", "{text}");
        }
    }
    assert!(log.lines().any(|text| text.contains("werkzeug") && !text.ends_with(' ')), "{log}");
}

#[test]
fn the_stand_in_has_no_shape_of_its_own() {
    if image() != "ipaictl/odoo-standin:18" {
        return;
    }
    let mut known: BTreeSet<Shape> = BTreeSet::new();
    for name in ["failing-tests", "1107-tests", "unknown-module", "zero-tests", "syntax-error"] {
        let Some(text) = recorded(&format!("odoo18-run-{name}.log")) else { return };
        known.extend(shapes(&text));
    }
    known.extend(shapes(&recorded("odoo18-serve-requests.log").unwrap()));
    // Seen in runs of the real one that were not kept as a whole.
    known.insert(Shape("INFO odoo: Using configuration file at /etc/odoo/odoo.conf".to_owned()));
    known.insert(Shape(
        "INFO odoo.modules.migration: module M: Running migration [N.N.N>] post-count".to_owned(),
    ));

    let odoo = Odoo::without_database();
    let mut own = shapes(&odoo.once(&["-i", "lab_plain,lab_child"]).log);
    odoo.take("addons-next");
    own.extend(shapes(&odoo.once(&["-u", "lab_plain"]).log));
    own.extend(shapes(&odoo.once(&["-i", "mail"]).log));
    let server = Server::start(&odoo, &["-d", &odoo.database, "--max-cron-threads=0"]);
    for path in ["/web/login", "/web/health", "/nothing/1"] {
        server.get(path);
    }
    server.stop();
    own.extend(shapes(&server.log()));
    let new: BTreeSet<&Shape> = own.iter().filter(|one| !known.contains(one)).collect();
    assert!(new.is_empty(), "{new:#?}");
    assert!(own.len() > 100, "{}", own.len());
}
