//! What an Environment does to a real engine, a real PostgreSQL and the lab's Odoo.
//!
//! Each test says which condition, reason and evidence a fault ends with, and that no row was lost.

mod adoption;
mod deaths;
mod faults;
mod mistakes;
mod neighbours;
mod starts;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::lab::odoo::{image, postgres_image};
use crate::world::{Said, World, docker, root, text_of};

/// The name of the database in all tests.
const DATABASE: &str = "shop";

/// A world with one Environment, named as its project.
pub struct Shop {
    pub world: World,
}

impl Shop {
    /// A world with the lab's modules in its repository. `more` is put into the document: lines of its spec.
    pub fn new(name: &str, modules: &str, more: &str) -> Shop {
        let shop = Shop { world: World::new(name, "services: {}\n") };
        fs::remove_file(shop.world.repository().join("compose.yaml")).unwrap();
        copy(&root().join("tests/lab/addons"), &shop.world.repository().join("addons"));
        shop.describe(modules, more);
        shop.world.commit("feat: a shop");
        shop
    }

    /// Writes the document with a managed database.
    pub fn describe(&self, modules: &str, more: &str) {
        let database = format!(
            "{{managed: {{image: \"{}\", volume: {}-db, name: {DATABASE}}}}}",
            postgres_image(),
            self.name()
        );
        self.describe_on(&database, modules, more);
    }

    /// Writes the document with a database of its own kind.
    pub fn describe_on(&self, database: &str, modules: &str, more: &str) {
        self.world.write(
            "desired-state/app.yaml",
            &format!(
                "apiVersion: ipai.dev/v1alpha1\nkind: Environment\nmetadata: {{name: {name}}}\nspec:\n  tier: dev\n  host: local\n  \
                 odoo:\n    image: {image}\n    version: \"18.0\"\n    addons: [{{mountPath: /mnt/extra-addons, source: addons}}]\n    \
                 config: {{db_maxconn: 8}}\n    modules: {{install: [{modules}]}}\n  database: {database}\n  \
                 filestore: {{volume: {name}-files}}\n  health: {{timeout: 60s}}\n{more}",
                name = self.name(),
                image = image(),
            ),
        );
    }

    /// The Environment's name.
    pub fn name(&self) -> &str {
        &self.world.project
    }

    /// The Environment as the command line names it.
    pub fn id(&self) -> String {
        format!("Environment/{}", self.name())
    }

    /// The container of a service: `odoo` or `db`.
    pub fn container(&self, service: &str) -> String {
        self.world.container(service)
    }

    /// Answers a question to the database.
    pub fn sql(&self, statement: &str) -> String {
        self.sql_in(DATABASE, statement)
    }

    /// Answers a question to a database of the managed server.
    pub fn sql_in(&self, database: &str, statement: &str) -> String {
        let server = self.container("db");
        docker(&[
            "exec",
            &server,
            "psql",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "odoo",
            "-d",
            database,
            "-Atc",
            statement,
        ])
        .trim()
        .to_owned()
    }

    /// The state of a module; empty when the database has never heard of it.
    pub fn module(&self, name: &str) -> String {
        self.sql(&format!(
            "select state || ' ' || coalesce(latest_version, '') from ir_module_module where name = '{name}'"
        ))
    }

    /// Puts the next revision of some of the lab's modules into the repository, and commits.
    pub fn next(&self, modules: &[&str]) -> String {
        for module in modules {
            let target = self.world.repository().join("addons").join(module);
            copy(&root().join("tests/lab/addons-next").join(module), &target);
        }
        self.world.commit("feat: the next revision")
    }

    /// Applies and expects that it does not succeed.
    pub fn apply_fails(&self) -> Said {
        let said = self.world.run(&["apply", "--yes"]);
        assert_ne!(said.code, 0, "it was applied:\n{}", said.out);
        said
    }

    /// One condition: its status, its reason and its message.
    pub fn condition(&self, kind: &str) -> (String, String, String) {
        let said = self.world.run(&["status", "-o", "json"]);
        let status: Value =
            serde_json::from_str(&said.out).unwrap_or_else(|err| panic!("{err}: {}", said.out));
        let resources = status["resources"].as_array().unwrap();
        let own = resources.iter().find(|it| it["id"] == self.id()).expect("the Environment has a status");
        let conditions = own["conditions"].as_array().unwrap();
        let found = conditions.iter().find(|it| it["type"] == kind).unwrap();
        let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
        (text("status"), text("reason"), text("message"))
    }

    /// Expects a condition; its message has to contain a text.
    pub fn expect(&self, kind: &str, status: &str, reason: &str, message: &str) {
        let (found, why, text) = self.condition(kind);
        assert_eq!((found.as_str(), why.as_str()), (status, reason), "{kind}: {text}");
        assert!(text.contains(message), "{kind}: {text}");
    }

    /// All evidence of the last run, as one text.
    pub fn evidence(&self) -> String {
        let mut packs = Vec::new();
        walk(&self.world.state().join("evidence"), &mut |path| packs.push(path.to_owned()));
        let newest = packs
            .iter()
            .filter(|path| path.ends_with("evidence.json"))
            .max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap());
        let folder = newest.expect("a run leaves evidence").parent().unwrap();
        let mut text = String::new();
        walk(folder, &mut |path| text.push_str(&fs::read_to_string(path).unwrap_or_default()));
        text
    }

    /// The folder of the Environment's files.
    pub fn files(&self) -> std::path::PathBuf {
        self.world.state().join("files").join(format!("environment-{}", self.name()))
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "-fv", &format!("{}-odoo-update", self.name())]).output();
    }
}

/// Copies a folder over another.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    text_of(Command::new("cp").arg("-r").arg(from.join(".")).arg(to));
}

/// Visits all files below a folder.
pub fn walk(folder: &Path, visit: &mut dyn FnMut(&Path)) {
    for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
        match entry.file_type().unwrap().is_dir() {
            true => walk(&entry.path(), visit),
            false => visit(&entry.path()),
        }
    }
}
