//! The binary as its users meet it: every test runs `nas-script` itself, in a folder of its own.

// A test may unwrap; the lint knows that only of the `#[test]` functions themselves.
#![allow(clippy::unwrap_used)]

mod check;
mod checkpoints;
mod devices;
mod diagnostics;
mod docs;
mod downloads;
mod errors;
mod export;
mod exports;
mod fleet;
mod guide;
mod harness;
mod hostile;
mod layers;
mod looks;
mod networks;
mod onnx;
mod options;
mod python;
mod recipes;
mod repl;
mod runs;
mod searches;
mod shared_recipes;
mod spaces;
mod studies;
mod torch;
mod workers;
