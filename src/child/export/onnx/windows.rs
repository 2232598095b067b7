//! Convolutions and poolings as ONNX operators. Padding is always explicit: `auto_pad` is deprecated,
//! and does not know a padding apart from the average.

use super::graph::{int, integer, integers, ints};
use super::lower::{At, Lowering};
use super::proto::AttributeProto;
use crate::error::Result;
use crate::network::{Conv2d, Padding, Pool2d, same_padding};

impl Lowering<'_> {
    pub fn conv2d(&mut self, at: &At, conv: &Conv2d) -> Result<String> {
        let [channels, height, width] = at.image()?;
        let [rows, columns] = conv.kernel;
        let kernels = [conv.filters, channels / conv.groups, rows, columns];
        let inputs = self.convolved(at, conv, &kernels)?;
        let side = |axis: usize, size| match conv.padding {
            Padding::Valid => [0, 0],
            Padding::Same => same_padding(
                size,
                conv.kernel[axis],
                conv.stride[axis],
                conv.dilation[axis],
            ),
        };
        let attributes = convolution(conv, [side(0, height), side(1, width)])?;
        Ok(self.whole(at, "Conv", inputs, attributes))
    }

    /// `pads` cuts off what `"same"` leaves out of the full result, `output_padding` adds what the
    /// full result lacks.
    pub fn conv_transpose2d(&mut self, at: &At, conv: &Conv2d) -> Result<String> {
        let [channels, ..] = at.image()?;
        let [rows, columns] = conv.kernel;
        let kernels = [channels, conv.filters / conv.groups, rows, columns];
        let inputs = self.convolved(at, conv, &kernels)?;
        let extent = |axis: usize| {
            let steps = (conv.kernel[axis] - 1).saturating_mul(conv.dilation[axis]);
            steps.saturating_add(1)
        };
        let side = |axis: usize| match conv.padding {
            Padding::Valid => [0, 0],
            Padding::Same => {
                let cut = extent(axis).saturating_sub(conv.stride[axis]);
                [cut / 2, cut - cut / 2]
            }
        };
        let lacking = |axis: usize| match conv.padding {
            Padding::Valid => 0,
            Padding::Same => conv.stride[axis].saturating_sub(extent(axis)),
        };
        let [strides, dilations, group, pads, kernel] = convolution(conv, [side(0), side(1)])?;
        let lacking = ints("output_padding", integers(&[lacking(0), lacking(1)])?);
        let attributes = [strides, dilations, group, pads, kernel, lacking];
        Ok(self.whole(at, "ConvTranspose", inputs, attributes))
    }

    pub fn max_pool2d(&mut self, at: &At, pool: &Pool2d) -> Result<String> {
        let attributes = window(at, pool)?;
        Ok(self.whole(at, "MaxPool", at.reads(), attributes))
    }

    pub fn avg_pool2d(&mut self, at: &At, pool: &Pool2d) -> Result<String> {
        let [kernel, strides, pads] = window(at, pool)?;
        let attributes = [kernel, strides, pads, int("count_include_pad", 0)];
        Ok(self.whole(at, "AveragePool", at.reads(), attributes))
    }

    /// The images, the kernels and perhaps the biases.
    fn convolved(&mut self, at: &At, conv: &Conv2d, kernels: &[usize]) -> Result<Vec<String>> {
        let mut inputs = at.reads();
        inputs.push(self.array(at, "weight", kernels)?);
        if conv.bias {
            inputs.push(self.array(at, "bias", &[conv.filters])?);
        }
        Ok(inputs)
    }
}

fn convolution(conv: &Conv2d, sides: [[usize; 2]; 2]) -> Result<[AttributeProto; 5]> {
    Ok([
        ints("strides", integers(&conv.stride)?),
        ints("dilations", integers(&conv.dilation)?),
        int("group", integer(conv.groups)?),
        pads(sides)?,
        ints("kernel_shape", integers(&conv.kernel)?),
    ])
}

fn window(at: &At, pool: &Pool2d) -> Result<[AttributeProto; 3]> {
    let [_, height, width] = at.image()?;
    let side = |axis: usize, size| match pool.padding {
        Padding::Valid => [0, 0],
        Padding::Same => same_padding(size, pool.kernel[axis], pool.stride[axis], 1),
    };
    Ok([
        ints("kernel_shape", integers(&pool.kernel)?),
        ints("strides", integers(&pool.stride)?),
        pads([side(0, height), side(1, width)])?,
    ])
}

/// `[before, after]` down and across, in ONNX's order: all befores first.
fn pads([[top, bottom], [left, right]]: [[usize; 2]; 2]) -> Result<AttributeProto> {
    Ok(ints("pads", integers(&[top, left, bottom, right])?))
}
