//! A child as an ONNX model, for ONNX Runtime and whatever else reads ONNX. Knows the model's frame;
//! operations are `lower`'s business, messages `proto`'s.

mod elements;
mod graph;
mod lower;
mod norms;
mod pixels;
mod proto;
mod windows;

use prost::Message;

use self::graph::batch_of;
use self::lower::Lowering;
use self::proto::{ModelProto, OperatorSetIdProto, StringStringEntryProto};
use crate::child::Weights;
use crate::error::{Error, Result};
use crate::network::Network;

/// The version of ONNX's operators: new enough for layer normalisation (17), and read by every
/// runtime since 2023.
const OPSET: i64 = 18;

/// The version of the file format that came with [`OPSET`].
const IR_VERSION: i64 = 8;

/// The most bytes that a protobuf message may have.
const MAX_BYTES: u64 = i32::MAX as u64;

/// Turns `network` with `weights` into the bytes of an ONNX model (opset 18), which computes what
/// [`Child::forward`](crate::child::Child::forward) does: dropout is off, and batch normalisations use
/// their running statistics.
///
/// The input "images" is `[batch, channels, height, width]`, the output "logits" `[batch, classes]`,
/// both f32 and of any batch. The weights are inside, by the names they have in [`Weights`], and nodes
/// are named after the network's, "3.conv2d". The network's digest is the model's property
/// "network_digest". Equal arguments give equal bytes.
///
/// # Errors
/// [`Error::Invalid`] where the network does not lead from an image to a flat output; where an array
/// of weights is missing, has another shape or is not the network's; or where the model would have
/// 2 GiB or more, which protobuf cannot hold.
pub fn model(network: &Network, weights: &Weights) -> Result<Vec<u8>> {
    let (images, logits) = (network.input_shape(), network.shape());
    if images.len() != 3 || logits.len() != 1 {
        return Err(Error::invalid(
            "network",
            "an image as input and a flat output",
            format!("{images:?} and {logits:?}"),
        ));
    }
    // Known before anything is copied; what else is in a model is small.
    fits(network.params().saturating_mul(4))?;

    let (graph, last) = Lowering::of(network, weights, "images")?;
    let (images, logits) = (batch_of("images", images)?, batch_of("logits", logits)?);
    let entry = |key: &str, value: String| StringStringEntryProto {
        key: Some(key.to_string()),
        value: Some(value),
    };
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some(env!("CARGO_PKG_NAME").into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        graph: Some(graph.finish(images, &last, logits)),
        opset_import: vec![OperatorSetIdProto {
            domain: Some(String::new()),
            version: Some(OPSET),
        }],
        metadata_props: vec![entry("network_digest", network.digest().to_string())],
    };
    fits(model.encoded_len() as u64)?;
    Ok(model.encode_to_vec())
}

/// Refuses what protobuf cannot hold.
fn fits(bytes: u64) -> Result<()> {
    if bytes <= MAX_BYTES {
        return Ok(());
    }
    Err(Error::invalid(
        "ONNX model",
        format!("at most {MAX_BYTES} bytes, the most that protobuf can hold"),
        format!("{bytes} bytes"),
    ))
}
