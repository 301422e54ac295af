//! What an Odoo database says of its modules. Reads one table and changes nothing.

use std::collections::BTreeMap;
use std::str::FromStr as _;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

/// Connecting, asking and leaving together; the table has some thousand short rows.
const DEADLINE: Duration = Duration::from_secs(15);
/// Modules that a database knows; Odoo with Enterprise and all of OCA has some 6,000.
const MODULES_MAX: usize = 100_000;

/// Why a database does not say what is installed. Never holds a password.
#[derive(Debug, thiserror::Error)]
pub enum OdooModulesError {
    /// The URL is none.
    #[error("not the URL of a PostgreSQL database")]
    Url,
    /// It does not answer.
    #[error("failed to connect to `{database}`")]
    Connect {
        /// The database, without a password.
        database: String,
        /// Why.
        #[source]
        err: sqlx::Error,
    },
    /// It answers something else.
    #[error("failed to read the modules of `{database}`")]
    Read {
        /// The database, without a password.
        database: String,
        /// Why.
        #[source]
        err: sqlx::Error,
    },
    /// It takes too long.
    #[error("`{database}` did not answer within {} s", DEADLINE.as_secs())]
    TooSlow {
        /// The database, without a password.
        database: String,
    },
    /// It knows more modules than there are.
    #[error("`{database}` lists more than {MODULES_MAX} modules")]
    TooMany {
        /// The database, without a password.
        database: String,
    },
}

impl OdooModulesError {
    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            OdooModulesError::Url => {
                "Write it as postgresql://USER@HOST:PORT/NAME; the password goes into PGPASSWORD or ~/.pgpass."
            }
            OdooModulesError::Connect { .. } | OdooModulesError::TooSlow { .. } => {
                "Check host, port, user and name; the password is taken from PGPASSWORD or ~/.pgpass."
            }
            OdooModulesError::Read { .. } => "The user needs to read the table `ir_module_module`.",
            OdooModulesError::TooMany { .. } => "Is it an Odoo database?",
        }
    }
}

/// An Odoo database.
#[derive(Debug)]
pub struct OdooDatabase {
    options: PgConnectOptions,
    shown: String,
}

impl OdooDatabase {
    /// Reads the URL of a database.
    pub fn parse(url: &str) -> Result<Self, OdooModulesError> {
        if !(url.starts_with("postgresql://") || url.starts_with("postgres://")) {
            return Err(OdooModulesError::Url);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| OdooModulesError::Url)?;
        let shown = show(&options);
        let options = options.application_name("ipaictl").disable_statement_logging();
        Ok(OdooDatabase { options, shown })
    }

    /// The URL without its password.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// The state of each module that the database knows; none when no Odoo was ever in it.
    pub async fn module_states(&self) -> Result<BTreeMap<String, String>, OdooModulesError> {
        let database = || self.shown.clone();
        match tokio::time::timeout(DEADLINE, self.read()).await {
            Ok(found) => found,
            Err(_) => Err(OdooModulesError::TooSlow { database: database() }),
        }
    }

    async fn read(&self) -> Result<BTreeMap<String, String>, OdooModulesError> {
        let database = || self.shown.clone();
        let connect = |err| OdooModulesError::Connect { database: database(), err };
        let read = |err| OdooModulesError::Read { database: database(), err };
        let mut connection = PgConnection::connect_with(&self.options).await.map_err(connect)?;
        let known: bool = sqlx::query_scalar("select to_regclass('ir_module_module') is not null")
            .fetch_one(&mut connection)
            .await
            .map_err(read)?;
        if !known {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(String, String)> = sqlx::query_as(
            "select name::text, coalesce(state, 'uninstalled')::text from ir_module_module order by name limit 100001",
        )
        .fetch_all(&mut connection)
        .await
        .map_err(read)?;
        // The server closes what is not closed politely.
        let _ = connection.close().await;
        if rows.len() > MODULES_MAX {
            return Err(OdooModulesError::TooMany { database: database() });
        }
        Ok(rows.into_iter().collect())
    }
}

/// A URL that `psql` takes for the same database, without a password.
fn show(options: &PgConnectOptions) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let database = options.get_database().map_or_else(String::new, encode);
    let user = encode(options.get_username());
    let socket = options.get_socket().map(|path| path.display().to_string());
    let host = options.get_host();
    match socket.or_else(|| Some(host.to_owned()).filter(|host| host.starts_with('/'))) {
        Some(folder) => {
            format!("postgresql://{user}@/{database}?host={}&port={}", encode(&folder), options.get_port())
        }
        None => format!("postgresql://{user}@{host}:{}/{database}", options.get_port()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        let database =
            OdooDatabase::parse("postgresql://odoo:s3cr3t@db.example:5433/my%20db?sslmode=require").unwrap();
        assert_eq!(database.shown(), "postgresql://odoo@db.example:5433/my%20db");
        assert!(
            !format!("{:?}", OdooDatabase::parse("mysql://u:s3cr3t@h/d").unwrap_err()).contains("s3cr3t")
        );
        assert!(OdooDatabase::parse("postgresql://u:s3cr3t@h:port/d").is_err());
    }
}
