//! What every reader returns: the records of a data set as they were read, before any split. Knows
//! nothing of file formats.

use std::ops::Range;

use sha2::{Digest, Sha256};

/// All records of a data set, in an order that depends on the data alone.
///
/// Pixels stay bytes: 10,000 CIFAR images are 30 MB, as `f32` they would be 120 MB.
#[derive(Debug)]
pub(super) struct Raw {
    pub name: String,
    /// What the data are and whom to credit, one line.
    pub attribution: String,
    /// `[channels, height, width]`.
    pub shape: [usize; 3],
    /// The value of the brightest pixel that the format allows.
    pub brightest: u8,
    /// Class names in label order.
    pub classes: Vec<String>,
    /// `[record, channel, row, column]`.
    pub pixels: Vec<u8>,
    pub labels: Vec<u16>,
    pub parts: Parts,
    /// The part of the training records that is held out where the user names no number.
    pub validation_percent: usize,
}

/// Which records the source itself sets apart. The training records come first, then those of
/// validation, then those of test.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub train: usize,
    /// `None` where validation is drawn from the training records.
    pub validation: Option<usize>,
    /// `None` where the test split is drawn from the training records.
    pub test: Option<usize>,
}

/// Validation records held out of a hundred training records, where a set has no rule of its own.
pub(super) const VALIDATION_PERCENT: usize = 10;

impl Parts {
    pub fn train_range(self) -> Range<usize> {
        0..self.train
    }

    pub fn validation_range(self) -> Option<Range<usize>> {
        self.validation.map(|n| self.train..self.train + n)
    }

    pub fn test_range(self) -> Option<Range<usize>> {
        let start = self.train + self.validation.unwrap_or(0);
        self.test.map(|n| start..start + n)
    }
}

impl Raw {
    /// The pixels of one image.
    pub fn size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The pixels of record `record`, `[channel, row, column]`.
    pub fn image(&self, record: usize) -> &[u8] {
        let size = self.size();
        &self.pixels[record * size..(record + 1) * size]
    }

    /// The SHA-256, in hex, of the shape, the sizes of the parts, the labels and the pixels.
    pub fn content_hash(&self) -> String {
        let mut hash = Sha256::new();
        let Parts {
            train,
            validation,
            test,
        } = self.parts;
        let parts = [train, validation.unwrap_or(0), test.unwrap_or(0)];
        for number in self.shape.iter().chain(&parts) {
            hash.update((*number as u64).to_le_bytes());
        }
        for label in &self.labels {
            hash.update(label.to_le_bytes());
        }
        hash.update(&self.pixels);
        hex(&hash.finalize())
    }
}

/// Lower-case hexadecimal, as checksums are written.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
