//! How deep a network is and how far it sees. Knows nothing of weights.

use super::attributes::Interpolation;
use super::graph::{Network, NetworkNode};
use super::op::Op;

/// What one pixel of a feature map sees of the image, along one axis, in pixels of the image.
#[derive(Clone, Copy)]
struct View {
    /// The window.
    size: f64,
    /// The step between the windows of neighbouring pixels.
    step: f64,
}

impl View {
    /// The view of an operation that reads `window` neighbouring pixels, with `stride` pixels of the
    /// input for each of the output.
    fn through(self, window: usize, stride: f64) -> Self {
        Self {
            size: self.size + (window - 1) as f64 * self.step,
            step: self.step * stride,
        }
    }
}

impl Network {
    /// The layers with weights that multiply (convolutions, transposed ones, dense layers) on the
    /// longest path from the input to the output; a separable convolution is two. The dense layers
    /// of a squeeze and excitation count if the longest path goes through them.
    pub fn depth(&self) -> usize {
        let mut depths: Vec<usize> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let before = node.inputs.iter().map(|&input| depths[input]).max();
            let layer = matches!(
                node.op,
                Op::Conv2d(_) | Op::ConvTranspose2d(_) | Op::Dense(_)
            );
            depths.push(before.unwrap_or(0) + usize::from(layer));
        }
        depths.last().copied().unwrap_or(0)
    }

    /// The height and the width, in pixels of the image, of the window that one pixel of the last
    /// feature map depends on: the feature map before pooling over the whole image, flattening and
    /// dense layers. `[0, 0]` where the input is flat.
    ///
    /// The recursion of Araujo, Norris and Sim (Distill 2019, "Computing Receptive Fields of
    /// Convolutional Neural Networks", §2): a window of *k* pixels with dilation *d* adds
    /// *(k - 1) · d* steps, and a stride makes the steps wider. Where branches meet, the largest
    /// window counts. The window is not cut to the image, so it may be larger than it. A transposed
    /// convolution and a resize make the steps smaller. What reaches a pixel by statistics or by a
    /// factor per channel (normalisation, squeeze and excitation) does not count.
    pub fn receptive_field(&self) -> [usize; 2] {
        match self.input_shape() {
            [_, _, _] => [0, 1].map(|axis| self.field(axis)),
            _ => [0, 0],
        }
    }

    fn field(&self, axis: usize) -> usize {
        let mut views: Vec<View> = Vec::with_capacity(self.nodes().len());
        for node in self.nodes() {
            let view = self
                .pixels_read(node)
                .map(|input| views[input])
                .reduce(|a, b| if a.size >= b.size { a } else { b });
            let view = view.unwrap_or(View {
                size: 1.0,
                step: 1.0,
            });
            let side = |node: &NetworkNode| node.shape.get(1 + axis).copied().unwrap_or(1);
            views.push(match &node.op {
                Op::Conv2d(conv) => {
                    let window = (conv.kernel[axis] - 1) * conv.dilation[axis] + 1;
                    view.through(window, conv.stride[axis] as f64)
                }
                Op::ConvTranspose2d(conv) => {
                    let extent = (conv.kernel[axis] - 1) * conv.dilation[axis] + 1;
                    let stride = conv.stride[axis];
                    view.through(extent.div_ceil(stride), 1.0 / stride as f64)
                }
                Op::MaxPool2d(pool) | Op::AvgPool2d(pool) => {
                    view.through(pool.kernel[axis], pool.stride[axis] as f64)
                }
                Op::Resize { mode, .. } => {
                    let before = side(&self.nodes()[node.inputs[0]]);
                    let after = side(node);
                    let window = match mode {
                        Interpolation::Bilinear if before != after => 2.min(before),
                        _ => 1,
                    };
                    view.through(window, before as f64 / after as f64)
                }
                _ => view,
            });
        }
        // Steps may be fractions; the sum of a few is exact but for the last bits.
        let size = views.last().map_or(0.0, |view| view.size);
        (size - 1e-6).ceil() as usize
    }

    /// The inputs of `node` whose pixels its own pixels stand for: all but a factor per channel.
    fn pixels_read<'a>(&'a self, node: &'a NetworkNode) -> impl Iterator<Item = usize> + 'a {
        let is_factor = |input: usize| {
            matches!(node.op, Op::Multiply) && self.nodes()[input].shape != node.shape
        };
        node.inputs
            .iter()
            .copied()
            .filter(move |&input| !is_factor(input))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{
        Activation, Conv2dOptions, DenseOptions, Node, Padding, PoolOptions, Sides,
    };

    fn conv(x: &Node, filters: usize, kernel: usize, stride: usize) -> Node {
        let options = Conv2dOptions {
            stride: [stride; 2],
            ..Conv2dOptions::default()
        };
        x.conv2d(filters, [kernel; 2], &options).unwrap()
    }

    fn pool(x: &Node, kernel: usize, stride: usize) -> Node {
        let options = PoolOptions {
            stride: Some([stride; 2]),
            padding: Padding::Same,
        };
        x.max_pool2d([kernel; 2], &options).unwrap()
    }

    fn dense(x: &Node, units: usize) -> Node {
        x.dense(units, &DenseOptions::default()).unwrap()
    }

    fn image() -> Node {
        Node::input(&[3, 224, 224]).unwrap()
    }

    /// Depth and receptive field of the network that ends in `x`.
    fn measured(x: &Node) -> (usize, [usize; 2]) {
        let network = Network::from_output(x).unwrap();
        (network.depth(), network.receptive_field())
    }

    // The receptive fields of Araujo et al., table 1.

    #[test]
    fn alexnet_sees_195_pixels() {
        let x = pool(&conv(&image(), 64, 11, 4), 3, 2);
        let x = pool(&conv(&x, 192, 5, 1), 3, 2);
        let x = conv(&conv(&conv(&x, 384, 3, 1), 384, 3, 1), 256, 3, 1);
        let x = pool(&x, 3, 2).flatten().unwrap();
        let x = dense(&dense(&dense(&x, 4096), 4096), 1000);
        assert_eq!(measured(&x), (8, [195, 195]));
    }

    #[test]
    fn vgg_16_sees_212_pixels() {
        let mut x = image();
        for (filters, convs) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
            for _ in 0..convs {
                x = conv(&x, filters, 3, 1).activation(Activation::Relu);
            }
            x = pool(&x, 2, 2);
        }
        let x = dense(&dense(&dense(&x.flatten().unwrap(), 64), 64), 10);
        assert_eq!(measured(&x), (16, [212, 212]));
    }

    #[test]
    fn resnet_50_sees_483_pixels() {
        let mut x = pool(&conv(&image(), 64, 7, 2), 3, 2);
        for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
            let filters = 64 << stage;
            for block in 0..blocks {
                // As in slim, whose numbers these are: the stride is in a stage's last block.
                let stride = if block == blocks - 1 && stage < 3 {
                    2
                } else {
                    1
                };
                let y = conv(&conv(&x, filters, 1, 1), filters, 3, stride);
                let y = conv(&y, 4 * filters, 1, 1);
                let shortcut = match y.shape() == x.shape() {
                    true => x.clone(),
                    false => conv(&x, 4 * filters, 1, stride),
                };
                x = y.add(&shortcut).unwrap();
            }
        }
        let x = dense(&x.global_avg_pool().unwrap(), 10);
        assert_eq!(measured(&x), (50, [483, 483]));
    }

    #[test]
    fn height_and_width_are_apart_and_dilation_widens() {
        let options = Conv2dOptions {
            dilation: [2, 1],
            stride: [1, 2],
            ..Conv2dOptions::default()
        };
        let x = image().conv2d(8, [3, 5], &options).unwrap();
        let x = conv(&x, 8, 3, 1);
        assert_eq!(measured(&x), (2, [5 + 2, 5 + 2 * 2]));
    }

    #[test]
    fn the_largest_branch_counts_and_borders_do_not() {
        let x = image();
        let sides = Sides {
            top: 3,
            bottom: 3,
            left: 3,
            right: 3,
        };
        let wide = conv(&x.zero_pad2d(sides).unwrap(), 8, 7, 1);
        let wide = wide.crop2d(sides).unwrap();
        let deep = conv(&conv(&x, 8, 3, 1), 8, 1, 1);
        assert_eq!(measured(&wide.add(&deep).unwrap()), (2, [7, 7]));
        assert_eq!(measured(&x), (0, [1, 1]));
    }

    #[test]
    fn what_makes_images_larger_makes_steps_smaller() {
        let options = Conv2dOptions {
            stride: [2, 2],
            ..Conv2dOptions::default()
        };
        let down = conv(&image(), 8, 3, 2);
        // A pixel of the transposed convolution meets two of the window of four.
        let up = down.conv_transpose2d(8, [4, 4], &options).unwrap();
        assert_eq!(measured(&up), (2, [3 + 2, 3 + 2]));
        // The step is that of the image again.
        assert_eq!(measured(&conv(&up, 8, 3, 1)), (3, [5 + 2, 5 + 2]));
        let resized = |mode| down.resize([224, 224], mode).unwrap();
        let nearest = conv(&resized(Interpolation::Nearest), 8, 3, 1);
        assert_eq!(measured(&nearest).1, [3 + 2, 3 + 2]);
        let bilinear = resized(Interpolation::Bilinear);
        assert_eq!(measured(&bilinear).1, [3 + 2, 3 + 2]);
    }

    #[test]
    fn a_factor_per_channel_sees_nothing() {
        let x = conv(&image(), 8, 3, 1);
        let squeezed = x.squeeze_excite(2, Activation::Sigmoid).unwrap();
        let (depth, field) = measured(&squeezed);
        assert_eq!(field, [3, 3]);
        assert_eq!(depth, 3, "the longest path goes through the gate");
    }

    #[test]
    fn a_flat_input_has_no_pixels() {
        let x = Node::input(&[64]).unwrap();
        assert_eq!(measured(&dense(&dense(&x, 8), 2)), (2, [0, 0]));
    }
}
