//! A data set ready for use: its splits and its description. Knows nothing of how it was read.

use std::sync::Arc;

use super::divide::{DataOptions, divide};
use super::normalise::Normaliser;
use super::raw::Raw;
use super::source::DataSource;
use super::split::Split;
use crate::error::Result;

/// Labelled images in three splits. Cheap to clone: everything is shared.
#[derive(Clone, Debug)]
pub struct Dataset(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    raw: Arc<Raw>,
    normaliser: Arc<Normaliser>,
    content_hash: String,
    split_seed: u64,
    source: DataSource,
    train: Split,
    validation: Split,
    test: Split,
}

impl Dataset {
    /// Draws the splits of `raw` and measures the training split.
    pub(super) fn new(raw: Raw, options: &DataOptions, source: DataSource) -> Result<Self> {
        let division = divide(&raw, options)?;
        let normaliser = Arc::new(Normaliser::measure(&raw, &division.train));
        let content_hash = raw.content_hash();
        let raw = Arc::new(raw);
        let split = |records| Split::new(Arc::clone(&raw), Arc::clone(&normaliser), records);
        Ok(Self(Arc::new(Inner {
            train: split(division.train),
            validation: split(division.validation),
            test: split(division.test),
            raw,
            normaliser,
            content_hash,
            split_seed: options.split_seed,
            source,
        })))
    }

    /// The name: that of the catalogue, "synthetic", or the last part of a folder's path.
    pub fn name(&self) -> &str {
        &self.0.raw.name
    }

    /// Where it came from: what [`open`](super::open) makes it from again.
    pub fn source(&self) -> &DataSource {
        &self.0.source
    }

    /// The shape of an image, `[channels, height, width]`.
    pub fn shape(&self) -> [usize; 3] {
        self.0.raw.shape
    }

    /// The class names in label order.
    pub fn classes(&self) -> &[String] {
        &self.0.raw.classes
    }

    /// The images to train on.
    pub fn train(&self) -> &Split {
        &self.0.train
    }

    /// The images to compare candidates on.
    pub fn validation(&self) -> &Split {
        &self.0.validation
    }

    /// The images kept apart for the end; a search never sees them.
    pub fn test(&self) -> &Split {
        &self.0.test
    }

    /// How the records were divided, as canonical text:
    /// "train=4000 validation=1000 test=2000 split_seed=0".
    pub fn split_key(&self) -> String {
        format!(
            "train={} validation={} test={} split_seed={}",
            self.train().len(),
            self.validation().len(),
            self.test().len(),
            self.0.split_seed
        )
    }

    /// The SHA-256, in hex, of everything that was read: shape, sizes of the parts, labels, pixels.
    pub fn content_hash(&self) -> &str {
        &self.0.content_hash
    }

    /// Describes the data set in a few lines: name, shape, classes, sizes of the splits, mean and
    /// deviation of each channel of the training split, attribution.
    pub fn summary(&self) -> String {
        let [channels, height, width] = self.shape();
        let per_channel = |f: &dyn Fn(&super::normalise::Channel) -> f64| {
            let values = self.0.normaliser.channels().iter();
            let values: Vec<_> = values.map(|c| format!("{:.2}", f(c))).collect();
            values.join(", ")
        };
        format!(
            "{}: {channels} x {height} x {width} (channels, height, width), pixels 0-{}\n\
             classes: {} ({})\n\
             splits: {}\n\
             training pixels by channel: mean {}; std {}\n\
             source: {}",
            self.name(),
            self.0.raw.brightest,
            self.classes().len(),
            first_names(self.classes()),
            self.split_key(),
            per_channel(&|c| c.mean),
            per_channel(&|c| c.std),
            self.0.raw.attribution,
        )
    }
}

/// The class names, cut where there are too many for a line.
fn first_names(classes: &[String]) -> String {
    const SHOWN: usize = 12;
    let mut names = classes[..classes.len().min(SHOWN)].join(", ");
    if classes.len() > SHOWN {
        names.push_str(", …");
    }
    names
}
