//! The expression a script grows: immutable nodes, each checked when it is made. Knows the shape
//! rules, but nothing of canonical order.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::attributes::{
    Activation, BatchNorm, Conv2d, Dense, DropPath, Interpolation, Padding, Pool2d, Sides,
};
use super::op::Op;
use super::place::Place;
use super::{Network, shape};
use crate::error::Result;

/// The options of [`Node::conv2d`] and of the convolutions made like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2dOptions {
    /// The step from window to window, `[height, width]`. Default 1.
    pub stride: [usize; 2],
    /// What happens at the border. Default [`Padding::Same`].
    pub padding: Padding,
    /// The distance between the taps of the kernel, `[height, width]`. Default 1.
    pub dilation: [usize; 2],
    /// How many groups the channels fall into. Default 1; as many as channels: depthwise.
    pub groups: usize,
    /// Whether each filter has a bias. Default true.
    pub bias: bool,
}

impl Default for Conv2dOptions {
    fn default() -> Self {
        Self {
            stride: [1, 1],
            padding: Padding::Same,
            dilation: [1, 1],
            groups: 1,
            bias: true,
        }
    }
}

/// The options of [`Node::max_pool2d`] and [`Node::avg_pool2d`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// The step from window to window, `[height, width]`. Default: the kernel.
    pub stride: Option<[usize; 2]>,
    /// What happens at the border. Default [`Padding::Valid`], as in Keras.
    pub padding: Padding,
}

impl Default for PoolOptions {
    fn default() -> Self {
        Self {
            stride: None,
            padding: Padding::Valid,
        }
    }
}

/// The options of [`Node::dense`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DenseOptions {
    /// Whether each unit has a bias. Default true.
    pub bias: bool,
}

impl Default for DenseOptions {
    fn default() -> Self {
        Self { bias: true }
    }
}

/// The options of [`Node::batch_norm`].
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNormOptions {
    /// The weight of the newest batch in the running statistics, from 0 to 1, as in PyTorch (Keras's
    /// momentum is one minus this). Default 0.1.
    pub momentum: f64,
    /// What is added to the variance. Default 1e-5.
    pub epsilon: f64,
}

impl Default for BatchNormOptions {
    fn default() -> Self {
        Self {
            momentum: 0.1,
            epsilon: 1e-5,
        }
    }
}

/// A point in a network: an operation on earlier nodes, and the shape it gives.
///
/// A clone is the same node, so an operation with weights that is used twice shares them; calling
/// [`conv2d`](Self::conv2d) twice makes two convolutions with weights of their own.
#[derive(Clone)]
pub struct Node {
    inner: Arc<Inner>,
    /// The scope of what is applied from here on.
    scope: Option<Arc<str>>,
}

struct Inner {
    op: Op,
    inputs: Vec<Node>,
    shape: Vec<usize>,
    place: Place,
    /// The network that ends here, once someone asked for it.
    network: OnceLock<Arc<Network>>,
}

impl Node {
    /// Starts a network at an input of shape `[channels, height, width]` or `[features]`.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) for another rank, a zero size or too many elements.
    pub fn input(shape: &[usize]) -> Result<Self> {
        let shape = shape.to_vec();
        Self::apply(Op::Input { shape }, Vec::new())
    }

    /// Applies any operation: what the named methods come down to.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) where the inputs do not fit the operation, [`Invalid`](crate::Error::Invalid) for impossible
    /// attributes.
    pub fn apply(op: Op, inputs: Vec<Node>) -> Result<Self> {
        let shapes: Vec<&[usize]> = inputs.iter().map(Node::shape).collect();
        let shape = shape::infer(&op, &shapes)?;
        Ok(Self::made(op, inputs, shape))
    }

    /// The node of an operation that gives `shape`.
    fn made(op: Op, inputs: Vec<Node>, shape: Vec<usize>) -> Self {
        let scope = inputs.first().and_then(|input| input.scope.clone());
        let place = Place::after(inputs.iter().map(Self::place), scope.clone(), &op);
        let inner = Arc::new(Inner {
            op,
            inputs,
            shape,
            place,
            network: OnceLock::new(),
        });
        Self { inner, scope }
    }

    /// The same node; what is applied from here on stands in the scope `name`, until another is given. Of several
    /// inputs the first decides. A scope changes nothing about the network: see [`Place`].
    #[must_use]
    pub fn scope(&self, name: &str) -> Self {
        Self {
            inner: self.inner.clone(),
            scope: Some(name.into()),
        }
    }

    /// Where it stands in the network.
    pub fn place(&self) -> &Place {
        &self.inner.place
    }

    /// The network that ends here. It is made once and shared from then on.
    ///
    /// # Errors
    /// As [`Network::from_output`].
    pub fn network(&self) -> Result<Arc<Network>> {
        if let Some(network) = self.inner.network.get() {
            return Ok(network.clone());
        }
        let network = Arc::new(Network::from_output(self)?);
        Ok(self.inner.network.get_or_init(|| network).clone())
    }

    fn then(&self, op: Op) -> Result<Self> {
        Self::apply(op, vec![self.clone()])
    }

    /// Convolves with `filters` kernels of `kernel` (`[height, width]`) pixels.
    ///
    /// # Errors
    /// As [`apply`](Self::apply): a flat input, a kernel that does not fit, groups that do not divide
    /// both the channels and the filters, or a zero size.
    pub fn conv2d(
        &self,
        filters: usize,
        kernel: [usize; 2],
        options: &Conv2dOptions,
    ) -> Result<Self> {
        self.then(Op::Conv2d(conv(filters, kernel, options)))
    }

    /// Convolves backwards, which makes images larger by the stride: see [`Op::ConvTranspose2d`].
    ///
    /// # Errors
    /// As [`conv2d`](Self::conv2d).
    pub fn conv_transpose2d(
        &self,
        filters: usize,
        kernel: [usize; 2],
        options: &Conv2dOptions,
    ) -> Result<Self> {
        self.then(Op::ConvTranspose2d(conv(filters, kernel, options)))
    }

    /// Convolves each channel by itself with `multiplier` kernels of its own: a convolution with as
    /// many groups as channels. The option `groups` is not read.
    ///
    /// # Errors
    /// As [`conv2d`](Self::conv2d).
    pub fn depthwise_conv2d(
        &self,
        kernel: [usize; 2],
        multiplier: usize,
        options: &Conv2dOptions,
    ) -> Result<Self> {
        let channels = self.shape()[0];
        let options = Conv2dOptions {
            groups: channels,
            ..*options
        };
        self.conv2d(channels.saturating_mul(multiplier), kernel, &options)
    }

    /// A depthwise convolution and then a 1×1 convolution to `filters` channels (arXiv 1610.02357).
    /// The bias, if any, is that of the second, as in Keras; the option `groups` is not read.
    ///
    /// # Errors
    /// As [`conv2d`](Self::conv2d).
    pub fn separable_conv2d(
        &self,
        filters: usize,
        kernel: [usize; 2],
        multiplier: usize,
        options: &Conv2dOptions,
    ) -> Result<Self> {
        let depthwise = Conv2dOptions {
            bias: false,
            ..*options
        };
        let pointwise = Conv2dOptions {
            bias: options.bias,
            ..Conv2dOptions::default()
        };
        self.depthwise_conv2d(kernel, multiplier, &depthwise)?
            .conv2d(filters, [1, 1], &pointwise)
    }

    /// Scales each channel by a factor that a bottleneck of `units` computes from all channels'
    /// averages (arXiv 1709.01507): average, dense, ReLU, dense, `gate`, multiply.
    ///
    /// # Errors
    /// As [`apply`](Self::apply): a flat input, or no units.
    pub fn squeeze_excite(&self, units: usize, gate: Activation) -> Result<Self> {
        let dense = DenseOptions::default();
        let squeezed = self.global_avg_pool()?.dense(units, &dense)?;
        let excited = squeezed
            .activation(Activation::Relu)
            .dense(self.shape()[0], &dense)?;
        self.multiply(&excited.activation(gate))
    }

    /// Takes the maximum of each window of `kernel` (`[height, width]`) pixels.
    ///
    /// # Errors
    /// As [`apply`](Self::apply): a flat input, a window that does not fit, or a zero size.
    pub fn max_pool2d(&self, kernel: [usize; 2], options: &PoolOptions) -> Result<Self> {
        self.then(Op::MaxPool2d(pool(kernel, options)))
    }

    /// Takes the average of each window of `kernel` (`[height, width]`) pixels; padding does not
    /// count.
    ///
    /// # Errors
    /// As [`max_pool2d`](Self::max_pool2d).
    pub fn avg_pool2d(&self, kernel: [usize; 2], options: &PoolOptions) -> Result<Self> {
        self.then(Op::AvgPool2d(pool(kernel, options)))
    }

    /// Averages each channel: `[c, h, w]` to `[c]`.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) for a flat input.
    pub fn global_avg_pool(&self) -> Result<Self> {
        self.then(Op::GlobalAvgPool)
    }

    /// Flattens row by row: `[c, h, w]` to `[c · h · w]`; changes nothing about a flat node.
    ///
    /// # Errors
    /// None today.
    pub fn flatten(&self) -> Result<Self> {
        self.then(Op::Flatten)
    }

    /// Connects each of `units` outputs to every feature.
    ///
    /// # Errors
    /// As [`apply`](Self::apply): an image as input, or no units.
    pub fn dense(&self, units: usize, options: &DenseOptions) -> Result<Self> {
        let bias = options.bias;
        self.then(Op::Dense(Dense { units, bias }))
    }

    /// Normalises each channel (or feature) by the statistics of the batch, then scales and shifts it.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid) for a momentum outside 0 to 1 or an epsilon that is not above 0.
    pub fn batch_norm(&self, options: &BatchNormOptions) -> Result<Self> {
        let BatchNormOptions { momentum, epsilon } = *options;
        self.then(Op::BatchNorm(BatchNorm { momentum, epsilon }))
    }

    /// Normalises the channels of each pixel (or the features), then scales and shifts them.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid) for an epsilon that is not above 0.
    pub fn layer_norm(&self, epsilon: f64) -> Result<Self> {
        self.then(Op::LayerNorm { epsilon })
    }

    /// Normalises each of `groups` groups of channels of an image, then scales and shifts them.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) where the groups do not divide the channels,
    /// [`Invalid`](crate::Error::Invalid) for no groups or an epsilon that is not above 0.
    pub fn group_norm(&self, groups: usize, epsilon: f64) -> Result<Self> {
        self.then(Op::GroupNorm { groups, epsilon })
    }

    /// Drops the whole node for an image with the rate's probability in training, and scales the
    /// images that keep it.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid) for a rate below 0, or of 1 and above.
    pub fn drop_path(&self, options: DropPath) -> Result<Self> {
        self.then(Op::DropPath(options))
    }

    /// Adds a border of zeros.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) for a flat input.
    pub fn zero_pad2d(&self, sides: Sides) -> Result<Self> {
        self.then(Op::ZeroPad2d(sides))
    }

    /// Cuts a border off.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) for a flat input, or where nothing is left.
    pub fn crop2d(&self, sides: Sides) -> Result<Self> {
        self.then(Op::Crop2d(sides))
    }

    /// Scales an image to `size`, `[height, width]`.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) for a flat input, [`Invalid`](crate::Error::Invalid) for a
    /// zero size.
    pub fn resize(&self, size: [usize; 2], mode: Interpolation) -> Result<Self> {
        self.then(Op::Resize { size, mode })
    }

    /// Interleaves the channels of `groups` groups.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) for a flat input, or groups that do not divide the channels.
    pub fn channel_shuffle(&self, groups: usize) -> Result<Self> {
        self.then(Op::ChannelShuffle { groups })
    }

    /// Drops each element with probability `rate` in training and scales the others by
    /// `1 / (1 - rate)`.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid) for a rate below 0, or of 1 and above.
    pub fn dropout(&self, rate: f64) -> Result<Self> {
        self.then(Op::Dropout { rate })
    }

    /// Applies `activation` to each element.
    #[must_use]
    pub fn activation(&self, activation: Activation) -> Self {
        let shape = self.inner.shape.clone();
        Self::made(Op::Activation(activation), vec![self.clone()], shape)
    }

    /// Adds `other`, element by element.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) where the shapes differ.
    pub fn add(&self, other: &Self) -> Result<Self> {
        Self::apply(Op::Add, vec![self.clone(), other.clone()])
    }

    /// Adds `nodes`, element by element. A single node is returned as it is.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) where there is no node, or where the shapes differ.
    pub fn sum(nodes: &[Self]) -> Result<Self> {
        match nodes {
            [node] => Ok(node.clone()),
            nodes => Self::apply(Op::Add, nodes.to_vec()),
        }
    }

    /// Multiplies by `other`, element by element; one of the two may be a factor for each channel of
    /// the other, `[c]` or `[c, 1, 1]`.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) where the shapes do not fit.
    pub fn multiply(&self, other: &Self) -> Result<Self> {
        Self::apply(Op::Multiply, vec![self.clone(), other.clone()])
    }

    /// Puts `nodes` side by side along the channels (or the features). A single node is returned as
    /// it is.
    ///
    /// # Errors
    /// [`Shape`](crate::Error::Shape) where there is no node, or where heights or widths differ.
    pub fn concat(nodes: &[Self]) -> Result<Self> {
        match nodes {
            [node] => Ok(node.clone()),
            nodes => Self::apply(Op::Concat, nodes.to_vec()),
        }
    }

    /// The shape of one image's activation: `[channels, height, width]` or `[features]`.
    pub fn shape(&self) -> &[usize] {
        &self.inner.shape
    }

    /// The operation that makes this node.
    pub fn op(&self) -> &Op {
        &self.inner.op
    }

    /// The nodes that the operation reads.
    pub fn inputs(&self) -> &[Node] {
        &self.inner.inputs
    }

    /// What tells this node from every other that is alive: its address.
    pub(super) fn identity(&self) -> usize {
        Arc::as_ptr(&self.inner).addr()
    }
}

fn conv(filters: usize, kernel: [usize; 2], options: &Conv2dOptions) -> Conv2d {
    let Conv2dOptions {
        stride,
        padding,
        dilation,
        groups,
        bias,
    } = *options;
    Conv2d {
        filters,
        kernel,
        stride,
        padding,
        dilation,
        groups,
        bias,
    }
}

fn pool(kernel: [usize; 2], options: &PoolOptions) -> Pool2d {
    Pool2d {
        kernel,
        stride: options.stride.unwrap_or(kernel),
        padding: options.padding,
    }
}

impl fmt::Debug for Node {
    /// The operation and its shape, without what it reads: a graph may be thousands of nodes deep.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({} → {:?})", self.op(), self.shape())
    }
}

impl Drop for Inner {
    /// Frees a chain of nodes one after the other: the derived drop would recurse as deep as the
    /// graph.
    fn drop(&mut self) {
        let mut doomed = std::mem::take(&mut self.inputs);
        while let Some(node) = doomed.pop() {
            if let Some(mut inner) = Arc::into_inner(node.inner) {
                doomed.append(&mut inner.inputs);
            }
        }
    }
}
