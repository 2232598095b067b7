//! Which taps lie between an input and an output. Knows nothing of their values.

use super::super::Geometry;

/// The taps between one target and its sources along an axis: tap k has the source `first + k · step`
/// and the weight `weight + k · weight_step`.
#[derive(Clone, Copy)]
pub struct Taps {
    pub first: isize,
    pub step: usize,
    pub count: usize,
    pub weight: isize,
    pub weight_step: isize,
}

impl Taps {
    /// The taps whose sources are within `0..extent`.
    #[inline(always)]
    pub fn within(self, extent: usize) -> Self {
        let Self { first, step, .. } = self;
        let start = match first < 0 {
            true => first.unsigned_abs().div_ceil(step).min(self.count),
            false => 0,
        };
        let room = (extent as isize - first).max(0) as usize;
        let end = match room > step * (self.count.max(1) - 1) {
            true => self.count,
            false => room.div_ceil(step),
        };
        Self {
            first: first + (start * step) as isize,
            count: end.saturating_sub(start),
            weight: self.weight + start as isize * self.weight_step,
            ..self
        }
    }
}

/// Which way a sweep reaches from its targets to its sources.
#[derive(Clone, Copy)]
pub enum Reach {
    /// From outputs to inputs.
    Forward,
    /// From the gradients of inputs to those of outputs.
    Backward,
}

impl Reach {
    /// The sizes of the sources and of the targets.
    pub fn sizes(self, g: &Geometry) -> ([usize; 2], [usize; 2]) {
        match self {
            Self::Forward => (g.input, g.output()),
            Self::Backward => (g.output(), g.input),
        }
    }

    /// Targets this far apart have the same taps, and their sources lie that far apart.
    pub fn period(self, g: &Geometry, axis: usize) -> (usize, usize) {
        match self {
            Self::Forward => (1, g.stride[axis]),
            Self::Backward => (g.stride[axis], 1),
        }
    }

    /// How many columns of zeros the rows of sources need before and after, so that all taps of all
    /// targets meet something.
    pub fn ends(self, g: &Geometry) -> (usize, usize) {
        let (source, target) = self.sizes(g);
        let (mut left, mut right) = (0, 0);
        for place in 0..target[1] {
            let Taps {
                first, step, count, ..
            } = self.taps(g, 1, place);
            let beyond = first + (step * count.max(1)) as isize - (step + source[1] - 1) as isize;
            (left, right) = (left.max(-first), right.max(beyond));
        }
        (left as usize, right as usize)
    }

    /// The taps of the target at `place` along an axis.
    pub fn taps(self, g: &Geometry, axis: usize, place: usize) -> Taps {
        let (kernel, stride, dilation) = (g.kernel[axis], g.stride[axis], g.dilation[axis]);
        let before = g.padding[axis].0;
        match self {
            Self::Forward => Taps {
                first: (place * stride) as isize - before as isize,
                step: dilation,
                count: kernel,
                weight: 0,
                weight_step: 1,
            },
            // Output o reached this input by tap k where o · stride + k · dilation = place + before:
            // every `every`-th tap, the last one from the first output.
            Self::Backward => {
                let place = (place + before) as isize;
                let meets =
                    |k: &usize| (place - (k * dilation) as isize).rem_euclid(stride as isize) == 0;
                let every = stride / gcd(stride, dilation);
                let found = (0..every.min(kernel)).find(meets);
                let start = found.unwrap_or(0);
                let count = match found {
                    Some(start) => (kernel - start).div_ceil(every),
                    None => 0,
                };
                let last = start + every * (count.max(1) - 1);
                Taps {
                    first: (place - (last * dilation) as isize).div_euclid(stride as isize),
                    step: dilation / gcd(stride, dilation),
                    count,
                    weight: last as isize,
                    weight_step: -(every as isize),
                }
            }
        }
    }
}

/// The greatest common divisor.
fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}
