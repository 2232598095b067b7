//! The `nas-script` binary.

fn main() {}
