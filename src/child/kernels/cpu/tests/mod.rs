//! The kernels against references in double precision.

mod common;
mod depthwise;
mod norm;
mod pool;
