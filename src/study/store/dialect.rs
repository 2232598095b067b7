//! What differs between the SQL of SQLite and of PostgreSQL. Everything else is one text.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::{Query, QueryAs};
use sqlx::{Any, AssertSqlSafe, FromRow};

/// The SQL that a database speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// `text` with the marks in braces replaced:
    /// - `{now}`: seconds since 1970 by the database's clock,
    /// - `{skip_locked}`: lock the chosen rows, passing over those that others have locked; SQLite has one
    ///   writer at a time, so there is nothing to pass over,
    /// - `{lock}`: let nobody change the chosen rows meanwhile,
    /// - `{ids}`: the keys in the JSON list `$1`,
    /// - `{elements}`: the elements of the JSON list `$2`, each a `value`,
    /// - `{key}`: the type of a key that counts up, `{bytes}`: the type of bytes.
    pub(super) fn text(self, text: &str) -> String {
        let marks = match self {
            Self::Sqlite => [
                ("{now}", "unixepoch('subsec')"),
                ("{skip_locked}", ""),
                ("{lock}", ""),
                ("{ids}", "(select value from json_each($1))"),
                ("{elements}", "json_each($2)"),
                ("{key}", "integer primary key autoincrement"),
                ("{bytes}", "blob"),
            ],
            Self::Postgres => [
                (
                    "{now}",
                    "extract(epoch from clock_timestamp())::double precision",
                ),
                ("{skip_locked}", "for update skip locked"),
                ("{lock}", "for no key update"),
                (
                    "{ids}",
                    "(select value::bigint from json_array_elements_text($1::json))",
                ),
                ("{elements}", "json_array_elements($2::json)"),
                ("{key}", "bigint generated always as identity primary key"),
                ("{bytes}", "bytea"),
            ],
        };
        let found = marks.iter().filter(|(mark, _)| text.contains(mark));
        found.fold(text.to_string(), |text, (mark, sql)| {
            text.replace(mark, sql)
        })
    }

    /// A statement from `text`, see [`text`](Self::text).
    pub(super) fn sql(self, text: &str) -> Query<'static, Any, AnyArguments> {
        sqlx::query(AssertSqlSafe(self.text(text)))
    }

    /// A statement from `text` that answers in rows, see [`text`](Self::text).
    pub(super) fn rows<T>(self, text: &str) -> QueryAs<'static, Any, T, AnyArguments>
    where
        T: for<'r> FromRow<'r, AnyRow>,
    {
        sqlx::query_as(AssertSqlSafe(self.text(text)))
    }

    /// Begins a transaction that writes, and is on the server's disk when it is committed. SQLite takes its
    /// lock at once: one that is taken after reading cannot be waited for.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "begin immediate",
            Self::Postgres => "begin; set local synchronous_commit to default",
        }
    }

    /// What each new connection is told. A server is to notice soon that the other side is gone, so that locks
    /// do not outlive their holder's machine. What is written outside of a transaction does not wait for the
    /// disk; so does all of SQLite, where a power cut may take the last writes, but not the crash of a process.
    pub(super) fn settings(self) -> &'static str {
        match self {
            Self::Sqlite => {
                // A checkpoint waits for the disk, so there is one in 16 MB, not in 4.
                "pragma busy_timeout = 10000; pragma synchronous = normal; pragma foreign_keys = on; \
                 pragma wal_autocheckpoint = 4096"
            }
            Self::Postgres => {
                "set synchronous_commit = off; set idle_in_transaction_session_timeout = '30s'; set tcp_keepalives_idle = 20; \
                 set tcp_keepalives_interval = 10; set tcp_keepalives_count = 3; \
                 set tcp_user_timeout = '60s'"
            }
        }
    }
}
