//! PostgreSQL servers of other programs: one connection at a time, with deadlines.

use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

/// How long a connection may take to be made.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How long one question may take: the server gives it up then.
const STATEMENT_DEADLINE: &str = "20s";

/// Where a database is, and as whom it is opened.
#[derive(Clone, Copy)]
pub struct PostgresTarget<'a> {
    /// The server's name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted, in libpq's words: `disable`, `prefer`, `require`.
    pub sslmode: &'a str,
    /// The database.
    pub database: &'a str,
    /// The role.
    pub user: &'a str,
    /// Its password.
    pub password: &'a str,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The server has no such database.
    #[error("there is no database `{0}`")]
    NoDatabase(String),
    /// The server refuses role or password, or any connection from here.
    #[error("{0}")]
    Refused(String),
    /// Nobody answers, or not in time, or in the middle of starting.
    #[error("the server does not answer: {0}")]
    Unreachable(String),
    /// It answered with another error.
    #[error("the server answered: {0}")]
    Sql(String),
}

impl PostgresError {
    /// Reads an error of the driver. Its texts hold no password.
    pub fn of(err: &sqlx::Error, database: &str) -> Self {
        let sqlx::Error::Database(answer) = err else {
            return PostgresError::Unreachable(crate::model::problem::error_chain(err));
        };
        let text = answer.message().to_owned();
        match answer.code().as_deref() {
            Some("3D000") => PostgresError::NoDatabase(database.to_owned()),
            Some("28P01" | "28000") => PostgresError::Refused(text),
            // It starts, it ends, or it has no connection left.
            Some("57P01" | "57P02" | "57P03" | "53300") => PostgresError::Unreachable(text),
            _ => PostgresError::Sql(text),
        }
    }
}

/// Opens a connection.
pub async fn connect(target: &PostgresTarget<'_>) -> Result<PgConnection, PostgresError> {
    let sslmode = match target.sslmode {
        "disable" => PgSslMode::Disable,
        "require" => PgSslMode::Require,
        _ => PgSslMode::Prefer,
    };
    let options = PgConnectOptions::new_without_pgpass()
        .host(target.host)
        .port(target.port)
        .ssl_mode(sslmode)
        .database(target.database)
        .username(target.user)
        .password(target.password)
        .application_name("ipaictl")
        .options([("statement_timeout", STATEMENT_DEADLINE), ("lock_timeout", "5s")]);
    let connecting = PgConnection::connect_with(&options);
    match tokio::time::timeout(CONNECT_DEADLINE, connecting).await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(err)) => Err(PostgresError::of(&err, target.database)),
        Err(_) => {
            let seconds = CONNECT_DEADLINE.as_secs();
            Err(PostgresError::Unreachable(format!(
                "no connection to {}:{} within {seconds} s",
                target.host, target.port
            )))
        }
    }
}
