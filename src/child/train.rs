//! The training of a child, from a question to its outcome. Knows nothing of where outcomes are kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::optim::GradientsParams;
use burn::tensor::Device;
use rand::seq::SliceRandom;

use super::forward::Child;
use super::loss::{Totals, cross_entropy};
use super::precision::{check_precision, forward_train};
use super::schedule::learning_rate;
use super::score::{Score, measure};
use super::update::Optimizer;
use super::weights::Weights;
use super::{guard, kernels};
use crate::data::{Augment, Dataset};
use crate::error::{Error, Result};
use crate::evaluation::{Epoch, Evaluation, Failure, FailureKind, Outcome};

/// What a training answers to while it runs.
pub struct Control<'a> {
    /// How long the training may take; `None`: as long as it takes.
    pub deadline: Option<Duration>,
    /// Set from outside to stop the training at the next batch.
    pub cancelled: &'a AtomicBool,
    /// Called after each finished epoch.
    pub on_epoch: &'a (dyn Fn(&Epoch) + 'a),
}

/// What a training leaves behind.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The measurements, or the failure.
    pub outcome: Outcome,
    /// The weights of the best epoch; `None` after a failure.
    pub weights: Option<Weights>,
}

/// Why a training stopped before its end.
enum Stop {
    Interrupted,
    Failed(Failure),
}

impl Stop {
    fn failed(kind: FailureKind, message: impl Into<String>) -> Self {
        Self::Failed(Failure::new(kind, message))
    }
}

/// The best epoch so far.
struct Best {
    epoch: usize,
    score: Score,
    child: Child,
}

/// Trains the child of `evaluation` on `data`.
///
/// A pure function of the evaluation, but for the seconds: on one kind of CPU the same evaluation
/// gives the same history to the last bit. Each epoch runs over the shuffled training data, the
/// last, smaller batch included, then measures the validation data; the weights of the epoch with the
/// highest validation accuracy (of equals, the lowest validation loss) are kept, and the outcome is
/// theirs.
///
/// Children may train on one GPU from several threads at once: CubeCL gives each thread a stream of its
/// own, and they share the copy of the data that the device holds.
///
/// # Errors
/// [`Error::Interrupted`] where `control` cancels. Everything else that goes wrong, a panic of the
/// tensor library included, is the outcome's failure.
pub fn train(
    evaluation: &Evaluation,
    data: &Dataset,
    device: &Device,
    control: &Control,
) -> Result<Trained> {
    let started = Instant::now();
    let mut history = Vec::new();
    let learned = guard::catch(|| {
        let best = learn(evaluation, data, device, control, started, &mut history)?;
        let weights = best.child.weights().map_err(|error| invalid(&error))?;
        Ok((best, weights))
    })
    .unwrap_or_else(|panic| Err(Stop::failed(FailureKind::Panic, panic)));
    kernels::release();
    let mut outcome = Outcome {
        history,
        seconds: started.elapsed().as_secs_f64(),
        params: evaluation.network.params(),
        macs: evaluation.network.macs(),
        ..Outcome::default()
    };
    let weights = match learned {
        Ok((best, weights)) => {
            outcome.accuracy = Some(best.score.accuracy);
            outcome.loss = Some(best.score.loss);
            outcome.best_epoch = Some(best.epoch);
            Some(weights)
        }
        Err(Stop::Failed(failure)) => {
            outcome.failure = Some(failure);
            None
        }
        Err(Stop::Interrupted) => return Err(Error::Interrupted),
    };
    Ok(Trained { outcome, weights })
}

fn learn(
    evaluation: &Evaluation,
    data: &Dataset,
    device: &Device,
    control: &Control,
    started: Instant,
    history: &mut Vec<Epoch>,
) -> Result<Best, Stop> {
    let Evaluation {
        network,
        training: config,
        seed,
        ..
    } = evaluation;
    config.validate().map_err(|error| invalid(&error))?;
    check_precision(config.precision, device).map_err(|error| invalid(&error))?;
    check_fit(evaluation, data)?;
    let plain = device.clone().without_autodiff();
    let device = plain.clone().autodiff();
    let mut child = Child::build(network, *seed, &device).map_err(|error| invalid(&error))?;
    let mut optimizer = Optimizer::new(config);
    let mut shuffle = seed.stream("child/shuffle");
    let mut dropout = seed.stream("child/dropout");
    let mut augmentation = seed.stream("child/augment");
    let augment = Augment {
        flip: config.flip,
        pad_crop: config.pad_crop,
    };
    let augments = augment != Augment::default();
    let split = data.train();
    let mut indices: Vec<usize> = (0..split.len()).collect();
    let per_epoch = indices.len().div_ceil(config.batch_size);
    let pause = || pause(control, started);

    let mut best: Option<Best> = None;
    for epoch in 0..config.epochs {
        let epoch_started = Instant::now();
        indices.shuffle(&mut shuffle);
        let mut totals = Totals::new(&plain);
        for (update, batch) in indices.chunks(config.batch_size).enumerate() {
            pause()?;
            let batch = split.batch(
                batch,
                augments.then_some((&augment, &mut augmentation)),
                &device,
            );
            let done = (epoch * per_epoch + update) as f64 / (config.epochs * per_epoch) as f64;
            let logits = forward_train(
                &mut child,
                config.precision,
                batch.images,
                done,
                &mut dropout,
            );
            let loss = cross_entropy(logits.clone(), &batch.labels, config.label_smoothing);
            let gradients = GradientsParams::from_grads(loss.backward(), &child.parameters);
            totals.add(loss, logits, batch.labels);
            let rate = learning_rate(config, epoch, update, per_epoch);
            child.parameters = optimizer.step(rate, child.parameters, gradients);
        }
        let valid = child.valid();
        let measured = measure(&valid, data.validation(), &plain, pause)?;
        // The one place of an epoch where the host waits for the device.
        let [(loss, accuracy), (validation_loss, validation_accuracy)] =
            Totals::read([totals, measured]);
        finite(epoch, "training loss", loss)?;
        finite(epoch, "validation loss", validation_loss)?;
        let score = Score {
            loss: validation_loss,
            accuracy: validation_accuracy,
        };
        let finished = Epoch {
            epoch: epoch + 1,
            loss,
            accuracy,
            validation_loss,
            validation_accuracy,
            learning_rate: learning_rate(config, epoch, 0, per_epoch),
            seconds: epoch_started.elapsed().as_secs_f64(),
        };
        (control.on_epoch)(&finished);
        history.push(finished);
        if best
            .as_ref()
            .is_none_or(|best| is_better(&score, &best.score))
        {
            best = Some(Best {
                epoch: epoch + 1,
                score,
                child: valid,
            });
        }
    }
    best.ok_or_else(|| Stop::failed(FailureKind::Invalid, "no epoch was asked for"))
}

/// Higher accuracy; of equals, lower loss.
fn is_better(new: &Score, old: &Score) -> bool {
    new.accuracy > old.accuracy || (new.accuracy == old.accuracy && new.loss < old.loss)
}

fn check_fit(evaluation: &Evaluation, data: &Dataset) -> Result<(), Stop> {
    let network = &evaluation.network;
    let misfit = |message: String| Err(Stop::failed(FailureKind::Invalid, message));
    let classes = data.classes().len();
    if network.input_shape() != data.shape() {
        return misfit(format!(
            "network starts with shape {:?}, the data has images of shape {:?}",
            network.input_shape(),
            data.shape()
        ));
    }
    if network.shape() != [classes] {
        return misfit(format!(
            "network ends in shape {:?}, the data has {classes} classes",
            network.shape()
        ));
    }
    if data.train().is_empty() || data.validation().is_empty() {
        return misfit("the data has no training or no validation images".into());
    }
    Ok(())
}

fn pause(control: &Control, started: Instant) -> Result<(), Stop> {
    if control.cancelled.load(Ordering::Relaxed) {
        return Err(Stop::Interrupted);
    }
    match control.deadline {
        Some(deadline) if started.elapsed() >= deadline => Err(Stop::failed(
            FailureKind::Timeout,
            format!("not done after {} s", deadline.as_secs_f64()),
        )),
        _ => Ok(()),
    }
}

fn finite(epoch: usize, what: &str, value: f64) -> Result<(), Stop> {
    if value.is_finite() {
        return Ok(());
    }
    let message = format!("epoch {}: the {what} is {value}", epoch + 1);
    Err(Stop::failed(FailureKind::Nan, message))
}

fn invalid(error: &Error) -> Stop {
    Stop::failed(FailureKind::Invalid, error.to_string())
}
