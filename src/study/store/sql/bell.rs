//! Waiting until something in the queue has changed. Knows nothing of jobs.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::PgListener;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::study::store::database::Database;
use crate::study::store::dialect::Dialect;

/// The channel of PostgreSQL's `notify`.
pub(super) const CHANNEL: &str = "nas_script_jobs";

/// How long a wait on SQLite lasts at most: it tells nobody what another process changed.
const POLL: Duration = Duration::from_millis(50);

/// How long a silent server is trusted to be there.
const TRUST: Duration = Duration::from_secs(30);

/// Rung by this process, and by PostgreSQL for all others.
pub(super) struct Bell {
    rung: Arc<Notify>,
    runtime: Handle,
    /// The server to listen to.
    server: Option<String>,
    listener: OnceLock<JoinHandle<()>>,
}

impl Bell {
    pub(super) fn new(database: &Database) -> Self {
        let listens = database.dialect == Dialect::Postgres;
        Self {
            rung: Arc::default(),
            runtime: database.runtime.handle().clone(),
            server: listens.then(|| database.address.url().ok()).flatten(),
            listener: OnceLock::new(),
        }
    }

    /// Ends every wait, and the next one too where nobody waits now: it may be about to.
    pub(super) fn ring(&self) {
        self.rung.notify_waiters();
        self.rung.notify_one();
    }

    /// Waits for a ring, or for `at_most`.
    pub(super) fn wait(&self, at_most: Duration) {
        let at_most = match &self.server {
            Some(url) => {
                // Most stores never wait, and a server has few connections.
                self.listener.get_or_init(|| {
                    let listening = listen(url.clone(), Arc::clone(&self.rung));
                    self.runtime.spawn(listening)
                });
                at_most
            }
            None => at_most.min(POLL),
        };
        let waited = async { timeout(at_most, self.rung.notified()).await };
        self.runtime.block_on(waited).ok();
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(listener) = self.listener.get() {
            listener.abort();
        }
    }
}

/// Rings for everything that the server tells, for ever.
async fn listen(url: String, rung: Arc<Notify>) {
    loop {
        if let Ok(Ok(mut listener)) = timeout(Duration::from_secs(5), subscribed(&url)).await {
            // Something may have been missed.
            rung.notify_waiters();
            rung.notify_one();
            while heard(&mut listener).await {
                rung.notify_waiters();
                rung.notify_one();
            }
        }
        sleep(Duration::from_secs(1)).await;
    }
}

async fn subscribed(url: &str) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

/// Waits for a notification. `false`: the connection is lost.
async fn heard(listener: &mut PgListener) -> bool {
    loop {
        if let Ok(heard) = timeout(TRUST, listener.try_recv()).await {
            return matches!(heard, Ok(Some(_)));
        }
        // Silence is what a cut cable sounds like.
        let asked = timeout(Duration::from_secs(5), listener.execute("select 1"));
        if !matches!(asked.await, Ok(Ok(_))) {
            return false;
        }
    }
}
