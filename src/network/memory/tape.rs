//! The tape of a training step: operations as they are recorded, and the backward pass over them, in
//! the order of Burn (burn-autodiff 0.22.1, `runtime/server.rs`). Knows no operation.

use super::ledger::{Array, Ledger};

/// A tensor and its place on the tape.
#[derive(Clone)]
pub(super) struct Value {
    pub array: Array,
    pub node: usize,
    /// Whether a gradient is wanted.
    pub tracked: bool,
}

type Backward = Box<dyn FnOnce(Array, &mut Gradients)>;

struct Step {
    node: usize,
    parents: Vec<usize>,
    backward: Backward,
}

/// The gradients that wait for their operation, and those of the weights.
#[derive(Default)]
pub(super) struct Gradients(Vec<Option<Array>>);

impl Gradients {
    /// Adds to what another reader of the node has sent already.
    pub fn send(&mut self, node: usize, grad: Array) {
        self.0[node] = Some(match self.0[node].take() {
            Some(other) => grad.sum(other),
            None => grad,
        });
    }
}

/// Records a step, then plays it back.
pub(super) struct Tape {
    pub ledger: Ledger,
    /// The depth of each node: leaves are 0.
    depths: Vec<usize>,
    steps: Vec<Option<Step>>,
}

impl Tape {
    pub fn new(ledger: Ledger) -> Self {
        Self {
            ledger,
            depths: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// A tensor that no operation made: weights, which want a gradient, or data.
    pub fn leaf(&mut self, array: Array, tracked: bool) -> Value {
        self.depths.push(0);
        self.steps.push(None);
        Value {
            array,
            node: self.depths.len() - 1,
            tracked,
        }
    }

    /// Puts an operation on the tape; `backward` holds what it keeps.
    pub fn record(
        &mut self,
        inputs: &[(usize, bool)],
        array: Array,
        backward: impl FnOnce(Array, &mut Gradients) + 'static,
    ) -> Value {
        let node = self.depths.len();
        let depth = inputs.iter().map(|&(input, _)| self.depths[input]).max();
        self.depths.push(depth.unwrap_or(0) + 1);
        let wanted = inputs.iter().filter(|(_, tracked)| *tracked);
        let parents: Vec<usize> = wanted.map(|&(input, _)| input).collect();
        let tracked = !parents.is_empty();
        self.steps.push(tracked.then(|| Step {
            node,
            parents,
            backward: Box::new(backward),
        }));
        Value {
            array,
            node,
            tracked,
        }
    }

    /// The backward pass from `loss`: the deepest operations first, each freed once it is done.
    /// What remains are the weights' gradients.
    pub fn backward(mut self, loss: &Value) -> Gradients {
        let mut order = vec![loss.node];
        let mut seen = vec![false; self.depths.len()];
        seen[loss.node] = true;
        let mut stack: Vec<usize> = self.parents(loss.node);
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut seen[node], true) {
                order.push(node);
                stack.extend(self.parents(node));
            }
        }
        order.sort_by_key(|&node| std::cmp::Reverse(self.depths[node]));
        let steps: Vec<Step> = order
            .into_iter()
            .filter_map(|node| self.steps[node].take())
            .collect();
        let mut gradients = Gradients(vec![None; self.depths.len()]);
        gradients.0[loss.node] = Some(self.ledger.array(loss.array.elements()));
        for Step { node, backward, .. } in steps {
            if let Some(grad) = gradients.0[node].take() {
                backward(grad, &mut gradients);
            }
        }
        gradients
    }

    fn parents(&self, node: usize) -> Vec<usize> {
        self.steps[node]
            .as_ref()
            .map_or_else(Vec::new, |step| step.parents.clone())
    }
}
