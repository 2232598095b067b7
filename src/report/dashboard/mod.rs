//! The dashboard: pages about the studies of a store, served to a browser and kept up to date by server-sent events.
//! Only reads. Knows neither where the store is nor how a network is written for others to use (an [`Exporter`] does).

mod access;
mod board;
mod events;
mod routes;

pub use access::Access;
pub use board::{Board, Exporter};

use std::future::Future;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};

/// Serves `board` on `listener` until `stop` is over.
///
/// # Errors
/// [`Error::Io`] where the listener cannot be used.
pub fn serve(
    board: Board,
    access: Access,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<()> {
    let io = |doing| Error::io(doing, std::path::Path::new("the dashboard's port"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(16)
        .enable_all()
        .build()
        .map_err(io("serve"))?;
    listener.set_nonblocking(true).map_err(io("listen on"))?;
    // The store is let go here, at the end: it may not be where tasks run.
    let board = Arc::new(board);
    let served = runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).map_err(io("listen on"))?;
        let router = routes::router(board.clone(), Arc::new(access));
        // Streams of events have no end of their own, so nothing is waited for.
        tokio::select! {
            served = async { axum::serve(listener, router).await } => served.map_err(io("serve")),
            () = stop => Ok(()),
        }
    });
    runtime.shutdown_timeout(LAST_WORDS);
    served
}

/// How long a question to the database may take when all ends.
const LAST_WORDS: Duration = Duration::from_secs(2);
