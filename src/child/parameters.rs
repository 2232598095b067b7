//! The trainable parameters and the running statistics of a child, made from named arrays. Knows
//! which operation has which arrays, not where their values come from.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

use super::initial::Fill;
use crate::error::Result;
use crate::network::{Network, Op};

/// The trainable parameters, by kind of layer, in the order of the network's nodes.
#[derive(Module, Debug)]
pub struct Parameters {
    /// Convolutions, transposed ones among them.
    pub(super) convs: Vec<Conv>,
    pub(super) denses: Vec<Dense>,
    /// Batch normalisations.
    pub(super) norms: Vec<Norm>,
    /// Layer and group normalisations.
    pub(super) scales: Vec<Norm>,
}

/// A convolution's parameters.
#[derive(Module, Debug)]
pub struct Conv {
    /// `[filters, channels / groups, height, width]`; of a transposed convolution
    /// `[channels, filters / groups, height, width]`.
    pub(super) weight: Param<Tensor<4>>,
    /// `[filters]`.
    pub(super) bias: Option<Param<Tensor<1>>>,
}

/// A dense layer's parameters.
#[derive(Module, Debug)]
pub struct Dense {
    /// `[features, units]`.
    pub(super) weight: Param<Tensor<2>>,
    /// `[units]`.
    pub(super) bias: Option<Param<Tensor<1>>>,
}

/// A normalisation's parameters, each `[channels]`.
#[derive(Module, Debug)]
pub struct Norm {
    /// The scale.
    pub(super) weight: Param<Tensor<1>>,
    /// The shift.
    pub(super) bias: Param<Tensor<1>>,
}

/// The running statistics of a batch normalisation, each `[channels]`: state, not parameters, so that
/// no optimizer sees them.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub mean: Tensor<1>,
    pub variance: Tensor<1>,
}

/// An array that a child asks for.
pub(super) struct Request {
    /// The node's index in the network.
    pub node: usize,
    /// Which of the node's arrays it is, such as "weight".
    pub part: &'static str,
    /// Such as "3.conv2d.weight": the node's index in the network, its operation, the array.
    pub name: String,
    pub shape: Vec<usize>,
    /// What a new child has there.
    pub fill: Fill,
}

/// Makes the parameters and statistics of `network` on `device` from the arrays that `source` gives.
pub(super) fn assemble(
    network: &Network,
    device: &Device,
    source: &mut dyn FnMut(&Request) -> Result<Vec<f32>>,
) -> Result<(Parameters, Vec<Running>)> {
    let mut parameters = Parameters {
        convs: Vec::new(),
        denses: Vec::new(),
        norms: Vec::new(),
        scales: Vec::new(),
    };
    let mut running = Vec::new();
    for (index, node) in network.nodes().iter().enumerate() {
        let mut array = |part: &'static str, shape: &[usize], fill: Fill| {
            let request = Request {
                node: index,
                part,
                name: name(index, &node.op, part),
                shape: shape.to_vec(),
                fill,
            };
            Ok(TensorData::new(source(&request)?, shape))
        };
        let channels = node
            .inputs
            .first()
            .map_or(0, |&input| network.nodes()[input].shape[0]);
        match &node.op {
            Op::Conv2d(conv) | Op::ConvTranspose2d(conv) => {
                let [height, width] = conv.kernel;
                let area = height * width;
                let shape = match node.op {
                    Op::ConvTranspose2d(_) => [channels, conv.filters / conv.groups, height, width],
                    _ => [conv.filters, channels / conv.groups, height, width],
                };
                let fill = Fill::Glorot {
                    fan_in: channels / conv.groups * area,
                    fan_out: conv.filters * area,
                };
                parameters.convs.push(Conv {
                    weight: Param::from_data(array("weight", &shape, fill)?, device),
                    bias: match conv.bias {
                        true => Some(Param::from_data(
                            array("bias", &[conv.filters], Fill::Zeros)?,
                            device,
                        )),
                        false => None,
                    },
                });
            }
            Op::Dense(dense) => {
                let fill = Fill::Glorot {
                    fan_in: channels,
                    fan_out: dense.units,
                };
                parameters.denses.push(Dense {
                    weight: Param::from_data(
                        array("weight", &[channels, dense.units], fill)?,
                        device,
                    ),
                    bias: match dense.bias {
                        true => Some(Param::from_data(
                            array("bias", &[dense.units], Fill::Zeros)?,
                            device,
                        )),
                        false => None,
                    },
                });
            }
            Op::BatchNorm(_) => {
                let shape = [channels];
                parameters.norms.push(Norm {
                    weight: Param::from_data(array("weight", &shape, Fill::Ones)?, device),
                    bias: Param::from_data(array("bias", &shape, Fill::Zeros)?, device),
                });
                let plain = device.clone().without_autodiff();
                running.push(Running {
                    mean: Tensor::from_data(array("running_mean", &shape, Fill::Zeros)?, &plain),
                    variance: Tensor::from_data(array("running_var", &shape, Fill::Ones)?, &plain),
                });
            }
            Op::LayerNorm { .. } | Op::GroupNorm { .. } => {
                let shape = [channels];
                parameters.scales.push(Norm {
                    weight: Param::from_data(array("weight", &shape, Fill::Ones)?, device),
                    bias: Param::from_data(array("bias", &shape, Fill::Zeros)?, device),
                });
            }
            _ => {}
        }
    }
    Ok((parameters, running))
}

/// The name of an array: "3.conv2d.weight".
pub(super) fn name(node: usize, op: &Op, part: &str) -> String {
    format!("{node}.{}.{part}", op.name())
}
