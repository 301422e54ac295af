//! What an Environment is: its code at the wanted commit, the values of its secrets, its containers rendered.

use std::collections::BTreeMap;

use git2::Repository;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;

use super::environment_roots::{check_modules, check_roots, inner};
use super::environment_values::is_option;
use super::repositories::Content;
use super::revision::resolve_reference;
use super::source::SourceError;
use super::state::{EnvironmentDesired, StackUnknown};
use super::tree::Tree;
use super::typed::Described;
use crate::clients::secrets::{SecretError, SecretResolver};
use crate::engine::spec::{BuildSpec, ProjectSpec};
use crate::model::hash::canonical_hash;
use crate::model::known::Known;
use crate::model::problem::Problem;
use crate::model::secret::{MASK, Redactor, SecretRef};
use crate::odoo::conf;
use crate::skills::environment::conf::{Options, Secrets};
use crate::skills::environment::operation::DatabaseTarget;
use crate::skills::environment::plan::database_server;
use crate::skills::environment::render::{RenderContext, Rendered, render};
use crate::skills::environment::spec::{ConfigValue, EnvironmentSpec};
use crate::skills::repository::checkout::CheckoutDesired;
use crate::skills::stack::compose::Look;

/// Stands for a secret without a value, so that everything else is checked all the same.
const PLACEHOLDER: &str = "secret-without-a-value";
/// How far back a build's own commit is looked for.
const HISTORY_MAX: usize = 5_000;
/// Digits of a commit in an image's tag.
const TAG_DIGITS: usize = 12;

/// The code of an Environment.
pub struct Code {
    /// Its files at the wanted commit.
    pub tree: Tree,
    /// The commit; `None` for a working tree.
    pub commit: Option<String>,
    /// The git directory with its objects; of a working tree, its folder.
    pub objects: String,
    /// The absolute folder on the Host.
    pub folder: String,
    /// The URL to record in a checkout.
    pub url: Option<String>,
    /// Where changed files of its checkout are kept.
    pub kept: String,
}

/// Where the files of an Environment are, and what its secrets are read with.
pub struct EnvironmentPlace<'a> {
    /// The state repository at the revision, for encrypted secrets.
    pub state: &'a Tree,
    /// The absolute folder of its own files on the Host.
    pub files: String,
    /// Finds the values of secrets.
    pub secrets: &'a SecretResolver,
}

/// The wanted commit of the code in a Repository's copy, when a document names a `ref` of its own.
pub fn commit_of(
    environment: &Described<EnvironmentSpec>,
    content: &Content,
    failed: Option<&String>,
    problems: &mut Vec<Problem>,
) -> Result<String, String> {
    let source = &environment.resource.spec.source;
    let Some(reference) = &source.reference else { return content.commit.clone() };
    let name = source.repository.as_deref().unwrap_or_default();
    let copy = Repository::open_bare(&content.objects)
        .map_err(|_| failed.cloned().unwrap_or_else(|| "it was never fetched".to_owned()))?;
    match resolve_reference(&copy, reference, name) {
        Ok(revision) => {
            let commit = revision.commit.unwrap_or_default();
            // A branch may have moved since; a commit that is named never does.
            match failed.filter(|_| commit != *reference) {
                Some(why) => Err(why.clone()),
                None => Ok(commit),
            }
        }
        Err(err) => {
            if failed.is_none() && matches!(err, SourceError::UnknownReference { .. }) {
                let mut problem = environment.value("/spec/source/ref").error("unknown-ref", err.to_string());
                problem.hint = err.hint();
                problems.push(problem);
            }
            Err(failed.cloned().unwrap_or_else(|| err.to_string()))
        }
    }
}

/// Puts an Environment together, and what it claims of its engine. Without code it is not known what it is; what only
/// lacks a secret claims all the same.
pub fn load_environment(
    environment: &Described<EnvironmentSpec>,
    code: Result<Code, String>,
    place: &EnvironmentPlace<'_>,
    redactor: &mut Redactor,
    problems: &mut Vec<Problem>,
) -> (EnvironmentDesired, Option<ProjectSpec>) {
    let mut resource = environment.resource.clone();
    let spec = &resource.spec;
    let name = resource.id.name.clone();
    let (secrets, missing) = resolve(environment, place, redactor, problems);
    let database = DatabaseTarget {
        server: database_server(spec, &name),
        name: spec.database_name().to_owned(),
        user: match (&spec.database.external, &spec.database.managed) {
            (Some(external), _) => external.user.clone(),
            (None, Some(managed)) => managed.user.clone(),
            (None, None) => String::new(),
        },
        password: secrets.database.clone(),
    };
    let unknown = |why: String| StackUnknown { secret_missing: false, why };
    let mut desired = EnvironmentDesired {
        rendered: Err(unknown(String::new())),
        database,
        commit: None,
        objects: String::new(),
        code: String::new(),
        files: place.files.clone(),
        checkout: None,
        resource: resource.clone(),
    };
    let code = match code {
        Ok(code) => code,
        Err(why) => {
            let why = format!("its code can't be read: {why}");
            problems.push(environment.key("/spec/source").warning("environment-unknown", why.clone()));
            desired.rendered = Err(unknown(why));
            return (desired, None);
        }
    };
    check_roots(environment, &code.tree, problems);
    check_modules(environment, &code.tree, problems);
    let build = build_of(environment, &code, problems);
    let image = match (&spec.odoo.image, &build) {
        (Some(image), None) => image.clone(),
        _ => format!("ipaictl/{name}:{}", tag(&code, build.as_ref())),
    };
    let location = resource.place.location();
    let rendered = render(
        spec,
        &RenderContext {
            name: &name,
            code: &code.folder,
            files: &place.files,
            image: &image,
            build: build.as_ref(),
            secrets: &secrets,
            location: &location,
        },
    );
    let rendered: Result<Rendered, StackUnknown> = match rendered {
        Ok(rendered) => {
            check_conf(environment, &rendered.options, problems);
            Ok(rendered)
        }
        Err(option) => {
            let message = format!(
                "the value of `{option}` has a line end or a blank at an end: odoo.conf can't hold it"
            );
            // What stands in the document itself was judged where it stands.
            if matches!(spec.odoo.config.get(&option), Some(ConfigValue::Secret(_))) && is_option(&option) {
                problems.push(environment.value(&config_pointer(&option)).error("odoo-conf-value", message));
            }
            // The other options are checked all the same.
            let mut sound = spec.clone();
            let is_sound =
                |value: &ConfigValue| !matches!(value, ConfigValue::Text(text) if !conf::is_kept(text));
            sound.odoo.config.retain(|name, value| *name != option && is_option(name) && is_sound(value));
            check_conf(environment, &Options::of(&sound, &secrets), problems);
            Err(unknown(format!("the value of `{option}` can't be written")))
        }
    };
    let roots: BTreeMap<&str, Option<String>> = spec
        .odoo
        .addons
        .iter()
        .filter(|root| !root.source.starts_with('/'))
        .map(|root| (root.source.as_str(), code.tree.folder_digest(inner(&root.source)).ok().flatten()))
        .collect();
    let conf = rendered.as_ref().ok().and_then(|rendered| rendered.options.masked().ok());
    let digest = canonical_hash(&json!({
        "spec": serde_json::to_value(spec).expect("a spec is JSON"),
        "roots": roots,
        "conf": conf,
        "image": image,
    }));
    desired.checkout = code.commit.clone().filter(|_| needs_code(spec)).map(|commit| CheckoutDesired {
        host: spec.host.clone(),
        path: code.folder.clone(),
        commit,
        objects: code.objects.clone(),
        url: code.url.clone(),
        kept: Some(code.kept.clone()),
        is_alone: true,
    });
    resource.digest = digest;
    desired.resource = resource;
    desired.commit = code.commit;
    desired.objects = code.objects;
    desired.code = code.folder;
    let claims = rendered.as_ref().ok().map(|rendered| rendered.project.clone());
    desired.rendered = match missing {
        Some(why) => Err(why),
        None => rendered,
    };
    (desired, claims)
}

/// Whether anything of the code is mounted or built.
fn needs_code(spec: &EnvironmentSpec) -> bool {
    spec.odoo.build.is_some() || spec.odoo.addons.iter().any(|root| !root.source.starts_with('/'))
}

fn config_pointer(option: &str) -> String {
    format!("/spec/odoo/config/{}", option.replace('~', "~0").replace('/', "~1"))
}

/// The values of all secrets. What is missing has a placeholder, and makes the Environment unknown.
fn resolve(
    environment: &Described<EnvironmentSpec>,
    place: &EnvironmentPlace<'_>,
    redactor: &mut Redactor,
    problems: &mut Vec<Problem>,
) -> (Secrets, Option<StackUnknown>) {
    let spec = &environment.resource.spec;
    let name = &environment.resource.id.name;
    let mut missing: Option<StackUnknown> = None;
    let mut value = |what: &str, pointer: &str, reference: &SecretRef, redactor: &mut Redactor| {
        match place.secrets.resolve(reference, place.state) {
            Ok(value) => {
                redactor.learn(value.expose_secret());
                value
            }
            Err(err) => {
                let secret_missing = matches!(err, SecretError::Missing(_));
                let why = format!("the secret of `{what}` has no value: {err}");
                problems.push(environment.key(pointer).warning("secret-without-value", why.clone()));
                // One that can't be read is tried again, so it decides over one that is missing.
                if missing.as_ref().is_none_or(|known| known.secret_missing) {
                    missing = Some(StackUnknown { secret_missing, why });
                }
                SecretString::from(PLACEHOLDER.to_owned())
            }
        }
    };
    let generated = |what: &str, redactor: &mut Redactor| match place
        .secrets
        .generated(&format!("environment {name} {what}"))
    {
        Some(value) => {
            redactor.learn(value.expose_secret());
            value
        }
        // Whoever has no key only checks.
        None => SecretString::from(PLACEHOLDER.to_owned()),
    };
    let database = match (&spec.database.external, &spec.database.managed) {
        (Some(external), _) => value(
            "database.external",
            "/spec/database/external/passwordFrom",
            &external.password_from,
            redactor,
        ),
        (None, Some(managed)) => match &managed.password_from {
            Some(reference) => {
                value("database.managed", "/spec/database/managed/passwordFrom", reference, redactor)
            }
            None => generated("database", redactor),
        },
        (None, None) => SecretString::from(String::new()),
    };
    let config = spec
        .odoo
        .config
        .iter()
        .filter_map(|(option, config)| match config {
            ConfigValue::Secret(reference) => {
                let found = value(option, &config_pointer(option), reference, redactor);
                Some((option.clone(), found))
            }
            ConfigValue::Text(_) => None,
        })
        .collect();
    let secrets = Secrets { database, admin: generated("admin", redactor), config };
    (secrets, missing)
}

/// What the server would make of its configuration, said of the document's own lines.
fn check_conf(environment: &Described<EnvironmentSpec>, options: &Options, problems: &mut Vec<Problem>) {
    let Ok(text) = options.masked() else { return };
    let Ok(conf) = conf::parse("odoo.conf", &text) else { return };
    let lines: BTreeMap<u32, &str> =
        conf.options().into_iter().map(|(name, written)| (written.line, name)).collect();
    for mut problem in conf::check("odoo.conf", &conf) {
        let Some(name) = problem.location.as_ref().and_then(|place| lines.get(&place.line)) else { continue };
        let is_judged = match environment.resource.spec.odoo.config.get(*name) {
            Some(ConfigValue::Text(_)) => true,
            // Of a secret, its name is all that was looked at.
            Some(ConfigValue::Secret(_)) => !problem.message.contains(MASK),
            None => false,
        };
        if !is_judged {
            continue;
        }
        let marked = environment.key(&config_pointer(name)).mark(problem.clone());
        problem = marked;
        problems.push(problem);
    }
}

fn build_of(
    environment: &Described<EnvironmentSpec>,
    code: &Code,
    problems: &mut Vec<Problem>,
) -> Option<BuildSpec> {
    let build = environment.resource.spec.odoo.build.as_ref()?;
    let context = inner(&build.context);
    let digest = match code.tree.folder_digest(context) {
        Ok(Some(digest)) => Known::Known(digest),
        Ok(None) => {
            let message = format!("the source has no folder `{}`", build.context);
            problems.push(environment.value("/spec/odoo/build/context").error("missing-folder", message));
            Known::Unknown("there is no such folder".to_owned())
        }
        Err(why) => Known::Unknown(why),
    };
    let file = format!("{context}/{}", inner(&build.dockerfile));
    if digest.known().is_some() && matches!(code.tree.look(file.trim_start_matches('/')), Look::Missing) {
        let message = format!("the source has no file `{}` to build from", file.trim_start_matches('/'));
        problems.push(environment.value("/spec/odoo/build/dockerfile").error("missing-file", message));
    }
    let folder = if context.is_empty() { code.folder.clone() } else { format!("{}/{context}", code.folder) };
    Some(BuildSpec {
        context: folder,
        dockerfile: build.dockerfile.clone(),
        dockerfile_inline: None,
        args: BTreeMap::new(),
        target: None,
        labels: BTreeMap::new(),
        options: BTreeMap::new(),
        digest,
        is_own_name: true,
    })
}

/// The first digits of the oldest commit since which the build's folder is as it is: a commit that changes other
/// things makes no other image.
fn tag(code: &Code, build: Option<&BuildSpec>) -> String {
    let digits = |text: &str| text.get(..TAG_DIGITS).unwrap_or(text).to_owned();
    let wanted = build.and_then(|build| build.digest.known());
    let Some(commit) = &code.commit else {
        return wanted
            .map_or_else(|| "unknown".to_owned(), |digest| digits(digest.trim_start_matches("tree:")));
    };
    let folder = build.map_or("", |build| build.context.strip_prefix(&code.folder).unwrap_or_default());
    let oldest = || -> Result<String, git2::Error> {
        let repository = Repository::open(&code.objects)?;
        let mut walk = repository.revwalk()?;
        walk.push(git2::Oid::from_str(commit)?)?;
        walk.simplify_first_parent()?;
        let mut found = commit.clone();
        for id in walk.take(HISTORY_MAX) {
            let id = id?.to_string();
            let tree = Tree::commit(Repository::open(&code.objects)?, &id)?;
            let is_same =
                tree.folder_digest(folder.trim_start_matches('/')).ok().flatten().as_ref() == wanted;
            if !is_same {
                break;
            }
            found = id;
        }
        Ok(found)
    };
    digits(&oldest().unwrap_or_else(|_| commit.clone()))
}
