//! The operations of a child on the CPU, on plain slices: batches are channels-last
//! (`[batch, height, width, channels]`, dense), f32. Knows nothing of tensors, networks or autodiff.
//!
//! Each operation has a forward and a backward function that write what the caller hands them; what
//! they need in between lives in [`scratch`], so that nothing is allocated once a training is warm.
//! Results do not depend on the number of threads: work is cut by the size of the batch alone, and
//! partial sums are added in a fixed order.

pub(crate) mod conv;
mod copy;
pub(crate) mod dense;
pub(crate) mod depthwise;
mod direct;
pub(crate) mod elementwise;
pub(crate) mod functions;
pub(crate) mod geometry;
pub(crate) mod lanes;
pub(crate) mod norm;
pub(crate) mod panels;
pub(crate) mod parallel;
mod pointwise;
pub(crate) mod pool;
pub(crate) mod product;
pub(crate) mod scratch;
pub(crate) mod simd;
pub(crate) mod softmax;
#[cfg(test)]
mod tests;
pub(crate) mod update;
pub(crate) mod winograd;

pub(crate) use geometry::Geometry;

/// Lets go of the working memory that is kept by this thread and by those of its pool.
pub(crate) fn release() {
    let release = || {
        scratch::release();
        panels::Tables::release();
    };
    release();
    rayon::broadcast(|_| release());
}

/// An activation that an operation applies to its result before it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Act {
    /// None.
    #[default]
    Identity,
    /// max(0, x).
    Relu,
    /// min(6, max(0, x)).
    Relu6,
}

impl Act {
    /// The bounds that the activation keeps its values within.
    pub fn bounds(self) -> (f32, f32) {
        match self {
            Self::Identity => (f32::NEG_INFINITY, f32::INFINITY),
            Self::Relu => (0.0, f32::INFINITY),
            Self::Relu6 => (0.0, 6.0),
        }
    }
}
