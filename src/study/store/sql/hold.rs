//! The lock of a study: held by one living process, and free as soon as that is dead.

use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AnyConnection, Connection, Executor, Row};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::error::{Error, Result};
use crate::study::store::database::{Connector, Database};
use crate::study::store::open::locks;
use crate::study::store::retry::Refusal;

/// The first of the two keys of our advisory locks, so that they meet no other program's.
const CLASS: i32 = 0x006e_6173;

/// How long to wait before the next try.
const MOMENT: Duration = Duration::from_millis(50);

/// How often the connection that holds a lock is looked after.
const CARE: Duration = Duration::from_secs(5);

/// A study's lock, held until it is dropped or the process ends, however it ends.
pub(super) enum Hold {
    /// On a file beside the database; the kernel frees it.
    File { _locked: File },
    /// On a session; the server frees it when the connection is closed.
    Session { _kept: Session },
}

impl Hold {
    /// Takes the lock of `study`; `None` where a living process has it.
    pub(super) fn take(database: &Arc<Database>, study: i64) -> Result<Option<Self>> {
        if let Some(path) = database.address.path() {
            let path = locks(path).join(format!("study-{study}"));
            let file = File::create(&path).map_err(Error::io("create", &path))?;
            // Whoever looks whether it is held has it for a moment.
            for _ in 0..10 {
                match file.try_lock() {
                    Ok(()) => return Ok(Some(Self::File { _locked: file })),
                    Err(TryLockError::WouldBlock) => std::thread::sleep(MOMENT),
                    Err(TryLockError::Error(error)) => return Err(Error::io("lock", &path)(error)),
                }
            }
            return Ok(None);
        }
        let locked = database.persist(async |_| {
            let mut connection = database.connector.connect().await?;
            // A server needs a moment to see that a process is dead.
            for _ in 0..10 {
                if lock(&mut connection, study).await? {
                    return Ok(Some(connection));
                }
                sleep(MOMENT).await;
            }
            connection.close().await?;
            Ok::<_, Refusal>(None)
        })?;
        let kept = |connection| Session::keep(database, connection, study);
        Ok(locked.map(|connection| Self::Session {
            _kept: kept(connection),
        }))
    }
}

impl Hold {
    /// Whether a living process has the lock of `study`. It is not kept from anyone.
    pub(super) fn is_held(database: &Arc<Database>, study: i64) -> Result<bool> {
        if let Some(path) = database.address.path() {
            let path = locks(path).join(format!("study-{study}"));
            let Ok(file) = File::open(&path) else {
                return Ok(false);
            };
            return match file.try_lock_shared() {
                Ok(()) => Ok(false),
                Err(TryLockError::WouldBlock) => Ok(true),
                Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
            };
        }
        let held = "select count(*) from pg_locks where locktype = 'advisory' and granted \
                    and classid::bigint = $1 and objid::bigint = $2 \
                    and database = (select oid from pg_database where datname = current_database())";
        let (held,) = database.call(async |connection| {
            let held = database.dialect.rows::<(i64,)>(held);
            let held = held.bind(i64::from(CLASS)).bind(i64::from(key(study)));
            Ok(held.fetch_one(connection).await?)
        })?;
        Ok(held > 0)
    }
}

/// A connection that holds a lock.
pub(super) struct Session {
    database: Arc<Database>,
    stop: Option<oneshot::Sender<()>>,
    keeper: Option<JoinHandle<()>>,
}

impl Session {
    fn keep(database: &Arc<Database>, connection: AnyConnection, study: i64) -> Self {
        let (stop, stopped) = oneshot::channel();
        let connector = database.connector.clone();
        let keeper = keep(connector, connection, study, stopped);
        Self {
            stop: Some(stop),
            keeper: Some(database.runtime.spawn(keeper)),
            database: Arc::clone(database),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(keeper) = self.keeper.take() {
            let gone = async { timeout(Duration::from_secs(2), keeper).await };
            self.database.runtime.block_on(gone).ok();
        }
    }
}

/// Holds on to the lock, and takes it again after the server was restarted, until `stopped`. Where another
/// process was quicker, the fence of the study ends what is done under this lock.
async fn keep(
    connector: Connector,
    mut connection: AnyConnection,
    study: i64,
    mut stopped: oneshot::Receiver<()>,
) {
    while timeout(CARE, &mut stopped).await.is_err() {
        let asked = timeout(CARE, connection.execute("select 1")).await;
        if matches!(asked, Ok(Ok(_))) {
            continue;
        }
        if let Ok(mut fresh) = connector.connect().await {
            lock(&mut fresh, study).await.ok();
            connection = fresh;
        }
    }
    connection.close().await.ok();
}

/// The second of the two keys, which have 32 bits.
fn key(study: i64) -> i32 {
    i32::try_from(study & i64::from(i32::MAX)).unwrap_or_default()
}

async fn lock(connection: &mut AnyConnection, study: i64) -> sqlx::Result<bool> {
    let locked = sqlx::query("select pg_try_advisory_lock($1, $2)")
        .bind(CLASS)
        .bind(key(study));
    locked.fetch_one(connection).await?.try_get(0)
}
