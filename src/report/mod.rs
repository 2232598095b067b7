//! What a run leaves for people and other programs: CSV history, TensorBoard events, progress and
//! plots in the terminal. What follows a study does so as a [`Recorder`](crate::study::Recorder); none
//! decides anything.

pub mod curves;
pub mod history;
pub mod plot;
pub mod progress;
pub mod tensorboard;
