//! A split and the batches it hands out, made on the host or where the device holds the split.

use std::sync::Arc;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use parking_lot::Mutex;

use super::augment::{Augment, View};
use super::normalise::Normaliser;
use super::raw::Raw;
use super::resident::Resident;
use crate::buffers::Buffer;
use crate::device;
use crate::seed::StreamRng;

/// The most pixels of a split that a GPU is given to hold, a byte each (1 GiB).
///
/// Below the memory of any GPU that trains and the longest buffer of its driver; the places of the
/// pixels fit an `i32`.
const MOST_RESIDENT: usize = 1 << 30;

/// Some records of a data set. Cheap to clone: the pixels are shared with the other splits.
#[derive(Clone, Debug)]
pub struct Split {
    raw: Arc<Raw>,
    normaliser: Arc<Normaliser>,
    records: Arc<[u32]>,
    /// What each device holds of this split, for all that train on it.
    residents: Arc<Mutex<Residents>>,
}

/// Each device that was asked, and the split there if it is not too large.
type Residents = Vec<(Device, Option<Resident>)>;

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
            residents: Arc::default(),
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
    /// A GPU is given the whole split with the first batch and makes its batches itself, equal to
    /// the bit to those of the CPU; a split of more than 1 GiB of pixels goes to it batch by batch.
    ///
    /// # Panics
    /// Where an index is not below [`len`](Self::len).
    pub fn batch(
        &self,
        indices: &[usize],
        augment: Option<(&Augment, &mut StreamRng)>,
        device: &Device,
    ) -> Batch {
        let Some(resident) = self.resident(device) else {
            return self.gather(indices, augment, device);
        };
        // A device does not say so.
        assert!(indices.iter().all(|i| *i < self.len()), "no such image");
        let views = match augment {
            None => vec![View::default(); indices.len()],
            Some((augment, rng)) => indices.iter().map(|_| augment.draw(rng)).collect(),
        };
        let Batch { images, labels } = resident.batch(indices, &views);
        match device.is_autodiff() {
            false => Batch { images, labels },
            true => Batch {
                images: images.autodiff(),
                labels: labels.autodiff(),
            },
        }
    }

    /// Makes the batch on the host.
    pub(super) fn gather(
        &self,
        indices: &[usize],
        augment: Option<(&Augment, &mut StreamRng)>,
        device: &Device,
    ) -> Batch {
        let [channels, height, width] = self.raw.shape;
        let size = self.raw.size();
        // Channels last, as the kernels of the CPU read images.
        let mut images = Buffer::take(indices.len() * size);
        let mut augment = augment;
        for (index, out) in indices.iter().zip(images.chunks_exact_mut(size)) {
            let view = augment.as_mut().map(|(augment, rng)| augment.draw(rng));
            let image = self.raw.image(self.record(*index));
            let view = view.unwrap_or_default();
            self.normaliser.write(image, width, view, out);
        }
        let labels: Vec<i64> = indices.iter().map(|i| self.label(*i) as i64).collect();
        let shape = [indices.len(), height, width, channels];
        let images = TensorData::from_bytes(images.lend(), shape, DType::F32);
        Batch {
            images: Tensor::<4>::from_data(images, device).permute([0, 3, 1, 2]),
            labels: Tensor::from_data(TensorData::new(labels, [indices.len()]), device),
        }
    }

    /// The split on `device`; none on the CPU, which reads the host's copy, or where it is too large.
    fn resident(&self, device: &Device) -> Option<Resident> {
        match device::is_cpu(device) {
            true => None,
            false => self.held(device, MOST_RESIDENT),
        }
    }

    /// The split on `device`, copied there by whoever asks first; none if it has more than `most`
    /// pixels.
    pub(super) fn held(&self, device: &Device, most: usize) -> Option<Resident> {
        // Whoever comes second waits for the copy.
        let mut residents = self.residents.lock();
        if let Some((_, resident)) = residents.iter().find(|(on, _)| on == device) {
            return resident.clone();
        }
        let pixels = self.len() * self.raw.size();
        let resident = (pixels <= most).then(|| self.upload(device));
        if resident.is_none() {
            tracing::warn!(
                "data set '{}': the {pixels} pixels of {} images are more than the {most} that a \
                 device is given to hold; each batch is uploaded",
                self.raw.name,
                self.len(),
            );
        }
        residents.push((device.clone(), resident.clone()));
        resident
    }

    /// Copies the split to `device`.
    pub(super) fn upload(&self, device: &Device) -> Resident {
        let images = self.records.iter().map(|r| self.raw.image(*r as usize));
        let pixels: Vec<u8> = images.flatten().copied().collect();
        let labels: Vec<i64> = (0..self.len()).map(|i| self.label(i) as i64).collect();
        let device = device.clone().without_autodiff();
        let scaled = self.normaliser.scaled();
        Resident::upload(&pixels, &labels, &scaled, self.raw.shape, &device)
    }
}
