//! A child: its steps, its parameters and its forward pass. Knows operations by name only; how each
//! is computed is `ops`' business.

use std::sync::Arc;

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::kernels::Act;
use super::ops::{self, Values};
use super::parameters::{self, Parameters, Request, Running};
use super::precision::in_f32;
use super::weights::Weights;
use super::windows;
use crate::error::{Error, Result};
use crate::network::{BatchNorm, Network, NetworkNode, Op};
use crate::seed::{Seed, StreamRng};

/// A network with weights on a device.
///
/// The [`Parameters`] are the Burn module that an optimizer steps; the running statistics of batch
/// normalisations stay apart from them.
#[derive(Clone, Debug)]
pub struct Child {
    pub(super) parameters: Parameters,
    pub(super) running: Vec<Running>,
    steps: Arc<[Step]>,
    /// Room for the activations of a training step; empty between steps.
    values: Vec<Values>,
}

/// One operation of the forward pass.
#[derive(Debug)]
struct Step {
    op: Op,
    /// The steps that are read, each with whether this is the last reading.
    reads: Vec<(usize, bool)>,
    /// Which of the parameters of its kind are this step's.
    slot: usize,
    /// The activation after it that the step applies itself.
    act: Act,
}

impl Child {
    /// Gives `network` fresh weights, drawn from the streams `child/init/…` of `seed`: Glorot uniform
    /// kernels and zero biases, as in Keras. On an autodiff device the child can be trained.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the network does not lead from an image to a flat output.
    pub fn build(network: &Network, seed: Seed, device: &Device) -> Result<Self> {
        Self::assemble(network, device, &mut |request| {
            let len = request.shape.iter().product();
            Ok(request.fill.values(seed, &request.name, len))
        })
    }

    /// Gives `network` the weights that another child of the same network had.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an array is missing, has another shape, or is not the network's; also
    /// as [`build`](Self::build).
    pub fn with_weights(network: &Network, weights: &Weights, device: &Device) -> Result<Self> {
        let mut asked = 0;
        let child = Self::assemble(network, device, &mut |request| {
            asked += 1;
            weights.values(&request.name, &request.shape)
        })?;
        if asked != weights.len() {
            return Err(Error::invalid(
                "weights",
                format!("{asked} arrays"),
                weights.len(),
            ));
        }
        Ok(child)
    }

    pub(super) fn assemble(
        network: &Network,
        device: &Device,
        source: &mut dyn FnMut(&Request) -> Result<Vec<f32>>,
    ) -> Result<Self> {
        if network.input_shape().len() != 3 || network.shape().len() != 1 {
            return Err(Error::invalid(
                "network",
                "an image as input and a flat output",
                format!("{:?} and {:?}", network.input_shape(), network.shape()),
            ));
        }
        let (parameters, running) = parameters::assemble(network, device, source)?;
        Ok(Self {
            parameters,
            running,
            steps: steps(network).into(),
            values: Vec::new(),
        })
    }

    /// The logits `[batch, classes]` of `images`, `[batch, channels, height, width]`: dropout is off,
    /// and batch normalisations use their running statistics.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let norm = |x, slot: usize, norm: &_, act| {
            let (weights, running) = (&self.parameters.norms[slot], &self.running[slot]);
            ops::batch_norm(x, weights, running, norm, act)
        };
        let values = &mut Vec::new();
        run(
            &self.steps,
            &self.parameters,
            values,
            images,
            norm,
            |x, _| x,
        )
    }

    /// The logits as [`forward`](Self::forward) computes them, but batch normalisations use the statistics of these
    /// images, as in training.
    pub(super) fn forward_by_batch(&self, images: Tensor<4>) -> Tensor<2> {
        let Self {
            parameters,
            running,
            ..
        } = self;
        let norm = |x, slot: usize, norm: &_, act| {
            let unused = &mut running[slot].clone();
            ops::batch_norm_train(x, &parameters.norms[slot], unused, norm, act)
        };
        let values = &mut Vec::new();
        run(&self.steps, parameters, values, images, norm, |x, _| x)
    }

    /// The logits in training: what is dropped comes from `dropout`, and batch normalisations use the
    /// statistics of the batch and update their running ones. `progress` is the share of the training
    /// that is done, 0 to 1, which scheduled drop paths follow.
    pub fn forward_train(
        &mut self,
        images: Tensor<4>,
        progress: f64,
        dropout: &mut StreamRng,
    ) -> Tensor<2> {
        let Self {
            parameters,
            running,
            steps,
            values,
        } = self;
        let norms = &parameters.norms;
        let norm = |x, slot: usize, norm: &_, act| {
            ops::batch_norm_train(x, &norms[slot], &mut running[slot], norm, act)
        };
        run(steps, parameters, values, images, norm, |x, op| match op {
            Op::Dropout { rate } => ops::dropout(x, *rate, dropout),
            Op::DropPath(drop) => ops::drop_path(x, drop, progress, dropout),
            _ => x,
        })
    }

    /// A copy without autodiff, for evaluation. Tensors are shared until one side changes.
    #[must_use]
    pub fn valid(&self) -> Self {
        Self {
            parameters: self.parameters.valid(),
            running: self.running.clone(),
            steps: Arc::clone(&self.steps),
            values: Vec::new(),
        }
    }

    /// The number of trainable parameters.
    pub fn params(&self) -> usize {
        self.parameters.num_params()
    }

    /// Copies every parameter and running statistic to the host.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the device holds something other than f32.
    pub fn weights(&self) -> Result<Weights> {
        let mut weights = Weights::default();
        for (node, step) in self.steps.iter().enumerate() {
            let name = |part: &str| parameters::name(node, &step.op, part);
            match &step.op {
                Op::Conv2d(_) | Op::ConvTranspose2d(_) => {
                    let conv = &self.parameters.convs[step.slot];
                    weights.insert(name("weight"), conv.weight.val().into_data())?;
                    if let Some(bias) = &conv.bias {
                        weights.insert(name("bias"), bias.val().into_data())?;
                    }
                }
                Op::Dense(_) => {
                    let dense = &self.parameters.denses[step.slot];
                    weights.insert(name("weight"), dense.weight.val().into_data())?;
                    if let Some(bias) = &dense.bias {
                        weights.insert(name("bias"), bias.val().into_data())?;
                    }
                }
                Op::BatchNorm(_) => {
                    let norm = &self.parameters.norms[step.slot];
                    let running = &self.running[step.slot];
                    weights.insert(name("weight"), norm.weight.val().into_data())?;
                    weights.insert(name("bias"), norm.bias.val().into_data())?;
                    weights.insert(name("running_mean"), running.mean.to_data())?;
                    weights.insert(name("running_var"), running.variance.to_data())?;
                }
                Op::LayerNorm { .. } | Op::GroupNorm { .. } => {
                    let norm = &self.parameters.scales[step.slot];
                    weights.insert(name("weight"), norm.weight.val().into_data())?;
                    weights.insert(name("bias"), norm.bias.val().into_data())?;
                }
                _ => {}
            }
        }
        Ok(weights)
    }
}

/// The steps of `network`, one for each node.
fn steps(network: &Network) -> Vec<Step> {
    let nodes = network.nodes();
    let mut readers = vec![0; nodes.len()];
    let mut last_reader = vec![usize::MAX; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for &input in &node.inputs {
            readers[input] += 1;
            last_reader[input] = index;
        }
    }
    // What an operation applies itself is one pass over the activations less.
    let act = |index: usize| match (&nodes[index].op, nodes.get(last_reader[index])) {
        (
            Op::Conv2d(_) | Op::BatchNorm(_) | Op::Add,
            Some(NetworkNode {
                op: Op::Activation(activation),
                ..
            }),
        ) if readers[index] == 1 => ops::fused(*activation),
        _ => None,
    };
    let (mut convs, mut denses, mut norms, mut scales) = (0, 0, 0, 0);
    let take = |count: &mut usize| std::mem::replace(count, *count + 1);
    let step = |(index, node): (usize, &NetworkNode)| Step {
        op: node.op.clone(),
        reads: (0..node.inputs.len())
            .map(|position| {
                let input = node.inputs[position];
                // A node may be read twice by one step: the later reading is the last.
                let again = node.inputs[position + 1..].contains(&input);
                (input, last_reader[input] == index && !again)
            })
            .collect(),
        slot: match node.op {
            Op::Conv2d(_) | Op::ConvTranspose2d(_) => take(&mut convs),
            Op::Dense(_) => take(&mut denses),
            Op::BatchNorm(_) => take(&mut norms),
            Op::LayerNorm { .. } | Op::GroupNorm { .. } => take(&mut scales),
            _ => 0,
        },
        act: act(index).unwrap_or_default(),
    };
    nodes.iter().enumerate().map(step).collect()
}

/// Runs the steps; an activation is let go when its last reader takes it.
fn run(
    steps: &[Step],
    parameters: &Parameters,
    values: &mut Vec<Values>,
    images: Tensor<4>,
    mut norm: impl FnMut(Values, usize, &BatchNorm, Act) -> Values,
    mut dropped: impl FnMut(Values, &Op) -> Values,
) -> Tensor<2> {
    // Where an activation was let go, the images stand in: they are alive anyway.
    let images = Values::Image(images);
    values.reserve(steps.len());
    for step in steps {
        let mut inputs: Vec<Values> = step
            .reads
            .iter()
            .map(|&(input, last)| match last {
                true => std::mem::replace(&mut values[input], images.clone()),
                false => values[input].clone(),
            })
            .collect();
        let value = match (&step.op, inputs.pop()) {
            (Op::Input { .. }, _) | (_, None) => images.clone(),
            (Op::Conv2d(conv), Some(x)) => {
                let weights = &parameters.convs[step.slot];
                Values::Image(windows::conv2d(x.image(), weights, conv, step.act))
            }
            (Op::ConvTranspose2d(conv), Some(x)) => {
                let weights = &parameters.convs[step.slot];
                Values::Image(windows::conv_transpose2d(x.image(), weights, conv))
            }
            (Op::MaxPool2d(pool), Some(x)) => Values::Image(windows::max_pool2d(x.image(), pool)),
            (Op::AvgPool2d(pool), Some(x)) => Values::Image(windows::avg_pool2d(x.image(), pool)),
            (Op::GlobalAvgPool, Some(x)) => Values::Flat(windows::global_avg_pool(x.image())),
            (Op::Flatten, Some(x)) => Values::Flat(x.flat()),
            (Op::Dense(_), Some(x)) => {
                Values::Flat(ops::dense(x.flat(), &parameters.denses[step.slot]))
            }
            (Op::BatchNorm(attributes), Some(x)) => {
                in_f32(x, |x| norm(x, step.slot, attributes, step.act))
            }
            (Op::LayerNorm { epsilon }, Some(x)) => in_f32(x, |x| {
                ops::layer_norm(x, &parameters.scales[step.slot], *epsilon)
            }),
            (Op::GroupNorm { groups, epsilon }, Some(x)) => {
                let scale = &parameters.scales[step.slot];
                in_f32(x, |x| ops::group_norm(x, scale, *groups, *epsilon))
            }
            (op @ (Op::Dropout { .. } | Op::DropPath(_)), Some(x)) => dropped(x, op),
            (Op::Activation(_), Some(x)) if steps[step.reads[0].0].act != Act::Identity => x,
            (Op::Activation(activation), Some(x)) => ops::activation(x, *activation),
            (Op::Add, Some(last)) => {
                inputs.push(last);
                ops::add(inputs, step.act)
            }
            (Op::Multiply, Some(b)) => match inputs.pop() {
                Some(a) => ops::multiply(a, b),
                None => b,
            },
            (Op::ZeroPad2d(sides), Some(x)) => Values::Image(ops::zero_pad2d(x.image(), *sides)),
            (Op::Crop2d(sides), Some(x)) => Values::Image(ops::crop2d(x.image(), *sides)),
            (Op::Resize { size, mode }, Some(x)) => {
                Values::Image(ops::resize(x.image(), *size, *mode))
            }
            (Op::ChannelShuffle { groups }, Some(x)) => {
                Values::Image(ops::channel_shuffle(x.image(), *groups))
            }
            (Op::Concat, Some(last)) => {
                inputs.push(last);
                ops::concat(inputs)
            }
        };
        values.push(value);
    }
    let logits = values.pop().unwrap_or(images).flat();
    values.clear();
    logits
}
