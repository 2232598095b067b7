//! Panics of the tensor library as values. Knows nothing of what runs.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// How many guarded calls are running on this thread.
    static GUARDED: Cell<usize> = const { Cell::new(0) };
}

/// Runs `work`; a panic inside comes back as its message.
///
/// The message is not printed: a hook that is installed once passes panics of guarded threads over in
/// silence, and leaves all others to the hook before it. The threads that help a guarded call are
/// guarded by [`quiet_thread`].
pub(super) fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            // During the destruction of a thread there is no flag: not guarded.
            if GUARDED.try_with(Cell::get).unwrap_or(0) == 0 {
                previous(info);
            }
        }));
    });
    GUARDED.set(GUARDED.get() + 1);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(GUARDED.get() - 1);
    result.map_err(|payload| message(payload.as_ref()))
}

/// Guards this thread for as long as it lives: for the threads of a pool that children train on, whose
/// panics arrive at the child's own thread.
pub fn quiet_thread() {
    GUARDED.set(GUARDED.get() + 1);
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message").to_string()
}
