//! The binary version of CIFAR-10 and CIFAR-100: runs of records of label bytes and an image.
//! Knows nothing of where the files lie.

use super::catalog::Known;
use super::file::DataFile;
use super::locate::{Place, not_found};
use super::raw::{Parts, Raw, VALIDATION_PERCENT};
use crate::error::Result;

/// `[channels, height, width]` of every CIFAR image.
const SHAPE: [usize; 3] = [3, 32, 32];
const IMAGE: usize = 3 * 32 * 32;

/// What differs between the two.
pub(super) struct Layout {
    /// The training files in their official order; those that are there are read.
    train: &'static [&'static str],
    test: &'static str,
    /// The class names, one a line, in label order.
    names: &'static str,
    classes: usize,
    /// The bytes before the image; the last one is the label.
    label_bytes: usize,
}

pub(super) static CIFAR10: Layout = Layout {
    train: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
    ],
    test: "test_batch.bin",
    names: "batches.meta.txt",
    classes: 10,
    label_bytes: 1,
};

/// Each record opens with a coarse and a fine label; the fine one counts.
pub(super) static CIFAR100: Layout = Layout {
    train: &["train.bin"],
    test: "test.bin",
    names: "fine_label_names.txt",
    classes: 100,
    label_bytes: 2,
};

impl Layout {
    pub fn required(&self) -> Vec<Vec<String>> {
        let train = self.train.iter().map(ToString::to_string).collect();
        vec![train, vec![self.test.into()], vec![self.names.into()]]
    }
}

/// The records of one file.
#[derive(Default)]
struct Records {
    pixels: Vec<u8>,
    labels: Vec<u16>,
}

/// Reads the data set `set` at `place`.
pub(super) fn read(set: &Known, layout: &Layout, place: &Place) -> Result<Raw> {
    let mut classes = None;
    let mut train: Vec<_> = layout.train.iter().map(|_| None).collect();
    let mut test = None;
    let images = layout.train.iter().chain([&layout.test]);
    let wanted: Vec<_> = images.chain([&layout.names]).copied().collect();
    // An archive has an order of its own, so each file's records wait for their turn.
    place.visit(&wanted, |name, mut file| {
        if name == layout.names {
            classes = Some(layout.class_names(&mut file)?);
        } else if name == layout.test {
            test = Some(layout.records(&mut file)?);
        } else if let Some(batch) = layout.train.iter().position(|file| *file == name) {
            train[batch] = Some(layout.records(&mut file)?);
        }
        Ok(())
    })?;

    let path = || match place {
        Place::Folder(path) | Place::Archive(path) => vec![path.clone()],
    };
    let absent = |name: &str| not_found(set, name.into(), path());
    let train: Vec<Records> = train.into_iter().flatten().collect();
    if train.is_empty() {
        return Err(absent(layout.train[0]));
    }
    let test = test.ok_or_else(|| absent(layout.test))?;
    let parts = Parts {
        train: train.iter().map(|file| file.labels.len()).sum(),
        validation: None,
        test: Some(test.labels.len()),
    };
    let all = join(train.into_iter().chain([test]).collect());
    Ok(Raw {
        name: set.name.into(),
        attribution: set.attribution.into(),
        shape: SHAPE,
        brightest: u8::MAX,
        classes: classes.ok_or_else(|| absent(layout.names))?,
        pixels: all.pixels,
        labels: all.labels,
        parts,
        validation_percent: VALIDATION_PERCENT,
    })
}

/// Joins the files; each is freed as soon as it is copied, so that memory never holds all twice.
fn join(files: Vec<Records>) -> Records {
    let mut all = Records::default();
    all.pixels
        .reserve_exact(files.iter().map(|file| file.pixels.len()).sum());
    for file in files {
        all.pixels.extend_from_slice(&file.pixels);
        all.labels.extend_from_slice(&file.labels);
    }
    all
}

impl Layout {
    fn class_names(&self, file: &mut DataFile) -> Result<Vec<String>> {
        let names = file.lines()?;
        if names.len() != self.classes {
            let expected = format!("{} class names", self.classes);
            return Err(file.corrupt(None, expected, names.len()));
        }
        Ok(names)
    }

    fn records(&self, file: &mut DataFile) -> Result<Records> {
        let mut records = Records::default();
        let mut record = vec![0; self.label_bytes + IMAGE];
        while file.record(records.labels.len(), &mut record)? {
            let label = record[self.label_bytes - 1];
            if usize::from(label) >= self.classes {
                let expected = format!("a label from 0 to {}", self.classes - 1);
                return Err(file.corrupt(Some(records.labels.len()), expected, label));
            }
            records.labels.push(label.into());
            records
                .pixels
                .extend_from_slice(&record[self.label_bytes..]);
        }
        Ok(records)
    }
}
