//! Server-sent events: a word to the browser whenever something has changed, which then asks for what it shows.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream::{Stream, unfold};

use super::board::Board;

/// How often the store is asked.
const TICK: Duration = Duration::from_millis(400);

/// What to follow.
#[derive(Clone, Copy)]
pub(super) enum Followed {
    /// The list of studies.
    All,
    /// One study.
    One(i64),
}

/// Events without end: one at the start, and one after each change.
pub(super) fn follow(
    board: Arc<Board>,
    followed: Followed,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let changes = unfold(None, move |last: Option<String>| {
        let board = board.clone();
        async move {
            loop {
                let asked = board.clone();
                let stamp = tokio::task::spawn_blocking(move || match followed {
                    Followed::All => asked.stamp_of_all().map(Some),
                    Followed::One(id) => asked.stamp(id),
                });
                // A store that does not answer now may do so later.
                if let Ok(Ok(Some(stamp))) = stamp.await
                    && last.as_ref() != Some(&stamp)
                {
                    let event = Event::default().data("changed");
                    return Some((Ok(event), Some(stamp)));
                }
                tokio::time::sleep(TICK).await;
            }
        }
    });
    Sse::new(changes).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
