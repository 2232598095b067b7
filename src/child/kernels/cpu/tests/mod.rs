//! The kernels against references in double precision.

mod common;
mod depthwise;
mod elementwise;
mod norm;
mod pool;
mod softmax;
mod update;
