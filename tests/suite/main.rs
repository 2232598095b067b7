//! The binary as its users meet it: every test runs `nas-script` itself, in a folder of its own.

mod docs;
mod errors;
mod harness;
mod layers;
mod repl;
mod runs;
mod tensorboard;
