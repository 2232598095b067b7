//! What each of Burn's differentiable operations (burn-autodiff 0.22.1, `ops/`) keeps for the
//! backward pass, and what its gradient makes. Knows neither networks nor the order of the passes.

use super::kernels::{self, Convolution, size};
use super::ledger::{Array, NUMBER};
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

    /// `tanh`, whose gradient squares the output anew beside itself.
    pub fn tanh(&mut self, x: Value) -> Value {
        let kept = x.tracked.then(|| x.array.clone());
        let input = (x.node, x.tracked);
        let output = x.array.map();
        self.unary(input, output, move |grad| match kept {
            Some(x) => {
                let output = x.map();
                let square = output.clone().zip(output);
                grad.zip(square)
            }
            None => grad,
        })
    }

    /// A sum, a difference or a product with a constant: nothing is kept.
    pub fn scaled(&mut self, x: Value) -> Value {
        let input = (x.node, x.tracked);
        let output = x.array.map();
        self.unary(input, output, Array::map)
    }

    /// A clamp from both sides: each side keeps a mask of a byte an element.
    pub fn clamp(&mut self, x: Value) -> Value {
        let mut x = x;
        for _ in 0..2 {
            let mask = self.ledger.block(x.array.elements());
            let input = (x.node, x.tracked);
            let output = x.array.map();
            x = self.unary(input, output, move |grad| {
                let _mask = mask;
                grad.map()
            });
        }
        x
    }

    /// Adds a tensor of the same size.
    pub fn add(&mut self, a: Value, b: Value) -> Value {
        let inputs = [(a.node, a.tracked), (b.node, b.tracked)];
        let output = a.array.zip(b.array);
        self.record(&inputs, output, move |grad, gradients| {
            for (node, _) in inputs.into_iter().filter(|(_, tracked)| *tracked) {
                gradients.send(node, grad.clone());
            }
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

    /// Tensors side by side.
    pub fn concat(&mut self, parts: Vec<Value>) -> Value {
        let inputs: Vec<_> = parts.iter().map(|part| (part.node, part.tracked)).collect();
        let sizes: Vec<u64> = parts.iter().map(|part| part.array.elements()).collect();
        let output = self
            .ledger
            .array(sizes.iter().fold(0, |sum, &n| n.saturating_add(sum)));
        let copies: Vec<Array> = parts
            .into_iter()
            .map(|part| part.array.in_order())
            .collect();
        drop(copies);
        let ends = inputs.clone();
        self.record(&inputs, output, move |grad, gradients| {
            for ((node, tracked), elements) in ends.into_iter().zip(sizes) {
                if tracked {
                    gradients.send(node, grad.view(elements));
                }
            }
        })
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

    /// A plain convolution, or a `transposed` one, which keep input and weights.
    pub fn convolve(
        &mut self,
        x: Value,
        weight: Value,
        bias: Option<&Value>,
        conv: Convolution,
        transposed: bool,
    ) -> Value {
        let mut inputs = vec![(x.node, x.tracked), (weight.node, weight.tracked)];
        inputs.extend(bias.map(|bias| (bias.node, bias.tracked)));
        let ledger = self.ledger.clone();
        let (kept_x, kept_weight) = (x.array.clone(), weight.array.clone());
        let output = match transposed {
            true => conv.transposed(&ledger, x.array, weight.array),
            false => conv.forward(&ledger, x.array, weight.array),
        };
        let filters = bias.map(|bias| (bias.node, bias.array.elements()));
        let (x_node, x_tracked, weight_node) = (x.node, x.tracked, weight.node);
        self.record(&inputs, output, move |grad, gradients| {
            if x_tracked {
                let (weight, grad) = (kept_weight.clone(), grad.clone());
                let input_gradient = match transposed {
                    true => conv.transposed_input_gradient(&ledger, weight, grad),
                    false => conv.input_gradient(&ledger, &kept_x, weight, grad),
                };
                gradients.send(x_node, input_gradient);
            }
            let weight_gradient = match transposed {
                true => conv.transposed_weight_gradient(&ledger, &kept_x, &grad),
                false => conv.weight_gradient(&ledger, kept_x.clone(), &grad),
            };
            gradients.send(weight_node, weight_gradient);
            if let Some((bias, filters)) = filters {
                gradients.send(bias, kernels::bias_gradient(&ledger, &grad, filters));
            }
        })
    }

    /// A pooling to `output`; a maximum keeps its input and an index of 4 bytes an element, which
    /// was one of 8 first. An average keeps its input.
    pub fn pool(&mut self, x: Value, output: [u64; 4], maximum: bool) -> Value {
        let input = (x.node, x.tracked);
        let kept = x.tracked.then(|| x.array.clone());
        let _x = x.array.in_order();
        let elements = size(&output);
        let result = self.ledger.array(elements);
        let indices = (maximum && kept.is_some()).then(|| {
            let _wide = self.ledger.block(elements.saturating_mul(2 * NUMBER));
            self.ledger.block(elements.saturating_mul(NUMBER))
        });
        let ledger = self.ledger.clone();
        self.unary(input, result, move |grad| {
            let _indices = indices;
            let _grad = grad.in_order();
            ledger.array(kept.map_or(0, |x| x.elements()))
        })
    }

    /// A normalisation by the statistics of the batch (burn-backend 0.22.1,
    /// `backend/ops/modules/base.rs`), which keeps its input.
    pub fn batch_norm(&mut self, x: Value, scale: &Value, shift: &Value) -> Value {
        let inputs = [
            (x.node, x.tracked),
            (scale.node, scale.tracked),
            (shift.node, shift.tracked),
        ];
        let kept = x.array.clone();
        let x = x.array;
        let swapped = |array: Array| drop(array.view(array.elements()).in_order());
        swapped(x.clone());
        let centred = x.clone().map();
        let square = centred.clone().zip(centred);
        swapped(square);
        let output = x.map();
        let (ledger, channels) = (self.ledger.clone(), scale.array.elements());
        self.record(&inputs, output, move |grad, gradients| {
            let normalised = kept.map();
            let flat = grad.view(grad.elements()).in_order();
            let product = grad.clone().zip(normalised.clone());
            let product_flat = product.view(product.elements()).in_order();
            drop((product, flat, product_flat));
            let centred = grad.map();
            let projected = normalised.map();
            let x_grad = centred.zip(projected).map();
            let [(x, x_tracked), (scale, _), (shift, _)] = inputs;
            if x_tracked {
                gradients.send(x, x_grad);
            }
            gradients.send(scale, ledger.array(channels));
            gradients.send(shift, ledger.array(channels));
        })
    }
}
