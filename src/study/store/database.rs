//! The way to a database: connections, and calls that wait out what passes. Knows nothing of tables.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};
use tokio::runtime::Runtime;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::dialect::Dialect;
use super::retry::{self, Next, Refusal};
use crate::error::{Error, Result};

/// How long SQLite takes for a small call, and a little more.
const MOMENT: Duration = Duration::from_micros(300);

/// How long to wait for a free connection, or for a new one.
const CONNECT: Duration = Duration::from_secs(5);

/// The connections of a database.
enum Way {
    /// One after another on a single connection, opened at the first call: SQLite has one writer. A pool would look
    /// after its connection by a task of its own between calls, which takes as long as a small call.
    One(Mutex<Option<AnyConnection>>),
    /// Several at the same time.
    Pool(AnyPool),
}

/// A database, used from plain threads.
pub(super) struct Database {
    pub(super) dialect: Dialect,
    pub(super) address: Address,
    pub(super) runtime: Runtime,
    pub(super) connector: Connector,
    way: Way,
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
        let way = match dialect {
            Dialect::Sqlite => Way::One(Mutex::const_new(None)),
            Dialect::Postgres => Way::Pool(pool(&runtime, dialect, options.clone())),
        };
        Ok(Self {
            dialect,
            address,
            runtime,
            connector: Connector { dialect, options },
            way,
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
        let work = async {
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
        };
        match self.way {
            Way::One(_) => self.runtime.block_on(watched(work)),
            Way::Pool(_) => self.runtime.block_on(work),
        }
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
        match &self.way {
            Way::One(kept) => {
                let mut kept = kept.lock().await;
                let mut connection = match kept.take() {
                    Some(connection) => connection,
                    None => self.connector.connect().await?,
                };
                // It waits for the database's lock as long as its settings say.
                let done = work(&mut connection).await;
                if !self.is_lost(&done) {
                    *kept = Some(connection);
                }
                done
            }
            Way::Pool(pool) => {
                let mut connection = pool.acquire().await?;
                let done = match timeout(limit, work(&mut connection)).await {
                    Ok(done) => done,
                    Err(_) => Err(silent(limit).into()),
                };
                if self.is_lost(&done) {
                    drop(connection.detach());
                }
                done
            }
        }
    }

    /// Whether `done` says that its connection is of no more use.
    fn is_lost<T>(&self, done: &Result<T, Refusal>) -> bool {
        matches!(done, Err(Refusal::Sql(error)) if retry::next(self.dialect, error) == Next::Reconnect)
    }
}

/// `work`, looked at again and again for its first moments: SQLite is often done before a thread that sleeps is awake.
async fn watched<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let began = Instant::now();
    poll_fn(|context| {
        loop {
            let polled = work.as_mut().poll(context);
            if polled.is_ready() || began.elapsed() > MOMENT {
                return polled;
            }
            std::thread::yield_now();
        }
    })
    .await
}

/// Connections that are opened when they are needed.
fn pool(runtime: &Runtime, dialect: Dialect, options: AnyConnectOptions) -> AnyPool {
    let pool = AnyPoolOptions::new()
        // PostgreSQL has by default room for a hundred connections of all workers.
        .max_connections(2)
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
    // The pool starts tasks of its own.
    let _guard = runtime.enter();
    pool.connect_lazy_with(options)
}

impl Drop for Database {
    fn drop(&mut self) {
        // Its file is let go of before anything else opens it.
        self.runtime.block_on(async {
            let close = async {
                match &self.way {
                    Way::One(kept) => {
                        if let Some(connection) = kept.lock().await.take() {
                            connection.close().await.ok();
                        }
                    }
                    Way::Pool(pool) => pool.close().await,
                }
            };
            timeout(Duration::from_secs(2), close).await.ok();
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
