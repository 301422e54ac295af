//! `schema`: what documents may say, for editors and for `kubectl`.

use serde_json::{Map, Value};

use crate::cli::args::{SchemaArgs, SchemaFormat};
use crate::cli::{Session, create_folder, write_file};
use crate::desired::schema;
use crate::error::{Error, Exit};
use crate::model::id::Kind;

pub fn run(session: &mut Session, args: &SchemaArgs) -> Result<Exit, Error> {
    let kinds: Vec<Kind> =
        Kind::ALL.iter().copied().filter(|kind| args.kind.is_none_or(|only| only == *kind)).collect();
    if let Some(folder) = &args.out {
        create_folder(folder)?;
        let mut written = 0;
        for (name, text) in files(&kinds, args.format) {
            write_file(&folder.join(name), &text)?;
            written += 1;
        }
        session.ui.progress(&format!("Wrote {written} schemas to {}.", folder.display()));
        return Ok(Exit::Done);
    }
    let text = match (args.format.unwrap_or(SchemaFormat::Crd), kinds.as_slice()) {
        (SchemaFormat::Crd, kinds) => {
            let documents: Vec<String> = kinds.iter().map(|kind| schema::crd(*kind)).collect();
            documents.join("---\n")
        }
        (SchemaFormat::Jsonschema, [kind]) => pretty(&schema::json_schema(*kind)),
        (SchemaFormat::Jsonschema, kinds) => {
            let all: Map<String, Value> =
                kinds.iter().map(|kind| (kind.as_str().to_owned(), schema::json_schema(*kind))).collect();
            pretty(&Value::Object(all))
        }
    };
    session.ui.data(&text)?;
    Ok(Exit::Done)
}

/// The files of `--out`, by name.
fn files(kinds: &[Kind], format: Option<SchemaFormat>) -> Vec<(String, String)> {
    let is_wanted = |name: &str| {
        let stem = name.split('.').next().unwrap_or_default();
        let is_json = name.ends_with(".json");
        let of_format = format.is_none_or(|format| is_json == (format == SchemaFormat::Jsonschema));
        of_format && kinds.iter().any(|kind| kind.as_str().eq_ignore_ascii_case(stem))
    };
    schema::files().into_iter().filter(|(name, _)| is_wanted(name)).collect()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("a schema is JSON")
}
