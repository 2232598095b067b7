//! Normalisations that ONNX has in another form.

use super::graph::{float, int, integer, integers, ints};
use super::lower::{At, Lowering};
use crate::error::Result;

impl Lowering<'_> {
    /// ONNX normalises the last axes, so an image's channels go there and back.
    pub fn layer_norm(&mut self, at: &At, epsilon: f64) -> Result<String> {
        const NORM: &str = "LayerNormalization";
        let scale = self.array(at, "weight", &[at.channels()])?;
        let shift = self.array(at, "bias", &[at.channels()])?;
        let attributes = [int("axis", -1), float("epsilon", epsilon)];
        if at.shape.len() == 1 {
            return Ok(self.whole(at, NORM, vec![at.x(), scale, shift], attributes));
        }
        let there = ints("perm", [0, 2, 3, 1]);
        let last = self.part(at, "channels_last", "Transpose", at.reads(), [there]);
        let inputs = vec![last, scale, shift];
        let normalised = self.part(at, "normalised", NORM, inputs, attributes);
        let back = ints("perm", [0, 3, 1, 2]);
        Ok(self.whole(at, "Transpose", vec![normalised], [back]))
    }

    /// Each group as one channel of an instance normalisation, then the channels' own scales and
    /// shifts: ONNX's GroupNormalization has those per group in opset 18 and per channel in 21.
    pub fn group_norm(&mut self, at: &At, groups: usize, epsilon: f64) -> Result<String> {
        let count = integer(groups)?;
        let whole_shape = integers(at.shape)?;
        let grouped = self.reshape(at, "grouped", at.x(), &[0, count, -1])?;
        let ones = vec![1.0; groups];
        let ones = self.graph.floats(at.part("ones"), &[groups], &ones)?;
        let zeros = vec![0.0; groups];
        let zeros = self.graph.floats(at.part("zeros"), &[groups], &zeros)?;
        let normalised = self.part(
            at,
            "normalised",
            "InstanceNormalization",
            vec![grouped, ones, zeros],
            [float("epsilon", epsilon)],
        );
        let shape: Vec<i64> = std::iter::once(0).chain(whole_shape).collect();
        let normalised = self.reshape(at, "ungrouped", normalised, &shape)?;

        let channels = at.channels();
        let mut per_channel = vec![1; at.shape.len()];
        per_channel[0] = channels;
        let scale = self.array_as(at, "weight", &[channels], &per_channel)?;
        let shift = self.array_as(at, "bias", &[channels], &per_channel)?;
        let scaled = self.part(at, "scaled", "Mul", vec![normalised, scale], []);
        Ok(self.whole(at, "Add", vec![scaled, shift], []))
    }
}
