//! A folder of pictures as a data set: one sub-folder a class. Knows image files through the `image`
//! crate alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::imageops::FilterType;
use image::{ColorType, DynamicImage, ImageDecoder, ImageReader};

use super::dataset::Dataset;
use super::divide::DataOptions;
use super::locate::DataPaths;
use super::raw::{Parts, Raw, VALIDATION_PERCENT};
use super::source::{DataSource, open};
use crate::error::{Error, Result};

/// How a folder of pictures is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FolderOptions {
    /// Resizes every picture to `[height, width]`; default off: all must have one size.
    pub size: Option<[usize; 2]>,
    /// How the records are divided.
    pub data: DataOptions,
}

/// The most pixels in all, 4 GiB; a guard against slips and against pictures that are not what they seem.
const MOST_PIXELS: usize = 1 << 32;

/// A picture file and its label.
struct Picture {
    path: PathBuf,
    label: u16,
}

/// Loads `path/<class>/*.png` (or `.jpg`, `.jpeg`); the classes are the folder names in sorted order.
///
/// Where `path/train` exists it holds the class folders of the training records, and
/// `path/validation` and `path/test`, each optional, those of the other splits. Pictures are grey (1
/// channel) or RGB; transparency is dropped. With `size`, grey pictures among RGB ones become RGB.
///
/// A relative `path` is looked for in the folder `beside`, then in those of `paths`.
///
/// # Errors
/// [`Error::DataMissing`] where it is in none of them, [`Error::DataCorrupt`] for a file that is no
/// picture or differs from the first one in size or channels, [`Error::Unknown`] for a class that
/// has no training folder, [`Error::Invalid`] for an empty class or too many records asked for.
pub fn load_folder(
    path: &Path,
    beside: &Path,
    options: &FolderOptions,
    paths: &DataPaths,
) -> Result<Dataset> {
    // Absolute, so that a process that works in another folder finds it too.
    let beside = std::path::absolute(Path::new(".").join(beside));
    let source = DataSource::Folder {
        path: path.to_path_buf(),
        beside: beside.map_err(Error::io("find", path))?,
        options: *options,
    };
    open(&source, paths)
}

/// Reads the folder of pictures at `path`, which exists.
pub(super) fn read(path: &Path, size: Option<[usize; 2]>) -> Result<Raw> {
    let train = path.join("train");
    let train = if train.is_dir() {
        train
    } else {
        path.to_path_buf()
    };
    let apart = train != path;
    let classes: Vec<String> = folders(&train)?.into_keys().collect();
    if !(2..=usize::from(u16::MAX)).contains(&classes.len()) {
        let what = format!("class folders of {}", train.display());
        return Err(Error::invalid(what, "at least 2", classes.len()));
    }
    let mut pictures = find(&train, &classes)?;
    let mut parts = Parts {
        train: pictures.len(),
        ..Parts::default()
    };
    for (part, count) in [
        ("validation", &mut parts.validation),
        ("test", &mut parts.test),
    ] {
        let part = path.join(part);
        if apart && part.is_dir() {
            let found = find(&part, &classes)?;
            *count = Some(found.len());
            pictures.extend(found);
        }
    }
    let shape = shape(&pictures, size)?;
    let bytes = shape
        .iter()
        .try_fold(pictures.len(), |n, side| n.checked_mul(*side));
    let bytes = bytes.filter(|bytes| *bytes <= MOST_PIXELS).ok_or_else(|| {
        let what = format!("pictures of {}", path.display());
        let expected = format!("at most {MOST_PIXELS} bytes of pixels");
        Error::invalid(what, expected, format!("{} of {shape:?}", pictures.len()))
    })?;
    let mut pixels = Vec::with_capacity(bytes);
    for picture in &pictures {
        append(&picture.path, shape, &mut pixels)?;
    }
    Ok(Raw {
        name: name(path),
        attribution: format!("pictures in {}", path.display()),
        shape,
        brightest: u8::MAX,
        classes,
        pixels,
        labels: pictures.iter().map(|picture| picture.label).collect(),
        parts,
        validation_percent: VALIDATION_PERCENT,
    })
}

/// The last part of `path`.
pub(super) fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Finds the pictures of the class folders of `part`, in sorted order.
fn find(part: &Path, classes: &[String]) -> Result<Vec<Picture>> {
    let mut pictures = Vec::new();
    for (class, folder) in folders(part)? {
        let label = classes.iter().position(|known| *known == class);
        let label = label.ok_or_else(|| Error::unknown("class", &class, classes.to_vec()))?;
        let mut files = entries(&folder)?;
        files.retain(|file| is_picture(file));
        if files.is_empty() {
            let what = format!("class folder {}", folder.display());
            return Err(Error::invalid(what, "PNG or JPEG files", "none"));
        }
        files.sort();
        pictures.extend(files.into_iter().map(|path| Picture {
            path,
            label: label as u16,
        }));
    }
    Ok(pictures)
}

/// The sub-folders of `path` by name, without hidden ones.
fn folders(path: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let folders = entries(path)?.into_iter().filter(|entry| entry.is_dir());
    let named = folders.map(|folder| (name(&folder), folder));
    Ok(named.filter(|(name, _)| !name.starts_with('.')).collect())
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(path).map_err(Error::io("read", path))?;
    entries
        .map(|entry| Ok(entry.map_err(Error::io("read", path))?.path()))
        .collect()
}

fn is_picture(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    let known = ["png", "jpg", "jpeg"];
    !name(path).starts_with('.') && known.iter().any(|e| extension.eq_ignore_ascii_case(e))
}

/// The shape that all pictures have, or are brought to; reads the headers only.
fn shape(pictures: &[Picture], size: Option<[usize; 2]>) -> Result<[usize; 3]> {
    let mut shape: Option<[usize; 3]> = None;
    for Picture { path, .. } in pictures {
        let [channels, height, width] = header(path)?;
        let [height, width] = size.unwrap_or([height, width]);
        let found = [channels, height, width];
        let first = shape.get_or_insert(found);
        if size.is_some() {
            first[0] = first[0].max(channels);
        } else if *first != found {
            return Err(Error::DataCorrupt {
                path: path.clone(),
                record: None,
                expected: format!("{first:?} (channels, height, width) as in the first picture"),
                found: format!("{found:?}; the option 'size' resizes all"),
            });
        }
    }
    let shape = shape.filter(|shape| shape.iter().all(|side| *side > 0));
    shape.ok_or_else(|| Error::invalid("option 'size'", "a positive height and width", "0"))
}

fn header(path: &Path) -> Result<[usize; 3]> {
    let reader = ImageReader::open(path).map_err(Error::io("read", path))?;
    let decoder = reader.into_decoder().map_err(|e| no_picture(path, e))?;
    let (width, height) = decoder.dimensions();
    let grey = matches!(
        decoder.color_type(),
        ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16
    );
    let channels = if grey { 1 } else { 3 };
    Ok([channels, height as usize, width as usize])
}

/// Appends the pixels of the picture at `path`, brought to `shape`, channel by channel.
fn append(path: &Path, shape: [usize; 3], pixels: &mut Vec<u8>) -> Result<()> {
    let [channels, height, width] = shape;
    let reader = ImageReader::open(path).map_err(Error::io("read", path))?;
    let mut picture = reader.decode().map_err(|e| no_picture(path, e))?;
    if [picture.height() as usize, picture.width() as usize] != [height, width] {
        picture = picture.resize_exact(width as u32, height as u32, FilterType::Triangle);
    }
    let interleaved = match channels {
        1 => DynamicImage::into_luma8(picture).into_raw(),
        _ => picture.into_rgb8().into_raw(),
    };
    for channel in 0..channels {
        pixels.extend(interleaved.iter().skip(channel).step_by(channels));
    }
    Ok(())
}

fn no_picture(path: &Path, error: image::ImageError) -> Error {
    match error {
        image::ImageError::IoError(e) if e.kind() == std::io::ErrorKind::PermissionDenied => {
            Error::io("read", path)(e)
        }
        error => Error::DataCorrupt {
            path: path.to_path_buf(),
            record: None,
            expected: "a PNG or JPEG picture".into(),
            found: error.to_string(),
        },
    }
}
