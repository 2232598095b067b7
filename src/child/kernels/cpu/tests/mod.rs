//! Tests of the operations against plain references in f64.

mod common;
mod conv;
mod depthwise;
mod reference;
mod winograd;
mod elementwise;
mod norm;
mod pool;
mod softmax;
mod update;
