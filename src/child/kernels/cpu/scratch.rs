//! Working memory of this thread, kept from call to call. Knows nothing of what is put there.

use std::cell::Cell;

thread_local! {
    static KEPT: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// The bytes of a line of the cache: a register that straddles two takes twice the time.
const LINE: usize = 64;

/// Calls `work` with `len` values of working memory, from the start of a line of the cache on: what they
/// hold is left from before. A call inside a call gets memory of its own, which is not kept.
pub fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken, not borrowed: a thread of the pool may start another job while it waits inside `work`.
    let mut kept = KEPT.take();
    let room = len + LINE / size_of::<f32>();
    if kept.len() < room {
        // Old values are of no use: nothing is copied where there is no room.
        kept = vec![0.0; room];
    }
    let start = kept.as_ptr().align_offset(LINE);
    let result = work(&mut kept[start..start + len]);
    KEPT.set(kept);
    result
}

/// Lets the working memory of this thread go.
pub fn release() {
    drop(KEPT.take());
}
