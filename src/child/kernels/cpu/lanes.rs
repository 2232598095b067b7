//! What the operations on lanes share: walks over a run of values and activations in registers.
//! Knows nothing of shapes.

use pulp::Simd;

use super::Act;

/// The lanes of the widest register: tables padded to it are read by whole registers.
pub const WIDEST: usize = 16;

/// Calls `work(at, count)` for each register of a run of `len` values, of which it covers `count`.
#[inline(always)]
pub fn walk<S: Simd>(_: S, len: usize, mut work: impl FnMut(usize, usize)) {
    let whole = len - len % S::F32_LANES;
    for at in (0..whole).step_by(S::F32_LANES) {
        // The constant lets the compiler drop the partial reads and writes from this loop.
        work(at, S::F32_LANES);
    }
    if whole < len {
        work(whole, len - whole);
    }
}

/// The activation of `x`.
#[inline(always)]
pub fn activate<S: Simd>(simd: S, act: Act, x: S::f32s) -> S::f32s {
    let (low, high) = act.bounds();
    // The bound first: of a bound and NaN, x86 gives the second, NaN.
    simd.min_f32s(
        simd.splat_f32s(high),
        simd.max_f32s(simd.splat_f32s(low), x),
    )
}

/// The gradient `dy` before the activation whose result is `y`.
#[inline(always)]
pub fn gate<S: Simd>(simd: S, act: Act, y: S::f32s, dy: S::f32s) -> S::f32s {
    let (low, high) = act.bounds();
    let inside = simd.and_m32s(
        simd.less_than_f32s(simd.splat_f32s(low), y),
        simd.less_than_f32s(y, simd.splat_f32s(high)),
    );
    match act {
        Act::Identity => dy,
        Act::Relu | Act::Relu6 => simd.select_f32s(inside, dy, simd.splat_f32s(0.0)),
    }
}
