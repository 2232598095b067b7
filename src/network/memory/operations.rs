//! What each of Burn's differentiable operations (burn-autodiff 0.22.1, `ops/`) keeps for the
//! backward pass, and what its gradient makes. Knows neither networks nor the order of the passes.

use super::kernels::{self, Convolution};
use super::ledger::Array;
use super::tape::{Tape, Value};

impl Tape {
    /// An operation whose gradient is a function of the output's gradient alone, computed by `pull`.
    fn unary(
        &mut self,
        input: (usize, bool),
        array: Array,
        pull: impl FnOnce(Array) -> Array + 'static,
    ) -> Value {
        self.record(&[input], array, move |grad, gradients| {
            gradients.send(input.0, pull(grad));
        })
    }

    /// An element-wise function that needs its input for the gradient, which is computed `again`
    /// before it meets the output's gradient, or not.
    pub fn function(&mut self, x: Value, again: bool) -> Value {
        let kept = x.tracked.then(|| x.array.clone());
        let input = (x.node, x.tracked);
        let output = x.array.map();
        self.unary(input, output, move |grad| match kept {
            Some(x) if again => {
                let value = x.map();
                value.zip(grad)
            }
            Some(x) => x.zip(grad),
            None => grad,
        })
    }

    /// Adds or subtracts a smaller tensor, such as a shift per channel, whose gradient is a sum.
    pub fn shift(&mut self, x: Value, shift: &Value) -> Value {
        let inputs = [(x.node, x.tracked), (shift.node, shift.tracked)];
        let output = x.array.map();
        let (ledger, elements) = (self.ledger.clone(), shift.array.elements());
        self.record(&inputs, output, move |grad, gradients| {
            let [(x, x_tracked), (shift, shift_tracked)] = inputs;
            if x_tracked {
                gradients.send(x, grad.clone());
            }
            if shift_tracked {
                drop(grad.map());
                gradients.send(shift, ledger.array(elements));
            }
        })
    }

    /// The product of `a` and `b`, where `b` may be smaller; each is kept if the other wants a
    /// gradient.
    pub fn mul(&mut self, a: Value, b: Value) -> Value {
        let inputs = [(a.node, a.tracked), (b.node, b.tracked)];
        let kept_a = b.tracked.then(|| a.array.clone());
        let kept_b = a.tracked.then(|| b.array.clone());
        let (large, small) = (a.array.elements(), b.array.elements());
        let output = match large == small {
            true => a.array.zip(b.array),
            false => a.array.map(),
        };
        let ledger = self.ledger.clone();
        self.record(&inputs, output, move |grad, gradients| {
            let mut grad = Some(grad);
            if let Some(b) = kept_b {
                let grad = match kept_a {
                    Some(_) => grad.clone(),
                    None => grad.take(),
                };
                if let Some(grad) = grad {
                    let product = match large == small {
                        true => grad.zip(b),
                        false => grad.map(),
                    };
                    gradients.send(inputs[0].0, product);
                }
            }
            if let (Some(a), Some(grad)) = (kept_a, grad) {
                let product = grad.zip(a);
                let product = match large == small {
                    true => product,
                    false => ledger.array(small),
                };
                gradients.send(inputs[1].0, product);
            }
        })
    }

    /// The quotient of `a` by a smaller `b`.
    pub fn div(&mut self, a: Value, b: &Value) -> Value {
        let inputs = [(a.node, a.tracked), (b.node, b.tracked)];
        let kept = b.tracked.then(|| a.array.clone());
        let output = a.array.map();
        let (ledger, small) = (self.ledger.clone(), b.array.elements());
        self.record(&inputs, output, move |grad, gradients| {
            let again = kept.is_some().then(|| grad.clone());
            if inputs[0].1 {
                gradients.send(inputs[0].0, grad.map());
            }
            if let (Some(kept), Some(grad)) = (kept, again) {
                drop(grad.zip(kept.map()));
                gradients.send(inputs[1].0, ledger.array(small));
            }
        })
    }

    /// The same elements in another shape: a copy where they are not in order.
    pub fn reshape(&mut self, x: Value) -> Value {
        let input = (x.node, x.tracked);
        let output = x.array.in_order();
        self.unary(input, output, Array::in_order)
    }

    /// The same elements with axes exchanged.
    pub fn permute(&mut self, x: Value) -> Value {
        let input = (x.node, x.tracked);
        let output = x.array.view(x.array.elements());
        drop(x);
        self.unary(input, output, |grad| grad.view(grad.elements()))
    }

    /// A part of a tensor, of `elements` elements: its gradient is zeros around the output's.
    pub fn slice(&mut self, x: Value, elements: u64) -> Value {
        let input = (x.node, x.tracked);
        let output = x.array.view(elements);
        let (ledger, whole) = (self.ledger.clone(), x.array.elements());
        drop(x);
        self.unary(input, output, move |grad| {
            let zeros = ledger.zeros(whole);
            let _written = grad.in_order();
            zeros
        })
    }

    /// A larger tensor around `x`, of `elements` elements: its gradient is a part of the output's.
    pub fn pad(&mut self, x: Value, elements: u64) -> Value {
        let input = (x.node, x.tracked);
        let output = self.ledger.array(elements);
        let inside = x.array.elements();
        drop(x.array.in_order());
        self.unary(input, output, move |grad| grad.view(inside))
    }

    /// Means over an axis, `elements` of them: the gradient spreads over an array of ones.
    pub fn mean(&mut self, x: Value, elements: u64) -> Value {
        let input = (x.node, x.tracked);
        let whole = x.array.elements();
        drop(x.array.in_order());
        let output = self.ledger.array(elements);
        let ledger = self.ledger.clone();
        self.unary(input, output, move |_| ledger.array(whole))
    }

    /// A matrix product with `by`, which is kept, as is `x` if `by` wants a gradient.
    pub fn matmul(&mut self, x: Value, by: Value, elements: u64) -> Value {
        let inputs = [(x.node, x.tracked), (by.node, by.tracked)];
        let kept_x = by.tracked.then(|| x.array.clone());
        let kept_by = x.tracked.then(|| by.array.clone());
        let (x_elements, by_elements) = (x.array.elements(), by.array.elements());
        drop((x, by));
        let output = self.ledger.zeros(elements);
        let ledger = self.ledger.clone();
        self.record(&inputs, output, move |_grad, gradients| {
            if kept_by.is_some() {
                gradients.send(inputs[0].0, ledger.zeros(x_elements));
            }
            if kept_x.is_some() {
                gradients.send(inputs[1].0, ledger.zeros(by_elements));
            }
        })
    }

    /// A kernel: `keeps` says of which inputs, and of the result, its gradients are made, which are
    /// new arrays. One that is `flat` has the same order for Burn.
    pub fn kernel(
        &mut self,
        inputs: Vec<Value>,
        elements: u64,
        flat: bool,
        keeps: (&[bool], bool),
    ) -> Value {
        let ledger = self.ledger.clone();
        let ends: Vec<_> = inputs.iter().map(|x| (x.node, x.tracked)).collect();
        let shapes: Vec<_> = inputs
            .iter()
            .map(|x| (x.array.elements(), x.array.is_flat()))
            .collect();
        let keep = |i: usize| keeps.0.get(i).copied().unwrap_or(false);
        let kept = inputs.iter().enumerate().filter(|&(i, _)| keep(i));
        let mut kept: Vec<Array> = kept.map(|(_, x)| x.array.clone()).collect();
        let read = inputs.into_iter().map(|x| x.array.channels_last());
        let read: Vec<Array> = read.collect();
        let output = ledger.pooled(elements, flat);
        drop(read);
        if keeps.1 {
            kept.push(output.clone());
        }
        self.record(&ends.clone(), output, move |grad, gradients| {
            let read: Vec<Array> = kept.into_iter().map(Array::channels_last).collect();
            let grad = grad.channels_last();
            let made = ends
                .into_iter()
                .zip(shapes)
                .map(|((node, tracked), shape)| {
                    tracked.then(|| (node, ledger.pooled(shape.0, shape.1)))
                });
            let made: Vec<_> = made.collect();
            drop((read, grad));
            for (node, gradient) in made.into_iter().flatten() {
                gradients.send(node, gradient);
            }
        })
    }

    /// A sum without an activation, whose gradient all its inputs share.
    pub fn add(&mut self, inputs: Vec<Value>, elements: u64, flat: bool) -> Value {
        let ends: Vec<_> = inputs.iter().map(|x| (x.node, x.tracked)).collect();
        let read = inputs.into_iter().map(|x| x.array.channels_last());
        let read: Vec<Array> = read.collect();
        let output = self.ledger.pooled(elements, flat);
        drop(read);
        self.record(&ends.clone(), output, move |grad, gradients| {
            let grad = grad.channels_last();
            for (node, _) in ends.into_iter().filter(|(_, tracked)| *tracked) {
                gradients.send(node, grad.clone());
            }
        })
    }

    /// A transposed convolution, which keeps input and weights.
    pub fn convolve_transposed(
        &mut self,
        x: Value,
        weight: Value,
        bias: Option<&Value>,
        conv: Convolution,
    ) -> Value {
        let mut inputs = vec![(x.node, x.tracked), (weight.node, weight.tracked)];
        inputs.extend(bias.map(|bias| (bias.node, bias.tracked)));
        let ledger = self.ledger.clone();
        let (kept_x, kept_weight) = (x.array.clone(), weight.array.clone());
        let output = conv.transposed(&ledger, x.array, weight.array);
        let filters = bias.map(|bias| (bias.node, bias.array.elements()));
        let (x_node, x_tracked, weight_node) = (x.node, x.tracked, weight.node);
        self.record(&inputs, output, move |grad, gradients| {
            if x_tracked {
                let (weight, grad) = (kept_weight.clone(), grad.clone());
                gradients.send(
                    x_node,
                    conv.transposed_input_gradient(&ledger, weight, grad),
                );
            }
            gradients.send(
                weight_node,
                conv.transposed_weight_gradient(&ledger, &kept_x, &grad),
            );
            if let Some((bias, filters)) = filters {
                gradients.send(bias, kernels::bias_gradient(&ledger, &grad, filters));
            }
        })
    }
}
