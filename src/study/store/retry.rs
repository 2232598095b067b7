//! Which refusals of a database pass, and how long to wait before the next try.

use std::time::Duration;

use super::dialect::Dialect;
use crate::error::Error;

/// How long one try of a call may take at first. A network that is cut silently never answers.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a try of a call came to nothing.
pub(super) enum Refusal {
    /// The database or the way to it refused.
    Sql(sqlx::Error),
    /// The call cannot be carried out, however often it is tried.
    Final(Error),
}

impl From<sqlx::Error> for Refusal {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// What to do after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The connection is lost: try on another.
    Reconnect,
    /// Another transaction was in the way: try again.
    Again,
    /// It will never work.
    Stop,
}

/// What to do after `error`.
pub(super) fn next(dialect: Dialect, error: &sqlx::Error) -> Next {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::BeginFailed => Next::Reconnect,
        sqlx::Error::Database(refused) => {
            let code = refused.code().unwrap_or_default();
            match dialect {
                Dialect::Sqlite => of_sqlite(&code),
                Dialect::Postgres => of_postgres(&code),
            }
        }
        _ => Next::Stop,
    }
}

/// Busy and locked, whose extended codes keep the plain one in the lowest byte.
fn of_sqlite(code: &str) -> Next {
    match code.parse::<u32>().map(|code| code & 0xff) {
        Ok(5 | 6) => Next::Again,
        _ => Next::Stop,
    }
}

/// See the appendix "PostgreSQL Error Codes" of its manual.
fn of_postgres(code: &str) -> Next {
    match code {
        // Shutdown, crash, start; too many connections; idle for too long in a transaction.
        "57P01" | "57P02" | "57P03" | "53300" | "25P03" => Next::Reconnect,
        _ if code.starts_with("08") => Next::Reconnect,
        // Serialisation failure, deadlock, a lock or an answer that took too long.
        "40001" | "40P01" | "55P03" | "57014" => Next::Again,
        _ => Next::Stop,
    }
}

/// How long the `tries`-th try may take, from 0. It grows, so that a large answer comes through at last.
pub(super) fn limit(tries: u32) -> Duration {
    LIMIT * 2_u32.pow(tries.saturating_sub(2).min(4))
}

/// How long to wait after the `tries`-th try, from 0.
pub(super) fn pause(tries: u32) -> Duration {
    match tries {
        0 => Duration::ZERO,
        _ => Duration::from_millis(50) * 2_u32.pow(tries.min(5)),
    }
}
