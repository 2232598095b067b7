//! The 3x3 weights as the products want them: U = G w G^T, packed in panels, and back: dw = G^T dU G.
//! Knows nothing of images and tiles.

use pulp::Simd;

use super::super::product::panel;
use super::super::simd::{load, store};
use super::transforms::WEIGHT_POINTS;

/// The planes of transformed weights.
pub const PLANES: usize = WEIGHT_POINTS * WEIGHT_POINTS;

/// Taps down and across.
const TAPS: usize = 3;

/// Columns are filled up with zeros to a multiple of this: any panel's width divides it.
const WIDEST: usize = 32;

type G = [[f32; TAPS]; WEIGHT_POINTS];

/// `columns` filled up.
pub fn pitch(columns: usize) -> usize {
    columns.next_multiple_of(WIDEST)
}

/// The values of [`pack`].
pub fn packed_size(rows: usize, columns: usize) -> usize {
    PLANES * rows * pitch(columns)
}

/// The values of weights by tap.
pub fn taps_size(rows: usize, columns: usize) -> usize {
    TAPS * TAPS * rows * pitch(columns)
}

/// Lays weights `[filter][channel][tap]` out as `[tap][channel][filter]`.
pub fn by_filter(weight: &[f32], filters: usize, channels: usize, taps: &mut [f32]) {
    let pitch = pitch(filters);
    taps.fill(0.0);
    for channel in 0..channels {
        for filter in 0..filters {
            let from = (filter * channels + channel) * TAPS * TAPS;
            for tap in 0..TAPS * TAPS {
                taps[(tap * channels + channel) * pitch + filter] = weight[from + tap];
            }
        }
    }
}

/// Lays weights `[filter][channel][tap]` out as `[tap][filter][channel]`.
pub fn by_channel(weight: &[f32], filters: usize, channels: usize, taps: &mut [f32]) {
    let pitch = pitch(channels);
    taps.fill(0.0);
    for filter in 0..filters {
        for channel in 0..channels {
            let from = (filter * channels + channel) * TAPS * TAPS;
            for tap in 0..TAPS * TAPS {
                taps[(tap * filters + filter) * pitch + channel] = weight[from + tap];
            }
        }
    }
}

/// Lays weights `[tap][channel][filter]` out as `[filter][channel][tap]`.
pub fn from_taps(taps: &[f32], filters: usize, channels: usize, weight: &mut [f32]) {
    let pitch = pitch(filters);
    for channel in 0..channels {
        for filter in 0..filters {
            let to = (filter * channels + channel) * TAPS * TAPS;
            for tap in 0..TAPS * TAPS {
                weight[to + tap] = taps[(tap * channels + channel) * pitch + filter];
            }
        }
    }
}

/// U = G w G^T: from `[tap][row][column]` to `[plane][panel][row][column of the panel]`.
#[inline(always)]
pub fn pack<S: Simd>(simd: S, g: &G, taps: &[f32], rows: usize, columns: usize, u: &mut [f32]) {
    let (pitch, panel) = (pitch(columns), panel::<S>());
    assert!(taps.len() >= taps_size(rows, columns) && u.len() >= packed_size(rows, columns));
    for row in 0..rows {
        for column in (0..columns).step_by(S::F32_LANES) {
            let mut half = [[simd.splat_f32s(0.0); TAPS]; WEIGHT_POINTS];
            for l in 0..TAPS {
                let mut w = [simd.splat_f32s(0.0); TAPS];
                for k in 0..TAPS {
                    let at = ((k * TAPS + l) * rows + row) * pitch + column;
                    // SAFETY: the length was checked, and whole registers are within the pitch.
                    w[k] = unsafe { load::<S>(taps.as_ptr().add(at)) };
                }
                for i in 0..WEIGHT_POINTS {
                    half[i][l] = combine(simd, g[i], w);
                }
            }
            let place = (column / panel * rows + row) * panel + column % panel;
            for i in 0..WEIGHT_POINTS {
                for j in 0..WEIGHT_POINTS {
                    let at = (i * WEIGHT_POINTS + j) * rows * pitch + place;
                    // SAFETY: as above.
                    unsafe { store::<S>(u.as_mut_ptr().add(at), combine(simd, g[j], half[i])) };
                }
            }
        }
    }
}

/// dw = G^T dU G: from `[plane][row][column]` to `[tap][row][column]`.
#[inline(always)]
pub fn unpack<S: Simd>(simd: S, g: &G, du: &[f32], rows: usize, columns: usize, taps: &mut [f32]) {
    let pitch = pitch(columns);
    assert!(taps.len() >= taps_size(rows, columns) && du.len() >= packed_size(rows, columns));
    let mut transposed = [[0.0; WEIGHT_POINTS]; TAPS];
    for k in 0..TAPS {
        for i in 0..WEIGHT_POINTS {
            transposed[k][i] = g[i][k];
        }
    }
    for row in 0..rows {
        for column in (0..columns).step_by(S::F32_LANES) {
            let place = row * pitch + column;
            let mut half = [[simd.splat_f32s(0.0); WEIGHT_POINTS]; TAPS];
            for j in 0..WEIGHT_POINTS {
                let mut u = [simd.splat_f32s(0.0); WEIGHT_POINTS];
                for i in 0..WEIGHT_POINTS {
                    let at = (i * WEIGHT_POINTS + j) * rows * pitch + place;
                    // SAFETY: the length was checked, and whole registers are within the pitch.
                    u[i] = unsafe { load::<S>(du.as_ptr().add(at)) };
                }
                for k in 0..TAPS {
                    half[k][j] = combine(simd, transposed[k], u);
                }
            }
            for k in 0..TAPS {
                for l in 0..TAPS {
                    let at = (k * TAPS + l) * rows * pitch + place;
                    // SAFETY: as above.
                    unsafe {
                        store::<S>(
                            taps.as_mut_ptr().add(at),
                            combine(simd, transposed[l], half[k]),
                        );
                    };
                }
            }
        }
    }
}

/// Σ k x.
#[inline(always)]
fn combine<S: Simd, const N: usize>(simd: S, k: [f32; N], x: [S::f32s; N]) -> S::f32s {
    let mut sum = simd.mul_f32s(simd.splat_f32s(k[0]), x[0]);
    for i in 1..N {
        sum = simd.mul_add_e_f32s(simd.splat_f32s(k[i]), x[i], sum);
    }
    sum
}
