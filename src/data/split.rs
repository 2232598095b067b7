//! A split, and the batches it hands out: the only place of this room that makes tensors.

use std::sync::Arc;

use burn::tensor::{Device, Int, Tensor, TensorData};

use super::augment::Augment;
use super::normalise::Normaliser;
use super::raw::Raw;
use crate::seed::StreamRng;

/// Some records of a data set. Cheap to clone: the pixels are shared with the other splits.
#[derive(Clone, Debug)]
pub struct Split {
    raw: Arc<Raw>,
    normaliser: Arc<Normaliser>,
    records: Arc<[u32]>,
}

/// Images and their labels on a device.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[n, channels, height, width]`, each channel with mean 0 and deviation 1 over the training
    /// split.
    pub images: Tensor<4>,
    /// `[n]`, the index of each image's class.
    pub labels: Tensor<1, Int>,
}

impl Split {
    pub(super) fn new(raw: Arc<Raw>, normaliser: Arc<Normaliser>, records: Vec<u32>) -> Self {
        Self {
            raw,
            normaliser,
            records: records.into(),
        }
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no image, which only a test split can be.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The label of image `i`, an index into [`Dataset::classes`](super::Dataset::classes).
    ///
    /// # Panics
    /// Where `i` is not below [`len`](Self::len).
    pub fn label(&self, i: usize) -> usize {
        usize::from(self.raw.labels[self.record(i)])
    }

    /// The number of image `i` among all records that were read, counted from 0: the training files'
    /// records first, then those of the test file.
    ///
    /// # Panics
    /// Where `i` is not below [`len`](Self::len).
    pub fn record(&self, i: usize) -> usize {
        self.records[i] as usize
    }

    /// Builds the batch of the images `indices`, in that order, on `device`.
    ///
    /// Images are normalised per channel with the mean and deviation of the training split. With
    /// `augment`, each image in turn draws its change from the generator given, and nothing else
    /// does.
    ///
    /// # Panics
    /// Where an index is not below [`len`](Self::len).
    pub fn batch(
        &self,
        indices: &[usize],
        augment: Option<(&Augment, &mut StreamRng)>,
        device: &Device,
    ) -> Batch {
        let [channels, height, width] = self.raw.shape;
        let mut images = Vec::with_capacity(indices.len() * self.raw.size());
        let raw_images = indices.iter().map(|i| self.raw.image(self.record(*i)));
        match augment {
            None => raw_images.for_each(|image| self.normaliser.append(image, &mut images)),
            Some((augment, rng)) => raw_images.for_each(|image| {
                let view = augment.draw(rng);
                self.normaliser.append_view(image, width, view, &mut images);
            }),
        }
        let labels: Vec<i64> = indices.iter().map(|i| self.label(*i) as i64).collect();
        let shape = [indices.len(), channels, height, width];
        Batch {
            images: Tensor::from_data(TensorData::new(images, shape), device),
            labels: Tensor::from_data(TensorData::new(labels, [indices.len()]), device),
        }
    }
}
