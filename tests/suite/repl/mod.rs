//! The interactive session, in a terminal of its own.

mod commands;
mod completion;
mod editing;
mod interrupts;
mod piped;
mod searches;
mod terminal;
mod values;
