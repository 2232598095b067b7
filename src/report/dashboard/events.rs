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
    let changes = unfold((None, None), move |(mut last, mut held)| {
        let board = board.clone();
        async move {
            loop {
                let (asked, holds) = (board.clone(), Option::take(&mut held));
                let stamp = tokio::task::spawn_blocking(move || match followed {
                    Followed::All => Ok((Some(asked.stamp_of_all()?), None)),
                    // A study that is followed is remembered.
                    Followed::One(id) => {
                        let seen = holds.map_or_else(|| asked.seen(id), |seen| Ok(Some(seen)))?;
                        Ok((asked.stamp(id)?, seen))
                    }
                });
                let stamp: Result<crate::error::Result<_>, _> = stamp.await;
                // A store that does not answer now may do so later.
                if let Ok(Ok((Some(stamp), seen))) = stamp {
                    held = seen;
                    if last.as_ref() != Some(&stamp) {
                        last = Some(stamp);
                        let event = Event::default().data("changed");
                        return Some((Ok(event), (last, held)));
                    }
                }
                tokio::time::sleep(TICK).await;
            }
        }
    });
    Sse::new(changes).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
