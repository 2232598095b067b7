//! How well a child does on a split, without learning from it. Knows nothing of training.

use burn::tensor::Device;

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
    let device = device.clone().without_autodiff();
    let child = Child::with_weights(network, weights, &device)?;
    let measured = guard::catch(|| {
        let totals = measure(&child, split, &device, || Ok(()))?;
        let [(loss, accuracy)] = Totals::read([totals]);
        Ok(Score { loss, accuracy })
    });
    measured.unwrap_or_else(|panic| {
        let expected = "a computation that succeeds";
        Err(Error::invalid("score", expected, panic))
    })
}

/// Measures `child`, which is on `device`, without autodiff and without waiting for the device;
/// `pause` is asked between batches whether to go on.
pub(super) fn measure<E>(
    child: &Child,
    split: &Split,
    device: &Device,
    mut pause: impl FnMut() -> Result<(), E>,
) -> Result<Totals, E> {
    let mut totals = Totals::new(device);
    let indices: Vec<usize> = (0..split.len()).collect();
    for batch in indices.chunks(BATCH) {
        pause()?;
        let batch = split.batch(batch, None, device);
        let logits = child.forward(batch.images);
        let loss = cross_entropy(logits.clone(), &batch.labels, 0.0);
        totals.add(loss, logits, batch.labels);
    }
    Ok(totals)
}
