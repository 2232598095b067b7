//! Parameters that the children of a search share, as in ENAS (Pham et al., arXiv 1802.03268, §2.2): one
//! super-network, of which each child is a part. Knows nothing of who samples the children.

mod array;
mod path;

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use rand::seq::SliceRandom;

use self::array::SharedArray;
use super::forward::Child;
use super::initial::Fill;
use super::loss::{Totals, cross_entropy};
use super::parameters::Request;
use super::precision::forward_train;
use super::schedule::learning_rate;
use super::score::Score;
use super::train::check_fit;
use super::update::Optimizer;
use super::{guard, kernels};
use crate::data::{Augment, Dataset, Split};
use crate::error::{Error, Result};
use crate::evaluation::{Digest, Failure, FailureKind, TrainingConfig};
use crate::network::{Network, Op};
use crate::seed::Seed;

/// The most images of a batch in evaluation.
const BATCH: usize = 256;

/// What children have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub enum Sharing {
    /// Arrays of one path and one shape, as in ENAS.
    Shapes,
    /// The leading filters, units and channels of one array a path: a narrow layer is a part of a wide one, as
    /// in slimmable networks (Yu et al., arXiv 1812.08928).
    Slices,
}

/// The shared parameters of all children so far, with what the optimizer remembers of each array.
///
/// A child's arrays are those of the same [place](crate::network::Place), operation and attributes in other children.
/// They are made when a child first asks for them, and only the children that have them change them. They are on
/// the host: an update moves the child's arrays to the device and back.
///
/// Batch normalisations always use the statistics of the batch, in evaluation too, since running ones would be
/// a mixture over children (as in the authors' code).
pub struct SharedWeights {
    sharing: Sharing,
    config: TrainingConfig,
    seed: Seed,
    device: Device,
    arrays: BTreeMap<String, SharedArray>,
    updates: usize,
    state: Digest,
    /// The order of the training images in an epoch.
    order: (usize, Vec<usize>),
}

/// One array of a child that is shared.
pub(super) struct Slot {
    path: String,
    shape: Vec<usize>,
}

impl SharedWeights {
    /// No parameters yet. `config` says how they are trained; a cosine schedule ends after its number of epochs,
    /// an epoch being as many updates as there are batches. The streams `shared/…` of `seed` give initial weights,
    /// the order of images, dropout and augmentation.
    pub fn new(sharing: Sharing, config: TrainingConfig, seed: Seed, device: &Device) -> Self {
        Self {
            state: Digest::of_json(&("shared weights", sharing, &config, seed)),
            sharing,
            config,
            seed,
            device: device.clone().without_autodiff(),
            arrays: BTreeMap::new(),
            updates: 0,
            order: (0, Vec::new()),
        }
    }

    /// How many updates were made.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// The number of parameters that are there so far.
    pub fn params(&self) -> usize {
        self.arrays.values().map(SharedArray::len).sum()
    }

    /// A digest of everything that the parameters follow from: settings, seed, and the children that were trained.
    pub fn state(&self) -> Digest {
        self.state
    }

    /// Trains the part of the parameters that `network` has by one update, on the next mini-batch of the training
    /// images. Returns the loss and the accuracy on it before the update.
    ///
    /// # Errors
    /// The child's failure. One that is not finite changes no parameter; the mini-batch is used up.
    pub fn train(&mut self, network: &Network, data: &Dataset) -> Result<Score, Failure> {
        check_fit(network, data)?;
        let update = self.updates;
        self.updates += 1;
        self.state = Digest::of_json(&(self.state, network.digest()));
        let ended = guard::catch(|| self.update(update, network, data));
        ended.unwrap_or_else(|panic| Err(Failure::new(FailureKind::Panic, panic)))
    }

    fn update(
        &mut self,
        update: usize,
        network: &Network,
        data: &Dataset,
    ) -> Result<Score, Failure> {
        let device = self.device.clone().autodiff();
        let invalid = |error: Error| Failure::new(FailureKind::Invalid, error.to_string());
        let (mut child, slots) = self.child(network, &device).map_err(invalid)?;
        let split = data.train();
        let per_epoch = split.len().div_ceil(self.config.batch_size);
        let (epoch, step) = (update / per_epoch, update % per_epoch);
        let indices = self.indices(epoch, step, split);
        let augment = Augment {
            flip: self.config.flip,
            pad_crop: self.config.pad_crop,
        };
        let mut augmentation = self.seed.stream(&format!("shared/augment/{update}"));
        let augments = augment != Augment::default();
        let augment = augments.then_some((&augment, &mut augmentation));
        let batch = split.batch(&indices, augment, &device);
        // Past the end of a schedule everything stays as at its end.
        let (epoch, step) = match epoch < self.config.epochs {
            true => (epoch, step),
            false => (self.config.epochs, 0),
        };
        let done = (epoch * per_epoch + step) as f64 / (self.config.epochs * per_epoch) as f64;
        let rate = learning_rate(&self.config, epoch, step, per_epoch);
        let mut dropout = self.seed.stream(&format!("shared/dropout/{update}"));
        let precision = self.config.precision;
        let logits = forward_train(&mut child, precision, batch.images, done, &mut dropout);
        let smoothing = self.config.label_smoothing;
        let loss = cross_entropy(logits.clone(), &batch.labels, smoothing);
        let mut step = Step {
            arrays: &self.arrays,
            optimizer: Optimizer::new(&self.config),
            rate,
            gradients: GradientsParams::from_grads(loss.backward(), &child.parameters),
            slots: slots.iter(),
            changed: Vec::new(),
        };
        child.parameters.visit(&mut step);
        let changed = step.changed;
        let mut totals = Totals::new(&self.device);
        totals.add(loss, logits, batch.labels);
        let [(loss, accuracy)] = Totals::read([totals]);
        let mut numbers = changed.iter().flatten().flatten().flatten();
        if !loss.is_finite() || numbers.any(|number| !number.is_finite()) {
            let message = format!("update {}: the training loss is {loss}", update + 1);
            return Err(Failure::new(FailureKind::Nan, message));
        }
        for (slot, planes) in slots.iter().zip(changed) {
            let Some(planes) = planes else {
                continue;
            };
            let array = self.arrays.entry(slot.path.clone()).or_default();
            array.updates += 1;
            for (plane, values) in planes.iter().enumerate() {
                array.write(plane, &slot.shape, values);
            }
        }
        Ok(Score { loss, accuracy })
    }

    /// How well `network` does with its part of the parameters on the images `indices` of `split`.
    ///
    /// # Errors
    /// The child's failure.
    pub fn score(
        &mut self,
        network: &Network,
        data: &Dataset,
        indices: &[usize],
        split: &Split,
    ) -> Result<Score, Failure> {
        check_fit(network, data)?;
        let device = self.device.clone();
        let measured = guard::catch(|| {
            let invalid = |error: Error| Failure::new(FailureKind::Invalid, error.to_string());
            let (child, _) = self.child(network, &device).map_err(invalid)?;
            let mut totals = Totals::new(&device);
            // Batches of one size, as statistics of a few images are poor.
            let batches = indices.len().div_ceil(BATCH).max(1);
            for batch in indices.chunks(indices.len().div_ceil(batches).max(1)) {
                let batch = split.batch(batch, None, &device);
                let logits = child.forward_by_batch(batch.images);
                let loss = cross_entropy(logits.clone(), &batch.labels, 0.0);
                totals.add(loss, logits, batch.labels);
            }
            let [(loss, accuracy)] = Totals::read([totals]);
            match loss.is_finite() {
                true => Ok(Score { loss, accuracy }),
                false => {
                    let message = format!("the validation loss is {loss}");
                    Err(Failure::new(FailureKind::Nan, message))
                }
            }
        });
        measured.unwrap_or_else(|panic| Err(Failure::new(FailureKind::Panic, panic)))
    }

    /// Gives the memory of activations back, when nothing is computed for a while.
    pub fn rest(&self) {
        kernels::release();
    }

    /// The images of a mini-batch.
    fn indices(&mut self, epoch: usize, step: usize, split: &Split) -> Vec<usize> {
        if self.order.0 != epoch || self.order.1.is_empty() {
            let mut order: Vec<usize> = (0..split.len()).collect();
            order.shuffle(&mut self.seed.stream(&format!("shared/shuffle/{}", epoch + 1)));
            self.order = (epoch, order);
        }
        let batches = self.order.1.chunks(self.config.batch_size);
        batches
            .skip(step)
            .flatten()
            .take(self.config.batch_size)
            .copied()
            .collect()
    }

    /// `network` with its part of the parameters, and what each of them is, in the order in which Burn visits them.
    pub(super) fn child(
        &mut self,
        network: &Network,
        device: &Device,
    ) -> Result<(Child, Vec<Slot>)> {
        let paths = path::paths(network, self.sharing);
        let mut slots = Vec::new();
        let (seed, sharing, arrays) = (self.seed, self.sharing, &mut self.arrays);
        let child = Child::assemble(network, device, &mut |request: &Request| {
            if request.part.starts_with("running") {
                let len = request.shape.iter().product();
                return Ok(request.fill.values(seed, "", len));
            }
            let mut path = format!("{} {}", paths[request.node], request.part);
            if sharing == Sharing::Shapes {
                path += &format!(" {:?}", request.shape);
            }
            let array = arrays.entry(path.clone()).or_default();
            array.grow(&request.shape, |shape| {
                initial(request.fill, seed, &path, shape)
            });
            let mut block = array.block(&request.shape);
            let shape = request.shape.clone();
            slots.push((
                kind(&network.nodes()[request.node].op),
                Slot { path, shape },
            ));
            Ok(block.swap_remove(0))
        })?;
        // The parameters come by kind, each kind in the order of the nodes.
        slots.sort_by_key(|(kind, _)| *kind);
        Ok((child, slots.into_iter().map(|(_, slot)| slot).collect()))
    }
}

/// The initial values of the array at `path`.
fn initial(fill: Fill, seed: Seed, path: &str, shape: &[usize]) -> Vec<f32> {
    fill.values(
        seed,
        &format!("shared/{path}/{shape:?}"),
        shape.iter().product(),
    )
}

/// The position of the kind of an operation in [`Parameters`](super::Parameters).
fn kind(op: &Op) -> usize {
    match op {
        Op::Conv2d(_) | Op::ConvTranspose2d(_) => 0,
        Op::Dense(_) => 1,
        Op::BatchNorm(_) => 2,
        _ => 3,
    }
}

/// One update on its way through the parameters of a child.
struct Step<'a> {
    arrays: &'a BTreeMap<String, SharedArray>,
    optimizer: Optimizer,
    rate: f64,
    gradients: GradientsParams,
    slots: std::slice::Iter<'a, Slot>,
    /// The new values and memories of each array; of one without a gradient nothing.
    changed: Vec<Option<Vec<Vec<f32>>>>,
}

impl ModuleVisitor for Step<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        let Some(slot) = self.slots.next() else {
            return;
        };
        let Some(gradient) = self.gradients.remove::<D>(parameter.id) else {
            self.changed.push(None);
            return;
        };
        let array = &self.arrays[&slot.path];
        let x = parameter.val().inner().flatten(0, D - 1);
        let gradient: Tensor<1> = gradient.flatten(0, D - 1);
        let memories = array.block(&slot.shape).into_iter().skip(1);
        let memory = |values: Vec<f32>| {
            let len = values.len();
            Tensor::from_data(TensorData::new(values, [len]), &x.device())
        };
        let memories = memories.map(memory).collect();
        let (x, memories) =
            self.optimizer
                .step_alone(self.rate, array.updates, x, gradient, memories);
        let planes = std::iter::once(x).chain(memories);
        let planes = planes.map(|plane| plane.into_data().iter().collect());
        self.changed.push(Some(planes.collect()));
    }
}
