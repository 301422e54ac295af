//! From a Stack's Compose files to one canonical model: the pipeline and its result.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use std::collections::{BTreeMap, BTreeSet};

use crate::model::document::{Node, Place, Size};
use crate::model::problem::Problem;
use crate::model::secret::is_secret_name;
use crate::skills::stack::spec::ComposeSpec;

use super::context::Context;
use super::files::{self, NamedFile, Scope};
use super::interpolate::{Value, Variables};
use super::reading::ComposeFiles;
use super::{complete, consistency, environment, normalize, output, paths, reach, select, tree};

/// What `load` reads and how.
pub struct ComposeRequest<'a> {
    /// The Stack's name: the project's name when nothing else gives one.
    pub stack: &'a str,
    /// The Compose files and what goes into them.
    pub spec: &'a ComposeSpec,
    /// The absolute directory of the repository's checkout on the host.
    pub working_dir: &'a str,
    /// The resolved values of the Stack's variables; they win over env files.
    pub variables: &'a BTreeMap<String, String>,
    /// Names among `variables` whose value came from a secret reference.
    pub secret_variables: &'a BTreeSet<String>,
    /// Where files are read.
    pub files: &'a dyn ComposeFiles,
    /// The place of a JSON pointer of `spec`, such as `/envFiles/0`, when it was written somewhere.
    pub place: &'a dyn Fn(&str) -> Option<Place>,
}

/// What came of loading a Stack's Compose files.
#[derive(Debug, Default)]
pub struct ComposeLoad {
    /// The model; only when there is no error and nothing is unknown.
    pub project: Option<ComposeProject>,
    /// Everything that is wrong, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// How much the files hold, for whoever loads many stacks.
    pub held: Size,
    /// Why the content can't be known now (a file that could not be read): neither valid nor invalid.
    pub unknown: Option<String>,
}

/// A project in Compose's canonical form.
#[derive(Debug)]
pub struct ComposeProject {
    /// The project's name.
    pub name: String,
    /// The absolute directory on the host in which relative paths were resolved: that of the first file.
    pub working_dir: String,
    /// The Compose files, absolute on the host, in the order in which they were merged.
    pub config_files: Vec<String>,
    /// The canonical model as `docker compose config --format json` prints it, without `$$` escaping:
    /// `name`, `services` (the enabled ones), `networks`, `volumes`, `configs`, `secrets` (those in use).
    pub json: serde_json::Value,
    /// Services that the files describe and profiles or `services` leave out.
    pub disabled_services: BTreeSet<String>,
    /// By service: environment variables whose value is a secret or may be one.
    pub secret_environment: BTreeMap<String, BTreeSet<String>>,
    /// Values of variables, of interpolation and of environments, whose names say that they are secrets.
    pub secret_values: BTreeSet<String>,
    /// Contents of secrets and configs that come from variables, by JSON pointer (`/secrets/db`, `/configs/app`).
    pub contents: BTreeMap<String, String>,
    /// The merged document, by which places are found.
    document: Node,
}

impl ComposeProject {
    /// The place of a JSON pointer of `json`, such as `/services/web/ports/0`, or of what is nearest above it.
    pub fn place(&self, pointer: &str) -> &Place {
        self.document.key_place(pointer)
    }

    /// The value of a variable that a secret or config takes its content from, wherever it was set.
    pub fn content_of(&self, variable: &str) -> Option<&str> {
        let takes = |pointer: &str| {
            self.json.pointer(pointer).and_then(|node| node.get("environment")?.as_str()) == Some(variable)
        };
        self.contents.iter().find(|(pointer, _)| takes(pointer)).map(|(_, content)| content.as_str())
    }
}

/// Reads a Stack's Compose files.
pub fn load(request: &ComposeRequest) -> ComposeLoad {
    let mut context = Context::new(request);
    let project = read_project(&mut context);
    let project = project.filter(|_| !context.failed());
    let mut problems = std::mem::take(&mut context.problems);
    if context.variables_lost {
        // The file that can't be read is what is wrong, not each variable that it may set.
        problems.retain(|problem| !matches!(problem.rule, "required-variable" | "unset-variable"));
    }
    problems.sort_by(|a, b| (&a.location, a.rule, &a.message).cmp(&(&b.location, b.rule, &b.message)));
    ComposeLoad { project, problems, held: context.held(), unknown: context.unknown }
}

fn read_project(context: &mut Context) -> Option<ComposeProject> {
    let request = context.request;
    let files = project_files(context)?;
    let directory = files::directory_of(&files.first()?.path);
    let mut variables = variables(context, &directory);
    let name = project_name(context, &files, &variables)?;
    variables.insert("COMPOSE_PROJECT_NAME".to_owned(), Value { text: name.clone(), secret: false });

    let scope = Scope { directory: &directory, variables: &variables, included: &[] };
    let mut model = files::load(context, &files, &scope)?;
    complete::check(context, &model);
    // Judged before networks are implied, so that `network_mode` beside `networks` is found.
    let profiles = &request.spec.profiles;
    normalize::complete(&mut model, &name);
    let services = model.get("services")?;
    let enabled = select::by_profiles(services, profiles);
    consistency::check_services(context, &model, &enabled);

    let all: BTreeSet<String> =
        services.entries().unwrap_or_default().iter().map(|entry| entry.key.clone()).collect();
    let named = !request.spec.services.is_empty();
    let selected = match named {
        true => select::by_names(context, services, profiles, &request.spec.services),
        false => enabled.clone(),
    };
    if named && !selected.is_subset(&enabled) {
        consistency::check_services(context, &model, &selected);
    }
    select::keep(tree::get_mut(&mut model, "services")?, &selected, named);
    let secret_environment = environment::apply(context, tree::get_mut(&mut model, "services")?, &variables);
    let secret_values = secret_values(&model, &variables);
    select::prune(&mut model);
    reach::check(context, &model);
    let contents = contents(context, &model, &variables);

    let mut json = output::model(&model);
    json.insert("name".to_owned(), serde_json::Value::String(name.clone()));
    let root = context.root();
    Some(ComposeProject {
        name,
        working_dir: host_path(root, &directory),
        config_files: files.iter().map(|file| host_path(root, &file.path)).collect(),
        json: serde_json::Value::Object(json),
        disabled_services: all.difference(&selected).cloned().collect(),
        secret_environment,
        secret_values,
        contents,
        document: model,
    })
}

/// The values that have to be masked wherever they turn up: an argument, an error, a log.
fn secret_values(model: &Node, variables: &Variables) -> BTreeSet<String> {
    let services = model.get("services").and_then(Node::entries).unwrap_or_default();
    let environments =
        services.iter().filter_map(|entry| entry.value.get("environment")?.entries()).flatten();
    let set = environments.filter_map(|pair| Some((pair.key.as_str(), pair.value.text()?)));
    let interpolated = variables.iter().map(|(name, value)| (name.as_str(), value.text.as_str()));
    set.chain(interpolated)
        .filter(|(name, value)| !value.is_empty() && is_secret_name(name))
        .map(|(_, value)| value.to_owned())
        .collect()
}

fn host_path(root: &str, path: &str) -> String {
    if path.is_empty() { root.to_owned() } else { format!("{root}/{path}") }
}

/// The Compose files, relative to the repository, without `.` and `..`.
fn project_files(context: &mut Context) -> Option<Vec<NamedFile>> {
    let mut files = Vec::new();
    for (index, file) in context.request.spec.files.iter().enumerate() {
        let place = (context.request.place)(&format!("/files/{index}"));
        match paths::file_path(context.root(), "", file) {
            Ok(paths::FilePath::Inside(path)) => files.push(NamedFile { path, place }),
            _ => {
                let message = format!("`{file}` is not in the repository");
                let hint = "Compose files are relative to the Stack's repository.";
                context.report(at(place.as_ref(), "outside-repository", message).with_hint(hint));
            }
        }
    }
    if context.request.spec.files.is_empty() {
        context.report(Problem::error("missing-field", "the Stack names no Compose file"));
    }
    (!context.failed()).then_some(files)
}

fn at(place: Option<&Place>, rule: &'static str, message: String) -> Problem {
    let problem = Problem::error(rule, message);
    match place {
        Some(place) => place.mark(problem),
        None => problem,
    }
}

/// Variables of the Stack over those of its env files, or of `.env` beside the first file.
fn variables(context: &mut Context, directory: &str) -> Variables {
    let request = context.request;
    let own: Variables = request
        .variables
        .iter()
        .map(|(name, text)| {
            let secret = request.secret_variables.contains(name) || is_secret_name(name);
            (name.clone(), Value { text: text.clone(), secret })
        })
        .collect();
    let mut variables = Variables::new();
    if request.spec.env_files.is_empty() {
        let file = if directory.is_empty() { ".env".to_owned() } else { format!("{directory}/.env") };
        environment::read_optional_variables(context, &file, &own, &mut variables);
    }
    for (index, file) in request.spec.env_files.iter().enumerate() {
        let place = (request.place)(&format!("/envFiles/{index}"));
        match paths::file_path(context.root(), "", file) {
            Ok(path) => {
                environment::read_variables(context, path.text(), place.as_ref(), &own, &mut variables);
            }
            Err(_) => {
                let message = format!("env file `{file}` is not in the repository");
                let hint = "Write a path in the repository, or an absolute one.";
                context.report(at(place.as_ref(), "outside-repository", message).with_hint(hint));
            }
        }
    }
    for (name, instead) in [
        ("COMPOSE_PROJECT_NAME", "compose.project"),
        ("COMPOSE_PROFILES", "compose.profiles"),
        ("COMPOSE_FILE", "compose.files"),
    ] {
        if variables.contains_key(name) {
            let problem = Problem::warning("no-effect", format!("`{name}` in an env file does nothing here"));
            context.report(problem.with_hint(format!("Set `{instead}` of the Stack.")));
        }
    }
    variables.extend(own);
    variables
}

/// The Stack's `project`, then the last `name` of the files, then the Stack's name.
fn project_name(context: &mut Context, files: &[NamedFile], variables: &Variables) -> Option<String> {
    let given = &context.request.spec.project;
    if let Some(name) = given {
        return Some(name.clone());
    }
    let mut named: Option<Node> = None;
    for file in files {
        // A file that can't be read is reported when it is loaded.
        for document in context.documents(&file.path, file.place.as_ref()).unwrap_or_default() {
            named = document
                .get("name")
                .filter(|name| name.text().is_some_and(|text| !text.is_empty()))
                .cloned()
                .or(named);
        }
    }
    let Some(mut node) = named else { return Some(normal_name(context.request.stack)) };
    if !context.interpolate(&mut node, variables) {
        return None;
    }
    let name = normal_name(node.text().unwrap_or(""));
    if name.is_empty() {
        context.report(
            node.place
                .error("bad-name", "the project's name is empty")
                .with_hint("Use lower-case letters and digits."),
        );
        return None;
    }
    Some(name)
}

/// Lower case, and nothing but letters, digits, `-` and `_`.
fn normal_name(name: &str) -> String {
    let kept: String = name
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
        .collect();
    kept.trim_start_matches(['-', '_']).to_owned()
}

/// The values of secrets and configs that come from variables.
fn contents(context: &mut Context, model: &Node, variables: &Variables) -> BTreeMap<String, String> {
    let mut contents = BTreeMap::new();
    for section in ["secrets", "configs"] {
        for entry in model.get(section).and_then(Node::entries).unwrap_or_default() {
            let Some(node) = entry.value.get("environment") else { continue };
            let variable = node.text().unwrap_or("");
            match variables.get(variable) {
                Some(value) => {
                    contents.insert(format!("/{section}/{}", entry.key), value.text.clone());
                }
                None => {
                    let message = format!(
                        "`{section}.{}` takes its content from variable `{variable}`, which is not set",
                        entry.key
                    );
                    let problem = node.place.error("required-variable", message);
                    context.report(
                        problem.with_hint(format!(
                            "Set `{variable}` in `variables` or an env file of the Stack."
                        )),
                    );
                }
            }
        }
    }
    contents
}

#[cfg(test)]
mod tests {
    use super::super::reading::FileRead;
    use super::*;

    struct Memory(BTreeMap<String, FileRead>);

    impl ComposeFiles for Memory {
        fn read(&self, path: &str) -> FileRead {
            self.0.get(path).cloned().unwrap_or(FileRead::Missing)
        }
    }

    fn read(files: &[(&str, &str)], variables: &[(&str, &str)], secrets: &[&str]) -> ComposeLoad {
        let bytes = |text: &str| FileRead::Bytes(text.as_bytes().to_vec());
        read_all(
            files.iter().map(|(path, text)| ((*path).to_owned(), bytes(text))).collect(),
            variables,
            secrets,
        )
    }

    fn read_all(
        files: BTreeMap<String, FileRead>,
        variables: &[(&str, &str)],
        secrets: &[&str],
    ) -> ComposeLoad {
        let spec = ComposeSpec {
            files: vec!["deploy/compose.yaml".to_owned()],
            project: None,
            services: Vec::new(),
            profiles: Vec::new(),
            env_files: Vec::new(),
        };
        load(&ComposeRequest {
            stack: "My-Stack",
            spec: &spec,
            working_dir: "/srv/repository",
            variables: &variables
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
                .collect(),
            secret_variables: &secrets.iter().map(|name| (*name).to_owned()).collect(),
            files: &Memory(files),
            place: &|_| None,
        })
    }

    #[test]
    fn values_that_may_be_secret_are_told() {
        let text = "services:\n  web:\n    image: x\n    env_file: [a.env]\n    environment:\n      URL: \"pg://${PG}@db\"\n      API_TOKEN: x\n      PLAIN: ${OPEN}\n      DOT: ${DOT}\n      OVER: own\n      PASSED:\n";
        let files = [
            ("deploy/compose.yaml", text),
            ("deploy/.env", "DOT=1\n"),
            // In the checkout only, because git ignores it.
            ("/srv/repository/deploy/a.env", "FILE=1\nOVER=file\n"),
        ];
        let variables = [("PG", "s3cret"), ("OPEN", "open"), ("PASSED", "p")];
        let project = read(&files, &variables, &["PG", "PASSED"]).project.unwrap();
        let names: Vec<&str> = project.secret_environment["web"].iter().map(String::as_str).collect();
        assert_eq!(names, ["API_TOKEN", "DOT", "FILE", "PASSED", "URL"]);
        assert_eq!(project.json["services"]["web"]["environment"]["URL"], "pg://s3cret@db");
        assert_eq!(project.json["services"]["web"]["environment"]["OVER"], "own");
        assert_eq!(
            (project.name.as_str(), project.working_dir.as_str()),
            ("my-stack", "/srv/repository/deploy")
        );
        assert_eq!(project.config_files, ["/srv/repository/deploy/compose.yaml"]);
    }

    #[test]
    fn the_content_of_a_secret_can_come_from_an_env_file() {
        let text = "services: {web: {image: x, secrets: [db]}}\nsecrets: {db: {environment: DB_PASSWORD}}\n";
        let files = [("deploy/compose.yaml", text), ("deploy/.env", "DB_PASSWORD=s3cret\n")];
        let project = read(&files, &[], &[]).project.unwrap();
        assert_eq!(project.content_of("DB_PASSWORD"), Some("s3cret"));
        assert_eq!(project.contents["/secrets/db"], "s3cret");
        assert!(!project.json.to_string().contains("s3cret"));
        let unset = read(&files[..1], &[], &[]);
        assert_eq!(
            unset.problems.iter().map(|problem| problem.rule).collect::<Vec<_>>(),
            ["required-variable"]
        );
    }

    #[test]
    fn a_value_can_be_found_where_people_wrote_it() {
        let text = "name: app\nservices:\n  web:\n    image: x\n    ports:\n      - 80:80\n      - 90:90\n";
        let project = read(&[("deploy/compose.yaml", text)], &[], &[]).project.unwrap();
        assert_eq!(project.place("/services/web/ports/1").location().line, 7);
        assert_eq!(project.place("/services/web/image").location().to_string(), "deploy/compose.yaml:4:5");
        assert_eq!(project.place("/services/web/networks/default").location().line, 4);
        assert_eq!(project.name, "app");
    }

    #[test]
    fn a_file_that_could_not_be_read_is_unknown_and_no_error() {
        let files =
            BTreeMap::from([("deploy/compose.yaml".to_owned(), FileRead::Unknown("timed out".to_owned()))]);
        let loaded = read_all(files, &[], &[]);
        assert!(loaded.project.is_none() && loaded.problems.is_empty(), "{:?}", loaded.problems);
        assert_eq!(
            loaded.unknown.as_deref(),
            Some("file `deploy/compose.yaml` could not be read: timed out")
        );
        let missing = read(&[], &[], &[]);
        assert_eq!((missing.unknown, missing.problems.len()), (None, 1));
    }

    #[test]
    fn the_process_environment_is_never_read() {
        let text = "services: {web: {image: \"x:${PATH}${HOME}\", environment: [PATH]}}\n";
        let project = read(&[("deploy/compose.yaml", text)], &[], &[]).project.unwrap();
        assert_eq!(project.json["services"]["web"]["image"], "x:");
        assert!(project.json["services"]["web"]["environment"]["PATH"].is_null());
    }

    #[test]
    fn growth_is_bounded() {
        let rules = |files: &[(&str, &str)]| -> Vec<&'static str> {
            read(files, &[], &[]).problems.iter().map(|problem| problem.rule).collect()
        };
        let base = format!(
            "    labels: [{}]\n",
            (0..2_000).map(|i| format!("l{i}=x")).collect::<Vec<_>>().join(", ")
        );
        let many: String = (0..2_000).map(|i| format!("  s{i}: {{extends: base}}\n")).collect();
        let copies = format!("services:\n  base:\n    image: x\n{base}{many}");
        assert!(rules(&[("deploy/compose.yaml", &copies)]).contains(&"extends-too-large"));
        let deep: Vec<(String, String)> = (0..40)
            .map(|i| {
                (
                    format!("deploy/f{i}.yaml"),
                    format!("include: [f{}.yaml]\nservices: {{s{i}: {{image: x}}}}\n", i + 1),
                )
            })
            .collect();
        let mut files: Vec<(&str, &str)> =
            deep.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        files.push(("deploy/compose.yaml", "include: [f0.yaml]\nservices: {}\n"));
        assert!(rules(&files).contains(&"include-depth"));
        let wide = format!("include: [{}]\n", vec!["c.yaml"; 2_000].join(", "));
        let ranges = "services: {c: {image: x, ports: [\"1-20000\"]}}\n";
        let found = rules(&[("deploy/compose.yaml", wide.as_str()), ("deploy/c.yaml", ranges)]);
        assert!(found.contains(&"bad-port") && found.len() <= 201, "{}", found.len());
        let names: String =
            (0..20_000).map(|i| format!("  s{i}: {{image: x, depends_on: [t{i}]}}\n")).collect();
        assert_eq!(rules(&[("deploy/compose.yaml", &format!("services:\n{names}"))]), ["file-too-large"]);
        let wrong: String =
            (0..9_000).map(|i| format!("  s{i}: {{imagee: x, depends_on: [t{i}]}}\n")).collect();
        assert_eq!(rules(&[("deploy/compose.yaml", &format!("services:\n{wrong}"))]).len(), 200);
        let ring: String = (0..9_000)
            .map(|i| format!("  s{i}: {{image: x, depends_on: [s{}]}}\n", (i + 1) % 9_000))
            .collect();
        assert_eq!(rules(&[("deploy/compose.yaml", &format!("services:\n{ring}"))]), ["dependency-cycle"]);
        let chain = format!("A={}\n", "x".repeat(1 << 20));
        let greedy = format!(
            "x-a: [{}]\nname: a\nservices: {{a: {{image: x, cap_add: [{}]}}}}\n",
            "a",
            vec!["\"${U:+$A}\""; 9_000].join(", ")
        );
        assert!(
            rules(&[("deploy/compose.yaml", &greedy), ("deploy/.env", &chain)])
                .contains(&"interpolation-too-large")
        );
    }
}
