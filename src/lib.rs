//! `nas-script`: neural architecture search as a script. The rooms and who may use whom are in
//! `docs/ARCHITECTURE.md`.

pub mod arrays;
#[expect(
    unsafe_code,
    reason = "the numbers of a buffer as bytes; each use is argued"
)]
pub(crate) mod buffers;
pub mod child;
pub mod cli;
pub mod controller;
pub mod data;
pub mod device;
pub mod error;
pub mod evaluation;
pub mod fleet;
pub mod manager;
pub mod network;
pub mod recipe;
pub mod repl;
pub mod report;
pub mod script;
pub mod seed;
pub mod space;
pub mod study;

pub use error::{Error, Result};
