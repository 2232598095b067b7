//! What a run leaves for people and other programs: CSV history, TensorBoard events, progress in
//! the terminal. Each follows a study as a [`Recorder`](crate::study::Recorder); none decides
//! anything.

pub mod history;
pub mod progress;
pub mod tensorboard;
