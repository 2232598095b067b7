//! Child networks as data: a graph of operations with its shapes, its cost and its canonical digest.
//! Pure data: knows nothing of weights, Burn or scripts.
//!
//! A script grows expressions of [`Node`]s; [`Network::from_output`] turns the last of them into a
//! [`Network`], the canonical form that is trained, stored and compared.
//!
//! Shapes are those of one image, without the batch: `[channels, height, width]`, or `[features]`
//! once flat.

mod attributes;
mod canonical;
mod cost;
pub mod diagram;
mod digest;
mod graph;
mod measure;
mod memory;
mod node;
mod op;
mod place;
mod shape;
mod skips;
mod summary;

#[cfg(test)]
mod tests;

pub use attributes::{
    Activation, BatchNorm, Conv2d, Dense, DropPath, DropSchedule, Interpolation, Padding, Pool2d,
    Sides,
};
pub use digest::Digest;
pub use graph::{Network, NetworkNode};
pub use memory::TrainingStep;
pub use node::{BatchNormOptions, Conv2dOptions, DenseOptions, Node, PoolOptions};
pub use op::Op;
pub use place::Place;
pub use shape::{MAX_ELEMENTS, same_padding};
pub(crate) use summary::grouped;
