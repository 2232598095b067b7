//! Tests of the operations against plain references in f64.

mod conv;
mod reference;
mod winograd;
