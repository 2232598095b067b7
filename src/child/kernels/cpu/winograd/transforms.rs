//! The bilinear algorithms of a 3-tap FIR, y(o) = Σ_k x(stride · o + k) w_k, for four outputs:
//! y = A^T [(G w) ⊙ (B^T x)]. A 3x3 convolution applies one down and across. Knows nothing of images.

use pulp::Simd;

/// The outputs of a tile, down and across.
pub const OUTPUTS: usize = 4;

/// The points at which the taps are evaluated, down and across.
pub const WEIGHT_POINTS: usize = 6;

/// A bilinear algorithm with `P` inputs and as many products. A transform and its adjoint are given as
/// additions on registers; the backward pass needs the adjoints.
pub trait Bilinear<const P: usize>: Copy + Send + Sync {
    /// From one output to the next, in inputs.
    const STRIDE: usize;

    /// G. Points of the input beyond its rows share the last.
    const G: [[f32; 3]; WEIGHT_POINTS];

    /// B^T x.
    fn input<S: Simd>(self, simd: S, x: [S::f32s; P]) -> [S::f32s; P];

    /// B v.
    fn input_adjoint<S: Simd>(self, simd: S, v: [S::f32s; P]) -> [S::f32s; P];

    /// A^T m.
    fn output<S: Simd>(self, simd: S, m: [S::f32s; P]) -> [S::f32s; OUTPUTS];

    /// A y.
    fn output_adjoint<S: Simd>(self, simd: S, y: [S::f32s; OUTPUTS]) -> [S::f32s; P];
}

/// a + k b.
#[inline(always)]
fn plus<S: Simd>(simd: S, a: S::f32s, k: f32, b: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(k), b, a)
}

/// Stride 1: F(4, 3) at the points 0, 1, -1, 2, -2 and infinity (Lavin & Gray 2016, section 4.3).
#[derive(Clone, Copy)]
pub struct Unit;

impl Bilinear<6> for Unit {
    const STRIDE: usize = 1;

    const G: [[f32; 3]; WEIGHT_POINTS] = [
        [1.0 / 4.0, 0.0, 0.0],
        [-1.0 / 6.0, -1.0 / 6.0, -1.0 / 6.0],
        [-1.0 / 6.0, 1.0 / 6.0, -1.0 / 6.0],
        [1.0 / 24.0, 1.0 / 12.0, 1.0 / 6.0],
        [1.0 / 24.0, -1.0 / 12.0, 1.0 / 6.0],
        [0.0, 0.0, 1.0],
    ];

    #[inline(always)]
    fn input<S: Simd>(self, simd: S, x: [S::f32s; 6]) -> [S::f32s; 6] {
        let even = plus(simd, x[4], -4.0, x[2]);
        let odd = plus(simd, x[3], -4.0, x[1]);
        let even_2 = simd.sub_f32s(x[4], x[2]);
        let odd_2 = simd.sub_f32s(x[3], x[1]);
        [
            plus(simd, plus(simd, x[4], -5.0, x[2]), 4.0, x[0]),
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            plus(simd, even_2, 2.0, odd_2),
            plus(simd, even_2, -2.0, odd_2),
            plus(simd, plus(simd, x[5], -5.0, x[3]), 4.0, x[1]),
        ]
    }

    #[inline(always)]
    fn input_adjoint<S: Simd>(self, simd: S, v: [S::f32s; 6]) -> [S::f32s; 6] {
        let (sum, difference) = (simd.add_f32s(v[1], v[2]), simd.sub_f32s(v[1], v[2]));
        let (sum_2, difference_2) = (simd.add_f32s(v[3], v[4]), simd.sub_f32s(v[3], v[4]));
        let four = simd.splat_f32s(4.0);
        let minus = simd.sub_f32s(v[5], difference);
        [
            simd.mul_f32s(four, v[0]),
            plus(simd, simd.mul_f32s(four, minus), -2.0, difference_2),
            simd.sub_f32s(
                simd.mul_f32s(simd.splat_f32s(-4.0), sum),
                plus(simd, sum_2, 5.0, v[0]),
            ),
            plus(simd, plus(simd, difference, -5.0, v[5]), 2.0, difference_2),
            simd.add_f32s(simd.add_f32s(v[0], sum), sum_2),
            v[5],
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(self, simd: S, m: [S::f32s; 6]) -> [S::f32s; OUTPUTS] {
        let (sum, difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
        let (sum_2, difference_2) = (simd.add_f32s(m[3], m[4]), simd.sub_f32s(m[3], m[4]));
        [
            simd.add_f32s(simd.add_f32s(m[0], sum), sum_2),
            plus(simd, difference, 2.0, difference_2),
            plus(simd, sum, 4.0, sum_2),
            plus(simd, simd.add_f32s(m[5], difference), 8.0, difference_2),
        ]
    }

    #[inline(always)]
    fn output_adjoint<S: Simd>(self, simd: S, y: [S::f32s; OUTPUTS]) -> [S::f32s; 6] {
        let (even, odd) = (simd.add_f32s(y[0], y[2]), simd.add_f32s(y[1], y[3]));
        let even_2 = plus(simd, y[0], 4.0, y[2]);
        let odd_2 = plus(simd, y[1], 4.0, y[3]);
        [
            y[0],
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            plus(simd, even_2, 2.0, odd_2),
            plus(simd, even_2, -2.0, odd_2),
            y[3],
        ]
    }
}

/// Stride 2. The even inputs meet the outer taps: F(4, 2) at the points 0, 1, -1, 2 and infinity. The
/// odd inputs meet the middle tap: four plain products, which share a point of the taps. Down and
/// across, 81 products instead of 144.
#[derive(Clone, Copy)]
pub struct Double;

impl Bilinear<9> for Double {
    const STRIDE: usize = 2;

    const G: [[f32; 3]; WEIGHT_POINTS] = [
        [1.0 / 2.0, 0.0, 0.0],
        [1.0 / 2.0, 0.0, 1.0 / 2.0],
        [1.0 / 6.0, 0.0, -1.0 / 6.0],
        [1.0 / 6.0, 0.0, 1.0 / 3.0],
        [0.0, 0.0, 1.0],
        [0.0, 1.0, 0.0],
    ];

    #[inline(always)]
    fn input<S: Simd>(self, simd: S, x: [S::f32s; 9]) -> [S::f32s; 9] {
        let difference = simd.sub_f32s(x[6], x[2]);
        let last = simd.sub_f32s(x[8], x[4]);
        let middle = plus(simd, x[4], 2.0, x[2]);
        [
            plus(simd, difference, 2.0, simd.sub_f32s(x[0], x[4])),
            simd.sub_f32s(middle, x[6]),
            plus(
                simd,
                simd.sub_f32s(plus(simd, middle, -4.0, x[2]), x[6]),
                2.0,
                x[4],
            ),
            difference,
            plus(simd, last, -2.0, difference),
            x[1],
            x[3],
            x[5],
            x[7],
        ]
    }

    #[inline(always)]
    fn input_adjoint<S: Simd>(self, simd: S, v: [S::f32s; 9]) -> [S::f32s; 9] {
        let difference = simd.sub_f32s(v[1], v[2]);
        let two_v0 = simd.add_f32s(v[0], v[0]);
        // What the points 0, 2 and infinity give to x[6], and take from x[2].
        let ends = simd.add_f32s(plus(simd, v[0], -2.0, v[4]), v[3]);
        [
            two_v0,
            v[5],
            plus(
                simd,
                simd.sub_f32s(simd.splat_f32s(0.0), ends),
                2.0,
                difference,
            ),
            v[6],
            simd.sub_f32s(simd.sub_f32s(plus(simd, v[1], 3.0, v[2]), two_v0), v[4]),
            v[7],
            simd.sub_f32s(ends, simd.add_f32s(v[1], v[2])),
            v[8],
            v[4],
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(self, simd: S, m: [S::f32s; 9]) -> [S::f32s; OUTPUTS] {
        let (sum, difference) = (simd.add_f32s(m[1], m[2]), simd.sub_f32s(m[1], m[2]));
        let first = simd.add_f32s(simd.add_f32s(m[0], m[3]), m[5]);
        let last = plus(simd, simd.add_f32s(m[4], m[8]), 8.0, m[3]);
        [
            simd.add_f32s(first, sum),
            plus(simd, simd.add_f32s(difference, m[6]), 2.0, m[3]),
            plus(simd, simd.add_f32s(sum, m[7]), 4.0, m[3]),
            simd.add_f32s(last, difference),
        ]
    }

    #[inline(always)]
    fn output_adjoint<S: Simd>(self, simd: S, y: [S::f32s; OUTPUTS]) -> [S::f32s; 9] {
        let (even, odd) = (simd.add_f32s(y[0], y[2]), simd.add_f32s(y[1], y[3]));
        let (even_2, odd_2) = (plus(simd, y[0], 4.0, y[2]), plus(simd, y[1], 4.0, y[3]));
        [
            y[0],
            simd.add_f32s(even, odd),
            simd.sub_f32s(even, odd),
            plus(simd, even_2, 2.0, odd_2),
            y[3],
            y[0],
            y[1],
            y[2],
            y[3],
        ]
    }
}
