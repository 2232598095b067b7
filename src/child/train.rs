//! The training of a child, from a question to its outcome. Knows nothing of where outcomes are kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::optim::GradientsParams;
use burn::tensor::Device;
use rand::seq::SliceRandom;

use super::checkpoint::Checkpoint;
use super::loss::{Totals, at_hand, cross_entropy};
use super::precision::{check_precision, forward_train};
use super::schedule::learning_rate;
use super::score::measure;
use super::state::State;
use super::stopping::{best_of, stopped};
use super::weights::Weights;
use super::{guard, kernels};
use crate::data::{Augment, Dataset};
use crate::error::{Error, Result};
use crate::evaluation::{Epoch, Evaluation, Failure, FailureKind, Outcome};
use crate::network::Network;

/// What a training answers to while it runs.
pub struct Control<'a> {
    /// How long the training may take; `None`: as long as it takes.
    pub deadline: Option<Duration>,
    /// Set from outside to stop the training at the next batch.
    pub cancelled: &'a AtomicBool,
    /// What is expected of the training: after epoch e (from 0) the best validation accuracy so far must be
    /// at least `floor[e]`, where there is such an entry, else it ends with [`Stopped::Median`](crate::evaluation::Stopped::Median).
    pub floor: &'a [f64],
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

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::failed(FailureKind::Invalid, error.to_string())
    }
}

/// Trains the child of `evaluation` on `data`.
///
/// A pure function of the evaluation, but for the seconds and a stop by [`Control::floor`]: on one kind of
/// CPU the same evaluation gives the same history to the last bit. Each epoch runs over the shuffled training data, the
/// last, smaller batch included, then measures the validation data; the weights of the epoch with the
/// highest validation accuracy (of equals, the lowest validation loss) are kept, and the outcome is
/// theirs. A loss that is not finite is a failure: on the CPU at its batch, elsewhere at the end of the
/// epoch, the first time that the device is waited for.
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
    let (trained, _) = run(evaluation, None, data, device, control, false)?;
    Ok(trained)
}

/// Trains as [`train`] does, from `start` on if there is one, and returns where it ended too, unless
/// it failed.
///
/// On one kind of CPU a training of 2 epochs that is continued to 5 is to the last bit one of 5 epochs.
/// The history begins with the epochs of `start`, with their seconds; the seconds of the outcome, and
/// `control`, are of the epochs that are trained now.
///
/// # Errors
/// As [`train`]. A start that [does not fit](Checkpoint::check) is the outcome's failure.
pub fn train_from(
    evaluation: &Evaluation,
    start: Option<&Checkpoint>,
    data: &Dataset,
    device: &Device,
    control: &Control,
) -> Result<(Trained, Option<Checkpoint>)> {
    run(evaluation, start, data, device, control, true)
}

fn run(
    evaluation: &Evaluation,
    start: Option<&Checkpoint>,
    data: &Dataset,
    device: &Device,
    control: &Control,
    keep: bool,
) -> Result<(Trained, Option<Checkpoint>)> {
    let started = Instant::now();
    let mut history = Vec::new();
    let learned = guard::catch(|| -> Result<_, Stop> {
        check(evaluation, start, data, device)?;
        history.extend(start.iter().flat_map(|start| start.about.history.clone()));
        let state = State::new(evaluation, start, device)?;
        let state = learn(
            state,
            evaluation,
            data,
            device,
            control,
            started,
            &mut history,
        )?;
        Ok(state.ended(evaluation, &history, keep)?)
    })
    .unwrap_or_else(|panic| Err(Stop::failed(FailureKind::Panic, panic)));
    kernels::release();
    let mut outcome = Outcome {
        seconds: started.elapsed().as_secs_f64(),
        params: evaluation.network.params(),
        macs: evaluation.network.macs(),
        ..Outcome::default()
    };
    let (weights, checkpoint) = match learned {
        Ok((weights, checkpoint)) => {
            let best = best_of(&history);
            outcome.accuracy = best.map(|epoch| epoch.validation_accuracy);
            outcome.loss = best.map(|epoch| epoch.validation_loss);
            outcome.best_epoch = best.map(|epoch| epoch.epoch);
            outcome.stopped = stopped(&history, &evaluation.training, control.floor);
            (Some(weights), checkpoint)
        }
        Err(Stop::Failed(failure)) => {
            outcome.failure = Some(failure);
            (None, None)
        }
        Err(Stop::Interrupted) => return Err(Error::Interrupted),
    };
    outcome.history = history;
    Ok((Trained { outcome, weights }, checkpoint))
}

/// Trains from the end of `history`, which it extends, to the last epoch.
fn learn(
    state: State,
    evaluation: &Evaluation,
    data: &Dataset,
    device: &Device,
    control: &Control,
    started: Instant,
    history: &mut Vec<Epoch>,
) -> Result<State, Stop> {
    let State {
        mut child,
        mut optimizer,
        mut best,
    } = state;
    let config = &evaluation.training;
    let plain = device.clone().without_autodiff();
    let device = plain.clone().autodiff();
    let augment = Augment {
        flip: config.flip,
        pad_crop: config.pad_crop,
    };
    let augments = augment != Augment::default();
    let split = data.train();
    let per_epoch = split.len().div_ceil(config.batch_size);
    let pause = || pause(control, started);

    for epoch in history.len()..config.epochs {
        if stopped(history, config, control.floor).is_some() {
            break;
        }
        let epoch_started = Instant::now();
        // Every epoch has streams of its own, so that a training can start at any of them.
        let stream = |name: &str| {
            let name = format!("child/{name}/{}", epoch + 1);
            evaluation.seed.stream(&name)
        };
        let mut dropout = stream("dropout");
        let mut augmentation = stream("augment");
        let mut indices: Vec<usize> = (0..split.len()).collect();
        indices.shuffle(&mut stream("shuffle"));
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
            if let Some(loss) = at_hand(&loss) {
                let (epoch, batch) = (epoch + 1, update + 1);
                let at = || format!("epoch {epoch}, batch {batch} of {per_epoch}");
                finite("training loss", loss, at)?;
            }
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
        let at = || format!("epoch {}", epoch + 1);
        finite("training loss", loss, at)?;
        finite("validation loss", validation_loss, at)?;
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
        if best_of(history).is_some_and(|best| best.epoch == epoch + 1) {
            best = Some(valid);
        }
    }
    Ok(State {
        child,
        optimizer,
        best,
    })
}

/// Checks that `evaluation` can be trained on `data` and `device`, from `start` on.
fn check(
    evaluation: &Evaluation,
    start: Option<&Checkpoint>,
    data: &Dataset,
    device: &Device,
) -> Result<(), Stop> {
    evaluation.training.validate()?;
    check_precision(evaluation.training.precision, device)?;
    check_fit(&evaluation.network, data)?;
    Ok(start.map_or(Ok(()), |start| start.check(evaluation))?)
}

/// Checks that `network` takes the images of `data` and tells its classes apart.
pub(super) fn check_fit(network: &Network, data: &Dataset) -> Result<(), Failure> {
    let misfit = |message: String| Err(Failure::new(FailureKind::Invalid, message));
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

/// Checks that `value`, which was measured `at` a point of the training, is a finite number.
fn finite(what: &str, value: f64, at: impl Fn() -> String) -> Result<(), Stop> {
    if value.is_finite() {
        return Ok(());
    }
    let message = format!("{}: the {what} is {value}", at());
    Err(Stop::failed(FailureKind::Nan, message))
}
