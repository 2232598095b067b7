//! Memory of the CPU's tensors that goes back to a list when Burn lets a tensor go, and comes from
//! there for the next: a training step finds what the step before it left, without the system's
//! allocator (10 % of a step) and without fresh pages. Knows nothing of what is stored.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::ops::{Deref, DerefMut};

use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};

thread_local! {
    /// What is free on this thread, by size. A child trains on one thread.
    static FREE: RefCell<Vec<Buffer>> = const { RefCell::new(Vec::new()) };
}

/// A line of the cache: a register that straddles two takes twice the time.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Numbers from the start of a line of the cache on.
pub(crate) struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` numbers, which are whatever was there before.
    pub fn take(len: usize) -> Self {
        let lines = len.div_ceil(16);
        let found = FREE.with_borrow_mut(|free| {
            let at = free.partition_point(|kept| kept.lines.len() < lines);
            // A far larger one is better kept for whom it was made.
            let fits = free
                .get(at)
                .is_some_and(|kept| kept.lines.len() / 4 <= lines);
            fits.then(|| free.remove(at))
        });
        let fresh = || Self {
            lines: vec![Line([0.0; 16]); lines],
            len,
        };
        let mut buffer = found.unwrap_or_else(fresh);
        buffer.len = len;
        buffer
    }

    /// The numbers as a tensor's memory, which comes back here in the end.
    pub fn lend(self) -> Bytes {
        let bytes = size_of_val::<[f32]>(&self);
        // SAFETY: the controller holds as many initialised bytes.
        unsafe { Bytes::from_controller(Box::new(Lent(self)), bytes) }
    }

    /// Takes the numbers back that were not lent.
    pub fn give_back(self) {
        // While a thread ends there is no list any more: the memory is freed.
        let _ = FREE.try_with(|free| {
            let mut free = free.borrow_mut();
            let at = free.partition_point(|kept| kept.lines.len() < self.lines.len());
            free.insert(at, self);
        });
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines are arrays of f32 without gaps, and hold `len` of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

/// Lets go of what is free on this thread.
pub(crate) fn release() {
    FREE.take();
}

/// A tensor's memory.
struct Lent(Buffer);

impl Drop for Lent {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.0.lines);
        Buffer { lines, len: 0 }.give_back();
    }
}

impl AllocationController for Lent {
    fn alloc_align(&self) -> usize {
        align_of::<Line>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let bytes = size_of_val::<[f32]>(&self.0);
        let start = self.0.as_mut_ptr().cast();
        // SAFETY: the bytes of the numbers, which any pattern is right for.
        Ok(unsafe { std::slice::from_raw_parts_mut(start, bytes) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let bytes = size_of_val::<[f32]>(&self.0);
        // SAFETY: the bytes of the numbers.
        Ok(unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), bytes) })
    }
}
