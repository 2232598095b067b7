//! What the tests of the operations on lanes share.

use proptest::prelude::*;

use super::super::Geometry;

/// `len` values from a seed, between -1 and 1.
pub fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// Fails unless the values are within `tolerance` times the largest of the reference.
pub fn close(name: &str, actual: &[f32], reference: &[f64], tolerance: f64) {
    assert_eq!(actual.len(), reference.len(), "{name}");
    let largest = reference.iter().fold(1e-3, |a: f64, b| a.max(b.abs()));
    for (i, (a, r)) in actual.iter().zip(reference).enumerate() {
        let error = (f64::from(*a) - r).abs() / largest;
        assert!(error <= tolerance, "{name}[{i}]: {a} instead of {r}");
    }
}

/// What `work` gives on this many threads.
pub fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(work)
}

/// The cases of a property, the same in every run.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        rng_seed: proptest::test_runner::RngSeed::Fixed(7),
        failure_persistence: None,
        ..ProptestConfig::with_cases(count)
    }
}

/// Windows over small images: each channel by itself, with `multiplier` filters for each.
pub fn windows() -> impl Strategy<Value = (Geometry, usize)> {
    let axis = || {
        (
            1..12usize,
            1..8usize,
            1..5usize,
            1..4usize,
            0..4usize,
            0..4usize,
        )
    };
    let channels = prop::sample::select(vec![1, 3, 5, 16, 24, 36]);
    (axis(), axis(), channels, 1..10usize, 1..3usize).prop_filter_map(
        "larger than the image",
        |(down, across, channels, batch, multiplier)| {
            let fits = |(input, kernel, _, dilation, before, after)| {
                dilation * (kernel - 1) < input + before + after
            };
            let g = Geometry {
                batch,
                input: [down.0, across.0],
                channels,
                filters: channels * multiplier,
                kernel: [down.1, across.1],
                stride: [down.2, across.2],
                dilation: [down.3, across.3],
                padding: [(down.4, down.5), (across.4, across.5)],
                groups: channels,
            };
            (fits(down) && fits(across)).then_some((g, multiplier))
        },
    )
}

/// Calls `visit(output pixel, tap, input pixel)` for each tap within the images, in that order; pixels
/// are counted over the batch.
pub fn each_tap(g: &Geometry, mut visit: impl FnMut(usize, usize, usize)) {
    let [height, width] = g.output();
    for image in 0..g.batch {
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column)))
        {
            for tap in 0..g.taps() {
                let at = |axis: usize, place: usize, k: usize| {
                    (place * g.stride[axis] + k * g.dilation[axis])
                        .checked_sub(g.padding[axis].0)
                        .filter(|&at| at < g.input[axis])
                };
                let y = at(0, row, tap / g.kernel[1]);
                let x = at(1, column, tap % g.kernel[1]);
                if let (Some(y), Some(x)) = (y, x) {
                    let output = (image * height + row) * width + column;
                    visit(output, tap, (image * g.input[0] + y) * g.input[1] + x);
                }
            }
        }
    }
}
