//! The initial weights of a child: Keras's defaults, drawn on the host. Knows nothing of networks.

use rand::Rng;

use crate::seed::{Seed, StreamRng};

/// What a new array is filled with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fill {
    /// Uniform between ±√(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16).
    Glorot { fan_in: usize, fan_out: usize },
    /// Zero: biases, shifts, running means.
    Zeros,
    /// One: scales, running variances.
    Ones,
}

impl Fill {
    /// The values of the array called `name`, of `len` elements: from a stream of its own, so that
    /// one layer's size does not shift another layer's draws.
    pub fn values(self, seed: Seed, name: &str, len: usize) -> Vec<f32> {
        match self {
            Self::Zeros => vec![0.0; len],
            Self::Ones => vec![1.0; len],
            Self::Glorot { fan_in, fan_out } => {
                let limit = (6.0 / (fan_in + fan_out) as f64).sqrt() as f32;
                let mut rng = seed.stream(&format!("child/init/{name}"));
                (0..len)
                    .map(|_| (2.0 * unit(&mut rng) - 1.0) * limit)
                    .collect()
            }
        }
    }
}

/// A number from 0 up to but not including 1, a multiple of 2⁻²⁴: every such number is exact in f32.
pub(super) fn unit(rng: &mut StreamRng) -> f32 {
    (rng.next_u32() >> 8) as f32 * (-24_f32).exp2()
}
