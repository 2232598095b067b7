//! What a run leaves for people and other programs: CSV history, TensorBoard events, progress and
//! plots in the terminal. What follows a study does so as a [`Recorder`](crate::study::Recorder); none
//! decides anything.

pub mod curves;
pub mod dashboard;
pub mod document;
pub mod figures;
pub mod history;
pub mod mlflow;
pub mod page;
pub mod plot;
pub mod progress;
pub mod raster;
pub mod summary;
pub mod table;
pub mod tensorboard;
pub mod trials;
pub mod view;
pub mod words;
