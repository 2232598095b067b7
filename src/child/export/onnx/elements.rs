//! Element-wise functions and products as ONNX operators.

use super::graph::float;
use super::lower::{At, Lowering};
use crate::error::Result;
use crate::network::Activation;

impl Lowering<'_> {
    pub fn activation(&mut self, at: &At, activation: Activation) -> String {
        let x = at.x();
        match activation {
            Activation::Relu => self.whole(at, "Relu", vec![x], []),
            Activation::Tanh => self.whole(at, "Tanh", vec![x], []),
            Activation::Sigmoid => self.whole(at, "Sigmoid", vec![x], []),
            Activation::HardSwish => self.whole(at, "HardSwish", vec![x], []),
            Activation::HardSigmoid => {
                let attributes = [float("alpha", 1.0 / 6.0), float("beta", 0.5)];
                self.whole(at, "HardSigmoid", vec![x], attributes)
            }
            Activation::Relu6 => {
                let low = self.graph.scalar(at.part("min"), 0.0);
                let high = self.graph.scalar(at.part("max"), 6.0);
                self.whole(at, "Clip", vec![x, low, high], [])
            }
            Activation::Silu => {
                let gate = self.part(at, "gate", "Sigmoid", vec![x.clone()], []);
                self.whole(at, "Mul", vec![x, gate], [])
            }
            Activation::Gelu => self.gelu(at),
        }
    }

    /// `x · (1 + erf(x / √2)) / 2`: the operator Gelu came with opset 20 only, and runtimes know this
    /// form.
    fn gelu(&mut self, at: &At) -> String {
        let x = at.x();
        let root = std::f32::consts::SQRT_2;
        let root = self.graph.scalar(at.part("root"), root);
        let one = self.graph.scalar(at.part("one"), 1.0);
        let half = self.graph.scalar(at.part("half"), 0.5);
        let scaled = self.part(at, "scaled", "Div", vec![x.clone(), root], []);
        let erf = self.part(at, "erf", "Erf", vec![scaled], []);
        let share = self.part(at, "share", "Add", vec![erf, one], []);
        let twice = self.part(at, "twice", "Mul", vec![x, share], []);
        self.whole(at, "Mul", vec![twice, half], [])
    }

    /// A flat factor becomes one of 1×1 pixels.
    pub fn multiply(&mut self, at: &At) -> Result<String> {
        let mut inputs = at.reads();
        for (input, shape) in inputs.iter_mut().zip(&at.shapes) {
            if shape.len() < at.shape.len() {
                let axes = self.graph.row(at.part("axes"), &[2, 3])?;
                let flat = vec![input.clone(), axes];
                *input = self.part(at, "factor", "Unsqueeze", flat, []);
            }
        }
        Ok(self.whole(at, "Mul", inputs, []))
    }
}
