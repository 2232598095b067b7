//! Trained children in formats that run elsewhere. Knows networks and host weights, no Burn.

pub mod onnx;
