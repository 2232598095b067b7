//! Flex's tensors as the kernels read and write them: dense, images with their channels last. Knows
//! nothing of what is computed.

use burn::backend::TensorMetadata;
use burn::tensor::{DType, Shape};
use burn_flex::{FlexTensor, Layout};

use super::cpu::Geometry;
use crate::buffers::Buffer;

/// `x` with memory that holds its numbers and no others. What else holds them is not touched: flex
/// copies before it hands out memory that is shared.
pub fn own(x: FlexTensor) -> FlexTensor {
    let whole = x.storage::<f32>().len() == x.layout().num_elements();
    match whole && x.is_contiguous() {
        true => x,
        false => fresh(&x.shape(), |copy| copy.copy_from_slice(values(&dense(&x)))),
    }
}

/// The numbers of a dense tensor.
pub fn values(x: &FlexTensor) -> &[f32] {
    x.as_slice()
        .unwrap_or_else(|| unreachable!("a dense tensor of f32"))
}

/// `x` in its own order, dense.
pub fn dense(x: &FlexTensor) -> FlexTensor {
    x.to_contiguous()
}

/// `x` with its channels last, dense: of images `[batch, height, width, channels]`. Copies nothing where
/// a kernel made it.
pub fn last(x: &FlexTensor) -> FlexTensor {
    match x.layout().num_dims() {
        4 => x.permute(&[0, 2, 3, 1]).to_contiguous(),
        _ => x.to_contiguous(),
    }
}

/// A tensor with its channels last as Burn sees it: `[batch, channels, height, width]`.
pub fn channels_first(x: FlexTensor) -> FlexTensor {
    match x.layout().num_dims() {
        4 => x.permute(&[0, 3, 1, 2]),
        _ => x,
    }
}

/// The channels of a tensor with its channels last.
pub fn channels(x: &FlexTensor) -> usize {
    x.shape().last().copied().unwrap_or(1)
}

/// The pixels of an image of a batch with its channels last.
pub fn pixels(x: &FlexTensor) -> usize {
    x.shape()[1..x.layout().num_dims() - 1].iter().product()
}

pub fn input_shape(geometry: &Geometry) -> [usize; 4] {
    let [height, width] = geometry.input;
    [geometry.batch, height, width, geometry.channels]
}

pub fn tensor(values: Buffer, shape: &[usize]) -> FlexTensor {
    let layout = Layout::contiguous(Shape::from(shape.to_vec()));
    FlexTensor::new(values.lend(), layout, DType::F32)
}

/// Values with their channels last, of this shape, as Burn sees them.
pub fn channels_last(values: Buffer, shape: [usize; 4]) -> FlexTensor {
    channels_first(tensor(values, &shape))
}

/// A new tensor that `write` fills.
pub fn fresh(shape: &[usize], write: impl FnOnce(&mut [f32])) -> FlexTensor {
    let mut values = Buffer::take(shape.iter().product());
    write(&mut values);
    tensor(values, shape)
}

/// New images, `[batch, height, width, channels]`, that `write` fills, as Burn sees them.
pub fn image(shape: [usize; 4], write: impl FnOnce(&mut [f32])) -> FlexTensor {
    channels_first(fresh(&shape, write))
}

/// The images that come out of `geometry`.
pub fn images(geometry: &Geometry, write: impl FnOnce(&mut [f32])) -> FlexTensor {
    let [height, width] = geometry.output();
    image([geometry.batch, height, width, geometry.filters], write)
}

/// A new tensor of the shape of `x`, whose channels are last, that `write` fills, as Burn sees it.
pub fn like(x: &FlexTensor, write: impl FnOnce(&mut [f32])) -> FlexTensor {
    channels_first(fresh(&x.shape(), write))
}
