//! Working memory of this thread, kept from call to call. Knows nothing of what is put there.

use std::cell::RefCell;

/// Values of a cache line: working memory starts at one, so that no register straddles two.
const LINE: usize = 16;

thread_local! {
    static KEPT: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Calls `work` with `len` values of working memory: what they hold is left from before. A call
/// inside a call gets memory of its own, kept as well.
pub fn with<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    // Taken, not borrowed: a thread of the pool may start another job while it waits inside `work`.
    let mut kept = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
    if kept.len() < len + LINE {
        // Old values are of no use: nothing is copied where there is no room.
        kept = vec![0.0; len + LINE];
    }
    let start = kept.as_ptr().align_offset(LINE * size_of::<f32>());
    let result = work(&mut kept[start..start + len]);
    KEPT.with_borrow_mut(|all| all.push(kept));
    result
}

/// Lets the working memory of this thread go.
pub fn release() {
    KEPT.take();
}
