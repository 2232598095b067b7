//! The handwritten digits that are built into the program, so that a first search needs no download.
//!
//! E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (test part), UCI Machine
//! Learning Repository, 1998, licence CC BY 4.0.

use flate2::read::GzDecoder;

use super::catalog::Known;
use super::raw::{Parts, Raw};
use crate::error::{Error, Result};

/// A line is 64 pixels of 0-16, row by row, and the class.
static FILE: &[u8] = include_bytes!("digits.csv.gz");
const SHAPE: [usize; 3] = [1, 8, 8];
const PIXELS: usize = 64;
const BRIGHTEST: u8 = 16;
/// The set is small: 10 % would leave too few to tell two networks apart.
const HELD_OUT_PERCENT: usize = 15;

/// Reads the 1,797 digits.
pub(super) fn read(set: &Known) -> Result<Raw> {
    let mut lines = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_reader(GzDecoder::new(FILE));
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    for (record, line) in lines.deserialize::<Vec<u8>>().enumerate() {
        let line = line.map_err(|e| damaged(record, &e))?;
        match line.split_last() {
            Some((label, image)) if image.len() == PIXELS => {
                pixels.extend_from_slice(image);
                labels.push(u16::from(*label));
            }
            _ => return Err(damaged(record, &format!("{} columns", line.len()))),
        }
    }
    Ok(Raw {
        name: set.name.into(),
        attribution: set.attribution.into(),
        shape: SHAPE,
        brightest: BRIGHTEST,
        classes: set.class_names(),
        parts: Parts {
            train: labels.len(),
            ..Parts::default()
        },
        pixels,
        labels,
        validation_percent: HELD_OUT_PERCENT,
    })
}

fn damaged(record: usize, found: &dyn ToString) -> Error {
    Error::DataCorrupt {
        path: "digits.csv.gz".into(),
        record: Some(record),
        expected: format!("{PIXELS} pixels and a class"),
        found: found.to_string(),
    }
}
