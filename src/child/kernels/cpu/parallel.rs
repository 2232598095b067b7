//! Work on parts of a batch, on the threads of the current rayon pool. What is computed does not
//! depend on how many there are.

use rayon::prelude::*;

use super::scratch;

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

/// Adds up, in order, what each part of a batch adds to zeros: `work(part, sums)`. `total` is
/// overwritten.
pub fn sum(parts: usize, total: &mut [f32], work: impl Fn(usize, &mut [f32]) + Sync + Send) {
    let len = total.len();
    let mut add = |part: usize, sums: &[f32]| match part {
        0 => total.copy_from_slice(sums),
        _ => total.iter_mut().zip(sums).for_each(|(t, s)| *t += s),
    };
    match rayon::current_num_threads() {
        1 => scratch::with(len, |sums| {
            for part in 0..parts {
                sums.fill(0.0);
                work(part, sums);
                add(part, sums);
            }
        }),
        _ => scratch::with(parts * len, |all| {
            all.fill(0.0);
            let shared = Shared::new(all);
            each(parts, |part| {
                // SAFETY: each part has sums of its own.
                let sums = unsafe { shared.slice(part * len, len) };
                work(part, sums);
            });
            (0..parts).for_each(|part| add(part, &all[part * len..][..len]));
        }),
    }
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
