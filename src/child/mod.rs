//! Child networks as Burn modules: weights, the forward pass, the training loop. Knows nothing of
//! scripts, studies or rewards.
//!
//! [`train`] answers an [`Evaluation`](crate::evaluation::Evaluation), and is a pure function of it:
//! every random number comes from a named stream of its seed and is drawn on the host, so children
//! that train side by side do not disturb each other, and a training goes on from its [`Checkpoint`] as
//! if there had been no break.

mod checkpoint;
pub mod export;
mod forward;
mod guard;
mod initial;
mod kernels;
mod latency;
mod loss;
mod ops;
mod parameters;
mod precision;
mod schedule;
mod score;
mod shared;
mod state;
mod stopping;
mod train;
mod update;
mod weights;
mod windows;

#[cfg(test)]
mod tests;

pub use checkpoint::Checkpoint;
pub use forward::Child;
pub use guard::quiet_thread;
pub use kernels::{instruction_set, with_burn_operations};
pub use latency::latency;
pub use parameters::Parameters;
pub use precision::check_precision;
pub use score::{Examination, Score, examine, score};
pub use shared::{SharedWeights, Sharing};
pub use train::{Control, Trained, train, train_from};
pub use weights::Weights;
