//! The store in SQL. One text for both databases; what differs is `dialect.rs`'s.

mod bell;
mod evaluations;
mod hold;
mod queue;
mod reading;
mod studies;
mod tenure;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::database::Database;
use crate::error::Result;
use bell::Bell;

/// A store in an SQL database.
pub(super) struct SqlStore {
    database: Arc<Database>,
    bell: Bell,
    /// What marks the calls of this object among those of all others.
    mark: String,
    calls: AtomicU64,
}

impl SqlStore {
    /// A store in a database whose schema is up to date.
    pub(super) fn new(database: Database) -> Self {
        let database = Arc::new(database);
        Self {
            bell: Bell::new(&database),
            mark: mark(),
            calls: AtomicU64::new(0),
            database,
        }
    }

    /// A name for one call that no other call of any process has.
    fn ticket(&self) -> String {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        format!("{}-{call}", self.mark)
    }
}

/// Differs between any two objects of any two processes on any two machines.
fn mark() -> String {
    static OBJECTS: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seen = format!(
        "{} {} {} {:?}",
        rustix::system::uname().nodename().to_string_lossy(),
        std::process::id(),
        OBJECTS.fetch_add(1, Ordering::Relaxed),
        now.unwrap_or_default(),
    );
    let hash = Sha256::digest(seen.as_bytes());
    hash.iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// `value` as JSON text.
fn json(database: &Database, value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| database.refuses(format!("no JSON: {error}")))
}

/// The value in a column of JSON; `what` names it in the error.
fn parsed<T: DeserializeOwned>(database: &Database, what: &str, text: &str) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        database.refuses(format!("cannot read {what}, of another version? {error}"))
    })
}
