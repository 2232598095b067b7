//! How well a child does on a split, without learning from it. Knows nothing of training.

use burn::tensor::{Device, Int, Tensor};

use super::forward::Child;
use super::guard;
use super::loss::{Totals, cross_entropy};
use super::weights::Weights;
use crate::data::Split;
use crate::error::{Error, Result};
use crate::network::Network;

/// Images per batch in evaluation; fixed, so that sums come out the same whatever the batch size of
/// training.
const BATCH: usize = 256;

/// A measurement on a split.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// The mean cross-entropy, in nats.
    pub loss: f64,
    /// The share of images whose class has the highest logit, 0 to 1.
    pub accuracy: f64,
}

/// A measurement, and which classes were taken for which.
#[derive(Clone, Debug, PartialEq)]
pub struct Examination {
    /// The measurement.
    pub score: Score,
    /// How many images of each class (rows) were taken for each (columns).
    pub confusion: Vec<Vec<u64>>,
}

/// Measures `network` with `weights` on `split`.
///
/// # Errors
/// [`Error::Invalid`] where the weights are not the network's, or where the computation fails.
pub fn score(
    network: &Network,
    weights: &Weights,
    split: &Split,
    device: &Device,
) -> Result<Score> {
    let score = measured(network, weights, split, device, |_, _| ());
    score.map(|(score, _)| score)
}

/// [`score`], and which classes were taken for which.
///
/// # Errors
/// As [`score`].
pub fn examine(
    network: &Network,
    weights: &Weights,
    split: &Split,
    device: &Device,
) -> Result<Examination> {
    let mut answers: Vec<(i64, i64)> = Vec::new();
    let note = |logits: &Tensor<2>, labels: &Tensor<1, Int>| {
        let taken = logits.clone().argmax(1).into_data();
        let labels = labels.clone().into_data();
        answers.extend(labels.iter::<i64>().zip(taken.iter::<i64>()));
    };
    let (score, classes) = measured(network, weights, split, device, note)?;
    let mut confusion = vec![vec![0; classes]; classes];
    for (label, taken) in answers {
        let place = usize::try_from(label).ok().zip(usize::try_from(taken).ok());
        let cell = place.and_then(|(row, column)| confusion.get_mut(row)?.get_mut(column));
        if let Some(count) = cell {
            *count += 1;
        }
    }
    Ok(Examination { score, confusion })
}

/// The score, and how many logits there are; `note` sees the logits and the labels of each batch.
fn measured(
    network: &Network,
    weights: &Weights,
    split: &Split,
    device: &Device,
    mut note: impl FnMut(&Tensor<2>, &Tensor<1, Int>),
) -> Result<(Score, usize)> {
    let device = device.clone().without_autodiff();
    let child = Child::with_weights(network, weights, &device)?;
    let mut classes = 0;
    let noted = |logits: &Tensor<2>, labels: &Tensor<1, Int>| {
        classes = logits.dims()[1];
        note(logits, labels);
    };
    let measured = guard::catch(|| {
        let totals = measure_noting(&child, split, &device, || Ok(()), noted)?;
        let [(loss, accuracy)] = Totals::read([totals]);
        Ok(Score { loss, accuracy })
    });
    let score = measured.unwrap_or_else(|panic| {
        let expected = "a computation that succeeds";
        Err(Error::invalid("score", expected, panic))
    })?;
    Ok((score, classes))
}

/// Measures `child`, which is on `device`, without autodiff and without waiting for the device;
/// `pause` is asked between batches whether to go on.
pub(super) fn measure<E>(
    child: &Child,
    split: &Split,
    device: &Device,
    pause: impl FnMut() -> Result<(), E>,
) -> Result<Totals, E> {
    measure_noting(child, split, device, pause, |_, _| ())
}

/// [`measure`]; `note` sees the logits and the labels of each batch.
fn measure_noting<E>(
    child: &Child,
    split: &Split,
    device: &Device,
    mut pause: impl FnMut() -> Result<(), E>,
    mut note: impl FnMut(&Tensor<2>, &Tensor<1, Int>),
) -> Result<Totals, E> {
    let mut totals = Totals::new(device);
    let indices: Vec<usize> = (0..split.len()).collect();
    for batch in indices.chunks(BATCH) {
        pause()?;
        let batch = split.batch(batch, None, device);
        let logits = child.forward(batch.images);
        note(&logits, &batch.labels);
        let loss = cross_entropy(logits.clone(), &batch.labels, 0.0);
        totals.add(loss, logits, batch.labels);
    }
    Ok(totals)
}
