//! Tests of the operations against plain references in f64.

mod common;
mod conv;
mod dense;
mod depthwise;
mod elementwise;
mod levels;
mod norm;
mod pool;
mod reference;
mod softmax;
mod update;
mod winograd;
