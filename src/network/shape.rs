//! Shape rules: which shape each operation gives, and which it refuses. Knows nothing of graphs.

use super::attributes::{Conv2d, Padding, Sides, side};
use super::op::Op;
use crate::error::{Error, Result};

/// The most elements an activation of one image, or the parameters of one operation, may have: 2³¹.
pub const MAX_ELEMENTS: u64 = 1 << 31;

/// The shape that `op` gives for inputs of the shapes `inputs`.
///
/// # Errors
/// [`Error::Shape`] where the inputs do not fit, or where the result is beyond [`MAX_ELEMENTS`];
/// [`Error::Invalid`] for impossible attributes.
pub(super) fn infer(op: &Op, inputs: &[&[usize]]) -> Result<Vec<usize>> {
    op.validate()?;
    let shape = match (op, inputs) {
        (Op::Input { shape }, []) => input(shape)?,
        (Op::Conv2d(conv), [x]) => conv2d(op, conv, x)?,
        (Op::MaxPool2d(pool) | Op::AvgPool2d(pool), [x]) => {
            let [channels, height, width] = image(op, x)?;
            let (h, w) = windows(
                op,
                [height, width],
                pool.kernel,
                pool.stride,
                [1, 1],
                pool.padding,
            )?;
            vec![channels, h, w]
        }
        (Op::GlobalAvgPool, [x]) => vec![image(op, x)?[0]],
        (Op::Flatten, [x]) => vec![x.iter().product()],
        (Op::Dense(dense), [x]) => {
            let features = flat(op, x)?;
            checked(op, "parameters", &[features, dense.units])?;
            vec![dense.units]
        }
        (Op::ConvTranspose2d(conv), [x]) => conv_transpose2d(op, conv, x)?,
        (
            Op::BatchNorm(_)
            | Op::LayerNorm { .. }
            | Op::Dropout { .. }
            | Op::DropPath(_)
            | Op::Activation(_),
            [x],
        ) => x.to_vec(),
        (Op::GroupNorm { groups, .. }, [x]) => {
            divides(op, *groups, x[0], "channels")?;
            x.to_vec()
        }
        (Op::Add, [first, rest @ ..]) => match rest.iter().find(|other| *other != first) {
            Some(other) => {
                let message = format!("shapes {first:?} and {other:?} differ");
                return Err(Error::shape("add", message));
            }
            None => first.to_vec(),
        },
        (Op::Multiply, [a, b]) => multiply(a, b)?,
        (Op::Concat, [first, rest @ ..]) => concat(first, rest)?,
        (Op::ZeroPad2d(sides), [x]) => zero_pad2d(op, *sides, x)?,
        (Op::Crop2d(sides), [x]) => crop2d(op, *sides, x)?,
        (Op::Resize { size, .. }, [x]) => vec![image(op, x)?[0], size[0], size[1]],
        (Op::ChannelShuffle { groups }, [x]) => {
            divides(op, *groups, image(op, x)?[0], "channels")?;
            x.to_vec()
        }
        (op, inputs) => return Err(arity(op, inputs.len())),
    };
    checked(op, "elements", &shape)?;
    Ok(shape)
}

/// The padding `[before, after]` of one side under [`Padding::Same`]: the total is what the last of
/// `ceil(size / stride)` windows lacks, and the odd pixel comes after, as in TensorFlow.
pub fn same_padding(size: usize, kernel: usize, stride: usize, dilation: usize) -> [usize; 2] {
    let last = (size.div_ceil(stride) - 1) * stride;
    let total = (last + (kernel - 1) * dilation + 1).saturating_sub(size);
    [total / 2, total - total / 2]
}

fn input(shape: &[usize]) -> Result<Vec<usize>> {
    if !matches!(shape.len(), 1 | 3) {
        return Err(Error::shape(
            "input",
            format!("expected [channels, height, width] or [features], found shape {shape:?}"),
        ));
    }
    if shape.contains(&0) {
        return Err(Error::shape(
            "input",
            format!("expected positive sizes, found shape {shape:?}"),
        ));
    }
    Ok(shape.to_vec())
}

fn conv2d(op: &Op, conv: &Conv2d, x: &[usize]) -> Result<Vec<usize>> {
    let [channels, height, width] = image(op, x)?;
    let Conv2d {
        filters,
        groups,
        kernel,
        ..
    } = *conv;
    divides(op, groups, channels, "input channels")?;
    divides(op, groups, filters, "filters")?;
    let (h, w) = windows(
        op,
        [height, width],
        kernel,
        conv.stride,
        conv.dilation,
        conv.padding,
    )?;
    checked(
        op,
        "parameters",
        &[filters, channels / groups, kernel[0], kernel[1]],
    )?;
    Ok(vec![filters, h, w])
}

/// The shape of which `conv` as a plain convolution would make `x`.
fn conv_transpose2d(op: &Op, conv: &Conv2d, x: &[usize]) -> Result<Vec<usize>> {
    let [channels, height, width] = image(op, x)?;
    divides(op, conv.groups, channels, "input channels")?;
    divides(op, conv.groups, conv.filters, "filters")?;
    let mut output = vec![conv.filters];
    let mut full = Vec::new();
    for (axis, size) in [height, width].into_iter().enumerate() {
        // What all windows cover; "same" cuts it to the input times the stride.
        let extent = (conv.kernel[axis] - 1).checked_mul(conv.dilation[axis]);
        let steps = (size - 1).checked_mul(conv.stride[axis]);
        let covered = extent
            .zip(steps)
            .and_then(|(e, s)| e.checked_add(s)?.checked_add(1));
        let side = match conv.padding {
            Padding::Same => size.checked_mul(conv.stride[axis]),
            Padding::Valid => covered,
        };
        full.push(covered.unwrap_or(usize::MAX));
        output.push(side.unwrap_or(usize::MAX));
    }
    checked(op, "elements with padding", &full)?;
    let [rows, columns] = conv.kernel;
    checked(
        op,
        "parameters",
        &[channels, conv.filters / conv.groups, rows, columns],
    )?;
    Ok(output)
}

/// Equal shapes, or an image and one factor for each of its channels.
fn multiply(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let per_channel = |factor: &[usize], x: &[usize]| {
        x.len() == 3 && factor[0] == x[0] && factor[1..].iter().all(|&size| size == 1)
    };
    if a == b || per_channel(b, a) {
        Ok(a.to_vec())
    } else if per_channel(a, b) {
        Ok(b.to_vec())
    } else {
        let message = format!(
            "shapes {a:?} and {b:?} are neither equal nor an image and a factor per channel"
        );
        Err(Error::shape("multiply", message))
    }
}

fn zero_pad2d(op: &Op, sides: Sides, x: &[usize]) -> Result<Vec<usize>> {
    let [channels, height, width] = image(op, x)?;
    let wider = |size: usize, before: usize, after: usize| {
        size.saturating_add(before).saturating_add(after)
    };
    let height = wider(height, sides.top, sides.bottom);
    Ok(vec![
        channels,
        height,
        wider(width, sides.left, sides.right),
    ])
}

fn crop2d(op: &Op, sides: Sides, x: &[usize]) -> Result<Vec<usize>> {
    let [channels, height, width] = image(op, x)?;
    let left = |size: usize, before: usize, after: usize| {
        let left = size.checked_sub(before)?.checked_sub(after)?;
        (left > 0).then_some(left)
    };
    let rows = left(height, sides.top, sides.bottom);
    match (rows, left(width, sides.left, sides.right)) {
        (Some(height), Some(width)) => Ok(vec![channels, height, width]),
        _ => Err(Error::shape(
            op.name(),
            format!("nothing is left of a {height}×{width} input"),
        )),
    }
}

/// Refuses groups that do not divide `count`.
fn divides(op: &Op, groups: usize, count: usize, of: &str) -> Result<()> {
    if count.is_multiple_of(groups) {
        return Ok(());
    }
    Err(Error::shape(
        op.name(),
        format!("groups {groups} does not divide the {count} {of}"),
    ))
}

/// The number of windows down and across.
fn windows(
    op: &Op,
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Result<(usize, usize)> {
    let mut output = [0; 2];
    let mut padded = [0; 2];
    for axis in 0..2 {
        let size = input[axis];
        let extent = (kernel[axis] - 1)
            .checked_mul(dilation[axis])
            .and_then(|e| e.checked_add(1));
        let (count, total) = match (padding, extent) {
            (Padding::Same, Some(extent)) => {
                (Some(size.div_ceil(stride[axis])), size.checked_add(extent))
            }
            (Padding::Valid, Some(extent)) => (
                size.checked_sub(extent).map(|room| room / stride[axis] + 1),
                Some(size),
            ),
            (_, None) => (None, None),
        };
        match (count, total) {
            (Some(count), Some(total)) => (output[axis], padded[axis]) = (count, total),
            _ => return Err(does_not_fit(op, input, kernel, dilation, padding)),
        }
    }
    checked(op, "elements with padding", &padded)?;
    Ok((output[0], output[1]))
}

fn does_not_fit(
    op: &Op,
    input: [usize; 2],
    kernel: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
) -> Error {
    let dilation = match dilation {
        [1, 1] => String::new(),
        dilation => format!(" and dilation {}", side(dilation)),
    };
    Error::shape(
        op.name(),
        format!(
            "kernel {}{dilation} with padding '{padding}' does not fit a {}×{} input",
            side(kernel),
            input[0],
            input[1]
        ),
    )
}

fn concat(first: &[usize], rest: &[&[usize]]) -> Result<Vec<usize>> {
    let mut shape = first.to_vec();
    for other in rest {
        if other.len() != first.len() || other[1..] != first[1..] {
            let differ = if other.len() == first.len() {
                "differ in height or width"
            } else {
                "differ in rank"
            };
            return Err(Error::shape(
                "concat",
                format!("shapes {first:?} and {other:?} {differ}"),
            ));
        }
        shape[0] = shape[0].saturating_add(other[0]);
    }
    Ok(shape)
}

fn image(op: &Op, shape: &[usize]) -> Result<[usize; 3]> {
    shape.try_into().map_err(|_| {
        Error::shape(
            op.name(),
            format!("expected an image [channels, height, width], found shape {shape:?}"),
        )
    })
}

fn flat(op: &Op, shape: &[usize]) -> Result<usize> {
    match shape {
        [features] => Ok(*features),
        _ => Err(Error::shape(
            op.name(),
            format!(
                "expected a flat input, found shape {shape:?}; use flatten() or global_avg_pool() first"
            ),
        )),
    }
}

fn arity(op: &Op, found: usize) -> Error {
    let expected = match op {
        Op::Input { .. } => "no input",
        Op::Multiply => "2 inputs",
        Op::Add | Op::Concat => "at least one input",
        _ => "1 input",
    };
    Error::shape(op.name(), format!("expected {expected}, found {found}"))
}

/// Refuses a product of sizes beyond [`MAX_ELEMENTS`].
fn checked(op: &Op, what: &str, sizes: &[usize]) -> Result<()> {
    let product = sizes.iter().try_fold(1_u64, |product, &size| {
        product
            .checked_mul(u64::try_from(size).ok()?)
            .filter(|p| *p <= MAX_ELEMENTS)
    });
    match product {
        Some(_) => Ok(()),
        None => Err(Error::shape(
            op.name(),
            format!("{sizes:?} is more than {MAX_ELEMENTS} {what}, the most there may be"),
        )),
    }
}
