//! Exports as their users meet them: from a run, from a script, and the crates that come out.

mod crates;
mod diagrams;
mod places;
mod runs;
