//! The way to a database: connections, and calls that wait out what passes. Knows nothing of tables.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};
use tokio::runtime::Runtime;
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::dialect::Dialect;
use super::retry::{self, Next, Refusal};
use crate::error::{Error, Result};

/// How long to wait for a free connection, or for a new one.
const CONNECT: Duration = Duration::from_secs(5);

/// A database, used from plain threads.
pub(super) struct Database {
    pub(super) dialect: Dialect,
    pub(super) address: Address,
    pub(super) runtime: Runtime,
    pub(super) connector: Connector,
    pool: AnyPool,
    /// Whether the last try of a call found nobody.
    lost: AtomicBool,
}

impl Database {
    /// Prepares the way; nothing is opened yet.
    pub(super) fn new(address: Address) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let dialect = match address.path() {
            Some(_) => Dialect::Sqlite,
            None => Dialect::Postgres,
        };
        let refused = |reason: String| Error::Store {
            store: address.to_string(),
            reason,
        };
        let options: AnyConnectOptions = address
            .url()?
            .parse()
            .map_err(|error: sqlx::Error| refused(error.to_string()))?;
        let options = options.disable_statement_logging();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("store")
            .enable_all()
            .build()
            .map_err(|error| refused(format!("cannot start its thread: {error}")))?;
        // SQLite has one writer, and PostgreSQL by default room for a hundred connections of all workers.
        let connections = match dialect {
            Dialect::Sqlite => 1,
            Dialect::Postgres => 2,
        };
        let pool = AnyPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT)
            // Whoever waits longer is told by `persist`, once.
            .acquire_slow_threshold(2 * CONNECT)
            .idle_timeout(Duration::from_secs(60))
            // A call that finds its connection lost is tried again.
            .test_before_acquire(false)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    connection.execute(dialect.settings()).await?;
                    Ok(())
                })
            });
        let pool = {
            // The pool starts tasks of its own.
            let _guard = runtime.enter();
            pool.connect_lazy_with(options.clone())
        };
        Ok(Self {
            dialect,
            address,
            runtime,
            connector: Connector { dialect, options },
            pool,
            lost: AtomicBool::new(false),
        })
    }

    /// Something that the store refuses for good.
    pub(super) fn refuses(&self, reason: impl Into<String>) -> Error {
        Error::Store {
            store: self.address.to_string(),
            reason: reason.into(),
        }
    }

    /// Carries out `work`, and again from its start as long as the database is gone or busy. Work that writes
    /// must bear being repeated after its answer was lost, and that a crash of the server undoes it: that is for
    /// leases, which come to nothing anyway.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a closure is written in its place"
    )]
    pub(super) fn call<T>(
        &self,
        work: impl AsyncFn(&mut AnyConnection) -> Result<T, Refusal>,
    ) -> Result<T> {
        self.persist(async |limit| self.attempt(&work, limit).await)
    }

    /// Repeats `attempt`, which may take the time that it is told, as long as the database is gone or busy.
    pub(super) fn persist<T>(
        &self,
        attempt: impl AsyncFn(Duration) -> Result<T, Refusal>,
    ) -> Result<T> {
        self.runtime.block_on(async {
            let mut tries = 0;
            loop {
                match attempt(retry::limit(tries)).await {
                    Ok(done) => {
                        if self.lost.swap(false, Ordering::Relaxed) {
                            tracing::warn!("store {}: it is back", self.address);
                        }
                        return Ok(done);
                    }
                    Err(Refusal::Final(error)) => return Err(error),
                    Err(Refusal::Sql(error)) => match retry::next(self.dialect, &error) {
                        Next::Stop => return Err(self.refuses(error.to_string())),
                        Next::Reconnect if !self.lost.swap(true, Ordering::Relaxed) => {
                            tracing::warn!("store {}: {error}; trying again", self.address);
                        }
                        Next::Reconnect | Next::Again => {}
                    },
                }
                sleep(retry::pause(tries)).await;
                tries += 1;
            }
        })
    }

    /// Carries out `work` in one transaction, so that a crash of the server leaves all of it, or nothing where
    /// the answer is not there yet; otherwise as [`call`](Self::call).
    #[expect(
        clippy::needless_pass_by_value,
        reason = "a closure is written in its place"
    )]
    pub(super) fn transact<T>(
        &self,
        work: impl AsyncFn(&mut AnyConnection) -> Result<T, Refusal>,
    ) -> Result<T> {
        self.call(async |connection| {
            let mut transaction = connection.begin_with(self.dialect.begin()).await?;
            let done = work(&mut transaction).await?;
            transaction.commit().await?;
            Ok(done)
        })
    }

    /// One try of `work`. A connection that fails or keeps silent is not used again.
    async fn attempt<T>(
        &self,
        work: &impl AsyncFn(&mut AnyConnection) -> Result<T, Refusal>,
        limit: Duration,
    ) -> Result<T, Refusal> {
        let mut connection = self.pool.acquire().await?;
        let done = match self.dialect {
            // It waits for its lock as long as its settings say.
            Dialect::Sqlite => work(&mut connection).await,
            Dialect::Postgres => match timeout(limit, work(&mut connection)).await {
                Ok(done) => done,
                Err(_) => Err(silent(limit).into()),
            },
        };
        if let Err(Refusal::Sql(error)) = &done
            && retry::next(self.dialect, error) == Next::Reconnect
        {
            drop(connection.detach());
        }
        done
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Its file is let go of before anything else opens it.
        self.runtime.block_on(async {
            let closed = timeout(Duration::from_secs(2), self.pool.close());
            closed.await.ok();
        });
    }
}

/// Opens connections outside of the pool.
#[derive(Clone)]
pub(super) struct Connector {
    dialect: Dialect,
    options: AnyConnectOptions,
}

impl Connector {
    /// Opens a connection and sets it up.
    pub(super) async fn connect(&self) -> sqlx::Result<AnyConnection> {
        let connected = async {
            let mut connection = self.options.connect().await?;
            connection.execute(self.dialect.settings()).await?;
            Ok(connection)
        };
        timeout(CONNECT, connected)
            .await
            .unwrap_or_else(|_| Err(silent(CONNECT)))
    }
}

fn silent(limit: Duration) -> sqlx::Error {
    let message = format!("no answer within {} s", limit.as_secs());
    sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, message))
}
