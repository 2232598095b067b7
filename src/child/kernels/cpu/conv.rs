//! 2-D convolution: picks the algorithm by the geometry. Knows nothing of how each one works.
//!
//! Weights are `[filters, channels / groups, kernel height, kernel width]`, as parameters are stored.

use super::{Act, Geometry, direct, pointwise};

/// Where the gradients of a convolution go; what is `None` is not computed.
#[derive(Debug, Default)]
pub(crate) struct Gradients<'a> {
    pub input: Option<&'a mut [f32]>,
    pub weight: Option<&'a mut [f32]>,
    pub bias: Option<&'a mut [f32]>,
}

/// Writes `act(x ∗ weight + bias)` to `y`.
pub(crate) fn forward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    act: Act,
    y: &mut [f32],
) {
    if pointwise::applies(g) {
        pointwise::forward(g, x, weight, bias, act, y);
    } else {
        direct::forward(g, x, weight, bias, act, y);
    }
}

/// Overwrites the gradients, given the gradient `dy` of the activated output `y`. `y` is read only
/// where `act` is not the identity, and may be empty there.
pub(crate) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    dy: &[f32],
    act: Act,
    gradients: Gradients,
) {
    if pointwise::applies(g) {
        pointwise::backward(g, x, weight, y, dy, act, gradients);
    } else {
        direct::backward(g, x, weight, y, dy, act, gradients);
    }
}
