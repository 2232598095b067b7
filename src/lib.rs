//! `nas-script`: neural architecture search as a script. The rooms and who may use whom are in
//! `docs/ARCHITECTURE.md`.

pub mod child;
pub mod data;
pub mod error;
pub mod evaluation;
pub mod network;
pub mod seed;
pub mod space;

pub use error::{Error, Result};
