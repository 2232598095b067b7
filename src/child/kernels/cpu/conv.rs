//! 2-D convolution: picks the algorithm by the geometry. Knows nothing of how each one works.
//!
//! Weights are `[filters, channels / groups, kernel height, kernel width]`, as parameters are stored.

use super::{Act, Geometry, depthwise, direct, pointwise, winograd};

/// Where the gradients of a convolution go; what is `None` is not computed.
#[derive(Debug, Default)]
pub(crate) struct Gradients<'a> {
    pub input: Option<&'a mut [f32]>,
    pub weight: Option<&'a mut [f32]>,
    pub bias: Option<&'a mut [f32]>,
}

/// The ways to convolve, each with the geometries that it is best at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Pointwise,
    Depthwise,
    Winograd,
    Direct,
}

impl Algorithm {
    fn of(g: &Geometry) -> Self {
        if pointwise::applies(g) {
            Self::Pointwise
        } else if depthwise::applies(g) {
            Self::Depthwise
        } else if winograd::applies(g) {
            Self::Winograd
        } else {
            Self::Direct
        }
    }
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
    let forward = match Algorithm::of(g) {
        Algorithm::Pointwise => pointwise::forward,
        Algorithm::Depthwise => depthwise::forward,
        Algorithm::Winograd => winograd::forward,
        Algorithm::Direct => direct::forward,
    };
    forward(g, x, weight, bias, act, y);
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
    let backward = match Algorithm::of(g) {
        Algorithm::Pointwise => pointwise::backward,
        Algorithm::Depthwise => depthwise::backward,
        Algorithm::Winograd => winograd::backward,
        Algorithm::Direct => direct::backward,
    };
    backward(g, x, weight, y, dy, act, gradients);
}
