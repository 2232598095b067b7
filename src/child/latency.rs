//! How long a network takes to answer. Knows nothing of training.

use std::time::Instant;

use burn::tensor::{Device, Tensor};

use super::forward::Child;
use super::guard;
use crate::error::{Error, Result};
use crate::network::Network;
use crate::seed::Seed;

/// Answers that are not timed: compilers of kernels, caches and clocks settle.
const WARM_UP: usize = 3;

/// The median time, in milliseconds, that `network` takes for the logits of `batch` images on
/// `device`, of `repeats` times after a warm-up.
///
/// The weights are initial ones: the time does not depend on them. The images are on the device
/// already, and a time ends when the device is done.
///
/// # Errors
/// [`Error::Invalid`] for no images or no repeats, or where the network cannot be computed; as
/// [`Child::build`].
pub fn latency(network: &Network, device: &Device, batch: usize, repeats: usize) -> Result<f64> {
    for (option, count) in [("batch", batch), ("repeats", repeats)] {
        if count == 0 {
            let what = format!("latency: option '{option}'");
            return Err(Error::invalid(what, "a whole number from 1", count));
        }
    }
    let device = device.clone().without_autodiff();
    let failed = |found: String| Error::invalid("latency", "a network that computes", found);
    let child = Child::build(network, Seed(0), &device)?;
    let measured = guard::catch(|| {
        let shape = network.input_shape();
        let images = Tensor::<4>::ones([batch, shape[0], shape[1], shape[2]], &device);
        let mut times = Vec::with_capacity(repeats);
        for run in 0..WARM_UP + repeats {
            device.sync().map_err(|error| error.to_string())?;
            let started = Instant::now();
            let logits = child.forward(images.clone());
            device.sync().map_err(|error| error.to_string())?;
            if run >= WARM_UP {
                times.push(started.elapsed().as_secs_f64() * 1e3);
            }
            drop(logits);
        }
        Ok(median(times))
    });
    measured.unwrap_or_else(Err).map_err(failed)
}

/// The middle of `times`, of an even number the mean of the two in the middle.
fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    let middle = times.len() / 2;
    match times.len().is_multiple_of(2) {
        true => (times[middle - 1] + times[middle]) / 2.0,
        false => times[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Conv2dOptions, DenseOptions, Node};

    fn classifier(filters: usize) -> Network {
        let x = Node::input(&[1, 16, 16]).unwrap();
        let x = x.conv2d(filters, [3, 3], &Conv2dOptions::default());
        let x = x.unwrap().global_avg_pool().unwrap();
        Network::from_output(&x.dense(10, &DenseOptions::default()).unwrap()).unwrap()
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 100.0, 1.0, 2.0]), 3.0);
    }

    #[test]
    fn more_images_take_longer() {
        let time = |batch| latency(&classifier(32), &Device::flex(), batch, 5).unwrap();
        assert!(time(1) > 0.0);
        // Another process may take the time of one measurement, but not of every one.
        let more = || time(256) > 4.0 * time(1);
        assert!((0..5).any(|_| more()), "256 images take no longer than one");
    }

    #[test]
    fn what_cannot_be_measured_is_an_error() {
        let network = classifier(4);
        let message = |batch, repeats| {
            let error = latency(&network, &Device::flex(), batch, repeats);
            error.unwrap_err().to_string()
        };
        assert_eq!(
            message(0, 1),
            "latency: option 'batch': expected a whole number from 1, found 0"
        );
        assert_eq!(
            message(1, 0),
            "latency: option 'repeats': expected a whole number from 1, found 0"
        );
        let image = Network::from_output(&Node::input(&[1, 8, 8]).unwrap()).unwrap();
        let error = latency(&image, &Device::flex(), 1, 1).unwrap_err();
        assert!(error.to_string().contains("a flat output"), "{error}");
    }
}
