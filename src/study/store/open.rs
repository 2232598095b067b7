//! Opening a store: the connection, and the schema that this program works with.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor, Row, SqlSafeStr};

use super::StudyStore;
use super::address::Address;
use super::database::Database;
use super::dialect::Dialect;
use super::retry::{self, Next, Refusal};
use super::sql::SqlStore;
use crate::error::Result;

/// How long a server may take to be there when a store is opened.
const PATIENCE: Duration = Duration::from_secs(10);

/// The changes of the schema, in order. What is released is never edited: a database remembers what it was
/// made with.
const MIGRATIONS: [(&str, &str); 3] = [
    ("studies", include_str!("migrations/0001_studies.sql")),
    ("jobs", include_str!("migrations/0002_jobs.sql")),
    ("looks", include_str!("migrations/0003_looks.sql")),
];

/// Opens the store at `address`, makes it where there is none, and brings an older one up to date.
///
/// The store has threads of its own. Its calls block, so they do not belong on a thread of an asynchronous
/// runtime.
///
/// # Errors
/// [`Error::Store`](crate::Error::Store) for a file that cannot be opened or is no database, a server that is not there or does not
/// let the user in, and for a schema that is newer than this program.
pub fn open(address: &Address) -> Result<Arc<dyn StudyStore>> {
    Ok(Arc::new(open_sql(address)?))
}

/// See [`open`].
pub(super) fn open_sql(address: &Address) -> Result<SqlStore> {
    let database = Database::new(address.clone())?;
    prepare(&database, MIGRATIONS.len())?;
    Ok(SqlStore::new(database))
}

/// Brings the schema to version `version`.
pub(super) fn prepare(database: &Database, version: usize) -> Result<()> {
    let started = Instant::now();
    let prepared = async {
        let mut tries = 0;
        loop {
            let refused = match migrate(database, version).await {
                Ok(()) => return Ok(()),
                Err(Refusal::Final(error)) => return Err(error),
                Err(Refusal::Sql(error)) => error,
            };
            let late = started.elapsed() + retry::pause(tries) > PATIENCE;
            if late || retry::next(database.dialect, &refused) == Next::Stop {
                return Err(database.refuses(format!("cannot open it: {refused}")));
            }
            tokio::time::sleep(retry::pause(tries)).await;
            tries += 1;
        }
    };
    database.runtime.block_on(prepared)
}

async fn migrate(database: &Database, version: usize) -> Result<(), Refusal> {
    let mut connection = database.connector.connect().await?;
    // PostgreSQL's migrator has a lock of its own.
    let _alone = match database.address.path() {
        Some(path) => {
            // A file that is no database says so here, before anything lies beside it.
            connection.execute("pragma user_version").await?;
            let alone = alone(path).map_err(|error| {
                let folder = locks(path);
                database.refuses(format!("cannot lock in {}: {error}", folder.display()))
            })?;
            // Readers and the writer do not wait for each other. The file remembers it.
            connection.execute("pragma journal_mode = wal").await?;
            Some(alone)
        }
        None => None,
    };
    let migrated = migrator(database.dialect, version)
        .run_direct(None, &mut connection, false)
        .await;
    match migrated {
        Ok(()) => {}
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            return Err(error.into());
        }
        Err(MigrateError::VersionMissing(_)) => {
            let found = newest(&mut connection).await?;
            let reason = format!(
                "it has schema version {found}, this program knows up to {version}: update nas-script"
            );
            return Err(database.refuses(reason).into());
        }
        Err(error) => return Err(database.refuses(error.to_string()).into()),
    }
    connection.close().await?;
    Ok(())
}

/// The first `version` changes of the schema.
fn migrator(dialect: Dialect, version: usize) -> Migrator {
    let migrations = (1..).zip(MIGRATIONS).take(version);
    let migrations = migrations.map(|(number, (name, text))| {
        let sql = AssertSqlSafe(dialect.text(text)).into_sql_str();
        Migration::new(
            number,
            Cow::Borrowed(name),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

/// The version that a database says it has.
async fn newest(connection: &mut AnyConnection) -> sqlx::Result<i64> {
    let newest = "select max(version) from _sqlx_migrations";
    sqlx::query(newest).fetch_one(connection).await?.try_get(0)
}

/// The folder of the locks of the store in the file `path`.
pub(super) fn locks(path: &Path) -> PathBuf {
    path.with_extension("locks")
}

/// Waits until no other process opens the store in `path`, and keeps the others waiting as long as the file is
/// open: one of several that start at once makes the tables.
fn alone(path: &Path) -> std::io::Result<File> {
    let folder = locks(path);
    std::fs::create_dir_all(&folder)?;
    let file = File::create(folder.join("open"))?;
    file.lock()?;
    Ok(file)
}
