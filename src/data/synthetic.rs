//! Made-up images that can be learned: a pattern for each class, and noise. Needs no file, and is
//! the same on every platform.

use rand::RngExt;

use super::dataset::Dataset;
use super::divide::DataOptions;
use super::raw::{Parts, Raw, VALIDATION_PERCENT};
use super::source::DataSource;
use crate::error::{Error, Result};
use crate::seed::{Seed, normal};

/// What is made up.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticOptions {
    /// The number of classes, 2 to 1000; default 4.
    pub classes: usize,
    /// `[channels, height, width]`; default `[1, 8, 8]`.
    pub shape: [usize; 3],
    /// The number of images, at least one of each class; default 1000.
    pub samples: usize,
    /// The standard deviation of the noise, where the patterns span 0 to 1; default 0.3.
    pub noise: f64,
    /// The seed of patterns and noise; default 0.
    pub seed: u64,
}

impl Default for SyntheticOptions {
    fn default() -> Self {
        Self {
            classes: 4,
            shape: [1, 8, 8],
            samples: 1000,
            noise: 0.3,
            seed: 0,
        }
    }
}

impl SyntheticOptions {
    /// The names of the options.
    pub const OPTIONS: &[&str] = &["classes", "shape", "samples", "noise", "seed"];
}

/// The most pixels in all, 1 GiB; a guard against slips.
const MOST_PIXELS: usize = 1 << 30;

/// A pattern is this many patches high and wide: coarse enough for a kernel of 3 to see its edges.
const PATCHES: usize = 4;

/// Makes up a data set: for each class a pattern of grey patches, for each image the pattern of its
/// class plus Gaussian noise, rounded to bytes.
///
/// # Errors
/// [`Error::Invalid`] for an option outside its range, or where `data` asks for more than `samples`.
pub fn synthetic(options: &SyntheticOptions, data: &DataOptions) -> Result<Dataset> {
    let source = DataSource::Synthetic {
        made: options.clone(),
        options: *data,
    };
    Dataset::new(make(options)?, data, source)
}

/// The records of [`synthetic`].
pub(super) fn make(options: &SyntheticOptions) -> Result<Raw> {
    check(options)?;
    let [channels, height, width] = options.shape;
    let prototypes = prototypes(options);
    let mut rng = Seed(options.seed).stream("noise");
    let labels: Vec<u16> = (0..options.samples)
        .map(|sample| (sample % options.classes) as u16)
        .collect();
    let mut pixels = Vec::with_capacity(options.samples * channels * height * width);
    for label in &labels {
        let prototype = prototypes[usize::from(*label)].iter();
        let noisy = prototype.map(|value| value + options.noise * normal(&mut rng));
        pixels.extend(noisy.map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8));
    }
    Ok(Raw {
        name: "synthetic".into(),
        attribution: format!(
            "made up: class patterns with noise {}, seed {}",
            options.noise, options.seed
        ),
        shape: options.shape,
        brightest: u8::MAX,
        classes: (0..options.classes).map(|c| c.to_string()).collect(),
        pixels,
        labels,
        parts: Parts {
            train: options.samples,
            ..Parts::default()
        },
        validation_percent: VALIDATION_PERCENT,
    })
}

fn check(options: &SyntheticOptions) -> Result<()> {
    let wrong = |option: &str, expected: String, found: String| {
        let what = format!("option '{option}' of synthetic data");
        Err(Error::invalid(what, expected, found))
    };
    let SyntheticOptions {
        classes,
        shape,
        samples,
        noise,
        ..
    } = options;
    if !(2..=1000).contains(classes) {
        return wrong("classes", "2 to 1000".into(), classes.to_string());
    }
    if samples < classes {
        let expected = format!("at least {classes}, one for each class");
        return wrong("samples", expected, samples.to_string());
    }
    if !noise.is_finite() || *noise < 0.0 {
        return wrong("noise", "a finite number from 0".into(), noise.to_string());
    }
    let pixels = shape
        .iter()
        .try_fold(*samples, |n, side| n.checked_mul(*side));
    if !pixels.is_some_and(|n| (1..=MOST_PIXELS).contains(&n)) {
        let expected =
            format!("positive sides and at most {MOST_PIXELS} pixels over all {samples} samples");
        return wrong("shape", expected, format!("{shape:?}"));
    }
    Ok(())
}

/// Draws the pattern of each class, `[channel, row, column]` from 0 to 1.
fn prototypes(options: &SyntheticOptions) -> Vec<Vec<f64>> {
    let mut rng = Seed(options.seed).stream("prototypes");
    let [channels, height, width] = options.shape;
    let mut prototype = |_| {
        let patches: Vec<f64> = (0..channels * PATCHES * PATCHES)
            .map(|_| rng.random())
            .collect();
        let mut pixels = Vec::with_capacity(channels * height * width);
        for channel in 0..channels {
            for row in 0..height {
                let line = (channel * PATCHES + row * PATCHES / height) * PATCHES;
                pixels.extend((0..width).map(|column| patches[line + column * PATCHES / width]));
            }
        }
        pixels
    };
    (0..options.classes).map(&mut prototype).collect()
}
