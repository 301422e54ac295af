//! What is read, refused, said, written and compared, by example.

use super::*;

fn read(text: &str) -> OdooConf {
    parse("odoo.conf", text).unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn problems(text: &str) -> Vec<String> {
    match parse("odoo.conf", text) {
        Ok(conf) => check("odoo.conf", &conf).iter().map(ToString::to_string).collect(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn only(text: &str) -> String {
    let found = problems(text);
    assert_eq!(found.len(), 1, "{found:?}");
    found.into_iter().next().unwrap_or_default()
}

#[test]
fn a_file_is_read_as_the_server_reads_it() {
    let conf = read(
        "; ours\n[options]\nDB_Host : db\nxmlrpc_port=8070\naddons_path = /a,\n   /b , /c\n# between\n   ,/d\nlogfile =\n[queue_job]\nchannels = root:2\n",
    );
    assert_eq!(conf.get("db_host"), Some("db"));
    assert_eq!(conf.get("http_port"), Some("8070"), "under its present name");
    assert_eq!(conf.addons_path(), ["/a", "/b", "/c", "/d"]);
    assert_eq!(conf.get("logfile"), Some(""));
    assert_eq!(conf.section("queue_job")["channels"].value, "root:2");
    assert_eq!(conf.section("queue_job")["channels"].line, 11);
}

#[test]
fn what_all_sections_inherit_is_theirs_until_they_say_otherwise() {
    let conf = read("[DEFAULT]\nworkers = 1\ndb_host = x\n[options]\nworkers = 2\n");
    assert_eq!((conf.get("workers"), conf.get("db_host")), (Some("2"), Some("x")));
    assert_eq!(read("[DEFAULT]\nworkers = 1\n").get("workers"), None, "there is no section that inherits");
}

#[test]
fn what_the_server_can_t_read_has_its_place_and_no_value() {
    let twice = only("[options]\ndb_password = first-secret\n db_password2\ndb_password = other-secret\n");
    assert!(twice.starts_with("odoo.conf:4:1: error: option `db_password` is there twice"), "{twice}");
    assert!(twice.contains("odoo.conf:2:1: first here") && !twice.contains("secret"), "{twice}");
    assert!(only("workers = 2\n").starts_with("odoo.conf:1:1: error: an option before the first section"));
    assert!(only("[options]\njust words\n").contains("neither a section, an option nor a comment"));
    assert!(only("[options]\n= x\n").contains("a value without the name"));
    assert!(only("[options]\n[options]\n").contains("section `options` is there twice"));
}

#[test]
fn an_unknown_option_has_its_nearest_and_an_old_one_its_present_name() {
    let found = only("[options]\nproxy_mod = True\n");
    assert!(found.contains("none of Odoo 18.0's") && found.contains("`proxy_mode`"), "{found}");
    assert!(only("[options]\nlongpolling_port = 8072\n").contains("Odoo 18 calls it `gevent_port`"));
    assert!(only("[options]\ninit = sale\n").contains("one of the command line only"));
    assert!(only("[option]\nworkers = 2\n").contains("Name it `[options]`, not `[option]`"));
}

#[test]
fn a_value_that_does_not_mean_what_it_looks_like_is_said() {
    assert!(only("[options]\nlist_db = no\n").contains("the server takes it for true"));
    assert!(only("[options]\nworkers = two\n").contains("not a whole number"));
    assert!(only("[options]\nworkers = 08\n").contains("not a whole number"), "octal");
    assert!(only("[options]\ndb_sslmode = requires\n").contains("Did you mean `require`"));
    let secret = only("[options]\ndb_password = ${DB_PASSWORD}\n");
    assert!(secret.contains("as it stands") && !secret.contains("DB_PASSWORD"), "{secret}");
    assert_eq!(
        problems("[options]\nworkers = 0x10\nproxy_mode = true\ndb_port = False\nsmtp_ssl =\n"),
        [""; 0]
    );
}

#[test]
fn what_is_rendered_reads_back_and_what_can_t_be_held_is_named() {
    let options = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let wanted = options(&[("db_password", "a=b: %(x)s ${y} ; # [z]"), ("logfile", ""), ("workers", "2")]);
    let text = render(&wanted).unwrap();
    assert_eq!(text, "[options]\ndb_password = a=b: %(x)s ${y} ; # [z]\nlogfile =\nworkers = 2\n");
    let read: BTreeMap<String, String> = read(&text)
        .options()
        .iter()
        .map(|(name, written)| ((*name).to_owned(), written.value.clone()))
        .collect();
    assert_eq!(read, wanted);
    for (name, value) in
        [("a", "x\ny"), ("b", " x"), ("c", "x\u{1f}"), ("D", "x"), ("e:f", "x"), ("#g", "x"), ("", "x")]
    {
        assert_eq!(render(&options(&[(name, value)])), Err(name));
    }
}

#[test]
fn a_comparison_shows_no_secret_and_knows_defaults() {
    let left =
        read("[options]\nadmin_passwd = one-secret\nworkers = 0\naddons_path = /a, /b\nproxy_mode = true\n");
    let right =
        read("[options]\nadmin_passwd = two-secret\naddons_path = /a,/b\nproxy_mode = True\ndb_host = x\n");
    let found: Vec<(String, bool)> = compare(&left, &right)
        .into_iter()
        .map(|found| (format!("{found:?}"), found.is_same_effect))
        .collect();
    assert_eq!(found.iter().map(|(_, same)| *same).collect::<Vec<_>>(), [false, false, true]);
    assert!(found.iter().all(|(text, _)| !text.contains("-secret")), "{found:?}");
}

#[test]
fn the_table_is_in_order_and_no_old_name_is_in_it() {
    assert!(OPTIONS.windows(2).all(|pair| pair[0].name < pair[1].name));
    let old = options::IGNORED.iter().map(|(old, _)| *old).chain(options::COMMAND_LINE.iter().copied());
    assert_eq!(old.filter(|name| setting(name).is_some()).count(), 0);
}
