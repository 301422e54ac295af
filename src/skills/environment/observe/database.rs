//! What a database is, by SQL.

use std::collections::BTreeMap;

use sqlx::Row as _;
use sqlx::postgres::PgConnection;

use crate::clients::postgres::PostgresError;
use crate::model::known::Known;
use crate::skills::environment::facts::{DatabaseFacts, DatabaseState, ModuleFacts};
use crate::skills::environment::operation::DatabaseTarget;

/// The parameter in which checksums are remembered, the same as click-odoo-contrib's.
pub const MODULES_CHECKSUMS: &str = "module_auto_update.installed_checksums";
/// The parameter in which click-odoo-contrib's other patterns are.
const EXCLUDE_PATTERNS: &str = "module_auto_update.exclude_patterns";
/// The parameter in which we remember what image and modules were together.
pub const STAMP: &str = "ipaictl.modules_stamp";
/// Databases that are nobody's.
const MAINTENANCE: &str = "postgres";

/// What was read, and what the checksums of modules depend on.
#[derive(Debug, Clone, Default)]
pub struct DatabaseReading {
    /// The facts.
    pub facts: DatabaseFacts,
    /// The files that don't count, when the database says which.
    pub exclude: Option<String>,
    /// The codes of the active languages.
    pub languages: Vec<String>,
}

/// Reads a database at the address of its server.
pub async fn read_database(target: &DatabaseTarget, address: &str) -> Known<DatabaseReading> {
    match super::connect(target, address, &target.name).await {
        Ok(mut connection) => match read(&mut connection).await {
            Ok(reading) => Known::Known(reading),
            Err(err) => Known::Unknown(PostgresError::of(&err, &target.name).to_string()),
        },
        Err(PostgresError::NoDatabase(_)) => read_server(target, address).await,
        Err(PostgresError::Refused(why)) => Known::Known(DatabaseReading {
            facts: DatabaseFacts { state: DatabaseState::Refused(why), ..DatabaseFacts::default() },
            ..DatabaseReading::default()
        }),
        Err(err) => Known::Unknown(err.to_string()),
    }
}

/// What the server has instead of the database.
async fn read_server(target: &DatabaseTarget, address: &str) -> Known<DatabaseReading> {
    let missing = |facts| Known::Known(DatabaseReading { facts, ..DatabaseReading::default() });
    let facts = DatabaseFacts { state: DatabaseState::Missing, ..DatabaseFacts::default() };
    let mut connection = match super::connect(target, address, MAINTENANCE).await {
        Ok(connection) => connection,
        // A role that may not open it can still have its own database missing.
        Err(PostgresError::NoDatabase(_) | PostgresError::Refused(_)) => return missing(facts),
        Err(err) => return Known::Unknown(err.to_string()),
    };
    match about_server(&mut connection, facts).await {
        Ok(facts) => missing(facts),
        Err(err) => Known::Unknown(PostgresError::of(&err, MAINTENANCE).to_string()),
    }
}

async fn about_server(
    connection: &mut PgConnection,
    mut facts: DatabaseFacts,
) -> sqlx::Result<DatabaseFacts> {
    let row =
        sqlx::query("SELECT current_setting('server_version'), current_setting('max_connections')::int4")
            .fetch_one(&mut *connection)
            .await?;
    let version: String = row.get(0);
    facts.server = version.split(' ').next().unwrap_or_default().to_owned();
    facts.max_connections = u32::try_from(row.get::<i32, _>(1)).ok();
    let others = sqlx::query(
        "SELECT datname::text FROM pg_database WHERE NOT datistemplate AND datallowconn \
         AND datname NOT IN ('postgres', current_database()) ORDER BY 1",
    )
    .fetch_all(&mut *connection)
    .await?;
    facts.others = others.iter().map(|row| row.get(0)).collect();
    Ok(facts)
}

async fn read(connection: &mut PgConnection) -> sqlx::Result<DatabaseReading> {
    let facts = about_server(connection, DatabaseFacts::default()).await?;
    let mut reading = DatabaseReading { facts, ..DatabaseReading::default() };
    let row = sqlx::query(
        "SELECT count(*), count(*) FILTER (WHERE table_name = 'ir_module_module' AND table_schema = current_schema()) \
         FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_one(&mut *connection)
    .await?;
    let (tables, of_odoo): (i64, i64) = (row.get(0), row.get(1));
    reading.facts.state = match (tables, of_odoo) {
        (0, _) => DatabaseState::Empty,
        (_, 0) => DatabaseState::Foreign,
        _ => DatabaseState::Odoo,
    };
    if reading.facts.state == DatabaseState::Odoo {
        read_odoo(connection, &mut reading).await?;
    }
    Ok(reading)
}

async fn read_odoo(connection: &mut PgConnection, reading: &mut DatabaseReading) -> sqlx::Result<()> {
    let modules = sqlx::query("SELECT name::text, state::text, latest_version::text FROM ir_module_module")
        .fetch_all(&mut *connection)
        .await?;
    for row in modules {
        let module = ModuleFacts {
            state: row.get::<Option<String>, _>(1).unwrap_or_default(),
            version: row.get::<Option<String>, _>(2).unwrap_or_default(),
        };
        reading.facts.modules.insert(row.get(0), module);
    }
    // Both tables are base's, and a database whose first installation failed may not have them.
    if has_table(connection, "ir_config_parameter").await? {
        for (key, value) in parameters(connection).await? {
            match key.as_str() {
                MODULES_CHECKSUMS => reading.facts.checksums = checksums(&value),
                EXCLUDE_PATTERNS => reading.exclude = Some(value),
                _ => reading.facts.stamp = Some(value),
            }
        }
    }
    if has_table(connection, "res_lang").await? {
        let languages = sqlx::query("SELECT code::text FROM res_lang WHERE active ORDER BY 1")
            .fetch_all(connection)
            .await?;
        reading.languages = languages.iter().map(|row| row.get(0)).collect();
    }
    Ok(())
}

async fn has_table(connection: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    let row = sqlx::query("SELECT to_regclass($1) IS NOT NULL").bind(name).fetch_one(connection).await?;
    Ok(row.get(0))
}

async fn parameters(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query("SELECT key::text, value::text FROM ir_config_parameter WHERE key = ANY($1)")
        .bind(vec![MODULES_CHECKSUMS, EXCLUDE_PATTERNS, STAMP])
        .fetch_all(connection)
        .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get::<Option<String>, _>(1).unwrap_or_default())).collect())
}

/// What is no map of checksums remembers nothing.
fn checksums(text: &str) -> BTreeMap<String, Option<String>> {
    serde_json::from_str(text).unwrap_or_default()
}
