//! Arrays that have a size and holders but no numbers: what a step allocates and frees. Knows
//! nothing of operations.
//!
//! Burn's CPU backend counts the holders of a buffer and writes a result into an operand that nobody
//! else holds. An [`Array`] does the same with its reference count, so a replay of the step frees and
//! reuses what the step frees and reuses.

use std::cell::Cell;
use std::rc::Rc;

/// The bytes of a number: everything is computed in f32.
pub(super) const NUMBER: u64 = 4;

/// The bytes that are held at present, and the most there ever were.
#[derive(Clone, Default)]
pub(super) struct Ledger(Rc<Totals>);

#[derive(Default)]
struct Totals {
    live: Cell<u64>,
    peak: Cell<u64>,
}

impl Ledger {
    /// Allocates an array of `elements` numbers.
    pub fn array(&self, elements: u64) -> Array {
        Array {
            block: Rc::new(self.block(elements.saturating_mul(NUMBER))),
            elements,
            dense: true,
        }
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
    ledger: Ledger,
}

impl Drop for Block {
    fn drop(&mut self) {
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
            ..self.clone()
        }
    }

    /// The elements in order: a copy where they are not.
    pub fn in_order(self) -> Self {
        if self.dense { self } else { self.fresh() }
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
