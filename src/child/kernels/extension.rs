//! The door from Burn to the kernels: one operation is a [`Kernel`] value, and a backend that has
//! kernels computes it and its gradients. Knows autodiff, not what an operation does.

use std::cell::RefCell;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Backend, Flex, backend_extension};

use super::Kernel;
use super::cpu::update::{Adam, Sgd};

/// A backend that computes kernels.
pub(super) trait Compute: Backend {
    /// The results of `kernel`; only the first has gradients.
    fn forward(kernel: &Kernel, inputs: Vec<FloatTensor<Self>>) -> Vec<FloatTensor<Self>>;

    /// The sum of two gradients of a tensor with several readers.
    fn sum(a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The gradients of those inputs that are `wanted`, from the gradient of the first result.
    /// `kernel.keeps` says which inputs and results are there.
    fn backward(
        kernel: &Kernel,
        inputs: Vec<Option<FloatTensor<Self>>>,
        outputs: Vec<Option<FloatTensor<Self>>>,
        gradient: FloatTensor<Self>,
        wanted: &[bool],
    ) -> Vec<Option<FloatTensor<Self>>>;
}

/// The kernels by number of inputs and results: Burn finds the backend by its arguments' types.
#[backend_extension(Flex, Autodiff)]
pub(super) trait Kernels: Backend {
    fn of_one(kernel: Kernel, a: FloatTensor<Self>) -> FloatTensor<Self>;
    fn of_two(kernel: Kernel, a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self>;
    fn of_three(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn of_four(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    fn three_of_three(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// The updates of optimizers, in place where nothing else holds the arrays.
#[backend_extension(Flex)]
pub(super) trait Updates: Backend {
    /// The array and its moments after this update, counted from 1.
    fn adam(
        rule: Adam,
        step: usize,
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// The array and its velocity after the update.
    fn sgd(
        rule: Sgd,
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        velocity: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The array after the update; no momentum.
    fn descend(rule: Sgd, x: FloatTensor<Self>, gradient: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Kernels for Flex {
    fn of_one(kernel: Kernel, a: FloatTensor<Self>) -> FloatTensor<Self> {
        single(Self::forward(&kernel, vec![a]))
    }

    fn of_two(kernel: Kernel, a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        single(Self::forward(&kernel, vec![a, b]))
    }

    fn of_three(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        single(Self::forward(&kernel, vec![a, b, c]))
    }

    fn of_four(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        single(Self::forward(&kernel, vec![a, b, c, d]))
    }

    fn three_of_three(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        triple(Self::forward(&kernel, vec![a, b, c]))
    }
}

impl<B: Compute, C: CheckpointStrategy> Kernels for Autodiff<B, C> {
    fn of_one(kernel: Kernel, a: FloatTensor<Self>) -> FloatTensor<Self> {
        single(record::<B, C, 1>(kernel, [a]))
    }

    fn of_two(kernel: Kernel, a: FloatTensor<Self>, b: FloatTensor<Self>) -> FloatTensor<Self> {
        single(record::<B, C, 2>(kernel, [a, b]))
    }

    fn of_three(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        single(record::<B, C, 3>(kernel, [a, b, c]))
    }

    fn of_four(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        single(record::<B, C, 4>(kernel, [a, b, c, d]))
    }

    fn three_of_three(
        kernel: Kernel,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        triple(record::<B, C, 3>(kernel, [a, b, c]))
    }
}

fn single<T>(results: Vec<T>) -> T {
    let [result] = exactly(results);
    result
}

fn triple<T>(results: Vec<T>) -> (T, T, T) {
    let [a, b, c] = exactly(results);
    (a, b, c)
}

fn exactly<T, const N: usize>(results: Vec<T>) -> [T; N] {
    let count = results.len();
    let results = results.try_into();
    results.unwrap_or_else(|_| unreachable!("a kernel made {count} results instead of {N}"))
}

/// The step of the backward pass that a kernel leaves.
#[derive(Debug)]
struct Step;

/// What a step keeps of the forward pass.
#[derive(Clone, Debug)]
struct Kept<T> {
    kernel: Kernel,
    inputs: Vec<Option<T>>,
    outputs: Vec<Option<T>>,
}

impl<B: Compute, const N: usize> Backward<B, N> for Step {
    type State = Kept<B::FloatTensorPrimitive>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let gradient = grads.consume::<B>(&ops.node);
        SENT.with_borrow_mut(|sent| sent.retain(|id| *id != ops.node.id));
        let Kept {
            kernel,
            inputs,
            outputs,
        } = ops.state;
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let results = B::backward(&kernel, inputs, outputs, gradient, &wanted);
        for (parent, result) in ops.parents.into_iter().zip(results) {
            if let (Some(parent), Some(result)) = (parent, result) {
                // Burn's own sum would bring the channels to the front, in memory that is not
                // reused. A leaf's gradient would stay when it is consumed.
                let sum = match parent.parents.is_empty() || is_first(parent.id) {
                    true => result,
                    // Taken, as it was not consumed yet.
                    false => B::sum(grads.consume::<B>(&parent), result),
                };
                grads.register::<B>(parent.id, sum);
            }
        }
    }
}

thread_local! {
    /// The tensors that have a gradient from a kernel in this backward pass, and may get more.
    static SENT: RefCell<Vec<NodeId>> = const { RefCell::new(Vec::new()) };
}

/// Whether no kernel has sent this tensor a gradient yet.
fn is_first(id: NodeId) -> bool {
    SENT.with_borrow_mut(|sent| {
        let first = !sent.contains(&id);
        if first {
            sent.push(id);
        }
        first
    })
}

/// Computes a kernel and, where a gradient will be asked for, records its step.
fn record<B: Compute, C: CheckpointStrategy, const N: usize>(
    kernel: Kernel,
    inputs: [FloatTensor<Autodiff<B, C>>; N],
) -> Vec<FloatTensor<Autodiff<B, C>>> {
    // No backward pass is under way.
    SENT.with_borrow_mut(Vec::clear);
    let (inputs, nodes): (Vec<_>, Vec<_>) = inputs
        .into_iter()
        .map(<FloatTensor<Autodiff<B, C>>>::into_parts)
        .unzip();
    let step = Backward::<B, N>::prepare::<C>(Step, exactly(nodes));
    let (first, others) = match step.compute_bound().stateful() {
        OpsKind::Tracked(step) => {
            let keeps = kernel.keeps();
            let kept = |keep: &[bool], values: &[FloatTensor<B>]| {
                let values = values.iter().enumerate();
                let keep = |i: usize| keep.get(i).copied().unwrap_or(false);
                values.map(|(i, x)| keep(i).then(|| x.clone())).collect()
            };
            let saved = kept(&keeps.inputs, &inputs);
            let mut results = B::forward(&kernel, inputs);
            let state = Kept {
                inputs: saved,
                outputs: kept(&keeps.outputs, &results),
                kernel,
            };
            let others = results.split_off(1);
            (step.finish(state, single(results)), others)
        }
        OpsKind::UnTracked(step) => {
            let mut results = B::forward(&kernel, inputs);
            let others = results.split_off(1);
            (step.finish(single(results)), others)
        }
    };
    let constants = others.into_iter().map(Autodiff::<B, C>::from_inner);
    std::iter::once(first).chain(constants).collect()
}
