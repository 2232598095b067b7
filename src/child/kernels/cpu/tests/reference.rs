//! Convolution and its gradients by the definition, in f64.

use super::super::{Act, Geometry};

/// Calls `visit(output, input, weight)` with the places of the factors of every product that a
/// convolution sums up.
fn products(g: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    let [height, width] = g.output();
    let (channels, filters) = (g.channels / g.groups, g.filters / g.groups);
    for image in 0..g.batch {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            for (ky, kx) in (0..g.kernel[0]).flat_map(|y| (0..g.kernel[1]).map(move |x| (y, x))) {
                let inside = |axis: usize, output: usize, tap: usize| {
                    (output * g.stride[axis] + tap * g.dilation[axis])
                        .checked_sub(g.padding[axis].0)
                        .filter(|&at| at < g.input[axis])
                };
                let (Some(iy), Some(ix)) = (inside(0, y, ky), inside(1, x, kx)) else {
                    continue;
                };
                let input = ((image * g.input[0] + iy) * g.input[1] + ix) * g.channels;
                let output = ((image * height + y) * width + x) * g.filters;
                for filter in 0..g.filters {
                    for channel in 0..channels {
                        visit(
                            output + filter,
                            input + filter / filters * channels + channel,
                            (filter * channels + channel) * g.taps() + ky * g.kernel[1] + kx,
                        );
                    }
                }
            }
        }
    }
}

/// The activated output.
pub fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32], act: Act) -> Vec<f64> {
    let size = g.batch * g.output_size();
    let mut y: Vec<f64> = (0..size).map(|i| f64::from(bias[i % g.filters])).collect();
    products(g, |o, i, w| y[o] += f64::from(x[i]) * f64::from(weight[w]));
    for y in &mut y {
        *y = match act {
            Act::Identity => *y,
            Act::Relu => y.max(0.0),
            Act::Relu6 => y.clamp(0.0, 6.0),
        };
    }
    y
}

/// The gradients by the input, the weights and the bias, given the activated output `y`.
pub fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    dy: &[f32],
    act: Act,
) -> [Vec<f64>; 3] {
    let passes = |y: f32| match act {
        Act::Identity => true,
        Act::Relu => y > 0.0,
        Act::Relu6 => y > 0.0 && y < 6.0,
    };
    let masked = |i: usize| if passes(y[i]) { f64::from(dy[i]) } else { 0.0 };
    let dy: Vec<f64> = (0..dy.len()).map(masked).collect();
    let mut dx = vec![0.0; x.len()];
    let mut dw = vec![0.0; weight.len()];
    let mut db = vec![0.0; g.filters];
    products(g, |o, i, w| {
        dx[i] += dy[o] * f64::from(weight[w]);
        dw[w] += dy[o] * f64::from(x[i]);
    });
    for (i, dy) in dy.iter().enumerate() {
        db[i % g.filters] += dy;
    }
    [dx, dw, db]
}

/// The largest error, relative to the largest value; to 1, which is what a term is at most, where a
/// few sums all come out smaller.
pub fn error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
    let errors = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f64::from(*f) - e).abs() / largest);
    // NaN counts as the largest.
    errors.fold(0.0, |m: f64, e| if e <= m { m } else { e })
}

/// `len` values between -1 and 1, the same for the same seed.
pub fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}
