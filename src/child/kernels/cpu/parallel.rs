//! Work on parts of a batch, on the threads of the current rayon pool. What is computed does not
//! depend on how many there are.

use rayon::prelude::*;

/// Into how many parts, at most, a sum over a batch falls.
const PARTS: usize = 8;

/// Calls `work(part)` for each of `parts`, in any order.
pub fn each(parts: usize, work: impl Fn(usize) + Sync + Send) {
    match rayon::current_num_threads() {
        1 => (0..parts).for_each(work),
        _ => (0..parts).into_par_iter().for_each(work),
    }
}

/// The parts of a batch whose sums are made apart and added in order: `(parts, images a part)`.
/// Depends on the batch alone, so that sums come out the same on any number of threads.
pub fn parts(batch: usize) -> (usize, usize) {
    let images = batch.div_ceil(PARTS).max(1);
    (batch.div_ceil(images), images)
}

/// A pointer that parts of the work share; each writes to places of its own.
#[derive(Clone, Copy)]
pub struct Shared(*mut f32, usize);

// SAFETY: a pointer and a length; using it is unsafe by itself.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Shares `values`.
    pub fn new(values: &mut [f32]) -> Self {
        Self(values.as_mut_ptr(), values.len())
    }

    /// The values from `start`, `len` of them.
    ///
    /// # Safety
    /// The slice that was shared is alive, and no other part uses these values meanwhile.
    #[expect(clippy::mut_from_ref, reason = "apart by the caller's promise")]
    pub unsafe fn slice(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start + len <= self.1, "beyond what was shared");
        // SAFETY: within the slice, and apart from others' by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(start), len) }
    }
}
