//! The IDX format of MNIST (and Fashion-MNIST, which follows it): images and labels in files of
//! their own, gzipped or not. Knows nothing of where the files lie.
//!
//! A file is a magic number (0, 0, 8 for bytes, the number of dimensions), each dimension as a
//! big-endian 32-bit number, and the bytes in row-major order.

use std::path::Path;

use super::catalog::Known;
use super::file::DataFile;
use super::locate::Place;
use super::raw::{Parts, Raw, VALIDATION_PERCENT};
use crate::error::{Error, Result};

const TRAIN: &str = "train";
const TEST: &str = "t10k";
const IMAGES: &str = "images-idx3-ubyte";
const LABELS: &str = "labels-idx1-ubyte";

/// The longest side that is believed; a larger one is a damaged header.
const LONGEST_SIDE: usize = 4096;

/// The two names that a file may have.
fn names(part: &str, kind: &str) -> Vec<String> {
    vec![format!("{part}-{kind}"), format!("{part}-{kind}.gz")]
}

/// The files of the data set, each under either of its names.
pub(super) fn required() -> Vec<Vec<String>> {
    let pairs = [
        (TRAIN, IMAGES),
        (TRAIN, LABELS),
        (TEST, IMAGES),
        (TEST, LABELS),
    ];
    pairs.iter().map(|(part, kind)| names(part, kind)).collect()
}

/// Reads the data set `set` at `place`.
pub(super) fn read(set: &Known, place: &Place) -> Result<Raw> {
    let (Place::Folder(folder) | Place::Archive(folder)) = place;
    let classes = set.class_names();
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    let sides = images(&mut open(folder, TRAIN, IMAGES)?, None, &mut pixels)?;
    let train = pixels.len() / (sides[0] * sides[1]);
    read_labels(
        &mut open(folder, TRAIN, LABELS)?,
        train,
        classes.len(),
        &mut labels,
    )?;
    images(&mut open(folder, TEST, IMAGES)?, Some(sides), &mut pixels)?;
    let test = pixels.len() / (sides[0] * sides[1]) - train;
    read_labels(
        &mut open(folder, TEST, LABELS)?,
        test,
        classes.len(),
        &mut labels,
    )?;
    Ok(Raw {
        name: set.name.into(),
        attribution: set.attribution.into(),
        shape: [1, sides[0], sides[1]],
        brightest: u8::MAX,
        classes,
        pixels,
        labels,
        parts: Parts {
            train,
            validation: None,
            test: Some(test),
        },
        validation_percent: VALIDATION_PERCENT,
    })
}

fn open(folder: &Path, part: &str, kind: &str) -> Result<DataFile<'static>> {
    let paths = names(part, kind).into_iter().map(|name| folder.join(name));
    let there = paths.into_iter().find(|path| path.is_file());
    DataFile::open(&there.unwrap_or_else(|| folder.join(format!("{part}-{kind}"))))
}

/// Appends the images of `file` to `pixels` and returns their height and width, which must be
/// `sides` where that is given.
fn images(
    file: &mut DataFile,
    sides: Option<[usize; 2]>,
    pixels: &mut Vec<u8>,
) -> Result<[usize; 2]> {
    let [count, height, width] = header(file)?;
    let found = format!("{height} x {width}");
    let believable = 1..=LONGEST_SIDE;
    if !believable.contains(&height) || !believable.contains(&width) {
        let expected = format!("images with sides of 1 to {LONGEST_SIDE} pixels");
        return Err(file.corrupt(None, expected, found));
    }
    if let Some([h, w]) = sides.filter(|sides| *sides != [height, width]) {
        return Err(file.corrupt(None, format!("images of {h} x {w} pixels"), found));
    }
    let mut image = vec![0; height * width];
    // Memory follows what the file really holds, not what its header promises.
    for number in 0..count {
        if !file.record(number, &mut image)? {
            return Err(file.cut(number, image.len(), 0));
        }
        pixels.extend_from_slice(&image);
    }
    end(file, count)?;
    Ok([height, width])
}

/// Appends the labels of `file` to `labels`: one for each of `images` images.
fn read_labels(
    file: &mut DataFile,
    images: usize,
    classes: usize,
    labels: &mut Vec<u16>,
) -> Result<()> {
    let [count] = header(file)?;
    if count != images {
        let expected = format!("{images} labels, as many as there are images");
        return Err(file.corrupt(None, expected, count));
    }
    let mut label = [0];
    for number in 0..count {
        if !file.record(number, &mut label)? {
            return Err(file.cut(number, 1, 0));
        }
        if usize::from(label[0]) >= classes {
            let expected = format!("a label from 0 to {}", classes - 1);
            return Err(file.corrupt(Some(number), expected, label[0]));
        }
        labels.push(label[0].into());
    }
    end(file, count)
}

/// Reads the magic number and the `D` dimensions.
fn header<const D: usize>(file: &mut DataFile) -> Result<[usize; D]> {
    let magic = 0x0800 + D as u32;
    let mut next = |what: &str| -> Result<u32> {
        let mut bytes = [0; 4];
        let found = file.fill(&mut bytes)?;
        if found < bytes.len() {
            return Err(file.corrupt(None, format!("4 bytes of {what}"), format!("{found} bytes")));
        }
        Ok(u32::from_be_bytes(bytes))
    };
    let found = next("magic number")?;
    if found != magic {
        let expected = format!("IDX magic number 0x{magic:08x} (bytes, {D} dimensions)");
        return Err(file.corrupt(None, expected, format!("0x{found:08x}")));
    }
    let mut dimensions = [0; D];
    for dimension in &mut dimensions {
        *dimension = next("dimension")? as usize;
    }
    Ok(dimensions)
}

/// Checks that nothing follows the last record.
fn end(file: &mut DataFile, count: usize) -> Result<()> {
    match file.fill(&mut [0])? {
        0 => Ok(()),
        _ => Err::<(), Error>(file.corrupt(None, format!("the end after {count} records"), "more")),
    }
}
