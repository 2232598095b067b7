//! Tests of the kernels against plain sums in f64.

mod winograd;
