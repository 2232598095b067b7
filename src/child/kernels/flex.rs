//! Each kernel and its gradients on the tensors of the flex backend. Knows nothing of autodiff; the
//! arithmetic is `cpu`'s.

use burn::backend::{Flex, TensorMetadata};
use burn_flex::FlexTensor;

use super::Kernel;
use super::cpu::pool::{self, Pool};
use super::cpu::update::{Adam, Sgd};
use super::cpu::{Act, conv, dense as dense_layer, elementwise, norm, softmax};
use super::extension::{Compute, Updates};
use super::layout::{
    channels, channels_first, channels_last, dense, fresh, image, images, input_shape, last, like,
    own, pixels, tensor, values,
};
use crate::buffers::Buffer;

/// Which inputs and results of a kernel its gradients need.
#[derive(Default)]
pub(super) struct Keeps {
    pub inputs: [bool; 4],
    pub outputs: [bool; 3],
}

impl Kernel {
    /// What the backward pass will ask for.
    pub(super) fn keeps(&self) -> Keeps {
        let clips = |act: &Act| *act != Act::Identity;
        let (inputs, outputs): (&[bool], &[bool]) = match self {
            Self::Conv2d(_, act) => (&[true, true], &[clips(act)]),
            Self::Dense => (&[true, true], &[]),
            Self::MaxPool2d(_) => (&[true], &[true]),
            Self::BatchNorm(..) => (&[true, true, true], &[false, true, true]),
            Self::Function(function) => match function.keeps_output() {
                true => (&[], &[true]),
                false => (&[true], &[]),
            },
            Self::Add(act) => (&[], &[clips(act)]),
            Self::Gate => (&[true, true], &[]),
            Self::CrossEntropy(..) => (&[true], &[]),
            Self::AvgPool2d(_)
            | Self::GlobalAvgPool(_)
            | Self::Affine(_)
            | Self::Concat(_)
            | Self::ScaleImages(_) => (&[], &[]),
        };
        let mut keeps = Keeps::default();
        keeps.inputs[..inputs.len()].copy_from_slice(inputs);
        keeps.outputs[..outputs.len()].copy_from_slice(outputs);
        keeps
    }
}

impl Compute for Flex {
    fn forward(kernel: &Kernel, inputs: Vec<FlexTensor>) -> Vec<FlexTensor> {
        let _span = tracing::trace_span!("kernel", pass = "forward", %kernel).entered();
        let x = &last(&inputs[0]);
        let array = |i: usize| dense(&inputs[i]);
        let y = match kernel {
            Kernel::Conv2d(geometry, act) => {
                let (weight, bias) = (array(1), inputs.get(2).map(dense));
                let bias = bias.as_ref().map(values);
                images(geometry, |y| {
                    conv::forward(geometry, values(x), values(&weight), bias, *act, y);
                })
            }
            Kernel::Dense => {
                let (weight, bias) = (array(1), inputs.get(2).map(dense));
                let (bias, sides) = (bias.as_ref().map(values), sides(&weight));
                fresh(&[x.shape()[0], sides[1]], |y| {
                    dense_layer::forward(values(x), values(&weight), bias, sides, y);
                })
            }
            Kernel::MaxPool2d(geometry) => images(geometry, |y| {
                pool::forward(geometry, Pool::Max, values(x), y);
            }),
            Kernel::AvgPool2d(geometry) => images(geometry, |y| {
                pool::forward(geometry, Pool::Average, values(x), y);
            }),
            Kernel::GlobalAvgPool([height, width]) => {
                let (batch, channels) = (x.shape()[0], channels(x));
                fresh(&[batch, channels], |y| {
                    pool::global_forward(height * width, channels, values(x), y);
                })
            }
            Kernel::BatchNorm(epsilon, act) => {
                let (scale, shift) = (array(1), array(2));
                let side = [channels(x)];
                let [mut mean, mut variance, mut inverse] = [(); 3].map(|()| Buffer::take(side[0]));
                let y = like(x, |y| {
                    let statistics = norm::Statistics {
                        mean: &mut mean,
                        variance: &mut variance,
                        inverse_deviation: &mut inverse,
                    };
                    let (x, scale, shift) = (values(x), values(&scale), values(&shift));
                    norm::forward_train(x, scale, shift, *epsilon, *act, y, statistics);
                });
                inverse.give_back();
                return vec![y, tensor(mean, &side), tensor(variance, &side)];
            }
            Kernel::Affine(act) => {
                let (factor, summand) = (array(1), array(2));
                let (zeros, ones) = (vec![0.0; channels(x)], vec![1.0; channels(x)]);
                let of = norm::Channels {
                    scale: values(&factor),
                    shift: values(&summand),
                    mean: &zeros,
                    inverse_deviation: &ones,
                };
                like(x, |y| norm::forward(values(x), of, *act, y))
            }
            Kernel::Function(function) => like(x, |y| elementwise::apply(*function, values(x), y)),
            Kernel::Add(act) => {
                let parts: Vec<FlexTensor> = inputs.iter().map(last).collect();
                let parts: Vec<&[f32]> = parts.iter().map(values).collect();
                like(x, |y| elementwise::add(&parts, *act, y))
            }
            Kernel::Concat(widths) => {
                let parts: Vec<FlexTensor> = inputs.iter().map(last).collect();
                let parts: Vec<(&[f32], usize)> = parts
                    .iter()
                    .map(values)
                    .zip(widths.iter().copied())
                    .collect();
                let shape = x.shape();
                let width = parts.iter().map(|(_, width)| width).sum();
                image([shape[0], shape[1], shape[2], width], |y| {
                    elementwise::concat(&parts, y);
                })
            }
            Kernel::ScaleImages(factors) => {
                like(x, |y| elementwise::scale_images(values(x), factors, y))
            }
            Kernel::Gate => {
                let factors = last(&inputs[1]);
                like(x, |y| {
                    elementwise::scale_channels(
                        pixels(x),
                        channels(x),
                        values(x),
                        values(&factors),
                        y,
                    );
                })
            }
            Kernel::CrossEntropy(labels, smoothing) => fresh(&[1], |loss| {
                loss[0] = softmax::cross_entropy(values(x), labels, *smoothing, None).loss;
            }),
        };
        vec![y]
    }

    fn sum(a: FlexTensor, b: FlexTensor) -> FlexTensor {
        let (a, b) = (last(&a), last(&b));
        let parts = [values(&a), values(&b)];
        like(&a, |sum| elementwise::add(&parts, Act::Identity, sum))
    }

    fn backward(
        kernel: &Kernel,
        inputs: Vec<Option<FlexTensor>>,
        outputs: Vec<Option<FlexTensor>>,
        gradient: FlexTensor,
        wanted: &[bool],
    ) -> Vec<Option<FlexTensor>> {
        let _span = tracing::trace_span!("kernel", pass = "backward", %kernel).entered();
        let kept =
            |values: &[Option<FlexTensor>], i: usize, order: fn(&FlexTensor) -> FlexTensor| {
                let kept = values.get(i).and_then(Option::as_ref);
                kept.map_or_else(|| tensor(Buffer::take(0), &[0]), order)
            };
        let input = |i: usize| kept(&inputs, i, last);
        let array = |i: usize| kept(&inputs, i, dense);
        let output = |i: usize| kept(&outputs, i, last);
        let dy = &last(&gradient);
        drop(gradient);
        match kernel {
            Kernel::Conv2d(geometry, act) => {
                let (x, weight, y) = (input(0), array(1), output(0));
                let wish = |i: usize, len: usize| {
                    let wanted = wanted.get(i).copied().unwrap_or(false);
                    wanted.then(|| Buffer::take(len))
                };
                let shapes = (
                    geometry.batch * geometry.input_size(),
                    values(&weight).len(),
                );
                let mut dx = wish(0, shapes.0);
                let mut dweight = wish(1, shapes.1);
                let mut dbias = wish(2, geometry.filters);
                let gradients = conv::Gradients {
                    input: dx.as_deref_mut(),
                    weight: dweight.as_deref_mut(),
                    bias: dbias.as_deref_mut(),
                };
                let (x, y) = (values(&x), values(&y));
                conv::backward(geometry, x, values(&weight), y, values(dy), *act, gradients);
                let weight_shape = weight.shape();
                let mut results = vec![
                    dx.map(|dx| channels_last(dx, input_shape(geometry))),
                    dweight.map(|dweight| tensor(dweight, &weight_shape)),
                ];
                if wanted.len() == 3 {
                    results.push(dbias.map(|dbias| tensor(dbias, &[geometry.filters])));
                }
                results
            }
            Kernel::Dense => {
                let (x, weight) = (input(0), array(1));
                let sides = sides(&weight);
                let shapes = [x.shape().to_vec(), sides.to_vec(), vec![sides[1]]];
                let mut results: Vec<Option<Buffer>> = wanted
                    .iter()
                    .zip(&shapes)
                    .map(|(wanted, shape)| wanted.then(|| Buffer::take(shape.iter().product())))
                    .collect();
                let mut slices = results.iter_mut().map(Option::as_deref_mut);
                let gradients = conv::Gradients {
                    input: slices.next().flatten(),
                    weight: slices.next().flatten(),
                    bias: slices.next().flatten(),
                };
                dense_layer::backward(values(&x), values(&weight), values(dy), sides, gradients);
                let shaped = |(result, shape): (Option<Buffer>, &Vec<usize>)| {
                    result.map(|result| tensor(result, shape))
                };
                results.into_iter().zip(&shapes).map(shaped).collect()
            }
            Kernel::MaxPool2d(geometry) => {
                let (x, y) = (input(0), output(0));
                vec![Some(image(input_shape(geometry), |dx| {
                    pool::backward(geometry, Pool::Max, values(&x), values(&y), values(dy), dx);
                }))]
            }
            Kernel::AvgPool2d(geometry) => vec![Some(image(input_shape(geometry), |dx| {
                pool::backward(geometry, Pool::Average, &[], &[], values(dy), dx);
            }))],
            Kernel::GlobalAvgPool([height, width]) => {
                let (batch, channels) = (dy.shape()[0], channels(dy));
                vec![Some(image([batch, *height, *width, channels], |dx| {
                    pool::global_backward(height * width, channels, values(dy), dx);
                }))]
            }
            Kernel::BatchNorm(epsilon, act) => {
                let (x, scale, shift) = (input(0), array(1), array(2));
                let (mean, variance) = (output(1), output(2));
                let side = [channels(&x)];
                let [mut dscale, mut dshift, mut inverse] = [(); 3].map(|()| Buffer::take(side[0]));
                for (inverse, variance) in inverse.iter_mut().zip(values(&variance)) {
                    *inverse = 1.0 / (variance + epsilon).sqrt();
                }
                let dx = like(&x, |dx| {
                    let of = norm::Channels {
                        scale: values(&scale),
                        shift: values(&shift),
                        mean: values(&mean),
                        inverse_deviation: &inverse,
                    };
                    let gradients = norm::Gradients {
                        input: dx,
                        scale: &mut dscale,
                        shift: &mut dshift,
                    };
                    norm::backward(values(&x), values(dy), of, *act, gradients);
                });
                inverse.give_back();
                vec![
                    Some(dx),
                    Some(tensor(dscale, &side)),
                    Some(tensor(dshift, &side)),
                ]
            }
            Kernel::Function(function) => {
                let kept = match function.keeps_output() {
                    true => output(0),
                    false => input(0),
                };
                vec![Some(like(dy, |dx| {
                    elementwise::apply_backward(*function, values(&kept), values(dy), dx);
                }))]
            }
            Kernel::Add(act) => {
                let dx = match act {
                    Act::Identity => channels_first(dy.clone()),
                    _ => {
                        let y = output(0);
                        like(dy, |dx| {
                            elementwise::before(*act, values(&y), values(dy), dx);
                        })
                    }
                };
                wanted.iter().map(|_| Some(dx.clone())).collect()
            }
            Kernel::Concat(widths) => {
                let pixels = values(dy).len() / channels(dy);
                let widths = &widths[..wanted.len()];
                let mut parts: Vec<Buffer> = widths
                    .iter()
                    .map(|width| Buffer::take(pixels * width))
                    .collect();
                let mut slices: Vec<(&mut [f32], usize)> = parts
                    .iter_mut()
                    .map(|part| &mut **part)
                    .zip(widths.iter().copied())
                    .collect();
                elementwise::split(values(dy), &mut slices);
                let shape = dy.shape();
                let image =
                    |(part, &width)| channels_last(part, [shape[0], shape[1], shape[2], width]);
                parts.into_iter().zip(widths).map(image).map(Some).collect()
            }
            Kernel::ScaleImages(factors) => vec![Some(like(dy, |dx| {
                elementwise::scale_images(values(dy), factors, dx);
            }))],
            Kernel::Gate => {
                let (x, factors) = (input(0), input(1));
                let mut dfactors = Buffer::take(values(&factors).len());
                let dx = like(&x, |dx| {
                    elementwise::scale_channels_backward(
                        [pixels(&x), channels(&x)],
                        values(&x),
                        values(&factors),
                        values(dy),
                        dx,
                        &mut dfactors,
                    );
                });
                let dfactors = channels_first(tensor(dfactors, &factors.shape()));
                vec![Some(dx), Some(dfactors)]
            }
            Kernel::CrossEntropy(labels, smoothing) => {
                let logits = input(0);
                vec![Some(like(&logits, |dx| {
                    let logits = values(&logits);
                    softmax::cross_entropy(logits, labels, *smoothing, Some(&mut *dx));
                    let by = values(dy)[0];
                    dx.iter_mut().for_each(|dx| *dx *= by);
                }))]
            }
            Kernel::Affine(_) => unreachable!("asked for on devices without autodiff only"),
        }
    }
}

/// The inputs and outputs of a dense layer.
fn sides(weight: &FlexTensor) -> [usize; 2] {
    [0, 1].map(|axis| weight.shape()[axis])
}

impl Updates for Flex {
    fn adam(
        rule: Adam,
        step: usize,
        x: FlexTensor,
        gradient: FlexTensor,
        first: FlexTensor,
        second: FlexTensor,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (mut x, mut first, mut second) = (own(x), own(first), own(second));
        let gradient = dense(&gradient);
        let moments = [first.storage_mut(), second.storage_mut()];
        rule.update(step, values(&gradient), x.storage_mut(), moments);
        (x, first, second)
    }

    fn sgd(
        rule: Sgd,
        x: FlexTensor,
        gradient: FlexTensor,
        velocity: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        let (mut x, mut velocity) = (own(x), own(velocity));
        let gradient = dense(&gradient);
        let kept = Some(velocity.storage_mut());
        rule.update(values(&gradient), x.storage_mut(), kept);
        (x, velocity)
    }

    fn descend(rule: Sgd, x: FlexTensor, gradient: FlexTensor) -> FlexTensor {
        let mut x = own(x);
        rule.update(values(&dense(&gradient)), x.storage_mut(), None);
        x
    }
}
