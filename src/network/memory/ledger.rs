//! Arrays that have a size and holders but no numbers: what a step allocates and frees. Knows
//! nothing of operations.
//!
//! Burn's CPU backend counts the holders of a buffer and writes a result into an operand that nobody
//! else holds. An [`Array`] does the same with its reference count, so a replay of the step frees and
//! reuses what the step frees and reuses.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::working::Working;

/// The bytes of a number: everything is computed in f32.
pub(super) const NUMBER: u64 = 4;

/// The bytes that are held at present, and the most there ever were.
#[derive(Clone, Default)]
pub(super) struct Ledger(Rc<Totals>);

#[derive(Default)]
struct Totals {
    live: Cell<u64>,
    peak: Cell<u64>,
    /// What the kernels' buffers of these sizes leave free, in order.
    free: RefCell<Vec<u64>>,
    working: Cell<Working>,
}

impl Ledger {
    /// Allocates an array of `elements` numbers.
    pub fn array(&self, elements: u64) -> Array {
        Array {
            block: Rc::new(self.block(elements.saturating_mul(NUMBER))),
            elements,
            dense: true,
            last: false,
        }
    }

    /// Takes an array from those that are kept (`buffers`), or allocates it: the result of a kernel,
    /// with its channels last. One that is `flat` is in Burn's order, too.
    pub fn pooled(&self, elements: u64, flat: bool) -> Array {
        let bytes = elements.saturating_mul(NUMBER);
        let kept = {
            let mut free = self.0.free.borrow_mut();
            let at = free.partition_point(|&kept| kept < bytes);
            let fits = free.get(at).is_some_and(|kept| kept / 4 <= bytes);
            fits.then(|| free.remove(at))
        };
        let block = match kept {
            Some(bytes) => Block {
                bytes,
                kept: true,
                ledger: self.clone(),
            },
            None => {
                let mut block = self.block(bytes);
                block.kept = true;
                block
            }
        };
        Array {
            block: Rc::new(block),
            elements,
            dense: flat,
            last: true,
        }
    }

    /// Uses working memory, which is kept.
    pub fn work(&self, working: Working) {
        let most = self.0.working.get();
        self.0.working.set(Working {
            call: most.call.max(working.call),
            thread: most.thread.max(working.thread),
        });
    }

    /// The bytes of the kernels' working memory on so many threads.
    pub fn working(&self, threads: u64) -> u64 {
        let Working { call, thread } = self.0.working.get();
        let values = call.saturating_add(thread.saturating_mul(threads));
        values.saturating_mul(NUMBER)
    }

    /// Allocates an array of zeros, as matrix products and gradients of slices do. The backend makes
    /// them as bytes, which it then copies to where numbers may stand.
    pub fn zeros(&self, elements: u64) -> Array {
        let _bytes = self.block(elements.saturating_mul(NUMBER));
        self.array(elements)
    }

    /// Allocates `bytes` that are held until the block is dropped.
    pub fn block(&self, bytes: u64) -> Block {
        let totals = &self.0;
        totals.live.set(totals.live.get().saturating_add(bytes));
        totals.peak.set(totals.peak.get().max(totals.live.get()));
        Block {
            bytes,
            kept: false,
            ledger: self.clone(),
        }
    }

    /// The most bytes that were held at a time.
    pub fn peak(&self) -> u64 {
        self.0.peak.get()
    }
}

/// An allocation.
pub(super) struct Block {
    bytes: u64,
    /// Whether it is kept for the next when it is let go.
    kept: bool,
    ledger: Ledger,
}

impl Drop for Block {
    fn drop(&mut self) {
        if self.kept {
            let mut free = self.ledger.0.free.borrow_mut();
            let at = free.partition_point(|&kept| kept < self.bytes);
            return free.insert(at, self.bytes);
        }
        let live = &self.ledger.0.live;
        live.set(live.get().saturating_sub(self.bytes));
    }
}

/// A tensor on the CPU: a clone is another holder of the same buffer.
#[derive(Clone)]
pub(super) struct Array {
    block: Rc<Block>,
    elements: u64,
    /// Whether the elements are the whole buffer, in order.
    dense: bool,
    /// Whether they are, with the channels last.
    last: bool,
}

impl Array {
    /// The number of elements.
    pub fn elements(&self) -> u64 {
        self.elements
    }

    fn fresh(&self) -> Self {
        self.block.ledger.array(self.elements)
    }

    /// The same elements in another order, or `elements` of them, without a copy.
    pub fn view(&self, elements: u64) -> Self {
        Self {
            elements,
            dense: false,
            last: false,
            ..self.clone()
        }
    }

    /// The elements in order: a copy where they are not.
    pub fn in_order(self) -> Self {
        if self.dense { self } else { self.fresh() }
    }

    /// Says that there are no channels, or no pixels: every order is the same.
    pub fn flatten(&mut self) {
        self.last = true;
    }

    /// Whether the channels are last in Burn's order, too.
    pub fn is_flat(&self) -> bool {
        self.dense && self.last
    }

    /// The elements with the channels last: a copy where they are not.
    pub fn channels_last(self) -> Self {
        match self.last {
            true => self,
            false => Self {
                last: true,
                dense: false,
                ..self.fresh()
            },
        }
    }

    /// The sum of two gradients: a kernel's where both come from kernels.
    pub fn sum(self, other: Self) -> Self {
        match self.last && other.last {
            true => self.block.ledger.pooled(self.elements, self.dense),
            false => self.zip(other),
        }
    }

    /// Whether a result may be written here.
    fn is_free(&self) -> bool {
        self.dense && Rc::strong_count(&self.block) == 1
    }

    /// A function of each element, also with a second operand that is smaller.
    pub fn map(self) -> Self {
        if self.is_free() { self } else { self.fresh() }
    }

    /// A function of two arrays of one size.
    pub fn zip(self, other: Self) -> Self {
        if self.is_free() {
            self
        } else if other.is_free() {
            other
        } else {
            self.fresh()
        }
    }
}
