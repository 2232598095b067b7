//! Children trained by other processes, of this machine and of others: worker processes, the workers that take
//! jobs from the store's queue, and the executor that puts jobs there. Knows nothing of scripts, nor of SQL.
//!
//! There is one way for a job, wherever it is carried out: [`Fleet`] enqueues it, a [`Worker`] claims it and
//! has a runner process train it, [`Fleet`] sees its outcome in the store. What is guaranteed, and by what, is
//! in `docs/fleet.md`.

mod coordinator;
mod process;
mod runner;
mod system;
mod task;
mod worker;

#[cfg(test)]
mod tests;

pub use coordinator::{Fleet, Local, Setup};
pub use runner::Runner;
pub use task::{Task, Unfit};
pub use worker::{Notice, Post, Said, Worker, default_memory, host};

use crate::evaluation::{Evaluation, Outcome};

/// An outcome of `asked` that says only what is known without training.
fn untrained(asked: &Evaluation) -> Outcome {
    Outcome {
        params: asked.network.params(),
        macs: asked.network.macs(),
        ..Outcome::default()
    }
}
