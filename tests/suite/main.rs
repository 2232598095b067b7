//! The binary as its users meet it: every test runs `nas-script` itself, in a folder of its own.

// A test may unwrap; the lint knows that only of the `#[test]` functions themselves.
#![allow(clippy::unwrap_used)]

mod checkpoints;
mod devices;
mod docs;
mod downloads;
mod errors;
mod export;
mod fleet;
mod harness;
mod hostile;
mod layers;
mod networks;
mod onnx;
mod options;
mod python;
mod recipes;
mod repl;
mod runs;
mod searches;
mod spaces;
mod studies;
mod tensorboard;
mod torch;
mod workers;
