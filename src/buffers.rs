//! Memory of the CPU's tensors that goes back to a list when Burn lets a tensor go, and comes from
//! there for the next: a training step finds what the step before it left, without the system's
//! allocator (10 % of a step) and without fresh pages. Knows nothing of what is stored.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use burn_std::{AccessError, AccessPolicy, AllocationController, AllocationProperty, Bytes};

thread_local! {
    /// What is free on this thread, by capacity. A child trains on one thread.
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// `len` values, which are whatever was there before.
pub(crate) fn take(len: usize) -> Vec<f32> {
    let found = FREE.with_borrow_mut(|free| {
        let at = free.partition_point(|kept| kept.capacity() < len);
        // A far larger one is better kept for whom it was made.
        let fits = free.get(at).is_some_and(|kept| kept.capacity() / 4 <= len);
        fits.then(|| free.remove(at))
    });
    match found {
        Some(mut values) => {
            // Shrinks, or grows within the capacity.
            values.resize(len, 0.0);
            values
        }
        None => vec![0.0; len],
    }
}

/// `len` zeros.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    let mut values = take(len);
    values.fill(0.0);
    values
}

/// `values` as a tensor's memory; it comes back here in the end.
pub(crate) fn lend(values: Vec<f32>) -> Bytes {
    let len = size_of_val(values.as_slice());
    // SAFETY: the controller holds `len` initialised bytes.
    unsafe { Bytes::from_controller(Box::new(Lent(values)), len) }
}

/// Lets go of what is free on this thread.
pub(crate) fn release() {
    FREE.take();
}

fn give_back(values: Vec<f32>) {
    // While a thread ends there is no list any more: the memory is freed.
    let _ = FREE.try_with(|free| {
        let mut free = free.borrow_mut();
        let at = free.partition_point(|kept| kept.capacity() < values.capacity());
        free.insert(at, values);
    });
}

struct Lent(Vec<f32>);

impl Drop for Lent {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.0));
    }
}

impl AllocationController for Lent {
    fn alloc_align(&self) -> usize {
        align_of::<f32>()
    }

    fn property(&self) -> AllocationProperty {
        AllocationProperty::Other
    }

    unsafe fn memory_mut(
        &mut self,
        _: AccessPolicy,
    ) -> Result<&mut [MaybeUninit<u8>], AccessError> {
        let len = size_of_val(self.0.as_slice());
        let start = self.0.as_mut_ptr().cast();
        // SAFETY: the bytes of the vector, which any pattern is right for.
        Ok(unsafe { std::slice::from_raw_parts_mut(start, len) })
    }

    fn memory(&self, _: AccessPolicy) -> Result<&[MaybeUninit<u8>], AccessError> {
        let len = size_of_val(self.0.as_slice());
        // SAFETY: the bytes of the vector.
        Ok(unsafe { std::slice::from_raw_parts(self.0.as_ptr().cast(), len) })
    }
}
